"""Burning: embankments, rivers and bridges by hand, lines to pixels, properties, Denpasar's mapped rivers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from shapely import LineString, Point, box

from spatial.errors import ContractError
from spatial.flood.burn import BurnParameters, burn, cut_bridges, cut_culverts, descend, line_pixels, lower
from spatial.flood.terrain import fill_depressions

Array = NDArray[np.float64]
Index = NDArray[np.int32]
NAN = float("nan")
ALL = BurnParameters(burn_waterways=True, waterway_depth_m=1.0, burn_culverts=True)
HEIGHTS = st.sampled_from([NAN, -1.0, 0.0, 0.5, 1.0, 1.25, 2.0, 3.75, 7.0])
UNIT = Affine(1, 0, 0, 0, 1, 0)  # coordinates are (column, row)


def path(*pixels: int) -> Index:
    return np.array(pixels, dtype=np.int32)


def embankment() -> Array:
    """A valley floor that falls 1 m a pixel to the east between walls of 20 m; a road of 15 m dams it in column 4."""
    z = np.full((5, 9), 20.0)
    z[2] = [8.0, 7.0, 6.0, 5.0, 15.0, 3.0, 2.0, 1.0, 0.0]
    z[2, 0] = 20.0
    return z


@st.composite
def cases(draw: st.DrawFn) -> tuple[Array, list[list[Index]]]:
    """A raster, and waterways, culverts and bridges as random king's walks in it."""
    z = draw(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8), elements=HEIGHTS))
    rows, columns = z.shape
    kinds: list[list[Index]] = []
    for _ in range(3):
        kinds.append([])
        for _ in range(draw(st.integers(0, 3))):
            r, c = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
            walk = [r * columns + c]
            for down, right in draw(st.lists(st.tuples(st.integers(-1, 1), st.integers(-1, 1)), max_size=8)):
                r, c = min(max(r + down, 0), rows - 1), min(max(c + right, 0), columns - 1)
                walk.append(r * columns + c)
            kinds[-1].append(path(*walk))
    return z, kinds


# By hand


def test_a_culvert_drains_what_a_road_dams() -> None:
    z = embankment()
    before = fill_depressions(z)
    assert before[2, 1:4].tolist() == [15.0, 15.0, 15.0]
    done = burn(z, [], [path(21, 22, 23)], [], ALL)  # columns 3, 4, 5 of row 2; beside its ends lie 5 m and 2 m
    assert np.flatnonzero(done.changed).tolist() == [22, 23]
    assert done.elevation[2, 3:6].tolist() == [5.0, 3.5, 2.0]
    assert np.array_equal(fill_depressions(done.elevation), done.elevation)  # nothing is dammed any more
    assert z[2, 4] == 15.0  # the elevation that was given is not changed


@pytest.mark.parametrize("pixels", [(22,), (21, 22), (22, 23), (23, 22, 21), (20, 21, 22, 23, 24)])
def test_a_culvert_may_be_drawn_shorter_or_longer_than_the_road_is_wide(pixels: tuple[int, ...]) -> None:
    cut = cut_culverts(embankment(), [path(*pixels)])
    assert (fill_depressions(cut)[2, 1:4] <= embankment()[2, 1:4]).all()


def test_a_culvert_falls_in_a_straight_line() -> None:
    """From 6 m to 0 m under a hill three pixels wide; a pixel that is lower already stays."""
    z = np.array([[6.0, 9.0, 1.0, 9.0, 0.0]])
    assert cut_culverts(z, [path(0, 1, 2, 3, 4)]).tolist() == [[6.0, 4.5, 1.0, 1.5, 0.0]]


