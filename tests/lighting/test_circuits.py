"""One circuit or single lamps: by hand, by enumeration, by property, and on planted trips."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.sparse import csr_array

from spatial.contracts import CAUSES
from spatial.errors import ContractError
from spatial.lighting.circuit_model import CircuitParameters, ZoneEvidence
from spatial.lighting.circuits import cause_of_zone, lamps_around
from spatial.lighting.rates import CityRates, RateParameters, city_rates, panel_sizes, reporting_share
from spatial.lighting.runs import mass_of_lamps, runs_of, shortest_tree

EXACT = CircuitParameters(
    reporting_spread=np.inf, single_factors=(1.0,), delay_factors=(1.0,), burst_share=0.0, tempering=1.0
)
DEFAULT = CircuitParameters()


def street(n: int, reported: list[int], days: dict[int, float] | None = None, spacing: float = 30.0) -> ZoneEvidence:
    """Return `n` lamps in a row, some reported."""
    rows = np.arange(n - 1)
    near = csr_array((np.full(n - 1, spacing), (rows, rows + 1)), shape=(n, n))
    seen, age = np.zeros(n), np.full(n, np.nan)
    seen[reported] = 1.0
    for lamp, day in (days or {}).items():
        age[lamp] = day
    names = np.array([f"L{i:03d}" for i in range(n)], dtype=object)
    nobody = np.full(n, None, dtype=object)
    return ZoneEvidence(names, csr_array(near + near.T), seen > 0, seen, age, np.ones(n, dtype=bool), nobody)


def usual(sizes: dict[int, float], single: float = 0.1, share: float = 0.5, delay: float = 1e-6) -> CityRates:
    """Return a city's rates; ages of single lamps are spread evenly over 100 days."""
    probability = np.zeros(max(sizes))
    probability[np.array(list(sizes)) - 1] = list(sizes.values())
    return CityRates(single, share, delay, 0.02, probability, np.array([0.0, 100.0]), np.array([0.01]))


CITY = city_rates(
    np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, np.int64), np.empty(0, dtype=object), RateParameters()
)


def test_two_lamps_by_hand() -> None:
    """Nobody waits to report: (b + p - b p) / b = 0.55 / 0.1 a reported lamp, 1 - p = 0.5 one that is not."""
    two = cause_of_zone(street(2, [0, 1]), usual({2: 1.0}), EXACT)
    assert sum(two.log_odds.values()) == pytest.approx(np.log(0.02 * 2 / 2 * 5.5**2))
    assert two.log_odds["prior"] == pytest.approx(np.log(0.02))
    three = cause_of_zone(street(3, [0, 2]), usual({3: 1.0}), EXACT)
    assert sum(three.log_odds.values()) == pytest.approx(np.log(0.02 * 5.5**2 * 0.5))
    # any size: of the six runs of three lamps one holds both; panels have three lamps: all of their prior is on it
    assert three.log_odds["contiguity"] == pytest.approx(np.log(5.5**2 * 0.5 / 6))
    assert three.log_odds["size"] == pytest.approx(np.log(6))
    assert two.circuit_probability == pytest.approx(0.605 / 1.605)
    assert two.cause == "unknown"
    tempered = cause_of_zone(street(2, [0, 1]), usual({2: 1.0}), replace(EXACT, tempering=0.5))
    assert tempered.log_odds["prior"] == pytest.approx(np.log(0.02) / 2)
    assert sum(tempered.log_odds.values()) == pytest.approx(np.log(0.02 * 5.5**2) / 2)


def test_an_uncertain_snap_by_hand() -> None:
    """A report that is of this lamp with probability 0.9: 0.9 of each likelihood and 0.1 of that of no report."""
    zone = replace(street(2, [0, 1]), reported=np.array([0.9, 0.9]))
    ratio = (0.9 * 0.55 + 0.1 * 0.9 * 0.5) / (0.9 * 0.1 + 0.1 * 0.9)
    assert sum(cause_of_zone(zone, usual({2: 1.0}), EXACT).log_odds.values()) == pytest.approx(np.log(0.02 * ratio**2))


def test_a_burst_by_hand() -> None:
    """With probability 0.1 a tenth of the lamps failed together: a lamp is then reported with 0.05 + 0.95 b."""
    together = ((0.05 + 0.95 * 0.1) / 0.1) ** 2
    cause = cause_of_zone(street(2, [0, 1]), usual({2: 1.0}), replace(EXACT, burst_share=0.1, burst_failed=(0.1,)))
    assert sum(cause.log_odds.values()) == pytest.approx(np.log(0.02 * 5.5**2 / (0.9 + 0.1 * together)))


