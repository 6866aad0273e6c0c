"""The same question to columns, to SQLite and to PostGIS: the same ids, in the same order, page by page.

`python -m tests.store.same_answers --examples 3000` asks as many as it is told; the tests ask a few of them.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import psycopg
import pyarrow as pa
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier
from pyproj import CRS

from spatial.contracts import Layer
from spatial.query import (
    Box,
    Expression,
    FrameTable,
    Not,
    SortKey,
    Spatial,
    both,
    matches,
    parse_filter,
    sorted_rows,
)
from spatial.store.asking import PostgisEngine, Questions, SqliteEngine
from spatial.store.copying import copy_in, layer_table
from spatial.store.sql import Relation, instant_text, sort_value
from spatial.store.sql_functions import make_functions
from tests.query.test_oracle import LAYER, TABLE, filters

FRAME: gpd.GeoDataFrame = TABLE._frame
_HEADER = b"GP\x00\x01" + (4326).to_bytes(4, "little")
_SQLITE = {"string": "TEXT", "json": "TEXT", "integer": "INTEGER", "number": "REAL", "datetime": "TEXT"}
_POSTGIS = {"string": "text", "json": "text", "integer": "bigint", "number": "double precision"}


def in_sqlite(layer: Layer, frame: gpd.GeoDataFrame) -> Questions:
    """Return a table in memory as the live tables keep theirs."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    columns = ", ".join(f'"{c.name}" {_SQLITE[c.kind]}' for c in layer.columns)
    connection.execute(f'CREATE TABLE "{layer.name}" (fid INTEGER PRIMARY KEY, geom BLOB, {columns})')
    rows = zip(shapely.to_wkb(frame.geometry), *(_plain(frame, c.name, c.kind) for c in layer.columns), strict=True)
    marks = ", ".join("?" * (len(layer.columns) + 1))
    names = ", ".join(f'"{name}"' for name in layer.names)
    insert = f'INSERT INTO "{layer.name}" (geom, {names}) VALUES ({marks})'
    connection.executemany(insert, [(_HEADER + row[0], *row[1:]) for row in rows])
    return Questions(SqliteEngine(connection), Relation(layer, layer.name, frozenset(layer.names)))


def _plain(frame: gpd.GeoDataFrame, name: str, kind: str) -> list[Any]:
    if kind == "datetime":
        stored = frame[name].dt.tz_localize(None).to_numpy(dtype="datetime64[ms]").astype(np.int64)
        return [None if null else instant_text(int(ms)) for ms, null in zip(stored, frame[name].isna(), strict=True)]
    return [None if null else value for value, null in zip(frame[name].tolist(), frame[name].isna(), strict=True)]


