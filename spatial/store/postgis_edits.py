"""Live reports as clients read and edit them, in PostGIS: the same as `spatial.store.edits` does in a GeoPackage.

Whoever writes holds the city's lock to the end of the transaction, a run too, so changes are numbered in the order in
which they can be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

from psycopg import Connection, Cursor, errors
from psycopg.sql import SQL, Identifier

from spatial.errors import BusyError
from spatial.store.edits import WAIT_S, Changes, Editing, LiveReport
from spatial.store.live_schema import DELIVERED, TIMES
from spatial.store.place import PRIVATE, Place, connect, reported
from spatial.store.pool import Pool
from spatial.store.postgis import lock
from spatial.store.postgis_live import NEXT_REVISION

_TIME = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
_NAMES = ", ".join(_TIME.format(name) if name in TIMES else name for name in DELIVERED)
_ROW = f"SELECT {_NAMES}, ST_X(geom), ST_Y(geom), revision"
_READ = f"{_ROW} FROM {{0}}.reports WHERE report_id = %(report_id)s AND deleted = 0"
_CHANGED = f"{_ROW}, deleted = 1 FROM {{0}}.reports WHERE revision > %(since)s ORDER BY report_id"
_ASSIGNED = ", ".join(f"{name} = excluded.{name}" for name in (*DELIVERED[1:], "geom", "revision"))
_PUT = f"""
INSERT INTO {{0}}.reports ({", ".join(DELIVERED)}, geom, revision, origin)
VALUES ({", ".join(f"%({name})s" for name in DELIVERED)}, ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4326),
  %(revision)s, 'api')
ON CONFLICT (report_id) DO UPDATE SET {_ASSIGNED}, origin = 'api', deleted = 0
"""
_DELETE = """
UPDATE {0}.reports SET deleted = 1, origin = 'api', revision = %(revision)s WHERE report_id = %(report_id)s
"""


class PostgisReports:
    """The live reports in PostGIS; a `ReportStore`. The tables must be there."""

    def __init__(self, place: Place, wait_s: float = WAIT_S) -> None:
        self._place, self._wait_s = place, wait_s
        self._pool = Pool(self._open, lambda database: not database.connection.closed)

    def get(self, report_id: str) -> LiveReport | None:
        """Return a report; None where there is none, or it is deleted. Raises StoreError."""
        with reported(self._place), self._pool.taken() as database:
            return _get(database, report_id)

    def changes(self, since: int) -> Changes:
        """Return what changed after the change number `since`; 0 is before the first. Raises StoreError."""
        with reported(self._place), self._pool.taken() as database:
            row = database.run("SELECT last, cleared FROM {0}.revisions").fetchone()
            last, cleared = (0, 0) if row is None else row
            whole = cleared > since or since == 0
            # read after the number: what changed in between is told again the next time
            found = [] if last == since else database.run(_CHANGED, since=-1 if whole else since).fetchall()
        there = tuple(_report(row[:-1]) for row in found if not row[-1])
        return Changes(int(last), there, frozenset(str(row[0]) for row in found if row[-1]), whole)

    @contextmanager
    def editing(self) -> Iterator[Editing]:
        """Open a transaction: committed at the end, undone on any error. Raises BusyError, StoreError."""
        with reported(self._place), self._pool.taken() as database, database.connection.transaction():
            try:
                lock(database.connection, self._place, "live", f"{self._wait_s:.3f}s")
            except errors.LockNotAvailable as error:
                raise BusyError("reports are being written to (a run, or another edit); try again") from error
            yield _PostgisEditing(database)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()

    def _open(self) -> _Database:
        connection = connect(self._place)
        connection.autocommit = True
        return _Database(connection, self._place.schema + PRIVATE)


class _Database:
    def __init__(self, connection: Connection[Any], schema: str) -> None:
        self.connection, self._schema = connection, Identifier(schema)

    def close(self) -> None:
        self.connection.close()

    def run(self, statement: LiteralString, **values: Any) -> Cursor[Any]:
        """Run a statement of this module, `{0}` being the private schema."""
        return self.connection.execute(SQL(statement).format(self._schema), values or None)

    def next_revision(self) -> int:
        """Return the number of the change that this transaction makes."""
        row = self.run(NEXT_REVISION, clears=False).fetchone()
        return 0 if row is None else int(row[0])


class _PostgisEditing:
    def __init__(self, database: _Database) -> None:
        self._database = database

    def get(self, report_id: str) -> LiveReport | None:
        return _get(self._database, report_id)

    def is_new(self, report_id: str) -> bool:
        found = self._database.run("SELECT FROM {0}.reports WHERE report_id = %(key)s", key=report_id)
        return found.fetchone() is None

    def put(self, report: LiveReport) -> None:
        revision = self._database.next_revision()
        values = {name: report.values[name] for name in DELIVERED}
        self._database.run(_PUT, **values, lon=report.lon, lat=report.lat, revision=revision)

    def delete(self, report_id: str) -> None:
        self._database.run(_DELETE, report_id=report_id, revision=self._database.next_revision())


def _get(database: _Database, report_id: str) -> LiveReport | None:
    if "\0" in report_id:  # PostgreSQL has no text that holds it
        return None
    row = database.run(_READ, report_id=report_id).fetchone()
    return None if row is None else _report(row)


def _report(row: tuple[Any, ...]) -> LiveReport:
    lon, lat, revision = row[len(DELIVERED) :]
    return LiveReport(dict(zip(DELIVERED, row, strict=False)), float(lon), float(lat), int(revision))
