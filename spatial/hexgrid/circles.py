"""Kernels of the circular scan: the circles around each location and the best of them. Plain arrays, nothing checked.

`points` are (n, 2) in a plane, `expected` (n,) above 0 and sums to `total`, the number of cases; a circle holds at
most `limit` expected cases, less than `total`, and reaches at most `reach` from its centre.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
SAME = 1.0 + 1e-9  # distances and shares this close are one
_BINS = 64  # of distance, to leave out what is too far to be in a circle


@numba.njit(cache=True)
def poisson_ratio(cases: float, expected: float, total: float) -> float:  # pragma: no cover
    """Poisson log-likelihood ratio of an excess inside (Kulldorff 1997); 0 where there is none."""
    if cases <= expected:
        return 0.0
    inside = cases * np.log(cases / expected)
    outside = total - cases
    return float(inside + outside * np.log(outside / (total - expected))) if outside > 0 else float(inside)


@numba.njit(cache=True)
def circles_around(
    centre: int, points: Array, expected: Array, limit: float, reach: float
) -> tuple[Ints, Ints, Array]:  # pragma: no cover
    """Return locations by distance from a centre, how many each circle holds, and the cases expected in it.

    Locations at one distance enter together. Circles end where more than `limit` would be expected inside or a location
    would be farther than `reach`. Bins of distance leave out the far ones before the sort.
    """
    reached, distance, found = np.empty(len(points), dtype=np.int64), np.empty(len(points)), 0
    for j in range(len(points)):
        if abs(points[j, 0] - points[centre, 0]) <= reach * SAME:
            metres = np.hypot(points[j, 0] - points[centre, 0], points[j, 1] - points[centre, 1])
            if metres <= reach * SAME:
                reached[found], distance[found] = j, metres
                found += 1
    reached, distance = reached[:found], distance[:found]
    scale = _BINS / max(distance.max(), 1e-300)
    within, of_bin = np.zeros(_BINS + 1), np.empty(found, dtype=np.int64)
    for k in range(found):
        of_bin[k] = int(distance[k] * scale)
        within[of_bin[k]] += expected[reached[k]]
    chosen = np.flatnonzero(of_bin <= np.searchsorted(np.cumsum(within), limit, side="right"))
    chosen = chosen[np.argsort(distance[chosen], kind="mergesort")]
    near, distance = reached[chosen], distance[chosen]
    sizes, inside = np.empty(len(near), dtype=np.int64), np.empty(len(near))
    circles, so_far = 0, 0.0
    for k in range(len(near)):
        so_far += expected[near[k]]
        if so_far > limit:
            break
        if k + 1 < len(near) and distance[k + 1] <= distance[k] * SAME:
            continue
        sizes[circles], inside[circles] = k + 1, so_far
        circles += 1
    return near, sizes[:circles], inside[:circles]


@numba.njit(cache=True)
def highest_ratios(
    points: Array, expected: Array, limit: float, reach: float, first: NDArray[Any], replicate: NDArray[Any],
    count: NDArray[Any], total: float, replicates: int,
) -> Array:  # pragma: no cover  # fmt: skip
    """Return the largest ratio of each replicate over all circles.

    Cases come by location: those of j are at `first[j]:first[j + 1]`, `count` of them in `replicate`. The statistic
    rises with the cases at one expectation, so it is looked at only where a circle gains a case; and the logarithms
    are taken only where its upper bound, excess² (1 / 2E + 1 / (N - E)), beats the best so far.
    """
    highest = np.zeros(replicates)
    for centre in range(len(points)):
        near, sizes, inside = circles_around(centre, points, expected, limit, reach)
        cases = np.zeros(replicates)
        k = 0
        for circle in range(len(sizes)):
            e = inside[circle]
            bound = 0.5 / e + 1.0 / (total - e)
            while k < sizes[circle]:
                for at in range(first[near[k]], first[near[k] + 1]):
                    r = replicate[at]
                    cases[r] += count[at]
                    excess = cases[r] - e
                    if excess * abs(excess) * bound > highest[r]:
                        highest[r] = max(highest[r], poisson_ratio(cases[r], e, total))
                k += 1
    return highest


@numba.njit(cache=True)
def best_of_centres(
    points: Array, expected: Array, limit: float, reach: float, cases: Ints, zone: Ints, total: float
) -> tuple[Array, Ints]:  # pragma: no cover
    """Return each centre's largest ratio, and how many locations that circle holds.

    Only circles with at least half of their cases in the zone of their centre; none for centres in no zone (-1).
    """
    best, size = np.zeros(len(points)), np.zeros(len(points), dtype=np.int64)
    for centre in range(len(points)):
        if zone[centre] < 0:
            continue
        near, sizes, inside = circles_around(centre, points, expected, limit, reach)
        k, found, own = 0, 0, 0
        for circle in range(len(sizes)):
            while k < sizes[circle]:
                found += cases[near[k]]
                own += cases[near[k]] * (zone[near[k]] == zone[centre])
                k += 1
            ratio = poisson_ratio(found, inside[circle], total)
            if ratio > best[centre] and 2 * own >= found:
                best[centre], size[centre] = ratio, sizes[circle]
    return best, size
