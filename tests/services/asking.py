"""Generated questions with their answers by geopandas: each part of a question as parameters and as a mask."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from hypothesis import strategies as st

from spatial.registry import LAYER_BY_NAME
from tests.pipeline.tiny import SOUTH, WEST

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
UTM = "32750"
SYSTEMS = {CRS84: "OGC:CRS84"} | {EPSG + code: f"EPSG:{code}" for code in ("4326", "3857", UTM)}
LATITUDE_FIRST = EPSG + "4326"

NAMES = ("reports", "hexagons", "roads", "flood_zones", "street_lamps", "lighting_zones")
_SIGNS = {"=": operator.eq, "<>": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Predicate:
    """A filter as CQL2 text, as CQL2 JSON, and as a nullable boolean of each row (pandas has Kleene's logic)."""

    text: str
    json: Any
    mask: Any  # a function of a GeoDataFrame


def _column(table: gpd.GeoDataFrame, name: str) -> pd.Series:
    values = table[name]
    return values.astype("string" if not pd.api.types.is_numeric_dtype(values) else "Float64")


def _compared(name: str, sign: str, value: Any) -> Predicate:
    shown = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
    return Predicate(
        f"{name} {sign} {shown}",
        {"op": sign, "args": [{"property": name}, value]},
        lambda table: _SIGNS[sign](_column(table, name), value).astype("boolean"),
    )


def _null(name: str) -> Predicate:
    return Predicate(
        f"{name} IS NULL",
        {"op": "isNull", "args": [{"property": name}]},
        lambda table: table[name].isna().astype("boolean"),
    )


def _between(name: str, low: float, high: float) -> Predicate:
    return Predicate(
        f"{name} BETWEEN {low!r} AND {high!r}",
        {"op": "between", "args": [{"property": name}, low, high]},
        lambda table: ((_column(table, name) >= low) & (_column(table, name) <= high)).astype("boolean"),
    )


def _one_of(name: str, values: list[str]) -> Predicate:
    return Predicate(
        f"{name} IN ({', '.join(repr(v) for v in values)})",
        {"op": "in", "args": [{"property": name}, values]},
        lambda table: _column(table, name).isin(values).astype("boolean").where(table[name].notna(), pd.NA),
    )


def _begins(name: str, start: str) -> Predicate:
    return Predicate(
        f"{name} LIKE '{start}%'",
        {"op": "like", "args": [{"property": name}, f"{start}%"]},
        lambda table: _column(table, name).str.startswith(start).astype("boolean"),
    )


def _meets(west: float, south: float, east: float, north: float) -> Predicate:
    ring = [[west, south], [east, south], [east, north], [west, south]]
    shape = shapely.Polygon(ring)
    return Predicate(
        f"S_INTERSECTS(geometry, {shapely.to_wkt(shape, rounding_precision=-1)})",
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Polygon", "coordinates": [ring]}]},
        lambda table: table.geometry.intersects(shape).astype("boolean"),
    )


def _after(name: str, day: str) -> Predicate:
    moment = f"{day}T00:00:00Z"
    return Predicate(
        f"T_AFTER({name}, TIMESTAMP('{moment}'))",
        {"op": "t_after", "args": [{"property": name}, {"timestamp": moment}]},
        lambda table: (
            (pd.to_datetime(table[name], utc=True) > pd.Timestamp(moment))
            .astype("boolean")
            .where(table[name].notna(), pd.NA)
        ),
    )


def _joined(word: str, parts: list[Predicate]) -> Predicate:
    def mask(table: gpd.GeoDataFrame) -> pd.Series:
        masks = [part.mask(table) for part in parts]
        return (masks[0] & masks[1]) if word == "and" else (masks[0] | masks[1])

    text = f" {word.upper()} ".join(f"({part.text})" for part in parts)
    return Predicate(text, {"op": word, "args": [part.json for part in parts]}, mask)


def _denied(part: Predicate) -> Predicate:
    return Predicate(f"NOT ({part.text})", {"op": "not", "args": [part.json]}, lambda table: ~part.mask(table))


X = st.integers(-2, 32).map(lambda i: WEST + 0.00071 * i)
Y = st.integers(-2, 32).map(lambda i: SOUTH + 0.00071 * i)
BOXES = (
    st.tuples(X, Y, X, Y)
    .filter(lambda b: b[0] != b[2] and b[1] != b[3])  # test_edges has those without area
    .map(lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])))
)
DAYS = st.dates(pd.Timestamp("2024-12-20").date(), pd.Timestamp("2025-10-10").date()).map(str)


