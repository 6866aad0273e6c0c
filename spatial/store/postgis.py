"""The published versions of a city in PostGIS, for QGIS, dashboards and SQL: a second store that follows the first.

Two schemas per city. `<schema>` holds one view per layer, of the version that is served: it is what people read and
what an office grants. `<schema>_store` is Hexakota's own: a table per version and layer, `v_<id>_<layer>`, the list of
versions, and the live tables. A table per version is written once by COPY, never changed, and dropped whole: nothing to
vacuum, exact statistics, and a version takes no time from the one that is served. All views turn to another version in
one transaction.

The folder `var/versions` decides which versions there are and which is served; the database follows it (`follow`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import geopandas as gpd
import pandas as pd
import pyarrow as pa
from psycopg import Connection, Error, errors
from psycopg.sql import SQL, Composed, Identifier, Literal

from spatial.contracts import Column, Kind, Layer
from spatial.contracts.model import GeometryType
from spatial.errors import NotFoundError, StoreError
from spatial.store.copying import GEOMETRY, SRID, copy_in, copy_out, layer_table
from spatial.store.place import PRIVATE, Place, connected

TYPES: Mapping[Kind, SQL] = {
    "string": SQL('text COLLATE "C"'),  # order by code point, as everywhere else
    "json": SQL("text"),  # byte for byte as published; `column::jsonb` where its parts are wanted
    "integer": SQL("bigint"),
    "number": SQL("double precision"),
    "datetime": SQL("timestamptz(3)"),
}
MEMBERS = Layer(
    "zone_members",
    "Point",
    "Anggota zona",
    "Members of zones",
    (
        Column("zone_id", "string", "Zona", "Zone", nullable=False),
        Column("member", "string", "Sel, lampu, atau kejadian", "Cell, lamp or incident", nullable=False),
    ),
)
"""The table of what each zone was made of; it has no geometry of its own."""
_VERSIONS: LiteralString = (
    "CREATE TABLE {}.versions (id text PRIMARY KEY, served boolean NOT NULL DEFAULT false, "
    "loaded timestamptz NOT NULL DEFAULT now())"
)
_GEOMETRIES: Mapping[GeometryType, SQL] = {
    "Point": SQL("Point"),
    "LineString": SQL("LineString"),
    "MultiLineString": SQL("MultiLineString"),
    "Polygon": SQL("Polygon"),
    "MultiPolygon": SQL("MultiPolygon"),
}
LOCK_WAIT = "10s"  # for another writer of the city to end
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_ATTEMPTS, _SPELL, _PAUSE_S = 200, "100ms", 0.05  # a switch waits for readers of the views half a minute in all
_OF_PEOPLE = "lapisan versi yang disajikan / layers of the served version"
_OF_OURS = "milik Hexakota, bukan untuk dibaca / Hexakota's own, not to be read"
_CHANGED_COMMENTS = """
SELECT a.attname, t.description FROM pg_description t
LEFT JOIN pg_attribute a ON a.attrelid = t.objoid AND a.attnum = t.objsubid AND t.objsubid > 0
LEFT JOIN pg_attribute b ON b.attrelid = %s::regclass AND b.attname = a.attname
LEFT JOIN pg_description v ON v.objoid = %s::regclass AND v.objsubid = coalesce(b.attnum, 0)
  AND v.classoid = 'pg_class'::regclass
