"""Curves and intervals: a quantity against rain or time, scores side by side, how often hollows survive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from numpy.typing import NDArray

from spatial.charts.city import FLOOD_COLOUR, LIGHTING_COLOUR, RIM_COLOUR, as_png, new_figure

_MARKERS = "osD^vP*X"


def line_chart(
    x: Sequence[float], lines: Mapping[str, Sequence[float]], x_label: str, y_label: str, title: str
) -> bytes:
    """Draw one line per name, with a mark at each value and a legend where it helps; returns a PNG.

    Parameters
    ----------
    x : (k,) values. lines : (k,) values by what the legend calls them.
    x_label, y_label : with their units.
    title : a synthetic city's says so.
    """
    figure = new_figure(8.6, 4.0)
    axes = figure.add_subplot()
    for position, (name, values) in enumerate(lines.items()):
        marker = _MARKERS[position % len(_MARKERS)] if len(x) <= 20 else ""
        axes.plot(x, values, marker=marker, markersize=5, color=colormaps["tab10"](position % 10), label=name)
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)
    axes.set_title(title, fontsize=10)
    if len(lines) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    _plain(axes)
    return as_png(figure)


def interval_chart(rows: Mapping[str, tuple[float, float, float]], x_label: str, mark: float, title: str) -> bytes:
    """Draw a value with its interval per row, the first on top; returns a PNG.

    Parameters
    ----------
    rows : (value, low, high) by name; an interval of NaN is not drawn.
    mark : value at which a dashed line stands, such as that of chance.
    """
    figure = new_figure(8.0, 1.1 + 0.32 * len(rows))
    axes = figure.add_subplot()
    value, low, high = np.array(list(rows.values()), dtype=float).reshape(-1, 3).T
    at = np.arange(len(rows))[::-1]
    axes.axvline(mark, color="#999999", linewidth=1.0, linestyle="--")
    axes.hlines(at, low, high, color=FLOOD_COLOUR, linewidth=1.6)
    axes.plot(value, at, "o", color=FLOOD_COLOUR, markersize=6)
    axes.set_yticks(at, list(rows))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_title(title, fontsize=10)
    _plain(axes)
    return as_png(figure)


def frequency_chart(frequency: NDArray[np.floating], plane: Mapping[str, float], title: str) -> bytes:
    """Draw how often hollow pixels survive the elevation's error, and what ground without hollows gives; a PNG.

    Parameters
    ----------
    frequency : (n,) 0–1 per pixel of a hollow. plane : frequencies on planes, by what the legend calls them.
    """
    figure = new_figure(8.6, 3.6)
    axes = figure.add_subplot()
    axes.hist(frequency, bins=list(np.linspace(0.0, 1.0, 21)), color=FLOOD_COLOUR, alpha=0.85)
    for style, (name, value) in zip(("-", "--", ":"), plane.items(), strict=False):
        axes.axvline(value, color=LIGHTING_COLOUR, linewidth=1.8, linestyle=style, label=f"{name}: {value:.2f}")
    axes.set_xlim(-0.01, 1.01)
    axes.set_xlabel("kekerapan: bagian simulasi / frequency: share of realisations", fontsize=9)
    axes.set_ylabel("piksel cekungan / hollow pixels", fontsize=9)
    axes.set_title(title, fontsize=10)
    if plane:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    _plain(axes)
    return as_png(figure)


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=RIM_COLOUR, linewidth=0.6)
    axes.set_axisbelow(True)
