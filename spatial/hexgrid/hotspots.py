"""Hot spots: where incidents cluster more than chance and exposure explain, with a stated share of false ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, sparray

from spatial.contracts.arrays import check_array
from spatial.errors import ContractError
from spatial.hexgrid.permutations import conditional_tails
from spatial.hexgrid.statistics import benjamini_hochberg, getis_ord_gi_star, standardised_rates, upper_tail

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HotSpotParameters:
    """How hot spots are found.

    Attributes
    ----------
    closed_form_from : incidents expected in a neighbourhood from which its p-value is the normal tail of Gi*; below, it
        is by conditional permutation. None: always by permutation. Ours, from benchmarks/gi_null.py: on maps
        without any hot spot the closed form calls one at q <= 0.05 far more often than in 5 % of them at 100 expected
        too, since the false-discovery rate looks at the far tail, where counts are not normal.
    permutations : draws. Ours: with n cells one alone can reach q <= 0.05 only if there are 20 n of them; a million
        serve 50,000 cells and take less than a second.
    """

    closed_form_from: float | None = None
    permutations: int = 999_999


@dataclass(frozen=True, eq=False, slots=True)
class HotSpots:
    """Gi* of each cell; (n,) float64, NaN where there is no exposure.

    Attributes
    ----------
    z : Gi* as standard score (Ord & Getis 1995); NaN too where all rates are equal.
    p : one-sided, for an excess; NaN too where no neighbour has exposure, as there is nothing to permute.
    q : p adjusted for the number of cells (Benjamini & Hochberg 1995).
    expected : incidents expected in the neighbourhood, if the whole city had one rate.
    """

    z: Array
    p: Array
    q: Array
    expected: Array


def hot_spots(
    counts: Array, exposure: Array, neighbours: sparray, parameters: HotSpotParameters, seed: int
) -> HotSpots:
    """Return Gi* on empirical-Bayes standardised rates (Assunção & Reis 1999), its p-value and the adjusted one.

    Parameters
    ----------
    counts : (n,) float64 distinct incidents, at least 0. exposure : (n,) float64, at least 0, any unit.
    neighbours : (n, n) sparse 0/1 matrix of the grid disk, the diagonal included.
    seed : of the permutations.

    Returns
    -------
    HotSpots. A hot spot is a cell with q at most 0.05 or so: of the cells called so at most that share is expected to
    be false, and a city without any has one called in at most that share of cases.

    Raises
    ------
    ContractError : an array or a parameter is not as said.

    Notes
    -----
    By permutation p asks whether the neighbours are high, given the cell: a lone high cell is none, and a low cell
    amid high ones is one. It holds for any distribution of the standardised rates, so for over-dispersed counts and
    bursts of duplicates in single cells, if they are the same everywhere but for exposure; not where neighbours
    resemble each other for another reason than the incidents' cause. Cells without exposure are left out before,
    with their incidents: their certain zeros would pass for calm neighbourhoods.
    """
    _check(counts, exposure, neighbours, parameters)
    known = np.flatnonzero(exposure > 0)
    if len(known) < 2:
        return HotSpots(*(np.full(len(counts), np.nan) for _ in range(4)))
    disk = csr_array(neighbours)[known][:, known]
    y, x = counts[known], exposure[known]
    rates = standardised_rates(y, x)
    z = getis_ord_gi_star(rates, disk)
    expected = (disk @ x) * (y.sum() / x.sum())
    least = np.inf if parameters.closed_form_from is None else parameters.closed_form_from
    p, few = upper_tail(z), expected < least
    if few.any():
        p = np.where(few, conditional_tails(rates, disk, parameters.permutations, seed).upper, p)
    return HotSpots(*(_spread(values, known, len(counts)) for values in (z, p, benjamini_hochberg(p), expected)))


def _spread(values: Array, known: NDArray[np.int64], n: int) -> Array:
    all_cells = np.full(n, np.nan)
    all_cells[known] = values
    return all_cells


def _check(counts: Array, exposure: Array, neighbours: sparray, parameters: HotSpotParameters) -> None:
    n = len(counts)
    check_array("counts", counts, np.float64, (n,))
    check_array("exposure", exposure, np.float64, (n,))
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise ContractError("counts must be finite and at least 0")
    if not (np.isfinite(exposure).all() and (exposure >= 0).all()):
        raise ContractError("exposure must be finite and at least 0")
    if neighbours.shape != (n, n):
        raise ContractError(f"neighbours are {neighbours.shape}, expected {(n, n)}")
    least = parameters.closed_form_from
    if (least is not None and not least >= 0) or parameters.permutations < 1:
        raise ContractError("closed_form_from must be at least 0 and permutations at least 1")
