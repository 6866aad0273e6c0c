"""CQL2 JSON (or what `text` makes of CQL2 text) to a tree that is typed and bound to a layer's columns."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import h3
import pyproj
import shapely

from spatial.contracts import Layer
from spatial.query import build, temporal
from spatial.query.functions import FUNCTIONS
from spatial.query.geometry import from_geojson, is_crs84, named, parse_bbox, rectangle, to_crs84, transformation
from spatial.query.limits import MAX_DEPTH, MAX_DISK_K, MAX_OPERATORS, MAX_VALUES, refused, shown, storable
from spatial.query.model import (
    AccentFold,
    BooleanLiteral,
    Bounds,
    Box,
    CaseFold,
    Comparison,
    Expression,
    FeatureGeometry,
    IsNull,
    Literal,
    Not,
    Operator,
    Property,
    Relation,
    Spatial,
    Value,
)
from spatial.query.temporal import OPEN, End, Interval
from spatial.query.times import EXAMPLE, Instant, parse_date, parse_instant, parse_time

GEOMETRY = "geometry"  # how a filter calls the feature's geometry


@dataclass(frozen=True, slots=True)
class Shape:
    """A geometry of the question in CRS84; `boxes` where it is a BBOX in CRS84."""

    geometry: shapely.Geometry
    boxes: tuple[Bounds, ...] = ()


Bound = Expression | Value | FeatureGeometry | Shape | Instant | Interval
_CONVERSE: dict[Relation, Relation] = {"within": "contains", "contains": "within"}
_OF_ITSELF = ("intersects", "equals", "within", "contains")
_RELATIONS = typing.get_args(Relation)
_COMPARISONS = typing.get_args(Comparison)
_OPERATORS = typing.get_args(Operator)


def bind(node: Any, layer: Layer, crs: pyproj.CRS | None) -> Expression:
    """Return a filter's structure as an expression over a layer. Raises QueryError."""
    binder = _Binder(layer, crs)
    return binder.boolean(node, "the filter", 0)


