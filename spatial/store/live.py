"""Live tables of a city in `var/live.gpkg` (GeoPackage in WAL mode): reports as delivered and edited, and quarantine.

A run puts the files' rows in by id; rows edited or deleted through the API (`origin` is `api`) are left as they are.
Everything happens in one transaction: a killed run leaves the tables as they were.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from pyproj import CRS

from spatial.errors import StoreError

_DELIVERED = (
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
_TIMES = ("requested_datetime", "updated_datetime", "resolved_datetime")
_QUARANTINE = ("file", "row", "report_id", "field", "reason", "value", "raw")
_SRS_ID = 4326
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
  deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)));
CREATE TABLE IF NOT EXISTS quarantine (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, file TEXT NOT NULL,
  row INTEGER NOT NULL, report_id TEXT, field TEXT NOT NULL, reason TEXT NOT NULL, value TEXT, raw TEXT);
INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) VALUES
  ('reports', 'features', 'reports', 'live reports', 4326);
INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier, description) VALUES
  ('quarantine', 'attributes', 'quarantine', 'rows that could not be used, with the reason');
INSERT OR IGNORE INTO gpkg_geometry_columns VALUES ('reports', 'geom', 'POINT', 4326, 0, 0);
"""
_RELEASES = ("report_id", "cell", "category", "batch", "day", "min_count", "resolution")
_SCHEMA_OF_RELEASES = """
CREATE TABLE IF NOT EXISTS releases (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, report_id TEXT NOT NULL UNIQUE,
  cell TEXT NOT NULL, category TEXT NOT NULL, batch INTEGER NOT NULL, day DATETIME, min_count INTEGER NOT NULL,
  resolution INTEGER NOT NULL)
"""
_SYSTEMS = (
    ("Undefined cartesian SRS", -1, "NONE", -1, "undefined", None),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined", None),
    ("WGS 84 geodetic", 4326, "EPSG", 4326, "", None),
)


@dataclass(frozen=True, slots=True)
class Upsert:
    """What one file's rows did to the live reports; `missing` are rows that it held once and that stay."""

    new: int
    changed: int
    unchanged: int
    edited: int
    missing: int