def test_a_bridge_is_cut_to_the_lower_ground_beside_it() -> None:
    """A deck from north to south over the valley, two pixels wide: 15 m in columns 4 and 5, abutments in the walls."""
    z = embankment()
    z[1:4, 4:6] = 15.0
    assert fill_depressions(z)[2, 3] == 15.0
    decks = [path(13, 22, 31), path(14, 23, 32)]
    cut = cut_bridges(z, decks)
    assert cut[2, 4:6].tolist() == [5.0, 2.0]
    assert fill_depressions(cut)[2, 1:4].tolist() == [7.0, 6.0, 5.0]
    assert np.array_equal(np.flatnonzero(cut != z), [13, 14, 22, 23, 31, 32])


def test_the_middle_of_a_wide_deck_stays() -> None:
    z = np.full((3, 5), 1.0)
    z[:, 1:4] = 9.0
    cut = cut_bridges(z, [path(1, 6, 11), path(2, 7, 12), path(3, 8, 13)])
    assert cut.tolist() == [[1.0, 1.0, 9.0, 1.0, 1.0]] * 3


def test_a_dip_in_the_deck_is_no_ground() -> None:
    z = np.array([[1.0, 2.0, 3.0], [9.0, 0.0, 9.0], [4.0, 5.0, 6.0]])
    assert cut_bridges(z, [path(3, 4, 5)])[1].tolist() == [1.0, 0.0, 2.0]


def test_a_river_falls_from_its_higher_end() -> None:
    z = np.array([[5.0, 6.0, 3.0, 4.0, 2.0]])
    falls = [[5.0, 5.0, 3.0, 3.0, 2.0]]
    assert descend(z, [path(0, 1, 2, 3, 4)], z).tolist() == falls
    assert descend(z, [path(4, 3, 2, 1, 0)], z).tolist() == falls  # however it is drawn
    level = np.array([[2.0, 1.0, 3.0, 2.0]])
    assert descend(level, [path(0, 1, 2, 3)], level).tolist() == [[2.0, 1.0, 1.0, 1.0]]
    assert descend(level, [path(3, 2, 1, 0)], level).tolist() == [[1.0, 1.0, 2.0, 2.0]]  # ends alike: as it is drawn


def test_a_low_tributary_lowers_the_river_below_it() -> None:
    """The river runs along the row below; a brook of 1 m joins it where it lies at 4 m."""
    z = np.array([[9.0, 9.0, 1.0, 9.0], [6.0, 5.0, 4.0, 3.0]])
    brook, river = path(1, 2, 6), path(4, 5, 6, 7)
    expected = [[9.0, 9.0, 1.0, 9.0], [6.0, 5.0, 1.0, 1.0]]
    assert descend(z, [river, brook], z).tolist() == expected
    assert descend(z, [brook, river], z).tolist() == expected


def test_a_pixel_of_two_waterways_is_lowered_once_and_unknown_ones_are_stepped_over() -> None:
    z = np.array([[5.0, NAN, 3.0, 8.0]])
    assert np.array_equal(lower(z, [path(0, 1, 2), path(2, 3)], 2.0), [[3.0, NAN, 1.0, 6.0]], True)
    done = burn(z, [path(0, 1, 2, 3)], [], [], BurnParameters(burn_waterways=True, waterway_depth_m=0.0))
    assert np.array_equal(done.elevation, [[3.0, NAN, 3.0, 8.0]], True)  # from 8 m in the east
    assert done.changed.tolist() == [[True, False, False, False]]


def test_nothing_is_cut_unless_it_is_asked_for() -> None:
    z = embankment()
    lines = [path(20, 21, 22, 23)]
    off = burn(z, lines, lines, lines, BurnParameters())
    assert np.array_equal(off.elevation, z)
    assert not off.changed.any()
    assert off.elevation is not z
    only = burn(z, lines, [path(22)], [], BurnParameters(burn_waterways=False, burn_culverts=True))
    assert np.flatnonzero(only.changed).tolist() == [22]


# Properties


