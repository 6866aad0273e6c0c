"""Terrain: Esri's worked example, closed forms, hand cases, independent oracles on random rasters and on Denpasar."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyflwdir
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.terrain import (
    Flood,
    Terrain,
    TerrainParameters,
    analyse,
    drainage,
    edge_fed,
    fill_depressions,
    flow_accumulation,
    flow_direction,
    hand,
    rim,
    sea_mask,
    slope_deg,
    twi,
    upstream_area_km2,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
NAN = float("nan")

ESRI_ELEVATION = np.fromstring(
    "78 72 69 71 58 49  74 67 56 49 46 50  69 53 44 37 38 48  64 58 55 22 31 24  68 61 47 21 16 19  74 53 34 12 11 12",
    sep=" ",
).reshape(6, 6)
ESRI_ACCUMULATION = np.fromstring(
    "0 0 0 0 0 0  0 1 1 2 2 0  0 3 7 5 4 0  0 0 0 20 0 1  0 0 0 1 24 0  0 2 4 7 35 1", sep=" "
).reshape(6, 6)

# Few levels make flats and nested hollows; quarters are exact in float32, so the oracle's sums are exact too.
LEVELS = st.sampled_from([NAN, 0.0, 0.25, 0.5, 1.0, 1.25, 2.0, 3.75, 7.0])
RASTERS = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=11), elements=LEVELS).filter(
    lambda z: bool(np.isfinite(z).any())
)


@st.composite
def rasters_with_sea(draw: st.DrawFn) -> tuple[NDArray[np.float32], Mask]:
    z = draw(RASTERS)
    return z, draw(arrays(np.bool_, z.shape)) & np.isfinite(z)


def neighbours(r: int, c: int, shape: tuple[int, int]) -> list[tuple[int, int]]:
    box = [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    return [(i, j) for i, j in box if 0 <= i < shape[0] and 0 <= j < shape[1]]


def relaxed(z: Array, seeds: Mask) -> Array:
    """Fill by relaxation (Planchon & Darboux 2001): an independent, slow oracle."""
    known = np.isfinite(z)
    water = np.where(seeds, z, np.where(known, np.inf, np.nan))
    while True:
        before = water.copy()
        for r, c in np.argwhere(known & ~seeds):
            lowest = min((water[n] for n in neighbours(r, c, z.shape) if known[n]), default=np.inf)
            water[r, c] = min(water[r, c], max(z[r, c], lowest))
        if np.array_equal(before, water, equal_nan=True):
            return water


def path(downstream: NDArray[np.int32], start: int) -> list[int]:
    """Follow the flow from a pixel to its end, both included."""
    steps = [start]
    while (following := int(downstream.flat[steps[-1]])) >= 0:
        steps.append(following)
        assert len(steps) <= downstream.size, "the flow runs in a circle"
    return steps


def paths(downstream: NDArray[np.int32], known: Mask) -> list[list[int]]:
    return [path(downstream, int(i)) for i in np.flatnonzero(known)]


def flowing(z: NDArray[np.floating], sea: Mask | None = None) -> tuple[Flood, NDArray[np.int32]]:
    flood = fill_depressions(z, sea)
    return flood, flow_direction(flood, sea)


# Worked example and closed forms


def test_esri_worked_example_is_exact() -> None:
    flood, downstream = flowing(ESRI_ELEVATION)
    assert np.array_equal(flow_accumulation(downstream, flood.order), ESRI_ACCUMULATION)
    assert np.array_equal(flood.filled, ESRI_ELEVATION)
    assert np.flatnonzero(downstream == -1).tolist() == [34]


def test_a_bowl_holds_water_to_its_lowest_rim() -> None:
    """x² + y² on a square of half side 6: the rim is lowest at the middle of a side, at 36."""
    x = np.arange(-6.0, 7.0)
    squared = x**2 + x[:, None] ** 2
    terrain = analyse(squared + 100.0, 10.0, TerrainParameters())
    assert np.array_equal(terrain.depression_depth, np.maximum(0.0, 36.0 - squared))


def test_nested_hollows_spill_at_the_notch() -> None:
    z = np.full((7, 9), 10.0)
    z[2:5, 2:7] = 8.0
    z[3, 3], z[3, 5] = 2.0, 5.0
    z[3, 7], z[3, 8] = 9.0, 1.0  # the notch, and the way out behind it
    expected = z.copy()
    expected[2:5, 2:7] = 9.0
    assert np.array_equal(fill_depressions(z).filled, expected)


def test_a_flat_drains_to_its_nearest_exit() -> None:
    """Two exits at the ends of a walled flat: each path is as long as the way to the nearer exit, in king's moves."""
    z = np.full((9, 21), 9.0)
    z[1:8, 1:20] = 5.0
    z[4, 0] = z[4, 20] = 4.0
    z[5, 9] = 1.0  # a hollow in the flat is filled and crossed like it
    _, downstream = flowing(z)
    for r in range(1, 8):
        for c in range(1, 20):
            nearest = min(max(abs(r - 4), c), max(abs(r - 4), 20 - c))
            assert len(path(downstream, r * 21 + c)) - 1 == nearest