class _Binder:
    """Binds one filter; counts its operators."""

    def __init__(self, layer: Layer, crs: pyproj.CRS | None) -> None:
        self.layer, self.crs, self.count = layer, crs, 0
        self.columns = {column.name: column for column in layer.columns}

    def boolean(self, node: Any, where: str, depth: int) -> Expression:
        bound = self.bound(node, depth)
        if not isinstance(bound, Expression):
            raise refused(f"{where}: expected a condition, found {described(bound)}")
        return bound

    def value(self, node: Any, type_: str, where: str, depth: int) -> Value:
        bound = self.bound(node, depth)
        if not isinstance(bound, Value) or bound.type != type_:
            raise refused(f"{where}: expected a {type_}, found {described(bound)}")
        return bound

    def bound(self, node: Any, depth: int) -> Bound:
        """Bind a part of any kind."""
        if depth > MAX_DEPTH:
            raise refused(f"nested deeper than {MAX_DEPTH}")
        match node:
            case bool():
                return BooleanLiteral(node)
            case str():
                return Literal(storable(node), "string")
            case int() | float():
                return Literal(_number(node), "number")
            case shapely.Geometry():
                return Shape(to_crs84(node, self.crs))
            case Mapping():
                return self.object(node, depth)
        if node is None:
            raise refused("null: expected a value; whether a property is null is asked with IS NULL")
        raise refused(f"{shown(node)}: expected a value, not an array")

    def object(self, node: Mapping[str, Any], depth: int) -> Bound:
        keys = set(node)
        if keys == {"op", "args"}:
            return self.operation(node["op"], node["args"], depth)
        if "type" in keys:
            return Shape(to_crs84(from_geojson(node), self.crs))
        readers: dict[str, Callable[[Any], Bound]] = {
            "property": self.property,
            "date": lambda text: _instant("DATE", parse_date, text),
            "timestamp": lambda text: _instant("TIMESTAMP", parse_time, text),
            "bbox": self.bbox,
            "interval": lambda ends: self.interval(ends, depth),
        }
        if len(keys) == 1 and (key := next(iter(keys))) in readers:
            return readers[key](node[key])
        raise refused(
            f"an object with {shown(sorted(map(str, keys))[:5])}: expected op and args, property, or a literal"
        )

    def property(self, name: Any) -> Property | FeatureGeometry:
        if isinstance(name, str) and name in self.columns:
            return Property(self.columns[name])
        if name == GEOMETRY:
            return FeatureGeometry()
        raise refused(f"{shown(name)}: no property of {self.layer.name}")

    def bbox(self, numbers: Any) -> Shape:
        boxes = parse_bbox(_array("BBOX", numbers), self.crs)
        geometry = shapely.union_all([rectangle(box) for box in boxes])
        if self.crs is None or is_crs84(self.crs):
            return Shape(geometry, boxes)
        return Shape(to_crs84(shapely.transform(geometry, transformation(self.crs).inverse), None))

    def interval(self, ends: Any, depth: int) -> Interval:
        if len(_array("INTERVAL", ends)) != 2:
            raise refused(f"INTERVAL: expected 2 ends, found {len(ends)}")
        return Interval(self.end(ends[0], 0, depth), self.end(ends[1], 1, depth))

    def end(self, node: Any, which: int, depth: int) -> End:
        if isinstance(node, str):
            return OPEN[which] if node == ".." else _instant("INTERVAL", parse_instant, node)
        bound = self.bound(node, depth)
        if not isinstance(bound, Instant | Property) or (isinstance(bound, Property) and bound.type != "instant"):
            raise refused(f"INTERVAL: expected a date, a time or '..', found {described(bound)}")
        return bound

    def operation(self, name: Any, arguments: Any, depth: int) -> Bound:
        self.count += 1
        if self.count > MAX_OPERATORS:
            raise refused(f"more than {MAX_OPERATORS} operators")
        if not isinstance(name, str):
            raise refused(f"op {shown(name)}: expected the name of an operator")
        args, low, depth = _array(name, arguments), name.lower(), depth + 1
        if low in ("and", "or"):
            terms = [self.boolean(arg, name.upper(), depth) for arg in _some(name, args)]
            return build.conjunction(terms) if low == "and" else build.disjunction(terms)
        if low in _COMPARISONS:
            left, right = (self.bound(arg, depth) for arg in _exactly(2, name, args))
            return compared(typing.cast(Comparison, low), left, right)
        if low in _OPERATORS:
            left, right = (self.value(arg, "number", name, depth) for arg in _exactly(2, name, args))
            return build.arithmetic(typing.cast(Operator, low), left, right)
        if low.startswith("s_") and low[2:] in _RELATIONS:
            first, second = (self.bound(arg, depth) for arg in _exactly(2, name, args))
            return _spatial(typing.cast(Relation, low[2:]), first, second)
        if low in temporal.RELATIONS:
            first, second = (self.temporal(arg, name, depth) for arg in _exactly(2, name, args))
            return temporal.related(low, first, second)
        own: dict[str, Callable[[str, list[Any], int], Bound]]
        own = {"not": self.negation, "like": self.like, "between": self.between, "in": self.membership}
        own |= {"isnull": self.nullness, "casei": self.folding, "accenti": self.folding}
        own |= {"cell_to_parent": self.parent, "in_grid_disk": self.disk} if low == name else {}
        if low not in own:
            known = ", ".join(function.name for function in FUNCTIONS)
            raise refused(f"{shown(name)}: no operator or function here; functions are {known}")
        return own[low](low, args, depth)

    def negation(self, name: str, args: list[Any], depth: int) -> Expression:
        return Not(self.boolean(_exactly(1, name, args)[0], "NOT", depth))

    def like(self, name: str, args: list[Any], depth: int) -> Expression:
        text, pattern = (self.value(arg, "string", "LIKE", depth) for arg in _exactly(2, name, args))
        if not isinstance(pattern, Literal) or pattern.value is None:
            raise refused(f"LIKE: expected a pattern in quotes, found {described(pattern)}")
        return build.like(text, str(pattern.value))

    def between(self, name: str, args: list[Any], depth: int) -> Expression:
        value, low, high = (self.bound(arg, depth) for arg in _exactly(3, name, args))
        if _kind(value) not in ("number", "instant"):
            raise refused(f"BETWEEN: expected a number or a time, found {described(value)}")
        return build.conjunction([compared(">=", value, low), compared("<=", value, high)])

    def membership(self, name: str, args: list[Any], depth: int) -> Expression:
        node, items = _exactly(2, name, args)
        if not isinstance(items, list) or not items:
            raise refused("IN: expected a list of values")
        if len(items) > MAX_VALUES:
            raise refused(f"IN: {len(items)} values; expected at most {MAX_VALUES}")
        value, parts = self.bound(node, depth), [self.bound(item, depth) for item in items]
        if isinstance(value, Value) and value.type != "instant":
            return build.membership(value, [_same("IN", value, part) for part in parts])
        return build.disjunction([compared("=", value, part) for part in parts])

    def nullness(self, name: str, args: list[Any], depth: int) -> Expression:
        part = self.bound(_exactly(1, name, args)[0], depth)
        match part:
            case FeatureGeometry():
                return IsNull(part)
            case Interval(start, end):
                nulls: list[Expression] = [IsNull(side) for side in (start, end) if isinstance(side, Property)]
                return build.disjunction(nulls) if nulls else BooleanLiteral(False)
            case Shape() | Instant():
                return BooleanLiteral(False)
        return build.nullness(part)

    def folding(self, name: str, args: list[Any], depth: int) -> Value:
        text = self.value(_exactly(1, name, args)[0], "string", name.upper(), depth)
        return build.folded(CaseFold if name == "casei" else AccentFold, text)

    def temporal(self, node: Any, name: str, depth: int) -> temporal.Operand:
        bound = self.bound(node, depth)
        if isinstance(bound, Instant | Interval) or (isinstance(bound, Property) and bound.type == "instant"):
            return bound
        raise refused(f"{name.upper()}: expected a time, a date or an interval, found {described(bound)}")

    def parent(self, name: str, args: list[Any], depth: int) -> Value:
        cell, resolution = _exactly(2, name, args)
        return build.parent(self.value(cell, "string", name, depth), _whole(name, "resolution", resolution, 15))

    def disk(self, name: str, args: list[Any], depth: int) -> Expression:
        cell, center, k = _exactly(3, name, args)
        if not isinstance(center, str) or not h3.is_valid_cell(center):
            raise refused(f"{name}: center {shown(center)}: expected an H3 cell in quotes")
        cells = h3.grid_disk(center, _whole(name, "k", k, MAX_DISK_K))
        items = [Literal(cell, "string") for cell in sorted(cells)]
        return build.membership(self.value(cell, "string", name, depth), items)


