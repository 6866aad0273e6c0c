"""Zones: identity that lasts, explanations that add up, ranks."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial.errors import ContractError
from spatial.zones import (
    Part,
    classify,
    founded_id,
    identify,
    joined_names,
    monthly_trend,
    parts_json,
    priority_rank,
    sentence,
)

NONE = pd.DataFrame({"zone_id": [], "member": []}, dtype=str)


def previous(zones: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame([(zone, m) for zone, members in zones.items() for m in members], columns=["zone_id", "member"])


def names(zones: list[str], before: dict[str, str]) -> list[tuple[str, str]]:
    found = identify("flood", [frozenset(z) for z in zones], previous(before) if before else NONE, "v2")
    return [(i.zone_id, i.change) for i in found]


def test_what_happens_to_zones() -> None:
    new = founded_id("flood", "v2", frozenset("abc"))
    assert names(["abc"], {}) == [(new, "new")]
    assert names(["abc"], {"Z": "abc"}) == [("Z", "unchanged")]
    assert names(["abcd"], {"Z": "abc"}) == [("Z", "grown")]
    assert names(["ab"], {"Z": "abc"}) == [("Z", "shrunk")]
    assert names(["abcxy"], {"Z": "abc", "Y": "xy"}) == [("Z", "merged")]
    assert names(["ab", "cde"], {"Z": "abcde"}) == [
        (founded_id("flood", "v2", frozenset("ab")), "split"),
        ("Z", "split"),
    ]
    assert names(["xy"], {"Z": "abc"}) == [(founded_id("flood", "v2", frozenset("xy")), "new")]


def test_members_gained_and_lost_by_hand() -> None:
    zones = [frozenset("bcdef"), frozenset("xy")]
    found = identify("flood", zones, previous({"Z": "abc"}), "v2")
    assert [(i.gained, i.lost) for i in found] == [(3, 1), (2, 0)]


def test_a_tie_goes_to_the_lowest_old_id() -> None:
    assert names(["abxy"], {"Y": "ab", "Z": "xy"}) == [("Y", "merged")]


partitions = st.lists(st.integers(0, 5), min_size=12, max_size=12).map(
    lambda labels: [frozenset(f"m{i:02d}" for i, x in enumerate(labels) if x == k) for k in sorted(set(labels))]
)


@given(partitions, partitions, st.randoms(use_true_random=False))
def test_ids_are_unique_and_do_not_depend_on_order(
    old: list[frozenset[str]], new: list[frozenset[str]], random
) -> None:
    first = identify("flood", old, NONE, "v1")
    before = pd.DataFrame(
        [(i.zone_id, m) for i, z in zip(first, old, strict=True) for m in z], columns=["zone_id", "member"]
    )
    found = identify("flood", new, before, "v2")
    assert len({i.zone_id for i in found}) == len(new)
    order = list(range(len(new)))
    random.shuffle(order)
    again = identify("flood", [new[k] for k in order], before.sample(frac=1, random_state=1), "v2")
    assert [found[k] for k in order] == again


@given(partitions)
def test_the_same_zones_keep_their_ids_for_ever(zones: list[frozenset[str]]) -> None:
    first = identify("lighting", zones, NONE, "v1")
    before = pd.DataFrame(
        [(i.zone_id, m) for i, z in zip(first, zones, strict=True) for m in z], columns=["zone_id", "member"]
    )
    second = identify("lighting", zones, before, "v2")
    assert [i.zone_id for i in second] == [i.zone_id for i in first]
    assert {i.change for i in second} == {"unchanged"}


def test_parts_sum_to_the_score_or_are_refused() -> None:
    parts = [Part("a", 0.25, "satu", "one"), Part("b", 0.5, "dua", "two"), Part("c", 0.0, "nol", "zero")]
    assert sum(json.loads(parts_json(parts, 0.75)).values()) == pytest.approx(0.75, abs=1e-9)
    with pytest.raises(ContractError, match="do not sum"):
        parts_json(parts, 0.75 + 1e-6)
    assert sentence(parts, 0.75, "Zona", "Zone") == (
        "Zona: skor 0,75; dua +0,50; satu +0,25.",
        "Zone: score 0.75; two +0.50; one +0.25.",
    )


def test_classes_by_hand() -> None:
    assert classify([0.0, 0.39, 0.4, 0.6, 1.0, np.nan], (0.4, 0.6)).tolist() == [
        "low",
        "low",
        "medium",
        "high",
        "high",
        None,
    ]


def test_priority_by_hand() -> None:
    """Benefit per work: 1·(1+1+0)·1/1 = 2; 0.5·(1+2+2)·1/5 = 0.5; 1·(1+0+0)·(1+ln 2)/0.5 = 3.39."""
    assert priority_rank(
        [1, 0.5, 1], [1000, 2000, np.nan], [np.nan, 2000, np.nan], [0, 0, 1], [1, 5, 0.5]
    ).tolist() == [2, 3, 1]


def test_names_are_joined_by_frequency() -> None:
    assert joined_names(["b", "a", "b", None]) == "b, a"
    assert joined_names([None]) is None


def test_trend_of_planted_series() -> None:
    as_of = pd.Timestamp("2025-12-27", tz="UTC")
    rising = pd.Series([as_of - pd.Timedelta(days=30 * k + 1) for k in range(12) for _ in range(12 - k)])
    falling = pd.Series([as_of - pd.Timedelta(days=30 * k + 1) for k in range(12) for _ in range(k + 1)])
    flat = pd.Series([as_of - pd.Timedelta(days=30 * k + 1) for k in range(12)])
    assert [monthly_trend(s, as_of) for s in (rising, falling, flat)] == ["rising", "falling", "steady"]
    assert monthly_trend(flat[:3], as_of) is None
    assert monthly_trend(flat, None) is None
