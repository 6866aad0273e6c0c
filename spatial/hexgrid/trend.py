"""Trend: does a series rise or fall over time? Mann and Kendall's test, exact where series are short."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
EXACT_UP_TO = 50  # values; beyond, the normal approximation is off by less than 0.0025


def mann_kendall(series: ArrayLike) -> tuple[Ints, Array]:
    """Return Mann's S and its two-sided p-value of each series (Mann 1945; Kendall 1975).

    Parameters
    ----------
    series : (n, steps) finite floats, each row in the order of time, equally spaced or not.

    Returns
    -------
    S, (n,) int64: pairs that rise less pairs that fall; p, (n,) in (0, 1]: 1 where all values are equal.

    Notes
    -----
    p is exact for up to EXACT_UP_TO values without ties: from the number of orders with each S. Else it is by the
    normal approximation with the variance for ties and the continuity correction, (|S| - 1) / sd. Values are taken as
    independent over time: where a value resembles the one before, p is too small.
    """
    x = np.asarray(series, float)
    steps = x.shape[1]
    s, equal = np.zeros(len(x), dtype=np.int64), np.ones(x.shape)
    for j in range(steps):
        for k in range(j + 1, steps):
            order = np.sign(x[:, k] - x[:, j])
            s += order.astype(np.int64)
            equal[:, j] += order == 0
            equal[:, k] += order == 0
    untied = steps * (steps - 1) * (2 * steps + 5)
    variance = (untied - ((equal - 1.0) * (2.0 * equal + 5.0)).sum(axis=1)) / 18.0
    z = np.maximum(np.abs(s) - 1, 0) / np.sqrt(np.where(variance > 0, variance, 1.0))
    p = np.asarray(2.0 * norm.sf(z), dtype=float)
    if steps <= EXACT_UP_TO:
        p = np.where((equal > 1).any(axis=1), p, exact_p(steps)[np.abs(s)])
    return s, np.where(variance > 0, p, 1.0)


@cache
def exact_p(steps: int) -> Array:
    """Return how often |S| is at least 0, 1, 2 … in a random order of `steps` different values.

    The k-th value falls behind 0 to k - 1 of those before it, each with chance 1 / k, so the number of falling pairs is
    a sum of independent uniform numbers; S is the number of all pairs less twice that.
    """
    chance = np.ones(1)
    for k in range(2, steps + 1):
        chance = np.convolve(chance, np.full(k, 1.0 / k))
    pairs = len(chance) - 1
    by_size = np.zeros(pairs + 1)
    np.add.at(by_size, np.abs(pairs - 2 * np.arange(pairs + 1)), chance)
    return np.minimum(np.cumsum(by_size[::-1])[::-1], 1.0)


def mann_kendall_p(series: ArrayLike) -> tuple[int, float]:
    """Return Mann's S and its two-sided p-value of one (steps,) series; see `mann_kendall`."""
    s, p = mann_kendall(np.asarray(series, float)[None, :])
    return int(s[0]), float(p[0])
