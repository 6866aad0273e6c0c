"""Emerging hot spots: is a hot spot new, growing, lasting, fading or gone? Esri's classes of a cell's hot months."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, sparray

from spatial.errors import ContractError
from spatial.hexgrid.hot_classes import classify
from spatial.hexgrid.permutations import check_array, neighbours_only, tails_of_sums
from spatial.hexgrid.statistics import benjamini_hochberg, standardised_rates
from spatial.hexgrid.trend import mann_kendall

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Window = Literal["step", "cube"]
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
    lag_steps : how many steps before its own belong to a bin's neighbourhood. Esri's default.
    window : what a bin is compared with: `step`, its rate standardised among the cells of its own step, so that a wet
        month or a growing app does not make the whole city hot; or `cube`, among all steps, Esri's default.
    level : a bin is a hot (cold) spot at q up to this. Esri's lowest confidence, 90 %, false-discovery-adjusted over
        the whole cube as Esri does.
    trend_level : a trend is one at p up to this. Esri names no number; the same 90 %.
    permutations : draws for the bins' p-values; as in `HotSpotParameters`, and for the same reason not closed form.
    cold : give cold classes too, where no hot one fits.
    """

    step_days: float = 30.0
    steps: int = 12
    min_steps: int = 10
    min_incidents: int = 30
    lag_steps: int = 1
    window: Window = "step"
    level: float = 0.10
    trend_level: float = 0.10
    permutations: int = 999_999
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
    Gi* (Ord & Getis 1995) of empirical-Bayes standardised rates per cell and step, over the disk in the same step and
    the `lag_steps` before; p by conditional permutation among all bins. Whole steps on record only; the oldest
    `lag_steps` of them serve as neighbours and are not classed. The trend is that of Gi* without lag: with one, two
    steps share reports, and trends are called by chance in a fifth of the cells at p <= 0.1, not a tenth. Exposure is
    taken as constant over time. Cells without any incident are analysed too.
    """
    _check(cell, age_days, exposure, parameters)
    n, lag = len(exposure), parameters.lag_steps
    steps = max(min(parameters.steps, int(record_days // parameters.step_days) - lag), 0)
    if steps < parameters.min_steps:
        return _nothing(n, steps, "short_record")
    known = np.flatnonzero(exposure > 0)
    counts = _counts(cell, age_days, n, steps + lag, parameters.step_days)[known]
    if counts[:, lag:].sum() < parameters.min_incidents or len(known) < 2:
        return _nothing(n, steps, "few_incidents")
    rates, disk = _rates(counts, exposure[known], parameters.window), csr_array(neighbours)[known][:, known]
    z, p = space_time_gi_star(rates, disk, lag, parameters.permutations, seed)
    q = benjamini_hochberg(p.ravel()).reshape(p.shape)
    trend_s, trend_p = mann_kendall(np.nan_to_num(gi_star_of_cube(rates, disk, 0)[:, lag:]))
    trend = np.where(trend_p <= parameters.trend_level, np.sign(trend_s), 0)
    called = q <= parameters.level
    found = _nothing(n, steps, None)
    found.classes[known] = classify(called & (z > 0), called & (z < 0), trend, parameters.cold)
    found.z[known], found.q[known] = z, q
    found.trend_s[known], found.trend_p[known] = trend_s, trend_p
    return found


def space_time_gi_star(
    values: Array, neighbours: sparray, lag_steps: int, permutations: int, seed: int
) -> tuple[Array, Array]:
    """Return Gi* of each bin of a cube, and its two-sided p-value by conditional permutation.

    Parameters
    ----------
    values, neighbours, lag_steps : as in `gi_star_of_cube`.
    permutations, seed : as in `conditional_tails`; drawn from the other bins of all steps.

    Returns
    -------
    (n, steps - lag_steps) z and p, twice the smaller tail, at most 1, without the first `lag_steps` steps: they have
    smaller neighbourhoods, so the same excess gives a lower z, which would pass for a rise.
    """
    sums, size = _neighbourhoods(values, neighbours, lag_steps)
    tails = tails_of_sums(
        values.ravel(), (sums - values).ravel(), size.ravel().astype(np.int64) - 1, permutations, seed
    )
    p = np.minimum(1.0, 2.0 * np.minimum(tails.upper, tails.lower)).reshape(values.shape)
    return gi_star_of_cube(values, neighbours, lag_steps)[:, lag_steps:], p[:, lag_steps:]


def gi_star_of_cube(values: Array, neighbours: sparray, lag_steps: int) -> Array:
    """Return Gi* of each bin (cell and step) against the bins of all steps (Ord & Getis 1995, eq. 14).

    Parameters
    ----------
    values : (n, steps) float64, finite, oldest step first.
    neighbours : (n, n) sparse 0/1 matrix; each cell is its own neighbour too, whatever its diagonal.
    lag_steps : steps before its own in the neighbourhood of a bin, 0 to steps - 1; the first steps have fewer.

    Returns
    -------
    (n, steps) standard scores; NaN where the values are constant.
    """
    sums, size = _neighbourhoods(values, neighbours, lag_steps)
    bins, deviation = values.size, float(values.std())
    spread = deviation * np.sqrt(size * (bins - size) / (bins - 1))
    return np.where(spread > 0, (sums - values.mean() * size) / np.where(spread > 0, spread, 1.0), np.nan)


def _neighbourhoods(values: Array, neighbours: sparray, lag_steps: int) -> tuple[Array, Array]:
    """Return the sum of each bin's neighbourhood, itself included, and how many bins it holds; (n, steps) each."""
    around = neighbours_only(np.ascontiguousarray(values[:, 0]), neighbours)
    disk = csr_array((np.ones(around.nnz), around.indices, around.indptr), shape=around.shape) + eye_array(len(values))
    size = np.broadcast_to(disk.sum(axis=1)[:, None], values.shape)
    return _with_lags(disk @ values, lag_steps), _with_lags(size, lag_steps)


