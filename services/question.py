"""What a request asks of a collection's features, read once; and the rows of an index that answer it.

Every format and every route asks through `question_of`, `rows_of` and `page_of`, so the same question has the same
answer in all of them. Rows are in the order of ids unless `sortby` says otherwise, ties in the order of ids; a
published version never changes, so a page by offset into its matching rows is stable: nothing is seen twice or left
out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from services.crs import CRS84, crs_of, is_latitude_first, reprojected
from services.parameters import ITEMS, BadRequestError
from spatial.contracts import Layer
from spatial.errors import QueryError
from spatial.query import (
    Bounds,
    Expression,
    SortKey,
    both,
    box_expression,
    equals_expression,
    interval_expression,
    matches,
    parse_filter,
    parse_interval,
    parse_sort,
    sorted_rows,
)
from spatial.store.index import LayerIndex
from spatial.store.overlaid import OverlaidIndex

DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000
_ENDLESS = 2**62
FILTER_LANGUAGES = ("cql2-text", "cql2-json")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[0-9]{1,19}")

Rows = NDArray[np.int64]
Index = LayerIndex | OverlaidIndex


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a collection.

    Attributes
    ----------
    expression : which features; None: all.
    sort : keys, the first decides.
    select : properties to return; None: all.
    crs : address of the system of the answer's coordinates.
    hits : only their number.
    """

    expression: Expression | None
    sort: tuple[SortKey, ...]
    select: tuple[str, ...] | None
    skip_geometry: bool
    crs: str
    limit: int
    offset: int
    hits: bool


def question_of(
    asked: Mapping[str, str],
    layer: Layer,
    systems: tuple[str, ...],
    posted: bytes | None = None,
    whole: bool = False,
) -> Question:
    """Read the parameters of a request; their names are known to be good.

    Parameters
    ----------
    asked : parameters by name, each given once.
    systems : addresses of the coordinate reference systems that the collection is served in.
    posted : a filter in CQL2 JSON, from the body of a POST.
    whole : of everything that matches, unless `limit` says otherwise, however large; else of a page.

    Raises
    ------
    BadRequestError, QueryError
        A value cannot be; the text names its parameter.
    """
    return Question(
        _expression(asked, layer, systems, posted),
        parse_sort(asked["sortby"], layer) if "sortby" in asked else (),
        _selected(asked.get("properties"), layer),
        _one_of(asked, "skipGeometry", ("false", "true")) == "true",
        _one_of(asked, "crs", systems),
        _whole(asked, "limit", _ENDLESS, 1) if whole else min(_whole(asked, "limit", DEFAULT_LIMIT, 1), MAX_LIMIT),
        _whole(asked, "offset", 0, 0),
        _one_of(asked, "resulttype", ("results", "hits")) == "hits",
    )


def rows_of(index: Index, question: Question) -> Rows:
    """Return every row that matches, in the order that was asked for: (n,) int64."""
    if question.expression is None:
        rows = np.arange(len(index), dtype=np.int64)
    else:
        rows = np.flatnonzero(matches(question.expression, index))
    return sorted_rows(index, rows, question.sort) if question.sort else rows


def page_of(index: Index, question: Question) -> tuple[int, Rows]:
    """Return how many rows match, and those of the page."""
    first, last = question.offset, 0 if question.hits else question.offset + question.limit
    if question.expression is None and not question.sort:
        return len(index), np.arange(first, max(first, min(last, len(index))), dtype=np.int64)
    rows = rows_of(index, question)
    return len(rows), rows[first:last]


def serialised(index: Index, rows: Rows, question: Question) -> list[Any]:
    """Return rows as GeoJSON features in bytes, to be joined with commas: the geometry and properties asked for.

    Raises BadRequestError where a geometry has no coordinates in the system that was asked for.
    """
    if question.crs == CRS84 or question.skip_geometry:
        return index.features(rows, question.skip_geometry, question.select)
    shapes = shapely.to_geojson(reprojected(index.geometries(rows), question.crs)).tolist()
    return list(index.with_geometries(rows, shapes, question.select))


