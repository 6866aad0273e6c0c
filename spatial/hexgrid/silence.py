"""Silence: are there no reports because nothing is wrong, or because nobody reports? Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array, sparray
from scipy.stats import chi2

from spatial.errors import ContractError
from spatial.hexgrid.reporting import LOG_RATES, NODES, Cells, City, Posterior, given_block, likelihood, posterior
from spatial.hexgrid.reporting_fit import Cities, fit_city

Array = NDArray[np.float64]
Basis = Literal["repeats_and_counts", "counts", "repeats", "none"]
RATES = np.linspace(-7.0, 3.0, 81)  # nodes of log(-log(1 - rate)): reporting rates on a scale without ends
_ROWS = 2000  # cells worked on at a time


@dataclass(frozen=True, slots=True)
class SilenceParameters:
    """How silence is judged.

    Attributes
    ----------
    interval : mass of the interval of the reporting rate. 0.9, as of all intervals here.
    min_incidents : with fewer distinct incidents in the city nothing is said. Ours: below it the interval is the one
        that is believed of any city.
    misfit_p : the reports per incident are said not to fit where chance alone gives so bad a fit this rarely. Ours:
        one honest city in a thousand.
    """

    interval: float = 0.9
    min_incidents: int = 30
    misfit_p: float = 0.001


@dataclass(frozen=True, eq=False, slots=True)
class Silence:
    """What each cell's reports, and the lack of them, say about reporting.

    Attributes
    ----------
    silence : (n,) 0–1. The probability that something was wrong in the cell and nobody reported it, although not one
        report came from there: near 1, "no reports" is no good news; near 0, it is. A cell with reports is not silent:
        it has 0 (how much goes unreported there is told by `reporting_rate`). NaN where there is neither exposure nor
        a report.
    reporting_rate, low, high : (n,) 0–1. Share of the cell's incidents that are reported at all: mean of the posterior,
        and bounds of its central interval. Also of cells without reports. NaN as above.
    unreported : (n,) incidents that nobody reported, expected. NaN where there is no exposure.
    city_low, city_high : the interval of a cell of this city before anything of it is known.
    basis : what told of reporting: `repeats_and_counts`; `counts`, where no incident was reported twice, so that only
        counts per exposure tell, and only one cell against another; `repeats`, where there is no exposure; `none`.
    warnings : `too_few_incidents`: all is NaN. `no_repeats`: the source may hide them; the level of all rates is then
        a belief, not a finding. `repeats_do_not_fit`: the reports per incident are not as the model has them (repeats
        cut off or merged, or one incident told by very many): rates are then off, in all cells alike.
    repeats_seen, repeats_fitted : (4,) incidents with 1, 2, 3, 4 or more reports in the city; and as the model has
        them, NaN where it has none.
    chao_high : upper bound of the share of the city's incidents that is reported, however they differ (Chao 1987); NaN
        without repeats.
    """

    silence: Array
    reporting_rate: Array
    low: Array
    high: Array
    unreported: Array
    city_low: float
    city_high: float
    basis: Basis
    warnings: tuple[str, ...]
    repeats_seen: Array
    repeats_fitted: Array
    chao_high: float


def reporting_silence(
    by_reports: ArrayLike, exposure: ArrayLike, neighbours: sparray, parameters: SilenceParameters | None = None
) -> Silence:
    """Return the silence of each cell and the rate at which its incidents are reported.

    Parameters
    ----------
    by_reports : (n, 4) whole numbers: distinct incidents of the usable categories that were reported once, twice, three
        times, and four times or more. The last class is open so that one spectacular event cannot outweigh the rest.
    exposure : (n,) what incidents happen to (metres of road, or lamps), not negative; 0 where there is none. Where the
        city knows no exposure give zeros, not ones: else the sea is silent too.
    neighbours : (n, n) sparse, whatever is not 0 is a neighbour; the diagonal is left out.

    Raises
    ------
    ContractError
        An array is of another shape, not finite, negative, or its counts are no whole numbers; the neighbours are not
        symmetric; an interval is not between 0 and 1.

    Notes
    -----
    Model and references: `spatial.hexgrid.reporting`. That repeats tell what was never seen is the idea of
    capture–recapture with truncated counts (Sanathanan 1977; Chao 1987). What the cells of a city share is learnt from
    them and its uncertainty averaged over, so that intervals are wide where there are few repeats.

    It does not tell two different incidents that the cleaning merged from one that was reported twice, does not know
    categories (give it those whose reporting is alike), and takes the exposure to be where incidents can happen.
    """
    cells, matrix = _checked(by_reports, exposure, neighbours)
    settings = parameters or SilenceParameters()
    if not 0.0 < settings.interval < 1.0:
        raise ContractError(f"silence: interval is {settings.interval}, must be between 0 and 1")
    if cells.incidents.sum() < settings.min_incidents:
        return _nothing(cells)
    return _result(cells, _averaged(cells, matrix, fit_city(cells, matrix)), settings)


def _checked(by_reports: ArrayLike, exposure: ArrayLike, neighbours: sparray) -> tuple[Cells, csr_array]:
    counts, x = np.asarray(by_reports, float), np.asarray(exposure, float)
    n = len(x) if x.ndim == 1 else -1
    if counts.shape != (n, 4):
        raise ContractError(f"silence: by_reports has shape {counts.shape} and exposure {x.shape}, not (n, 4) and (n,)")
    if neighbours.shape != (n, n):
        raise ContractError(f"silence: neighbours have shape {neighbours.shape}, not {(n, n)}")
    if not (np.isfinite(counts).all() and (counts >= 0).all() and (counts == np.round(counts)).all()):
        raise ContractError("silence: by_reports must be whole numbers, not negative")
    if not (np.isfinite(x).all() and (x >= 0).all()):
        raise ContractError("silence: exposure must be finite and not negative")
    near = csr_array(neighbours != 0, dtype=np.float32)
    near = csr_array(near - diags_array(near.diagonal()), dtype=np.float32)
    near.eliminate_zeros()
    if (near != near.T).nnz:
        raise ContractError("silence: neighbours are not symmetric")
    return Cells(counts, x, bool(counts[:, 1:].any())), near


def _nothing(cells: Cells) -> Silence:
    nan, four = np.full(len(cells.exposure), np.nan), np.full(4, np.nan)
    seen = cells.by_reports.sum(axis=0)
    return Silence(
        nan, nan, nan, nan, nan, np.nan, np.nan, "none", ("too_few_incidents",), seen, four, chao_bound(seen)
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Average:
    """What the points of the city's posterior give on average; `spread` and `of_city` are distributions over RATES."""

    rate: Array
    silent: Array
    unreported: Array
    spread: Array
    of_city: Array
    fitted: Array


