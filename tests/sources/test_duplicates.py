"""Duplicates: cases that can be counted by hand, a plain second version of the rule, labelled pairs of Jakarta."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial.errors import ContractError
from spatial.sources.cleaning import CleaningParameters
from spatial.sources.duplicates import duplicates, text_vectors

P = CleaningParameters()
MELATI = "Banjir di Jalan Melati depan sekolah"
KENANGA = "Air tinggi, gang Kenanga"
OTHERS = ("Jalan Mawar", "Simpang Anggrek", "Blok Dahlia")


def first_of(
    points: list[tuple[float, float]],
    days: list[float],
    texts: list[str | None] | None = None,
    category: str | list[str] = "flood",
    order: list[str] | None = None,
    parameters: CleaningParameters = P,
) -> list[int]:
    n = len(points)
    names = [category] * n if isinstance(category, str) else category
    ids = [f"{i:05d}" for i in range(n)] if order is None else order
    found = duplicates(np.array(points, float).reshape(n, 2), names, np.array(days, float), ids, parameters, texts)
    return [int(i) for i in found]


def test_without_texts_a_report_within_20_m_and_14_days_of_a_first_one_repeats_it() -> None:
    assert first_of([(0, 0), (19.9, 0), (0, 20.1)], [0, 13.9, 13.9]) == [0, 0, 2]
    assert first_of([(0, 0), (0, 0)], [0, 14.1]) == [0, 1]
    assert first_of([(0, 0), (0, 0)], [0, 0], category=["flood", "waste"]) == [0, 1]


def test_of_two_first_reports_in_reach_the_nearer_is_joined() -> None:
    assert first_of([(0, 0), (35, 0), (18, 0)], [0, 0, 0]) == [0, 1, 1]


@pytest.mark.parametrize("way", [(1, 0), (-1, 0), (0, 1), (0, -1)])
@pytest.mark.parametrize("start", [(0.0, 0.0), (13.0, 7.0), (-5.0, 19.0)])
def test_of_two_first_reports_as_near_the_earlier_is_joined_wherever_they_lie(
    way: tuple[int, int], start: tuple[float, float]
) -> None:
    ends = [(start[0] + m * way[0], start[1] + m * way[1]) for m in (0, 32, 16)]
    assert first_of(ends, [0, 0, 0.5]) == [0, 1, 0]
    assert first_of(ends, [0, 0, 0.5], order=["b", "a", "c"]) == [0, 1, 1]


@pytest.mark.parametrize("angle", range(0, 360, 15))
def test_reach_is_the_same_in_every_direction(angle: int) -> None:
    x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    for start in (0.0, 9.9, 19.9):
        near = [(start, start), (start + 19.9 * x, start + 19.9 * y), (start + 41 * x, start + 41 * y)]
        assert first_of(near, [0, 1, 2]) == [0, 0, 2]


def test_chains_of_near_reports_do_not_grow_into_one_incident() -> None:
    assert first_of([(15 * i, 0) for i in range(7)], [0] * 7) == [0, 0, 2, 2, 4, 4, 6]
    told = first_of([(70 * i, 0) for i in range(5)], [0] * 5, [MELATI] * 5)
    assert told == [0, 0, 2, 2, 4]


def test_other_words_are_evidence_and_not_a_veto() -> None:
    """5 m and an hour apart is one incident whatever is said; 15 m and ten days apart is not, with other streets."""
    assert first_of([(0, 0), (5, 0)], [0, 1 / 24], [MELATI, KENANGA]) == [0, 0]
    assert first_of([(0, 0), (15, 0)], [0, 10], [MELATI, KENANGA]) == [0, 1]
    assert first_of([(0, 0), (15, 0)], [0, 10], [MELATI, MELATI]) == [0, 0]
    assert first_of([(0, 0), (15, 0)], [0, 10], [MELATI, None]) == [0, 0]


@pytest.mark.parametrize("metres", [30.0, 60.0, 99.0, 101.0])
def test_like_words_join_floods_to_100_m_and_nothing_else_beyond_20_m(metres: float) -> None:
    points, days = [(0.0, 0.0), (metres, 0.0)], [0.0, 0.1]
    assert first_of(points, days, [MELATI, MELATI]) == ([0, 0] if metres < 100 else [0, 1])
    assert first_of(points, days, [MELATI, None]) == [0, 1]
    assert first_of(points, days, [MELATI, MELATI], "street_light") == [0, 1]
    narrow = replace(P, duplicate_text_distance_m=20.0)
    assert first_of(points, days, [MELATI, MELATI], parameters=narrow) == [0, 1]


def test_of_two_first_reports_that_may_be_meant_the_one_in_like_words_is_joined() -> None:
    texts = [KENANGA, MELATI, MELATI]
    assert first_of([(0, 0), (45, 0), (12, 0)], [0, 0, 0.01], texts) == [0, 1, 1]


def test_the_probability_is_the_logistic_of_the_stated_odds() -> None:
    """At 10 m and no time apart with no word in common: 1.5 - 1 x ln 2 = 0.807, probability 0.6914."""
    chosen = replace(P, duplicate_odds_base=1.5, duplicate_odds_distance=1.0)
    for least, joined in ((0.69, [0, 0]), (0.693, [0, 1])):
        limit = replace(chosen, duplicate_probability=least)
        assert first_of([(0, 0), (10, 0)], [0, 0], [MELATI, KENANGA], parameters=limit) == joined


def test_time_counts_in_logarithms_of_hours() -> None:
    """One day apart, no word in common, same place: 2 - 0.5 x ln 25 = 0.391; at two days 2 - 0.5 x ln 49 = 0.054."""
    chosen = replace(P, duplicate_odds_base=2.0, duplicate_odds_time=0.5)
    limit = replace(chosen, duplicate_probability=1 / (1 + math.exp(-0.2)))
    assert first_of([(0, 0), (0, 0)], [0, 1], [MELATI, KENANGA], parameters=limit) == [0, 0]
    assert first_of([(0, 0), (0, 0)], [0, 2], [MELATI, KENANGA], parameters=limit) == [0, 1]


def test_reports_without_a_time_are_compared_with_each_other_alone() -> None:
    nan = float("nan")
    assert first_of([(0, 0)] * 3, [nan, 0, nan]) == [0, 1, 0]
    assert first_of([(0, 0)] * 2, [nan, nan], [MELATI, MELATI]) == [0, 0]
    assert first_of([(12, 0), (0, 0)], [nan, nan], [MELATI, KENANGA]) == [0, 1]  # 14 days may lie between them


def test_likeness_is_the_cosine_of_tf_idf() -> None:
    """idf is ln((1 + n) / (1 + texts with the word)) + 1: 1.2877 for melati, 1.6931 for mawar."""
    vectors, told = text_vectors(["jalan melati", "jalan mawar", "jalan melati"], 1.0)
    likeness = (vectors @ vectors.T).toarray()
    melati, mawar = math.log(4 / 3) + 1, math.log(4 / 2) + 1
    assert likeness[0, 1] == pytest.approx(1 / math.hypot(1, melati) / math.hypot(1, mawar))
    assert likeness[0, 2] == pytest.approx(1.0)
    assert told.all()


def test_stems_numbers_handles_and_addresses() -> None:
    pairs = (
        ("jalan tergenang", "genangan jalan"),
        ("RT08 mawar", "rt 8 MAWAR"),
        ("mawar @akun https://x.example/1?b=banjir", "[telepon] mawar"),
        ("café", "cafe"),
    )
    for a, b in pairs:
        vectors, _ = text_vectors([a, b], 1.0)
        assert (vectors @ vectors.T).toarray()[0, 1] == pytest.approx(1.0), (a, b)


def test_words_of_the_matter_are_no_evidence_of_the_place() -> None:
    """A sentence that an app proposes says nothing: space and time decide, as where there is no text."""
    texts: list[str | None] = ["Lampu jalan mati"] * 30 + [f"Lampu jalan mati depan rumah {name}" for name in OTHERS]
    vectors, told = text_vectors(texts, 0.05)
    assert not told[:30].any()
    assert told[30:].all()
    likeness = (vectors @ vectors.T).toarray()[30:, 30:]
    assert likeness[0, 1] < 0.6
    apart = [(1000.0 * i, 0.0) for i in range(33)]
    apart[1] = (40.0, 0.0)
    assert first_of(apart, [0.0] * 33, texts) == list(range(33))


def test_words_in_ten_reports_or_fewer_are_compared_in_a_small_city() -> None:
    assert text_vectors(["mawar"] * 10, 0.0)[1].all()
    assert not text_vectors(["mawar"] * 11, 0.0)[1].any()


def test_texts_that_say_nothing() -> None:
    vectors, told = text_vectors([None, "", "@akun", "yang di", "!!"], 0.05)
    assert not told.any()
    assert vectors.nnz == 0
    assert text_vectors([], 0.05)[0].shape[0] == 0
    assert first_of([], [], []) == []


def test_a_busy_corner_is_compared_with_its_first_reports_alone() -> None:
    """40,000 reports on one corner are 800 million pairs; with 1,000 days of 40 they are one incident a fortnight."""
    n = 40_000
    days = np.arange(n) / 40.0
    found = duplicates(np.zeros((n, 2)), ["waste"] * n, days, [f"{i:06d}" for i in range(n)], P)
    firsts = np.unique(found)
    assert np.all(np.diff(days[firsts]) > P.duplicate_days)
    assert len(firsts) == math.ceil(n / (40 * 14 + 1))


def plain(points: Any, category: Any, days: Any, order: Any, texts: Any) -> list[int]:
    """Return what `duplicates` should: the same rule once more, without squares, sorting tables or kernels."""
    n = len(points)
    leader: dict[int, int] = {}
    position = sorted(range(n), key=lambda i: (math.isnan(days[i]), 0.0 if math.isnan(days[i]) else days[i], order[i]))
    like = {}
    for name in set(category):
        rows = [i for i in range(n) if category[i] == name]
        vectors, told = text_vectors([texts[i] for i in rows], P.duplicate_common_share)
        dense = vectors.toarray()
        like |= {(a, b): dense[i] @ dense[j] if told[i] and told[j] else None for i, a in enumerate(rows) for j, b in enumerate(rows)}  # fmt: skip  # noqa: E501
    for at, i in enumerate(position):
        options = []
        for j in (j for j in position[:at] if leader[j] == j and category[j] == category[i]):
            gap = P.duplicate_days if math.isnan(days[i]) and math.isnan(days[j]) else abs(days[i] - days[j])
            metres, likeness = math.dist(points[i], points[j]), like[i, j]
            reach = (
                P.duplicate_distance_m if likeness is None or category[i] != "flood" else P.duplicate_text_distance_m
            )
            score = P.duplicate_odds_base - P.duplicate_odds_distance * math.log1p(metres / 10)
            score += P.duplicate_odds_likeness * (likeness or 0.0) - P.duplicate_odds_time * math.log1p(24 * gap)
            if gap <= P.duplicate_days and metres <= reach and (likeness is None or score >= 0):
                options.append((-score, position.index(j), j))
        leader[i] = min(options)[2] if options else i
    return [leader[i] for i in range(n)]


REPORT = st.tuples(
    st.integers(0, 24).map(lambda k: 9.0 * k),
    st.integers(0, 4).map(lambda k: 11.0 * k),
    st.sampled_from([0.0, 0.04, 1.3, 9.0, 16.0, float("nan")]),
    st.sampled_from(["flood", "waste"]),
    st.sampled_from([None, "", MELATI, KENANGA, "Banjir jalan Melati", *OTHERS]),
)


@given(st.lists(REPORT, max_size=25), st.randoms(use_true_random=False))
def test_the_rule_by_a_plain_second_version_in_any_order(reports: list[Any], random: Any) -> None:
    ids = [f"r{i}" for i in range(len(reports))]
    random.shuffle(ids)
    columns = [list(column) for column in zip(*reports, strict=True)] if reports else [[], [], [], [], []]
    points = list(zip(columns[0], columns[1], strict=True))
    found = first_of(points, columns[2], columns[4], columns[3], ids)
    assert found == plain(points, columns[3], columns[2], ids, columns[4])
    shuffled = list(range(len(reports)))
    random.shuffle(shuffled)
    again = first_of(*([c[i] for i in shuffled] for c in (points, columns[2], columns[4], columns[3], ids)))
    assert {ids[shuffled[i]]: ids[shuffled[j]] for i, j in enumerate(again)} == dict(
        zip(ids, (ids[j] for j in found), strict=True)
    )


@pytest.mark.parametrize(
    ("points", "days", "order", "texts", "message"),
    [
        (
            np.zeros((2, 3)),
            np.zeros(2),
            ["a", "b"],
            None,
            r"points_m is float64 of \(2, 3\), expected float64 of \(2, 2\)",
        ),
        (
            np.zeros((2, 2)),
            np.zeros(2, int),
            ["a", "b"],
            None,
            r"time_days is int64 of \(2,\), expected float64 of \(2,\)",
        ),
        (np.zeros((2, 2)), np.zeros(2), ["a"], None, "order has 1 rows, expected 2"),
        (np.zeros((2, 2)), np.zeros(2), ["a", "b"], ["x"], "texts has 1 rows, expected 2"),
        (
            np.full((2, 2), np.nan),
            np.zeros(2),
            ["a", "b"],
            None,
            "points_m must be finite, and time_days finite or NaN",
        ),
    ],
)
def test_wrong_arrays_are_refused(points: Any, days: Any, order: Any, texts: Any, message: str) -> None:
    with pytest.raises(ContractError, match=f"^{message}$"):
        duplicates(points, ["flood"] * 2, days, order, P, texts)


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("duplicates", Path(__file__).parents[2] / "benchmarks/duplicates.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_labelled_pairs_of_jakarta(benchmark: ModuleType, shared_data: Callable[[str], Path]) -> None:
    """The shipped odds are those fitted on the one half, and on the other find what distance alone does not."""
    table = benchmark.jakarta(shared_data("jakarta/reports_petabencana_2017.geojson").parents[1])
    rows = benchmark.compared(table)
    drawn = benchmark.sampled(benchmark.with_strata(table, benchmark.close_pairs(table)))
    assert set(zip(drawn["row_a"], drawn["row_b"], strict=True)) == set(zip(rows["row_a"], rows["row_b"], strict=True))
    by_text = rows[rows["basis"] == "text"]
    assert benchmark.fit(by_text[by_text["fits"]], 3) == pytest.approx(benchmark.shipped(), rel=0.05)
    held = by_text[~by_text["fits"]]
    same = benchmark.is_same(held)
    apart, joined = (benchmark.one(benchmark.incidents_of(table, P, texts), held) for texts in (False, True))
    precision, recall = benchmark.shares(joined, same, np.ones(len(held)))
    precision_apart, recall_apart = benchmark.shares(apart, same, np.ones(len(held)))
    assert recall > recall_apart + 0.1
    assert precision > precision_apart - 0.05