def in_postgis(layer: Layer, frame: gpd.GeoDataFrame, connection: psycopg.Connection[Any], schema: str) -> Questions:
    """Return a table in a new schema of an open transaction."""
    connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
    make_functions(connection, schema)
    types = {c.name: SQL(_POSTGIS.get(c.kind, "timestamptz(3)")) for c in layer.columns}
    columns = SQL(", ").join(SQL("{} {}").format(Identifier(name), kind) for name, kind in types.items())
    table = Identifier(schema, layer.name)
    connection.execute(SQL("CREATE TABLE {} ({}, geom geometry(Geometry, 4326))").format(table, columns))
    rows: pa.Table = layer_table(layer, frame)
    copy_in(connection, table, rows)
    connection.execute(SQL("CREATE INDEX ON {} USING gist (geom)").format(table))
    relation = Relation(layer, layer.name, frozenset(layer.names), schema)
    return Questions(PostgisEngine(connection), relation)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a filter, an order, a page."""

    expression: Expression
    sort: tuple[SortKey, ...]
    limit: int


_MERCATOR = CRS(3857)
_sides = st.floats(-1, 7) | st.integers(0, 6).map(float)
_degrees = st.tuples(_sides, _sides, _sides, _sides).map(
    lambda s: (min(s[0], s[2]), min(s[1], s[3]), max(s[0], s[2]), max(s[1], s[3]))
)
_metres = _degrees.map(lambda box: tuple(side * 111_000.0 for side in box))
boxes = st.builds(Box, st.lists(_degrees, min_size=1, max_size=2).map(tuple), st.none()) | st.builds(
    Box, _metres.map(lambda box: (box,)), st.just(_MERCATOR)
)
_touching = st.tuples(st.sampled_from(list(FRAME.geometry)), st.floats(0, 1), _sides, _sides)


def _on_edge(drawn: tuple[shapely.Geometry, float, float, float]) -> shapely.Geometry:
    """Return a point on the edge of a feature, or a line from there: where engines disagree."""
    feature, share, x, y = drawn
    point = shapely.line_interpolate_point(shapely.boundary(feature), share, normalized=True)
    line = shapely.linestrings([shapely.get_coordinates(point)[0], (x, y)])
    return line if shapely.length(line) > 0.5 else point


edges = st.builds(
    Spatial,
    st.sampled_from(["intersects", "disjoint", "touches", "within", "contains", "crosses", "overlaps", "equals"]),
    _touching.map(_on_edge),
)
parsed = filters.map(lambda node: node if isinstance(node, dict) else str(node).lower()).map(
    lambda json: parse_filter(json, "cql2-json", LAYER, None)
)
placed = boxes | edges
expressions = parsed | placed | st.builds(Not, placed) | st.builds(both, parsed, placed)
sorts = st.lists(
    st.builds(SortKey, st.sampled_from(LAYER.columns), st.booleans()), max_size=3, unique_by=lambda key: key.column.name
).map(tuple)
questions = st.builds(Question, expressions, sorts, st.sampled_from([60, 20, 7]))


def by_columns(question: Question, table: FrameTable = TABLE) -> list[str]:
    """Return the ids that match, in order, by the function of the published layers."""
    rows = np.flatnonzero(matches(question.expression, table))
    return [str(FRAME["id"].iloc[row]) for row in sorted_rows(table, rows, question.sort)]


def by_sql(question: Question, asked: Questions) -> list[str]:
    """Return the ids that match, page by page, each page asked for after the last row of the one before."""
    names = [LAYER.id_column, *(key.column.name for key in question.sort)]
    found: list[str] = []
    after: Sequence[Any] | None = None
    while True:
        rows = asked.select(names, question.expression, question.sort, after, question.limit)
        found += [str(row[0]) for row in rows]
        if len(rows) < question.limit:
            assert asked.count(question.expression) == len(found)
            return found
        keys = zip(question.sort, rows[-1][1:], strict=True)
        after = [*(sort_value(key.column, value) for key, value in keys), rows[-1][0]]


@contextmanager
def asked(url: str) -> Iterator[tuple[Questions, Questions]]:
    """Open both tables."""
    with psycopg.connect(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        sqlite = in_sqlite(LAYER, FRAME)
        try:
            yield sqlite, in_postgis(LAYER, FRAME, connection, "same_answers")
        finally:
            sqlite.engine.connection.close()  # type: ignore[attr-defined]
            connection.rollback()


def main() -> None:
    """Ask as many questions as told, and say how long it took."""
    from tests.postgis import binaries, running_postgis

    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=3000)
    examples = parser.parse_args().examples
    found = binaries()
    if found is None:
        raise SystemExit("no PostgreSQL with PostGIS; `make test-system` installs it")
    with running_postgis(found) as url, asked(url) as (sqlite, postgis):
        counts = [0, 0]

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(questions)
        def ask(question: Question) -> None:
            expected = by_columns(question)
            assert by_sql(question, sqlite) == expected
            assert by_sql(question, postgis) == expected
            counts[0] += 1
            counts[1] += 0 < len(expected) < len(FRAME)

        start = time.perf_counter()
        ask()
        print(f"{counts[0]} questions, {counts[1]} with some answers, all alike: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
