"""Times of RFC 3339 as milliseconds since 1970, UTC. A date is its whole day; what is finer is rounded with care."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from spatial.errors import QueryError

DAY_MS = 86_400_000
EXAMPLE = "2025-01-31T08:00:00Z"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    rf"({_DATE.pattern}T(?:[01][0-9]|2[0-3]):[0-9]{{2}}:[0-9]{{2}})(?:\.([0-9]+))?(Z|[+-][0-9]{{2}}:[0-9]{{2}})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Instant:
    """An instant of the question: the milliseconds from `begin` to `end`, both included.

    A time has one; a date the 86,400,000 of its UTC day; a time finer than a millisecond none, and `begin` is then
    `end` + 1. A stored time t lies before it where t < begin, after it where t > end, and else equals it.
    """

    begin: int
    end: int
    finer: str = ""  # digits after the milliseconds

    @property
    def exact(self) -> tuple[int, str]:
        """Its beginning in a form that sorts."""
        return self.end if self.finer else self.begin, self.finer


def parse_date(text: str) -> Instant:
    """Return a full-date as its day. Raises ValueError, OverflowError."""
    if _DATE.fullmatch(text) is None:
        raise ValueError("not a full-date of RFC 3339")
    begin = _milliseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))
    return Instant(begin, begin + DAY_MS - 1)


def parse_time(text: str) -> Instant:
    """Return a date-time of RFC 3339, any offset. Raises ValueError, OverflowError."""
    parts = _TIME.fullmatch(text)
    if parts is None:
        raise ValueError("not a date-time of RFC 3339")
    moment, fraction, offset = parts.groups()
    whole = _milliseconds(datetime.fromisoformat((moment + offset).upper()).astimezone(UTC))
    begin = whole + int((fraction or "0")[:3].ljust(3, "0"))
    finer = (fraction or "")[3:].rstrip("0")
    return Instant(begin + bool(finer), begin, finer)


def parse_instant(text: str) -> Instant:
    """Return a date or a time. Raises ValueError, OverflowError."""
    return parse_date(text) if _DATE.fullmatch(text) else parse_time(text)


def parse_interval(text: str) -> tuple[int | None, int | None]:
    """Return the bounds of a `datetime` parameter (OGC 17-069r4, 7.15.4), None where it is open.

    Both bounds are included, in milliseconds since 1970; an interval between two milliseconds ends before it begins.

    Raises
    ------
    QueryError
        No date, time or interval of RFC 3339, no end at all, or one that ends before it begins.
    """
    parts = text.split("/")
    if len(parts) > 2 or all(part in ("", "..") for part in parts):
        raise QueryError(f"datetime={text[:80]}: expected a time, or an interval with at least one end")
    try:
        begin, end = (None if part in ("", "..") else parse_instant(part) for part in (parts[0], parts[-1]))
    except (ValueError, OverflowError) as error:
        raise QueryError(f"datetime={text[:80]}: expected RFC 3339, such as {EXAMPLE}") from error
    if begin is not None and end is not None and begin.exact > max(end.exact, (end.end, "")):
        raise QueryError(f"datetime={text[:80]}: it ends before it begins")
    return None if begin is None else begin.begin, None if end is None else end.end


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
