"""A layer's table in SQLite or PostGIS, asked the questions that the columns of a published version are asked.

The database does what it does best: it narrows geometry down by envelopes (PostGIS by its index), compares, sorts, and
pages. Whether a geometry that is near meets another is decided by `spatial.query.matches`, for every store.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
import shapely
from psycopg import Connection, errors

from spatial.contracts import REPORTS
from spatial.errors import QueryError
from spatial.query.evaluate import matches
from spatial.query.geometry import transformation
from spatial.query.limits import MAX_COORDINATE
from spatial.query.model import Bounds, Box, Expression, Scalar, Spatial
from spatial.query.sort import SortKey
from spatial.query.table import FrameTable
from spatial.store.copying import SRID
from spatial.store.sql import Dialect, Located, Relation, Statement, located_nodes, quoted
from spatial.store.sql_dialects import Postgis, Sqlite

LIVE_COLUMNS = (
    "report_id", "source", "category", "category_raw", "category_basis", "description", "status", "requested_datetime",
    "updated_datetime", "resolved_datetime", "depth_m",
)  # fmt: skip
"""Columns of `reports` that the live tables have."""
MAX_SECONDS = 10.0
"""Of one question; what takes longer is refused, so that one reader cannot hold the server."""
_STEPS = 20_000  # of SQLite's machine between two looks at the clock, about a millisecond
_ENVELOPES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}  # bytes of a GeoPackage blob's envelope by its indicator


class Engine(Protocol):
    """A connection that runs statements, and finds the features near a box."""

    dialect: type[Dialect]

    def run(self, statement: Statement, seconds: float) -> list[tuple[Any, ...]]:
        """Return a statement's rows. Raises QueryError where it takes longer."""

    def near(self, relation: Relation, bounds: Bounds | None, seconds: float) -> tuple[list[str], list[bytes]]:
        """Return ids and WKB of the features whose envelopes meet bounds (CRS84), and maybe of others."""


@dataclass(frozen=True, slots=True)
class SqliteEngine:
    """A connection to a GeoPackage."""

    connection: sqlite3.Connection
    dialect: type[Dialect] = Sqlite

    def run(self, statement: Statement, seconds: float) -> list[tuple[Any, ...]]:
        """Return a statement's rows. Raises QueryError where it takes longer."""
        for name, (arguments, function) in statement.functions.items():
            self.connection.create_function(name, arguments, function, deterministic=True)
        until = time.monotonic() + seconds
        self.connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            return self.connection.execute(statement.text, dict(statement.parameters)).fetchall()
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise _too_long() from error
            raise
        finally:
            self.connection.set_progress_handler(None, _STEPS)
            for name, (arguments, _) in statement.functions.items():
                self.connection.create_function(name, arguments, None)

    def near(self, relation: Relation, bounds: Bounds | None, seconds: float) -> tuple[list[str], list[bytes]]:
        """Return all features: the live tables have no index of envelopes, and reading them costs about as much."""
        rows = self.run(self.dialect(relation, {}).select([relation.layer.id_column, "geom"], None), seconds)
        return [row[0] for row in rows], [row[1][8 + _ENVELOPES[row[1][3] >> 1 & 7] :] for row in rows]


@dataclass(frozen=True, slots=True)
class PostgisEngine:
    """A connection to PostGIS; its statements are one transaction's."""

    connection: Connection[Any]
    dialect: type[Dialect] = Postgis

    def run(self, statement: Statement, seconds: float) -> list[tuple[Any, ...]]:
        """Return a statement's rows. Raises QueryError where it takes longer."""
        with _limited(self.connection, seconds), self.connection.cursor(binary=True) as cursor:
            return cursor.execute(statement.text.encode(), dict(statement.parameters)).fetchall()

    def near(self, relation: Relation, bounds: Bounds | None, seconds: float) -> tuple[list[str], list[bytes]]:
        """Return ids and WKB of the features whose envelopes, as the index has them, meet bounds (CRS84)."""
        name = quoted(relation.layer.id_column)
        table = f"{quoted(relation.schema or '')}.{quoted(relation.name)}"
        text = f"SELECT {name}, ST_AsBinary(geom, 'NDR') FROM {table} WHERE {relation.always or 'TRUE'}"
        values: dict[str, Any] = {}
        if bounds is not None:
            sides = np.clip(bounds, -MAX_COORDINATE, MAX_COORDINATE).tolist()
            values = dict(zip("wsen", sides, strict=True)) | {"srid": SRID}
            text += " AND geom && ST_MakeEnvelope(%(w)s, %(s)s, %(e)s, %(n)s, %(srid)s)"
        rows = self.run(Statement(text, values), seconds)
        return [row[0] for row in rows], [row[1] for row in rows]


