"""p of lighting zones: its pieces by hand, blocks that do not see what is permuted, chance cities, planted panels."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from spatial.errors import ContractError
from spatial.lighting.significance import (
    SignificanceParameters,
    blocks,
    lighting_zone_p_values,
)

QUICK = SignificanceParameters(replicates=99)
Cells = np.ndarray


def test_by_hand_blocks_are_halved_along_their_longer_side() -> None:
    """Eight lamps in a row: halved at 4 | 4 for its 4 dark; the left half has 3 of them and is halved again."""
    row, one = np.column_stack([np.arange(8.0), np.zeros(8)]), np.zeros(8, np.int64)
    dark = np.array([1, 1, 1, 0, 0, 0, 0, 1])

    def parts(label: Cells) -> set[frozenset[int]]:
        return {frozenset(np.flatnonzero(label == i).tolist()) for i in np.unique(label)}

    three = {frozenset({0, 1}), frozenset({2, 3}), frozenset({4, 5, 6, 7})}
    assert parts(blocks(row, dark, one, 2, 1)) == three
    assert parts(blocks(row[:, ::-1].copy(), dark, one, 2, 1)) == three
    assert (blocks(row, dark, one, 5, 1) == 0).all()
    assert (blocks(row, dark, one, 2, 3) == 0).all()
    odd = np.arange(8) % 2
    assert parts(blocks(row, dark, odd, 5, 1)) == {frozenset({0, 2, 4, 6}), frozenset({1, 3, 5, 7})}


@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(1, 5), st.integers(1, 4))
@settings(deadline=None)
def test_dark_lamps_that_change_places_within_blocks_leave_the_blocks_as_they_are(
    seed: int, min_points: int, min_cases: int, districts: int
) -> None:
    """What makes the permutation exact: the blocks do not know which lamps of a block are dark."""
    rng = np.random.default_rng(seed)
    points, dark = rng.uniform(0, 100, (60, 2)), (rng.random(60) < rng.uniform(0.1, 0.6, 60)).astype(np.int64)
    district = rng.integers(0, districts, 60)
    label = blocks(points, dark, district, min_points, min_cases)
    moved = dark.copy()
    for number in np.unique(label):
        moved[label == number] = rng.permutation(dark[label == number])
        assert len(np.unique(district[label == number])) == 1
    assert (blocks(points, moved, district, min_points, min_cases) == label).all()


@pytest.fixture(scope="module")
def false_alarms() -> ModuleType:
    """The benchmark, of which this is a short version."""
    path = Path(__file__).parents[2] / "benchmarks/false_alarms.py"
    spec = importlib.util.spec_from_file_location("false_alarms", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["false_alarms"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "kind", ["even", "districts of 1 km, known", "districts of 1 km, 2 other reports a lamp", "bursts"]
)
def test_chance_is_called_no_more_often_than_said(false_alarms: ModuleType, kind: str) -> None:
    least = [false_alarms.lighting_p(false_alarms.KINDS[kind], s, 99, 1800.0).min(initial=1.0) for s in range(40)]
    for alpha in (0.05, 0.2):
        assert (np.array(least) <= alpha).sum() <= binom.ppf(0.9995, len(least), alpha)


def panel_city() -> tuple[Cells, Cells, Cells]:
    """Return dark lamps, lamps and zones of streets with 2 % dark at random; ten in a row are dark, and zone 1."""
    x, y = np.meshgrid(np.arange(0, 1800, 30.0), np.arange(0, 1800, 90.0))
    lamps = np.column_stack([x.ravel(), y.ravel()])
    rng = np.random.default_rng(8)
    dark = (rng.random(len(lamps)) < 0.02).astype(np.int64)
    zone = np.full(len(lamps), -1)
    zone[np.flatnonzero(dark)[:3]] = 0
    zone[610:620], dark[610:620] = 1, 1
    return dark, lamps, zone


def p_of(dark: Cells, lamps: Cells, zone: Cells, expected: Cells | float = 1.0, district: Cells | int = 0) -> Cells:
    ones = np.ones(len(dark))
    return lighting_zone_p_values(dark, expected * ones, lamps, zone, (district * ones).astype(np.int64), QUICK, 1)


def test_a_district_that_reports_more_is_called_unless_it_is_known() -> None:
    """A quarter of the city is told of ten times as much; the zone is made of all its dark lamps."""
    _, lamps, _ = panel_city()
    east = lamps[:, 0] > 1300
    dark = (np.random.default_rng(4).random(len(lamps)) < np.where(east, 0.3, 0.03)).astype(np.int64)
    zone = np.where((dark == 1) & east, 0, -1)
    assert p_of(dark, lamps, zone) == pytest.approx(0.01)
    assert p_of(dark, lamps, zone, district=east) > 0.05
    assert p_of(dark, lamps, zone, expected=np.where(east, 10.0, 1.0)) > 0.05


def test_a_dark_panel_is_significant_and_three_lamps_far_apart_are_not() -> None:
    p = p_of(*panel_city())
    assert p[1] == pytest.approx(1 / 100)
    assert p[0] > 0.5


def test_a_panel_in_a_quiet_district_does_not_drown_in_the_noise_of_another() -> None:
    """Six lamps in a row where one in a hundred is told of, beside a district where thirty are."""
    _, lamps, zone = panel_city()
    east = lamps[:, 0] > 900
    dark = (np.random.default_rng(5).random(len(lamps)) < np.where(east, 0.3, 0.01)).astype(np.int64)
    dark[610:616], zone[:] = 1, -1
    zone[610:616] = 0
    assert not east[610:616].any()
    assert p_of(dark, lamps, zone, district=east) <= 0.05


def test_lamps_that_report_more_are_expected_to_be_told_of_more() -> None:
    """The same ten dark lamps where people report twenty times as much about them and their neighbours."""
    dark, lamps, zone = panel_city()
    keen = np.where(np.hypot(*(lamps - lamps[615]).T) < 200, 20.0, 1.0)
    assert p_of(dark, lamps, zone, keen)[1] > 0.05


def test_neither_the_order_of_lamps_nor_the_scale_of_what_is_expected_matters() -> None:
    """But for which permutations are drawn: a p of 0.5 from 99 of them has a standard error of 0.05."""
    dark, lamps, zone = panel_city()
    expected = np.random.default_rng(2).gamma(5.0, 1.0, len(dark))
    order = np.random.default_rng(3).permutation(len(dark))
    p = p_of(dark, lamps, zone, expected)
    assert p_of(dark, lamps, zone, 7 * expected) == pytest.approx(p)
    assert p_of(dark[order], lamps[order], zone[order], expected[order]) == pytest.approx(p, abs=0.2)


def test_too_few_dark_lamps_give_no_p() -> None:
    dark, lamps, zone = panel_city()
    few = dark * (zone >= 1)
    assert few.sum() == QUICK.min_dark
    assert not np.isnan(p_of(few, lamps, zone)).any()
    few[610] = 0
    assert np.isnan(p_of(few, lamps, zone)).all()
    assert np.isnan(p_of(dark, lamps, zone, np.where(dark == 1, 0.0, 1.0))).all()
    assert len(p_of(dark * 0, lamps, zone * 0 - 1)) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dark": np.ones(4)}, "dark is float64"),
        ({"dark": np.array([0, 1, 2, 0])}, "dark must be 0 or 1"),
        ({"expected": np.ones(3)}, "expected is float64 of \\(3,\\)"),
        ({"expected": np.array([1.0, -1.0, 1.0, 1.0])}, "expected must be finite"),
        ({"lamps_m": np.ones((4, 3))}, "lamps_m is"),
        ({"lamps_m": np.full((4, 2), np.nan)}, "lamps_m must be finite"),
        ({"zone_of_lamp": np.zeros(3, np.int64)}, "zone_of_lamp is"),
        ({"district": np.zeros(4)}, "district is float64"),
        ({"district": np.array([0, -1, 0, 0])}, "district holds negative"),
        ({"parameters": SignificanceParameters(max_radius_m=0.0)}, "max_radius_m"),
        ({"parameters": SignificanceParameters(block_dark=0)}, "block_dark"),
        ({"parameters": SignificanceParameters(replicates=1)}, "replicates at least 2"),
        ({"parameters": SignificanceParameters(stratum_lamps=1)}, "stratum_lamps"),
    ],
)
def test_what_is_wrong_is_refused_by_name(change: dict[str, object], words: str) -> None:
    good = {
        "dark": np.array([0, 1, 1, 0]),
        "expected": np.ones(4),
        "lamps_m": np.arange(8.0).reshape(4, 2),
        "zone_of_lamp": np.zeros(4, np.int64),
        "district": np.zeros(4, np.int64),
        "parameters": replace(QUICK, min_dark=1),
    }
    assert len(lighting_zone_p_values(**good, seed=1)) == 1
    with pytest.raises(ContractError, match=words):
        lighting_zone_p_values(**good | change, seed=1)
