"""One storm and one tide: a coast worked out by hand, water that adds up, and what never falls as rain or tide rise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.scenario import ScenarioParameters, Water, flood_scenario

Array = NDArray[np.float64]
SIDE_M = 10.0  # a pixel of 100 m²: 10 mm of rain on it are 1 m³
ALL = ScenarioParameters()


def scenario(
    z: Array, sea: NDArray[np.bool_], rain_mm: float, level_m: float | None, cut: Array | None = None
) -> Water:
    return flood_scenario(z, z if cut is None else cut, sea, SIDE_M, rain_mm, level_m, ALL)


@pytest.fixture
def coast() -> tuple[Array, NDArray[np.bool_]]:
    """A row between walls of 9 m: sea, shore at 0.4 m, bank of 3 m, hollow at 0.2 m, bank of 5 m, hollow at 1 m.

    By steepest descent (a diagonal divides by √2) the walls of columns 0 and 1 drain to sea and shore, those of 2 to 5
    to the first hollow, those of 6 to 8 to the second. With both banks, and the wall that closes the row on the right,
    12 pixels drain to the first hollow and 9 to the second.
    """
    z = np.full((3, 9), 9.0)
    z[1, :8] = [-1.0, 0.4, 3.0, 0.2, 0.2, 5.0, 1.0, 1.0]
    sea = np.zeros(z.shape, dtype=bool)
    sea[1, 0] = True
    return z, sea


def balanced(water: Water) -> None:
    assert water.ponding.rain_m3 == pytest.approx(water.ponding.stored_m3 + water.ponding.left_m3, rel=1e-9)


def test_a_coast_and_two_hollows_by_hand(coast: tuple[Array, NDArray[np.bool_]]) -> None:
    z, sea = coast
    water = scenario(z, sea, 10.0, 0.9)
    # The tide of 0.9 m takes the shore, 0.5 m deep; the hollow at 0.2 m lies lower behind a bank and gets none.
    assert water.depth_m[1, 1] == pytest.approx(0.5)
    assert np.flatnonzero(water.tide).tolist() == [10]
    assert np.isnan(water.depth_m[1, 0])
    # 1 m³ from each pixel, on hollows of 200 m².
    assert water.depth_m[1, 3:5] == pytest.approx(12 / 200)
    assert water.depth_m[1, 6:8] == pytest.approx(9 / 200)
    assert water.depth_m[1, [2, 5]] == pytest.approx(0.0)
    assert (water.depth_m[[0, 2]] == 0).all()
    # 27 pixels without sea and shore; four of the walls drain to those.
    assert water.ponding.rain_m3 == pytest.approx(25)
    assert (water.ponding.stored_m3, water.ponding.left_m3) == pytest.approx((21, 4))
    balanced(water)


def test_rain_alone_and_tide_alone(coast: tuple[Array, NDArray[np.bool_]]) -> None:
    z, sea = coast
    dry = scenario(z, sea, 0.0, None)
    assert np.nansum(dry.depth_m) == 0.0
    assert not dry.tide.any()
    tide = flood_scenario(z, z, sea, SIDE_M, 100.0, 0.9, replace(ALL, runoff_share=0.0))
    assert np.array_equal(np.nan_to_num(tide.depth_m) > 0, tide.tide)
    assert tide.ponding.rain_m3 == 0.0
    half = flood_scenario(z, z, sea, SIDE_M, 20.0, None, replace(ALL, runoff_share=0.5))
    assert np.array_equal(half.depth_m, scenario(z, sea, 10.0, None).depth_m, equal_nan=True)


def test_a_high_tide_takes_the_hollow_over_its_bank(coast: tuple[Array, NDArray[np.bool_]]) -> None:
    z, sea = coast
    assert scenario(z, sea, 0.0, 3.0).depth_m[1, 3] == 0.0  # only just touches the bank
    over = scenario(z, sea, 0.0, 3.5)
    assert over.depth_m[1, 1:6] == pytest.approx([3.1, 0.5, 3.3, 3.3, 0.0])
    # What rains on ground under the tide is the sea's, and so is what runs there: nothing of it is stored.
    wet = scenario(z, sea, 10.0, 3.5)
    assert wet.ponding.stored_m3 == pytest.approx(9.0)
    balanced(wet)


def test_water_in_a_trench_stands_below_the_ground(coast: tuple[Array, NDArray[np.bool_]]) -> None:
    """A culvert under the bank of 5 m: the hollow above drains through it, and the bank's top stays dry."""
    z, sea = coast
    cut = z.copy()
    cut[1, 5] = 1.0
    water = scenario(z, sea, 30.0, None, cut)
    assert scenario(z, sea, 30.0, None).depth_m[1, 6] == pytest.approx(27 / 200)
    assert water.depth_m[1, 6:8] == pytest.approx(0.0)
    assert water.depth_m[1, 3] == pytest.approx(63 / 200)
    balanced(water)
    flooded = scenario(z, sea, 1500.0, None, cut)  # 3150 m³ for 1160: one pond up to the bank of 3 m
    assert flooded.depth_m[1, 6] == pytest.approx(2.0)
    assert flooded.ponding.depth_m[1, 5] == pytest.approx(2.0)
    assert flooded.depth_m[1, 5] == 0.0


def test_what_cannot_be_is_refused(coast: tuple[Array, NDArray[np.bool_]]) -> None:
    z, sea = coast
    with pytest.raises(ContractError, match="needs the sea"):
        scenario(z, np.zeros_like(sea), 10.0, 1.0)
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(ContractError, match="runoff share"):
            flood_scenario(z, z, sea, SIDE_M, 10.0, None, replace(ALL, runoff_share=share))
    with pytest.raises(ContractError, match="rain"):
        scenario(z, sea, -1.0, None)
    with pytest.raises(ContractError, match="not finite"):
        scenario(z, sea, 1.0, float("inf"))


grounds = arrays(np.float64, (7, 8), elements=st.integers(-3, 12).map(lambda n: n / 4))


def shore(z: Array) -> NDArray[np.bool_]:
    sea = np.zeros(z.shape, dtype=bool)
    sea[:, 0] = True
    return sea


@given(grounds, st.floats(0.0, 400.0), st.floats(0.0, 400.0), st.sampled_from([None, -0.5, 0.3, 1.0]))
def test_more_rain_is_never_less_water(z: Array, rain_mm: float, more_mm: float, level_m: float | None) -> None:
    less, more = (scenario(z, shore(z), rain, level_m) for rain in (rain_mm, rain_mm + more_mm))
    assert (more.depth_m >= less.depth_m - 1e-9)[~shore(z)].all()
    assert np.isnan(more.depth_m[shore(z)]).all()
    balanced(less)
    balanced(more)


@given(grounds, st.floats(-1.0, 3.0), st.floats(0.0, 2.0))
def test_a_higher_tide_is_never_less_water_without_rain(z: Array, level_m: float, rise_m: float) -> None:
    low, high = (scenario(z, shore(z), 0.0, level) for level in (level_m, level_m + rise_m))
    land = ~shore(z)
    assert (high.depth_m >= low.depth_m - 1e-9)[land].all()
    assert (high.tide | ~low.tide).all()
    assert np.array_equal(low.tide[land], low.depth_m[land] > 0)
