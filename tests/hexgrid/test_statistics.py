"""Rates and hot spots: published answers, hand cases, properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from scipy.stats import nbinom

from spatial.hexgrid.grid import cells_of_points, disk_matrix, grid_disk
from spatial.hexgrid.statistics import (
    benjamini_hochberg,
    empirical_bayes_rates,
    getis_ord_gi_star,
    local_relative_risk,
    relative_risk,
    standardised_rates,
)

counts_and_exposure = st.lists(st.tuples(st.integers(0, 50), st.floats(0.1, 1e4)), min_size=2, max_size=60)


def test_counts_where_nothing_is_expected_change_no_other_cell() -> None:
    y, e = np.array([3.0, 0.0, 5.0, 2.0]), np.array([2.0, 1.0, 4.0, 3.0])
    plain = relative_risk(y, e)
    more = relative_risk(np.append(y, 40.0), np.append(e, 0.0))
    assert more.mean[:4] == pytest.approx(plain.mean, rel=0.02)
    assert more.mean[4] == pytest.approx(1.0)


def test_gi_star_of_pysals_six_points() -> None:
    points = np.array([(10, 10), (20, 10), (40, 10), (15, 20), (30, 20), (30, 30)], dtype=float)
    y = np.array([2, 3, 3.2, 5, 8, 7])
    weights = csr_array((cdist(points, points) <= 15).astype(float))
    published = [-1.39727626, -0.28917762, 0.65064964, -0.28917762, 1.23452088, 2.02424331]
    assert getis_ord_gi_star(y, weights) == pytest.approx(published, abs=5e-9)


def test_benjamini_and_hochbergs_own_table() -> None:
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.324,
        0.4262,
        0.5719,
        0.6528,
        0.759,
        1.0,
    ]
    q = benjamini_hochberg(p)
    assert (q <= 0.05).sum() == 4
    assert q[0] == pytest.approx(0.0001 * 15)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_q_is_at_least_p_in_the_same_order_and_nan_is_left_out(p: list[float]) -> None:
    q = benjamini_hochberg([*p, np.nan])
    assert np.isnan(q[-1])
    assert (q[:-1] >= np.array(p) - 1e-12).all()
    assert (q[:-1] <= 1.0).all()
    assert (np.diff(q[:-1][np.argsort(p, kind="stable")]) >= 0).all()


@settings(deadline=None)
@given(counts_and_exposure)
def test_bayes_rates_lie_between_the_raw_rate_and_the_global_one(rows: list[tuple[int, float]]) -> None:
    y, x = np.array(rows, dtype=float).T
    rates, overall = empirical_bayes_rates(y, x), y.sum() / x.sum()
    low, high = np.minimum(y / x, overall), np.maximum(y / x, overall)
    assert (rates >= low - 1e-9 * (1 + high)).all()
    assert (rates <= high + 1e-9 * (1 + high)).all()


def test_marshalls_estimator_by_hand() -> None:
    """Two cells, x = 10 each, y = 2 and 18: mean 1, s² = 0.64, A = 0.64 - 1/10 = 0.54, weight 0.54 / 0.64."""
    weight = 0.54 / 0.64
    expected = [1 + weight * (0.2 - 1), 1 + weight * (1.8 - 1)]
    assert empirical_bayes_rates([2, 18], [10, 10]) == pytest.approx(expected)
    assert standardised_rates([2, 18], [10, 10]) == pytest.approx([-1.0, 1.0])


@settings(deadline=None)
@given(counts_and_exposure)
def test_relative_risk_is_in_its_interval_and_shrinks(rows: list[tuple[int, float]]) -> None:
    y, e = np.array(rows, dtype=float).T
    risk = relative_risk(y, e)
    assert (risk.low <= risk.high).all()
    if y.sum() > 0:
        raw = y / (e * y.sum() / e.sum())
        assert (risk.mean <= np.maximum(raw, 1.0) * (1 + 1e-9)).all()
        assert (risk.mean >= np.minimum(raw, 1.0) * (1 - 1e-9)).all()


def planted(seed: int, n: int, mean: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return counts, expectations and true relative risks, gamma of shape 2 as the model has them."""
    rng = np.random.default_rng(seed)
    truth, expected = rng.gamma(2.0, 0.5, n), mean * rng.uniform(0.1, 1.9, n)
    return rng.poisson(truth * expected), expected, truth


@pytest.mark.parametrize("mean", [0.3, 1.0, 5.0])
def test_intervals_of_relative_risk_cover_the_planted_truth(mean: float) -> None:
    """A 90 % interval must cover about 90 %, in cities with few reports a cell too: over 20 cities 87 to 93 %."""
    covered = []
    for seed in range(20):
        counts, expected, truth = planted(seed, 1000, mean)
        risk = relative_risk(counts, expected, 0.9)
        truth = truth * expected.sum() / (truth @ expected)
        covered.append(((risk.low <= truth) & (truth <= risk.high)).mean())
    assert 0.87 <= np.mean(covered) <= 0.93


