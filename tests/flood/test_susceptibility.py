"""The susceptibility index: each membership by hand, parts that add up, and nothing that falls as it should rise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from spatial.flood.susceptibility import SusceptibilityParameters, disk, highest_within, memberships, score_parts
from spatial.flood.terrain import Terrain

Array = NDArray[np.float64]
# Round figures: the stream counts from 1/10 to 10 times its height, TWI from 10 to 20, a hollow of 2 m is full.
ROUND = SusceptibilityParameters(10.0, 10.0, 20.0, 30.0, 2.0, 2.0, 1.0, 1.0, 0.3)
WEIGHTS = {"stream": 0.5, "wetness": 0.25, "depression": 0.25}


def fields(low: float, high: float) -> st.SearchStrategy[Array]:
    return arrays(np.float64, (5, 6), elements=st.floats(low, high, width=32))


def ground(twi: Array, depth: Array | float = 0.0, sea: NDArray[np.bool_] | None = None) -> Terrain:
    """A terrain that knows only what the index reads; outside where the TWI is NaN."""
    z = np.where(np.isnan(twi), np.nan, 5.0)
    nothing = np.zeros(z.shape, dtype=np.int32)
    no = np.zeros(z.shape, dtype=bool)
    return Terrain(
        z,
        z + depth,
        no if sea is None else sea,
        no,
        no,
        nothing,
        nothing.ravel(),
        nothing,
        z,
        twi,
        z,
        pixel_size_m=30.0,
    )


def index(twi: Array, gfi: Array, depth: Array | float, error_m: float = 0.0, reach_m: float = 0.0) -> dict[str, Array]:
    return memberships(ground(twi, depth), gfi, 30.0, error_m, replace(ROUND, channel_reach_m=reach_m))


def test_the_stream_by_hand() -> None:
    # ln(h / H): a tenth, level with the stream's water, √10 times, ten times, beyond.
    gfi = np.log(np.array([[0.05, 0.1, 1.0, 10**0.5, 10.0, 50.0]]))
    found = index(np.zeros((1, 6)), gfi, 0.0)
    assert found["stream"][0] == pytest.approx(0.5 * np.array([0.0, 0.0, 0.5, 0.75, 1.0, 1.0]))


def test_the_wetness_by_hand() -> None:
    found = index(np.array([[2.0, 10.0, 13.0, 20.0, 25.0]]), np.full((1, 5), -9.0), 0.0)
    assert found["wetness"][0] == pytest.approx(0.25 * np.array([0.0, 0.0, 0.3, 1.0, 1.0]))


def test_the_depression_by_hand_and_the_error_takes_off_its_depth() -> None:
    depth = np.array([[0.0, 0.5, 1.0, 2.0, 9.0]])
    nothing = np.zeros((1, 5))
    assert index(nothing, nothing, depth)["depression"][0] == pytest.approx(0.25 * np.array([0, 0.25, 0.5, 1, 1]))
    sure = index(nothing, nothing, depth, error_m=0.5)["depression"][0]
    assert sure == pytest.approx(0.25 * np.array([0, 0, 0.25, 0.75, 1]))


def test_the_highest_twi_within_reach_counts() -> None:
    twi = np.full((7, 7), 10.0)
    twi[3, 3] = 20.0
    near = index(twi, np.zeros((7, 7)), 0.0, reach_m=65.0)["wetness"] > 0  # 2.17 pixels of 30 m
    rows, columns = np.indices((7, 7)) - 3
    assert np.array_equal(near, rows**2 + columns**2 <= 2.17**2)
    assert near.sum() == 13


def test_a_channel_in_the_sea_or_outside_reaches_nobody() -> None:
    twi, sea = np.full((1, 5), 10.0), np.zeros((1, 5), dtype=bool)
    twi[0, 4], twi[0, 1], sea[0, 4] = 20.0, np.nan, True
    found = memberships(ground(twi, 0.0, sea), np.zeros((1, 5)), 30.0, 0.0, ROUND)
    assert found["wetness"][0] == pytest.approx([0, np.nan, 0, 0, np.nan], nan_ok=True)
    for part in found.values():
        assert np.isnan(part[0, [1, 4]]).all()
        assert np.isfinite(part[0, [0, 2, 3]]).all()


def test_a_pixel_without_a_gfi_has_no_stream_part() -> None:
    found = index(np.full((1, 2), 15.0), np.array([[np.nan, 0.0]]), 1.0)
    assert math.isnan(found["stream"][0, 0])
    assert found["stream"][0, 1] == pytest.approx(0.25)
    assert found["wetness"][0] == pytest.approx([0.125, 0.125])


def test_a_disk_is_round() -> None:
    assert disk(0.0).tolist() == [[True]]
    assert disk(1.0).tolist() == [[False, True, False], [True, True, True], [False, True, False]]
    assert disk(1.5).all()
    assert disk(1.5).shape == (3, 3)


@given(fields(-30, 30), st.floats(0.0, 9.0))
def test_the_highest_within_is_that_of_a_round_footprint(values: Array, radius: float) -> None:
    """The oracle: scipy's own filter with the whole disk."""
    expected = maximum_filter(values, footprint=disk(radius), mode="nearest")
    assert np.array_equal(highest_within(values, radius), expected)


