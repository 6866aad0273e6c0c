"""Generated filters: text, JSON and a row-by-row oracle select the same rows."""

from __future__ import annotations

import itertools
import random
from typing import Any

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import LineString, MultiPoint, Point, Polygon
from shapely.geometry import mapping

from spatial.contracts import Column, Layer, checked
from spatial.query import FrameTable, Property, columns_of, matches, parse_filter
from tests.query import oracle

LAYER = Layer(
    "odd",
    "Polygon",
    "Aneh",
    "Odd",
    columns=(
        Column("id", "string", "Id", "Id", nullable=False),
        Column("name", "string", "Nama", "Name"),
        Column("other", "string", "Lain", "Other"),
        Column("cell", "string", "Sel", "Cell"),
        Column("count", "integer", "Jumlah", "Count"),
        Column("score", "number", "Skor", "Score"),
        Column("begin", "datetime", "Awal", "Begin"),
        Column("end", "datetime", "Akhir", "End"),
    ),
)
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "aab",
    "a%b",
    "a_b",
    "b\\",
    "it's",
    "<b>&",
    "STRASSE",
    "Straße",
    "🌊",
    "𝔘a",
    "é",
    "e\u0301",
    "ø",
    "%",
    "'--",
]
CENTER = h3.latlng_to_cell(3.3, 117.6, 9)
CELLS = [*h3.grid_disk(CENTER, 2), h3.cell_to_parent(CENTER, 7), "8", "z" * 15, "", "0" * 15]
INTEGERS = [0, 1, -1, 2, 3, 7, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]
DOUBLES = [0.0, -0.5, 0.25, 1.0, 2.0, 2.5, 1e300, -1e300, 5e-324, 9007199254740992.0]
TIMES = [
    0,
    -1,
    1,
    1738281600000,
    1738281599999,
    1738367999999,
    1738368000000,
    -14182940000,
    -62135596800000,
    253402300799999,
]
SQUARES = [shapely.box(x, y, x + w, y + 1) for x, y, w in itertools.product(range(4), range(3), (1, 2))]
TRIANGLES = [Polygon([(x, 0), (x + 2, 0), (x, 2)]) for x in range(3)]