def test_a_panel_of_the_inventory_by_hand() -> None:
    """Lamps 0 and 3 are of panel A, 1 and 2 of B: only A holds two reports, and its lamps need not be neighbours."""
    zone = replace(street(4, [0, 3]), panel_id=np.array(["A", "B", "B", "A"], dtype=object))
    cause = cause_of_zone(zone, usual({2: 1.0}, single=0.01), EXACT)
    assert sum(cause.log_odds.values()) == pytest.approx(np.log(0.02 * (0.505 / 0.01) ** 2))
    assert (cause.cause, cause.panel_id, cause.members.tolist()) == ("circuit", "A", [0, 3])
    assert cause.cause_probability == pytest.approx(51.005 / 52.005)


def onset_ratio(days: dict[int, float], unreported: int, b: float, p: float, delay: float) -> float:
    """Return the likelihood ratio of a run by adaptive quadrature over the trip's age; ages of single lamps even."""

    def lamp(day: float, age: float) -> float:
        later_trip = 1 - p * (1 - np.exp(-(age - day) / delay)) if age > day else 1.0
        of_trip = p / delay * np.exp(-(age - day) / delay) if age > day else 0.0
        return (b * 0.01 * later_trip + of_trip * (1 - b * (1 - day / 100))) / (b * 0.01)

    def at(log_age: float) -> float:
        age = np.exp(log_age)
        burning = (1 - p * (1 - np.exp(-age / delay))) ** unreported
        return float(np.prod([lamp(day, age) for day in days.values()]) * burning)

    kinks = sorted({float(np.log(day)) for day in days.values()})
    low, high = np.log(0.25), np.log(365.0)
    ends = [low, *kinks, *(k + 0.5 for k in kinks), high]
    total = sum(quad(at, a, b, limit=200)[0] for a, b in zip(sorted(ends)[:-1], sorted(ends)[1:], strict=True))
    return total / (high - low)


def test_enumeration_of_all_runs_with_times() -> None:
    """Every stretch of a street of seven lamps, each integrated on its own; the grid is within 5 % of it."""
    days, sizes = {1: 20.0, 2: 17.0, 4: 19.5}, {2: 0.2, 3: 0.3, 5: 0.5}
    rates = usual(sizes, single=0.05, share=0.6, delay=5.0)
    got = cause_of_zone(street(7, [1, 2, 4], days), rates, EXACT)
    odds = 0.0
    for first, last in combinations(range(8), 2):
        inside = {lamp: day for lamp, day in days.items() if first <= lamp < last}
        size = last - first
        if len(inside) >= 2 and size in sizes:
            prior = 0.02 * 7 / rates.mean_size * sizes[size] / (8 - size)
            odds += prior * onset_ratio(inside, size - len(inside), 0.05, 0.6, 5.0)
    assert np.exp(sum(got.log_odds.values())) == pytest.approx(odds, rel=0.05)


def branching(seed: int) -> tuple[csr_array, nx.Graph]:
    """Return a random tree of nine lamps."""
    rng = np.random.default_rng(seed)
    graph = nx.Graph()
    for lamp in range(1, 9):
        graph.add_edge(int(rng.integers(max(lamp - 3, 0), lamp)), lamp, weight=float(rng.integers(20, 40)))
    return csr_array(nx.to_scipy_sparse_array(graph, nodelist=range(9), dtype=float)), graph


@pytest.mark.parametrize("seed", range(5))
def test_runs_of_a_tree_are_those_of_enumeration(seed: int) -> None:
    distance, graph = branching(seed)
    rng = np.random.default_rng(seed)
    factor, weight = rng.uniform(0.2, 9.0, (9, 4)), np.full(4, 0.25)
    member = np.arange(9) != 4
    reported = (rng.random(9) < 0.5).astype(float)
    tree = shortest_tree(distance)
    runs = runs_of(tree, factor, weight, member, reported, 6)
    expected = []
    solid = [lamp for lamp in range(9) if member[lamp]]
    for u in solid:
        expected += [frozenset(nx.shortest_path(graph, u, v)) & set(solid) for v in solid if v >= u]
        if max(dict(graph.degree).values()) > 2:
            away = nx.single_source_dijkstra_path_length(graph, u)
            rings = {frozenset(v for v in solid if away[v] <= radius) for radius in away.values()}
            expected += rings
    expected = [run for run in expected if len(run) <= 6]
    held = runs.size > 0
    ratios = [np.log((factor[list(run)].prod(axis=0) * weight).sum()) for run in expected]
    assert np.sort(runs.log_ratio[held]) == pytest.approx(np.sort(ratios))
    assert sorted(runs.size[held]) == sorted(len(run) for run in expected)
    assert sorted(runs.reported[held]) == sorted(sum(reported[list(run)]) for run in expected)
    mass = np.where(held, np.exp(runs.log_ratio), 0.0)
    lamps = [sum(np.exp(r) for run, r in zip(expected, ratios, strict=True) if lamp in run) for lamp in solid]
    assert mass_of_lamps(tree, mass)[member] == pytest.approx(lamps)


