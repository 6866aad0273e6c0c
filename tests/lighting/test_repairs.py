"""Plans of repairs against every plan there is."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial.errors import ContractError
from spatial.lighting.repairs import EXACT_STOPS, RepairParameters, route, schedule, shared_out


def names(n: int) -> np.ndarray:
    return np.array([f"fault-{i:02d}" for i in range(n)], dtype=object)


def darkness(metres: np.ndarray, day: np.ndarray) -> float:
    """Metre-days until the visit; the first day counts as one."""
    return float((metres * (day + 1)).sum())


def length(points: np.ndarray, order: np.ndarray) -> float:
    return float(np.hypot(*np.diff(points[list(order)], axis=0).T).sum())


def test_a_panel_goes_before_single_lamps_and_a_full_day_ends() -> None:
    metres = np.array([30.0, 330.0, 30.0, 60.0, 30.0])
    points = np.array([[0.0, 0.0], [1000.0, 0.0], [10.0, 0.0], [990.0, 0.0], [500.0, 0.0]])
    found = schedule(metres, points, names(5), RepairParameters(crews=2, visits_per_day=1))
    assert found.day.tolist() == [1, 0, 1, 0, 2]
    assert set(found.crew[found.day == 0].tolist()) == {0, 1}
    assert found.stop.tolist() == [0] * 5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(1, 2), st.integers(1, 2))
def test_no_plan_leaves_fewer_metre_days_dark(tens: list[int], crews: int, visits: int) -> None:
    metres = 10.0 * np.array(tens)
    n, a_day = len(metres), crews * visits
    found = schedule(metres, np.zeros((n, 2)), names(n), RepairParameters(crews, visits))
    least = min(darkness(metres[list(order)], np.arange(n) // a_day) for order in permutations(range(n)))
    assert darkness(metres, found.day) == pytest.approx(least)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=6))
def test_a_route_is_the_shortest_of_all_orders(places: list[tuple[int, int]]) -> None:
    points = np.array(places, dtype=float)
    order = route(points)
    assert sorted(order.tolist()) == list(range(len(points)))
    least = min(length(points, np.array(other)) for other in permutations(range(len(points))))
    assert length(points, order) == pytest.approx(least)


def test_a_long_route_takes_every_stop_once() -> None:
    points = np.random.default_rng(1).uniform(0, 1000, (EXACT_STOPS + 5, 2))
    assert sorted(route(points).tolist()) == list(range(len(points)))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 10**6), st.data())
def test_every_fault_is_visited_once_within_the_crews_days(crews: int, visits: int, seed: int, data) -> None:
    n = data.draw(st.integers(0, 30))
    rng = np.random.default_rng(seed)
    metres, points = rng.integers(0, 5, n) * 30.0, rng.uniform(0, 1000, (n, 2))
    parameters = RepairParameters(crews, visits)
    found = schedule(metres, points, names(n), parameters)
    places = set(zip(found.day.tolist(), found.crew.tolist(), found.stop.tolist(), strict=True))
    assert len(places) == n
    assert (found.crew < crews).all()
    assert (found.stop < visits).all()
    assert found.day.max(initial=-1) + 1 == -(-n // (crews * visits))
    turned = rng.permutation(n)
    again = schedule(metres[turned], points[turned], names(n)[turned], parameters)
    for name in ("day", "crew", "stop"):
        assert getattr(again, name).tolist() == getattr(found, name)[turned].tolist()


def test_crews_keep_to_their_part_of_town() -> None:
    west, east = np.zeros((4, 2)), np.full((4, 2), 5000.0)
    crew = shared_out(np.vstack([west, east]) + np.arange(16).reshape(8, 2), 2, 4)
    assert len(set(crew[:4].tolist())) == len(set(crew[4:].tolist())) == 1
    assert crew[0] != crew[4]


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ContractError, match="at least 1"):
        schedule(np.zeros(1), np.zeros((1, 2)), names(1), RepairParameters(crews=0))
    with pytest.raises(ContractError, match="ids unique"):
        schedule(np.zeros(2), np.zeros((2, 2)), np.array(["a", "a"], dtype=object), RepairParameters())
    with pytest.raises(ContractError, match="at least 0"):
        schedule(np.array([-1.0]), np.zeros((1, 2)), names(1), RepairParameters())
