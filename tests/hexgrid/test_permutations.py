"""Conditional permutations: all draws enumerated, the hypergeometric distribution, esda, exchangeable maps."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, eye_array
from scipy.stats import hypergeom

from spatial.errors import ContractError
from spatial.hexgrid.grid import cells_of_points, disk_matrix, grid_disk
from spatial.hexgrid.permutations import conditional_tails, tails_of_sums

Array = np.ndarray


def hexagons(k: int) -> csr_array:
    """Return the 0/1 matrix of the cells within `k` steps of one cell, the diagonal included."""
    return disk_matrix(grid_disk(cells_of_points([117.5], [-3.3], 9)[0], k), 1)


def enumerated(values: Array, weights: Array) -> tuple[Array, Array]:
    """Return the exact tails: every subset of the other cells as large as the neighbourhood."""
    upper, lower = [], []
    for i, row in enumerate(weights):
        others = np.delete(np.arange(len(values)), i)
        around = [j for j in others if row[j]]
        sums = np.array([values[list(some)].sum() for some in combinations(others, len(around))])
        upper.append((sums >= values[around].sum() - 1e-9).mean())
        lower.append((sums <= values[around].sum() + 1e-9).mean())
    return np.array(upper), np.array(lower)


def assert_within_binomial_error(p: Array, truth: Array, permutations: int, sigmas: float = 5.0) -> None:
    """A p-value of draws is (1 + hits) / (1 + draws), hits binomial: within `sigmas` standard errors and that one."""
    error = sigmas * np.sqrt(truth * (1 - truth) / permutations) + 1.0 / permutations
    assert (np.abs(p - truth) <= error).all(), np.abs(p - truth).max()


def test_four_cells_by_hand() -> None:
    """A square 1 0 / 0 1, sides touch: the two neighbours of a one are zeros. Of the three pairs of others (one one,
    two zeros), two hold the one and one does not: sums 1, 1, 0. Upper tail 1, lower tail 1/3."""
    square = csr_array(np.array([[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]], dtype=float))
    tails = conditional_tails(np.array([1.0, 0.0, 0.0, 1.0]), square, 40_000, 1)
    assert tails.upper == pytest.approx([1.0, 1 / 3, 1 / 3, 1.0], abs=0.012)
    assert tails.lower == pytest.approx([1 / 3, 1.0, 1.0, 1 / 3], abs=0.012)


def test_all_draws_enumerated() -> None:
    rng = np.random.default_rng(4)
    weights = (rng.random((11, 11)) < 0.4).astype(float)  # 2 to 7 neighbours, not symmetric
    for values in (rng.normal(size=11), rng.poisson(1.0, 11).astype(float), rng.poisson(1.0, 11) / 3.0):
        tails = conditional_tails(values, csr_array(weights), 100_000, 1)
        upper, lower = enumerated(values, weights)
        assert_within_binomial_error(tails.upper, upper, 100_000)
        assert_within_binomial_error(tails.lower, lower, 100_000)


def test_zeros_and_ones_are_hypergeometric() -> None:
    """397 cells, a fifth are ones: of the 396 others, `ones - own`; the neighbours are drawn without replacement."""
    weights = hexagons(11)
    n, draws = weights.shape[0], 200_000
    values = (np.random.default_rng(2).random(n) < 0.2).astype(float)
    around = weights - eye_array(n)
    degree, seen = np.asarray(around.sum(axis=1)).astype(int), around @ values
    others = values.sum() - values
    tails = conditional_tails(values, weights, draws, 3)
    assert_within_binomial_error(tails.upper, hypergeom.sf(seen - 1, n - 1, others, degree), draws)
    assert_within_binomial_error(tails.lower, hypergeom.cdf(seen, n - 1, others, degree), draws)


def test_draws_are_independent() -> None:
    """p of 200 draws varies over 500 seeds as a binomial share does: one order must not depend on the last."""
    values = np.array([3.0, 1.0, 2.0, 4.0, 0.0])
    ring = csr_array((np.subtract.outer(np.arange(5), np.arange(5)) % 5 == 1) * 1.0)  # one neighbour each
    upper = np.array([conditional_tails(values, ring, 200, seed).upper for seed in range(500)])
    exact = enumerated(values, ring.toarray())[0]
    error = np.sqrt(exact * (1 - exact) / 200)
    assert upper.std(axis=0) == pytest.approx(error, rel=0.12)  # about four standard errors of a standard deviation
    assert upper.mean(axis=0) == pytest.approx(exact + (1 - exact) / 201, abs=5 * 0.5 / np.sqrt(200 * 500))


def esda_upper(values: Array, weights: csr_array, permutations: int, seed: int) -> Array:
    """Return esda's p-values of Gi* by conditional permutation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from esda import G_Local
        from libpysal.weights import W

        rows = csr_array(weights)
        near: dict[int, list[int]] = {
            i: [int(j) for j in rows.indices[rows.indptr[i] : rows.indptr[i + 1]]] for i in range(rows.shape[0])
        }
        peer: Any = G_Local(
            values,
            W(near, silence_warnings=True),
            transform="B",
            permutations=permutations,
            star=True,
            keep_simulations=False,
            n_jobs=1,
            seed=seed,
            alternative="greater",
        )
    return np.asarray(peer.p_sim, dtype=float)


