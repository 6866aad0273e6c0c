"""SQL of SQLite, helped by Python's functions, and of PostgreSQL, helped by those of `sql_functions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spatial.contracts import Column
from spatial.query.arithmetic import computed
from spatial.query.cells import parent_of
from spatial.query.model import Bounds, Box, Property, Scalar, Spatial, Type, Value
from spatial.query.strings import collapsed, fold_accents, fold_case, like_matcher
from spatial.store.sql import Dialect, Relation, instant_text, is_whole, quoted

_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "fold_case": fold_case,
    "fold_accents": fold_accents,
    "cell_to_parent": parent_of,
}


class Sqlite(Dialect):
    """SQLite, with Python's functions; strings compare by their bytes, which is by code point."""

    def literal(self, value: Scalar, kind: Type) -> str:
        """Return a parameter: SQLite takes the type of the value."""
        return f":{self.parameter(value)}"

    def null(self, kind: Type) -> str:
        """Return null."""
        return "NULL"

    def geometry(self) -> str:
        """Return the GeoPackage blob."""
        return "geom"

    def by_code_point(self, text: str) -> str:
        """Return the string."""
        return text

    def ordered(self, column: Column) -> str:
        """Return the column."""
        return self.column(column)

    def one_of(self, value: Value, values: Sequence[Scalar]) -> str:
        """Return a look-up in a set of Python's."""
        if value.type == "instant":
            values = [instant_text(int(v)) for v in values]
        elif not is_whole(value) and value.type == "number":
            return self._call("one_of", _member({float(v) for v in values}, frozenset()), self.double(value))
        whole = frozenset(v for v in values if not isinstance(v, float))
        return self._call("one_of", _member(whole, {v for v in values if isinstance(v, float)}), self.value(value))

    def among(self, ids: Sequence[str]) -> str:
        """Return a look-up in a set of Python's."""
        return self._call("among", _member(frozenset(ids), frozenset()), quoted(self._id.name))

    def like(self, text: str, pattern: str) -> str:
        """Return a match in bounded time; SQLite's own LIKE takes a for A."""
        matches = like_matcher(pattern)
        return self._call("matches", lambda value: None if value is None else matches(value), text)

    def computed(self, operator: str, left: str, right: str) -> str:
        """Return the operation of the columns' engine."""
        return self._call("computed", _operation(operator), left, right)

    def function(self, name: str, *arguments: str) -> str:
        """Return a call of Python's function."""
        own = _FUNCTIONS[name]
        return self._call(name, lambda first, *more: None if first is None else own(first, *more), *arguments)

    def _call(self, name: str, function: Callable[..., Any], *arguments: str) -> str:
        unique = f"hexakota_{name}_{len(self._functions)}"
        self._functions[unique] = (len(arguments), function)
        return f"{unique}({', '.join(arguments)})"


class Postgis(Dialect):
    """PostgreSQL, with the functions that `sql_functions` puts into the relation's schema."""

    _TYPES: Mapping[Type, str] = {"string": "text", "number": "double precision", "instant": "timestamptz"}

    @staticmethod
    def decides(relation: Relation, node: Spatial | Box) -> bool:
        """Whether a point is in a box of CRS84 is four comparisons of doubles, in any engine."""
        return relation.layer.geometry == "Point" and isinstance(node, Box) and node.crs is None

    def in_boxes(self, boxes: Sequence[Bounds]) -> str:
        """Return the comparisons, and the index's, whose boxes are rounded outwards."""
        return self._balanced("OR", [self._in_box(box) for box in boxes])

    def _in_box(self, box: Bounds) -> str:
        west, south, east, north = (self.literal(side, "number") for side in map(float, box))
        index = f"geom && ST_MakeEnvelope({west}, {south}, {east}, {north}, 4326)"
        x, y = f"ST_X(geom) BETWEEN {west} AND {east}", f"ST_Y(geom) BETWEEN {south} AND {north}"
        return f"({index} AND {x} AND {y})"

    def literal(self, value: Scalar, kind: Type) -> str:
        """Return a parameter, cast to its type."""
        return f"%({self.parameter(value)})s::{'bigint' if isinstance(value, int) else self._TYPES[kind]}"

    def null(self, kind: Type) -> str:
        """Return null of a type."""
        return f"NULL::{self._TYPES[kind]}"

    def geometry(self) -> str:
        """Return little-endian WKB."""
        return "ST_AsBinary(geom, 'NDR')"

    def by_code_point(self, text: str) -> str:
        """Return the string in the collation of its bytes."""
        return f'{text} COLLATE "C"'

    def ordered(self, column: Column) -> str:
        """Return the column, a string by code point."""
        own = self.column(column)
        return self.by_code_point(own) if Property(column).type == "string" else own

    def one_of(self, value: Value, values: Sequence[Scalar]) -> str:
        """Return a look-up in an array, or in two: whole numbers compare as such with whole numbers only."""
        if value.type == "instant":
            return self._any(self.value(value), [instant_text(int(v)) for v in values], "timestamptz")
        if value.type == "string":
            return self._any(self.by_code_point(self.value(value)), list(values), "text")
        if not is_whole(value):
            return self._any(self.double(value), [float(v) for v in values], "double precision")
        whole = self._any(self.value(value), [v for v in values if isinstance(v, int)], "bigint")
        doubles = [v for v in values if isinstance(v, float)]
        return f"({whole} OR {self._any(self.double(value), doubles, 'double precision')})" if doubles else whole

    def _any(self, value: str, values: Sequence[Any], kind: str) -> str:
        return f"({value} = ANY (%({self.parameter(list(values))})s::{kind}[]))"

    def among(self, ids: Sequence[str]) -> str:
        """Return a look-up in an array."""
        return self._any(quoted(self._id.name), ids, "text")

    def like(self, text: str, pattern: str) -> str:
        r"""Return LIKE, whose escape is `\` too; a lone one at the end it would refuse."""
        return f"({self.by_code_point(text)} LIKE {self.literal(collapsed(pattern), 'string')})"

    def computed(self, operator: str, left: str, right: str) -> str:
        """Return the operation, which would be an error where it is not finite."""
        return self.function("computed", self.literal(operator, "string"), left, right)

    def function(self, name: str, *arguments: str) -> str:
        """Return a call of the schema's function."""
        return f"{quoted(self._relation.schema or '')}.{name}({', '.join(arguments)})"


def _member(whole: Any, doubles: Any) -> Callable[[Any], bool | None]:
    def member(value: Any) -> bool | None:
        return None if value is None else value in whole or (bool(doubles) and float(value) in doubles)

    return member


def _operation(operator: Any) -> Callable[[float | None, float | None], float | None]:
    def operation(left: float | None, right: float | None) -> float | None:
        if left is None or right is None:
            return None
        result, finite = computed(operator, np.float64(left), np.float64(right))
        return float(result) if finite else None

    return operation