@pytest.mark.parametrize("threshold_rows", [1, 4])
def test_hand_in_a_valley_in_closed_form(threshold_rows: int) -> None:
    """A V-shaped valley: 2 m per pixel to the sides, 1/64 m along the channel. Slopes drain straight to the channel.

    The channel is drainage where `threshold_rows` rows drain to it; above that head HAND is measured from the head.
    """
    rows, columns, middle = 12, 15, 7
    aside = np.abs(np.arange(columns) - middle)
    z = np.arange(rows)[:, None] / 64.0 + 2.0 * aside
    flood, downstream = flowing(z)
    area_km2 = upstream_area_km2(flow_accumulation(downstream, flood.order), np.isfinite(z), 1000.0)
    channel = drainage(area_km2, float(threshold_rows * columns), np.zeros(z.shape, bool))
    head = rows - threshold_rows
    assert np.flatnonzero(channel).tolist() == [r * columns + middle for r in range(head + 1)]
    expected = 2.0 * aside + np.maximum(0, np.arange(rows) - head)[:, None] / 64.0
    assert np.array_equal(hand(flood.filled, downstream, flood.order, channel), expected)


def test_hand_is_unknown_where_the_elevation_was_cut_before_the_stream() -> None:
    terrain = analyse(ESRI_ELEVATION, 30.0, TerrainParameters(stream_threshold_km2=1.0))
    assert np.isnan(terrain.hand).all()
    assert not terrain.drainage.any()


def test_slope_of_a_plane_is_exact_and_halves_across_the_rim() -> None:
    x, y = np.meshgrid(np.arange(8) * 30.0, np.arange(6) * 30.0)
    slope = slope_deg(0.3 * x - 0.4 * y, 30.0)
    assert slope[1:-1, 1:-1] == pytest.approx(np.degrees(np.arctan(0.5)), rel=1e-12)
    assert slope_deg(0.3 * x, 30.0)[1:-1, 0] == pytest.approx(np.degrees(np.arctan(0.15)), rel=1e-12)
    assert (slope_deg(np.full((3, 3), 7.0), 30.0) == 0.0).all()


def test_slope_beside_an_unknown_pixel_by_hand() -> None:
    """Rising 1 m per 1 m to the east; the eastern neighbour is unknown and counts as level: (1 + 0 + 1 + 4) / 8."""
    z = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, NAN], [0.0, 1.0, 2.0]])
    slope = slope_deg(z, 1.0)
    assert slope[1, 1] == pytest.approx(np.degrees(np.arctan(0.75)))
    assert np.isnan(slope[1, 2])


def test_twi_of_a_plane_in_closed_form_and_its_floor() -> None:
    """A plane that falls 1 in 5 to the east: k + 1 pixels drain through column k, a = (k + 1) · 20 m."""
    z = np.tile(-0.2 * 20.0 * np.arange(10) + 100.0, (5, 1))
    terrain = analyse(z, 20.0, TerrainParameters())
    expected = np.log((np.arange(10) + 1) * 20.0 / 0.2)
    assert terrain.twi[1:-1, 1:-1] == pytest.approx(np.tile(expected[1:-1], (3, 1)), rel=1e-12)
    flat = twi(np.array([[0.04]]), np.array([[0.0]]), 200.0, 0.5)
    assert flat[0, 0] == pytest.approx(np.log(200.0 / np.tan(np.radians(0.5))))


