"""Space-time permutation scan: is there a place and a time with more incidents than the place's and the time's own
totals explain?
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial.contracts.arrays import check_array
from spatial.errors import ContractError
from spatial.hexgrid.circles import SAME, circles_around
from spatial.hexgrid.cylinders import best_of_ends, highest_cylinders
from spatial.hexgrid.scan import gumbel_p, monte_carlo_p

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_BLOCK = 20_000_000  # times simulated at once


@dataclass(frozen=True, slots=True)
class SpaceTimeParameters:
    """Which cylinders are scanned, and how often chance is tried.

    Attributes
    ----------
    max_radius_m : largest radius of a circle. 3 km, as in the analysis of fever in New York that is SaTScan's sample.
    max_case_share : largest share of all cases, at any time, in a circle (Kulldorff 1997: a half).
    step_days : days in a step of time, counted back from the last day. Ours: 1, as in that sample.
    max_steps : longest window, in steps. 7, as in that sample. The cost grows with its square.
    prospective : only windows that end on the last day: what is going on now. Else all windows.
    min_cases : fewest cases in a cylinder. 2, as in SaTScan: one case is no cluster.
    replicates : permutations under the null (Kulldorff 1997: 999).
    """

    max_radius_m: float = 3_000.0
    max_case_share: float = 0.5
    step_days: int = 1
    max_steps: int = 7
    prospective: bool = False
    min_cases: int = 2
    replicates: int = 999


@dataclass(frozen=True, eq=False, slots=True)
class SpaceTimeCluster:
    """A cylinder with more cases than expected.

    Attributes
    ----------
    centre : position of the location in its middle.
    members : (k,) positions of the locations inside, nearest first.
    radius_m : distance from the centre to the farthest member.
    first_day, last_day : of the window, both inside it.
    cases, expected : inside. `expected` is cases of the circle × cases of the window / all cases.
    log_likelihood_ratio : of the cylinder (Kulldorff et al. 2005: Poisson, as the margins are fixed).
    p_value : by the Gumbel distribution fitted to the null's maxima (Abrams, Kulldorff & Kleinman 2010).
    p_monte_carlo : (1 + maxima at least as large) / (1 + replicates): exact, never below 1 / (1 + replicates).
    """

    centre: int
    members: Ints
    radius_m: float
    first_day: int
    last_day: int
    cases: int
    expected: float
    log_likelihood_ratio: float
    p_value: float
    p_monte_carlo: float


def space_time_scan(
    location: Ints,
    day: Ints,
    points_m: Array,
    parameters: SpaceTimeParameters,
    seed: int,
    last_day: int | None = None,
) -> tuple[SpaceTimeCluster, ...]:
    """Scan all cylinders for an excess of cases (Kulldorff, Heffernan, Hartman, Assunção & Mostashari 2005).

    Parameters
    ----------
    location : (cases,) int64, position of each case in `points_m`.
    day : (cases,) int64, any origin.
    points_m : (n, 2) float64 in a plane, metres. All of them are centres, also those without a case.
    seed : of the permutations.
    last_day : the last day that was watched; without it, that of the latest case.

    Returns
    -------
    The most likely cluster, then secondary ones by falling ratio, none of which holds a location on a day that one
    before holds. Of each centre and last step only the best cylinder counts. Secondary ones that no replicate's maximum
    stays below (`p_monte_carlo` 1) are left out. Their p-values are against the maximum of all cylinders, conservative
    for secondary ones. Empty where no cylinder has an excess. The order of the cases does not matter.

    Raises
    ------
    ContractError : an array or a parameter is not as said, or a case lies nowhere or after the last day.

    Notes
    -----
    Only cases are needed, no population: the null permutes the days among the cases, so each place keeps its cases and
    each day its own. A place that always reports much, or a day on which the whole city does, is therefore no cluster;
    nor is one seen that covers most of the city, or all of the time.

    Incidents go in, not reports: several reports of one thing are near in space and time, which is what is looked for,
    so duplicates are found as clusters by construction. What also looks like a cluster: a place that begins to
    report more than before, while others do not (a campaign, a new street).

    Time grows with centres × replicates × cases in the largest circle × `max_steps`²; `step_days = 7` is the way to
    long windows.
    """
    last = _check(location, day, points_m, parameters, last_day)
    if len(day) == 0:
        return ()
    order = np.lexsort((day, location))
    steps = int((last - day.min()) // parameters.step_days) + 1
    step = (steps - 1 - (last - day[order]) // parameters.step_days).astype(np.int32)
    cases = _Cases(
        points=np.ascontiguousarray(points_m),
        weight=np.bincount(location, minlength=len(points_m)).astype(float),
        first=np.searchsorted(location[order], np.arange(len(points_m) + 1)).astype(np.int64),
        step=step,
        margin=np.concatenate([[0.0], np.cumsum(np.bincount(step, minlength=steps))]),
        limit=parameters.max_case_share * len(day) * SAME,
        parameters=parameters,
    )
    maxima = cases.null_maxima(seed)
    ends = [last - (steps - 1 - s) * parameters.step_days for s in range(steps)]
    return tuple(_cluster(cases, found, maxima, ends, int(day.min())) for found in _chosen(cases, maxima))


@dataclass(frozen=True, eq=False, slots=True)
class _Cases:
    """What the kernels take; see `cylinders.py`."""

    points: Array
    weight: Array
    first: Ints
    step: NDArray[np.int32]
    margin: Array
    limit: float
    parameters: SpaceTimeParameters

    def null_maxima(self, seed: int) -> Array:
        """Return the largest ratio over all cylinders of each replicate; (replicates,)."""
        rng, p = np.random.default_rng(seed), self.parameters
        block = max(_BLOCK // len(self.step), 1)
        maxima = []
        for done in range(0, p.replicates, block):
            drawn = rng.permuted(np.tile(self.step, (min(block, p.replicates - done), 1)), axis=1)
            maxima.append(
                highest_cylinders(
                    self.points, self.weight, self.limit, p.max_radius_m, self.first, drawn, self.margin,
                    p.max_steps, p.prospective, p.min_cases,
                )
            )  # fmt: skip
        return np.concatenate(maxima)

    def best_about(self, centre: int) -> tuple[Array, Ints, Ints]:
        """Return ratio, locations and first step of the best cylinder about a centre that ends at each step."""
        p = self.parameters
        return best_of_ends(
            centre, self.points, self.weight, self.limit, p.max_radius_m, self.first, self.step, self.margin,
            p.max_steps, p.prospective, p.min_cases,
        )  # fmt: skip

    def within(self, centre: int, size: int) -> Ints:
        """Return the locations of a circle, nearest first."""
        near: Ints = circles_around(centre, self.points, self.weight, self.limit, self.parameters.max_radius_m)[0]
        return near[:size]


@dataclass(frozen=True, eq=False, slots=True)
class _Found:
    ratio: float
    centre: int
    members: Ints
    start: int
    end: int


def _chosen(cases: _Cases, maxima: Array) -> Iterator[_Found]:
    """Yield the most likely cylinder and those after it that overlap none before."""
    found: list[tuple[float, int, int, int, int]] = []
    highest, floor = 0.0, float(maxima.min())
    for centre in range(len(cases.points)):
        best, size, start = cases.best_about(centre)
        highest = max(highest, float(best.max()))
        for end in np.flatnonzero((best > 0) & (best >= min(highest, floor))).tolist():
            found.append((-float(best[end]), centre, end, int(size[end]), int(start[end])))
    taken = np.zeros((len(cases.points), len(cases.margin) - 1), dtype=bool)
    for number, (ratio, centre, end, held, begin) in enumerate(sorted(found)):
        if number > 0 and -ratio <= floor:
            break
        members = cases.within(centre, held)
        if not taken[members, begin : end + 1].any():
            taken[members, begin : end + 1] = True
            yield _Found(-ratio, centre, members, begin, end)


def _cluster(cases: _Cases, found: _Found, maxima: Array, ends: list[int], earliest: int) -> SpaceTimeCluster:
    weight, window = cases.weight[found.members].sum(), cases.margin[found.end + 1] - cases.margin[found.start]
    steps = np.concatenate([cases.step[cases.first[j] : cases.first[j + 1]] for j in found.members])
    ratio = np.array([found.ratio])
    return SpaceTimeCluster(
        centre=found.centre,
        members=found.members,
        radius_m=float(np.hypot(*(cases.points[found.members[-1]] - cases.points[found.centre]))),
        first_day=max(ends[found.start] - cases.parameters.step_days + 1, earliest),
        last_day=ends[found.end],
        cases=int(((steps >= found.start) & (steps <= found.end)).sum()),
        expected=float(weight * window / cases.margin[-1]),
        log_likelihood_ratio=found.ratio,
        p_value=float(gumbel_p(ratio, maxima)[0]),
        p_monte_carlo=float(monte_carlo_p(ratio, maxima)[0]),
    )


def _check(location: Ints, day: Ints, points: Array, parameters: SpaceTimeParameters, last_day: int | None) -> int:
    """Return the last day, having checked what the caller gave."""
    check_array("location", location, np.int64, (len(location),))
    check_array("day", day, np.int64, (len(location),))
    check_array("points_m", points, np.float64, (len(points), 2))
    if len(location) and not 0 <= location.min() <= location.max() < len(points):
        raise ContractError(f"location holds positions outside 0 to {len(points) - 1}")
    if not np.isfinite(points).all():
        raise ContractError("points_m must be finite")
    if not 0 < parameters.max_case_share <= 0.5:
        raise ContractError(f"max_case_share is {parameters.max_case_share}, expected above 0, to 0.5")
    if not parameters.max_radius_m >= 0:
        raise ContractError(f"max_radius_m is {parameters.max_radius_m}, expected at least 0")
    if min(parameters.step_days, parameters.max_steps, parameters.min_cases) < 1 or parameters.replicates < 2:
        raise ContractError("step_days, max_steps and min_cases must be at least 1, replicates at least 2")
    last = int(day.max(initial=np.iinfo(np.int64).min)) if last_day is None else last_day
    if len(day) and day.max() > last:
        raise ContractError(f"last_day is {last}, but a case lies on {day.max()}")
    return last
