"""The list of jobs (18-062r2, clause 11): filtered by process, status, type, time of creation and duration; paged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from starlette.datastructures import QueryParams

from services.parameters import BadRequestError
from spatial.store.jobs import JOB_STATUSES, Job

MAX_LIMIT = 1000
DEFAULT_LIMIT = 10
FILTERS = frozenset({"type", "processID", "status", "datetime", "minDuration", "maxDuration", "limit", "offset"})


def number(query: QueryParams, name: str, default: int, least: int, most: int | None = None) -> int:
    """Return an integer parameter. Raises BadRequestError outside its range."""
    text = query.get(name)
    if text is None:
        return default
    value = int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else -1
    if value < least or (most is not None and value > most):
        raise BadRequestError(f"{name}={text}: expected an integer from {least}{'' if most is None else f' to {most}'}")
    return value


def filtered(jobs: Sequence[Job], query: QueryParams, now: datetime) -> list[Job]:
    """Return the jobs that the parameters ask for, in their order. Raises BadRequestError."""
    processes, states, kinds = (_listed(query, name) for name in ("processID", "status", "type"))
    for state in states or ():
        if state not in JOB_STATUSES:
            raise BadRequestError(f"status={state}: expected {', '.join(JOB_STATUSES)}")
    for kind in kinds or ():
        if kind != "process":
            raise BadRequestError(f"type={kind}: expected process")
    first, last = _interval(query["datetime"]) if "datetime" in query else (None, None)
    least, most = (number(query, name, -1, 0) for name in ("minDuration", "maxDuration"))
    return [
        job
        for job in jobs
        if (processes is None or job.process in processes)
        and (states is None or job.status in states)
        and (first is None or job.created >= first)
        and (last is None or job.created <= last)
        and _lasted(job, least, most, now)
    ]


def _listed(query: QueryParams, name: str) -> list[str] | None:
    return query[name].split(",") if name in query else None


def _lasted(job: Job, least: int, most: int, now: datetime) -> bool:
    """Tell whether a job has run for `least` to `most` seconds (-1: no bound); one that never began has no duration."""
    if least < 0 and most < 0:
        return True
    if job.started is None:
        return False
    seconds = ((job.finished or now) - job.started).total_seconds()
    return seconds >= least and (most < 0 or seconds <= most)


def _interval(text: str) -> tuple[datetime | None, datetime | None]:
    """Return the bounds of RFC 3339 times or dates, both included; None where open. Raises BadRequestError."""
    ends = text.split("/")
    if len(ends) > 2 or all(end in ("", "..") for end in ends):
        raise BadRequestError(f"datetime={text}: expected a time, or an interval with / and .. as open end")
    first, last = (ends[0], ends[-1])
    try:
        bounds = (
            None if first in ("", "..") else _moment(first),
            None if last in ("", "..") else _moment(last) + (_DAY if len(last) == 10 else timedelta(0)),
        )
    except (ValueError, OverflowError) as error:
        raise BadRequestError(f"datetime={text}: expected RFC 3339 times, such as 2025-01-31T08:00:00Z") from error
    if None not in bounds and bounds[0] > bounds[1]:  # type: ignore[operator]
        raise BadRequestError(f"datetime={text}: it ends before it begins")
    return bounds


_DAY = timedelta(days=1) - timedelta(microseconds=1)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        if len(text) != 10:
            raise ValueError(text)
        return moment.replace(tzinfo=UTC)
    return moment
