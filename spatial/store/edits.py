"""Live reports as clients read and edit them, one by one (OGC API Features Part 4).

An edit is one transaction: what it read is what it changes, whoever else writes. An edited or deleted report gets
`origin` api, so that no later run takes the files' row for it; a deleted one stays in the table, marked, so that its id
stays deleted. Readers are never kept waiting (WAL); a writer waits for `WAIT_S` and then gives up with BusyError.

Times are texts as GeoPackage stores them: RFC 3339, UTC, milliseconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from spatial.errors import BusyError, StoreError
from spatial.store.live_schema import DELIVERED, next_revision, read_point, stored_point
from spatial.store.pool import Pool

WAIT_S = 5.0
_READ = f"SELECT {', '.join(DELIVERED)}, geom, revision FROM reports WHERE report_id = ? AND deleted = 0"
_CHANGED = f"SELECT {', '.join(DELIVERED)}, geom, revision, deleted FROM reports WHERE revision > ? ORDER BY report_id"


@dataclass(frozen=True, eq=False, slots=True)
class LiveReport:
    """One live report: the values of `DELIVERED` by name, its place in degrees (CRS84), the change it comes from."""

    values: Mapping[str, Any]
    lon: float
    lat: float
    revision: int = 0

    @property
    def report_id(self) -> str:
        """The report's id."""
        return str(self.values["report_id"])


@dataclass(frozen=True, eq=False, slots=True)
class Changes:
    """What changed in the table since a revision.

    Attributes
    ----------
    last : the number of the latest change.
    reports : those that changed and are there, in id order.
    deleted : ids of those that were deleted.
    whole : rows were taken away for good since, so this is the whole table.
    """

    last: int
    reports: tuple[LiveReport, ...]
    deleted: frozenset[str]
    whole: bool


class Editing(Protocol):
    """One transaction on the live reports."""

    def get(self, report_id: str) -> LiveReport | None:
        """Return a report; None where there is none, or it is deleted."""

    def is_new(self, report_id: str) -> bool:
        """Tell whether no report, not even a deleted one, has this id."""

    def put(self, report: LiveReport) -> None:
        """Store a report, new or in place of the one of its id."""

    def delete(self, report_id: str) -> None:
        """Mark a report as deleted."""


class ReportStore(Protocol):
    """The live reports of one city; safe to use from several threads and processes."""

    def get(self, report_id: str) -> LiveReport | None:
        """Return a report; None where there is none, or it is deleted."""

    def changes(self, since: int) -> Changes:
        """Return what changed after the change number `since`; 0 is before the first."""

    def editing(self) -> AbstractContextManager[Editing]:
        """Open a transaction: committed at the end, undone on any error. Raises BusyError."""

    def close(self) -> None:
        """Close the connections that are not in use."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A connection, and the number of the file that it is to."""

    connection: sqlite3.Connection
    inode: int

    def close(self) -> None:
        self.connection.close()


class SqliteReports:
    """The live reports in a GeoPackage; a `ReportStore`. The tables must be there."""

    def __init__(self, path: Path, wait_s: float = WAIT_S) -> None:
        self._path, self._wait_s = path, wait_s
        self._pool = Pool(self._open, lambda held: held.inode == self._inode())

    def get(self, report_id: str) -> LiveReport | None:
        """Return a report; None where there is none, or it is deleted. Raises StoreError."""
        with _told(self._path), self._pool.taken() as held:
            return _get(held.connection, report_id)

    def changes(self, since: int) -> Changes:
        """Return what changed after the change number `since`; 0 is before the first. Raises StoreError."""
        with _told(self._path), self._pool.taken() as held:
            connection = held.connection
            connection.execute("BEGIN")
            try:
                last, cleared = connection.execute("SELECT last, cleared FROM revisions").fetchone()
                whole = cleared > since or since == 0
                rows = [] if last == since else connection.execute(_CHANGED, (-1 if whole else since,)).fetchall()
            finally:
                connection.execute("COMMIT")
        there = tuple(_report(row[:-1]) for row in rows if not row[-1])
        return Changes(int(last), there, frozenset(row[0] for row in rows if row[-1]), whole)

    @contextmanager
    def editing(self) -> Iterator[Editing]:
        """Open a transaction: committed at the end, undone on any error. Raises BusyError, StoreError."""
        with _told(self._path), self._pool.taken() as held:
            held.connection.execute("BEGIN IMMEDIATE")
            try:
                yield _SqliteEditing(held.connection)
                held.connection.execute("COMMIT")
            except BaseException:
                if held.connection.in_transaction:
                    held.connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()

    def _open(self) -> _Opened:
        inode = self._inode()
        if inode is None:  # SQLite would make an empty file
            raise StoreError(f"{self._path}: the live tables are gone; run the city again")
        connection = sqlite3.connect(
            self._path, timeout=self._wait_s, isolation_level=None, check_same_thread=False
        )  # one thread at a time
        return _Opened(connection, inode)

    def _inode(self) -> int | None:
        """Return the number of the file that is there now; another one may have taken the old one's place."""
        return self._path.stat().st_ino if self._path.exists() else None


class _SqliteEditing:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, report_id: str) -> LiveReport | None:
        return _get(self._connection, report_id)

    def is_new(self, report_id: str) -> bool:
        found = self._connection.execute("SELECT 1 FROM reports WHERE report_id = ?", (report_id,))
        return found.fetchone() is None

    def put(self, report: LiveReport) -> None:
        names = (*DELIVERED, "geom", "revision")
        values = [report.values[name] for name in DELIVERED]
        values += [stored_point(report.lon, report.lat), next_revision(self._connection)]
        assignments = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        self._connection.execute(
            f"INSERT INTO reports ({', '.join(names)}, origin) VALUES ({', '.join('?' * len(names))}, 'api') "
            f"ON CONFLICT (report_id) DO UPDATE SET {assignments}, origin = 'api', deleted = 0",
            values,
        )

    def delete(self, report_id: str) -> None:
        self._connection.execute(
            "UPDATE reports SET deleted = 1, origin = 'api', revision = ? WHERE report_id = ?",
            (next_revision(self._connection), report_id),
        )


def _get(connection: sqlite3.Connection, report_id: str) -> LiveReport | None:
    row = connection.execute(_READ, (report_id,)).fetchone()
    return None if row is None else _report(row)


def _report(row: tuple[Any, ...]) -> LiveReport:
    lon, lat = read_point(row[-2])
    return LiveReport(dict(zip(DELIVERED, row[:-2], strict=True)), lon, lat, int(row[-1]))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as ours: BusyError where another process writes, else StoreError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise BusyError(f"{path.name} is being written to (a run, or another edit); try again") from error
        raise StoreError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: {error}") from error
