"""Moran's I: a square by hand, all maps enumerated, esda as oracle."""

from __future__ import annotations

import warnings
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from spatial.errors import ContractError
from spatial.hexgrid.autocorrelation import HIGH_LOW, LOW_HIGH, local_moran, moran_i
from spatial.hexgrid.permutations import conditional_tails
from tests.hexgrid.test_permutations import hexagons

SQUARE = csr_array(np.array([[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]], dtype=float))
CHECKERS = np.array([1.0, -1.0, -1.0, 1.0])
LATTICE = hexagons(5)  # 91 cells, with the diagonal


def peer_weights(weights: csr_array) -> Any:
    """Return libpysal's weights without the diagonal."""
    from libpysal.weights import W

    rows = weights.toarray() * (1 - np.eye(weights.shape[0]))
    return W({i: [int(j) for j in np.flatnonzero(row)] for i, row in enumerate(rows)}, silence_warnings=True)


def test_checkers_by_hand() -> None:
    """Every neighbour is the opposite: I = -1. S0 = 8, S1 = 16, S2 = 64, n = 4, kurtosis 1:

    expected -1/3; under normality (256 - 256 + 192) / (15 · 64) - 1/9 = 4/45; of the six ways to deal two ones, two are
    checkers with I = -1 and four have I = 0, so under randomisation the variance is 1/3 - 1/9 = 2/9.
    """
    found = moran_i(CHECKERS, SQUARE, row_standardised=False)
    assert found.i == pytest.approx(-1.0)
    assert found.expected == pytest.approx(-1 / 3)
    assert found.variance_normal == pytest.approx(4 / 45)
    assert found.variance_random == pytest.approx(2 / 9)
    assert found.z_random == pytest.approx((-2 / 3) / np.sqrt(2 / 9))
    assert np.isnan(found.p_permutation)
    assert moran_i(CHECKERS, SQUARE, permutations=20_000).p_permutation == pytest.approx(2 / 3, abs=0.03)


def test_the_moments_are_those_of_all_maps() -> None:
    values = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.0])
    weights = csr_array((np.abs(np.subtract.outer(np.arange(6), np.arange(6))) == 1).astype(float))
    for row_standardised in (False, True):
        seen = [moran_i(np.array(order), weights, row_standardised).i for order in permutations(values)]
        found = moran_i(values, weights, row_standardised, permutations=20_000)
        assert np.mean(seen) == pytest.approx(found.expected)
        assert np.var(seen) == pytest.approx(found.variance_random)
        tails = (np.array(seen) >= found.i - 1e-12).mean(), (np.array(seen) <= found.i + 1e-12).mean()
        assert found.p_permutation == pytest.approx(2 * min(tails), abs=0.02)


@pytest.mark.parametrize("row_standardised", [True, False])
def test_esda_has_the_same_moments(row_standardised: bool) -> None:
    values = np.random.default_rng(3).gamma(1.0, size=91)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from esda import Moran

        peer = Moran(values, peer_weights(LATTICE), "r" if row_standardised else "b", permutations=0)
    found = moran_i(values, LATTICE, row_standardised)
    ours = (found.i, found.expected, found.variance_normal, found.z_normal, found.p_normal, found.variance_random,
            found.z_random, found.p_random)  # fmt: skip
    theirs = (peer.I, peer.EI, peer.VI_norm, peer.z_norm, peer.p_norm, peer.VI_rand, peer.z_rand, peer.p_rand)
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)


def example(weights: str, values: str, column: str) -> tuple[np.ndarray, csr_array]:
    """Return the values and the weights of one of PySAL's own examples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import libpysal

        table, graph = (libpysal.io.open(libpysal.examples.get_path(name)) for name in (values, weights))
        y, w = np.array(table.by_col[column], dtype=float), csr_array(graph.read().sparse)
        table.close()
        graph.close()
    return y, w


def test_homicides_in_st_louis_as_published() -> None:
    """PySAL's documentation of Moran: I = 0.244, expectation -0.012987, p under normality 0.000271."""
    found = moran_i(*example("stl.gal", "stl_hom.txt", "HR8893"))
    assert found.i == pytest.approx(0.244, abs=5e-4)
    assert found.expected == pytest.approx(-0.012987012987)
    assert found.p_normal == pytest.approx(0.000271, abs=5e-7)


