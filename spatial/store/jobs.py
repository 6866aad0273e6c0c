"""The durable queue of jobs in `var/jobs.sqlite` (WAL), and the folders of their results in `var/jobs/<id>`.

A job is taken by one worker, in one statement, for the time of a lease that the worker renews; whoever lets it run out
has lost the job. A job that lost its worker is queued once more and then failed. What a worker says of a job that is
not its own any more changes nothing: every statement names the worker. A queue in PostgreSQL follows with the same
methods: `claim` there adds FOR UPDATE SKIP LOCKED.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from spatial.errors import NotFoundError, StoreError

Status = Literal["accepted", "running", "successful", "failed", "dismissed"]
JOB_STATUSES: tuple[Status, ...] = ("accepted", "running", "successful", "failed", "dismissed")
ENDED: tuple[Status, ...] = ("successful", "failed", "dismissed")
MAX_ATTEMPTS = 2
LEASE_S = 30.0
KEEP_JOBS = 200
KEEP_DAYS = 7.0
LOST = (
    "pekerja berhenti di tengah pekerjaan; mengantre lagi",
    "its worker stopped in the middle; queued once more",
)
_COLUMNS = (
    *("id", "process", "lane", "request", "status", "progress", "message_id", "message_en"),
    *("created", "started", "finished", "updated", "attempts", "worker", "outcome"),
)
_SMALL = {"request": "'{}' AS request", "outcome": "CASE WHEN status = 'failed' THEN outcome END AS outcome"}
_LIGHT = tuple(_SMALL.get(name, name) for name in _COLUMNS)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  process TEXT NOT NULL, lane TEXT NOT NULL, serial INTEGER NOT NULL CHECK (serial IN (0, 1)), request TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('accepted', 'running', 'successful', 'failed', 'dismissed')),
  progress INTEGER NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
  message_id TEXT NOT NULL DEFAULT '', message_en TEXT NOT NULL DEFAULT '',
  created REAL NOT NULL, started REAL, finished REAL, updated REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, worker TEXT, lease REAL, outcome TEXT);
CREATE INDEX IF NOT EXISTS jobs_by_status ON jobs (status, number);
CREATE TABLE IF NOT EXISTS workers (id TEXT PRIMARY KEY, lease REAL NOT NULL);
"""
_CLAIM = f"""
UPDATE jobs SET status = 'running', worker = :worker, lease = :lease, attempts = attempts + 1, started = :now,
  updated = :now, progress = 0, message_id = '', message_en = ''
WHERE number = (SELECT min(waiting.number) FROM jobs AS waiting WHERE waiting.status = 'accepted' AND NOT
  (waiting.serial AND EXISTS (SELECT 1 FROM jobs AS busy WHERE busy.status = 'running' AND busy.serial)))
RETURNING {", ".join(_COLUMNS)}
"""


