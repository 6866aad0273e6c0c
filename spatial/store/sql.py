"""A question as SQL: an `Expression` turned into text and parameters, for SQLite and for PostgreSQL.

No value of a question is ever in the text: values are parameters, and identifiers are the contract's, quoted. Both
engines know unknown as SQL does, so AND, OR and NOT are theirs; where they differ from `spatial.query.matches` a
function of ours stands in: Python's on a SQLite connection, SQL's in the city's private schema (`sql_functions`).

Relations of geometries are not left to the engine, but for points in boxes. PostGIS finds a point on an edge in plain
doubles, and GEOS changed how it relates lines between releases, so the two would disagree at the edge; `located` holds,
for every such node, the ids of the features that the one function found (`asking`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from spatial.contracts import Column, Layer
from spatial.query.model import (
    And,
    Arithmetic,
    Bounds,
    Box,
    CaseFold,
    CellToParent,
    Compare,
    Expression,
    FeatureGeometry,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Property,
    Scalar,
    Spatial,
    Type,
    Value,
)
from spatial.query.sort import SortKey

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS, _LAST_MS = -62135596800000, 253402300799999  # years 1 to 9999


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of a layer: its name, its schema (PostgreSQL), which of the layer's columns it has, and what is always
    asked of its rows (SQL of ours, such as `deleted = 0`).
    """

    layer: Layer
    name: str
    columns: frozenset[str]
    schema: str | None = None
    always: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """Text with named parameters, and the functions that a SQLite connection needs for it: arguments, function."""

    text: str
    parameters: Mapping[str, Any]
    functions: Mapping[str, tuple[int, Callable[..., Any]]] = field(default_factory=dict)


Located = Mapping[int, Sequence[str]]
"""Ids of the features for which a `Spatial` or `Box` holds, by the `id` of the node; of "disjoint" those that meet."""


def located_nodes(node: Expression) -> Iterator[Spatial | Box]:
    """Yield the nodes of a tree that the store leaves to the one function."""
    match node:
        case Spatial() | Box():
            yield node
        case And(terms) | Or(terms):
            for term in terms:
                yield from located_nodes(term)
        case Not(term):
            yield from located_nodes(term)
        case IsNull(part) if isinstance(part, Expression):
            yield from located_nodes(part)