def compared(operator: Comparison, left: Bound, right: Bound) -> Expression:
    """Compare two parts of one kind. Raises QueryError where they differ or cannot be compared."""
    if isinstance(left, Expression) and isinstance(right, Expression):
        return build.truths(operator, left, right)
    left, right = _as_instant(left, right), _as_instant(right, left)
    if _kind(left) == _kind(right) == "instant":
        return temporal.compared(operator, typing.cast(End, left), typing.cast(End, right))
    if not isinstance(left, Value):
        if not isinstance(right, Value):
            raise refused(f"{operator}: cannot compare {described(left)} with {described(right)}")
        _same(operator, right, left)
    return build.comparison(operator, typing.cast(Value, left), _same(operator, typing.cast(Value, left), right))


def described(part: Bound) -> str:
    """Return what a part is, for an error."""
    match part:
        case Property(column):
            return f"{column.name} (a {part.type})"
        case Literal(value, type_):
            return f"the {type_} {shown(value)}" if value is not None else "null"
        case FeatureGeometry():
            return "the geometry"
        case BooleanLiteral(value):
            return str(value).upper()
        case Shape():
            return f"a {named(part.geometry)}"
        case Instant():
            return "a time"
        case Interval():
            return "an interval"
    return f"a {part.type}" if isinstance(part, Value) else "a condition"


def _kind(part: Bound) -> str:
    return part.type if isinstance(part, Value) else "instant" if isinstance(part, Instant) else ""


def _as_instant(part: Bound, other: Bound) -> Bound:
    """Return a text that is compared with a time as a time, which the standard's own tests do (annex A, IN)."""
    if _kind(other) == "instant" and isinstance(part, Literal) and part.type == "string":
        return _instant("a time", parse_instant, part.value)
    return part


def _same(operator: str, value: Value, part: Bound) -> Value:
    if not isinstance(part, Value) or part.type != value.type:
        raise refused(f"{operator}: {described(value)} against {described(part)}: expected a {value.type}")
    return part


def _spatial(relation: Relation, left: Bound, right: Bound) -> Expression:
    match left, right:
        case FeatureGeometry(), FeatureGeometry():
            return BooleanLiteral(relation in _OF_ITSELF)
        case Shape(), Shape():
            return BooleanLiteral(bool(getattr(shapely, relation)(left.geometry, right.geometry)))
        case Shape(), FeatureGeometry():
            return _spatial(_CONVERSE.get(relation, relation), right, left)
        case FeatureGeometry(), Shape(geometry, boxes):
            if boxes and relation in ("intersects", "disjoint"):
                return Box(boxes) if relation == "intersects" else Not(Box(boxes))
            return Spatial(relation, geometry)
    wrong = right if isinstance(left, FeatureGeometry | Shape) else left
    raise refused(f"S_{relation.upper()}: expected a geometry, found {described(wrong)}")


def _instant(name: str, read: Callable[[str], Instant], text: Any) -> Instant:
    try:
        return read(text)
    except (ValueError, OverflowError, TypeError) as error:
        wanted = "2025-01-31" if name == "DATE" else EXAMPLE
        raise refused(f"{name} {shown(text)}: expected RFC 3339, such as {wanted}") from error


def _number(number: float) -> int | float:
    """Return a number as the tree has it: an int within 64 bits, else a finite double."""
    try:
        double = float(number)
    except OverflowError:
        double = float("inf")
    if not isfinite(double):
        raise refused(f"{shown(number)}: expected a finite number")
    if isinstance(number, int) and -(2**63) <= number < 2**63:
        return number
    return int(double) if double.is_integer() and abs(double) < 2**53 else double


def _whole(name: str, argument: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or not 0 <= value <= most:
        raise refused(f"{name}: {argument} {shown(value)}: expected a whole number from 0 to {most}")
    return int(value)


def _array(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise refused(f"{name}: expected an array of arguments, found {shown(value)}")
    return list(value)


def _exactly(wanted: int, name: str, args: list[Any]) -> list[Any]:
    if len(args) != wanted:
        raise refused(f"{name}: expected {wanted} argument{'s' * (wanted > 1)}, found {len(args)}")
    return args


def _some(name: str, args: list[Any]) -> list[Any]:
    if len(args) < 2:
        raise refused(f"{name}: expected at least 2 arguments, found {len(args)}")
    return args