# Sea, drainage, edge


def test_a_hollow_below_sea_level_is_not_sea() -> None:
    z = np.array(
        [
            [-1.0, -2.0, 3.0, 3.0, 3.0, 3.0],
            [-1.0, 0.0, 3.0, -5.0, -5.0, 3.0],
            [3.0, 3.0, -1.0, 3.0, 3.0, 3.0],
            [3.0, 3.0, 3.0, 3.0, 3.0, -1.0],
        ]
    )
    sea = sea_mask(z, 0.0, 5e-6, 1.0)  # pixels of 1 m²: four, a fifth at their corner, the hollow's two at its corner
    assert np.flatnonzero(sea).tolist() == [0, 1, 6, 7, 9, 10, 14]
    z[2, 2] = 3.0  # without the fifth the hollow is cut off
    assert np.flatnonzero(sea_mask(z, 0.0, 4e-6, 1.0)).tolist() == [0, 1, 6, 7]
    assert not sea_mask(z, 0.0, 5e-6, 1.0).any()
    assert np.flatnonzero(sea_mask(z, 0.0, 0.0, 1.0)).tolist() == [0, 1, 6, 7, 23]
    z[0, 4] = NAN  # the hollow now touches unknown ground: it may be a bay
    assert np.flatnonzero(sea_mask(z, 0.0, 2e-6, 1.0)).tolist() == [0, 1, 6, 7, 9, 10]


def test_hand_by_the_sea_is_above_sea_level_not_above_its_noise() -> None:
    z = np.array([[-8.0, 3.0, 6.0], [-1.0, 3.0, 6.5], [-29.0, 2.0, 7.0]])
    terrain = analyse(z, 1000.0, TerrainParameters(stream_threshold_km2=99.0))
    assert np.flatnonzero(terrain.sea).tolist() == [0, 3, 6]
    assert terrain.hand.tolist() == [[0.0, 3.0, 6.0], [0.0, 3.0, 6.5], [0.0, 2.0, 7.0]]
    assert (terrain.downstream[terrain.sea] == -1).all()
    assert (terrain.depression_depth == 0.0).all()


def test_the_sea_is_an_outlet_inside_the_raster() -> None:
    """An inlet reaches into walled land: what lies behind the rim's wall drains to it and is not filled to the wall."""
    z = np.full((7, 7), 9.0)
    z[1:6, 1:6] = 4.0
    z[3, :3] = -1.0
    terrain = analyse(z, 1000.0, TerrainParameters(sea_min_area_km2=3.0, stream_threshold_km2=99.0))
    assert (terrain.filled == z).all()
    assert (terrain.hand[1:6, 3:6] == 4.0).all()


def test_edge_fed_by_hand() -> None:
    """A ridge keeps the north out; the river of the south enters over the eastern edge and leaves to the west."""
    z = np.array(
        [
            [6.0, 8.0, 8.0, 8.0, 8.0, 8.0, 9.0],
            [9.0, 9.0, 9.5, 9.5, 9.5, 9.0, 9.0],
            [9.0, 8.0, 7.0, 7.5, 7.8, 8.0, 9.0],
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
            [9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0],
        ]
    )
    flood, downstream = flowing(z)
    fed = edge_fed(downstream, flood.order, np.isfinite(z))
    assert fed[rim(np.isfinite(z))].all()
    assert fed[3].all()
    assert not fed[2, 1:6].any()
    z[2, 3] = NAN  # what touches unknown ground counts as edge
    flood, downstream = flowing(z)
    fed = edge_fed(downstream, flood.order, np.isfinite(z))
    assert fed[2].tolist() == [True, False, True, False, True, False, True]


# Properties, against independent oracles


@settings(max_examples=200, deadline=None)
@given(RASTERS)
def test_fill_equals_pyflwdir(z: NDArray[np.float32]) -> None:
    expected, _ = pyflwdir.dem.fill_depressions(z, nodata=np.nan)
    assert np.array_equal(fill_depressions(z).filled, expected, equal_nan=True)


