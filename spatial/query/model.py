"""The tree of a question about a layer: few nodes, typed, bound to the layer's columns, free of what needs no column.

Every predicate is one of three: true, false or unknown, as SQL and CQL2 (OGC 21-065, 6.2) have it; null makes it
unknown. `parse_filter` brings a filter to these nodes: BETWEEN becomes two comparisons, T_DURING and the like become
comparisons of starts and ends, a grid disk becomes `In`, and what holds no property is worked out beforehand. So
whoever turns the tree into SQL needs these nodes only, and every engine gives the same answer.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass

import pyproj
import shapely

from spatial.contracts import Column

Type = typing.Literal["string", "number", "instant"]
Comparison = typing.Literal["=", "<>", "<", ">", "<=", ">="]
Operator = typing.Literal["+", "-", "*", "/", "%", "div", "^"]
Relation = typing.Literal["intersects", "disjoint", "equals", "touches", "within", "contains", "overlaps", "crosses"]
Bounds = tuple[float, float, float, float]
Scalar = str | int | float

_TYPES: dict[str, Type] = {
    "string": "string",
    "json": "string",
    "integer": "number",
    "number": "number",
    "datetime": "instant",
}


@dataclass(frozen=True, slots=True)
class Property:
    """The value of a column: a string (JSON is its text), a number, or an instant; null where it is not known."""

    column: Column

    @property
    def type(self) -> Type:
        """What it is compared with."""
        return _TYPES[self.column.kind]


@dataclass(frozen=True, slots=True)
class Literal:
    """A value from the question.

    Attributes
    ----------
    value : str; int within 64 bits or a finite float; an instant's milliseconds since 1970-01-01T00:00:00Z. None is
        null: what arithmetic on literals gives where it has no value, such as 1 / 0.
    """

    value: Scalar | None
    type: Type


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers joined, in IEEE doubles, whatever the columns' types: nothing wraps, and division is never whole.

    `div` is the quotient without its fraction (towards 0) and `a % b` is a - b * (a div b), both in doubles. What is
    not finite (division by zero, overflow, a root of a negative number) is null.
    """

    operator: Operator
    left: Value
    right: Value
    type: Type = "number"


@dataclass(frozen=True, slots=True)
class CaseFold:
    """CASEI: Unicode's full case folding, `str.casefold`; a character at a time, whatever its neighbours."""

    text: Value
    type: Type = "string"


@dataclass(frozen=True, slots=True)
class AccentFold:
    """ACCENTI: NFD without the marks U+0300 to U+036F, NFC, and the letters of `strings.BARRED` (ø is o)."""

    text: Value
    type: Type = "string"


@dataclass(frozen=True, slots=True)
class CellToParent:
    """The H3 parent of a cell, 15 hexadecimal digits; null where the text is no cell or its cell is coarser."""

    cell: Value
    resolution: int
    type: Type = "string"


Value = Property | Literal | Arithmetic | CaseFold | AccentFold | CellToParent


@dataclass(frozen=True, slots=True)
class And:
    """True where all terms are; false where one is false; else unknown. At least two terms."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True where a term is; false where all are false; else unknown. At least two terms."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where the term is false, false where it is true, unknown where it is."""

    term: Expression


@dataclass(frozen=True, slots=True)
class BooleanLiteral:
    """True, false, or (None) unknown, for every feature."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class Compare:
    """Compares two values of one type; unknown where either is null. `left` is never a literal.

    Strings compare by code points, numbers as integers where both are, else as doubles.
    """

    left: Value
    operator: Comparison
    right: Value


@dataclass(frozen=True, slots=True)
class In:
    """True where the value is one of `values` (literals of its type, not null, at least one); unknown where null."""

    value: Value
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Like:
    r"""A string against a pattern: `%` is any run, `_` one character (code point), `\` takes the next one as it is.

    Case counts; line ends are characters. A `\` at the end stands for itself.
    """

    text: Value
    pattern: str


@dataclass(frozen=True, slots=True)
class FeatureGeometry:
    """The geometry of the feature; the contracts give every feature one, an older store may lack it."""


@dataclass(frozen=True, slots=True)
class IsNull:
    """True or false, never unknown: whether a value is null, or an expression unknown."""

    value: Value | FeatureGeometry | Expression


@dataclass(frozen=True, slots=True)
class Spatial:
    """How the feature's geometry relates to another, by DE-9IM in the plane of longitude and latitude; heights are out.

    Attributes
    ----------
    relation : of the feature to `geometry`: "within" says the feature lies within it.
    geometry : CRS84, valid, not empty, without heights.
    """

    relation: Relation
    geometry: shapely.Geometry


@dataclass(frozen=True, slots=True)
class Box:
    """True where the feature's geometry meets one of the boxes, edges and corners included.

    Attributes
    ----------
    boxes : (west, south, east, north), longitude or easting first whatever the CRS says, west <= east, south <= north.
    crs : of the boxes; the test is made there, on the feature's vertices transformed. None: CRS84.
    """

    boxes: tuple[Bounds, ...]
    crs: pyproj.CRS | None = None


Expression = And | Or | Not | BooleanLiteral | Compare | In | Like | IsNull | Spatial | Box


def columns_of(node: Expression | Value | FeatureGeometry) -> Iterator[Column]:
    """Yield the columns that a tree reads; one that it reads twice comes twice."""
    match node:
        case Property(column):
            yield column
        case And(terms) | Or(terms):
            for term in terms:
                yield from columns_of(term)
        case Compare(left, _, right) | Arithmetic(_, left, right):
            yield from columns_of(left)
            yield from columns_of(right)
        case Not(part) | In(part, _) | Like(part, _) | IsNull(part) | CaseFold(part) | AccentFold(part):
            yield from columns_of(part)
        case CellToParent(part):
            yield from columns_of(part)
        case _:
            return
