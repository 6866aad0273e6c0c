"""Live tables of a city in `var/live.gpkg` (GeoPackage in WAL mode): reports as delivered and edited, and quarantine.

A run puts the files' rows in by id; rows edited or deleted through the API (`origin` is `api`) are left as they are.
Everything happens in one transaction: a killed run leaves the tables as they were.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from spatial.errors import StoreError
from spatial.store.live_schema import (
    DELIVERED,
    RELEASES,
    SCHEMA_OF_RELEASES,
    SRS_ID,
    TIMES,
    WKB_AT,
    next_revision,
    prepare,
)

_QUARANTINE = ("file", "row", "report_id", "field", "reason", "value", "raw")


@dataclass(frozen=True, slots=True)
class Upsert:
    """What one file's rows did to the live reports.

    `edited` are rows that the API changed or deleted since, `deleted` those of them that it deleted; `missing` are rows
    that the file held once and that stay. So new + changed + unchanged + edited - deleted + missing of it are stored.
    """

    new: int
    changed: int
    unchanged: int
    edited: int
    missing: int
    deleted: int = 0


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
                prepare(connection)
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
        held = {
            row[0]: (row[1:-3], *row[-3:])
            for row in self._connection.execute(
                f"SELECT {', '.join(DELIVERED)}, geom, file, origin, deleted FROM reports"
            )
        }
        known = [key for key in rows if key in held]
        edited = [key for key in known if held[key][2] == "api"]
        same = sum(1 for key in known if held[key][:3] == (rows[key][1:], file, "file"))
        missing = [k for k, (_, of, origin, _) in held.items() if k not in rows and origin == "file" and of == file]
        gone = missing if drop_missing else []
        if len(rows) - len(edited) - same or gone:
            self._put([(*row, file) for row in rows.values()], next_revision(self._connection, bool(gone)))
        self._forget(gone)
        return Upsert(
            new=len(rows) - len(known),
            changed=len(known) - len(edited) - same,
            unchanged=same,
            edited=len(edited),
            missing=len(missing) - len(gone),
            deleted=sum(held[key][3] for key in edited),
        )

    def _put(self, rows: Sequence[tuple[Any, ...]], revision: int) -> None:
        """Insert rows of `DELIVERED`, geometry and file, or update those of a file that differ, as one change."""
        columns = (*DELIVERED, "geom", "file")
        assignments = ", ".join(f"{name} = excluded.{name}" for name in (*columns[1:], "revision"))
        differs = " OR ".join(f"{name} IS NOT excluded.{name}" for name in columns[1:])
        self._connection.executemany(
            f"INSERT INTO reports ({', '.join(columns)}, origin, revision) "
            f"VALUES ({', '.join('?' * len(columns))}, 'file', {revision:d}) "
            f"ON CONFLICT (report_id) DO UPDATE SET {assignments} WHERE origin = 'file' AND ({differs})",
            rows,
        )

    def _forget(self, report_ids: Sequence[str]) -> None:
        self._connection.executemany("DELETE FROM reports WHERE report_id = ?", [(key,) for key in report_ids])

    def revision(self) -> int:
        """Return the number of the latest change of the reports."""
        return int(self._connection.execute("SELECT last FROM revisions").fetchone()[0])

    def through_api(self, delivered: Collection[str]) -> int:
        """Count the reports that were made or edited through the API and that no file of this run holds."""
        rows = self._connection.execute("SELECT report_id FROM reports WHERE origin = 'api' AND deleted = 0")
        return sum(1 for (report_id,) in rows if report_id not in delivered)

    def orphans(self, files: Sequence[str], drop: bool) -> int:
        """Count, and with `drop` delete, the file rows of earlier runs whose file is not among `files` any more."""
        rows = self._connection.execute("SELECT report_id, file FROM reports WHERE origin = 'file'").fetchall()
        left = [report_id for report_id, file in rows if file not in files]
        if drop and left:
            next_revision(self._connection, clears=True)
            self._forget(left)
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
        self._connection.execute(SCHEMA_OF_RELEASES)
        rows = self._connection.execute(f"SELECT {', '.join(RELEASES)} FROM releases ORDER BY fid").fetchall()
        table = pd.DataFrame(rows, columns=list(RELEASES)).astype({"batch": "int64"})
        table["day"] = pd.to_datetime(table["day"], utc=True, format="ISO8601").astype("datetime64[ms, UTC]")
        return table

    def add_releases(self, rows: pd.DataFrame) -> None:
        """Append to what was released; see `releases`."""
        self._connection.executemany(
            f"INSERT INTO releases ({', '.join(RELEASES)}) VALUES ({', '.join('?' * len(RELEASES))})",
            [tuple(map(_plain, row)) for row in rows[list(RELEASES)].itertuples(index=False, name=None)],
        )

    def snapshot(self) -> gpd.GeoDataFrame:
        """Return all reports that are not deleted, in id order, as `sources.reports` delivers them."""
        rows = self._connection.execute(
            f"SELECT {', '.join(DELIVERED)}, geom FROM reports WHERE deleted = 0 ORDER BY report_id"
        ).fetchall()
        table = pd.DataFrame([row[:-1] for row in rows], columns=list(DELIVERED)).convert_dtypes()
        for name in TIMES:
            table[name] = pd.to_datetime(table[name], utc=True, format="ISO8601").astype("datetime64[ms, UTC]")
        table["depth_m"] = table["depth_m"].astype(float)
        points = shapely.from_wkb([row[-1][WKB_AT:] for row in rows])
        return gpd.GeoDataFrame(table, geometry=points, crs="EPSG:4326")


def _rows(reports: gpd.GeoDataFrame) -> Iterator[tuple[Any, ...]]:
    header = struct.pack("<2sBBi", b"GP", 0, 1, SRS_ID)
    geometry = [header + wkb for wkb in shapely.to_wkb(reports.geometry.to_numpy(), byte_order=1)]
    columns: list[Sequence[Any]] = [reports[name].tolist() for name in DELIVERED]
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
