"""Hot spots: a planted one, cells without exposure, and how often chance alone is called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from spatial.errors import ContractError
from spatial.hexgrid.hotspots import HotSpotParameters, hot_spots
from spatial.hexgrid.permutations import conditional_tails
from spatial.hexgrid.statistics import benjamini_hochberg, getis_ord_gi_star, standardised_rates, upper_tail
from tests.hexgrid.test_permutations import hexagons

QUICK = HotSpotParameters(permutations=7_999)
DISK = hexagons(9)  # 271 cells
CENTRE = 135  # of the sorted cells any one that is not at the rim will do


def test_a_planted_hot_spot_is_found_and_only_there() -> None:
    rng, near = np.random.default_rng(1), DISK[[CENTRE]].nonzero()[1]
    mean = np.full(271, 1.0)
    mean[near] = 8.0
    found = hot_spots(rng.poisson(mean).astype(float), np.ones(271), DISK, QUICK, 1)
    assert found.q[CENTRE] <= 0.05
    around = np.unique(DISK[near].nonzero()[1])
    assert np.isin(np.flatnonzero(found.q <= 0.05), around).all()
    assert np.nanargmax(found.z) == CENTRE


def test_it_is_gi_star_of_the_standardised_rates_with_either_p() -> None:
    rng = np.random.default_rng(2)
    exposure = rng.gamma(2.0, size=271)
    counts = rng.poisson(exposure * 2).astype(float)
    rates = standardised_rates(counts, exposure)
    expected = DISK @ exposure * counts.sum() / exposure.sum()
    split = float(np.median(expected))
    found = hot_spots(counts, exposure, DISK, HotSpotParameters(split, 999), 5)
    assert found.z == pytest.approx(getis_ord_gi_star(rates, DISK))
    assert found.expected == pytest.approx(expected)
    p = np.where(expected < split, conditional_tails(rates, DISK, 999, 5).upper, upper_tail(found.z))
    assert found.p == pytest.approx(p)
    assert found.q == pytest.approx(benjamini_hochberg(p))
    closed = hot_spots(counts, exposure, DISK, HotSpotParameters(0.0, 1), 5)
    assert closed.p == pytest.approx(upper_tail(found.z))


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_cells_without_exposure_change_nothing(seed: int) -> None:
    """Sea around the city: the same answers as without the sea, and none in the sea."""
    rng = np.random.default_rng(seed)
    small = hexagons(3)  # 37 cells
    exposure = rng.gamma(2.0, size=37)
    counts = rng.poisson(exposure).astype(float)
    wide = np.zeros((60, 60))
    wide[:37, :37] = small.toarray()
    wide[37:, :] = 1.0
    wide[:, 37:] = 1.0
    sea, wrecks = np.zeros(23), np.ones(23)
    alone = hot_spots(counts, exposure, small, HotSpotParameters(permutations=199), 1)
    with_sea = hot_spots(
        np.concatenate([counts, wrecks]),
        np.concatenate([exposure, sea]),
        csr_array(wide),
        HotSpotParameters(permutations=199),
        1,
    )
    for one, other in ((alone.z, with_sea.z), (alone.p, with_sea.p), (alone.q, with_sea.q)):
        assert np.array_equal(one, other[:37], equal_nan=True)
        assert np.isnan(other[37:]).all()


def test_a_city_of_one_cell_has_no_answer() -> None:
    found = hot_spots(np.array([3.0, 0.0]), np.array([1.0, 0.0]), csr_array(np.ones((2, 2))), QUICK, 1)
    assert np.isnan([found.z, found.p, found.q, found.expected]).all()


@pytest.mark.parametrize("kind", ["poisson", "dispersed", "bursts"])
def test_chance_alone_is_called_as_often_as_said(kind: str) -> None:
    """271 cells, 2 incidents expected in a neighbourhood, uneven exposure: any q <= 0.05 in at most 5 % of 150 maps."""
    maps, any_called = 150, []
    for seed in range(maps):
        rng = np.random.default_rng(seed)
        exposure = np.exp(rng.normal(size=271))
        mean = exposure * 2.0 / 7.0
        if kind == "dispersed":
            mean = mean * rng.gamma(1.0, 1.0, 271)
        counts = rng.poisson(mean).astype(float)
        if kind == "bursts":
            counts += (rng.random(271) < 0.02) * rng.poisson(10 * mean)
        any_called.append(np.nanmin(hot_spots(counts, exposure, DISK, QUICK, seed).q) <= 0.05)
    assert np.mean(any_called) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / maps)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": np.array([1, 2, 3])}, "counts is int64"),
        ({"counts": np.array([1.0, -1.0, 0.0])}, "counts must be finite and at least 0"),
        ({"exposure": np.array([1.0, -1.0, 0.0])}, "exposure must be finite and at least 0"),
        ({"exposure": np.array([1.0, 1.0])}, r"exposure is float64 of \(2,\), expected float64 of \(3,\)"),
        ({"neighbours": csr_array((2, 2))}, r"neighbours are \(2, 2\)"),
        ({"parameters": HotSpotParameters(permutations=0)}, "permutations at least 1"),
    ],
)
def test_what_is_not_as_said_is_refused(change: dict[str, Any], message: str) -> None:
    given = {
        "counts": np.array([1.0, 0.0, 2.0]),
        "exposure": np.ones(3),
        "neighbours": csr_array(np.ones((3, 3))),
        "parameters": QUICK,
        "seed": 1,
    }
    with pytest.raises(ContractError, match=message):
        hot_spots(**{**given, **change})
