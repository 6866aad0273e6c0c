"""Pictures, looked at by the colours and the sizes that they come out with."""

from __future__ import annotations

from io import BytesIO

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from numpy.typing import NDArray
from pyproj import CRS

from spatial.charts import Panel, cell_panels, frequency_chart, interval_chart, line_chart, raster_panels
from spatial.contracts import Raster

UTM = CRS("EPSG:32750")
AREA = gpd.GeoSeries([shapely.box(500000, 9000000, 500100, 9000100)], crs=UTM)
BLUES = colormaps["Blues"]
RED, GREY, GROUND, BLUE, NAVY = (to_rgb(c) for c in ("#d7301f", "#d9d9d9", "#f2efe9", "#1565c0", "#08306b"))


def pixels(png: bytes, colour: tuple[float, ...], apart: float = 0.004) -> int:
    """Return how many pixels have a colour; thin lines are smoothed, so that theirs is only near it."""
    return int((np.abs(imread(BytesIO(png))[..., :3] - np.array(colour[:3])) < apart).all(axis=-1).sum())


def size(png: bytes) -> tuple[int, int]:
    height, width = imread(BytesIO(png)).shape[:2]
    return width, height


def raster(values: NDArray[np.float64]) -> Raster:
    side = 100.0 / len(values)
    return Raster(values, Affine(side, 0, 500000, 0, -side, 9000100), UTM)


def cells(*values: float) -> gpd.GeoDataFrame:
    """A row of cells that fills the area."""
    x = np.linspace(500000, 500100, len(values) + 1)
    shapes = shapely.box(x[:-1], 9000000, x[1:], 9000100)
    return gpd.GeoDataFrame({"score": values}, geometry=shapes, crs=UTM)


def test_an_unknown_cell_is_grey_and_one_is_the_darkest() -> None:
    png = cell_panels(cells(np.nan, 1.0), {"score": "skor / score"}, AREA, "")
    assert pixels(png, GREY) > 1000
    dark = pixels(png, BLUES(1.0))
    assert dark > 1000
    assert pixels(cell_panels(cells(0.0, 1.0), {"score": ""}, AREA, ""), GREY) < 100


def test_a_column_may_end_its_colours_lower() -> None:
    low = cell_panels(cells(0.1, 0.2), {"score": ""}, AREA, "")
    full = cell_panels(cells(0.1, 0.2), {"score": ""}, AREA, "", {"score": 0.2})
    assert pixels(full, BLUES(1.0)) > 10 * pixels(low, BLUES(1.0))


def test_unknown_pixels_are_left_blank_and_colours_end_where_stated() -> None:
    """One pixel of four is unknown: what it adds to the blank ground is a third of what the three others colour."""
    values = np.full((2, 2), 2.0)
    whole = raster_panels([Panel(raster(values), "", "m", "Blues", 0.0, 2.0)], AREA, "")
    values[0, 0] = np.nan
    holed = raster_panels([Panel(raster(values), "", "m", "Blues", 0.0, 2.0)], AREA, "")
    hole = pixels(holed, GROUND) - pixels(whole, GROUND)
    assert pixels(holed, BLUES(1.0)) == pytest.approx(3 * hole, rel=0.1)


def test_three_maps_stand_in_a_row_and_four_in_two() -> None:
    panel = Panel(raster(np.zeros((2, 2))), "", "m")
    three, four = (size(raster_panels([panel] * n, AREA, "")) for n in (3, 4))
    assert three[0] > 2 * three[1]
    assert four[0] < 1.5 * four[1]


def test_lines_are_drawn_with_a_legend() -> None:
    line = gpd.GeoSeries([shapely.LineString([(500000, 9000050), (500100, 9000050)])], crs=UTM)
    bare = Panel(raster(np.zeros((2, 2))), "", "m", "Greys", 0.0, 1.0)
    drawn = Panel(raster(np.zeros((2, 2))), "", "m", "Greys", 0.0, 1.0, {"sungai / river": line})
    assert pixels(raster_panels([bare], AREA, ""), BLUE, 0.2) == 0
    assert pixels(raster_panels([drawn], AREA, ""), BLUE, 0.2) > 100


def test_one_line_needs_no_legend_and_two_do() -> None:
    one = line_chart([1.0, 2.0], {"a": [1.0, 2.0]}, "hujan / rain (mm)", "m", "")
    two = line_chart([1.0, 2.0], {"a": [1.0, 2.0], "b": [2.0, 3.0]}, "hujan / rain (mm)", "m", "")
    second = colormaps["tab10"](1)
    assert pixels(one, second) == 0
    assert pixels(two, second) > 100


def test_the_planes_are_marked_on_the_frequencies() -> None:
    frequency = np.linspace(0.0, 1.0, 50)
    assert pixels(frequency_chart(frequency, {}, ""), RED, 0.2) == 0
    assert pixels(frequency_chart(frequency, {"bidang / plane": 0.5}, ""), RED, 0.2) > 100


def test_an_interval_that_is_not_known_is_not_drawn() -> None:
    nan = float("nan")
    known = interval_chart({"a": (0.8, 0.7, 0.9)}, "AUC", 0.5, "")
    unknown = interval_chart({"a": (0.8, nan, nan)}, "AUC", 0.5, "")
    assert pixels(known, NAVY) > 3 * pixels(unknown, NAVY) > 0
