"""The order of features: by properties, then by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatial.contracts import Column, Layer
from spatial.errors import QueryError
from spatial.query.model import Property
from spatial.query.table import Table


class SortKey(NamedTuple):
    """A column to sort by, and whether it descends."""

    column: Column
    descends: bool


def parse_sort(text: str, layer: Layer) -> tuple[SortKey, ...]:
    """Return the keys of a `sortby` parameter such as `+kelurahan,-flood_score`.

    A name without a sign ascends; so does a space before it, which is what an address makes of a bare +.

    Raises
    ------
    QueryError
        A name that is no property, comes twice, or is missing.
    """
    columns = {column.name: column for column in layer.columns}
    keys: list[SortKey] = []
    for part in text.split(","):
        name = part[1:] if part[:1] in ("+", "-", " ") else part
        if name not in columns:
            raise QueryError(f"sortby={part[:80]}: no property of {layer.name}; expected such as +{layer.id_column}")
        if any(key.column.name == name for key in keys):
            raise QueryError(f"sortby={text[:80]}: {name} comes twice")
        keys.append(SortKey(columns[name], part.startswith("-")))
    return tuple(keys)


def sorted_rows(table: Table, rows: NDArray[np.int64], sort: Sequence[SortKey]) -> NDArray[np.int64]:
    """Return rows in the order of keys; those that are equal in all of them by id, which ascends.

    Null comes last, whether its key ascends or descends. Strings sort by code point, JSON by its text.
    """
    rows = np.sort(rows)
    keys: list[Any] = []
    for column, descends in reversed(sort):
        if table.has(column.name):
            keys += _keys(table, rows, Property(column), descends)
    return rows[np.lexsort(keys)] if keys else rows


def _keys(table: Table, rows: NDArray[np.int64], key: Property, descends: bool) -> list[NDArray[Any]]:
    """Return the keys of a column for lexsort: its values, then whether they are null, which counts for more."""
    name = key.column.name
    if key.type == "string":
        values: NDArray[Any] = table.strings(name)[0][rows]
        null = values < 0
    else:
        numbers, known = (table.instants if key.type == "instant" else table.numbers)(name)
        values = numbers[rows]
        null = np.zeros(len(rows), dtype=bool) if known is None else ~known[rows]
    values = np.where(null, values.dtype.type(0), values)
    if descends:
        values = -values if values.dtype.kind == "f" else ~values
    return [values, null]
