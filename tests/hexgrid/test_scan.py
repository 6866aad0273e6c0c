"""The scan: the published answer, all circles by brute force, planted clusters, how often chance alone is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from scipy.stats import gumbel_r

from spatial.errors import ContractError
from spatial.hexgrid.circles import SAME, highest_ratios
from spatial.hexgrid.scan import (
    ScanParameters,
    expected_within,
    gumbel_p,
    monte_carlo_p,
    scan,
    strata_within,
    zone_p_values,
)

POISSON = ScanParameters(null="poisson")
QUICK = ScanParameters(replicates=199)
Cells = np.ndarray


def honeycomb(rows: int, step_m: float = 350.0) -> Cells:
    """Return the centres of rows × rows cells in offset rows."""
    y, x = np.mgrid[:rows, :rows].astype(float)
    return np.column_stack([(x + 0.5 * (y % 2)).ravel(), (y * np.sqrt(0.75)).ravel()]) * step_m


def test_new_york_leukaemia_as_published(shared_data: Callable[[str], Path]) -> None:
    """281 areas, cases floored, degrees, at most 10 % of the population: see shared/data/README.md."""
    rows = pd.read_csv(shared_data("scan_statistics/ny_leukemia.csv"))
    cases = np.floor(rows["cases"]).to_numpy(np.int64)
    assert cases.sum() == 552
    found = scan(cases, rows["population"].to_numpy(float), rows[["longitude", "latitude"]].to_numpy(float), POISSON, 1)
    first = found[0]
    assert first.cases == 85
    assert first.expected == pytest.approx(49.71, abs=0.005)
    assert first.relative_risk == pytest.approx(1.84, abs=0.005)
    assert first.log_likelihood_ratio == pytest.approx(11.577255, abs=5e-7)
    assert first.p_value < 0.01
    assert first.p_monte_carlo < 0.01
    assert len(np.unique(np.concatenate([c.members for c in found]))) == sum(len(c.members) for c in found)


def test_by_hand_what_lies_at_one_distance_enters_together() -> None:
    """A cross of four around a middle and five far off, one case expected in each, 10 in all.

    The middle has 4, its arms to both sides 3 each. The three cells alone would give 10 ln(10/3), but no circle holds
    just them: about the middle all four arms enter at once (10 ln 2), about another arm the three enter with it.
    """
    near = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
    far = [(1000 + 100 * i * i, 5000) for i in range(5)]
    cases = np.array([4, 3, 3, 0, 0, 0, 0, 0, 0, 0])
    parameters = ScanParameters(max_population_share=0.5, replicates=19)
    first = scan(cases, np.ones(10), np.array(near + far, dtype=float), parameters, 1)[0]
    assert (first.centre, set(first.members), first.radius) == (3, {3, 0, 1, 2}, pytest.approx(2**0.5))
    assert first.log_likelihood_ratio == pytest.approx(10 * log(10 / 4))
    assert first.relative_risk == float("inf")
    alone = scan(
        cases, np.ones(10), np.array(near + far, dtype=float), replace(parameters, max_population_share=0.1), 1
    )
    assert alone[0].log_likelihood_ratio == pytest.approx(4 * log(4) + 6 * log(6 / 9))


def brute_force(cases: Cells, expected: Cells, centres: Cells, share: float, reach: float = np.inf) -> float:
    """Return the largest ratio over all circles, from Kulldorff's formula and every pair's distance."""
    total, distance = cases.sum(), cdist(centres, centres)
    expected, best = expected * cases.sum() / expected.sum(), 0.0
    for row in distance:
        for radius in row[row <= reach * SAME]:
            inside = row <= radius * SAME
            c, e = cases[inside].sum(), expected[inside].sum()
            if c > e and e <= share * total * SAME:
                outside = 0.0 if c == total else (total - c) * log((total - c) / (total - e))
                best = max(best, c * log(c / e) + outside)
    return best


places = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 6), st.floats(0.1, 5.0)), min_size=3, max_size=14
)


@settings(max_examples=60)
@given(places, st.sampled_from([0.1, 0.3, 0.5]))
def test_the_best_circle_is_that_of_brute_force(rows: list[tuple[int, int, int, float]], share: float) -> None:
    x, y, cases, expected = (np.array(column) for column in zip(*rows, strict=True))
    centres = np.column_stack([x, y]).astype(float)
    found = scan(cases, expected, centres, ScanParameters(share, 9), 1)
    best = found[0].log_likelihood_ratio if found else 0.0
    assert best == pytest.approx(brute_force(cases, expected, centres, share) if cases.sum() else 0.0, abs=1e-9)
    for cluster in found:
        assert cluster.cases > cluster.expected
        assert cluster.expected <= share * cases.sum() * SAME


@pytest.mark.parametrize("reach", [np.inf, 800.0, 350.0])
def test_the_maxima_of_replicates_are_those_of_brute_force(reach: float) -> None:
    rng = np.random.default_rng(3)
    centres, expected = honeycomb(5), rng.gamma(0.7, 1.0, 25) + 0.02
    maps = rng.multinomial(40, expected / expected.sum(), size=30)
    maps[0] = 0
    maps[0, 7] = 40
    expected *= 40 / expected.sum()
    null = csr_array(maps.astype(np.int32)).tocsc()
    highest = highest_ratios(centres, expected, 0.3 * 40 * SAME, reach, null.indptr, null.indices, null.data, 40.0, 30)
    assert highest == pytest.approx([brute_force(row, expected, centres, 0.3, reach) for row in maps], abs=1e-9)


def test_p_values_of_known_distributions() -> None:
    """Maxima at even quantiles of a Gumbel of location 5 and scale 2; ranks counted by hand."""
    maxima = gumbel_r.ppf((np.arange(20_000) + 0.5) / 20_000, 5, 2)
    ratio = gumbel_r.isf([0.5, 0.05, 1e-6], 5, 2)
    assert gumbel_p(ratio, maxima) == pytest.approx([0.5, 0.05, 1e-6], rel=0.02)
    assert monte_carlo_p(np.array([0.5, 2.0, 9.0]), np.array([1.0, 2.0, 2.0, 3.0])) == pytest.approx([1, 4 / 5, 1 / 5])


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
@settings(max_examples=15)
def test_p_is_a_share_and_knows_no_scale(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    cases, expected, zones = rng.poisson(1.0, 36), rng.gamma(2.0, 1.0, 36) + 0.1, rng.integers(-1, 3, 36)
    parameters = ScanParameters(replicates=39)
    p = zone_p_values(cases, expected, honeycomb(6), zones, parameters, 1)
    assert ((p > 0) & (p <= 1)).all()
    assert p == pytest.approx(zone_p_values(cases, expected * scale, honeycomb(6), zones, parameters, 1))


Draw = Callable[[np.random.Generator, Cells], Cells]
NULLS: dict[str, Draw] = {
    "poisson": lambda rng, e: rng.poisson(e),
    "negative binomial": lambda rng, e: rng.poisson(e * rng.gamma(0.5, 2.0, len(e))),
    "duplicates": lambda rng, e: sum(m * rng.poisson(e * share / m) for m, share in ((1, 0.4), (2, 0.3), (4, 0.3))),
    "rare bursts": lambda rng, e: rng.poisson(0.8 * e) + 12 * rng.poisson(0.2 * e / 12),
}


def p_of_cities(draw: Draw, parameters: ScanParameters, uneven: bool, cities: int = 250) -> Cells:
    """Return the least p over all zones of each city of 144 cells without a cluster; all cells are in zones.

    Zones are chosen with the data: the cells about the cell of most cases, and the rest.
    """
    centres, least = honeycomb(12), []
    for city in range(cities):
        rng = np.random.default_rng([city, uneven])
        expected = (rng.gamma(1.0, 1.0, 144) + 0.1) if uneven else np.ones(144)
        cases = draw(rng, expected * 1.5 * 144 / expected.sum())
        near = np.hypot(*(centres - centres[np.argmax(cases / expected)]).T) < 800
        least.append(zone_p_values(cases, expected, centres, np.where(near, 0, 1), parameters, city).min())
    return np.array(least)


def allowed(alpha: float, cities: int) -> float:
    """Return α and three standard errors of a share of so many cities."""
    return alpha + 3 * float(np.sqrt(alpha * (1 - alpha) / cities))


@pytest.mark.parametrize("uneven", [False, True], ids=["even", "uneven"])
@pytest.mark.parametrize("name", NULLS)
def test_chance_alone_is_called_no_more_often_than_said(name: str, uneven: bool) -> None:
    p = p_of_cities(NULLS[name], QUICK, uneven)
    for alpha in (0.01, 0.05, 0.2):
        assert (p <= alpha).mean() <= allowed(alpha, len(p)), alpha


def test_the_poisson_null_holds_for_poisson_cities_and_for_no_others() -> None:
    parameters = replace(QUICK, null="poisson")
    assert (p_of_cities(NULLS["poisson"], parameters, True) <= 0.05).mean() <= allowed(0.05, 250)
    assert (p_of_cities(NULLS["negative binomial"], parameters, True, 100) <= 0.05).mean() > 0.5


@pytest.fixture
def planted() -> tuple[Cells, Cells, Cells, Cells]:
    """Cases, expected, centres of 400 cells with a fourfold risk in the 19 about cell 210, and that zone."""
    centres, rng = honeycomb(20), np.random.default_rng(11)
    hot = np.hypot(*(centres - centres[210]).T) < 750
    expected = rng.gamma(2.0, 0.5, 400)
    return rng.poisson(expected * np.where(hot, 4.0, 1.0)), expected, centres, hot


def test_a_planted_cluster_is_found_where_it_is(planted) -> None:
    cases, expected, centres, hot = planted
    assert hot.sum() == 19
    first, *rest = scan(cases, expected, centres, ScanParameters(), 1)
    overlap = hot[first.members].sum()
    assert overlap / (hot.sum() + len(first.members) - overlap) > 0.6
    assert first.p_monte_carlo == 1 / 1000
    assert first.p_value < 0.001
    assert all(cluster.p_value > 0.05 for cluster in rest)
    assert np.hypot(*(centres[first.centre] - centres[first.members]).T).max() == pytest.approx(first.radius)


def test_the_planted_zone_is_significant_and_no_other_borrows_from_it(planted) -> None:
    cases, expected, centres, hot = planted
    beside = (np.hypot(*(centres - centres[210]).T) < 1100) & ~hot
    cases = np.where(beside, 0, cases)
    zones = np.where(hot, 1, np.where(beside, 2, np.where(centres[:, 1] < 1200, 0, -1)))
    p = zone_p_values(cases, expected, centres, zones, ScanParameters(), 1)
    assert p[1] == 1 / 1000
    assert p[0] > 0.05
    assert p[2] == 1.0


def test_a_burst_in_one_cell_is_no_cluster() -> None:
    rng = np.random.default_rng(5)
    cases = rng.poisson(1.0, 400)
    cases[210] += 40
    p = zone_p_values(cases, np.ones(400), honeycomb(20), np.where(np.arange(400) == 210, 0, -1), QUICK, 1)
    assert p[0] > 0.05
    poisson = replace(QUICK, null="poisson")
    assert zone_p_values(cases, np.ones(400), honeycomb(20), np.zeros(400, np.int64), poisson, 1)[0] == 1 / 200


def test_strata_of_the_caller_change_places_within_only(planted) -> None:
    """A stratum of every cell has nothing to permute: every replicate is what was seen."""
    cases, expected, centres, hot = planted
    zones = np.where(hot, 0, -1)
    alone, together = np.arange(400), np.zeros(400, np.int64)
    assert zone_p_values(cases, expected, centres, zones, QUICK, 1, alone) == 1.0
    assert zone_p_values(cases, expected, centres, zones, QUICK, 1, np.where(hot, 1, 0), 2000.0) > 0.5
    assert zone_p_values(cases, expected, centres, zones, QUICK, 1, together, 2000.0) <= 0.05


def test_by_hand_strata_and_expectations_within_blocks() -> None:
    block = np.array([0, 1, 0, 1, 0, 1])
    label = strata_within(np.array([1.0, 1.0, 2.0, 1.0, 1.0, 5.0]), block, 2)
    assert label[0] == label[4] != label[2]
    assert len({label[0], label[1]}) == 2
    assert label[1] == label[3]
    cases = np.array([4, 0, 2, 1, 0, 1])
    assert expected_within(cases, np.ones(6), block, 0.5) == pytest.approx(
        np.where(block == 0, 6.5 / 4.5, 2.5 / 4.5) * 8 / 6
    )


def test_cells_where_nothing_is_expected_are_left_out() -> None:
    rng = np.random.default_rng(6)
    cases, expected, zones = rng.poisson(1.0, 100), rng.gamma(2.0, 1.0, 100), np.zeros(100, np.int64)
    expected[40:50] = 0.0
    known = expected > 0
    p = zone_p_values(cases, expected, honeycomb(10), zones, QUICK, 1)
    assert p == zone_p_values(cases[known], expected[known], honeycomb(10)[known], zones[known], QUICK, 1)
    found = scan(np.where(known, cases, 0), expected, honeycomb(10), QUICK, 1)
    assert known[np.concatenate([c.members for c in found])].all()
    assert known[[c.centre for c in found]].all()
    assert zone_p_values(np.zeros(100, np.int64), expected, honeycomb(10), zones, QUICK, 1) == 1.0
    assert scan(np.zeros(100, np.int64), expected, honeycomb(10), QUICK, 1) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cases": np.ones(3)}, "cases is float64"),
        ({"cases": np.array([1, -1, 2])}, "negative"),
        ({"expected": np.ones(2)}, "expected is float64 of \\(2,\\)"),
        ({"expected": np.array([1.0, np.nan, 1.0])}, "finite"),
        ({"expected": np.zeros(3)}, "not all 0"),
        ({"centres_m": np.ones((3, 3))}, "centres is"),
        ({"centres_m": np.full((3, 2), np.inf)}, "centres must be finite"),
        ({"zone_of_cell": np.zeros(2, np.int64)}, "zone_of_cell is"),
        ({"stratum": np.zeros(2, np.int64)}, "stratum is"),
        ({"max_radius_m": 0.0}, "max_radius_m is 0.0"),
        ({"parameters": ScanParameters(0.6)}, "max_population_share is 0.6"),
        ({"parameters": ScanParameters(replicates=1)}, "at least 2"),
        ({"parameters": ScanParameters(null="normal")}, "'normal'"),
    ],
)
def test_what_is_wrong_is_refused_by_name(change: dict[str, object], words: str) -> None:
    good = {
        "cases": np.array([1, 2, 3]),
        "expected": np.ones(3),
        "centres_m": np.arange(6.0).reshape(3, 2),
        "zone_of_cell": np.zeros(3, np.int64),
        "parameters": QUICK,
    }
    assert len(zone_p_values(**good, seed=1)) == 1
    with pytest.raises(ContractError, match=words):
        zone_p_values(**good | change, seed=1)
    with pytest.raises(ContractError, match="nothing is expected"):
        scan(np.array([1, 1]), np.array([0.0, 1.0]), np.ones((2, 2)), QUICK, 1)