def test_esda_says_the_same_within_both_errors() -> None:
    weights, draws = hexagons(9), 9_999
    values = np.random.default_rng(5).gamma(1.0, size=weights.shape[0])
    ours, theirs = conditional_tails(values, weights, draws, 1).upper, esda_upper(values, weights, draws, 1)
    p = (ours + theirs) / 2
    assert (np.abs(ours - theirs) <= 5.0 * np.sqrt(2 * p * (1 - p) / draws) + 1.0 / draws).all()
    assert np.abs(ours - theirs).max() > 0


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(2, 30), st.integers(1, 300))
def test_tails_are_p_values_and_the_seed_decides(seed: int, n: int, permutations: int) -> None:
    rng = np.random.default_rng(seed)
    weights = csr_array((rng.random((n, n)) < rng.random()).astype(float))
    values = rng.poisson(1.0, n).astype(float)
    tails = conditional_tails(values, weights, permutations, seed)
    again = conditional_tails(values, weights, permutations, seed)
    alone = np.asarray((weights - weights.multiply(eye_array(n))).sum(axis=1)) == 0
    assert (np.isnan(tails.upper) == alone).all()
    least = 1.0 / (1 + permutations)
    for p, p_again in ((tails.upper, again.upper), (tails.lower, again.lower)):
        assert np.array_equal(p, p_again, equal_nan=True)
        assert ((p[~alone] >= least) & (p[~alone] <= 1.0)).all()
    assert (tails.upper[~alone] + tails.lower[~alone] >= 1.0 + least - 1e-12).all()


def test_blocks_are_one_series_of_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = hexagons(3)
    values = np.random.default_rng(1).normal(size=weights.shape[0])
    whole = conditional_tails(values, weights, 1_000, 1).upper
    monkeypatch.setattr("spatial.hexgrid.permutations._BLOCK", 7 * 300)
    parts = conditional_tails(values, weights, 1_000, 1).upper
    assert np.abs(whole - parts).max() < 0.1
    exact = conditional_tails(values, weights, 100_000, 2).upper
    assert_within_binomial_error(parts, exact, 1_000)


def test_the_own_value_and_the_scale_of_the_weights_have_no_say() -> None:
    weights = hexagons(4)
    values = np.random.default_rng(1).normal(size=weights.shape[0])
    with_own, doubled = conditional_tails(values, weights, 999, 1), conditional_tails(values, 2 * weights, 999, 1)
    without = conditional_tails(values, weights - eye_array(weights.shape[0]), 999, 1)
    assert np.array_equal(with_own.upper, without.upper)
    assert np.array_equal(with_own.upper, doubled.upper)


def test_equal_sums_are_ties_whatever_the_order_of_adding() -> None:
    """0.1 + 0.2 + 0.3 depends on the order in the last digit; as every draw of three is these three, p is 1."""
    values = np.array([0.3, 0.1, 0.2, 5.0])
    weights = csr_array(np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]], dtype=float))
    assert conditional_tails(values, weights, 99, 1).upper[3] == 1.0


def test_exchangeable_bursts_are_flagged_as_often_as_said() -> None:
    """Each cell: P(p <= 0.05) <= 0.05 over 400 maps where one cell in fifty has a burst of twenty."""
    weights, rng = hexagons(5), np.random.default_rng(8)
    p = np.array(
        [
            conditional_tails(np.where(rng.random(91) < 0.02, 20.0, rng.poisson(0.5, 91)), weights, 199, seed).upper
            for seed in range(400)
        ]
    )
    assert (p <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400 / 13)  # at least 13 neighbourhoods are apart
    assert (p <= 0.05).mean(axis=0).max() <= 0.05 + 4.5 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.zeros(3, dtype=int)}, r"values is int64 of \(3,\), expected float64 of \(3,\)"),
        ({"values": np.array([0.0, np.nan, 1.0])}, "values must be finite, of at least two cells"),
        ({"weights": csr_array((2, 2))}, r"weights are \(2, 2\), expected \(3, 3\)"),
        ({"weights": csr_array(-np.ones((3, 3)))}, "weights must be finite and at least 0"),
        (
            {"weights": csr_array(np.array([[0, 1, 2], [1, 0, 1], [1, 1, 0.0]]))},
            "the neighbours of a cell must all weigh the same",
        ),
        ({"permutations": 0}, "permutations is 0, expected at least 1"),
    ],
)
def test_what_is_not_as_said_is_refused(change: dict[str, Any], message: str) -> None:
    given = {"values": np.zeros(3), "weights": csr_array(np.ones((3, 3))), "permutations": 9, "seed": 1}
    with pytest.raises(ContractError, match=message):
        conditional_tails(**{**given, **change})


def test_sums_are_checked_too() -> None:
    values, degree = np.zeros(3), np.array([1, 1, 3])
    with pytest.raises(ContractError, match="degree must be 0 to 2"):
        tails_of_sums(values, values, degree, 9, 1)
    with pytest.raises(ContractError, match="values and sums must be finite"):
        tails_of_sums(values, np.full(3, np.inf), degree - 1, 9, 1)