WHERE t.objoid = %s::regclass AND t.classoid = 'pg_class'::regclass AND v.description IS DISTINCT FROM t.description
"""


@dataclass(frozen=True, slots=True)
class Postgis:
    """One city's schemas in a connection's transaction; all is committed at the end of `opened`, or nothing."""

    connection: Connection[Any]
    place: Place

    @classmethod
    @contextmanager
    def opened(cls, place: Place) -> Iterator[Postgis]:
        """Open (or make) the city's schemas, and hold their lock to the end of the transaction.

        Raises
        ------
        StoreError
            The database cannot be reached, has no PostGIS, or the schema is another city's.
        """
        with connected(place) as connection:
            store = cls(connection, place)
            store._prepare()
            yield store

    @property
    def private(self) -> str:
        """Name of the schema that only Hexakota reads."""
        return self.place.schema + PRIVATE

    def load(self, version: str, tables: Mapping[Layer, gpd.GeoDataFrame], members: pd.DataFrame) -> bool:
        """Load a version's layers without serving them; False where they are there already.

        Parameters
        ----------
        version : its id, a hash of its content: tables of that name hold the same.
        tables : a table per layer; checked against its contract, written in the order of ids.
        members : columns `zone_id, member`.
        """
        if version in self.versions():
            return False
        for layer, table in tables.items():
            self._load(version, layer, layer_table(layer, table))
        self._load(version, MEMBERS, _members(members))
        self.connection.execute(self._sql("INSERT INTO {}.versions (id) VALUES (%s)"), (version,))
        return True

    def serve(self, version: str) -> None:
        """Turn every view to a version.

        A statement that reads a view is waited for, in short spells so that others are not held up behind.

        Raises
        ------
        NotFoundError
            The version is not loaded.
        StoreError
            A view is read all the time, or another object stands on a column that is no more.
        """
        if version not in self.versions():
            raise NotFoundError(f"{self.place.shown}: version {version} is not loaded")
        for _ in range(_ATTEMPTS):
            try:
                with self.connection.transaction():
                    self._turn_all(version)
                return
            except (errors.LockNotAvailable, errors.DeadlockDetected):
                time.sleep(_PAUSE_S)
        raise StoreError(f"{self.place.shown}: a statement that reads its views does not end; end it, and run again")

    def _turn_all(self, version: str) -> None:
        self.connection.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(_SPELL)))
        served, tables = self.served(), self._tables(version)
        names = list(set(tables) | (set() if served is None else set(self._tables(served))))
        random.shuffle(names)  # readers lock views in an order of theirs: another one each time meets it in the end
        for name in names:
            if name in tables:
                self._turn(self._view(name), Identifier(self.private, tables[name]))
            else:
                self.connection.execute(SQL("DROP VIEW {}").format(self._view(name)))
        self.connection.execute(self._sql("UPDATE {}.versions SET served = (id = %s)"), (version,))

    def served(self) -> str | None:
        """Return the id of the version that the views show, or None."""
        row = self.connection.execute(self._sql("SELECT id FROM {}.versions WHERE served")).fetchone()
        return None if row is None else str(row[0])

    def versions(self) -> list[str]:
        """Return the ids of the versions that are loaded, each whole."""
        return [str(row[0]) for row in self.connection.execute(self._sql("SELECT id FROM {}.versions ORDER BY id"))]

    def drop(self, version: str) -> None:
        """Drop a version that is not served. Raises StoreError where it is."""
        if version == self.served():
            raise StoreError(f"{self.place.shown}: version {version} is served")
        for table in sorted(self._tables(version).values()):
            self.connection.execute(SQL("DROP TABLE {}").format(Identifier(self.private, table)))
        self.connection.execute(self._sql("DELETE FROM {}.versions WHERE id = %s"), (version,))

    def read_layer(self, version: str, layer: Layer) -> gpd.GeoDataFrame:
        """Read one layer of a version as a GeoDataFrame in CRS84, as it is read from the version's GeoPackage.

        Raises NotFoundError where the version or the layer is not loaded.
        """
        table = self._tables(version).get(layer.name)
        if table is None:
            raise NotFoundError(f"{self.place.shown}: no layer {layer.name} of version {version}")
        return copy_out(self.connection, Identifier(self.private, table), layer)

    def _prepare(self) -> None:
        """Hold the city's lock and make what is not there."""
        hold(self.connection, self.place, "versions")
        if not is_there(self.connection, f"{self.private}.versions"):
            self.connection.execute(self._sql(_VERSIONS))

    def _load(self, version: str, layer: Layer, rows: pa.Table) -> None:
        table = Identifier(self.private, f"v_{version}_{layer.name}")
        columns = [SQL("{} {}").format(Identifier(c.name), _type(c)) for c in layer.columns]
        if GEOMETRY in rows.column_names:
            columns.append(SQL("{} {} NOT NULL").format(Identifier(GEOMETRY), _geometry(layer)))
        run = self.connection.execute
        run(SQL("CREATE TABLE {} ({})").format(table, SQL(", ").join(columns)))
        copy_in(self.connection, table, rows)
        for statement in _indexes(table, layer):
            run(statement)
        self._describe(table, layer, version)

    def _describe(self, table: Identifier, layer: Layer, version: str) -> None:
        """Write the titles of a table and of its columns into the catalogue, Indonesian first."""
        title = f"{layer.title_id} / {layer.title_en} (versi / version {version})"
        self.connection.execute(SQL("COMMENT ON TABLE {} IS {}").format(table, Literal(title)))
        for column in layer.columns:
            unit = "" if column.unit is None else f" ({column.unit})"
            words = Literal(f"{column.title_id} / {column.title_en}{unit}")
            comment = SQL("COMMENT ON COLUMN {}.{} IS {}")
            self.connection.execute(comment.format(table, Identifier(column.name), words))

    def _turn(self, view: Identifier, table: Identifier) -> None:
        """Turn a view to a table, with the table's comments; it stays the same object, its grants too, if it can."""
        run = self.connection.execute
        make = SQL("VIEW {} AS SELECT * FROM {}").format(view, table)
        try:
            with self.connection.transaction():
                run(SQL("CREATE OR REPLACE {}").format(make))
        except errors.InvalidTableDefinition:  # the columns are another release's
            run(SQL("DROP VIEW {}").format(view))
            run(SQL("CREATE {}").format(make))
        view_name, table_name = view.as_string(self.connection), table.as_string(self.connection)
        for column, words in run(_CHANGED_COMMENTS, (view_name, view_name, table_name)).fetchall():
            what = SQL("VIEW {}").format(view)
            if column is not None:
                what = SQL("COLUMN {}.{}").format(view, Identifier(column))
            run(SQL("COMMENT ON {} IS {}").format(what, Literal(words)))

    def _tables(self, version: str) -> dict[str, str]:
        """Return the tables of a version by the name of their layer."""
        prefix = f"v_{version}_"
        rows = self.connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (self.private,))
        return {str(name).removeprefix(prefix): str(name) for (name,) in rows if str(name).startswith(prefix)}

    def _view(self, name: str) -> Identifier:
        return Identifier(self.place.schema, name)

    def _sql(self, text: LiteralString) -> Composed:
        return SQL(text).format(Identifier(self.private))


