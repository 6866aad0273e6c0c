"""The geomorphic flood index: a slope worked out by hand, the walk down the flow by brute force, ranks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.gfi import GfiParameters, disagreement, first_stream_gfi, flow_path_gfi, water_height_m
from spatial.flood.terrain import Terrain, TerrainParameters, analyse

Array = NDArray[np.float64]
# A pixel of 1 km²; h_r of n pixels upstream, itself counted, is 0.5 · √n m.
TINY = GfiParameters(coefficient_m=0.0005, exponent=0.5, least_height_m=1.0, sea_height_m=2.0, stream_threshold_km2=3.0)


def ground(z: Array) -> tuple[Terrain, Array]:
    terrain = analyse(z, 1000.0, TerrainParameters(stream_threshold_km2=3.0, sea_level_m=-9.0))
    return terrain, np.where(terrain.sea, -9.0, terrain.filled)


def test_a_gutter_by_hand() -> None:
    # One row falls to the east: 10, 6, 5, 3 m; they drain 1, 2, 3, 4 km², so h_r is 0.5, 0.5√2, 0.5√3 and 1 m.
    terrain, surface = ground(np.array([[10.0, 6.0, 5.0, 3.0]]))
    assert water_height_m(terrain, TINY)[0] == pytest.approx([0.5, 0.5 * 2**0.5, 0.5 * 3**0.5, 1.0])
    # The first stream of 3 km² is the third pixel: 5 m and 1 m above it, then 0 m, floored to 1 m.
    first = first_stream_gfi(terrain, surface, TINY)[0]
    assert first == pytest.approx([math.log(0.5 * 3**0.5 / 5), math.log(0.5 * 3**0.5), math.log(0.5 * 3**0.5), 0.0])
    # Each pixel's own water over 1 m against: 0.177, 0.173, 0.143 (10 m pixel); 0.866 beats 0.707, 0.333 (6 m pixel).
    best = flow_path_gfi(terrain, surface, TINY)[0]
    assert best == pytest.approx([math.log(0.5), math.log(0.5 * 3**0.5), math.log(0.5 * 3**0.5), 0.0])


def test_the_sea_counts_as_a_stream_of_its_own_height() -> None:
    z = np.array([[-9.0, -8.0, -5.0]])
    terrain = analyse(z, 1000.0, TerrainParameters(sea_level_m=-9.0, sea_min_area_km2=1.0))
    surface = np.where(terrain.sea, -9.0, terrain.filled)
    assert terrain.sea.tolist() == [[True, False, False]]
    first = first_stream_gfi(terrain, surface, replace(TINY, stream_threshold_km2=99.0))[0]
    assert math.isnan(first[0])
    assert first[1:] == pytest.approx([math.log(2.0 / 1.0), math.log(2.0 / 4.0)])


def test_where_the_flow_meets_no_stream_the_twin_is_unknown() -> None:
    terrain, surface = ground(np.array([[3.0, 2.0]]))
    assert np.isnan(first_stream_gfi(terrain, surface, TINY)).all()
    assert np.isfinite(flow_path_gfi(terrain, surface, TINY)).all()


HEIGHTS = st.sampled_from([float("nan"), -9.0, 0.0, 0.5, 1.0, 2.5, 4.0, 9.0, 30.0])


@given(arrays(np.float64, st.tuples(st.integers(2, 7), st.integers(2, 7)), elements=HEIGHTS), st.floats(0.5, 9.0))
def test_the_walk_down_the_flow_is_the_brute_force_and_never_below_the_twin(z: Array, threshold: float) -> None:
    if np.isnan(z).all():
        return
    terrain, surface = ground(z)
    best = flow_path_gfi(terrain, surface, TINY)
    height = water_height_m(terrain, TINY).ravel()
    for i in np.flatnonzero(np.isfinite(z) & ~terrain.sea):
        ratios, here = [], i
        while here >= 0:
            ratios.append(height[here] / max(surface.flat[i] - surface.flat[here], 1.0))
            here = terrain.downstream.flat[here]
        assert best.flat[i] == pytest.approx(math.log(max(ratios)))
    twin = first_stream_gfi(terrain, surface, replace(TINY, stream_threshold_km2=threshold))
    known = np.isfinite(twin)
    assert (best[known] >= twin[known] - 1e-12).all()


@pytest.mark.parametrize("name", ["coefficient_m", "exponent", "least_height_m", "sea_height_m"])
def test_impossible_parameters_are_refused(name: str) -> None:
    terrain, surface = ground(np.array([[3.0, 2.0]]))
    with pytest.raises(ContractError, match="above 0"):
        flow_path_gfi(terrain, surface, replace(TINY, **{name: 0.0}))


VALUES = arrays(np.float64, 12, elements=st.one_of(st.just(float("nan")), st.integers(-5, 5).map(float)))


@given(VALUES, VALUES)
def test_disagreement_is_a_difference_of_ranks(ours: Array, twin: Array) -> None:
    found = disagreement(ours, twin)
    assert np.array_equal(np.isnan(found), np.isnan(ours) | np.isnan(twin))
    assert np.nansum(found) == pytest.approx(0.0, abs=1e-9)
    assert (np.abs(found[np.isfinite(found)]) <= 1.0).all()
    assert np.array_equal(found, -disagreement(twin, ours), equal_nan=True)
    assert np.array_equal(found, disagreement(np.exp(ours), 3.0 * twin), equal_nan=True)


def test_disagreement_by_hand() -> None:
    # Ranks of three places: 1, 2, 3 by ours; 3, 1.5, 1.5 by the twin, of three.
    found = disagreement(np.array([0.1, 0.2, 0.3]), np.array([5.0, 1.0, 1.0]))
    assert found == pytest.approx([-2 / 3, 0.5 / 3, 1.5 / 3])