class Dialect(ABC):
    """Builds one statement. Make a new one for each: it gathers the statement's parameters and functions."""

    def __init__(self, relation: Relation, located: Located) -> None:
        self._relation, self._located = relation, located
        self._parameters: dict[str, Any] = {}
        self._functions: dict[str, tuple[int, Callable[..., Any]]] = {}

    def select(
        self,
        columns: Sequence[str],
        expression: Expression | None,
        sort: Sequence[SortKey] = (),
        after: Sequence[Scalar | None] | None = None,
        limit: int | None = None,
    ) -> Statement:
        """Return the statement that selects columns of the features that match, in the order of keys, then of ids.

        Parameters
        ----------
        columns : names of the layer's columns, or `geom`; a column that the table has not is null.
        after : the last feature's value of each sort key and its id: the rows after it only.
        limit : rows at most.
        """
        named = {column.name: column for column in self._relation.layer.columns}
        chosen = ", ".join(self.geometry() if name == "geom" else self.column(named[name]) for name in columns)
        text = f"SELECT {chosen} FROM {self._table()} WHERE {self._conditions(expression, sort, after)}"
        order = [f"{self.ordered(key.column)} {'DESC' if key.descends else 'ASC'} NULLS LAST" for key in sort]
        text += f" ORDER BY {', '.join([*order, self.ordered(self._id)])}"
        if limit is not None:
            text += f" LIMIT {self._value(limit, 'number')}"
        return Statement(text, self._parameters, self._functions)

    def count(self, expression: Expression | None) -> Statement:
        """Return the statement that counts the features that match."""
        text = f"SELECT count(*) FROM {self._table()} WHERE {self._conditions(expression, (), None)}"
        return Statement(text, self._parameters, self._functions)

    @property
    def _id(self) -> Column:
        return self._relation.layer.columns[0]

    def _conditions(
        self, expression: Expression | None, sort: Sequence[SortKey], after: Sequence[Scalar | None] | None
    ) -> str:
        parts = [self._relation.always or self.true]
        if expression is not None:
            parts.append(self.predicate(expression))
        if after is not None:
            parts.append(self._after([*sort, SortKey(self._id, False)], after))
        return " AND ".join(f"({part})" for part in parts)

    def _after(self, keys: Sequence[SortKey], values: Sequence[Scalar | None]) -> str:
        """Return the condition of the rows after one, nulls coming last in every key."""
        (key, *more), (value, *rest) = keys, values
        own = Property(key.column)
        if value is None:
            null = self.predicate(IsNull(own))
            return f"{null} AND ({self._after(more, rest)})" if more else self.false
        literal = Literal(value, own.type)
        beyond = self.predicate(Or((Compare(own, "<" if key.descends else ">", literal), IsNull(own))))
        if not more:
            return beyond
        return f"({beyond}) OR ({self.predicate(Compare(own, '=', literal))} AND ({self._after(more, rest)}))"

    def predicate(self, node: Expression) -> str:
        """Return a condition that is true, false or null where the node is true, false or unknown."""
        match node:
            case And(terms):
                return self._balanced("AND", [self.predicate(term) for term in terms])
            case Or(terms):
                return self._balanced("OR", [self.predicate(term) for term in terms])
            case Not(term):
                return f"(NOT {self.predicate(term)})"
            case Compare(left, operator, right):
                first, second = self._sides(left, right)
                return f"({first} {operator} {second})"
            case In(value, values):
                return self.one_of(value, values)
            case Like(text, pattern):
                return self.like(self.value(text), pattern)
            case IsNull(part):
                return f"({self._asked(part)} IS NULL)"
            case Box() if self.decides(self._relation, node):
                return self.in_boxes(node.boxes)
            case Spatial() | Box():
                found = self.among(self._located[id(node)])
                return f"(NOT {found})" if isinstance(node, Spatial) and node.relation == "disjoint" else found
        return self.unknown if node.value is None else self.true if node.value else self.false

    def _balanced(self, operator: str, parts: Sequence[str]) -> str:
        """Return the parts joined as a tree of little depth: SQLite refuses one of a thousand levels."""
        if len(parts) == 1:
            return parts[0]
        half = len(parts) // 2
        return f"({self._balanced(operator, parts[:half])} {operator} {self._balanced(operator, parts[half:])})"

    def _asked(self, part: Value | FeatureGeometry | Expression) -> str:
        if isinstance(part, FeatureGeometry):
            return self.geometry()
        return self.value(part) if isinstance(part, Value) else self.predicate(part)

    def _sides(self, left: Value, right: Value) -> tuple[str, str]:
        """Return both sides of a comparison: whole numbers where both are, else doubles; strings by code point."""
        if left.type == "number" and not (is_whole(left) and is_whole(right)):
            return self.double(left), self.double(right)
        first, second = self.value(left), self.value(right)
        return (self.by_code_point(first), second) if left.type == "string" else (first, second)

    def value(self, node: Value) -> str:
        """Return a value as SQL."""
        match node:
            case Property(column):
                return self.column(column)
            case Literal(scalar, kind):
                return self.null(kind) if scalar is None else self._value(scalar, kind)
            case Arithmetic(operator, left, right):
                return self.computed(operator, self.double(left), self.double(right))
            case CellToParent(cell, resolution):
                return self.function("cell_to_parent", self.value(cell), self._value(resolution, "number"))
            case CaseFold(text):
                return self.function("fold_case", self.value(text))
        return self.function("fold_accents", self.value(node.text))

    def column(self, column: Column) -> str:
        """Return a column of the contract, quoted; null where the table has it not."""
        if column.name in self._relation.columns:
            return quoted(column.name)
        return self.null(Property(column).type)

    def double(self, node: Value) -> str:
        """Return a number as a double."""
        if isinstance(node, Literal) and node.value is not None:
            return self._value(float(node.value), "number")
        return f"CAST({self.value(node)} AS double precision)"  # of REAL affinity in SQLite

    def _value(self, scalar: Scalar, kind: Type) -> str:
        return self.literal(instant_text(int(scalar)) if kind == "instant" else scalar, kind)

    def parameter(self, value: Any) -> str:
        """Return the name of a new parameter."""
        name = f"p{len(self._parameters)}"
        self._parameters[name] = value
        return name

    def _table(self) -> str:
        name = quoted(self._relation.name)
        return name if self._relation.schema is None else f"{quoted(self._relation.schema)}.{name}"

    true, false, unknown = "TRUE", "FALSE", "NULL"

    @staticmethod
    def decides(relation: Relation, node: Spatial | Box) -> bool:
        """Tell whether the engine itself can say exactly where a node holds."""
        return False

    def in_boxes(self, boxes: Sequence[Bounds]) -> str:
        """Return whether a point is in one of the boxes; asked where the engine decides."""
        raise NotImplementedError

    @abstractmethod
    def literal(self, value: Scalar, kind: Type) -> str:
        """Return a parameter of a type; an instant is its text."""

    @abstractmethod
    def null(self, kind: Type) -> str:
        """Return null of a type."""

    @abstractmethod
    def geometry(self) -> str:
        """Return the geometry as it is read."""

    @abstractmethod
    def by_code_point(self, text: str) -> str:
        """Return a string that compares by code point."""

    @abstractmethod
    def ordered(self, column: Column) -> str:
        """Return what a column sorts by."""

    @abstractmethod
    def one_of(self, value: Value, values: Sequence[Scalar]) -> str:
        """Return whether a value is in a list."""

    @abstractmethod
    def among(self, ids: Sequence[str]) -> str:
        """Return whether the feature is one of these."""

    @abstractmethod
    def like(self, text: str, pattern: str) -> str:
        """Return whether a string matches a pattern."""

    @abstractmethod
    def computed(self, operator: str, left: str, right: str) -> str:
        """Return arithmetic in doubles, null where it is not finite."""

    @abstractmethod
    def function(self, name: str, *arguments: str) -> str:
        """Return a call of `fold_case`, `fold_accents` or `cell_to_parent`."""


def quoted(name: str) -> str:
    """Return an identifier of the contract or of ours, quoted."""
    return '"' + name.replace('"', '""') + '"'


def instant_text(milliseconds: int) -> str:
    """Return milliseconds since 1970 as the live tables write a time: RFC 3339 in UTC, with milliseconds.

    What lies beyond the years 1 to 9999 is a text before or after all of them that PostgreSQL reads as such too.
    """
    if not _FIRST_MS <= milliseconds <= _LAST_MS:
        return "-infinity" if milliseconds < 0 else "infinity"
    time = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{time.year:04d}{time.strftime('-%m-%dT%H:%M:%S')}.{time.microsecond // 1000:03d}Z"


def sort_value(column: Column, stored: Any) -> Scalar | None:
    """Return a stored value as `after` takes it: a time, text in SQLite, as its milliseconds since 1970."""
    if stored is None or column.kind != "datetime":
        return stored  # type: ignore[no-any-return]
    time = stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
    return (time.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


def is_whole(value: Value) -> bool:
    """Tell whether a number is a whole one by its type."""
    match value:
        case Property(column):
            return column.kind == "integer"
        case Literal(scalar):
            return isinstance(scalar, int)
    return False