def _averaged(cells: Cells, neighbours: csr_array, cities: Cities) -> _Average:
    n, y = len(cells.exposure), cells.incidents
    mean = _Average(np.zeros(n), np.zeros(n), np.zeros(n), np.zeros((n, len(RATES))), np.zeros(len(RATES)), np.zeros(4))
    for city, weight in zip(cities.points, cities.weights, strict=True):
        onto, shares = _onto_rates(city), np.exp(city.log_shares()).T
        mean.of_city[:] += weight * (city.block_prior().sum(axis=1) @ city.within_block()) @ onto
        for rows in np.split(np.arange(n), range(_ROWS, n, _ROWS)):
            part = _posterior(cells, rows, neighbours, city)
            mean.rate[rows] += weight * part.log_rates @ city.reported()
            mean.silent[rows] += weight * part.silent
            mean.unreported[rows] += weight * part.unreported
            mean.spread[rows] += weight * part.log_rates @ onto
            mean.fitted[:] += weight * y[rows] @ (part.log_rates @ shares)
    return mean


def _result(cells: Cells, mean: _Average, settings: SilenceParameters) -> Silence:
    known, seen = cells.exposure > 0, cells.by_reports.sum(axis=0)
    told = known | (cells.incidents > 0)
    tails = (1.0 - settings.interval) / 2.0, (1.0 + settings.interval) / 2.0
    low, high = _quantiles(mean.spread, tails)
    of_city = [float(v[0]) for v in _quantiles(mean.of_city[None], tails)]
    return Silence(
        silence=np.where(told, mean.silent, np.nan),
        reporting_rate=np.where(told, mean.rate, np.nan),
        low=np.where(told, np.minimum(low, mean.rate), np.nan),
        high=np.where(told, np.maximum(high, mean.rate), np.nan),
        unreported=np.where(known, mean.unreported, np.nan),
        city_low=of_city[0],
        city_high=of_city[1],
        basis=_basis(cells),
        warnings=_warnings(cells, seen, mean.fitted, settings),
        repeats_seen=seen,
        repeats_fitted=mean.fitted if cells.uses_repeats else np.full(4, np.nan),
        chao_high=chao_bound(seen),
    )


