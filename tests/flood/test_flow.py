"""Filling and D8 flow: Esri's worked example, closed forms, hand cases, slow oracles on random rasters."""

from __future__ import annotations

import numpy as np
import pyflwdir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.filling import fill_depressions
from spatial.flood.flow import edge_fed, flow_accumulation, flow_direction, flow_order, hand
from spatial.flood.rasters import rim
from spatial.flood.terrain import drainage, upstream_area_km2

from .rasters import (
    ESRI_ACCUMULATION,
    ESRI_ELEVATION,
    NAN,
    RASTERS,
    Mask,
    flowing,
    neighbours,
    outer,
    path,
    paths,
    rasters_with_sea,
    relaxed,
)


def test_esri_worked_example_is_exact() -> None:
    filled, downstream, order = flowing(ESRI_ELEVATION)
    assert np.array_equal(flow_accumulation(downstream, order), ESRI_ACCUMULATION)
    assert np.array_equal(filled, ESRI_ELEVATION)
    assert np.flatnonzero(downstream == -1).tolist() == [34]


def test_nested_hollows_spill_at_the_notch() -> None:
    z = np.full((7, 9), 10.0)
    z[2:5, 2:7] = 8.0
    z[3, 3], z[3, 5] = 2.0, 5.0
    z[3, 7], z[3, 8] = 9.0, 1.0  # the notch, and the way out behind it
    expected = z.copy()
    expected[2:5, 2:7] = 9.0
    assert np.array_equal(fill_depressions(z), expected)


def test_a_flat_drains_to_its_nearest_exit() -> None:
    """Two exits at the ends of a walled flat: each path is as long as the way to the nearer exit, in king's moves."""
    z = np.full((9, 21), 9.0)
    z[1:8, 1:20] = 5.0
    z[4, 0] = z[4, 20] = 4.0
    z[5, 9] = 1.0  # a hollow in the flat is filled and crossed like it
    _, downstream, _ = flowing(z)
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
    filled, downstream, order = flowing(z)
    area_km2 = upstream_area_km2(flow_accumulation(downstream, order), np.isfinite(z), 1000.0)
    channel = drainage(area_km2, float(threshold_rows * columns), np.zeros(z.shape, bool))
    head = rows - threshold_rows
    assert np.flatnonzero(channel).tolist() == [r * columns + middle for r in range(head + 1)]
    expected = 2.0 * aside + np.maximum(0, np.arange(rows) - head)[:, None] / 64.0
    assert np.array_equal(hand(filled, downstream, order, channel), expected)


@pytest.mark.parametrize(("aside_m", "along_m"), [(2.0, 0.25), (0.5, 0.5)])
def test_hand_on_a_tilted_plane_with_one_channel(aside_m: float, along_m: float) -> None:
    """The channel is the western column and runs north. Both routes to it are straight and known.

    A plane steep to the channel drains west, and HAND is `aside_m` a column. One tilted as much to the north drains
    north-west: each step also loses `along_m`, until the northern edge, which it follows.
    """
    row, column = np.indices((9, 14))
    z = (aside_m * column + along_m * row).astype(np.float32)
    filled, downstream, order = flowing(z)
    steps_north = np.minimum(row, column) if along_m == aside_m else 0
    assert np.array_equal(hand(filled, downstream, order, column == 0), aside_m * column + along_m * steps_north)


def test_hand_above_the_sea_ignores_the_heights_of_the_sea() -> None:
    """A plane that falls to a sea of noise in the west; its columns reach the sea at the same level."""
    rng = np.random.default_rng(5)
    z = np.tile(np.arange(12.0) * 3.0 - 5.0, (20, 1))
    z[:, :2] = rng.uniform(-40.0, 0.0, (20, 2))
    sea = z <= 0.0
    filled, downstream, order = flowing(z, sea)
    expected = np.where(sea, 0.0, z + 0.5)
    assert hand(filled, downstream, order, sea, sea, -0.5) == pytest.approx(expected, abs=1e-12)


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
    filled, downstream, order = flowing(z)
    fed = edge_fed(filled, downstream, order)
    assert fed[outer(z)].all()
    assert fed[3].all()
    assert not fed[2, 1:6].any()
    z[2, 3] = NAN  # what touches unknown ground counts as edge
    filled, downstream, order = flowing(z)
    fed = edge_fed(filled, downstream, order)
    assert fed[2].tolist() == [True, False, True, False, True, False, True]


