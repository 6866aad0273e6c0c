"""Rates and hot spots over cells: empirical Bayes, Gi*, false-discovery control, trend. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import sparray
from scipy.stats import gamma, norm

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class RelativeRisk:
    """Posterior of each cell's rate relative to the city's: mean and the bounds of a central interval; (n,) floats."""

    mean: Array
    low: Array
    high: Array
    shape: float


def prior_shape(counts: Array, expected: Array) -> float:
    """Estimate the shape k of a Gamma(k, k) prior of relative risk by moments (Marshall 1991).

    The variance of the true relative risks is the exposure-weighted variance of counts / expected less its Poisson
    part; k is its inverse. Where the counts vary no more than Poisson's, k is capped at 1e6 (all cells alike).
    """
    known = expected > 0
    total = expected[known].sum()
    ratio = counts[known] / expected[known]
    spread = (expected[known] * (ratio - 1.0) ** 2).sum() / total
    excess = spread - known.sum() / total
    return float(min(max(1.0 / excess, 1e-3), 1e6)) if excess > 0 else 1e6


def relative_risk(counts: ArrayLike, expected: ArrayLike, level: float = 0.9) -> RelativeRisk:
    """Return the gamma-Poisson posterior of each cell's relative risk (Clayton & Kaldor 1987; prior: Marshall 1991).

    Parameters
    ----------
    counts : (n,) non-negative, may be weighted.
    expected : (n,) non-negative; rescaled here so that it sums to the counts.
    level : mass of the central interval.

    Notes
    -----
    A cell with no expectation keeps the prior: mean 1 and the prior's interval.
    """
    y, e = np.asarray(counts, float), np.asarray(expected, float)
    if y.sum() <= 0 or e.sum() <= 0:
        ones = np.ones_like(y)
        return RelativeRisk(ones, np.zeros_like(y), np.full_like(y, np.inf), float("nan"))
    e = e * y.sum() / e.sum()
    k = prior_shape(y, e)
    tail = (1.0 - level) / 2.0
    low, high = gamma.ppf([[tail], [1.0 - tail]], k + y, scale=1.0 / (k + e))
    return RelativeRisk((k + y) / (k + e), low, high, k)


def empirical_bayes_rates(counts: ArrayLike, exposure: ArrayLike) -> Array:
    """Return rates shrunk towards the global rate (Marshall 1991, global estimator); NaN where there is no exposure."""
    y, x = np.asarray(counts, float), np.asarray(exposure, float)
    known = x > 0
    rates = np.full(len(y), np.nan)
    if not known.any():
        return rates
    mean, variance = _global_moments(y[known], x[known])
    weight = variance / (variance + mean / x[known]) if mean > 0 else np.zeros(int(known.sum()))
    rates[known] = weight * y[known] / x[known] + (1.0 - weight) * mean
    return rates


def _global_moments(y: Array, x: Array) -> tuple[float, float]:
    """Return Marshall's estimates of the mean and the variance of the true rates."""
    mean = y.sum() / x.sum()
    spread = (x * (y / x - mean) ** 2).sum() / x.sum()
    return float(mean), float(max(spread - mean / x.mean(), 0.0))


def standardised_rates(counts: ArrayLike, exposure: ArrayLike) -> Array:
    """Return empirical-Bayes standardised rates (Assunção & Reis 1999), 0 where there is no exposure; (n,)."""
    y, x = np.asarray(counts, float), np.asarray(exposure, float)
    known = x > 0
    z = np.zeros(len(y))
    mean, variance = _global_moments(y[known], x[known])
    scale = np.sqrt(variance + mean / x[known])
    z[known] = (y[known] / x[known] - mean) / scale if mean > 0 else 0.0
    return z


def getis_ord_gi_star(values: ArrayLike, weights: sparray) -> Array:
    """Return Gi* as standard scores, in closed form (Ord & Getis 1995, eq. 14).

    Parameters
    ----------
    values : (n,) floats.
    weights : (n, n) sparse binary weights with the diagonal.

    Returns
    -------
    (n,) z-scores; NaN where the variance is zero (a constant map, or a neighbourhood that is the whole map).
    """
    x = np.asarray(values, float)
    n, mean, deviation = len(x), x.mean(), x.std()
    row_sum = np.asarray(weights.sum(axis=1)).ravel()
    square_sum = np.asarray(weights.multiply(weights).sum(axis=1)).ravel()
    spread = deviation * np.sqrt(np.maximum(n * square_sum - row_sum**2, 0.0) / (n - 1))
    return np.where(spread > 0, (weights @ x - mean * row_sum) / np.where(spread > 0, spread, 1.0), np.nan)


def upper_tail(z: ArrayLike) -> Array:
    """Return one-sided p-values of standard scores: how often chance alone gives at least z."""
    return np.asarray(norm.sf(np.asarray(z, float)), dtype=float)


def benjamini_hochberg(p_values: ArrayLike) -> Array:
    """Return false-discovery-adjusted p-values, "q" (Benjamini & Hochberg 1995); NaN stays NaN and is not counted."""
    p = np.asarray(p_values, float)
    q = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def mann_kendall_p(series: ArrayLike) -> tuple[int, float]:
    """Return Mann's S and its two-sided p-value by the normal approximation with ties (Mann 1945; Kendall 1975)."""
    x = np.asarray(series, float)
    n = len(x)
    s = int(np.sign(x[None, :] - x[:, None])[np.triu_indices(n, 1)].sum())
    ties = np.unique(x, return_counts=True)[1].astype(float)
    variance = (n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18.0
    if variance <= 0:
        return s, 1.0
    z = (s - np.sign(s)) / np.sqrt(variance)
    return s, float(2.0 * norm.sf(abs(z)))