@settings(max_examples=100, deadline=None)
@given(rasters_with_sea())
def test_fill_with_a_sea_equals_relaxation(case: tuple[NDArray[np.float32], Mask]) -> None:
    z, sea = case
    flood = fill_depressions(z, sea)
    assert np.array_equal(flood.filled, relaxed(z.astype(float), rim(np.isfinite(z)) | sea), equal_nan=True)
    assert (flood.filled >= z)[np.isfinite(z)].all()
    assert sorted(flood.order.tolist()) == np.flatnonzero(np.isfinite(z)).tolist()


@settings(max_examples=100, deadline=None)
@given(rasters_with_sea())
def test_flow_is_steepest_descent_and_ends_at_an_outlet(case: tuple[NDArray[np.float32], Mask]) -> None:
    z, sea = case
    known = np.isfinite(z)
    flood, downstream = flowing(z, sea)
    filled, outlets = flood.filled, rim(known) | sea
    assert (downstream[~known | sea] == -1).all()
    for steps in paths(downstream, known):
        assert outlets.flat[steps[-1]]
        assert (np.diff(filled.ravel()[steps]) <= 0).all()
    for r, c in np.argwhere(known & ~sea):
        descent = {
            i * z.shape[1] + j: (filled[r, c] - filled[i, j]) / np.hypot(i - r, j - c)
            for i, j in neighbours(r, c, z.shape)
            if known[i, j]
        }
        steepest = max(descent.values(), default=0.0)
        if steepest > 0:
            assert descent[int(downstream[r, c])] == pytest.approx(steepest, rel=1e-12)
        else:
            assert outlets[r, c] or descent[int(downstream[r, c])] == 0.0


@settings(max_examples=100, deadline=None)
@given(rasters_with_sea(), st.integers(1, 20))
def test_accumulation_hand_and_edge_follow_the_paths(case: tuple[NDArray[np.float32], Mask], threshold: int) -> None:
    z, sea = case
    known = np.isfinite(z)
    flood, downstream = flowing(z, sea)
    walked = paths(downstream, known)
    through, fed = np.zeros(z.size, int), np.zeros(z.size, bool)
    for steps in walked:
        through[steps] += 1
        fed[steps] |= rim(known).flat[steps[0]]
    accumulation = flow_accumulation(downstream, flood.order)
    assert (accumulation + known).ravel().tolist() == through.tolist()
    assert (accumulation + 1)[known & (downstream == -1)].sum() == known.sum()
    assert edge_fed(downstream, flood.order, known).ravel().tolist() == fed.tolist()
    streams = drainage(upstream_area_km2(accumulation, known, 1000.0), float(threshold), sea)
    assert np.array_equal(streams, sea | (known & (through.reshape(z.shape) >= threshold)))
    heights = hand(flood.filled, downstream, flood.order, streams)
    for steps in walked:
        met = [i for i in steps if streams.flat[i]]
        expected = flood.filled.flat[steps[0]] - flood.filled.flat[met[0]] if met else NAN
        assert heights.flat[steps[0]] == pytest.approx(expected, abs=0, nan_ok=True)
    assert not (heights < 0).any()
    assert (heights[streams] == 0).all()


@settings(max_examples=50, deadline=None)
@given(RASTERS, st.sampled_from([0.0, 0.5, 2.0]))
def test_analysis_is_whole(z: NDArray[np.float32], sea_level_m: float) -> None:
    before, known = z.copy(), np.isfinite(z)
    terrain = analyse(z, 500.0, TerrainParameters(sea_level_m=sea_level_m, sea_min_area_km2=0.5))
    assert np.array_equal(z, before, equal_nan=True)
    for name in ("elevation", "filled", "depression_depth", "upstream_area_km2", "slope_deg", "twi"):
        assert np.array_equal(np.isfinite(getattr(terrain, name)), known), name
    for name in ("sea", "drainage", "edge_fed"):
        assert not getattr(terrain, name)[~known].any(), name
    assert not (terrain.hand < 0).any()
    assert (terrain.hand[terrain.drainage] == 0).all()
    assert (z[terrain.sea] <= sea_level_m).all()
    assert not terrain.accumulation[~known].any()