def features_of(index: Index, rows: Rows, question: Question) -> list[dict[str, Any]]:
    """Return rows as GeoJSON features for formats that look inside. Raises as `serialised`."""
    features: list[dict[str, Any]] = orjson.loads(b"[%b]" % b",".join(serialised(index, rows, question)))
    return features


def _expression(
    asked: Mapping[str, str], layer: Layer, systems: tuple[str, ...], posted: bytes | None
) -> Expression | None:
    terms = [_equals(layer, name, value) for name, value in asked.items() if name in layer.names and name not in ITEMS]
    box_crs = _one_of(asked, "bbox-crs", systems)
    if "bbox" in asked:
        terms.append(box_expression(_boxes(asked["bbox"], box_crs), crs_of(box_crs)))
    elif "bbox-crs" in asked:
        raise BadRequestError("bbox-crs: expected a bbox with it")
    if "datetime" in asked:
        terms.append(interval_expression(layer, *parse_interval(asked["datetime"])))
    terms += _filter(asked, layer, systems, posted)
    return both(*terms) if terms else None


def _equals(layer: Layer, name: str, value: str) -> Expression:
    try:
        return equals_expression(layer, name, value)
    except QueryError as error:  # what it says of any text, it says of a filter
        told = str(error).removeprefix("filter: ")
        raise BadRequestError(told if told.startswith(name) else f"{name}: {told}") from error


def _filter(asked: Mapping[str, str], layer: Layer, systems: tuple[str, ...], posted: bytes | None) -> list[Expression]:
    crs = crs_of(_one_of(asked, "filter-crs", systems))
    if posted is not None:
        if "filter" in asked or "filter-lang" in asked:
            raise BadRequestError("filter: expected in the body or in the address, not in both")
        return [parse_filter(posted, "cql2-json", layer, crs)]
    if "filter" in asked:
        json = _one_of(asked, "filter-lang", FILTER_LANGUAGES) == "cql2-json"
        return [parse_filter(asked["filter"], "cql2-json" if json else "cql2-text", layer, crs)]
    for name in ("filter-lang", "filter-crs"):
        if name in asked:
            raise BadRequestError(f"{name}: expected a filter with it")
    return []


def _one_of(asked: Mapping[str, str], name: str, values: tuple[str, ...]) -> str:
    """Return a parameter that has few values, the first by default."""
    value = asked.get(name, values[0])
    if value not in values:
        raise BadRequestError(f"{name}={value}: expected {' or '.join(values)}")
    return value


def _whole(asked: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = asked.get(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text) or not least <= int(text) < _ENDLESS:
        raise BadRequestError(f"{name}={text}: expected a whole number from {least} up")
    return int(text)


def _selected(text: str | None, layer: Layer) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(text.split(","))
    for name in names:
        if name not in layer.names:
            raise BadRequestError(f"properties={text}: {name!r} is no property of {layer.name}")
    return names


def _boxes(text: str, crs: str) -> list[Bounds]:
    """Return the lower and the upper corner in the axis order of the CRS, twice where the box crosses the antimeridian.

    Of six numbers the heights decide nothing, since no feature has one.
    """
    parts = text.split(",")
    if len(parts) not in (4, 6) or not all(map(_NUMBER.fullmatch, parts)):
        raise BadRequestError(f"bbox={text[:80]}: expected 4 numbers, or 6 with heights")
    half = len(parts) // 2
    low, high = [float(part) for part in parts[:half]], [float(part) for part in parts[half:]]
    if low[2:] > high[2:]:
        raise BadRequestError(f"bbox={text[:80]}: expected the lower height first")
    (a, b), (c, d) = low[:2], high[:2]
    if crs == CRS84 and a > c:
        return [(a, b, 180.0, d), (-180.0, b, c, d)]
    if is_latitude_first(crs) and b > d:
        return [(a, b, c, 180.0), (a, -180.0, c, d)]
    return [(a, b, c, d)]
