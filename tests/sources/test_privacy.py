"""Batches of reports: a case by hand, and that no history of deliveries shows less than a batch."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial.errors import ContractError
from spatial.sources.privacy import LEDGER, distinct, new_batches, no_releases, published, whole_batches

BUCKET = ["cell", "category"]


def candidates(rows: list[tuple[str, str, str, str | None]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["report_id", "cell", "category", "time"])
    return table.assign(time=pd.to_datetime(table["time"], utc=True).astype("datetime64[ms, UTC]"))


def extended(ledger: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([ledger, new], ignore_index=True) if len(ledger) else new


def test_by_hand() -> None:
    rows = [
        ("c", "x", "flood", "2025-01-04T12:00"),
        ("a", "x", "flood", "2025-01-01T00:00"),
        ("b", "x", "flood", "2025-01-02T00:00"),
        ("d", "x", "waste", "2025-01-01T00:00"),
        ("e", "y", "waste", "2025-01-01T00:00"),
    ]
    first = new_batches(candidates(rows), no_releases(), 2)
    assert first[["report_id", "cell", "category", "batch"]].to_numpy().tolist() == [
        ["a", "x", "flood", 0],
        ["b", "x", "flood", 0],
    ]
    assert set(first["day"]) == {pd.Timestamp("2025-01-01", tz="UTC")}  # the mean is 1 January, 12:00
    later = [*rows, ("0", "x", "flood", "2024-01-01T00:00"), ("f", "y", "waste", None)]
    second = new_batches(candidates(later), first, 2)
    assert second["report_id"].tolist() == ["0", "c", "e", "f"]  # an older report that comes late displaces none
    assert second["batch"].tolist() == [1, 1, 0, 0]
    assert second["day"].isna().tolist() == [False, False, True, True]  # one time is not known: none is told
    assert new_batches(candidates(later), extended(first, second), 2).empty


def test_a_batch_stays_until_its_last_report_is_gone() -> None:
    rows = [(name, "x", "flood", f"2025-01-0{i + 1}") for i, name in enumerate("abcd")]
    ledger = new_batches(candidates(rows), no_releases(), 2)
    assert published(ledger, pd.Series(["a", "b", "c", "d"]))["report_id"].tolist() == ["a", "b", "c", "d"]
    assert published(ledger, pd.Series(["a", "c", "d"]))["report_id"].tolist() == ["a", "b", "c", "d"]
    assert published(ledger, pd.Series(["c", "d"]))["report_id"].tolist() == ["c", "d"]
    assert published(no_releases(), pd.Series(["a"])).empty


def test_open_reports_count_in_whole_batches_by_anchor_cell() -> None:
    cells = pd.Series(list("xxxxyyy"))
    open_ = pd.Series([True, False, True, True, True, False, False])
    assert whole_batches(open_, cells, 2).tolist() == [True, False, True, False, False, False, False]
    assert whole_batches(open_, cells, 3).tolist() == [True, False, True, True, False, False, False]


def test_a_batch_of_one_is_refused() -> None:
    with pytest.raises(ContractError, match=r"^min_count is 1, expected 2 or more$"):
        new_batches(candidates([]), no_releases(), 1)


TIMES = st.none() | st.dates(pd.Timestamp("2024-01-01").date(), pd.Timestamp("2025-12-31").date()).map(str)
REPORTS = st.lists(
    st.tuples(
        st.integers(0, 999).map(str), st.sampled_from("xyz"), st.sampled_from(["flood", "waste"]), TIMES,
        st.integers(0, 60), st.integers(0, 2),
    ),
    max_size=30,
    unique_by=lambda row: row[0],
)  # fmt: skip


def released_of(rows: list[tuple], ledger: pd.DataFrame, m: int) -> pd.DataFrame:
    """One run: places lie on a line, each anchor cell 1000 m from the next."""
    table = candidates([row[:4] for row in rows])
    table["x"] = [1000.0 * "xyz".index(row[1]) + row[4] for row in rows]
    table["y"] = 0.0
    before = table["report_id"].isin(ledger["report_id"])
    return new_batches(distinct(table[~before], table[before], 20.0, 14.0), ledger, m)


def reach(one: tuple, other: tuple) -> bool:
    """Whether two reports of one cell and category tell of one incident, as the definition says."""
    a, b = one[3], other[3]
    near = one[1:3] == other[1:3] and abs(one[4] - other[4]) <= 20
    return near and (a is b is None or (None not in (a, b) and abs((pd.Timestamp(a) - pd.Timestamp(b)).days) <= 14))


def test_distinct_by_hand() -> None:
    """The second tells of the first's incident, the third of the second's alone; a released one tells for all.

    `g` is near the first too, but in another anchor cell, whose batches must not hang on what waits in this one.
    """
    rows = [("a", "x", "flood", "2025-01-01", 0, 0), ("b", "x", "flood", "2025-01-02", 15, 0),
            ("c", "x", "flood", "2025-01-03", 30, 0), ("d", "x", "waste", "2025-01-01", 0, 0),
            ("e", "x", "flood", "2025-01-16", 0, 0), ("f", "x", "flood", None, 0, 0),
            ("g", "y", "flood", "2025-01-02", 5, 0)]  # fmt: skip
    table = candidates([row[:4] for row in rows]).assign(x=[float(row[4]) for row in rows], y=0.0)
    none = table[:0]
    assert distinct(table, none, 20.0, 14.0)["report_id"].tolist() == ["a", "d", "g", "c", "e", "f"]
    assert distinct(table[1:], table[:1], 20.0, 14.0)["report_id"].tolist() == ["d", "c", "e", "f"]
    assert distinct(none, table, 20.0, 14.0).empty


@settings(max_examples=30)
@given(REPORTS, st.integers(2, 4), st.randoms())
def test_versions_differ_by_whole_batches_and_show_nothing_of_the_rest(reports, m: int, random) -> None:
    """The last of a report is the delivery that it comes with; the order within one has no effect."""
    told, other = no_releases(), no_releases()
    by_id = {row[0]: row for row in reports}
    for delivery in range(3):
        rows = [row for row in reports if row[5] <= delivery]
        new = released_of(rows, told, m)
        batches = new.groupby([*BUCKET, "batch"])
        assert (batches.size() == m).all()
        assert (batches["day"].nunique(dropna=False) == 1).all()
        assert not any(
            reach(by_id[a], by_id[b]) for ids in batches["report_id"] for a in ids[1] for b in ids[1] if a != b
        )
        before, told = told, extended(told, new)
        assert told[: len(before)].equals(before) or before.empty
        # a city in which what waits was never reported: nobody can tell it from this one
        kept = [row for row in rows if row[0] in set(told["report_id"])]
        random.shuffle(kept)
        other = extended(other, released_of(kept, other, m))
        assert other.astype(str).equals(told.astype(str))
    assert list(told.columns) == list(LEDGER)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.booleans()), max_size=30), st.integers(2, 5))
def test_open_counts_are_multiples_and_never_too_many(rows, m: int) -> None:
    cells = pd.Series([cell for cell, _ in rows], dtype=object)
    open_ = pd.Series([is_open for _, is_open in rows], dtype=bool)
    counted = whole_batches(open_, cells, m)
    assert not (counted & ~open_).any()
    sums = pd.DataFrame({"open": open_, "counted": counted}).groupby(cells).sum()
    assert (sums["counted"] == sums["open"] // m * m).all()
