"""A plan of repairs: which faults are visited on which day, by which crew, in which order. Plane, metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from spatial.errors import ContractError

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
EXACT_STOPS = 8  # routes up to here are the shortest there is; 2^8 · 8² steps
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class RepairParameters:
    """How much can be done: crews, and visits that each of them makes in a day (one visit per fault)."""

    crews: int = 3
    visits_per_day: int = 8


@dataclass(frozen=True, eq=False, slots=True)
class Schedule:
    """The visits; (n,) int64 each, all counted from 0: day, crew of that day, stop on the crew's route."""

    day: Ints
    crew: Ints
    stop: Ints


def schedule(relit_m: Array, points_m: Array, ids: NDArray[np.object_], parameters: RepairParameters) -> Schedule:
    """Plan one visit per fault, those first that relight most road.

    Parameters
    ----------
    relit_m : (n,) float64, at least 0: metres of dark road that a visit is expected to relight.
    points_m : (n, 2) float64, metres: where the crew goes.
    ids : (n,) unique strings; of equal metres the lower id goes first, so the order of the input has no effect.

    Returns
    -------
    Schedule. Its days minimise the metre-days of darkness, the sum over faults of metres × days until the visit: every
    visit takes one of `crews × visits_per_day` equal places, so exchanging a fault for one that relights more, on an
    earlier day, never makes it worse. Crews and routes decide only how far is driven: faults of a day are shared out
    around centres as near as capacities allow (Lloyd's rounds with an assignment at minimum cost; a local optimum),
    and a route of at most `EXACT_STOPS` stops is the shortest open path in straight lines, a longer one greedy.

    Raises
    ------
    ContractError : an array or a parameter is not as said.
    """
    n = len(ids)
    if parameters.crews < 1 or parameters.visits_per_day < 1:
        raise ContractError("crews and visits_per_day must be at least 1")
    if relit_m.shape != (n,) or points_m.shape != (n, 2) or len(set(ids.tolist())) != n:
        raise ContractError("relit_m, points_m and ids must be of (n,), (n, 2) and (n,), ids unique")
    if not (np.isfinite(relit_m).all() and (relit_m >= 0).all() and np.isfinite(points_m).all()):
        raise ContractError("relit_m must be finite and at least 0, points_m finite")
    order = np.lexsort((ids.astype(str), -relit_m))
    day, crew, stop = (np.zeros(n, dtype=np.int64) for _ in range(3))
    a_day = parameters.crews * parameters.visits_per_day
    for number, start in enumerate(range(0, n, a_day)):
        today = order[start : start + a_day]
        day[today] = number
        crew[today] = shared_out(points_m[today], parameters.crews, parameters.visits_per_day)
        for one in np.unique(crew[today]):
            own = today[crew[today] == one]
            stop[own[route(points_m[own])]] = np.arange(len(own))
    return Schedule(day, crew, stop)


def shared_out(points_m: Array, crews: int, capacity: int) -> Ints:
    """Return the crew of each point, (n,) int64, at most `capacity` points per crew; n ≤ crews × capacity."""
    n = len(points_m)
    crews = min(crews, n)
    centres = _far_apart(points_m, crews)
    crew = np.full(n, -1, dtype=np.int64)
    for _ in range(_ROUNDS):
        distance = np.hypot(*(points_m[:, None, :] - centres[None, :, :]).transpose(2, 0, 1))
        point, place = linear_sum_assignment(np.repeat(distance, capacity, axis=1))
        new = np.empty(n, dtype=np.int64)
        new[point] = place // capacity
        if (new == crew).all():
            break
        crew = new
        centres = np.array(
            [points_m[crew == c].mean(axis=0) if (crew == c).any() else centres[c] for c in range(crews)]
        )
    return crew


def _far_apart(points_m: Array, number: int) -> Array:
    """Return starting centres: the first point, then each time the point farthest from those taken."""
    taken = [0]
    for _ in range(number - 1):
        apart = np.hypot(*(points_m[:, None, :] - points_m[None, taken, :]).transpose(2, 0, 1)).min(axis=1)
        taken.append(int(np.argmax(apart)))
    return points_m[taken].copy()


def route(points_m: Array) -> Ints:
    """Return the order, (n,) int64 positions, of an open path through all points, from any of them to any other.

    The shortest there is for at most `EXACT_STOPS` points (Held & Karp 1962), else from the first to the nearest next.
    """
    n = len(points_m)
    apart = np.hypot(*(points_m[:, None, :] - points_m[None, :, :]).transpose(2, 0, 1))
    if n <= EXACT_STOPS:
        return _shortest(apart)
    path, left = [0], set(range(1, n))
    while left:
        path.append(min(left, key=lambda i: (apart[path[-1], i], i)))
        left.remove(path[-1])
    return np.array(path, dtype=np.int64)


def _shortest(apart: Array) -> Ints:
    """Held & Karp's dynamic programme: the best path through each set of stops, by its last stop."""
    n = len(apart)
    best = np.full((1 << n, n), np.inf)
    before = np.full((1 << n, n), -1, dtype=np.int64)
    best[1 << np.arange(n), np.arange(n)] = 0.0
    for stops in range(1 << n):
        for last in range(n):
            if not np.isfinite(best[stops, last]):
                continue
            for following in range(n):
                longer = stops | 1 << following
                length = best[stops, last] + apart[last, following]
                if longer != stops and length < best[longer, following]:
                    best[longer, following], before[longer, following] = length, last
    stops = (1 << n) - 1
    path = [int(np.argmin(best[stops]))]
    while len(path) < n:
        previous = int(before[stops, path[-1]])
        stops ^= 1 << path[-1]
        path.append(previous)
    return np.array(path, dtype=np.int64)