class QueueFullError(StoreError):
    """As many jobs wait in the lane as may wait."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is asked: the process, the request as JSON values, the lane whose length is bounded.

    `serial`: of these, one runs at a time (those that hold the city's lock).
    """

    process: str
    request: Mapping[str, Any]
    lane: str = "open"
    serial: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One job as the queue holds it. Times are UTC; `progress` is 0–100; `outcome` is what it came to, or the problem.

    `attempts`: how often a worker began it; the message says what it does, in Indonesian and in English.
    """

    id: str
    process: str
    lane: str
    request: Mapping[str, Any]
    status: Status
    progress: int
    message_id: str
    message_en: str
    created: datetime
    started: datetime | None
    finished: datetime | None
    updated: datetime
    attempts: int
    worker: str | None
    outcome: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class JobQueue:
    """The queue of one city, under its `var` folder, for many threads and processes; `clock` gives Unix time, s."""

    var: Path
    clock: Callable[[], float] = time.time

    @property
    def file(self) -> Path:
        """The database."""
        return self.var / "jobs.sqlite"

    def results(self, job_id: str) -> Path:
        """The folder of the files that a successful job left."""
        return self.var / "jobs" / job_id

    def staging(self, job: Job) -> Path:
        """A folder for the files of a job that runs; `finish` moves it into place."""
        return self.var / "jobs" / f".{job.id}-{job.attempts}"

    @contextmanager
    def _open(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """One connection for one transaction. Raises StoreError where the file cannot be used."""
        self.var.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.file, timeout=10.0, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = 1; COMMIT")
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"{self.file}: cannot be used ({error})") from error

    def submit(self, new: NewJob, limit: int) -> Job:
        """Queue a job. Raises QueueFullError where `limit` jobs of its lane wait already."""
        with self._open() as db:
            waiting = db.execute(
                "SELECT count(*) FROM jobs WHERE status = 'accepted' AND lane = ?", (new.lane,)
            ).fetchone()[0]
            if waiting >= limit:
                raise QueueFullError(f"{waiting} jobs wait already, and no more than {limit} may")
            return self._insert(db, new, self.clock(), {"status": "accepted"})

    def start(self, new: NewJob, worker: str, lease_s: float = LEASE_S) -> Job:
        """Record a job that `worker` runs itself at once; it is never queued again: its client waits for it."""
        now = self.clock()
        running = {"status": "running", "worker": worker, "lease": now + lease_s, "started": now}
        with self._open() as db:
            return self._insert(db, new, now, running | {"attempts": MAX_ATTEMPTS})

    def _insert(self, db: sqlite3.Connection, new: NewJob, now: float, more: Mapping[str, Any]) -> Job:
        row = {"id": str(uuid.uuid4()), "process": new.process, "lane": new.lane, "serial": int(new.serial)}
        row |= {"request": json.dumps(dict(new.request)), "created": now, "updated": now} | dict(more)
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        told = db.execute(f"INSERT INTO jobs ({names}) VALUES ({values}) RETURNING {', '.join(_COLUMNS)}", row)
        return _job(told.fetchone())

    def claim(self, worker: str, lease_s: float = LEASE_S) -> Job | None:
        """Give the oldest job that may run to `worker`, and to no other; None where there is none."""
        now = self.clock()
        with self._open() as db:
            row = db.execute(_CLAIM, {"worker": worker, "lease": now + lease_s, "now": now}).fetchone()
        return None if row is None else _job(row)

    def beat(self, job: Job, lease_s: float = LEASE_S) -> bool:
        """Renew the lease; False where the job is no longer its worker's: dismissed, removed or taken away."""
        return self._change(job, {"lease": self.clock() + lease_s}, touch=False)

    def tell(self, job: Job, progress: int, message_id: str, message_en: str) -> bool:
        """Say how far the job is, 0–100, and what it does. Returns as `beat`."""
        return self._change(job, {"progress": progress, "message_id": message_id, "message_en": message_en})

    def release(self, job: Job) -> bool:
        """Put a job back in the queue as if it had not begun: its worker is told to stop. Returns as `beat`."""
        shutil.rmtree(self.staging(job), ignore_errors=True)
        back = {"status": "accepted", "worker": None, "lease": None, "started": None, "progress": 0}
        return self._change(job, back | {"attempts": job.attempts - 1})

    def finish(self, job: Job, outcome: Mapping[str, Any]) -> bool:
        """End a job with what it came to; its staging folder, if it made one, moves into place. Returns as `beat`."""
        return self._end(job, "successful", outcome, {"progress": 100})

    def fail(self, job: Job, problem: Mapping[str, Any]) -> bool:
        """End a job with a problem (JSON values); its files go. Returns as `beat`."""
        return self._end(job, "failed", problem, {})

    def _end(self, job: Job, status: Status, outcome: Mapping[str, Any], more: Mapping[str, Any]) -> bool:
        now = self.clock()
        ended = {"status": status, "outcome": json.dumps(dict(outcome)), "finished": now, "updated": now, "lease": None}
        staged, target = self.staging(job), self.results(job.id)
        with self._open() as db:  # the files move within the transaction: who lost the job moves none
            owned = self._update(db, job, ended | {"message_id": "", "message_en": ""} | dict(more), touch=False)
            if owned and status == "successful" and staged.is_dir():
                shutil.rmtree(target, ignore_errors=True)
                staged.rename(target)
        shutil.rmtree(staged, ignore_errors=True)
        return owned

    def _change(self, job: Job, values: Mapping[str, Any], touch: bool = True) -> bool:
        with self._open() as db:
            return self._update(db, job, values, touch)

    def _update(self, db: sqlite3.Connection, job: Job, values: Mapping[str, Any], touch: bool = True) -> bool:
        changed = dict(values) | ({"updated": self.clock()} if touch else {})
        assignments = ", ".join(f"{name} = :{name}" for name in changed)
        owned = {"job": job.id, "owner": job.worker, "attempt": job.attempts}
        where = "id = :job AND worker = :owner AND attempts = :attempt AND status = 'running'"
        return db.execute(f"UPDATE jobs SET {assignments} WHERE {where}", changed | owned).rowcount == 1

    def dismiss(self, job_id: str) -> Job:
        """Cancel a job that waits or runs; remove one that has ended, with its files. Raises NotFoundError.

        Returns the job as it was, with the status `dismissed`.
        """
        now = self.clock()
        with self._open() as db:
            held = _job(self._row(db, job_id))
            if held.status in ENDED:
                db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
            else:
                db.execute(
                    "UPDATE jobs SET status = 'dismissed', finished = ?, updated = ?, lease = NULL, message_id = '', "
                    "message_en = '' WHERE id = ?",
                    (now, now, job_id),
                )
                held = _job(self._row(db, job_id))
        if held.status in ENDED:
            shutil.rmtree(self.results(job_id), ignore_errors=True)
        return replace(held, status="dismissed", outcome=None)

    def get(self, job_id: str, whole: bool = True) -> Job:
        """Return a job, or with `whole` false what `all` returns of it. Raises NotFoundError."""
        with self._open("BEGIN") as db:
            return _job(self._row(db, job_id, _COLUMNS if whole else _LIGHT))

    def _row(self, db: sqlite3.Connection, job_id: str, columns: Sequence[str] = _COLUMNS) -> sqlite3.Row:
        row: sqlite3.Row | None = db.execute(
            f"SELECT {', '.join(columns)} FROM jobs WHERE id = ?", (job_id,)
        ).fetchone()
        if row is None:
            raise NotFoundError(f"there is no job {job_id!r}")
        return row

    def all(self) -> list[Job]:
        """Return every job, the newest first, without requests and without outcomes but those of failed ones."""
        with self._open("BEGIN") as db:
            return [_job(row) for row in db.execute(f"SELECT {', '.join(_LIGHT)} FROM jobs ORDER BY number DESC")]

    def sign_on(self, worker: str, lease_s: float = LEASE_S) -> None:
        """Say that a worker is there; again before its lease runs out."""
        with self._open() as db:
            db.execute("INSERT OR REPLACE INTO workers VALUES (?, ?)", (worker, self.clock() + lease_s))

    def sign_off(self, worker: str) -> None:
        """Say that a worker is gone."""
        with self._open() as db:
            db.execute("DELETE FROM workers WHERE id = ?", (worker,))

    def manned(self) -> bool:
        """Tell whether a worker is there."""
        with self._open("BEGIN") as db:
            found = db.execute("SELECT 1 FROM workers WHERE lease >= ? LIMIT 1", (self.clock(),)).fetchone()
        return found is not None

    def recover(self, problem: Mapping[str, Any]) -> None:
        """Queue jobs whose lease ran out once more; fail with `problem` those that were begun `MAX_ATTEMPTS` times."""
        now = self.clock()
        values = {"now": now, "most": MAX_ATTEMPTS, "id": LOST[0], "en": LOST[1], "problem": json.dumps(dict(problem))}
        lost = "status = 'running' AND lease < :now"
        with self._open() as db:
            db.execute(
                "UPDATE jobs SET status = 'failed', outcome = :problem, finished = :now, updated = :now, lease = NULL, "
                f"message_id = '', message_en = '' WHERE {lost} AND attempts >= :most",
                values,
            )
            db.execute(
                "UPDATE jobs SET status = 'accepted', worker = NULL, lease = NULL, started = NULL, progress = 0, "
                f"updated = :now, message_id = :id, message_en = :en WHERE {lost}",
                values,
            )
            db.execute("DELETE FROM workers WHERE lease < :now", values)

    def prune(self, keep: int = KEEP_JOBS, days: float = KEEP_DAYS) -> list[str]:
        """Remove ended jobs that are older than `days` or not among the `keep` newest, and files that no job owns.

        Returns the ids that went.
        """
        oldest = self.clock() - days * 86400
        ended = f"status IN ({', '.join(f"'{status}'" for status in ENDED)})"
        with self._open() as db:
            newest = f"SELECT number FROM jobs WHERE {ended} ORDER BY number DESC LIMIT ?"
            gone = db.execute(
                f"DELETE FROM jobs WHERE {ended} AND (finished < ? OR number NOT IN ({newest})) RETURNING id",
                (oldest, keep),
            ).fetchall()
            held = {row["id"]: row for row in db.execute("SELECT id, status, attempts FROM jobs")}
            for folder in (self.var / "jobs").glob("*"):
                job_id, _, attempt = folder.name.lstrip(".").rpartition("-") if folder.name[0] == "." else ("",) * 3
                row = held.get(job_id or folder.name)
                staged = row is not None and row["status"] == "running" and str(row["attempts"]) == attempt
                if row is None or (job_id and not staged):
                    shutil.rmtree(folder, ignore_errors=True)
        return [row["id"] for row in gone]


def _job(row: sqlite3.Row) -> Job:
    times = {name: _time(row[name]) for name in ("created", "started", "finished", "updated")}
    parsed = {"request": json.loads(row["request"]), "outcome": row["outcome"] and json.loads(row["outcome"])}
    return Job(**{name: row[name] for name in _COLUMNS} | times | parsed)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
