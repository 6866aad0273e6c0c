"""The space-time permutation scan: by hand, all cylinders by brute force, a planted outbreak, what chance is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import binom

from spatial.errors import ContractError
from spatial.hexgrid.circles import SAME
from spatial.hexgrid.cylinders import highest_cylinders
from spatial.hexgrid.space_time_scan import SpaceTimeParameters, space_time_scan

QUICK = SpaceTimeParameters(replicates=99)
Ints = np.ndarray


def test_by_hand_three_of_a_place_on_one_day() -> None:
    """Four places far apart, two cases each but four in place 0; three of those four on day 5, when one other happens.

    The circle of place 0 has 4 of all 10 cases, day 5 has 4 of 10: 1.6 expected, 3 seen.
    """
    location = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3, 3])
    day = np.array([5, 5, 5, 1, 5, 2, 3, 7, 4, 6])
    points = np.array([[0.0, 0.0], [9e3, 0.0], [0.0, 9e3], [9e3, 9e3]])
    first, *rest = space_time_scan(location, day, points, QUICK, 1)
    assert (first.centre, list(first.members), first.radius_m) == (0, [0], 0.0)
    assert (first.first_day, first.last_day, first.cases) == (5, 5, 3)
    assert first.expected == pytest.approx(4 * 4 / 10)
    assert first.log_likelihood_ratio == pytest.approx(3 * log(3 / 1.6) + 7 * log(7 / 8.4))
    assert all(cluster.cases >= 2 for cluster in rest)


def test_by_hand_steps_are_counted_back_from_the_last_day() -> None:
    """Weeks that end on day 20: 14–20, 7–13, and 5–6, which is what is left of the first."""
    location = np.array([0, 0, 1, 1, 1, 1])
    day = np.array([5, 6, 7, 12, 15, 20])
    points = np.array([[0.0, 0.0], [9e3, 0.0]])
    first = space_time_scan(location, day, points, replace(QUICK, step_days=7, max_steps=1), 1)[0]
    assert (first.first_day, first.last_day, first.cases) == (5, 6, 2)
    assert first.expected == pytest.approx(2 * 2 / 6)
    now = replace(QUICK, step_days=7, prospective=True, min_cases=1)
    assert space_time_scan(location, day, points, replace(now, max_steps=1), 1, last_day=27) == ()
    assert space_time_scan(np.array([0, 1, 1, 1]), np.array([20, 1, 2, 3]), points, now, 1)[0].last_day == 20


def brute_force(location: Ints, step: Ints, points: Ints, steps: int, p: SpaceTimeParameters) -> float:
    """Return the largest ratio over all cylinders: every circle by every pair's distance, every window."""
    n, distance, best = len(step), cdist(points, points), 0.0
    for row in distance:
        for radius in np.unique(row[row <= p.max_radius_m * SAME]):
            inside = (row <= radius * SAME)[location]
            if inside.sum() > p.max_case_share * n * SAME:
                continue
            for end in range(steps - 1 if p.prospective else 0, steps):
                for start in range(max(end - p.max_steps + 1, 0), end + 1):
                    during = (step >= start) & (step <= end)
                    c, e = (inside & during).sum(), inside.sum() * during.sum() / n
                    if c >= p.min_cases and c > e:
                        rest = (n - c) * log((n - c) / (n - e)) if c < n else 0.0
                        best = max(best, c * log(c / e) + rest)
    return best


def maximum(location: Ints, step: Ints, points: Ints, steps: int, p: SpaceTimeParameters) -> float:
    """Return the largest ratio as the kernel of the replicates finds it."""
    order = np.argsort(location, kind="stable")
    first = np.searchsorted(location[order], np.arange(len(points) + 1)).astype(np.int64)
    margin = np.concatenate([[0.0], np.cumsum(np.bincount(step, minlength=steps))])
    weight, limit = np.diff(first).astype(float), p.max_case_share * len(step) * SAME
    rows = step[order][None].astype(np.int32)
    shape = p.max_steps, p.prospective, p.min_cases
    return float(highest_cylinders(points, weight, limit, p.max_radius_m, first, rows, margin, *shape)[0])


cases = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 8)), min_size=1, max_size=25)
places = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=8, max_size=8)
parameters = st.builds(
    SpaceTimeParameters,
    max_radius_m=st.sampled_from([0.0, 1.5, 3.0, 99.0]),
    max_case_share=st.sampled_from([0.2, 0.5]),
    step_days=st.sampled_from([1, 2, 3]),
    max_steps=st.integers(1, 9),
    prospective=st.booleans(),
    min_cases=st.integers(1, 3),
    replicates=st.just(9),
)


