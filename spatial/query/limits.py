"""How large a question may be, and why; and the error that refuses one. What is larger is refused, never cut."""

from __future__ import annotations

import re

from spatial.errors import QueryError

_NO_TEXT = re.compile("[\0\ud800-\udfff]")

MAX_TEXT_BYTES = 2**16
"""Of a filter in text, UTF-8: what servers take as an address; read in about 20 ms."""
MAX_JSON_BYTES = 2**20
"""Of a filter in JSON: a polygon of 10,000 vertices at full precision is 400 kB."""
MAX_DEPTH = 100
"""Levels of a filter: parsing and evaluation recurse, two or three Python frames a level of the 1,000 allowed."""
MAX_OPERATORS = 1000
"""Operators and functions in a filter: each is one pass over a column, about 1 ms per million features."""
MAX_VALUES = 10_000
"""Values in one IN list: each is one binary search, about 1 µs."""
MAX_VERTICES = 50_000
"""Vertices of one geometry: as many as a filter in JSON can hold at 20 bytes each."""
MAX_COORDINATE = 1e9
"""Of a geometry: beyond what any CRS of the Earth has; GEOS overflows at squares of 1e154."""
MAX_PATTERN = 1000
"""Characters of a LIKE pattern once runs of % are one: a text of n is matched in at most 1000 n steps."""
MAX_DISK_K = 50
"""Of in_grid_disk: 7,651 cells, 17 km around at resolution 9."""


def refused(problem: str) -> QueryError:
    """Return the error that refuses a filter for a problem."""
    return QueryError(f"filter: {problem}")


def storable(text: str, parameter: str = "filter") -> str:
    """Return a text of the question. Raises QueryError where it holds U+0000 or half a character."""
    if _NO_TEXT.search(text):
        raise QueryError(f"{parameter}: {shown(text)}: expected characters of Unicode other than U+0000")
    return text


def shown(value: object) -> str:
    """Return a value of the question as an error shows it: short, on one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
