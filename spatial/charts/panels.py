"""Maps side by side, in one plane and at one scale: rasters, and columns of the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from spatial.charts.city import RIM_COLOUR, as_png, frame_map, new_figure
from spatial.contracts import Raster

_WIDTH_IN, _MAP_IN, _COLUMNS = 5.0, 4.0, 3
_GROUND, _UNKNOWN = "#f2efe9", "#d9d9d9"
_MANY_CELLS = 2000  # their rims would hide them
_LINE_COLOURS = ("#1565c0", "#d7301f")


@dataclass(frozen=True, eq=False, slots=True)
class Panel:
    """A raster on a map of its own.

    Attributes
    ----------
    raster : NaN is left blank.
    title, label : of the map, and of its colour bar (with the unit).
    colours : a matplotlib colour map.
    low, high : values that the colours run between; those of the raster by default.
    lines : by what the legend calls them, in the raster's plane; two kinds at most.
    """

    raster: Raster
    title: str
    label: str
    colours: str = "viridis"
    low: float | None = None
    high: float | None = None
    lines: Mapping[str, gpd.GeoSeries] = field(default_factory=dict)


def raster_panels(panels: Sequence[Panel], area: gpd.GeoSeries, title: str) -> bytes:
    """Draw rasters side by side, each framed by the area; returns a PNG.

    Parameters
    ----------
    area : in the plane of the rasters.
    title : above all of them; a synthetic city's says so.
    """
    figure, axes = _grid(len(panels), area, title)
    for axis, panel in zip(axes, panels, strict=True):
        _raster(axis, panel)
        frame_map(axis, area)
    return as_png(figure)


def cell_panels(
    cells: gpd.GeoDataFrame,
    columns: Mapping[str, str],
    area: gpd.GeoSeries,
    title: str,
    tops: Mapping[str, float] | None = None,
) -> bytes:
    """Draw columns of the cells side by side, unknown cells grey; returns a PNG.

    Parameters
    ----------
    columns : title of the map of each column.
    tops : value above 0 at which the colours of a column end; 1 by default.
    area : in metres; the cells are drawn in its plane.
    title : above all of them; a synthetic city's says so.
    """
    figure, axes = _grid(len(columns), area, title)
    plane = cells.to_crs(area.crs)
    rim = (
        {"edgecolor": "face", "linewidth": 0.2}
        if len(cells) > _MANY_CELLS
        else {"edgecolor": RIM_COLOUR, "linewidth": 0.3}
    )
    for axis, (column, name) in zip(axes, columns.items(), strict=True):
        top = (tops or {}).get(column, 1.0)
        shades = ScalarMappable(Normalize(0.0, top), colormaps["Blues"].with_extremes(bad=_UNKNOWN))
        plane.plot(ax=axis, color=shades.to_rgba(plane[column].to_numpy(float, na_value=np.nan)), **rim)
        frame_map(axis, area)
        axis.set_title(name, fontsize=10)
        _bar(axis, shades, f"0–{top:.2g}")
    return as_png(figure)


def _grid(count: int, area: gpd.GeoSeries, title: str) -> tuple[Figure, list[Axes]]:
    columns = min(count, 2 if count == 4 else _COLUMNS)
    rows = -(-count // columns)
    west, south, east, north = area.total_bounds
    margin = max(east - west, north - south) / 5.0  # of `frame_map`, both sides
    tall = float(np.clip((north - south + margin) / (east - west + margin), 0.4, 1.8))
    figure = new_figure(_WIDTH_IN * columns, (_MAP_IN * tall + 0.4) * rows + 0.6)
    figure.suptitle(title, fontsize=11)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def _raster(axis: Axes, panel: Panel) -> None:
    raster = panel.raster
    rows, columns = raster.values.shape
    west, north, size = raster.transform.c, raster.transform.f, raster.pixel_size_m
    extent = (west, west + columns * size, north - rows * size, north)
    axis.set_facecolor(_GROUND)
    image = axis.imshow(
        raster.values, extent=extent, cmap=panel.colours, vmin=panel.low, vmax=panel.high, interpolation="nearest"
    )
    for colour, (name, lines) in zip(_LINE_COLOURS, panel.lines.items(), strict=False):
        lines.plot(ax=axis, color=colour, linewidth=1.0, label=name)
    if panel.lines:
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=2, fontsize=8, frameon=False)
    axis.set_title(panel.title, fontsize=10)
    _bar(axis, image, panel.label)


def _bar(axis: Axes, shades: ScalarMappable, label: str) -> None:
    figure = axis.figure
    bar = figure.colorbar(shades, ax=axis, shrink=0.7)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)