@settings(max_examples=200, deadline=None)
@given(RASTERS)
def test_fill_equals_pyflwdir(z: NDArray[np.float32]) -> None:
    expected, _ = pyflwdir.dem.fill_depressions(z, nodata=np.nan)
    assert np.array_equal(fill_depressions(z), expected, equal_nan=True)


@settings(max_examples=100, deadline=None)
@given(rasters_with_sea())
def test_fill_with_a_sea_equals_relaxation(case: tuple[NDArray[np.float32], Mask]) -> None:
    z, sea = case
    filled = fill_depressions(z, sea)
    assert np.array_equal(filled, relaxed(z.astype(float), outer(z) | sea), equal_nan=True)
    assert (filled >= z)[np.isfinite(z)].all()


@settings(max_examples=100, deadline=None)
@given(rasters_with_sea())
def test_flow_is_steepest_descent_and_ends_at_an_outlet(case: tuple[NDArray[np.float32], Mask]) -> None:
    z, sea = case
    known = np.isfinite(z)
    filled, downstream, _ = flowing(z, sea)
    outlets = outer(z) | sea
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
    filled, downstream, order = flowing(z, sea)
    walked = paths(downstream, known)
    through, fed = np.zeros(z.size, int), np.zeros(z.size, bool)
    for steps in walked:
        through[steps] += 1
        fed[steps] |= outer(z).flat[steps[0]]
    accumulation = flow_accumulation(downstream, order)
    assert (accumulation + known).ravel().tolist() == through.tolist()
    assert (accumulation + 1)[known & (downstream == -1)].sum() == known.sum()
    assert edge_fed(filled, downstream, order).ravel().tolist() == fed.tolist()
    streams = drainage(upstream_area_km2(accumulation, known, 1000.0), float(threshold), sea)
    assert np.array_equal(streams, sea | (known & (through.reshape(z.shape) >= threshold)))
    heights = hand(filled, downstream, order, streams, sea, -1.5)
    for steps in walked:
        met = [i for i in steps if streams.flat[i]]
        below = NAN if not met else -1.5 if sea.flat[met[0]] else filled.flat[met[0]]
        expected = 0.0 if streams.flat[steps[0]] else filled.flat[steps[0]] - below
        assert heights.flat[steps[0]] == pytest.approx(expected, abs=0, nan_ok=True)
    assert not (heights < 0).any()
    assert (heights[streams] == 0).all()


@settings(max_examples=100, deadline=None)
@given(rasters_with_sea())
def test_order_goes_upstream_and_holds_each_catchment_in_one_piece(case: tuple[NDArray[np.float32], Mask]) -> None:
    z, sea = case
    known = np.isfinite(z)
    _, downstream, order = flowing(z, sea)
    assert sorted(order.tolist()) == np.flatnonzero(known).tolist()
    accumulation = flow_accumulation(downstream, order)
    upstream: dict[int, set[int]] = {int(i): set() for i in order}
    for steps in paths(downstream, known):
        for pixel in steps:
            upstream[pixel].add(steps[0])
    for k, pixel in enumerate(order.tolist()):
        assert set(order[k : k + 1 + accumulation.flat[pixel]].tolist()) == upstream[pixel]


@settings(max_examples=50, deadline=None)
@given(RASTERS)
def test_rim_equals_erosion(z: NDArray[np.float32]) -> None:
    assert np.array_equal(rim(z), outer(z))


def test_a_surface_with_a_depression_is_refused() -> None:
    z = np.full((5, 5), 3.0)
    z[2, 2] = 1.0
    with pytest.raises(ContractError, match="filled holds a depression"):
        flow_direction(z)
    assert flow_order(z, flow_direction(fill_depressions(z))).size == 25
