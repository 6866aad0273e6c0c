"""Spatial autocorrelation: are neighbours more alike than chance makes them, in the whole map and around each cell?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, sparray
from scipy.stats import norm

from spatial.errors import ContractError
from spatial.hexgrid.permutations import SAME, conditional_tails, neighbours_only

Array = NDArray[np.float64]
HIGH_HIGH, LOW_HIGH, LOW_LOW, HIGH_LOW = 1, 2, 3, 4  # the cell, then its neighbours; numbered as by PySAL
_BLOCK = 4_000_000  # values permuted at a time: bounds the memory


@dataclass(frozen=True, slots=True)
class MoranI:
    """Global Moran's I and how far it is from what no autocorrelation would give.

    Attributes
    ----------
    i : about 1 where neighbours are alike, about 0 where they are unrelated, below 0 where they alternate.
    expected : -1 / (n - 1), its mean without autocorrelation.
    variance_normal, z_normal, p_normal : if the values were normal and independent; p two-sided.
    variance_random, z_random, p_random : if the values seen were dealt at random to the cells; p two-sided, by the
        normal approximation; NaN with fewer than four cells.
        z and p are NaN where I cannot vary, as where all cells are neighbours of all.
    p_permutation : the same question without the approximation; two-sided, NaN where not asked for.
    """

    i: float
    expected: float
    variance_normal: float
    z_normal: float
    p_normal: float
    variance_random: float
    z_random: float
    p_random: float
    p_permutation: float


def moran_i(
    values: Array, weights: sparray, row_standardised: bool = True, permutations: int = 0, seed: int = 0
) -> MoranI:
    """Return Moran's I with its moments under normality and under randomisation (Cliff & Ord 1981).

    Parameters
    ----------
    values : (n,) float64, finite, not constant; n at least 3.
    weights : (n, n) sparse, as in `conditional_tails`; the diagonal is left out.
    row_standardised : divide the weights of a cell's neighbours by their sum; else they are taken as given.
    permutations : maps dealt at random, for `p_permutation`; 0 for none.
    seed : of the permutations.

    Returns
    -------
    MoranI; `p_permutation` is twice the smaller tail, (1 + maps at least as extreme) / (1 + permutations), at most 1.

    Raises
    ------
    ContractError : an array or a parameter is not as said, or there are no neighbours.

    Notes
    -----
    It tells nothing of where: see `local_moran`. Rates of unequal exposure differ in variance, which I takes for
    autocorrelation where exposure is autocorrelated: standardise them first (`standardised_rates`).
    """
    around, z = _prepared(values, weights, row_standardised)
    n, s0, squares = len(z), float(around.sum()), float(z @ z)
    if s0 <= 0 or n < 3 or permutations < 0:
        raise ContractError("Moran's I needs three cells, some neighbours and permutations of at least 0")
    i, expected = n / s0 * float(z @ (around @ z)) / squares, -1.0 / (n - 1)
    by_normal, by_random = _variances(around, z)
    z_normal, z_random = _score(i, expected, by_normal), _score(i, expected, by_random)
    return MoranI(
        i=i,
        expected=expected,
        variance_normal=by_normal,
        z_normal=z_normal,
        p_normal=float(2.0 * norm.sf(abs(z_normal))),
        variance_random=by_random,
        z_random=z_random,
        p_random=float(2.0 * norm.sf(abs(z_random))),
        p_permutation=_dealt(around, z, permutations, seed) if permutations else float("nan"),
    )


def _prepared(values: Array, weights: sparray, row_standardised: bool) -> tuple[csr_array, Array]:
    """Return the weights without diagonal and the values less their mean."""
    around = neighbours_only(values, weights)
    if row_standardised and around.nnz:
        around.data = 1.0 / np.repeat(np.diff(around.indptr), np.diff(around.indptr))
    z = values - values.mean()
    if np.abs(z).max() <= SAME * np.abs(values).max():
        raise ContractError("values are constant: there is nothing to compare")
    return around, z


def _variances(around: csr_array, z: Array) -> tuple[float, float]:
    """Return the variance of I under normality and under randomisation (NaN with fewer than four cells)."""
    n, s0 = len(z), float(around.sum())
    s1 = 0.5 * float(((around + around.T).data ** 2).sum())
    s2 = float(((around.sum(axis=1) + around.sum(axis=0)) ** 2).sum())
    by_normal = (n**2 * s1 - n * s2 + 3 * s0**2) / ((n**2 - 1) * s0**2) - 1.0 / (n - 1) ** 2
    if n < 4:
        return by_normal, float("nan")
    kurtosis = float((z**4).mean() / (z**2).mean() ** 2)
    spread = n * ((n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    peaked = kurtosis * ((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
    return by_normal, (spread - peaked) / ((n - 1) * (n - 2) * (n - 3) * s0**2) - 1.0 / (n - 1) ** 2


def _score(i: float, expected: float, variance: float) -> float:
    """Return the standard score; NaN where I cannot vary, as where all cells are neighbours, but for rounding."""
    return (i - expected) / float(np.sqrt(variance)) if variance > SAME * expected**2 else float("nan")


def _dealt(around: csr_array, z: Array, permutations: int, seed: int) -> float:
    """Return the two-sided p-value of z' W z among values dealt at random to the cells."""
    rng, seen = np.random.default_rng(seed), float(z @ (around @ z))
    slack = SAME * float(np.abs(z).max()) ** 2
    at_least = at_most = 0
    block = max(_BLOCK // len(z), 1)
    for done in range(0, permutations, block):
        maps = rng.permuted(np.tile(z, (min(block, permutations - done), 1)), axis=1)
        dealt = np.einsum("ij,ji->i", maps, around @ maps.T)
        at_least += int((dealt >= seen - slack).sum())
        at_most += int((dealt <= seen + slack).sum())
    return min(1.0, 2.0 * (1 + min(at_least, at_most)) / (1 + permutations))


@dataclass(frozen=True, eq=False, slots=True)
class LocalMoran:
    """Local Moran's I of each cell; (n,) arrays.

    Attributes
    ----------
    i : float64; above 0 where the cell is like its neighbours, below 0 where it is unlike them; 0 without neighbours.
    quadrant : int64: 1 high among high, 2 low among high, 3 low among low, 4 high among low; 0 without neighbours.
        High is above the city's mean.
    p : float64, two-sided, by conditional permutation; NaN without neighbours.
    """

    i: Array
    quadrant: NDArray[np.int64]
    p: Array


def local_moran(values: Array, weights: sparray, permutations: int = 999, seed: int = 0) -> LocalMoran:
    """Return local Moran's I (Anselin 1995) with row-standardised weights, and p by conditional permutation.

    Parameters
    ----------
    values : (n,) float64, finite, not constant. weights, permutations, seed : as in `conditional_tails`.

    Returns
    -------
    LocalMoran: i = (n - 1) z mean(z of the neighbours) / sum of z², with z the values less their mean; p twice the
    smaller tail, at most 1. Many cells are asked at once: adjust p (`benjamini_hochberg`) before calling any a cluster.

    Raises
    ------
    ContractError : an array or a parameter is not as said.
    """
    around, z = _prepared(values, weights, True)
    lag, linked = around @ z, np.diff(around.indptr) > 0
    tails = conditional_tails(values, around, permutations, seed)
    high, among_high = z > 0, lag > 0
    quadrant = np.select(
        [~linked, high & among_high, ~high & among_high, ~high], [0, HIGH_HIGH, LOW_HIGH, LOW_LOW], HIGH_LOW
    )
    p = np.minimum(1.0, 2.0 * np.minimum(tails.upper, tails.lower))
    return LocalMoran((len(z) - 1) * z * lag / float(z @ z), quadrant.astype(np.int64), p)