def test_the_score_by_hand() -> None:
    parts = {"stream": np.array([0.4, np.nan]), "wetness": np.array([0.2, np.nan])}
    both = score_parts(parts, np.array([1.0, 1.0]), ROUND)
    assert both["stream"][0] == pytest.approx(0.28)
    assert both["wetness"][0] == pytest.approx(0.14)
    assert both["evidence"] == pytest.approx([0.3, 0.3])
    assert np.isnan(np.sum(list(both.values()), axis=0)[1])
    assert score_parts(None, np.array([0.6]), ROUND)["evidence"] == pytest.approx([0.6])
    assert score_parts(parts, None, ROUND)["stream"][0] == pytest.approx(0.4)
    assert score_parts(None, None, ROUND) == {}


heights = st.floats(0.0, 3.0)


@given(fields(-5, 5), fields(0, 30), fields(0, 4), heights, st.floats(0.0, 100.0))
def test_parts_are_shares_of_their_weights_and_sum_within_one(
    gfi: Array, twi: Array, depth: Array, error_m: float, reach_m: float
) -> None:
    found = index(twi, gfi, depth, error_m, reach_m)
    assert set(found) == set(WEIGHTS)
    for name, part in found.items():
        assert ((part >= 0) & (part <= WEIGHTS[name])).all(), name
    total = np.sum(list(found.values()), axis=0)
    assert (total <= 1 + 1e-12).all()
    heavier = memberships(
        ground(twi, depth), gfi, 30.0, error_m, replace(ROUND, channel_reach_m=reach_m, weight_stream=4.0)
    )
    assert heavier["stream"] == pytest.approx(found["stream"] * (4 / 6) / 0.5)


@given(fields(-5, 5), fields(0, 30), fields(0, 4), fields(0, 3), heights)
def test_more_of_what_floods_never_lowers_the_index(
    gfi: Array, twi: Array, depth: Array, more: Array, error_m: float
) -> None:
    before = np.sum(list(index(twi, gfi, depth, error_m, 45.0).values()), axis=0)
    for rising in (
        index(twi, gfi + more, depth, error_m, 45.0),
        index(twi + more, gfi, depth, error_m, 45.0),
        index(twi, gfi, depth + more, error_m, 45.0),
        index(twi, gfi, depth, error_m, 90.0),
    ):
        assert (np.sum(list(rising.values()), axis=0) >= before - 1e-12).all()
    surer = index(twi, gfi, depth, error_m + 1.0, 45.0)
    assert (np.sum(list(surer.values()), axis=0) <= before + 1e-12).all()