def _table() -> tuple[FrameTable, list[oracle.Row]]:
    chosen = random.Random(7)

    def column(pool: list[Any]) -> list[Any]:
        return [chosen.choice([None, *pool]) if index > 3 else None for index in range(50)]

    rows = {
        "id": [f"{index:02}" for index in range(50)],
        "name": column(TEXTS),
        "other": column(TEXTS),
        "cell": column(CELLS),
        "count": column(INTEGERS),
        "score": column(DOUBLES),
        "begin": column(TIMES),
        "end": column(TIMES),
    }
    geometry = [chosen.choice(SQUARES + TRIANGLES) for _ in range(50)]
    typed: dict[str, Any] = rows | {"count": pd.array(rows["count"], dtype="Int64")}
    for name in ("begin", "end"):
        known = [np.datetime64("NaT", "ms") if ms is None else np.datetime64(ms, "ms") for ms in rows[name]]
        typed[name] = pd.Series(np.array(known, dtype="datetime64[ms]")).dt.tz_localize("UTC")
    table = FrameTable(checked(LAYER, gpd.GeoDataFrame(typed, geometry=geometry, crs="EPSG:4326")))
    plain = [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
    for row, own in zip(plain, geometry, strict=True):
        for name in ("begin", "end"):
            row[name] = None if row[name] is None else oracle.EPOCH + oracle.MILLISECOND * row[name]
        row["geometry"] = own
    return table, plain


TABLE, ROWS = _table()


def call(op: str, *args: Any) -> dict[str, Any]:
    """Return an operation."""
    return {"op": op, "args": list(args)}


def prop(*names: str) -> st.SearchStrategy[dict[str, str]]:
    """Return a reference to one of the properties."""
    return st.sampled_from([{"property": name} for name in names])


numbers = st.recursive(
    prop("count", "score") | st.sampled_from([n for n in INTEGERS if abs(n) < 2**62]) | st.sampled_from(DOUBLES),
    lambda inner: (
        st.builds(call, st.sampled_from(["+", "-", "*", "/", "%", "div"]), inner, inner)
        | st.builds(call, st.just("^"), inner, st.sampled_from([0, 1, 2, 0.5, -1]))
    ),
    max_leaves=3,
)
cells = st.builds(call, st.just("cell_to_parent"), prop("cell", "name"), st.integers(0, 15))
strings = st.recursive(
    prop("name", "other", "cell") | st.sampled_from(TEXTS + CELLS[:3]) | cells,
    lambda inner: st.builds(call, st.sampled_from(["casei", "accenti"]), inner),
    max_leaves=2,
)
patterns = st.text(alphabet="ab%_\\A'🌊é", max_size=6)
folded = st.builds(call, st.sampled_from(["casei", "accenti"]), patterns)
dates = st.sampled_from(["1970-01-01", "2025-01-31", "1969-07-20", "2025-02-01", "9999-12-31"])
stamps = st.sampled_from(
    [oracle.moment_text(ms) for ms in TIMES] + ["2025-01-31T07:00:00.0001+07:00", "2025-01-31T23:59:59.9995Z"]
)
literal_times = st.builds(lambda text: {"date": text}, dates) | st.builds(lambda text: {"timestamp": text}, stamps)
instants = prop("begin", "end") | literal_times


def _interval(ends: tuple[Any, Any]) -> dict[str, Any]:
    return {"interval": list(ends)}


def _in_order(ends: tuple[str, str]) -> bool:
    start, end = (oracle.span(text) for text in ends)
    return bool(start[0] <= end[1])


intervals = st.builds(
    _interval,
    st.tuples(st.just("..") | dates | stamps, prop("begin", "end"))
    | st.tuples(prop("begin", "end"), st.just("..") | dates | stamps | prop("end"))
    | st.tuples(dates | stamps, dates | stamps).filter(_in_order)
    | st.tuples(st.just(".."), st.just("..") | dates | stamps)
    | st.tuples(dates | stamps, st.just("..")),
)
corners = st.integers(0, 5)
geometries = (
    st.builds(lambda x, y, w, h: {"bbox": [x, y, x + w, y + h]}, corners, corners, st.integers(1, 3), st.integers(1, 3))
    | st.builds(lambda x, y: mapping(Point(x / 2, y / 2)), corners, corners)
    | st.builds(lambda x, y: mapping(LineString([(x, y), (x + 1, y + 2)])), corners, corners)
    | st.builds(lambda x, y: mapping(MultiPoint([(x, y), (y / 2, x / 2 + 0.25)])), corners, corners)
    | st.sampled_from([mapping(shape) for shape in SQUARES + TRIANGLES])
)
signs = st.sampled_from(["=", "<>", "<", ">", "<=", ">="])
spatial = st.sampled_from(
    [f"s_{r}" for r in ("intersects", "disjoint", "equals", "touches", "within", "contains", "overlaps", "crosses")]
)
relations = st.sampled_from(["t_after", "t_before", "t_disjoint", "t_equals", "t_intersects"])
_OF_INTERVALS = "contains during finishedBy finishes meets metBy overlappedBy overlaps startedBy starts"
of_intervals = st.sampled_from(_OF_INTERVALS.split()).map(lambda name: f"t_{name}")
feature = st.just({"property": "geometry"})
predicates = st.one_of(
    st.builds(call, signs, numbers, numbers),
    st.builds(call, signs, strings, strings),
    st.builds(call, signs, instants, instants),
    st.builds(call, st.just("like"), strings, patterns | folded),
    st.builds(call, st.just("in"), numbers, st.lists(numbers, min_size=1, max_size=4)),
    st.builds(call, st.just("in"), strings, st.lists(strings, min_size=1, max_size=4)),
    st.builds(call, st.just("in"), instants, st.lists(instants, min_size=1, max_size=3)),
    st.builds(call, st.just("between"), numbers, numbers, numbers),
    st.builds(call, st.just("between"), instants, instants, instants),
    st.builds(call, st.just("isNull"), numbers | strings | instants | feature),
    st.builds(call, spatial, feature, geometries),
    st.builds(call, spatial, geometries, feature | geometries),
    st.builds(call, relations, instants | intervals, instants | intervals),
    st.builds(call, of_intervals, intervals, intervals),
    st.builds(call, st.just("in_grid_disk"), prop("cell", "name"), st.sampled_from(CELLS[:3]), st.integers(0, 3)),
    st.booleans(),
)
filters = st.recursive(
    predicates,
    lambda inner: (
        st.builds(
            lambda op, terms: call(op, *terms), st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)
        )
        | st.builds(call, st.just("not"), inner)
        | st.builds(lambda term: call("isNull", term) if oracle.is_condition(term) else term, inner)
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(filters)
def test_text_json_and_oracle_agree(node: Any) -> None:
    expected = [oracle.truth(node, row) is True for row in ROWS]
    from_json = parse_filter(node if isinstance(node, dict) else str(node).lower(), "cql2-json", LAYER, None)
    assert matches(from_json, TABLE).tolist() == expected
    text = oracle.written(node)
    if oracle.LOST not in text:
        from_text = parse_filter(text, "cql2-text", LAYER, None)
        assert matches(from_text, TABLE).tolist() == expected
    assert {column.name for column in columns_of(from_json)} <= set(LAYER.names)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(filters)
def test_a_missing_column_is_null(node: Any) -> None:
    class Older(FrameTable):
        def has(self, name: str) -> bool:
            return name not in ("name", "count", "end")

        def strings(self, name: str) -> Any:
            assert self.has(name)
            return super().strings(name)

    older = Older(TABLE._frame)
    rows = [row | {"name": None, "count": None, "end": None} for row in ROWS]
    expression = parse_filter(node if isinstance(node, dict) else str(node).lower(), "cql2-json", LAYER, None)
    assert matches(expression, older).tolist() == [oracle.truth(node, row) is True for row in rows]


def test_the_table_has_nulls_and_values_of_every_column() -> None:
    for column in LAYER.columns[1:]:
        null = parse_filter(f'"{column.name}" IS NULL', "cql2-text", LAYER, None)
        assert 0 < matches(null, TABLE).sum() < TABLE.n
        assert Property(column).type in ("string", "number", "instant")
