"""Kernels of the space-time permutation scan: circles times windows of time. Plain arrays, nothing checked.

`points` are (n, 2) in a plane, `weight` (n,) the cases of each location over all time. Cases are in the order of their
locations: those of j are at `first[j]:first[j + 1]`. `margin` (steps + 1,) holds the cases before each step, so that
`margin[-1]` is their total. A cylinder is a circle (see `circles.py`) from a first step to a last, at most `longest`
steps; with `only_last` it ends at the last step of all.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from spatial.hexgrid.circles import circles_around, poisson_ratio

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@numba.njit(cache=True)
def _beats(cases: float, expected: float, total: float, ratio: float) -> bool:  # pragma: no cover
    """Return whether the ratio of a cylinder can be above another: by a bound without logarithms.

    It is excess² (1 / 2E + 1 / (N - E)), multiplied out.
    """
    excess = cases - expected
    return excess * abs(excess) * 0.5 * (total + expected) > ratio * expected * (total - expected)


@numba.njit(cache=True)
def _sum(counts: Ints, start: int, stop: int) -> int:  # pragma: no cover
    """Return the sum of `counts[start:stop]`; a loop, as a slice costs more than so few additions."""
    cases = 0
    for step in range(start, min(stop, len(counts))):
        cases += counts[step]
    return cases


@numba.njit(cache=True)
def _highest_about(
    step: int, counts: Ints, margin: Array, weight: float, longest: int, only_last: bool, least: int, highest: float
) -> float:  # pragma: no cover
    """Return the largest ratio, or `highest` if that is larger, of one circle's windows that hold a step.

    A start is looked at only where the most cases that a window from it can hold would beat `highest` at the fewest
    that one expects: three times as fast as looking at all.
    """
    last, total = len(counts) - 1, margin[-1]
    scale = weight / total
    before, after = 0, _sum(counts, step + 1, step + longest)
    for start in range(step, max(step - longest, -1), -1):
        before += counts[start]
        if start + longest <= last:
            if only_last:
                break
            after -= counts[start + longest] if start < step else 0
        first = last if only_last else step
        if not _beats(before + after, scale * (margin[first + 1] - margin[start]), total, highest):
            continue
        cases = before - counts[step] + _sum(counts, step, first)
        for end in range(first, min(start + longest, last + 1)):
            cases += counts[end]
            expected = scale * (margin[end + 1] - margin[start])
            if cases >= least and _beats(cases, expected, total, highest):
                highest = max(highest, poisson_ratio(cases, expected, total))
    return highest


@numba.njit(cache=True)
def highest_cylinders(
    points: Array, weight: Array, limit: float, reach: float, first: Ints, step: NDArray[Any], margin: Array,
    longest: int, only_last: bool, least: int,
) -> Array:  # pragma: no cover  # fmt: skip
    """Return the largest ratio of each replicate over all cylinders with at least `least` cases.

    `step` is (replicates, cases): when each case happens in it. As places and times keep their sums, what a cylinder
    expects is the same in all replicates, and only a window that gains a case can beat the best so far.
    """
    replicates, steps = len(step), len(margin) - 1
    highest = np.zeros(replicates)
    counts = np.zeros(steps, dtype=np.int64)
    gained = np.empty(step.shape[1], dtype=np.int64)
    for centre in range(len(points)):
        near, sizes, inside = circles_around(centre, points, weight, limit, reach)
        for r in range(replicates):
            counts[:] = 0
            k = 0
            for circle in range(len(sizes)):
                gains = 0
                while k < sizes[circle]:
                    for case in range(first[near[k]], first[near[k] + 1]):
                        when = step[r, case]
                        counts[when] += 1
                        if only_last and when + longest < steps:
                            continue
                        if gains == 0 or gained[gains - 1] != when:
                            gained[gains] = when
                            gains += 1
                    k += 1
                for g in range(gains):
                    highest[r] = _highest_about(
                        gained[g], counts, margin, inside[circle], longest, only_last, least, highest[r]
                    )
    return highest


@numba.njit(cache=True)
def best_of_ends(
    centre: int, points: Array, weight: Array, limit: float, reach: float, first: Ints, step: NDArray[Any],
    margin: Array, longest: int, only_last: bool, least: int,
) -> tuple[Array, Ints, Ints]:  # pragma: no cover  # fmt: skip
    """Return the largest ratio of the cylinders about a centre that end at each step, their locations and first step.

    `step` is (cases,). Each array is (steps,); the ratio is 0 where no cylinder has an excess.
    """
    steps, total = len(margin) - 1, margin[-1]
    best = np.zeros(steps)
    size, begin = np.zeros(steps, dtype=np.int64), np.zeros(steps, dtype=np.int64)
    counts = np.zeros(steps, dtype=np.int64)
    near, sizes, inside = circles_around(centre, points, weight, limit, reach)
    k = 0
    for circle in range(len(sizes)):
        while k < sizes[circle]:
            for case in range(first[near[k]], first[near[k] + 1]):
                counts[step[case]] += 1
            k += 1
        for end in range(steps - 1 if only_last else 0, steps):
            cases = 0
            for start in range(end, max(end - longest, -1), -1):
                cases += counts[start]
                expected = inside[circle] * (margin[end + 1] - margin[start]) / total
                if cases >= least and _beats(cases, expected, total, best[end]):
                    ratio = poisson_ratio(cases, expected, total)
                    if ratio > best[end]:
                        best[end], size[end], begin[end] = ratio, sizes[circle], start
    return best, size, begin
