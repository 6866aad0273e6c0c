"""Pictures of water: where it stands in a scenario."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
from matplotlib.lines import Line2D

from spatial.charts.city import LIGHTING_COLOUR, new_figure
from spatial.contracts import Raster


def water_map(path: Path, depth: Raster, roads: gpd.GeoSeries, wet_depth_m: float, title: str) -> None:
    """Draw where the water of a scenario stands and the stretches of road that are under it, as a PNG.

    Parameters
    ----------
    depth : metres, NaN in the sea and outside.
    roads : stretches of road under water, in the raster's plane.
    wet_depth_m : from this depth it is drawn.
    title : shown above the map; a synthetic city's says so.
    """
    figure = new_figure(9.0, 7.6)
    axes = figure.add_subplot()
    axes.set_facecolor("#dfe7ee")
    dry = np.where(np.isnan(depth.values), np.nan, 0.0)
    rows, columns = dry.shape
    west, north, size = depth.transform.c, depth.transform.f, depth.pixel_size_m
    extent = (west, west + columns * size, north - rows * size, north)
    axes.imshow(dry, extent=extent, cmap="Greys", vmin=-0.1, vmax=1.0, interpolation="nearest")
    wet = np.where(depth.values >= wet_depth_m, depth.values, np.nan)
    top = float(np.nanpercentile(wet, 98)) if np.isfinite(wet).any() else 1.0
    image = axes.imshow(wet, extent=extent, cmap="Blues", vmin=0.0, vmax=max(top, 0.5), interpolation="nearest")
    if len(roads):
        roads.plot(ax=axes, color=LIGHTING_COLOUR, linewidth=0.9)
        label = f"jalan tergenang / roads under water ({roads.length.sum() / 1000:.1f} km)"
        axes.legend(handles=[Line2D([], [], color=LIGHTING_COLOUR, lw=1.2, label=label)], loc="lower right", fontsize=8)
    axes.set_xlabel("")
    axes.set_ylabel("")
    axes.set_title(title, fontsize=12)
    axes.set_xticks([])
    axes.set_yticks([])
    figure.colorbar(image, ax=axes, shrink=0.6, extend="max", label="kedalaman air / water depth (m)")
    figure.savefig(path, metadata={"Software": "Hexakota"})
