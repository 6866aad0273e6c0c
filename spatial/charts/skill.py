"""Pictures of skill: ROC curves, a reliability curve, and a map of a score with the truth on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from spatial.charts.city import FLOOD_COLOUR, RIM_COLOUR, as_png, frame_map, new_figure

TRUTH_COLOUR, POLYGON_COLOUR = "#d7301f", "#111111"
_BASELINE_COLOURS = ("#e08214", "#35978f", "#8073ac", "#7f3b08", "#666666")
_MOST_POINTS = 5000


@dataclass(frozen=True, eq=False, slots=True)
class Curve:
    """A ROC curve: false and true positive rates, (k,) each, and what the legend calls it."""

    false_rate: NDArray[np.float64]
    true_rate: NDArray[np.float64]
    label: str


def roc_chart(own: Curve, baselines: Sequence[Curve], title: str) -> bytes:
    """Draw a score's ROC curve over those of its baselines and of chance; returns a PNG."""
    figure = new_figure(7.6, 5.0)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=RIM_COLOUR, linewidth=1.2, linestyle="--", label="acak / chance (0.500)")
    for position, curve in enumerate(baselines):
        colour = _BASELINE_COLOURS[position % len(_BASELINE_COLOURS)]
        axes.plot(curve.false_rate, curve.true_rate, color=colour, linewidth=1.1, label=curve.label)
    axes.plot(own.false_rate, own.true_rate, color=FLOOD_COLOUR, linewidth=2.4, label=own.label)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.set_xlabel("bagian sel latar di atas ambang\nshare of background cells above the threshold", fontsize=8)
    axes.set_ylabel("bagian sel kejadian di atas ambang\nshare of positive cells above the threshold", fontsize=8)
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        title="AUC (selang blok / blocked interval)",
        alignment="left",
        title_fontsize=8,
        loc="center left",
        bbox_to_anchor=(1.02, 0.5),
        fontsize=8,
        frameon=False,
    )
    return as_png(figure)


def reliability_chart(
    predicted: Sequence[float],
    observed: Sequence[float],
    bounds: Sequence[tuple[float, float]],
    cells: Sequence[int],
    title: str,
) -> bytes:
    """Draw observed rates with their intervals over predicted ones, and below how many cells; returns a PNG.

    Parameters
    ----------
    predicted, observed : (k,) 0–1 per bin.
    bounds : (k,) low and high of the observed rate.
    cells : (k,) cells per bin.
    """
    figure = new_figure(6.0, 5.8)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4.0, 1.0))
    x, y = np.asarray(predicted), np.asarray(observed)
    low, high = np.asarray(bounds).T
    top = 1.05 * float(max(high.max(), x.max()))
    axes.plot([0, top], [0, top], color="#999999", linewidth=1.0, linestyle="--", label="sempurna / perfect")
    axes.errorbar(x, y, yerr=np.stack([y - low, high - y]), fmt="o-", color=FLOOD_COLOUR, linewidth=1.2, capsize=3)
    axes.set_xlim(-0.02 * top, top)
    axes.set_ylim(-0.02 * top, top)
    axes.set_ylabel("teramati / observed", fontsize=8)
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    below.bar(x, cells, width=0.012 * top, color=FLOOD_COLOUR)
    below.set_ylabel("sel / cells", fontsize=8)
    below.set_xlabel("peluang terhitung / predicted probability", fontsize=8)
    for each in (axes, below):
        each.tick_params(labelsize=8)
        each.spines[["top", "right"]].set_visible(False)
    return as_png(figure)


def evaluation_map(
    cells: gpd.GeoDataFrame, score: str, polygon: gpd.GeoSeries, truth: gpd.GeoSeries, title: str
) -> bytes:
    """Draw scored cells, the polygon that the background comes from, and the truth; all in one plane, metres.

    Parameters
    ----------
    cells : columns `score` (floats, NaN white) and `positive` (bool).
    truth : points and areas; returns a PNG.
    """
    figure = new_figure(9.0, 7.2)
    axes = figure.add_subplot()
    values = cells["score"].to_numpy(float)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    shades = ScalarMappable(Normalize(low, max(high, low + 1e-9)), colormaps["Blues"].with_extremes(bad="white"))
    cells.plot(ax=axes, color=shades.to_rgba(values), edgecolor=RIM_COLOUR, linewidth=0.2, zorder=1)
    hits = cells[cells["positive"]]
    if len(hits):
        hits.boundary.plot(ax=axes, color=TRUTH_COLOUR, linewidth=0.9, zorder=3)
    points = truth[truth.geom_type.isin(("Point", "MultiPoint"))].explode()
    areas = truth.drop(points.index.unique())
    if len(areas):
        areas.plot(ax=axes, color=TRUTH_COLOUR, alpha=0.45, zorder=2)
    frame_map(axes, polygon)
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    if len(points):
        shown = points.iloc[:: max(1, len(points) // _MOST_POINTS)]
        axes.scatter(shown.x, shown.y, s=9, color=TRUTH_COLOUR, edgecolors="white", linewidths=0.4, zorder=4)
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_title(title, fontsize=9)
    told = "titik kebenaran / truth points" if len(points) else "wilayah kebenaran / truth areas"
    mark = (
        Line2D([], [], marker="o", color=TRUTH_COLOUR, linestyle="none", markersize=4, label=told)
        if len(points)
        else Patch(color=TRUTH_COLOUR, alpha=0.45, label=told)
    )
    axes.legend(
        handles=[
            Line2D([], [], color=TRUTH_COLOUR, lw=0.9, label=f"sel kejadian / positive cells ({len(hits):,})"),
            mark,
            Line2D([], [], color=POLYGON_COLOUR, lw=1.0, label="batas latar / background polygon"),
        ],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=3,
        fontsize=8,
        frameon=False,
    )
    bar = figure.colorbar(shades, ax=axes, shrink=0.6)
    bar.set_label(score, fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return as_png(figure)
