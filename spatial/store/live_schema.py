"""The SQLite tables behind `spatial.store.live`: their schema, and what an earlier release's tables lack.

`revisions` holds one row: `last`, the number of the latest change of reports, and `cleared`, the number of the latest
change that took rows away for good (a copy of the table that is older must be read anew). Every change of reports gets
the next number, and every row keeps, in `revision`, the number of the change that it comes from.
"""

from __future__ import annotations

import sqlite3
import struct

from pyproj import CRS

from spatial.errors import StoreError

DELIVERED = (
    "report_id",
    "source",
    "category",
    "category_raw",
    "category_basis",
    "description",
    "status",
    "requested_datetime",
    "updated_datetime",
    "resolved_datetime",
    "depth_m",
    "decimals",
)
TIMES = ("requested_datetime", "updated_datetime", "resolved_datetime")
WKB_AT = 8  # bytes of GeoPackage's header before the WKB of a point without an envelope
SRS_ID = 4326
_GPKG_1_3 = (0x47504B47, 10300)  # application_id "GPKG", user_version
_SCHEMA = """
CREATE TABLE IF NOT EXISTS gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
  organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE IF NOT EXISTS gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
  identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT
  (strftime('%Y-%m-%dT%H:%M:%fZ','now')), min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE IF NOT EXISTS gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE IF NOT EXISTS reports (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom POINT NOT NULL,
  report_id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, category TEXT NOT NULL, category_raw TEXT,
  category_basis TEXT, description TEXT, status TEXT,
  requested_datetime DATETIME, updated_datetime DATETIME, resolved_datetime DATETIME, depth_m REAL,
  decimals INTEGER NOT NULL, file TEXT, origin TEXT NOT NULL CHECK (origin IN ('file', 'api')),
  deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)), revision INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS quarantine (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, file TEXT NOT NULL,
  row INTEGER NOT NULL, report_id TEXT, field TEXT NOT NULL, reason TEXT NOT NULL, value TEXT, raw TEXT);
INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) VALUES
  ('reports', 'features', 'reports', 'live reports', 4326);
INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier, description) VALUES
  ('quarantine', 'attributes', 'quarantine', 'rows that could not be used, with the reason');
INSERT OR IGNORE INTO gpkg_geometry_columns VALUES ('reports', 'geom', 'POINT', 4326, 0, 0);
"""
RELEASES = ("report_id", "cell", "category", "batch", "day", "min_count", "resolution")
SCHEMA_OF_RELEASES = """
CREATE TABLE IF NOT EXISTS releases (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, report_id TEXT NOT NULL UNIQUE,
  cell TEXT NOT NULL, category TEXT NOT NULL, batch INTEGER NOT NULL, day DATETIME, min_count INTEGER NOT NULL,
  resolution INTEGER NOT NULL)
"""
_SCHEMA_OF_REVISIONS = """
CREATE TABLE IF NOT EXISTS revisions (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL,
  cleared INTEGER NOT NULL);
INSERT OR IGNORE INTO revisions VALUES (1, 1, 0);
CREATE INDEX IF NOT EXISTS reports_revision ON reports (revision);
"""
_SYSTEMS = (
    ("Undefined cartesian SRS", -1, "NONE", -1, "undefined", None),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined", None),
    ("WGS 84 geodetic", 4326, "EPSG", 4326, "", None),
)


def prepare(connection: sqlite3.Connection) -> None:
    """Begin to write: make the tables where they are not there, and give those of an earlier release what they lack.

    Raises `sqlite3.OperationalError` where another process writes for longer than the connection's timeout.
    """
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] == _GPKG_1_3[1]:
        _add_new_columns(connection)
        return
    _execute(connection, _SCHEMA + _SCHEMA_OF_REVISIONS)
    connection.executemany(
        "INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)",
        [row if row[1] != SRS_ID else (*row[:4], _wkt(), None) for row in _SYSTEMS],
    )
    connection.execute(f"PRAGMA application_id = {_GPKG_1_3[0]}")
    connection.execute(f"PRAGMA user_version = {_GPKG_1_3[1]}")


def _add_new_columns(connection: sqlite3.Connection) -> None:
    """Give tables of an earlier release the columns that they did not have; null until the next delivery."""
    held = {row[1] for row in connection.execute("PRAGMA table_info(reports)")}
    if "category_basis" not in held:
        connection.execute("ALTER TABLE reports ADD COLUMN category_basis TEXT")
    if "revision" not in held:
        connection.execute("ALTER TABLE reports ADD COLUMN revision INTEGER NOT NULL DEFAULT 1")
        _execute(connection, _SCHEMA_OF_REVISIONS)


def _execute(connection: sqlite3.Connection, script: str) -> None:
    """Run statements inside the transaction; `executescript` would commit it first."""
    for statement in script.split(";"):
        connection.execute(statement)


def _wkt() -> str:
    return CRS.from_epsg(SRS_ID).to_wkt("WKT1_GDAL")


def next_revision(connection: sqlite3.Connection, clears: bool = False) -> int:
    """Return the number of a change that this transaction makes; `clears`: it takes rows away for good."""
    sql = "UPDATE revisions SET last = last + 1, cleared = CASE WHEN ? THEN last + 1 ELSE cleared END RETURNING last"
    return int(connection.execute(sql, (clears,)).fetchone()[0])


def stored_point(lon: float, lat: float) -> bytes:
    """Return a point as GeoPackage stores it: the header without an envelope, then WKB, little-endian."""
    return struct.pack("<2sBBiBIdd", b"GP", 0, 1, SRS_ID, 1, 1, lon, lat)


def read_point(blob: bytes) -> tuple[float, float]:
    """Return the longitude and latitude of a point as these tables store it."""
    order, _, lon, lat = struct.unpack_from("<BIdd", blob, WKB_AT)
    if order != 1:
        raise StoreError("live.gpkg: a point is not stored as Hexakota writes it; another program edited it")
    return lon, lat
