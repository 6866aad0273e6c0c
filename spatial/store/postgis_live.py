"""The live tables of a city in PostGIS: the same tables, columns and behaviour as `spatial.store.live` has in SQLite.

They lie in the city's private schema (`<schema>_store`): texts and refused rows are as delivered, not redacted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import shapely
from psycopg import Connection, Cursor
from psycopg.sql import SQL, Identifier

from spatial.store.copying import GEOMETRY, copy_in, geometry_array
from spatial.store.live import Upsert
from spatial.store.place import PRIVATE, Place, connected
from spatial.store.postgis import hold, is_there
from spatial.store.sql_functions import make_functions

DELIVERED: Mapping[str, pa.DataType] = {
    "report_id": pa.string(),
    "source": pa.string(),
    "category": pa.string(),
    "category_raw": pa.string(),
    "category_basis": pa.string(),
    "description": pa.string(),
    "status": pa.string(),
    "requested_datetime": pa.timestamp("ms", tz="UTC"),
    "updated_datetime": pa.timestamp("ms", tz="UTC"),
    "resolved_datetime": pa.timestamp("ms", tz="UTC"),
    "depth_m": pa.float64(),
    "decimals": pa.int64(),
}
REPORTS: Mapping[str, pa.DataType] = dict(DELIVERED) | {
    "file": pa.string(),
    "origin": pa.string(),
    "deleted": pa.int64(),
    "revision": pa.int64(),
}
TIMES = tuple(name for name, kind in DELIVERED.items() if pa.types.is_timestamp(kind))
QUARANTINE: Mapping[str, pa.DataType] = {
    "file": pa.string(),
    "row": pa.int64(),
    "report_id": pa.string(),
    "field": pa.string(),
    "reason": pa.string(),
    "value": pa.string(),
    "raw": pa.string(),
}
RELEASES: Mapping[str, pa.DataType] = {
    "report_id": pa.string(),
    "cell": pa.string(),
    "category": pa.string(),
    "batch": pa.int64(),
    "day": pa.timestamp("ms", tz="UTC"),
    "min_count": pa.int64(),
    "resolution": pa.int64(),
}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS {0}.reports (fid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  geom geometry(Point, 4326) NOT NULL, report_id text COLLATE "C" NOT NULL UNIQUE, source text COLLATE "C" NOT NULL,
  category text COLLATE "C" NOT NULL, category_raw text COLLATE "C", category_basis text COLLATE "C",
  description text COLLATE "C", status text COLLATE "C", requested_datetime timestamptz(3),
  updated_datetime timestamptz(3), resolved_datetime timestamptz(3), depth_m double precision,
  decimals integer NOT NULL, file text, origin text NOT NULL CHECK (origin IN ('file', 'api')),
  deleted integer NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)), revision bigint NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS {0}.revisions (id integer PRIMARY KEY CHECK (id = 1), last bigint NOT NULL,
  cleared bigint NOT NULL);
INSERT INTO {0}.revisions VALUES (1, 1, 0) ON CONFLICT DO NOTHING;
CREATE INDEX IF NOT EXISTS reports_revision ON {0}.reports (revision);
CREATE INDEX IF NOT EXISTS reports_geom ON {0}.reports USING gist (geom);
CREATE INDEX IF NOT EXISTS reports_requested ON {0}.reports (requested_datetime);
CREATE TABLE IF NOT EXISTS {0}.quarantine (fid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, file text NOT NULL,
  "row" bigint NOT NULL, report_id text, field text NOT NULL, reason text NOT NULL, value text, raw text);
CREATE TABLE IF NOT EXISTS {0}.releases (fid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  report_id text NOT NULL UNIQUE, cell text NOT NULL, category text NOT NULL, batch bigint NOT NULL,
  day timestamptz(3), min_count bigint NOT NULL, resolution bigint NOT NULL);
"""
_HEADER = 8  # bytes of GeoPackage's header before the WKB of a point
_NAMES = ", ".join(DELIVERED)
_DELIVERED = f"""
CREATE TEMPORARY TABLE delivered ON COMMIT DROP AS SELECT {_NAMES}, geom FROM {{0}}.reports WHERE false
"""
_CHANGED = " OR ".join(f"r.{name} IS DISTINCT FROM d.{name}" for name in DELIVERED if name != "report_id")
_DIFFERS = f"({_CHANGED} OR ST_AsEWKB(r.geom) <> ST_AsEWKB(d.geom) OR r.file IS DISTINCT FROM %(file)s)"
_COUNT_DELIVERED = f"""
SELECT count(*) FILTER (WHERE r.report_id IS NULL), count(*) FILTER (WHERE r.origin = 'api'),
  count(*) FILTER (WHERE r.origin = 'api' AND r.deleted = 1),
  count(*) FILTER (WHERE r.origin = 'file' AND NOT {_DIFFERS})
FROM pg_temp.delivered d LEFT JOIN {{0}}.reports r USING (report_id)
"""
_ASSIGNED = ", ".join(
    f"{name} = excluded.{name}" for name in (*DELIVERED, "geom", "file", "revision") if name != "report_id"
)
_PUT = f"""
INSERT INTO {{0}}.reports ({_NAMES}, geom, origin, file, revision)
SELECT {", ".join(f"d.{name}" for name in DELIVERED)}, d.geom, 'file', %(file)s, %(revision)s
FROM pg_temp.delivered d LEFT JOIN {{0}}.reports r USING (report_id)
WHERE r.report_id IS NULL OR (r.origin = 'file' AND {_DIFFERS}) ORDER BY d.report_id
ON CONFLICT (report_id) DO UPDATE SET {_ASSIGNED}
"""
_MISSING = """
WHERE origin = 'file' AND file = %(file)s
  AND NOT EXISTS (SELECT FROM pg_temp.delivered d WHERE d.report_id = r.report_id)
"""
_COUNT_MISSING = f"SELECT count(*) FROM {{0}}.reports r {_MISSING}"
_DROP_MISSING = f"DELETE FROM {{0}}.reports r {_MISSING}"
NEXT_REVISION: LiteralString = """
UPDATE {0}.revisions SET last = last + 1, cleared = CASE WHEN %(clears)s THEN last + 1 ELSE cleared END RETURNING last
"""
_LAST_ADOPTED = """
UPDATE {0}.revisions SET last = (SELECT coalesce(max(revision), 1) + 1 FROM {0}.reports),
  cleared = (SELECT coalesce(max(revision), 1) + 1 FROM {0}.reports)
"""
_ORPHANS = "WHERE origin = 'file' AND file <> ALL(%(files)s)"


