"""What the values of a column are, whatever its name: numbers, times, words. The order of rows does not matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spatial.sources.quarantine import clean, missing
from spatial.sources.redaction import redact
from spatial.sources.taxonomy import fold
from spatial.sources.times import parse_time

SURE = 0.9
_SAMPLE = 500
_DATES = ("%d{0}%m{0}%Y", "%m{0}%d{0}%Y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H.%M", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S %z", "T%H:%M:%S")
_PAIR = re.compile(r"[(\[]?\s*([-+]?\d{1,3}(?:\.\d+)?)\s*[,; ]\s*([-+]?\d{1,3}(?:\.\d+)?)\s*[)\]]?")
_DAYS = re.compile(r"\d{1,2}([/.-])\d{1,2}\1\d{4}")
_OFFSET = re.compile(r"(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TimeForm:
    """How a column writes times: `time_format` None is ISO; `read` and `offsets` are shares of its filled values.

    `rival`: another order of day and month that reads as many, None where the values themselves decide.
    """

    time_format: str | None
    read: float
    offsets: float
    rival: str | None


class Column:
    """One column of a table, by content; `name` as delivered, `rows` of the table."""

    def __init__(self, name: str, values: pd.Series[Any]) -> None:
        """Take the values as delivered (objects)."""
        self.name, self.rows = name, len(values)
        self.values = values[~values.map(missing).astype(bool)]

    @property
    def filled(self) -> int:
        """Number of values that are not empty."""
        return len(self.values)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Text → number of rows, most frequent first, ties by text."""
        texts = self.values.map(lambda value: clean(str(value).strip())).value_counts()
        pairs = zip(texts.index, texts.to_numpy(), strict=True)
        return {str(t): int(n) for t, n in sorted(pairs, key=lambda pair: (-int(pair[1]), str(pair[0])))}

    @property
    def distinct(self) -> int:
        """Number of different values."""
        return len(self.counts)

    @cached_property
    def key(self) -> str:
        """The name without case, accents and punctuation: words parted by one space; "ticketId" is "ticket id"."""
        return fold(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name))

    def named(self, words: Iterable[str]) -> int:
        """Return how well the name fits: 2 it is one of `words`, 1 it holds one between word borders, 0 neither."""
        listed = [fold(word) for word in words]
        if self.key in listed or self.key.replace(" ", "") in listed:
            return 2
        return int(any(f" {word} " in f" {self.key} " for word in listed))

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """The values that are finite numbers, sorted."""
        if self.values.map(lambda v: isinstance(v, bool | datetime)).any():
            return np.empty(0)
        numbers = pd.to_numeric(self.values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
        return np.sort(numbers[np.isfinite(numbers)])

    @property
    def numeric(self) -> float:
        """Share of filled values that are numbers, 0–1."""
        return len(self.numbers) / self.filled if self.filled else 0.0

    @cached_property
    def fractional(self) -> float:
        """Share of the numbers that carry at least three digits after the point, 0–1."""
        return float((np.abs(self.numbers * 100 - np.round(self.numbers * 100)) > 1e-6).mean()) if self.filled else 0.0

    @cached_property
    def pairs(self) -> NDArray[np.float64]:
        """The values that are text of two numbers, such as "(lat, lng)": shape (n, 2)."""
        found = [(_PAIR.fullmatch(t), n) for t, n in self.counts.items()]
        rows = [[float(m[1]), float(m[2])] for m, n in found if m and "." in m[0] for _ in range(n)]
        return np.array(rows, dtype=float).reshape(-1, 2)

    def share(self, known: Callable[[str], bool]) -> tuple[int, int]:
        """Return how many different texts and how many rows satisfy `known`."""
        hits = [n for text, n in self.counts.items() if known(text)]
        return len(hits), sum(hits)

    @cached_property
    def times(self) -> TimeForm | None:
        """How the column writes times, None where less than nine in ten of its values are times."""
        if not self.filled or self.numeric > 1 - SURE:
            return None
        stamps = self.values.map(lambda v: isinstance(v, datetime))
        if stamps.all():
            aware = float(self.values.map(lambda v: v.tzinfo is not None).mean())
            return TimeForm(None, 1.0, aware, None)
        iso = self._read(None)
        if iso >= SURE:
            offsets = self.share(lambda text: len(text) > 10 and bool(_OFFSET.search(text[10:])))[1] / self.filled
            return TimeForm(None, iso, offsets, None)
        return self._formatted()

    def _formatted(self) -> TimeForm | None:
        if self.share(lambda text: bool(_DAYS.match(text)))[1] < SURE * self.filled:
            return None
        texts = sorted(self.counts)
        sample = texts[:: max(1, len(texts) // _SAMPLE)]
        tried: list[tuple[float, str, str]] = []
        for separator in "/-.":
            for clock in _CLOCKS:
                for one, other in (_DATES, _DATES[::-1]):
                    form, rival = (d.format(separator) + clock for d in (one, other))
                    hits = sum(_fits(text, form) for text in sample) / len(sample)
                    tried.append((hits, form, rival))
        _, form, other = max(tried, key=lambda found: found[0])
        reads, other_reads = self._read(form), self._read(other)
        if other_reads > reads:
            form, other, reads, other_reads = other, form, other_reads, reads
        if reads < SURE:
            return None
        return TimeForm(form, reads, float("%z" in form), other if other_reads > reads - 0.005 else None)

    def _read(self, form: str | None) -> float:
        return self.share(lambda text: parse_time(text, UTC, form) is not None)[1] / self.filled

    def moments(self) -> pd.Series[Any]:
        """Return the times (UTC, offsets unknown taken as UTC) by row, for comparing columns; NaT where unreadable."""
        form = self.times.time_format if self.times else None
        read = {value: parse_time(value, UTC, form) for value in set(self.values)}
        return pd.to_datetime(self.values.map(read), utc=True)

    @cached_property
    def prose(self) -> bool:
        """Whether the column holds sentences: many different texts of several words."""
        if not self.filled or self.times or self.numeric > 0.5 or len(self.pairs):
            return False
        words = sorted(len(text.split()) for text, n in self.counts.items() for _ in range(n))
        return self.distinct > 0.3 * self.filled and words[len(words) // 2] >= 3


def _fits(text: str, form: str) -> bool:
    try:
        return datetime.strptime(text, form) is not None
    except ValueError:
        return False


def shown(counts: dict[str, int], limit: int = 5) -> str:
    """Return the most frequent texts with their numbers, on one line, without personal data."""
    rows = [f"{str(redact(text))[:40]} {n:,}" for text, n in list(counts.items())[:limit]]
    return ", ".join([*rows, "…"] if len(counts) > limit else rows).replace("\n", " ")
