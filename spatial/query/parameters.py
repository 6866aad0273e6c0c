"""Questions that are parameters of their own: bbox, datetime, property=value; and how they join."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Literal as OneOf

import orjson
import pyproj

from spatial.contracts import Column, Layer
from spatial.errors import QueryError
from spatial.query.bind import bind
from spatial.query.build import comparison, conjunction, disjunction
from spatial.query.geometry import is_crs84, lat_first
from spatial.query.limits import MAX_JSON_BYTES, refused, storable
from spatial.query.model import And, BooleanLiteral, Bounds, Box, Compare, Expression, IsNull, Literal, Property
from spatial.query.temporal import compared
from spatial.query.text import parse_text
from spatial.query.times import EXAMPLE, parse_time

Language = OneOf["cql2-text", "cql2-json"]
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def parse_filter(
    filter: str | bytes | Mapping[str, object], lang: Language, layer: Layer, crs: pyproj.CRS | None = None
) -> Expression:
    """Return a filter in CQL2 (OGC 21-065) as an expression over a layer.

    Parameters
    ----------
    filter : text, JSON as text or bytes, or JSON that is read already.
    lang : "cql2-text" or "cql2-json".
    crs : of the geometries in the filter, in its authority's axis order (`filter-crs`); None: CRS84. Their vertices
        are moved to CRS84, the lines between them are straight there. A BBOX is the polygon of its corners.

    Raises
    ------
    QueryError
        What the filter says is no CQL2, not supported, of a type that does not fit, too large or too deep.
    """
    if lang == "cql2-text":
        if isinstance(filter, Mapping):
            raise refused("expected a text, found JSON; say filter-lang=cql2-json")
        return bind(parse_text(_decoded(filter)), layer, crs)
    if lang != "cql2-json":
        raise QueryError(f"filter-lang={lang}: expected cql2-text or cql2-json")
    if isinstance(filter, Mapping):
        return bind(filter, layer, crs)
    if len(filter) > MAX_JSON_BYTES:
        raise refused(f"larger than {MAX_JSON_BYTES} bytes")
    try:
        return bind(orjson.loads(filter), layer, crs)
    except orjson.JSONDecodeError as error:
        raise refused(f"no JSON: {error}") from error


def box_expression(boxes: Sequence[Bounds], crs: pyproj.CRS | None = None) -> Expression:
    """Return where the geometry meets a box, edges included: exact, in the boxes' own CRS.

    Parameters
    ----------
    boxes : lower corner, upper corner, in the axis order of the CRS's authority: (west, south, east, north) in CRS84,
        (south, west, north, east) in EPSG:4326. One that crosses the antimeridian is given as two.

    Raises
    ------
    QueryError
        Numbers that are not finite, or a lower corner above the upper one.
    """
    if crs is not None and lat_first(crs):
        boxes = [(b[1], b[0], b[3], b[2]) for b in boxes]
    for west, south, east, north in boxes:
        if not all(map(isfinite, (west, south, east, north))):
            raise QueryError("bbox: expected finite numbers")
        if south > north or west > east:
            raise QueryError("bbox: its lower corner lies above or beyond its upper corner")
    return Box(tuple(boxes), None if crs is None or is_crs84(crs) else crs)


def interval_expression(layer: Layer, begin_ms: int | None, end_ms: int | None) -> Expression:
    """Return where a feature's time lies in an interval, both ends included; one without a time matches.

    Parameters
    ----------
    begin_ms, end_ms : milliseconds since 1970, UTC, as `parse_interval` gives them; None: open.

    Notes
    -----
    OGC 17-069r4, 7.15.4. A layer without times matches whole.
    """
    column = next((column for column in layer.columns if column.name == layer.temporal), None)
    if column is None or (begin_ms is None and end_ms is None):
        return BooleanLiteral(True)
    time = Property(column)
    ends = ((">=", begin_ms), ("<=", end_ms))
    bounds = [Compare(time, sign, Literal(ms, "instant")) for sign, ms in ends if ms is not None]  # type: ignore[arg-type]
    return disjunction([IsNull(time), conjunction(bounds)])


def equals_expression(layer: Layer, name: str, text: str) -> Expression:
    """Return where a property equals the text of a `name=value` parameter, read as the property's type.

    Raises
    ------
    QueryError
        No such property, or a text that is none of its values.
    """
    column = next((column for column in layer.columns if column.name == name), None)
    if column is None:
        raise QueryError(f"{name}: neither a parameter nor a property of {layer.name}")
    if column.kind != "datetime":
        value = Literal(_value(column, storable(text, name)), Property(column).type)
        return comparison("=", Property(column), value)
    try:
        return compared("=", Property(column), parse_time(text))
    except (ValueError, OverflowError) as error:
        raise QueryError(f"{name}={text[:80]}: expected a time, such as {EXAMPLE}") from error


def both(*expressions: Expression) -> Expression:
    """Return where all expressions are true; everywhere where there is none."""
    terms: list[Expression] = []
    for expression in expressions:
        terms += expression.terms if isinstance(expression, And) else [expression]
    return conjunction([term for term in terms if term != BooleanLiteral(True)])


def _value(column: Column, text: str) -> str | int | float:
    """Return the text of a value as the column's type; Python's own readers take too much (nan, 1_0)."""
    if column.kind not in ("integer", "number"):
        return text
    if column.kind == "integer" and _INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if column.kind == "number" and _NUMBER.fullmatch(text) and isfinite(float(text)):
        return float(text)
    raise QueryError(f"{column.name}={text[:80]}: expected {column.kind}")


def _decoded(text: str | bytes) -> str:
    try:
        return text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError as error:
        raise refused("expected UTF-8") from error
