"""Rows laid over a published index: the same as an index of all of them together, whatever is edited."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial.contracts import CATEGORIES, REPORTS
from spatial.query import matches, parse_filter, parse_sort, sorted_rows
from spatial.store.index import LayerIndex, memory_index
from spatial.store.overlaid import OverlaidIndex

Row = dict[str, Any]
FILTERS = ("description LIKE 'b%' OR depth_m > 0.2", "description IS NULL", "category > 'r'")
IDS = [f"{a}{b}" for a in "aZé🌊" for b in "0123"]


def index_of_rows(rows: dict[str, Row]) -> LayerIndex:
    """Return an index of reports by id."""
    full = [dict.fromkeys(REPORTS.names) | {"report_id": key, "source": "x"} | row for key, row in rows.items()]
    return memory_index(REPORTS, full, [shapely.Point(row["x"], -3).wkb for row in full])


def laid_over(base: dict[str, Row], now: dict[str, Row]) -> OverlaidIndex:
    """Return the rows of now as those of base with others in place of some."""
    changed = {key: row for key, row in now.items() if base.get(key) != row}
    index = index_of_rows(base)
    hidden = [index.row(key) for key in base if key not in now or key in changed]
    return OverlaidIndex(index, index_of_rows(changed), np.array(sorted(hidden), dtype=np.int64))


reports = st.fixed_dictionaries(
    {
        "category": st.sampled_from(CATEGORIES),
        "description": st.none() | st.sampled_from(["", "a", "b", "banjir", "é", "𝔘"]),
        "depth_m": st.none() | st.sampled_from([0.0, 0.25, 1.5]),
        "requested_datetime": st.none() | st.sampled_from(["1969-07-20T20:17:00Z", "2025-01-31T08:00:00.010Z"]),
        "x": st.floats(117, 118).map(lambda value: round(value, 3)),
    }
)
tables = st.dictionaries(st.sampled_from(IDS), reports, max_size=12)


def words(index: LayerIndex | OverlaidIndex, name: str) -> list[str | None]:
    """Return a column of strings; the words must be sorted and found by code, slice and iteration alike."""
    codes, distinct = index.strings(name)
    assert codes.dtype == np.int32
    assert list(distinct) == [distinct[i] for i in range(len(distinct))] == list(distinct[:]) == sorted(set(distinct))
    return [None if code < 0 else distinct[int(code)] for code in codes]


@settings(max_examples=60, deadline=None)
@given(tables, tables, st.booleans())
def test_edited_rows_over_published_ones_are_one_table(
    base: dict[str, Row], edits: dict[str, Row], keeps: bool
) -> None:
    now = {key: row for key, row in ((base | edits) if keeps else edits).items() if sum(map(ord, key)) % 3}
    whole, over = index_of_rows(now), laid_over(base, now)
    assert (over.n, len(over)) == (whole.n, len(now))
    rows = np.arange(whole.n)
    everything = orjson.loads(b"[" + b",".join(whole.features(rows)) + b"]")
    assert orjson.loads(b"[" + b",".join(over.features(rows)) + b"]") == everything
    backwards = orjson.loads(b"[" + b",".join(over.features(rows[::-1], True, ["category"])) + b"]")
    assert [f["properties"] for f in backwards] == [{"category": f["properties"]["category"]} for f in everything[::-1]]
    shapes = ["null"] * whole.n
    assert list(map(bytes, over.with_geometries(rows, shapes))) == list(map(bytes, whole.with_geometries(rows, shapes)))
    for mine, theirs in zip(over.boxes, whole.boxes, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert [g.wkb for g in over.geometries(rows)] == [g.wkb for g in whole.geometries(rows)]
    for name in ("report_id", "category", "description"):
        assert words(over, name) == words(whole, name)
    for read in (lambda index: index.numbers("depth_m"), lambda index: index.instants("requested_datetime")):
        (values, known), (expected, right) = read(over), read(whole)
        right = np.ones(whole.n, bool) if right is None else right
        np.testing.assert_array_equal(np.ones(whole.n, bool) if known is None else known, right)
        np.testing.assert_array_equal(values[right], expected[right])
    for identifier in (*IDS, "", "zz"):
        assert over.row(identifier) == whole.row(identifier)
        assert over.first_from(identifier) == whole.first_from(identifier)
    assert [over.identifier(int(row)) for row in rows] == sorted(now)


@settings(max_examples=40, deadline=None)
@given(
    tables, tables, st.sampled_from(["description LIKE 'b%' OR depth_m > 0.2", "description IS NULL", "category > 'r'"])
)
def test_questions_have_the_same_answers(base: dict[str, Row], now: dict[str, Row], text: str) -> None:
    whole, over = index_of_rows(now), laid_over(base, now)
    expression = parse_filter(text, "cql2-text", REPORTS)
    np.testing.assert_array_equal(matches(expression, over), matches(expression, whole))
    for sort in ("description", "-description,depth_m", "-requested_datetime,category"):
        keys, rows = parse_sort(sort, REPORTS), np.arange(whole.n)
        np.testing.assert_array_equal(sorted_rows(over, rows, keys), sorted_rows(whole, rows, keys))
