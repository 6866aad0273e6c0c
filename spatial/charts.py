"""Every picture that Hexakota draws, from tables and rasters. Drawn without a display and with fixed metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from spatial.contracts import Raster

FLOOD_COLOUR, LIGHTING_COLOUR, ROAD_COLOUR, RIM_COLOUR = "#08306b", "#d7301f", "#8a8a8a", "#dddddd"


def zone_map(path: Path, layers: Mapping[str, gpd.GeoDataFrame], title: str, attribution: str) -> None:
    """Draw a city's cells by flood score, its roads and its zones as a PNG.

    Parameters
    ----------
    path : file to write.
    layers : `hexagons`, `roads`, `flood_zones`, `lighting_zones` in CRS84.
    title : shown above the map; a synthetic city's says so.
    attribution : shown below the map.
    """
    figure = Figure(figsize=(9.0, 7.6), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    cells, roads = layers["hexagons"], layers["roads"]
    shades = ScalarMappable(Normalize(0.0, 1.0), colormaps["Blues"].with_extremes(bad="white"))
    cells.plot(
        ax=axes,
        color=shades.to_rgba(cells["flood_score"].to_numpy(float, na_value=np.nan)),
        edgecolor=RIM_COLOUR,
        linewidth=0.3,
    )
    if len(roads):
        roads.plot(ax=axes, color=ROAD_COLOUR, linewidth=0.35)
    if len(layers["flood_zones"]):
        layers["flood_zones"].boundary.plot(ax=axes, color=FLOOD_COLOUR, linewidth=1.6)
    if len(layers["lighting_zones"]):
        layers["lighting_zones"].plot(ax=axes, color=LIGHTING_COLOUR, edgecolor=LIGHTING_COLOUR, linewidth=2.0)
    axes.set_title(title, fontsize=12)
    axes.set_aspect(1.0 / np.cos(np.deg2rad(float(np.mean(cells.total_bounds[[1, 3]])))))
    axes.set_axis_off()
    _scale_bar(axes, cells)
    axes.legend(
        handles=[
            Line2D(
                [], [], color=FLOOD_COLOUR, lw=1.6, label=f"zona banjir / flood zones ({len(layers['flood_zones'])})"
            ),
            Patch(
                color=LIGHTING_COLOUR, label=f"zona PJU padam / lighting-outage zones ({len(layers['lighting_zones'])})"
            ),
            Line2D([], [], color=ROAD_COLOUR, lw=0.6, label="jalan / roads"),
        ],
        loc="lower right",
        fontsize=8,
        framealpha=0.9,
    )
    figure.colorbar(shades, ax=axes, shrink=0.55, label="skor banjir per sel / flood score per cell")
    figure.supxlabel(attribution, fontsize=7, color="#555555")
    figure.savefig(path, metadata={"Software": "Hexakota"})


def _scale_bar(axes: Axes, cells: gpd.GeoDataFrame) -> None:
    west, south, east, north = cells.total_bounds
    metres_per_degree = 111_320.0 * np.cos(np.deg2rad((south + north) / 2.0))
    width_m = (east - west) * metres_per_degree
    length_m = max(step for step in (100, 200, 500, 1000, 2000, 5000, 10000, 20000) if step <= width_m / 3)
    y = south - 0.02 * (north - south)
    axes.plot([west, west + length_m / metres_per_degree], [y, y], color="black", linewidth=2.0)
    label = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m} m"
    axes.text(west + length_m / metres_per_degree, y, f"  {label}", va="center", fontsize=8)


def raster_map(
    axes: Axes, raster: Raster, title: str, label: str, colours: str = "viridis", top: float | None = None
) -> None:
    """Draw a raster in its plane, NaN blank.

    Parameters
    ----------
    axes : where to draw.
    raster : values in the units of `label`.
    title, label : of the map and of its colour bar.
    colours : a matplotlib colour map.
    top : value that the colours end at; the largest by default.
    """
    rows, columns = raster.values.shape
    west, north, size = raster.transform.c, raster.transform.f, raster.pixel_size_m
    extent = (west, west + columns * size, north - rows * size, north)
    image = axes.imshow(raster.values, extent=extent, cmap=colours, vmax=top, interpolation="nearest")
    axes.set_title(title)
    axes.ticklabel_format(style="plain", useOffset=False)
    axes.tick_params(labelsize=7)
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=axes, label=label, shrink=0.7)


def cell_map(axes: Axes, cells: gpd.GeoDataFrame, column: str, title: str, colours: str = "Blues") -> None:
    """Draw one column of the cells, 0–1, unknown cells white."""
    shades = ScalarMappable(Normalize(0.0, 1.0), colormaps[colours].with_extremes(bad="white"))
    cells.plot(
        ax=axes,
        color=shades.to_rgba(cells[column].to_numpy(float, na_value=np.nan)),
        edgecolor=RIM_COLOUR,
        linewidth=0.3,
    )
    axes.set_title(title)
    axes.set_axis_off()
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(shades, ax=axes, label=column, shrink=0.7)
