"""Maps and charts of a city: zones, cells, rasters, reports in time and space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import geopandas as gpd
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LightSource, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from spatial.contracts import Raster

FLOOD_COLOUR, LIGHTING_COLOUR, ROAD_COLOUR, RIM_COLOUR = "#08306b", "#d7301f", "#8a8a8a", "#dddddd"
_LAND = ("#6fa287", "#b5cf9b", "#ecdfae", "#c79d6d", "#8c6246")
_STEPS_M = (100, 200, 500, 1000, 2000, 5000, 10000, 20000)


@dataclass(frozen=True, eq=False, slots=True)
class Points:
    """Points of one kind on a map: (n, 2) metres, how they are drawn, and what the legend calls them."""

    xy: NDArray[np.float64]
    label: str
    colour: str
    marker: str = "o"
    size: float = 6.0
    hollow: bool = False


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
    length_m = max(step for step in _STEPS_M if step <= width_m / 3)
    y = south - 0.02 * (north - south)
    axes.plot([west, west + length_m / metres_per_degree], [y, y], color="black", linewidth=2.0)
    label = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m} m"
    axes.text(west + length_m / metres_per_degree, y, f"  {label}", va="center", fontsize=8)


def time_chart(hours: Sequence[int], months: Sequence[tuple[str, int]], time_zone: str) -> bytes:
    """Draw reports by hour of the local day and by month; returns a PNG.

    Parameters
    ----------
    hours : 24 numbers.
    months : (YYYY-MM, number) in order.
    """
    figure = new_figure(11.0, 3.1)
    by_hour, by_month = figure.subplots(1, 2, width_ratios=(1.0, 1.25))
    by_hour.bar(range(24), hours, color=FLOOD_COLOUR, width=0.85)
    by_hour.set_xticks(range(0, 24, 3), [f"{hour:02d}" for hour in range(0, 24, 3)])
    by_hour.set_title(f"laporan per jam / reports by hour ({time_zone})", fontsize=9)
    by_month.bar(range(len(months)), [n for _, n in months], color=FLOOD_COLOUR, width=0.85)
    step = max(1, -(-len(months) // 12))
    by_month.set_xlim(-max(1.0, 6.0 - len(months) / 2), len(months) - 1 + max(1.0, 6.0 - len(months) / 2))
    by_month.set_xticks(range(0, len(months), step), [name for name, _ in months][::step], rotation=35, ha="right")
    by_month.set_title("laporan per bulan / reports by month", fontsize=9)
    for axes in (by_hour, by_month):
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=RIM_COLOUR, linewidth=0.6)
        axes.set_axisbelow(True)
    return as_png(figure)


def points_map(area: gpd.GeoSeries, roads: gpd.GeoDataFrame | None, points: Sequence[Points], title: str = "") -> bytes:
    """Draw points over an area and its roads, all in one plane in metres; returns a PNG.

    Points farther outside the area than a tenth of its size are left out, and the legend says how many.
    """
    figure = new_figure(9.0, 6.6)
    axes = figure.add_subplot()
    if roads is not None and len(roads):
        roads.plot(ax=axes, color="#c4c4c4", linewidth=0.3, zorder=1)
    frame_map(axes, area)
    axes.set_title(title, fontsize=10)
    _draw(axes, points)
    return as_png(figure)


def elevation_map(raster: Raster, area: gpd.GeoSeries, points: Sequence[Points], title: str = "") -> bytes:
    """Draw an elevation around an area with shaded relief, unknown pixels pink, and points on it; returns a PNG."""
    figure = new_figure(9.0, 6.6)
    axes = figure.add_subplot()
    rows, columns = raster.values.shape
    west, north, size = raster.transform.c, raster.transform.f, raster.pixel_size_m
    extent = (west, west + columns * size, north - rows * size, north)
    axes.set_facecolor("#f4b6c8")
    low, high = np.nanpercentile(raster.values, [1.0, 99.0])
    colours = LinearSegmentedColormap.from_list("land", _LAND)
    image = axes.imshow(raster.values, extent=extent, cmap=colours, vmin=low, vmax=max(high, low + 1.0))
    relief = LightSource(315.0, 45.0).hillshade(raster.values, vert_exag=2.0, dx=size, dy=size)
    axes.imshow(relief, extent=extent, cmap="gray", alpha=0.35)
    frame_map(axes, area)
    axes.set_title(title, fontsize=10)
    _draw(axes, points)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, extend="both")
    bar.set_label("elevasi / elevation (m)", fontsize=8)
    return as_png(figure)


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of so many inches, drawn without a display."""
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def as_png(figure: Figure) -> bytes:
    """Return a figure as a PNG with fixed metadata."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.05, metadata={"Software": "Hexakota"})
    return buffer.getvalue()


def frame_map(axes: Axes, area: gpd.GeoSeries) -> None:
    """Draw the area's outline and a scale bar, and show the area with a tenth of its size around it."""
    area.boundary.plot(ax=axes, color="black", linewidth=1.0, zorder=3)
    west, south, east, north = area.total_bounds
    margin = max(east - west, north - south) / 10.0
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(south - margin, north + margin)
    axes.set_aspect("equal")
    axes.set_xlabel("")
    axes.set_ylabel("")
    axes.set_xticks([])
    axes.set_yticks([])
    length = max(step for step in _STEPS_M if step <= max((east - west) / 3, _STEPS_M[0]))
    y = south - margin * 0.6
    axes.plot([west, west + length], [y, y], color="black", linewidth=2.5, zorder=5)
    axes.text(west + length, y, f"  {length / 1000:g} km", va="center", fontsize=8, zorder=5)


def _draw(axes: Axes, points: Sequence[Points]) -> None:
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    for group in points:
        x, y = group.xy[:, 0], group.xy[:, 1]
        beyond = int(((x < west) | (x > east) | (y < south) | (y > north)).sum())
        label = f"{group.label} ({len(x):,}" + (f"; {beyond:,} di luar peta / off the map)" if beyond else ")")
        axes.scatter(
            x,
            y,
            s=group.size,
            marker=group.marker,
            facecolors="none" if group.hollow else group.colour,
            edgecolors=group.colour if group.hollow else "none",
            linewidths=1.6 if group.hollow else 0.0,
            label=label,
            zorder=4,
        )
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    if points:
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=2, fontsize=8, markerscale=1.4, frameon=False
        )
