"""Emerging hot spots: is a hot spot new, growing, lasting, fading or gone? Esri's classes of a cell's hot months."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, sparray

from spatial.contracts.arrays import check_array
from spatial.errors import ContractError
from spatial.hexgrid.hot_classes import classify
from spatial.hexgrid.permutations import conditional_tails
from spatial.hexgrid.statistics import benjamini_hochberg, getis_ord_gi_star, standardised_rates
from spatial.hexgrid.trend import mann_kendall

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Reason = Literal["short_record", "few_incidents"]


@dataclass(frozen=True, slots=True)
class EmergingParameters:
    """How emerging hot spots are classed.

    Attributes
    ----------
    step_days, steps : length of a time step, and how many of them back from `as_of`. Ours: 30 days as in the zones'
        trend, 12 steps so that each season counts once.
    min_steps : fewer on record give no classes. Esri's least number of time steps in a cube.
    min_incidents : fewer in these steps give no classes. Ours: as few tell nothing of single months.
    lag_steps : how many steps before its own a bin looks back on, in its whole neighbourhood. Esri's default.
    level : a bin is a hot (cold) spot at q up to this. Esri's lowest confidence, 90 %, false-discovery-adjusted over
        the whole cube as Esri does.
    trend_level : a trend is one at p up to this. Esri names no number; the same 90 %.
    permutations : draws for the bins' p-values; as in `HotSpotParameters`, and for the same reason not closed form.
        Ours: a tenth of those: there are a dozen times as many bins, and a hot spot holds several of them.
    cold : give cold classes too, where no hot one fits.
    """

    step_days: float = 30.0
    steps: int = 12
    min_steps: int = 10
    min_incidents: int = 30
    lag_steps: int = 1
    level: float = 0.10
    trend_level: float = 0.10
    permutations: int = 99_999
    cold: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Emergence:
    """How each cell's hot spot develops.

    Attributes
    ----------
    classes : (n,) object: of HOT_CLASSES, COLD_CLASSES or NO_PATTERN; None without exposure, or all with a reason.
    z, q : (n, steps) float64, the steps that are classed, oldest first: Gi* of each bin and its two-sided adjusted
        p-value; NaN without exposure.
    trend_s, trend_p : (n,) Mann's S and p-value over these steps, of Gi* without lag; 0 and NaN without exposure.
    reason : why there are no classes: the record is shorter than `min_steps`, or it holds fewer than `min_incidents`.
    """

    classes: NDArray[np.object_]
    z: Array
    q: Array
    trend_s: Ints
    trend_p: Array
    reason: Reason | None


def emerging_hot_spots(
    cell: Ints,
    age_days: Array,
    record_days: float,
    exposure: Array,
    neighbours: sparray,
    parameters: EmergingParameters,
    seed: int,
) -> Emergence:
    """Return the class of each cell (Esri, "How Emerging Hot Spot Analysis works", as of ArcGIS Pro 2.8).

    Parameters
    ----------
    cell : (m,) int64, position of each distinct incident's cell, 0 to n - 1.
    age_days : (m,) float64, days before `as_of`; NaN, negative and older than the steps do not count.
    record_days : days from the first report of any category to `as_of`: months before are not empty, but unknown.
    exposure : (n,) float64, at least 0, any unit.
    neighbours : (n, n) sparse 0/1 matrix of the grid disk.
    seed : of the permutations.

    Raises
    ------
    ContractError : an array or a parameter is not as said.

    Notes
    -----
    A bin is a cell in a step with the `lag_steps` before; it is compared with the cells of the same steps (Esri's
    "individual time step"; its default compares with the whole cube), so that a wet month or a growing app does not
    make the whole city hot. Gi* is of empirical-Bayes standardised rates, and p by conditional permutation of cells,
    each with its own past: so it holds too where some cells are always higher than others, whatever their neighbours.
    Whole steps on record only; the oldest `lag_steps` of them are only looked back on. The trend is that of Gi* without
    lag: with one, two steps share reports, and trends are called by chance in a fifth of the cells at p <= 0.1, not in
    a tenth. Exposure is taken as constant over time. Cells without any incident are analysed too.
    """
    _check(cell, age_days, exposure, neighbours, parameters)
    n, lag = len(exposure), parameters.lag_steps
    steps = max(min(parameters.steps, int(record_days // parameters.step_days) - lag), 0)
    if steps < parameters.min_steps:
        return _nothing(n, steps, "short_record")
    known = np.flatnonzero(exposure > 0)
    counts = _counts(cell, age_days, n, steps + lag, parameters.step_days)[known]
    if counts[:, lag:].sum() < parameters.min_incidents or len(known) < 2:
        return _nothing(n, steps, "few_incidents")
    disk = csr_array(neighbours)[known][:, known]
    z, p, high = _bins(_with_lags(counts, lag)[:, lag:], exposure[known], disk, parameters.permutations, seed)
    q = benjamini_hochberg(p.ravel()).reshape(p.shape)
    alone = [getis_ord_gi_star(standardised_rates(step, exposure[known]), disk) for step in counts[:, lag:].T]
    trend_s, trend_p = mann_kendall(np.nan_to_num(np.column_stack(alone)))
    trend = np.where(trend_p <= parameters.trend_level, np.sign(trend_s), 0)
    called = q <= parameters.level
    found = _nothing(n, steps, None)
    found.classes[known] = classify(called & high & (z > 0), called & ~high & (z < 0), trend, parameters.cold)
    found.z[known], found.q[known] = z, q
    found.trend_s[known], found.trend_p[known] = trend_s, trend_p
    return found


def _bins(
    counts: Array, exposure: Array, disk: csr_array, permutations: int, seed: int
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return Gi* of each bin among the cells of its step, its two-sided p-value and whether its neighbours are high.

    (n, steps) each. Gi* counts the cell itself too, so a lone peak amid calm is high by z and low by p: neither.
    """
    z, upper, lower = np.empty(counts.shape), np.empty(counts.shape), np.empty(counts.shape)
    for step, column in enumerate(counts.T):
        rates = standardised_rates(column, exposure)
        tails = conditional_tails(rates, disk, permutations, seed + step)
        z[:, step], upper[:, step], lower[:, step] = getis_ord_gi_star(rates, disk), tails.upper, tails.lower
    return z, np.minimum(1.0, 2.0 * np.minimum(upper, lower)), upper < lower


