"""Rates and hot spots over cells: empirical Bayes, Gi*, false-discovery control. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import sparray
from scipy.special import gammaln
from scipy.stats import gamma, norm

Array = NDArray[np.float64]
SHAPES = 1e-2, 1e6  # least and greatest shape of the relative risks' prior
COARSE, FINE = 41, 33  # nodes of the grids over it
NEGLIGIBLE = 1e-5  # posterior mass of a node


@dataclass(frozen=True, eq=False, slots=True)
class RelativeRisk:
    """Posterior of each cell's rate relative to the city's: mean and the bounds of a central interval; (n,) floats."""

    mean: Array
    low: Array
    high: Array
    shape: float


def relative_risk(
    counts: ArrayLike, expected: ArrayLike, level: float = 0.9, prior_mean: ArrayLike = 1.0
) -> RelativeRisk:
    """Return the posterior of each cell's relative risk: gamma-Poisson (Clayton & Kaldor 1987), its spread unknown.

    Parameters
    ----------
    counts : (n,) non-negative, may be weighted.
    expected : (n,) non-negative; rescaled here so that it sums to the counts.
    level : mass of the central interval.
    prior_mean : (n,) or a number, positive: what is thought of the cells before their counts.

    Returns
    -------
    RelativeRisk, `shape` being the geometric posterior mean of k.

    Notes
    -----
    Relative risks are Gamma(k m, k) with prior mean m, hence variance m / k. One estimate of k would make the intervals
    too narrow where counts are few (by moments, Marshall 1991, a 90 % interval covers about half at 0.1 reports a
    cell), so k is averaged over its posterior: negative-binomial likelihood times a prior that is uniform in the
    shrinkage k / (k + e) of the cell of median expectation e (Christiansen & Morris 1997). The interval is that of the
    gamma distribution with the posterior's mean and variance, widened where it would not hold the mean. The city's own
    rate is taken as known, and cells as independent. A cell with no expectation keeps the prior's mean and interval,
    whatever its count.
    """
    y, e = np.asarray(counts, float), np.asarray(expected, float)
    y = np.where(e > 0, y, 0.0)  # what cannot happen tells nothing of the others
    if y.sum() <= 0 or e.sum() <= 0:
        ones = np.ones_like(y)
        return RelativeRisk(ones, np.zeros_like(y), np.full_like(y, np.inf), float("nan"))
    e = e * y.sum() / e.sum()
    m = np.broadcast_to(np.asarray(prior_mean, float), y.shape)
    shapes, weights = _posterior_of_shape(y, e, m)
    mean, square = np.zeros_like(y), np.zeros_like(y)
    for k, weight in zip(shapes, weights, strict=True):
        given = (k * m + y) / (k + e)
        mean += weight * given
        square += weight * given * (given + 1.0 / (k + e))
    variance = np.maximum(square - mean**2, 1e-12 * mean**2)
    tail = (1.0 - level) / 2.0
    low, high = gamma.ppf([[tail], [1.0 - tail]], mean**2 / variance, scale=variance / mean)
    shape = float(np.exp(weights @ np.log(shapes)))
    return RelativeRisk(mean, np.minimum(low, mean), np.maximum(high, mean), shape)


def local_relative_risk(
    counts: ArrayLike, expected: ArrayLike, neighbours: sparray, level: float = 0.9
) -> RelativeRisk:
    """Return the relative risk of each cell, shrunk towards its neighbours' (after Marshall 1991, local form).

    Parameters
    ----------
    counts, expected, level : as in `relative_risk`.
    neighbours : (n, n) sparse 0/1 weights; the diagonal is left out, so that no cell is its own neighbour.

    Returns
    -------
    RelativeRisk, relative to the whole city; `shape` tells how closely cells follow their neighbours.

    Notes
    -----
    Twice `relative_risk`: of the neighbours' sums, and then of the cells with that as prior mean. How far cells lie
    from their neighbours' estimate is learnt from the counts, the estimate's own error included; so unrelated cells are
    shrunk to the city, as by `relative_risk`, and related ones to the neighbourhood.
    """
    y, e = np.asarray(counts, float), np.asarray(expected, float)
    own = neighbours.diagonal()
    around = relative_risk(neighbours @ y - own * y, neighbours @ e - own * e).mean
    total = float(e @ around)
    prior = around * e.sum() / total if total > 0 else 1.0
    return relative_risk(y, e, level, prior)


def _posterior_of_shape(y: Array, e: Array, m: Array) -> tuple[Array, Array]:
    """Return values of k and their posterior weights, on a coarse grid and then on a fine one where that has mass."""
    coarse = np.geomspace(*SHAPES, COARSE)
    seen = np.flatnonzero(_weights_of_shapes(coarse, y, e, m) > NEGLIGIBLE)
    ends = coarse[max(seen[0] - 1, 0)], coarse[min(seen[-1] + 1, COARSE - 1)]
    fine = np.geomspace(*ends, FINE)
    return fine, _weights_of_shapes(fine, y, e, m)


def _weights_of_shapes(shapes: Array, y: Array, e: Array, m: Array) -> Array:
    """Return posterior weights, which sum to 1, of values of k that are equally spaced in log k."""
    typical, told, mean = float(np.median(e[e > 0])), y[y > 0], m[y > 0]
    fit = [
        (gammaln(k * mean + told) - gammaln(k * mean)).sum()
        - (y * np.log(k + e)).sum()
        - k * (m * np.log1p(e / k)).sum()
        for k in shapes
    ]
    log_weight = np.array(fit) + np.log(shapes) - 2.0 * np.log(shapes + typical)
    weights = np.exp(log_weight - log_weight.max())
    return np.asarray(weights / weights.sum(), dtype=float)


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