def lock(connection: Connection[Any], place: Place, what: str, wait: str) -> None:
    """Lock out other writers to the end of the transaction. Raises psycopg's LockNotAvailable after the wait."""
    connection.execute("SET LOCAL statement_timeout = 0")
    connection.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(wait)))
    connection.execute(_LOCK, (f"{place.schema}{PRIVATE} {what}",))


def hold(connection: Connection[Any], place: Place, what: str) -> None:
    """Make the city's schemas where they are not there, and lock out other writers to the end of the transaction.

    Raises StoreError where another holds the lock for 10 s, PostGIS is missing, or the schema is another city's.
    """
    run, private = connection.execute, place.schema + PRIVATE
    try:
        lock(connection, place, what, LOCK_WAIT)
        if not is_there(connection, f"{private}.city"):
            run(_LOCK, (private,))  # IF NOT EXISTS alone fails where two make the same
    except errors.LockNotAvailable as error:
        raise StoreError(f"{place.shown}: another run of this city is under way; wait for it to end") from error
    _need_postgis(connection, place)
    if not is_there(connection, f"{private}.city"):
        for name, words in ((place.schema, _OF_PEOPLE), (private, _OF_OURS)):
            if run("SELECT 1 FROM pg_namespace WHERE nspname = %s", (name,)).fetchone() is None:
                run(SQL("CREATE SCHEMA {}").format(Identifier(name)))
                run(SQL("COMMENT ON SCHEMA {} IS {}").format(Identifier(name), Literal(f"Hexakota: {words}")))
        run(SQL("CREATE TABLE {}.city (name text NOT NULL)").format(Identifier(private)))
        run(SQL("INSERT INTO {}.city VALUES (%s)").format(Identifier(private)), (place.city,))
    held = run(SQL("SELECT name FROM {}.city").format(Identifier(private))).fetchone()
    if held != (place.city,):
        told = "of no city" if held is None else f"of the city {held[0]!r}"
        raise StoreError(f"{place.shown}: it is the schema {told}; state another schema in [store]")


def is_there(connection: Connection[Any], table: str) -> bool:
    """Tell whether a table is there, named as `schema.table`."""
    row = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()
    return row is not None and row[0] is not None


def _need_postgis(connection: Connection[Any], place: Place) -> None:
    """See that PostGIS is there and found, whatever schema it is in; install it if we may."""
    where = "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'postgis'"
    row = connection.execute(where).fetchone()
    if row is None:
        try:
            with connection.transaction():
                connection.execute("CREATE EXTENSION postgis")
        except Error as error:
            told = "has no PostGIS; let its owner run CREATE EXTENSION postgis"
            raise StoreError(f"{place.shown}: {told}") from error
        row = connection.execute(where).fetchone() or ("public",)
    connection.execute(SQL("SET LOCAL search_path = {}, pg_temp").format(Identifier(row[0])))


def _type(column: Column) -> SQL | Composed:
    return TYPES[column.kind] if column.nullable else SQL("{} NOT NULL").format(TYPES[column.kind])


def _geometry(layer: Layer) -> Composed:
    return SQL("geometry({}, {})").format(_GEOMETRIES[layer.geometry], Literal(SRID))


def _indexes(table: Identifier, layer: Layer) -> Iterator[Composed]:
    """Yield what follows the rows of a table: its key, its indexes, its statistics."""
    if layer is MEMBERS:
        yield SQL("CREATE INDEX ON {} (zone_id)").format(table)
        yield SQL("CREATE INDEX ON {} (member)").format(table)
    else:
        yield SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(table, Identifier(layer.id_column))
        yield SQL("CREATE INDEX ON {} USING gist ({})").format(table, Identifier(GEOMETRY))
    if layer.temporal is not None:
        yield SQL("CREATE INDEX ON {} ({})").format(table, Identifier(layer.temporal))
    yield SQL("ANALYZE {}").format(table)


def _members(members: pd.DataFrame) -> pa.Table:
    rows = members.sort_values(["zone_id", "member"])
    return pa.table({name: pa.Array.from_pandas(rows[name], type=pa.string()) for name in ("zone_id", "member")})