class PostgisLive:
    """The live tables of one city in PostGIS. Use `opened`; all changes inside it are one transaction."""

    def __init__(self, connection: Connection[Any], schema: str) -> None:
        self._connection = connection
        self._schema = schema

    @classmethod
    @contextmanager
    def opened(cls, place: Place) -> Iterator[PostgisLive]:
        """Open (or make) the tables; commit at the end, roll back on any error.

        Raises StoreError where the database cannot be reached or another run holds the city.
        """
        with connected(place) as connection:
            hold(connection, place, "live")
            live = cls(connection, place.schema + PRIVATE)
            if not is_there(connection, f"{live._schema}.releases"):
                live._run(_SCHEMA)
                make_functions(connection, live._schema)
            yield live

    def upsert(self, reports: gpd.GeoDataFrame, file: str, drop_missing: bool) -> Upsert:
        """Put a file's reports in by id; see `LiveTables.upsert`."""
        latest = reports[~reports["report_id"].duplicated(keep="last")]
        rows = _arrow(latest, DELIVERED).append_column(GEOMETRY, geometry_array(latest.geometry))
        self._run(_DELIVERED)
        copy_in(self._connection, Identifier("pg_temp", "delivered"), rows)
        self._run("ALTER TABLE pg_temp.delivered ADD PRIMARY KEY (report_id)")
        new, edited, deleted, same = self._numbers(_COUNT_DELIVERED, file=file)
        (missing,) = self._numbers(_COUNT_MISSING, file=file)
        gone = missing if drop_missing else 0
        if len(latest) - edited - same or gone:
            self._run(_PUT, file=file, revision=self._next_revision(gone > 0))
        if gone:
            self._run(_DROP_MISSING, file=file)
        self._run("DROP TABLE pg_temp.delivered")
        return Upsert(new, len(latest) - new - same - edited, same, edited, missing - gone, deleted)

    def _next_revision(self, clears: bool) -> int:
        return self._numbers(NEXT_REVISION, clears=clears)[0]

    def revision(self) -> int:
        """Return the number of the latest change of the reports."""
        return self._numbers("SELECT last FROM {0}.revisions")[0]

    def through_api(self, delivered: Collection[str]) -> int:
        """Count the reports that were made or edited through the API and that no file of this run holds."""
        rows = self._run("SELECT report_id FROM {0}.reports WHERE origin = 'api' AND deleted = 0").fetchall()
        return sum(1 for (report_id,) in rows if report_id not in delivered)

    def orphans(self, files: Sequence[str], drop: bool) -> int:
        """Count, and with `drop` delete, the file rows of earlier runs whose file is not among `files` any more."""
        (left,) = self._numbers(f"SELECT count(*) FROM {{0}}.reports {_ORPHANS}", files=list(files))
        if drop and left:
            self._next_revision(clears=True)
            self._run(f"DELETE FROM {{0}}.reports {_ORPHANS}", files=list(files))
        return left

    def replace_quarantine(self, rows: pd.DataFrame) -> None:
        """Replace the quarantine by what this run could not use: `file, row, report_id, field, reason, value, raw`."""
        self._run("DELETE FROM {0}.quarantine")
        copy_in(self._connection, Identifier(self._schema, "quarantine"), _arrow(rows, QUARANTINE))

    def releases(self) -> pd.DataFrame:
        """Return what was released under `[privacy]`, in order: report, cell, category, batch, day and the terms."""
        rows = self._run(f"SELECT {', '.join(RELEASES)} FROM {{0}}.releases ORDER BY fid").fetchall()
        table = pd.DataFrame(rows, columns=list(RELEASES)).astype({"batch": "int64"})
        table["day"] = pd.to_datetime(table["day"], utc=True).astype("datetime64[ms, UTC]")
        return table

    def add_releases(self, rows: pd.DataFrame) -> None:
        """Append to what was released; see `releases`."""
        copy_in(self._connection, Identifier(self._schema, "releases"), _arrow(rows, RELEASES))

    def snapshot(self) -> gpd.GeoDataFrame:
        """Return all reports that are not deleted, in id order, as `sources.reports` delivers them."""
        query = f"SELECT {_NAMES}, ST_AsBinary(geom, 'NDR') FROM {{0}}.reports WHERE deleted = 0 ORDER BY report_id"
        rows = self._run(query).fetchall()
        table = pd.DataFrame([row[:-1] for row in rows], columns=list(DELIVERED)).convert_dtypes()
        for name in TIMES:
            table[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[ms, UTC]")
        table["depth_m"] = table["depth_m"].astype(float)
        return gpd.GeoDataFrame(table, geometry=shapely.from_wkb([row[-1] for row in rows]), crs="EPSG:4326")

    def adopt(self, file: Path) -> None:
        """Take over the tables of a `live.gpkg` where these are empty: edits and releases are kept nowhere else."""
        (held,) = self._numbers("SELECT (SELECT count(*) FROM {0}.reports) + (SELECT count(*) FROM {0}.releases)")
        if held:
            return
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            for name, columns in (("reports", REPORTS), ("quarantine", QUARANTINE), ("releases", RELEASES)):
                there = {row[1] for row in connection.execute("SELECT * FROM pragma_table_info(?)", (name,))}
                taken = {column: kind for column, kind in columns.items() if column in there}
                if not taken:
                    continue
                rows = pd.read_sql_query(f"SELECT {', '.join(taken)} FROM {name} ORDER BY fid", connection)
                table = _arrow(rows, taken)
                if name == "reports":
                    points = pd.read_sql_query("SELECT geom FROM reports ORDER BY fid", connection)["geom"]
                    wkb = [blob[_HEADER:] for blob in points]
                    table = table.append_column(GEOMETRY, geometry_array(gpd.GeoSeries.from_wkb(wkb)))
                copy_in(self._connection, Identifier(self._schema, name), table)
        self._run(_LAST_ADOPTED)  # what the file took away for good is not known here

    def _run(self, statement: LiteralString, **values: Any) -> Cursor[Any]:
        """Run a statement of this module, `{0}` being the private schema."""
        query = SQL(statement).format(Identifier(self._schema))
        return self._connection.execute(query, values or None)

    def _numbers(self, statement: LiteralString, **values: Any) -> tuple[int, ...]:
        row = self._run(statement, **values).fetchone()
        return tuple(int(number) for number in row or ())


def _arrow(rows: pd.DataFrame, columns: Mapping[str, pa.DataType]) -> pa.Table:
    return pa.table({name: _array(rows[name], kind) for name, kind in columns.items()})


def _array(values: pd.Series[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        values = pd.to_datetime(values, utc=True).astype("datetime64[ms, UTC]")
    return pa.Array.from_pandas(values, type=kind)