def _with_lags(of_step: Array, lag_steps: int) -> Array:
    """Return each step's count plus those of the steps before it, as far as there are any."""
    total = of_step.copy()
    for lag in range(1, lag_steps + 1):
        total[:, lag:] += of_step[:, :-lag]
    return total


def _counts(cell: Ints, age_days: Array, n: int, steps: int, step_days: float) -> Array:
    """Return incidents per cell and step, oldest step first; (n, steps)."""
    inside = (age_days >= 0) & (age_days < steps * step_days)
    step = steps - 1 - (age_days[inside] // step_days).astype(np.int64)
    return np.bincount(cell[inside] * steps + step, minlength=n * steps).reshape(n, steps).astype(float)


def _nothing(n: int, steps: int, reason: Reason | None) -> Emergence:
    unknown = np.full((n, steps), np.nan)
    return Emergence(
        np.full(n, None, dtype=object), unknown, unknown.copy(), np.zeros(n, dtype=np.int64), np.full(n, np.nan), reason
    )


def _check(cell: Ints, age_days: Array, exposure: Array, neighbours: sparray, parameters: EmergingParameters) -> None:
    n = len(exposure)
    check_array("cell", cell, np.int64, (len(cell),))
    check_array("age_days", age_days, np.float64, (len(cell),))
    check_array("exposure", exposure, np.float64, (n,))
    if len(cell) and not (cell.min() >= 0 and cell.max() < n):
        raise ContractError(f"cell must be 0 to {n - 1}")
    if not (np.isfinite(exposure).all() and (exposure >= 0).all()):
        raise ContractError("exposure must be finite and at least 0")
    if neighbours.shape != (n, n):
        raise ContractError(f"neighbours are {neighbours.shape}, expected {(n, n)}")
    limits: dict[str, tuple[Any, bool]] = {
        "step_days": (parameters.step_days, parameters.step_days > 0),
        "min_steps": (parameters.min_steps, parameters.min_steps >= 2),
        "steps": (parameters.steps, parameters.steps >= parameters.min_steps),
        "lag_steps": (parameters.lag_steps, parameters.lag_steps >= 0),
        "level": (parameters.level, 0 < parameters.level < 1),
        "trend_level": (parameters.trend_level, 0 < parameters.trend_level < 1),
        "permutations": (parameters.permutations, parameters.permutations >= 1),
    }
    for name, (value, right) in limits.items():
        if not right:
            raise ContractError(f"{name} is {value!r}: out of range")