@settings(max_examples=200)
@given(cases(), st.sampled_from([0.0, 1.0, 10.0]), st.booleans(), st.booleans())
def test_only_pixels_on_lines_are_lowered(
    case: tuple[Array, list[list[Index]]], depth: float, waterways: bool, culverts: bool
) -> None:
    z, lines = case
    done = burn(z, *lines, BurnParameters(waterways, depth, culverts))
    used = (lines[0] if waterways else []) + (lines[1] + lines[2] if culverts else [])
    on_lines = np.zeros(z.shape, bool)
    for line in used:
        on_lines.flat[line] = True
    assert np.array_equal(done.elevation[~on_lines], z[~on_lines], equal_nan=True)
    assert np.array_equal(np.isnan(done.elevation), np.isnan(z))
    assert not (done.elevation > z).any()
    assert np.array_equal(done.changed, done.elevation < z)
    if waterways and depth:
        wet = np.zeros(z.shape, bool)
        for line in lines[0]:
            wet.flat[line] = True
        assert (done.elevation <= z - depth)[wet & ~np.isnan(z)].all()


@settings(max_examples=200)
@given(cases(), st.randoms())
def test_waterways_fall_whatever_the_order_of_the_lines(case: tuple[Array, list[list[Index]]], random) -> None:  # type: ignore[no-untyped-def]
    z, (rivers, others, _) = case
    rivers = rivers + others
    done = descend(z, rivers, z)
    for river in rivers:
        known = river[~np.isnan(z.flat[river])]
        if not known.size:
            continue
        heights = done.flat[known if z.flat[known[0]] >= z.flat[known[-1]] else known[::-1]]
        assert (np.diff(heights) <= 0).all()
    shuffled = list(rivers)
    random.shuffle(shuffled)
    assert np.array_equal(descend(z, shuffled, z), done, equal_nan=True)
    assert np.array_equal(descend(done, rivers, z), done, equal_nan=True)


@settings(max_examples=100)
@given(st.lists(st.integers(0, 6), min_size=3, max_size=6), st.integers(0, 5), st.integers(0, 5), st.integers(7, 12))
def test_a_culvert_leaves_no_more_water_than_its_higher_side(road: list[int], up: int, down: int, wall: int) -> None:
    """One row between walls: ground `up`, a road of any shape, ground `down`, and the way out at 0 m."""
    row = np.array([float(wall), up, *[6.5 + h for h in road], down, 0.0])
    z = np.full((3, row.size), 99.0)
    z[1] = row
    first = row.size + 1
    cut = burn(z, [], [np.arange(first, first + len(road) + 2, dtype=np.int32)], [], ALL).elevation
    assert fill_depressions(cut)[1, 1] <= max(up, down)


# Lines to pixels


def test_a_line_by_hand() -> None:
    """Along row 1, then down the diagonal: columns 0–2, then (2, 3), (3, 4)."""
    assert [p.tolist() for p in line_pixels(LineString([(0.5, 1.5), (2.5, 1.5), (4.5, 3.5)]), UNIT, (5, 5))] == [
        [5, 6, 7, 13, 19]
    ]
    flipped = Affine(30, 0, 600000, 0, -30, 9000000)  # row 0 in the north
    line = LineString([(600015, 8999985), (600015, 8999900)])
    assert [p.tolist() for p in line_pixels(line, flipped, (3, 2))] == [[0, 2, 4]]


def test_a_line_that_leaves_and_returns_makes_two_paths() -> None:
    line = LineString([(-2.0, 0.5), (1.5, 0.5), (1.5, -3.0), (3.5, -3.0), (3.5, 1.5)])
    assert [p.tolist() for p in line_pixels(line, UNIT, (2, 4))] == [[0, 1], [3, 7]]
    assert line_pixels(LineString([(9, 9), (12, 9)]), UNIT, (2, 4)) == []
    assert line_pixels(LineString(), UNIT, (2, 4)) == []


POINTS = st.tuples(st.floats(-3, 12), st.floats(-3, 12))


