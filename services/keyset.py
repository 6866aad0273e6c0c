"""Pages of live features, each after the last feature of the one before: stable while others come and go between them.

A token names the last feature by its sort keys and its id. The next page holds what stands behind that place, whether
the feature itself is still there or not: no feature that was there all the time, with the same keys, is left out or
comes twice.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from services.parameters import BadRequestError
from services.question import Question, Rows, rows_of
from spatial.query import SortKey
from spatial.store.overlaid import OverlaidIndex


@dataclass(frozen=True, slots=True)
class After:
    """A place in an order of features: the keys that it is sorted by, as `sortby` names them, their values, the id."""

    keys: tuple[str, ...]
    values: tuple[Any, ...]
    identifier: str


def after_of(asked: Mapping[str, str]) -> After | None:
    """Read the parameter `after`; None where there is none. Raises BadRequestError."""
    text = asked.get("after")
    if text is None:
        return None
    if "offset" in asked:
        raise BadRequestError("offset: expected without after, which says where the page begins")
    try:
        keys, values, identifier = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        good = len(keys) == len(values) and isinstance(identifier, str) and all(isinstance(key, str) for key in keys)
    except (ValueError, TypeError, binascii.Error) as error:
        raise _bad(text) from error
    if not good or not all(isinstance(value, str | int | float | None) for value in values):
        raise _bad(text)
    return After(tuple(keys), tuple(values), identifier)


def page_after(index: OverlaidIndex, question: Question, after: After | None) -> tuple[int, Rows, str | None]:
    """Return how many rows match, those of the page, and the token of the next page, None where there is none.

    Raises BadRequestError where the token is of another order.
    """
    rows = rows_of(index, question)
    first = question.offset if after is None else _first_behind(index, rows, question.sort, after)
    last = first if question.hits else first + question.limit
    page = rows[first:last]
    goes_on = len(page) > 0 and last < len(rows)
    return len(rows), page, _token(index, int(page[-1]), question.sort) if goes_on else None


def _token(index: OverlaidIndex, row: int, sort: Sequence[SortKey]) -> str:
    names = [_named(key) for key in sort]
    content = orjson.dumps([names, _values(index, row, sort), index.identifier(row)])
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _first_behind(index: OverlaidIndex, rows: Rows, sort: Sequence[SortKey], after: After) -> int:
    """Return the position in sorted rows of the first that stands behind a place, by bisection."""
    if after.keys != tuple(map(_named, sort)):
        raise BadRequestError(f"after: it goes with sortby={','.join(after.keys) or '(none)'}")
    if not sort:
        start = index.first_from(after.identifier)
        if start < len(index) and index.identifier(start) == after.identifier:
            start += 1
        return int(np.searchsorted(rows, start))
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        row = int(rows[middle])
        if _is_behind((*_values(index, row, sort), index.identifier(row)), after, sort):
            high = middle
        else:
            low = middle + 1
    return low


def _is_behind(values: Sequence[Any], after: After, sort: Sequence[SortKey]) -> bool:
    """Tell whether a feature stands behind a place in the order of `sorted_rows`: null last, then by id."""
    turned = [key.descends for key in sort]
    for value, other, descends in zip(values, (*after.values, after.identifier), (*turned, False), strict=True):
        if value == other:
            continue
        if value is None or other is None:
            return value is None
        try:
            return bool(value < other if descends else value > other)
        except TypeError as error:
            raise BadRequestError("after: expected the token of a next link") from error
    return False


def _values(index: OverlaidIndex, row: int, sort: Sequence[SortKey]) -> list[Any]:
    names = [key.column.name for key in sort]
    if not names:
        return []
    properties = orjson.loads(bytes(index.features(np.array([row]))[0]))["properties"]
    return [properties[name] for name in names]


def _named(key: SortKey) -> str:
    return f"{'-' if key.descends else '+'}{key.column.name}"


def _bad(text: str) -> BadRequestError:
    return BadRequestError(f"after={text:.80}: expected the token of a next link")