def predicates(name: str, table: gpd.GeoDataFrame) -> st.SearchStrategy[Predicate]:
    """Return filters of a layer: comparisons with values that it holds, joined by AND, OR and NOT."""
    columns = {c.name: c for c in LAYER_BY_NAME[name].columns}
    numbers = [n for n, c in columns.items() if c.kind in ("integer", "number")]
    texts = [n for n, c in columns.items() if c.kind == "string"]
    times = [n for n, c in columns.items() if c.kind == "datetime"]

    def known(column: str) -> list[Any]:
        return sorted(set(table[column].dropna())) or ["x"]

    words = st.sampled_from(texts).flatmap(lambda c: st.tuples(st.just(c), st.sampled_from(known(c))))
    leaves = [
        st.builds(_null, st.sampled_from(list(columns))),
        st.tuples(words, st.sampled_from(list(_SIGNS))).map(lambda t: _compared(t[0][0], t[1], t[0][1])),
        words.map(lambda w: _begins(w[0], "".join(ch for ch in w[1][:3] if ch not in "%_\\'"))),
        words.filter(lambda w: "'" not in w[1]).map(lambda w: _one_of(w[0], [w[1], "none"])),
        BOXES.map(lambda b: _meets(*b)),
    ]
    if numbers:
        value = st.integers(0, 40) | st.sampled_from([0.0, 0.25, 0.5, 1.0, 12.5, 300.0])
        leaves.append(st.builds(_compared, st.sampled_from(numbers), st.sampled_from(list(_SIGNS)), value))
        leaves.append(st.builds(_between, st.sampled_from(numbers), st.just(0.1), st.just(20.0)))
    if times:
        leaves.append(st.builds(_after, st.sampled_from(times), DAYS))
    return st.recursive(
        st.one_of(leaves),
        lambda inner: (
            st.builds(_joined, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=2))
            | st.builds(_denied, inner)
        ),
        max_leaves=5,
    )


def in_box(table: gpd.GeoDataFrame, box: tuple[float, ...], system: str) -> pd.Series:
    """Tell the rows whose geometry, moved to a system vertex by vertex, meets a box there (x first)."""
    return table.geometry.to_crs(SYSTEMS[system]).intersects(shapely.box(*box))


def box_in(box: tuple[float, ...], system: str) -> tuple[float, ...]:
    """Return a box of CRS84 as its corners in another system, x first."""
    corners = gpd.GeoSeries([shapely.Point(box[:2]), shapely.Point(box[2:])], crs="OGC:CRS84").to_crs(SYSTEMS[system])
    return tuple(corners.total_bounds)


def told_in(box: tuple[float, ...], system: str) -> str:
    """Return a box as a request writes it: in the axis order of its system."""
    x1, y1, x2, y2 = box
    return ",".join(repr(float(v)) for v in ((y1, x1, y2, x2) if system == LATITUDE_FIRST else box))


def in_interval(times: pd.Series, when: str) -> pd.Series:
    """Tell the rows whose time lies in an interval of days; those without a time lie in all."""
    begin, end = (when.split("/") * 2)[:2]
    times = pd.to_datetime(times, utc=True)
    keep = pd.Series(True, index=times.index)
    if begin != "..":
        keep &= times >= pd.Timestamp(begin, tz="UTC")
    if end != "..":
        keep &= times < pd.Timestamp(end, tz="UTC") + pd.Timedelta(days=1)
    return keep | times.isna()