@settings(max_examples=200, deadline=None)
@given(cases, places, parameters, st.integers(0, 3))
def test_the_best_cylinder_is_that_of_brute_force(
    rows: list[tuple[int, int]], where: list[tuple[int, int]], p: SpaceTimeParameters, quiet: int
) -> None:
    location, day = (np.array(column) for column in zip(*rows, strict=True))
    points, last = np.array(where, dtype=float), int(day.max()) + quiet
    step = -((last - day) // p.step_days)
    steps = 1 - int(step.min())
    best = brute_force(location, step + steps - 1, points, steps, p)
    found = space_time_scan(location, day, points, p, 1, last)
    assert (found[0].log_likelihood_ratio if found else 0.0) == pytest.approx(best, abs=1e-9)
    assert maximum(location, step + steps - 1, points, steps, p) == pytest.approx(best, abs=1e-9)
    held: set[tuple[int, int]] = set()
    for cluster in found:
        inside = np.isin(location, cluster.members) & (day >= cluster.first_day) & (day <= cluster.last_day)
        assert inside.sum() == cluster.cases >= p.min_cases
        assert cluster.radius_m <= p.max_radius_m
        holds = {(int(i), d) for i in cluster.members for d in range(cluster.first_day, cluster.last_day + 1)}
        assert not holds & held
        held |= holds


@pytest.mark.parametrize("prospective", [False, True])
def test_the_maxima_of_replicates_are_those_of_brute_force(prospective: bool) -> None:
    """Few places and many cases: the bounds that spare work are close to what they bound."""
    for seed in range(400):
        rng = np.random.default_rng(seed)
        p = replace(QUICK, max_steps=int(rng.integers(1, 5)), prospective=prospective, max_radius_m=3000.0)
        points, location, step = rng.uniform(0, 4000, (4, 2)), rng.integers(0, 4, 40), rng.integers(0, 9, 40)
        best = brute_force(location, step, points, 9, p)
        assert maximum(location, step, points, 9, p) == pytest.approx(best, abs=1e-9), seed


@settings(max_examples=15, deadline=None)
@given(cases, st.integers(0, 2**32 - 1), st.integers(-1000, 1000))
def test_neither_the_order_of_cases_nor_the_origin_matters(rows: list[tuple[int, int]], seed: int, shift: int) -> None:
    location, day = (np.array(column) for column in zip(*rows, strict=True))
    points, order = np.random.default_rng(7).uniform(0, 4000, (8, 2)), np.random.default_rng(seed).permutation(len(day))
    one = space_time_scan(location, day, points, replace(QUICK, replicates=9), 1)
    two = space_time_scan(location[order], day[order] + shift, points + 500.0, replace(QUICK, replicates=9), 1)
    assert [(c.centre, c.first_day + shift, c.cases, c.p_value) for c in one] == [
        (c.centre, c.first_day, c.cases, pytest.approx(c.p_value)) for c in two
    ]


def city(rng: np.random.Generator, n: int = 120) -> tuple[Ints, Ints, Ints]:
    """Return places, days and points of a city where some places and some days have far more cases than others."""
    points = np.random.default_rng(1).uniform(0, 8000, (40, 2))
    place, time = rng.gamma(0.5, 1.0, 40), rng.gamma(0.5, 1.0, 30)
    return rng.choice(40, n, p=place / place.sum()), rng.choice(30, n, p=time / time.sum()), points


@pytest.mark.parametrize("prospective", [False, True])
def test_chance_alone_is_called_no_more_often_than_said(prospective: bool) -> None:
    """300 cities whose places and days differ as they like, but not together."""
    p = replace(QUICK, prospective=prospective)
    monte_carlo, gumbel = [], []
    for seed in range(300):
        found = space_time_scan(*city(np.random.default_rng([seed, 5])), p, seed)
        monte_carlo.append(found[0].p_monte_carlo if found else 1.0)
        gumbel.append(found[0].p_value if found else 1.0)
    for alpha in (0.05, 0.2):
        assert (np.array(monte_carlo) <= alpha).sum() <= binom.ppf(0.9995, 300, alpha)
        assert (np.array(gumbel) <= alpha).sum() <= binom.ppf(0.9995, 300, alpha)
    assert (np.array(monte_carlo) <= 0.5).sum() >= binom.ppf(0.0005, 300, 0.4)  # nor much less often


def test_a_planted_outbreak_is_found_where_and_when_it_is() -> None:
    location, day, points = city(np.random.default_rng(2), 200)
    centre = 11
    near = np.flatnonzero(np.hypot(*(points - points[centre]).T) < 1500)
    extra = np.random.default_rng(3)
    location = np.concatenate([location, extra.choice(near, 25)])
    day = np.concatenate([day, extra.integers(17, 20, 25)])
    first, *rest = space_time_scan(location, day, points, replace(QUICK, replicates=999), 1)
    assert set(first.members) & set(near)
    assert 16 <= first.first_day <= 17 < 19 <= first.last_day <= 20
    assert first.cases >= 20
    assert first.p_monte_carlo == 1 / 1000
    assert first.p_value < 0.001
    assert all(cluster.p_monte_carlo > 0.01 for cluster in rest)
    assert all(c.last_day == 29 for c in space_time_scan(location, day, points, replace(QUICK, prospective=True), 1))


def test_duplicates_are_clusters_by_construction() -> None:
    """Why incidents go in and not reports: one case told ten times on its day is the most likely cluster."""
    location, day, points = city(np.random.default_rng(4))
    told = space_time_scan(np.append(location, [location[0]] * 9), np.append(day, [day[0]] * 9), points, QUICK, 1)
    assert location[0] in told[0].members
    assert told[0].p_monte_carlo == 1 / 100


def test_new_york_fever_has_no_cluster_below_five_percent(shared_data: Callable[[str], Path]) -> None:
    """194 cases, 192 places, prospective, 3 km and 7 days: rsatscan's example says none of its clusters has p < .05."""
    rows = pd.read_csv(shared_data("scan_statistics/csv_NYCfevercas.csv"))
    places = pd.read_csv(shared_data("scan_statistics/csv_NYCfevergeo.csv"))
    geometry = gpd.points_from_xy(places["long"], places["lat"], crs="EPSG:4326").to_crs("EPSG:32618")
    points = np.column_stack([geometry.x, geometry.y])
    location = pd.Index(places["zip"]).get_indexer(rows["zip"]).astype(np.int64)
    day = pd.to_datetime(rows["date"], format="%Y/%m/%d").to_numpy("datetime64[D]").astype(np.int64)
    assert (len(points), len(day), location.min() >= 0) == (192, 194, True)
    found = space_time_scan(location, day, points, SpaceTimeParameters(prospective=True), 1)
    assert found[0].last_day == day.max()
    assert found[0].p_monte_carlo > 0.05
    assert found[0].p_value > 0.05


def test_cities_without_cases_or_with_one() -> None:
    points, none = np.zeros((3, 2)), np.empty(0, np.int64)
    assert space_time_scan(none, none, points, QUICK, 1) == ()
    assert space_time_scan(np.array([1]), np.array([4]), points, QUICK, 1) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"location": np.ones(3)}, "location is float64"),
        ({"day": np.ones(2, np.int64)}, "day is int64 of \\(2,\\)"),
        ({"location": np.array([0, 1, 3])}, "outside 0 to 2"),
        ({"location": np.array([0, -1, 1])}, "outside 0 to 2"),
        ({"points_m": np.ones((3, 3))}, "points_m is"),
        ({"points_m": np.full((3, 2), np.nan)}, "points_m must be finite"),
        ({"parameters": SpaceTimeParameters(max_case_share=0.6)}, "max_case_share is 0.6"),
        ({"parameters": SpaceTimeParameters(max_radius_m=-1.0)}, "max_radius_m is -1.0"),
        ({"parameters": SpaceTimeParameters(max_steps=0)}, "at least 1"),
        ({"parameters": SpaceTimeParameters(replicates=1)}, "replicates at least 2"),
        ({"last_day": 6}, "last_day is 6, but a case lies on 7"),
    ],
)
def test_what_is_wrong_is_refused_by_name(change: dict[str, object], words: str) -> None:
    good = {
        "location": np.array([0, 1, 2]),
        "day": np.array([5, 6, 7]),
        "points_m": np.arange(6.0).reshape(3, 2),
        "parameters": QUICK,
    }
    space_time_scan(**good, seed=1)
    with pytest.raises(ContractError, match=words):
        space_time_scan(**good | change, seed=1)