def _with_lags(of_step: Array, lag_steps: int) -> Array:
    """Return each step's value plus those of the steps before it, as far as there are any."""
    total = np.array(of_step, dtype=float)
    for lag in range(1, min(lag_steps, of_step.shape[1] - 1) + 1):
        total[:, lag:] += of_step[:, :-lag]
    return total


def _counts(cell: Ints, age_days: Array, n: int, steps: int, step_days: float) -> Array:
    """Return incidents per cell and step, oldest step first; (n, steps)."""
    inside = (age_days >= 0) & (age_days < steps * step_days)
    step = steps - 1 - (age_days[inside] // step_days).astype(np.int64)
    return np.bincount(cell[inside] * steps + step, minlength=n * steps).reshape(n, steps).astype(float)


def _rates(counts: Array, exposure: Array, window: Window) -> Array:
    """Return empirical-Bayes standardised rates, among the bins of one step or of all; (n, steps)."""
    if window == "step":
        return np.column_stack([standardised_rates(column, exposure) for column in counts.T])
    return standardised_rates(counts.ravel(), np.repeat(exposure, counts.shape[1])).reshape(counts.shape)


def _nothing(n: int, steps: int, reason: Reason | None) -> Emergence:
    unknown = np.full((n, steps), np.nan)
    return Emergence(
        np.full(n, None, dtype=object), unknown, unknown.copy(), np.zeros(n, dtype=np.int64), np.full(n, np.nan), reason
    )


def _check(cell: Ints, age_days: Array, exposure: Array, parameters: EmergingParameters) -> None:
    n = len(exposure)
    check_array("cell", cell, np.int64, (len(cell),))
    check_array("age_days", age_days, np.float64, (len(cell),))
    check_array("exposure", exposure, np.float64, (n,))
    if len(cell) and not (cell.min() >= 0 and cell.max() < n):
        raise ContractError(f"cell must be 0 to {n - 1}")
    if not (np.isfinite(exposure).all() and (exposure >= 0).all()):
        raise ContractError("exposure must be finite and at least 0")
    limits: dict[str, tuple[Any, bool]] = {
        "step_days": (parameters.step_days, parameters.step_days > 0),
        "min_steps": (parameters.min_steps, parameters.min_steps >= 2),
        "steps": (parameters.steps, parameters.steps >= parameters.min_steps),
        "lag_steps": (parameters.lag_steps, parameters.lag_steps >= 0),
        "window": (parameters.window, parameters.window in ("step", "cube")),
        "level": (parameters.level, 0 < parameters.level < 1),
        "trend_level": (parameters.trend_level, 0 < parameters.trend_level < 1),
    }
    for name, (value, right) in limits.items():
        if not right:
            raise ContractError(f"{name} is {value!r}: out of range")