@settings(max_examples=150)
@given(st.lists(POINTS, min_size=2, max_size=5), st.sampled_from([UNIT, Affine(0.5, 0, -1, 0, -0.75, 8)]))
def test_paths_are_connected_lie_on_the_line_and_cover_it(points: list[tuple[float, float]], transform: Affine) -> None:
    line, shape = LineString(points), (9, 11)
    found = line_pixels(line, transform, shape)
    for pixels in found:
        r, c = np.divmod(pixels, shape[1])
        steps = np.maximum(np.abs(np.diff(r)), np.abs(np.diff(c)))
        assert pixels.dtype == np.int32
        assert (steps == 1).all()
    width, west, height, north = transform.a, transform.c, transform.e, transform.f
    cells = [
        box(west + width * c, north + height * r, west + width * (c + 1), north + height * (r + 1))
        for r, c in {divmod(int(i), shape[1]) for pixels in found for i in pixels}
    ]
    assert all(cell.distance(line) < 1e-9 for cell in cells)
    for x, y in line.coords:
        if 0 <= (x - west) / width < shape[1] and 0 <= (y - north) / height < shape[0]:
            assert min((cell.distance(Point(x, y)) for cell in cells), default=9.0) < 1e-9


# Real data


def test_denpasar_drains_along_its_mapped_rivers(shared_data: Callable[[str], Path]) -> None:
    with rasterio.open(shared_data("denpasar/dem_denpasar.tif")) as file:
        z, transform = file.read(1).astype(np.float64), file.transform
    lines = gpd.read_file(shared_data("denpasar/rivers.geojson")).geometry.explode()
    paths = [pixels for line in lines for pixels in line_pixels(line, transform, z.shape)]
    assert len(paths) >= 148  # rivers that touch the elevation
    done = burn(z, paths, [], [], BurnParameters(burn_waterways=True, waterway_depth_m=0.0))
    rivers = np.zeros(z.shape, bool)
    for pixels in paths:
        rivers.flat[pixels] = True
        fall = np.diff(done.elevation.flat[pixels])
        assert (fall <= 0).all() or (fall >= 0).all()
    assert done.changed.any()
    assert not (done.changed & ~rivers).any()
    before, after = (fill_depressions(surface) - surface for surface in (z, done.elevation))
    assert (after[rivers] > 0).sum() < (before[rivers] > 0).sum() / 2  # rivers no longer stand behind false dams


FLAT = np.zeros((3, 4))
REFUSED: dict[str, Callable[[], object]] = {
    "2-D int16": lambda: burn(FLAT.astype(np.int16), [], [], [], ALL),
    "depth -1": lambda: burn(FLAT, [], [], [], BurnParameters(waterway_depth_m=-1.0)),
    "depth nan": lambda: burn(FLAT, [], [], [], BurnParameters(waterway_depth_m=NAN)),
    "path 1 is 1-D int64": lambda: burn(FLAT, [path(0), np.array([1])], [], [], ALL),
    "path 0 is 2-D": lambda: burn(FLAT, [], [], [path(0, 1)[None]], ALL),
    "path 0 leaves the raster": lambda: burn(FLAT, [], [path(11, 12)], [], ALL),
    "path 0 jumps over pixels": lambda: burn(FLAT, [path(3, 4)], [], [], ALL),
    "Point with transform": lambda: line_pixels(Point(0, 0), UNIT, (3, 4)),
    "LineString with transform": lambda: line_pixels(LineString([(0, 0), (1, 1)]), Affine(0, 0, 0, 0, 1, 0), (3, 4)),
    "not finite": lambda: line_pixels(LineString([(0, 0), (np.inf, 1)]), UNIT, (3, 4)),
}


@pytest.mark.parametrize("problem", REFUSED)
def test_wrong_arrays_are_refused_with_one_line(problem: str) -> None:
    with pytest.raises(ContractError, match=problem) as refused:
        REFUSED[problem]()
    assert "\n" not in str(refused.value)