zones = st.integers(4, 14).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(st.integers(0, n - 1), min_size=2, max_size=n, unique=True),
        st.lists(st.floats(0.0, 90.0), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n),
        st.lists(st.sampled_from([None, "A", "B"]), min_size=n, max_size=n),
    )
)


def drawn(zone: tuple[int, list[int], list[float], list[bool], list[str | None]]) -> ZoneEvidence:
    n, reported, days, wired, panel = zone
    ages = {lamp: days[lamp] for lamp in reported}
    return replace(street(n, reported, ages), wired=np.array(wired), panel_id=np.array(panel, dtype=object))


@settings(max_examples=20)
@given(zones, st.randoms(use_true_random=False))
def test_parts_sum_solar_lamps_are_no_members_and_order_does_not_matter(drawn_zone, random) -> None:
    zone = drawn(drawn_zone)
    cause = cause_of_zone(zone, CITY, DEFAULT)
    assert cause.cause in CAUSES
    assert sum(cause.log_odds.values()) == pytest.approx(
        np.log(cause.circuit_probability / (1 - cause.circuit_probability)), abs=1e-9
    )
    assert zone.wired[cause.members].all()
    assert (cause.panel_id is None) == (len(cause.members) == 0) == (cause.cause != "circuit")
    order = np.array(random.sample(range(len(zone.lamp_id)), len(zone.lamp_id)))
    again = cause_of_zone(zone.ordered(order), CITY, DEFAULT)
    assert again.log_odds == pytest.approx(cause.log_odds, abs=1e-9)
    assert (again.cause, again.panel_id) == (cause.cause, cause.panel_id)
    assert set(order[again.members]) == set(cause.members)


@settings(max_examples=20)
@given(st.integers(5, 14), st.data())
def test_a_further_report_inside_the_run_does_not_lower_the_odds(n: int, data: st.DataObject) -> None:
    """Exactly so at a known rate of single lamps without bursts, whatever the age of the report."""
    reported = sorted(data.draw(st.lists(st.integers(0, n - 1), min_size=2, max_size=n - 1, unique=True)))
    days = {lamp: data.draw(st.floats(0.0, 90.0)) for lamp in reported}
    gaps = [lamp for lamp in range(reported[0], reported[-1]) if lamp not in reported]
    if not gaps:
        return
    more = data.draw(st.sampled_from(gaps))
    at = data.draw(st.one_of(st.none(), st.sampled_from(list(days.values()))))
    known = replace(DEFAULT, single_factors=(1.0,), burst_share=0.0)
    before = cause_of_zone(street(n, reported, days), CITY, known)
    further = days if at is None else days | {more: at}
    after = cause_of_zone(street(n, [*reported, more], further), CITY, known)
    assert after.circuit_probability >= before.circuit_probability - 1e-9


def test_the_inferred_id_and_members_do_not_depend_on_order() -> None:
    """A ring of lamps, all as far apart: which link the tree leaves out is decided by the ids."""
    near = csr_array(np.roll(np.eye(14) * 30.0, 1, axis=1))
    days = {lamp: 10.0 - 0.2 * lamp for lamp in range(3, 12)}
    zone = replace(street(14, list(days), days), distance_m=csr_array(near + near.T))
    order = np.random.default_rng(1).permutation(14)
    straight, shuffled = cause_of_zone(zone, CITY, DEFAULT), cause_of_zone(zone.ordered(order), CITY, DEFAULT)
    assert straight.panel_id == shuffled.panel_id == "inferred:L003"
    assert shuffled.log_odds == pytest.approx(straight.log_odds, abs=1e-9)
    assert sorted(order[shuffled.members]) == straight.members.tolist() == list(range(3, 12))


def test_solar_lamps_are_independent_whatever_is_reported() -> None:
    zone = replace(street(10, list(range(10)), dict.fromkeys(range(10), 12.0)), wired=np.zeros(10, dtype=bool))
    cause = cause_of_zone(zone, CITY, DEFAULT)
    assert (cause.cause, cause.panel_id) == ("independent", None)
    assert cause.circuit_probability < 1e-6