@dataclass(frozen=True, slots=True)
class Questions:
    """A layer's table and the engine that asks it; see `Dialect.select` for what the arguments mean."""

    engine: Engine
    relation: Relation
    max_seconds: float = MAX_SECONDS

    def select(
        self,
        columns: Sequence[str],
        expression: Expression | None,
        sort: Sequence[SortKey] = (),
        after: Sequence[Scalar | None] | None = None,
        limit: int | None = None,
    ) -> list[tuple[Any, ...]]:
        """Return columns of the features that match, in order. Raises QueryError where that takes too long."""
        until = time.monotonic() + self.max_seconds
        dialect = self.engine.dialect(self.relation, self._located(expression, until))
        return self.engine.run(dialect.select(columns, expression, sort, after, limit), _left(until))

    def ids(
        self,
        expression: Expression | None,
        sort: Sequence[SortKey] = (),
        after: Sequence[Scalar | None] | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """Return the ids of the features that match, in order. Raises as `select`."""
        return [row[0] for row in self.select([self.relation.layer.id_column], expression, sort, after, limit)]

    def count(self, expression: Expression | None) -> int:
        """Return how many features match. Raises as `select`."""
        until = time.monotonic() + self.max_seconds
        dialect = self.engine.dialect(self.relation, self._located(expression, until))
        return int(self.engine.run(dialect.count(expression), _left(until))[0][0])

    def _located(self, expression: Expression | None, until: float) -> Located:
        nodes = [] if expression is None else list(located_nodes(expression))
        left = [node for node in nodes if not self.engine.dialect.decides(self.relation, node)]
        return {id(node): self._holding(node, until) for node in left}

    def _holding(self, node: Spatial | Box, until: float) -> list[str]:
        """Return the ids of the features for which a node holds; of "disjoint" of those that it does not hold for."""
        if isinstance(node, Spatial) and node.relation == "disjoint":
            node = Spatial("intersects", node.geometry)
        found: set[str] = set()
        for bounds in _surroundings(node):
            ids, wkb = self.engine.near(self.relation, bounds, _left(until))
            table = FrameTable(gpd.GeoDataFrame(geometry=gpd.GeoSeries.from_wkb(wkb, crs="EPSG:4326")))
            found.update(np.array(ids, dtype=object)[matches(node, table)])
        return sorted(found)


def live_questions(engine: Engine, schema: str | None = None) -> Questions:
    """Return the live reports, those that are not deleted, as they are asked; `schema` is PostGIS's private one.

    They have the columns that a file delivers; those that a run works out are null.
    """
    columns = frozenset(REPORTS.names) & frozenset(LIVE_COLUMNS)
    return Questions(engine, Relation(REPORTS, "reports", columns, schema, "deleted = 0"))


def _surroundings(node: Spatial | Box) -> Iterator[Bounds | None]:
    """Yield bounds in CRS84 outside of which a node holds for nothing; None: anywhere."""
    if isinstance(node, Spatial):
        west, south, east, north = shapely.bounds(node.geometry).tolist()
        yield west, south, east, north
    elif node.crs is None:
        yield from node.boxes
    else:
        crs = transformation(node.crs)
        yield from (crs.surrounding(box) for box in node.boxes)


@contextmanager
def _limited(connection: Connection[Any], seconds: float) -> Iterator[None]:
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{int(seconds * 1000) + 1}ms",))
            yield
    except errors.QueryCanceled as error:
        raise _too_long() from error


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise _too_long()
    return left


def _too_long() -> QueryError:
    return QueryError(f"filter: it takes longer than {MAX_SECONDS:g} s; ask for less, such as a smaller box")
