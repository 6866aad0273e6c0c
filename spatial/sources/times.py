"""Times of reports: one explicit parser from text to UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import pandas as pd

_ISO = re.compile(
    r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})"
    r"(?:[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?",
    re.IGNORECASE,
)


Formats = str | tuple[str, ...] | None
"""One `strptime` format, or several that are tried in the order given."""


def parse_time(value: Any, zone: tzinfo, time_format: Formats = None) -> datetime | None:
    """Return the moment that `value` names, in UTC; None where it cannot be read.

    Parameters
    ----------
    value : datetime, date or text. Texts are read with `time_format` (of `datetime.strptime`) where given, then as
        ISO 8601 with the year first: "2017-02-20", "2017-02-20 07:58:22.5", "2017/02/20T07:58+07:00", "…Z".
        Other orders are ambiguous and are read only through `time_format`.
    zone : time zone of values that carry none. Of a local time that occurs twice (clocks put back) the first is taken.
    time_format : format of strptime, with "%z" where texts carry an offset; of several the first that fits is taken.
    """
    moment = _moment(value, time_format)
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        return None


def carries_zone(value: Any, time_format: Formats = None) -> bool:
    """Return whether a time that `parse_time` reads says its own zone; False where it cannot be read."""
    moment = _moment(value, time_format)
    return moment is not None and moment.tzinfo is not None


def _moment(value: Any, time_format: Formats) -> datetime | None:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    text = str(value).strip()
    formats = (time_format,) if isinstance(time_format, str) else time_format or ()
    return next((found for form in formats if (found := _formatted(text, form))), None) or _iso(text)


def _formatted(text: str, time_format: str) -> datetime | None:
    try:
        return datetime.strptime(text, time_format)
    except ValueError:
        return None


def _iso(text: str) -> datetime | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, _, month, day, hour, minute, second, fraction, offset = match.groups()
    microsecond = int((fraction or "0").ljust(6, "0")[:6])
    try:
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            microsecond,
            _offset(offset),
        )
    except ValueError:
        return None


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-shift if text[0] == "-" else shift)