def test_a_circuit_next_door_is_not_the_cause() -> None:
    """A dark stretch of another zone near by: these three solar lamps are none of it."""
    days = dict.fromkeys([*range(12), 20, 21, 22], 12.0)
    zone = street(30, list(days), days)
    wired, mine = np.arange(30) < 19, np.isin(np.arange(30), [20, 21, 22])
    cause = cause_of_zone(replace(zone, wired=wired, in_zone=mine), CITY, DEFAULT)
    assert cause.cause == "independent"
    other = cause_of_zone(replace(zone, wired=wired, in_zone=np.arange(30) < 12), CITY, DEFAULT)
    assert (other.cause, other.panel_id) == ("circuit", "inferred:L000")
    assert other.members.tolist() == list(range(12))


def test_too_little_evidence_is_unknown() -> None:
    dark = replace(street(12, list(range(12))), lamps_known=False)
    assert cause_of_zone(dark, CITY, DEFAULT).cause == "unknown"
    assert cause_of_zone(replace(dark, lamps_known=True), CITY, DEFAULT).cause == "circuit"
    assert cause_of_zone(street(12, [5]), CITY, DEFAULT).cause == "unknown"


def planted(seed: int, tripped: bool) -> tuple[ZoneEvidence, set[int]]:
    """Return a street of 50 lamps: eleven on a panel that tripped ten days ago, or four that failed on their own."""
    rng = np.random.default_rng(seed)
    if tripped:
        first = int(rng.integers(5, 34))
        dark = set(range(first, first + 11))
        told = {lamp: max(10.0 - rng.exponential(2.0), 0.0) for lamp in dark if rng.random() < 0.7}
    else:
        dark = set((20 + rng.permutation(16)[:4]).tolist())
        told = {lamp: float(rng.uniform(0, 90)) for lamp in dark}
    return street(50, list(told), told), dark


def test_planted_trips_and_failures_are_told_apart() -> None:
    found = [(cause_of_zone(zone, CITY, DEFAULT), dark) for zone, dark in (planted(seed, True) for seed in range(12))]
    assert sum(cause.cause == "circuit" for cause, _ in found) >= 10
    overlap = [
        len(dark & set(cause.members.tolist())) / len(dark | set(cause.members.tolist())) for cause, dark in found
    ]
    assert np.median(overlap) >= 0.75
    single = [cause_of_zone(planted(seed, False)[0], CITY, DEFAULT).cause for seed in range(12)]
    assert single.count("circuit") <= 1


def test_reporting_share_and_panel_sizes_are_learnt() -> None:
    """Chao: of 30 incidents with one report and 20 with two, 30 * 29 / (2 * 21) are unseen."""
    counts = np.repeat([1, 2, 3], [30, 20, 10]).astype(np.int64)
    assert reporting_share(counts, RateParameters()) == pytest.approx(60 / (60 + 30 * 29 / 42))
    assert reporting_share(counts[:10], RateParameters()) == 0.5
    panels = np.repeat(np.array([f"P{i}" for i in range(200)], dtype=object), 30)
    learnt = panel_sizes(panels, RateParameters())
    assert learnt.sum() == pytest.approx(1.0)
    assert learnt[24:36].sum() > 0.7
    assert panel_sizes(np.full(9, None, dtype=object), RateParameters())[:20].sum() > 0.45


def test_lamps_around_a_zone() -> None:
    distance = street(10, []).distance_m
    panel = np.array(["A", *[None] * 8, "A"], dtype=object)
    assert lamps_around(np.array([1]), distance, panel, 60.0).tolist() == [0, 1, 2, 3]
    assert lamps_around(np.array([0]), distance, panel, 60.0).tolist() == [0, 1, 2, 9]


def test_what_is_not_as_said_is_refused() -> None:
    zone = street(3, [0, 1])
    with pytest.raises(ContractError, match=r"reported must be 0–1"):
        replace(zone, reported=np.array([0.0, 2.0, 0.0]))
    with pytest.raises(ContractError, match=r"wired is float64 of \(3,\), expected bool of \(3,\)"):
        replace(zone, wired=np.ones(3))
    with pytest.raises(ContractError, match="an id twice"):
        replace(zone, lamp_id=np.array(["a", "a", "b"], dtype=object))
    with pytest.raises(ContractError, match="symmetric"):
        replace(zone, distance_m=csr_array(np.triu(zone.distance_m.toarray())))
    with pytest.raises(ContractError, match="least_probability"):
        CircuitParameters(least_probability=0.5)
    with pytest.raises(ContractError, match="single must be float64"):
        city_rates(
            np.ones(2), np.ones(2), np.ones(3), np.ones(0, np.int64), np.empty(2, dtype=object), RateParameters()
        )
