"""Mann-Kendall: every order counted by hand and by machine, ties, scipy's Kendall tau as oracle."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from spatial.hexgrid.trend import EXACT_UP_TO, exact_p, mann_kendall, mann_kendall_p


def test_four_rising_values_by_hand() -> None:
    """S = 6 in one of the 24 orders and -6 in another: p = 2 / 24. One pair swapped, S = 4: 3 orders each way more."""
    s, p = mann_kendall_p([1, 2, 3, 4])
    assert (s, p) == (6, pytest.approx(2 / 24))
    s, p = mann_kendall_p([4, 3, 1, 2])
    assert (s, p) == (-4, pytest.approx(8 / 24))


@pytest.mark.parametrize("steps", [2, 3, 5, 7])
def test_the_exact_p_is_the_share_of_all_orders(steps: int) -> None:
    orders = np.array(list(permutations(range(steps))))
    s = mann_kendall(orders)[0]
    for size in range(steps * (steps - 1) // 2 + 1):
        assert exact_p(steps)[size] == pytest.approx((np.abs(s) >= size).mean())


def test_ties_by_hand() -> None:
    """1, 2, 2, 3: S = 5; variance (4·3·13 - 2·1·9) / 18 = 7.667; z = (5 - 1) / 2.769 = 1.4446; p = 0.1486."""
    s, p = mann_kendall_p([1, 2, 2, 3])
    assert (s, p) == (5, pytest.approx(0.1486, abs=5e-4))
    assert mann_kendall_p([5, 5, 5]) == (0, 1.0)
    assert mann_kendall_p([7]) == (0, 1.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=33, unique=True))
def test_without_ties_p_is_scipys_exact_one(series: list[float]) -> None:
    peer = kendalltau(np.arange(len(series)), series, method="exact")
    pairs = len(series) * (len(series) - 1) / 2
    s, p = mann_kendall_p(series)
    assert s == round(peer.statistic * pairs)
    assert p == pytest.approx(peer.pvalue, rel=1e-9, abs=1e-15)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=30))
def test_the_reverse_is_the_opposite(series: list[int]) -> None:
    s, p = mann_kendall_p(series)
    back, p_back = mann_kendall_p(series[::-1])
    assert back == -s
    assert p_back == pytest.approx(p)
    assert 0 < p <= 1


def test_beyond_the_exact_lengths_the_normal_approximation_is_as_close_as_said() -> None:
    rng, steps = np.random.default_rng(1), EXACT_UP_TO + 1
    s, p = mann_kendall(rng.normal(size=(400, steps)))
    assert np.abs(p - exact_p(steps)[np.abs(s)]).max() < 2.5e-3


def test_rows_are_series_of_their_own() -> None:
    rows = np.random.default_rng(2).integers(0, 5, (50, 12))
    s, p = mann_kendall(rows)
    for row, s_row, p_row in zip(rows, s, p, strict=True):
        assert mann_kendall_p(row) == (s_row, pytest.approx(p_row))


def test_series_without_trend_are_called_as_often_as_said() -> None:
    """Short counts with ties, where p is approximate: P(p <= 0.05) at most 0.05 within the binomial error of 20,000."""
    rows = np.random.default_rng(3).poisson(2.0, (20_000, 12))
    called = (mann_kendall(rows)[1] <= 0.05).mean()
    assert 0.03 < called <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 20_000)