def test_desmiths_ten_areas_as_published() -> None:
    """PySAL's documentation of Moran_Local: the quadrants."""
    assert local_moran(*example("desmith.gal", "desmith.txt", "z")).quadrant.tolist() == [4, 4, 4, 2, 3, 3, 1, 4, 3, 3]


def test_local_checkers_by_hand() -> None:
    """(n - 1) z mean(neighbours) / sum of z² = 3 · 1 · -1 / 4. Lower tail 1/3 (one of three pairs), so p = 2/3."""
    found = local_moran(CHECKERS, SQUARE, 40_000, 1)
    assert found.i == pytest.approx([-0.75] * 4)
    assert found.quadrant.tolist() == [HIGH_LOW, LOW_HIGH, LOW_HIGH, HIGH_LOW]
    assert found.p == pytest.approx([2 / 3] * 4, abs=0.02)


def test_esda_has_the_same_local_statistic() -> None:
    """Its permutations are those of Gi*: see test_permutations."""
    values = np.random.default_rng(4).gamma(1.0, size=91)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from esda import Moran_Local

        peer = Moran_Local(values, peer_weights(LATTICE), permutations=0)
    found = local_moran(values, LATTICE, 999, 1)
    assert found.i == pytest.approx(peer.Is, rel=1e-12, abs=1e-12)
    assert found.quadrant.tolist() == peer.q.tolist()
    tails = conditional_tails(values, LATTICE, 999, 1)
    assert found.p == pytest.approx(np.minimum(1.0, 2 * np.minimum(tails.upper, tails.lower)))


@given(st.integers(0, 2**32), st.floats(-1e3, 1e3), st.floats(0.01, 1e3))
def test_shift_and_scale_change_nothing(seed: int, shift: float, scale: float) -> None:
    values = np.random.default_rng(seed).gamma(1.0, size=91)
    plain, moved = moran_i(values, LATTICE), moran_i(shift + scale * values, LATTICE)
    assert moved.i == pytest.approx(plain.i, rel=1e-6, abs=1e-6)
    assert moved.p_random == pytest.approx(plain.p_random, rel=1e-5, abs=1e-6)


@given(st.integers(0, 2**32))
def test_the_local_ones_sum_to_the_whole(seed: int) -> None:
    """Row-standardised: the sum of the local I is (n - 1) / n times n I."""
    values = np.random.default_rng(seed).normal(size=91)
    assert local_moran(values, LATTICE, 1).i.sum() == pytest.approx(90 * moran_i(values, LATTICE).i, abs=1e-9)


def test_a_planted_hill_is_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(6)
    hill = np.zeros(91)
    hill[LATTICE[[45]].nonzero()[1]] = 6.0
    assert moran_i(hill + rng.normal(size=91), LATTICE, permutations=999).p_permutation <= 0.01
    noise = [moran_i(rng.normal(size=91), LATTICE, permutations=99, seed=k) for k in range(300)]
    bound = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert np.mean([one.p_permutation <= 0.05 for one in noise]) <= bound
    assert np.mean([one.p_random <= 0.05 for one in noise]) <= bound


def test_a_cell_without_neighbours_has_no_answer() -> None:
    weights = csr_array(np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]], dtype=float))
    found = local_moran(np.array([1.0, 2.0, 3.0, 4.0]), weights, 9)
    assert (found.i[2], found.quadrant[2]) == (0.0, 0)
    assert np.isnan(found.p[2])
    assert np.isfinite(found.p[[0, 1, 3]]).all()


def test_what_has_no_answer_is_refused() -> None:
    with pytest.raises(ContractError, match="values are constant"):
        moran_i(np.full(4, 0.1), SQUARE)
    with pytest.raises(ContractError, match="some neighbours"):
        moran_i(CHECKERS, csr_array(np.eye(4)))
    all_linked = moran_i(np.array([1.0, 2.0, 4.0]), csr_array(np.ones((3, 3))))
    assert all_linked.i == pytest.approx(-0.5)
    assert np.isnan([all_linked.p_normal, all_linked.p_random, all_linked.variance_random]).all()