@pytest.fixture(scope="module")
def denpasar(shared_data: Callable[[str], Path]) -> tuple[NDArray[np.float32], Terrain]:
    """SRTM of Denpasar, about 30 m; read as square pixels of 30 m."""
    with rasterio.open(shared_data("denpasar/dem_denpasar.tif")) as file:
        z = file.read(1).astype(np.float32)
    return z, analyse(z, 30.0, TerrainParameters())


def test_denpasar_fill_equals_pyflwdir(denpasar: tuple[NDArray[np.float32], Terrain]) -> None:
    z = denpasar[0].copy()
    assert np.array_equal(fill_depressions(z).filled, pyflwdir.dem.fill_depressions(z)[0])
    z[200:260, 300:420] = NAN
    expected, _ = pyflwdir.dem.fill_depressions(z, nodata=np.nan)
    assert np.array_equal(fill_depressions(z).filled, expected, equal_nan=True)


def test_denpasar_is_drained(denpasar: tuple[NDArray[np.float32], Terrain]) -> None:
    z, terrain = denpasar
    flat = terrain.downstream.ravel()
    moving = np.flatnonzero(flat >= 0)
    assert (terrain.filled >= z).all()
    assert (terrain.filled.flat[flat[moving]] <= terrain.filled.flat[moving]).all()
    outlets = flat == -1
    assert (rim(np.isfinite(z)) | terrain.sea).ravel()[outlets].all()
    assert (terrain.accumulation.ravel()[outlets].astype(np.int64) + 1).sum() == z.size
    assert not (terrain.hand < 0).any()
    assert (terrain.hand[terrain.drainage] == 0).all()
    assert terrain.sea.any()
    assert (z[terrain.sea] <= 0).all()
    land = ~terrain.sea
    assert np.isfinite(terrain.hand[land]).mean() > 0.5


def _flow() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    flood, downstream = flowing(ESRI_ELEVATION)
    return downstream, flood.order


KNOWN = np.ones((6, 6), bool)
REFUSED: dict[str, Callable[[], object]] = {
    "3-D float64": lambda: analyse(np.zeros((1, 2, 3)), 30.0, TerrainParameters()),
    "2-D int16": lambda: fill_depressions(np.zeros((2, 3), np.int16)),
    "infinity": lambda: fill_depressions(np.array([[np.inf, 1.0]])),
    "no known pixel": lambda: slope_deg(np.full((2, 2), NAN), 30.0),
    "pixel size 0": lambda: analyse(ESRI_ELEVATION, 0.0, TerrainParameters()),
    "stream threshold -1": lambda: analyse(ESRI_ELEVATION, 30.0, TerrainParameters(stream_threshold_km2=-1.0)),
    "slope floor 0": lambda: analyse(ESRI_ELEVATION, 30.0, TerrainParameters(slope_floor_deg=0.0)),
    "sea level nan": lambda: analyse(ESRI_ELEVATION, 30.0, TerrainParameters(sea_level_m=NAN)),
    "least area -1": lambda: analyse(ESRI_ELEVATION, 30.0, TerrainParameters(sea_min_area_km2=-1.0)),
    "sea is bool of shape": lambda: fill_depressions(ESRI_ELEVATION, KNOWN[:2]),
    "drainage is int64": lambda: hand(ESRI_ELEVATION, *_flow(), KNOWN.astype(np.int64)),
    "not 2-D and 1-D int32": lambda: flow_accumulation(_flow()[0].ravel(), _flow()[1]),
    "order holds indices beyond": lambda: flow_accumulation(_flow()[0], _flow()[1] + np.int32(1)),
    "downstream holds indices beyond": lambda: edge_fed(_flow()[0] + np.int32(36), _flow()[1], KNOWN),
}


@pytest.mark.parametrize("problem", REFUSED)
def test_wrong_arrays_are_refused_with_one_line(problem: str) -> None:
    with pytest.raises(ContractError, match=problem) as refused:
        REFUSED[problem]()
    assert "\n" not in str(refused.value)