def _posterior(cells: Cells, rows: NDArray[np.int64], neighbours: csr_array, city: City) -> Posterior:
    """Return the posterior of the cells at `rows`, from them and their neighbours alone."""
    near = neighbours[rows]
    others = np.unique(near.indices)
    table = likelihood(cells.take(others), city)[0]
    told = given_block(table, city).reshape(len(others), LOG_RATES.size * NODES.size)
    around = (near[:, others] @ told).reshape(len(rows), *table.shape[1:])
    mine = cells.take(rows)
    return posterior(mine, likelihood(mine, city)[0], around, city)


def _onto_rates(city: City) -> Array:
    """Return the matrix that takes a distribution over LOG_RATES to one over RATES; (49, 81), rows sum to 1."""
    place = (np.log(-np.log1p(-city.reported())) - RATES[0]) / (RATES[1] - RATES[0])
    place = np.clip(place, 0.0, len(RATES) - 1.001)
    left, rows = place.astype(np.int64), np.arange(len(LOG_RATES))
    matrix = np.zeros((len(LOG_RATES), len(RATES)))
    matrix[rows, left] = 1.0 - (place - left)
    matrix[rows, left + 1] = place - left
    return matrix


def _quantiles(spread: Array, tails: tuple[float, float]) -> list[Array]:
    """Return quantiles of distributions over RATES, (n, 81), each node holding the half step on both sides of it."""
    half = (RATES[1] - RATES[0]) / 2.0
    edges = np.append(RATES - half, RATES[-1] + half)
    below = np.pad(np.cumsum(spread, axis=1), ((0, 0), (1, 0)))
    below /= below[:, -1:]
    return [-np.expm1(-np.exp([np.interp(tail, row, edges) for row in below])) for tail in tails]


def _basis(cells: Cells) -> Basis:
    if not (cells.exposure > 0).any():
        return "repeats" if cells.uses_repeats else "none"
    return "repeats_and_counts" if cells.uses_repeats else "counts"


def _warnings(cells: Cells, seen: Array, fitted: Array, settings: SilenceParameters) -> tuple[str, ...]:
    if not cells.uses_repeats:
        return ("no_repeats",)
    return ("repeats_do_not_fit",) if misfit_p(seen, fitted) < settings.misfit_p else ()


def misfit_p(seen: Array, fitted: Array) -> float:
    """Return how often chance gives so bad a fit of incidents by reports: Pearson's chi-square, one degree of freedom.

    Four classes with one total, their mean and their spread fitted, leave one.
    """
    statistic = float(((seen - fitted) ** 2 / np.maximum(fitted, 1e-9)).sum())
    return float(chi2.sf(statistic, 1))


def chao_bound(seen: ArrayLike) -> float:
    """Return an upper bound of the share of incidents that are reported (Chao 1987), bias-corrected; NaN without any.

    With f1 incidents reported once and f2 twice, at least f1 (f1 - 1) / (2 (f2 + 1)) were never reported.
    """
    f = np.asarray(seen, float)
    if f[1:].sum() == 0:
        return float("nan")
    return float(f.sum() / (f.sum() + f[0] * (f[0] - 1.0) / (2.0 * (f[1] + 1.0))))
