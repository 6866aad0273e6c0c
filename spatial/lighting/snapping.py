"""Which lamp a report is about, how sure that is, and the fewest dark lamps that explain all reports.

Everything is in the plane of the city's UTM zone, metres.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from scipy.special import log_ndtr

from spatial.errors import ContractError

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
METRES_PER_DEGREE = 111_320.0  # of the equator; a degree of latitude is at most 0.7 % shorter
_EXACT = 0.01  # a rounding below a hundredth of the error changes nothing


@dataclass(frozen=True, eq=False, slots=True)
class Snapping:
    """What each report may be about.

    Attributes
    ----------
    weights : (n reports, m lamps) sparse; each row sums to 1 over the lamps within the report's reach, or is empty.
    likelihood : the same pattern, log density of the report's place were it about the lamp.
    lamp : (n,) int64, the lamp of the largest weight, -1 without any.
    probability : (n,) float64, its weight, NaN without any.
    """

    weights: csr_array
    likelihood: csr_array
    lamp: Ints
    probability: Array


def rounding_half_m(decimals: Ints, latitude_deg: Array) -> Array:
    """Return how far rounding may have moved a coordinate, metres east and north; (n, 2).

    A coordinate of d decimals of a degree is anywhere within half a unit of its last digit, as likely here as there:
    ± 5.6 m for four decimals of latitude.

    Parameters
    ----------
    decimals : (n,) ≥ 0. latitude_deg : (n,).
    """
    north = 0.5 * 10.0 ** -np.asarray(decimals, float) * METRES_PER_DEGREE
    return np.column_stack([north * np.cos(np.radians(latitude_deg)), north])


def reach_m(half_m: Array, snap_m: float, farthest_m: float) -> Array:
    """Return how far from a report its lamp may be: `snap_m`, and as much more as rounding may have moved it; (n,)."""
    return np.minimum(snap_m + np.hypot(half_m[:, 0], half_m[:, 1]), farthest_m)


def snap(
    points_m: Array, half_m: Array, sigma_m: float, lamps_m: Array, lamp_sd_m: Array, snap_m: float, farthest_m: float
) -> Snapping:
    """Weigh the lamps that each report may be about.

    The place reported is the lamp's, plus a normal error of `sigma_m` on each axis, plus the lamp's own error, then
    rounded; all lamps within reach (`reach_m`) are as likely beforehand.

    Parameters
    ----------
    points_m : (n, 2). half_m : (n, 2) half a unit of the rounded coordinate, ≥ 0.
    sigma_m : > 0.
    lamps_m : (m, 2). lamp_sd_m : (m,) ≥ 0.

    Notes
    -----
    It does not ask whether a lamp is usually reported, or which side of the road the text speaks of.

    Raises
    ------
    ContractError
        `sigma_m` not above 0, or `half_m` of another shape than `points_m`, negative or not finite.
    """
    if not sigma_m > 0:
        raise ContractError(f"sigma_m must be above 0, not {sigma_m}")
    if half_m.shape != points_m.shape or not (np.isfinite(half_m) & (half_m >= 0)).all():
        raise ContractError(f"half_m must be {points_m.shape}, finite and 0 or more")
    n, m = len(points_m), len(lamps_m)
    reach = reach_m(half_m, snap_m, farthest_m)
    found: Any = cKDTree(lamps_m).query_ball_point(points_m, reach, return_sorted=True) if m and n else [[]] * n
    counts = np.array([len(lamps) for lamps in found], dtype=np.int64)
    lamp = np.array([lamp for lamps in found for lamp in lamps], dtype=np.int64)
    report = np.repeat(np.arange(n), counts)
    sd = np.sqrt(sigma_m**2 + lamp_sd_m[lamp] ** 2)
    away = points_m[report] - lamps_m[lamp]
    log = _log_density(away[:, 0], half_m[report, 0], sd) + _log_density(away[:, 1], half_m[report, 1], sd)
    start = np.concatenate([[0], np.cumsum(counts)])
    best, probability = np.full(n, -1, dtype=np.int64), np.full(n, np.nan)
    weight = np.empty(len(lamp))
    for i in np.flatnonzero(counts):
        own = slice(start[i], start[i + 1])
        share = np.exp(log[own] - log[own].max())
        weight[own] = share / share.sum()
        best[i], probability[i] = lamp[own][np.argmax(share)], weight[own].max()
    weights, likelihood = (csr_array((values, lamp, start), shape=(n, m)) for values in (weight, log))
    return Snapping(weights, likelihood, best, probability)


def _log_density(away: Array, half: Array, sd: Array) -> Array:
    """Return the log of the normal density averaged over ± half; the normal density itself where half is next to 0."""
    exact = half < _EXACT * sd
    width = np.where(exact, 1.0, half)
    near, far = log_ndtr((width - np.abs(away)) / sd), log_ndtr((-width - np.abs(away)) / sd)
    averaged = near + np.log1p(-np.exp(far - near)) - np.log(2 * width)
    normal = -0.5 * (away / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi))
    return np.asarray(np.where(exact, normal, averaged), dtype=float)


def fewest_lamps(likelihood: csr_array, dark_share: float) -> Ints:
    """Return for each report the dark lamp that explains it, so that few dark lamps explain all; (n,), -1 for none.

    Parameters
    ----------
    likelihood : (n reports, m lamps) log densities, `Snapping.likelihood`.
    dark_share : probability that a lamp is dark and open to report, before anything is reported; in (0, 1]; with
        1 each report is of its best lamp.

    Notes
    -----
    Reports of one lamp scatter over its neighbours, so counting each report's best lamp, or adding up weights, makes
    three dark lamps of one that is reported often. Looked for is the likeliest set of dark lamps instead: one more
    dark lamp costs log((1 - dark_share) / dark_share), a report costs the log density that it loses at the dark lamp
    which explains it. With a small share this is the least number of lamps that have every report within reach. Found
    by giving up lamps: from each report's best lamp on, the lamp whose reports others explain at the least cost goes
    first, ties to the lamp of the higher position, for as long as that costs less than a dark lamp. The result is
    never more lamps than the best ones; it may miss the optimum (a lamp that is nobody's best is not tried).

    Raises
    ------
    ContractError
        `dark_share` outside (0, 1].
    """
    if not 0 < dark_share <= 1:
        raise ContractError(f"dark_share must be in (0, 1], not {dark_share}")
    price = float(np.log((1 - dark_share) / dark_share)) if dark_share < 1 else -np.inf
    costs = _costs(likelihood)
    explains = np.full(likelihood.shape[0], -1, dtype=np.int64)
    reports: dict[int, list[int]] = defaultdict(list)
    for i, row in enumerate(costs):
        if row:
            explains[i] = min(row, key=lambda lamp: (row[lamp], lamp))
            reports[int(explains[i])].append(i)
    queue = [(_to_give_up(lamp, reports, costs)[0], -lamp) for lamp in reports]
    heapq.heapify(queue)
    while queue and queue[0][0] < price:
        lamp = -heapq.heappop(queue)[1]
        cost, moves = _to_give_up(lamp, reports, costs)
        if cost >= price or (queue and (cost, -lamp) > queue[0]):  # dearer than when it was queued: costs only grow
            heapq.heappush(queue, (cost, -lamp))
            continue
        del reports[lamp]
        for i, other in moves:
            explains[i] = other
            reports[other].append(i)
    return explains


def _costs(likelihood: csr_array) -> list[dict[int, float]]:
    """Return by report what each lamp in reach costs: the log density lost against the best."""
    start, lamp, value = likelihood.indptr, likelihood.indices, likelihood.data
    rows = [slice(a, b) for a, b in pairwise(start)]
    return [
        dict(zip(lamp[r].tolist(), (value[r].max() - value[r]).tolist(), strict=True)) if r.stop > r.start else {}
        for r in rows
    ]


def _to_give_up(
    lamp: int, reports: dict[int, list[int]], costs: list[dict[int, float]]
) -> tuple[float, list[tuple[int, int]]]:
    """Return what it costs to explain a lamp's reports by other dark lamps, and by which; infinite if one cannot."""
    total, moves = 0.0, []
    for i in reports[lamp]:
        others = [other for other in costs[i] if other != lamp and other in reports]
        if not others:
            return np.inf, []
        other = min(others, key=lambda j: (costs[i][j], j))
        total += costs[i][other] - costs[i][lamp]
        moves.append((i, other))
    return total, moves