def test_a_city_with_hardly_any_reports_is_not_sure_of_itself() -> None:
    """100 reports in 1,000 cells: one estimate of the spread would cover about half."""
    covered = []
    for seed in range(20):
        counts, expected, truth = planted(seed, 1000, 0.1)
        risk = relative_risk(counts, expected, 0.9)
        truth = truth * expected.sum() / (truth @ expected)
        covered.append(((risk.low <= truth) & (truth <= risk.high)).mean())
    assert np.mean(covered) >= 0.87


def test_the_spread_of_the_risks_is_found() -> None:
    counts, expected, _ = planted(7, 4000, 5.0)
    assert relative_risk(counts, expected).shape == pytest.approx(2.0, rel=0.15)


def test_relative_risk_is_the_mean_over_the_spreads() -> None:
    """The same integral by quadrature: negative-binomial likelihood, prior 2 / (k + 2)^2 as 2 is the median of e."""
    y, e, m = np.array([0.0, 1.0, 4.0]), np.array([1.0, 2.0, 2.0]), np.array([0.5, 1.0, 2.0])

    def posterior(k: float) -> float:
        return float(np.prod(nbinom.pmf(y, k * m, k / (k + e))) * 2.0 / (k + 2.0) ** 2)

    total = quad(posterior, 0.01, np.inf)[0]
    means = [
        quad(lambda k, i=i: posterior(k) * (k * m[i] + y[i]) / (k + e[i]), 0.01, np.inf)[0] / total for i in range(3)
    ]
    assert relative_risk(y, e, prior_mean=m).mean == pytest.approx(means, rel=2e-3)


def test_many_reports_speak_for_themselves_and_none_leave_the_prior() -> None:
    risk = relative_risk([30_000, 10_000, 0], [1.0, 1.0, 0.0], prior_mean=[1.0, 1.0, 0.7])
    assert risk.mean == pytest.approx([1.5, 0.5, 0.7], rel=1e-3)


@settings(max_examples=40)
@given(st.integers(1, 20), st.floats(0.1, 5.0), st.floats(1.1, 20.0))
def test_shrinkage_fades_with_exposure(count: int, expected: float, times: float) -> None:
    """Of two cells with the same rate, the one with more exposure keeps closer to it."""
    background = np.tile([0.0, 2.0, 4.0], 20)
    y = np.concatenate([[3.0 * count, 3.0 * count * times], background])
    e = np.concatenate([[expected, expected * times], np.full(60, 2.0)])
    risk = relative_risk(y, e)
    pull = np.abs(risk.mean[:2] - (y / (e * y.sum() / e.sum()))[:2])
    assert pull[1] <= pull[0] + 1e-9
    assert ((risk.low <= risk.mean) & (risk.mean <= risk.high)).all()


def test_the_local_prior_is_the_neighbours_risk() -> None:
    """A line of cells, a flooded half and a dry half: the silent cell in the flooded half is thought flooded."""
    counts = np.array([6.0] * 40 + [0.0] * 40)
    counts[20] = 0.0
    line = csr_array((np.abs(np.subtract.outer(np.arange(80), np.arange(80))) <= 1).astype(float))
    local, city = local_relative_risk(counts, np.ones(80), line), relative_risk(counts, np.ones(80))
    assert city.mean[20] == pytest.approx(city.mean[60])
    assert local.mean[20] > 4 * local.mean[60]
    others = csr_array(line.toarray() - np.eye(80))
    assert local_relative_risk(counts, np.ones(80), others).mean == pytest.approx(
        local.mean
    )  # none is its own neighbour
    alone = local_relative_risk(counts, np.ones(80), csr_array(np.eye(80)))
    assert alone.mean == pytest.approx(city.mean)


def test_no_reports_say_nothing() -> None:
    risk = relative_risk([0, 0], [1.0, 2.0])
    assert risk.mean.tolist() == [1.0, 1.0]
    assert np.isinf(risk.high).all()


def test_gi_star_under_the_null_is_standard_normal_enough() -> None:
    centre = cells_of_points([117.5], [-3.3], 9)[0]
    weights = disk_matrix(grid_disk(centre, 20), 1)
    z = getis_ord_gi_star(np.random.default_rng(3).normal(size=weights.shape[0]), weights)
    assert abs(z.mean()) < 0.05
    assert 0.9 < z.std() < 1.1


def test_gi_star_of_a_constant_map_is_unknown() -> None:
    assert np.isnan(getis_ord_gi_star([2.0, 2.0, 2.0], csr_array(np.eye(3)))).all()


def test_disk_matrix_is_the_grid_disk() -> None:
    cells = grid_disk(cells_of_points([117.5], [-3.3], 9)[0], 3)
    matrix = disk_matrix(cells, 1)
    assert (matrix != matrix.T).nnz == 0
    for i in (0, 17, 36):
        assert sorted(np.array(cells)[matrix[[i]].nonzero()[1]]) == sorted(set(grid_disk(cells[i], 1)) & set(cells))