class LiveTables:
    """The live tables of one city. Use `opened`; all changes inside it are one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[LiveTables]:
        """Open (or make) the tables; commit at the end, roll back on any error. Raises StoreError if it is locked."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=10.0, isolation_level=None)) as connection:
            try:
                _prepare(connection)
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise StoreError(f"{path}: cannot be written ({error}); close the program that holds it") from error
            try:
                yield cls(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def upsert(self, reports: gpd.GeoDataFrame, file: str, drop_missing: bool) -> Upsert:
        """Put a file's reports in by id.

        Parameters
        ----------
        reports : the columns that `sources.reports` delivers, points in CRS84.
        file : the file's path as `city.toml` names it.
        drop_missing : delete rows that an earlier run read from this file and that it no longer holds.
        """
        rows = {row[0]: row for row in _rows(reports)}
        placeholders = ", ".join("?" * (len(_DELIVERED) + 1))
        held = {
            row[0]: (row[1:-2], row[-2], row[-1])
            for row in self._connection.execute(f"SELECT {', '.join(_DELIVERED)}, geom, origin, file FROM reports")
        }
        edited = sum(1 for key in rows if key in held and held[key][1] == "api")
        same = sum(1 for key, row in rows.items() if key in held and held[key] == (row[1:], "file", file))
        new = sum(1 for key in rows if key not in held)
        assignments = ", ".join(f"{name} = excluded.{name}" for name in (*_DELIVERED[1:], "geom", "file"))
        self._connection.executemany(
            f"INSERT INTO reports ({', '.join(_DELIVERED)}, geom, origin, file) VALUES ({placeholders}, 'file', ?) "
            f"ON CONFLICT (report_id) DO UPDATE SET {assignments} WHERE origin = 'file'",
            [(*row, file) for row in rows.values()],
        )
        missing = [
            k for k, (_, origin, held_file) in held.items() if k not in rows and origin == "file" and held_file == file
        ]
        if drop_missing:
            self._connection.executemany("DELETE FROM reports WHERE report_id = ?", [(key,) for key in missing])
        return Upsert(new, len(rows) - new - same - edited, same, edited, 0 if drop_missing else len(missing))

    def orphans(self, files: Sequence[str], drop: bool) -> int:
        """Count, and with `drop` delete, the file rows of earlier runs whose file is not among `files` any more."""
        rows = self._connection.execute("SELECT report_id, file FROM reports WHERE origin = 'file'").fetchall()
        left = [(report_id,) for report_id, file in rows if file not in files]
        if drop:
            self._connection.executemany("DELETE FROM reports WHERE report_id = ?", left)
        return len(left)

    def replace_quarantine(self, rows: pd.DataFrame) -> None:
        """Replace the quarantine by what this run could not use: `file, row, report_id, field, reason, value, raw`."""
        self._connection.execute("DELETE FROM quarantine")
        self._connection.executemany(
            f"INSERT INTO quarantine ({', '.join(_QUARANTINE)}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                tuple(_plain(value) for value in row)
                for row in rows[list(_QUARANTINE)].itertuples(index=False, name=None)
            ],
        )

    def releases(self) -> pd.DataFrame:
        """Return what was released under `[privacy]`, in order: report, cell, category, batch, day and the terms."""
        self._connection.execute(_SCHEMA_OF_RELEASES)
        rows = self._connection.execute(f"SELECT {', '.join(_RELEASES)} FROM releases ORDER BY fid").fetchall()
        table = pd.DataFrame(rows, columns=list(_RELEASES)).astype({"batch": "int64"})
        table["day"] = pd.to_datetime(table["day"], utc=True, format="ISO8601").astype("datetime64[ms, UTC]")
        return table

    def add_releases(self, rows: pd.DataFrame) -> None:
        """Append to what was released; see `releases`."""
        self._connection.executemany(
            f"INSERT INTO releases ({', '.join(_RELEASES)}) VALUES ({', '.join('?' * len(_RELEASES))})",
            [tuple(map(_plain, row)) for row in rows[list(_RELEASES)].itertuples(index=False, name=None)],
        )

    def snapshot(self) -> gpd.GeoDataFrame:
        """Return all reports that are not deleted, in id order, as `sources.reports` delivers them."""
        rows = self._connection.execute(
            f"SELECT {', '.join(_DELIVERED)}, geom FROM reports WHERE deleted = 0 ORDER BY report_id"
        ).fetchall()
        table = pd.DataFrame([row[:-1] for row in rows], columns=list(_DELIVERED)).convert_dtypes()
        for name in _TIMES:
            table[name] = pd.to_datetime(table[name], utc=True, format="ISO8601").astype("datetime64[ms, UTC]")
        table["depth_m"] = table["depth_m"].astype(float)
        points = shapely.from_wkb([row[-1][8:] for row in rows])
        return gpd.GeoDataFrame(table, geometry=points, crs="EPSG:4326")


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    if connection.execute("PRAGMA user_version").fetchone()[0] == _GPKG_1_3[1]:
        _add_new_columns(connection)
        return
    connection.executescript(_SCHEMA)
    connection.executemany(
        "INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)",
        [row if row[1] != _SRS_ID else (*row[:4], _wkt(), None) for row in _SYSTEMS],
    )
    connection.execute(f"PRAGMA application_id = {_GPKG_1_3[0]}")
    connection.execute(f"PRAGMA user_version = {_GPKG_1_3[1]}")


def _add_new_columns(connection: sqlite3.Connection) -> None:
    """Give tables of an earlier release the columns that it did not have; null until the next delivery."""
    held = {row[1] for row in connection.execute("PRAGMA table_info(reports)")}
    if "category_basis" not in held:
        connection.execute("ALTER TABLE reports ADD COLUMN category_basis TEXT")


def _wkt() -> str:
    return CRS.from_epsg(_SRS_ID).to_wkt("WKT1_GDAL")


def _rows(reports: gpd.GeoDataFrame) -> Iterator[tuple[Any, ...]]:
    header = struct.pack("<2sBBi", b"GP", 0, 1, _SRS_ID)
    geometry = [header + wkb for wkb in shapely.to_wkb(reports.geometry.to_numpy(), byte_order=1)]
    columns: list[Sequence[Any]] = [reports[name].tolist() for name in _DELIVERED]
    for row in zip(*columns, geometry, strict=True):
        yield tuple(_plain(value) for value in row)


def _plain(value: Any) -> Any:
    """Return a value as SQLite keeps it: times as RFC 3339 in UTC, nulls as None."""
    if isinstance(value, bytes | str):
        return value
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return value.item() if hasattr(value, "item") else value
