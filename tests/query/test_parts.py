"""The parts of a question one by one, each against another implementation: h3, pyproj, geopandas, Python itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import geopandas as gpd
import h3
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyproj import CRS
from shapely import Point, box

from spatial.contracts import HEXAGONS, REPORTS, Layer, checked
from spatial.errors import QueryError
from spatial.query import (
    FUNCTIONS,
    And,
    BooleanLiteral,
    Box,
    FrameTable,
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
from spatial.query.cells import parents
from spatial.query.strings import BARRED, case_foldings, collapsed, fold_accents, fold_case, like_flags, like_matcher
from tests.query import oracle
from tests.query.test_hand import IDS, TABLE, TIMES
from tests.query.test_oracle import LAYER, ROWS
from tests.query.test_oracle import TABLE as ODD

PATTERNS = st.text(alphabet="ab%%_\\\n🌊", max_size=8) | st.text(alphabet="ab%%_", max_size=8)
WORDS = st.text(alphabet="ab%_\\\n🌊", max_size=12) | st.text(alphabet="ab", max_size=8)


@settings(deadline=None, max_examples=500)
@given(PATTERNS, st.lists(WORDS, max_size=5))
@example("a%b%", ["ab", "aab\n", "ba"])
@example("%a%b%", ["aba", "baab", "bba"])
@example("%", ["", "\n"])
@example("\\", ["\\", ""])
def test_like(pattern: str, words: list[str]) -> None:
    expected = [oracle.like(word, pattern) for word in words]
    assert like_flags(pattern, words).tolist() == expected
    assert list(map(like_matcher(pattern), words)) == expected
    assert like_flags(collapsed(pattern), words).tolist() == expected


_SINGLE, _TO, _SEVERAL = case_foldings()
FOLDINGS = str.maketrans(_SINGLE, _TO) | str.maketrans(_SEVERAL)


@given(st.text())
@example("Οδος ΣΑΣ Straße ŉ ﬁ İ")
def test_case_folding_is_a_table(text: str) -> None:
    assert text.translate(FOLDINGS) == fold_case(text) == text.casefold()
    assert fold_case(fold_case(text)) == fold_case(text)


def test_accents() -> None:
    assert fold_accents("KØBENHAVN Łódź äöüéáí Đà Nẵng") == "KOBENHAVN Lodz aoueai Da Nang"
    assert fold_accents("e\u0301") == fold_accents("é") == "e"
    assert all(len(letter) == 1 and letter.isascii() for letter in BARRED.values())
    assert fold_accents("한국 🌊 ß") == "한국 🌊 ß"


cell_texts = (
    st.builds(h3.latlng_to_cell, st.floats(-90, 90), st.floats(-180, 180), st.integers(0, 15))
    | st.sampled_from([cell for r in range(4) for cell in h3.get_pentagons(r)])
    | st.integers(0, 2**64 - 1).map(lambda number: f"{number:x}")
    | st.builds(lambda low: f"{0x8001FFFFFFFFFFF | low:x}", st.integers(0, 2**60 - 1))
    | st.text(alphabet="0123456789abcdefABCDEFx \n", max_size=17)
)


@settings(deadline=None, max_examples=300)
@given(st.lists(cell_texts, max_size=6), st.integers(0, 15))
@example(["8009fffffffffff", "8108bffffffffff", "810f3ffffffffff", " 8009fffffffff ", "89652634d4fffff"], 0)
def test_parents_of_cells(texts: list[str], resolution: int) -> None:
    codes, distinct = parents(texts, resolution)
    found = [None if code < 0 else distinct[code] for code in codes]
    assert found == [
        oracle.parent(text, resolution) if len(text) == 15 and text.strip() == text else None for text in texts
    ]
    assert distinct == sorted(set(distinct))


@pytest.mark.parametrize("cell", [h3.latlng_to_cell(3.3, 117.6, 9), h3.get_pentagons(5)[3]])
def test_grid_disk_is_that_of_h3(cell: str) -> None:
    expression = parse_filter(f"in_grid_disk(cell, '{cell}', 3)", "cql2-text", HEXAGONS, None)
    assert sorted(expression.values) == sorted(h3.grid_disk(cell, 3))  # type: ignore[union-attr]


def test_functions_are_described_in_both_languages_and_can_be_called() -> None:
    calls = {
        "cell_to_parent": "cell_to_parent(cell, 5) = 'a'",
        "in_grid_disk": "in_grid_disk(cell, '8965ac4e6bbffff', 1)",
    }
    assert {function.name for function in FUNCTIONS} == set(calls)
    for function in FUNCTIONS:
        assert parse_filter(calls[function.name], "cql2-text", HEXAGONS, None)
        for text in (function, *function.arguments):
            assert text.description_id
            assert text.description_en != text.description_id


MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))


@given(MOMENTS, MOMENTS, st.integers(-23 * 60, 23 * 60))
def test_intervals(first: datetime, second: datetime, minutes: int) -> None:
    begin, end = sorted((first, second))
    zone = timedelta(minutes=minutes)
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    text = (begin + zone).replace(tzinfo=None).isoformat() + f"{sign}{hours:02}:{rest:02}"
    low, high = parse_interval(f"{text}/{end.isoformat().replace('+00:00', 'z')}")
    assert low is not None
    assert high is not None
    millisecond = timedelta(milliseconds=1)
    assert oracle.EPOCH + low * millisecond - millisecond < begin <= oracle.EPOCH + low * millisecond
    assert oracle.EPOCH + high * millisecond <= end < oracle.EPOCH + high * millisecond + millisecond


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", (0, 86_399_999)),
        ("1969-12-31T23:59:59.999Z", (-1, -1)),
        ("../1970-01-01", (None, 86_399_999)),
        ("1970-01-01/", (0, None)),
        ("1970-01-01T00:00:00.0000001Z/..", (1, None)),
        ("1970-01-01T00:00:00.0001Z/1970-01-01T00:00:00.0009Z", (1, 0)),
        ("1970-01-01T07:00:00+07:00/1970-01-01", (0, 86_399_999)),
    ],
)
def test_interval_by_hand(text: str, expected: tuple[int | None, int | None]) -> None:
    assert parse_interval(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "/",
        "../..",
        "a",
        "1970-1-1",
        "0000-01-01",
        "1970-01-01/1969-01-01",
        "1970-01-01/1971-01-01/..",
        "1970-01-01T00:00:00",
        "1970-01-01T25:00:00Z",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00.0009Z/1970-01-01T00:00:00.0001Z",
    ],
)
def test_interval_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"^datetime="):
        parse_interval(text)


def test_a_feature_without_a_time_matches() -> None:
    begin, end = parse_interval("2025-01-31/..")
    mask = matches(interval_expression(REPORTS, begin, end), TABLE)
    assert [name for name, yes in zip(IDS, mask, strict=True) if yes] == ["c", "d", "e"]
    assert TIMES[4] is None
    assert interval_expression(HEXAGONS, begin, end) == BooleanLiteral(True)
    assert matches(interval_expression(REPORTS, None, end), TABLE).all()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("category", "flood", "ab"),
        ("depth_m", "1", "b"),
        ("depth_m", "+.5e0", "a"),
        ("requested_datetime", "2025-01-31T07:00:00+07:00", "c"),
        ("requested_datetime", "2025-01-31T00:00:00.0000001Z", ""),
        ("description", "x' OR '1'='1", ""),
    ],
)
def test_property_equals(name: str, text: str, expected: str) -> None:
    mask = matches(equals_expression(REPORTS, name, text), TABLE)
    assert "".join(i for i, yes in zip(IDS, mask, strict=True) if yes) == expected


@pytest.mark.parametrize(
    ("layer", "name", "text"),
    [(REPORTS, "depth_m", "nan"), (REPORTS, "depth_m", "1_0"), (REPORTS, "depth_m", ""), (REPORTS, "depth_m", "1e999"),
     (HEXAGONS, "reports_total", "1.0"), (HEXAGONS, "reports_total", "9" * 19), (REPORTS, "requested_datetime", "2025"),
     (REPORTS, "height", "1"), (REPORTS, "description", "\0")],
)  # fmt: skip
def test_property_equals_is_refused(layer: Layer, name: str, text: str) -> None:
    with pytest.raises(QueryError, match=r"height|depth_m|reports_total|requested_datetime|U\+0000"):
        equals_expression(layer, name, text)


def test_both_joins() -> None:
    one, two, three = (equals_expression(REPORTS, "category", text) for text in ("a", "b", "c"))
    assert both() == BooleanLiteral(True)
    assert both(one, BooleanLiteral(True)) == one
    assert both(both(one, two), three) == And((one, two, three))


keys = st.lists(st.tuples(st.sampled_from(LAYER.names), st.sampled_from(["", "+", "-", " "])), min_size=1, max_size=4)


@settings(deadline=None)
@given(
    keys.filter(lambda pairs: len({name for name, _ in pairs}) == len(pairs)), st.lists(st.integers(0, 49), unique=True)
)
def test_sort(pairs: list[tuple[str, str]], chosen: list[int]) -> None:
    sort = parse_sort(",".join(sign + name for name, sign in pairs), LAYER)
    found = sorted_rows(ODD, np.array(chosen, dtype=np.int64), sort).tolist()
    expected = sorted(chosen)
    for name, sign in reversed(pairs):
        known = [row for row in expected if ROWS[row][name] is not None]
        known.sort(key=lambda row, name=name: ROWS[row][name], reverse=sign == "-")  # type: ignore[misc]
        expected = known + [row for row in expected if ROWS[row][name] is None]
    assert found == expected


@pytest.mark.parametrize("name", LAYER.names)
def test_sort_of_every_row(name: str) -> None:
    known = [row for row in range(ODD.n) if ROWS[row][name] is not None]
    null = [row for row in range(ODD.n) if ROWS[row][name] is None]
    for sign in "+-":
        found = sorted_rows(ODD, np.arange(ODD.n), parse_sort(sign + name, LAYER)).tolist()
        assert found == sorted(known, key=lambda row: ROWS[row][name], reverse=sign == "-") + null


@pytest.mark.parametrize("text", ["", ",", "+", "geometry", "name,", "name,-name", "--name", "id desc"])
def test_sort_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"^sortby="):
        parse_sort(text, LAYER)


UTM = CRS("EPSG:32650")
UTM_50S = CRS("EPSG:32750")
WEB = CRS("EPSG:3857")


def _hexagons() -> gpd.GeoDataFrame:
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(3.3, 117.6, 8), 12))
    shapes = gpd.GeoSeries.from_wkt(
        [
            "POLYGON((" + ",".join(f"{x} {y}" for y, x in (*h3.cell_to_boundary(c), h3.cell_to_boundary(c)[0])) + "))"
            for c in cells
        ]
    )
    return checked(HEXAGONS, gpd.GeoDataFrame({"cell": cells, "resolution": 8}, geometry=shapes, crs="EPSG:4326"))


GRID = _hexagons()
GRID_TABLE = FrameTable(GRID)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([None, UTM, UTM_50S, WEB, CRS("EPSG:4326"), CRS("EPSG:4755")]), st.data())
def test_boxes_of_any_crs(crs: CRS | None, data: st.DataObject) -> None:
    moved = GRID.geometry.to_crs(crs or "OGC:CRS84")
    west, south, east, north = moved.total_bounds
    share = st.floats(-0.1, 1.1)
    x, y = (sorted(data.draw(st.tuples(share, share))) for _ in range(2))
    x, y = [west + v * (east - west) for v in x], [south + v * (north - south) for v in y]
    lat_first = crs is not None and crs.is_geographic
    corners = (y[0], x[0], y[1], x[1]) if lat_first else (x[0], y[0], x[1], y[1])
    area = box(x[0], y[0], x[1], y[1])
    if x[0] == x[1] or y[0] == y[1]:
        return
    found = matches(box_expression([corners], crs), GRID_TABLE)
    assert found.tolist() == moved.intersects(area).tolist()


def test_two_boxes_across_the_antimeridian() -> None:
    frame = gpd.GeoDataFrame(
        {"report_id": list("abc"), "source": "s", "category": "flood"},
        geometry=[Point(179, 0), Point(-179, 0), Point(0, 0)],
        crs="EPSG:4326",
    )
    table = FrameTable(checked(REPORTS, frame))
    boxes = [(170.0, -1.0, 180.0, 1.0), (-180.0, -1.0, -170.0, 1.0)]
    assert matches(box_expression(boxes), table).tolist() == [True, True, False]
    text = parse_filter("S_INTERSECTS(geometry, BBOX(170, -1, -170, 1))", "cql2-text", REPORTS, None)
    assert text == Box(tuple(boxes))
    within = parse_filter("S_WITHIN(geometry, BBOX(170, -1, -170, 1))", "cql2-text", REPORTS, None)
    assert matches(within, table).tolist() == [True, True, False]


@pytest.mark.parametrize("corners", [(0, 1, 1, 0), (1, 0, 0, 1), (0, 0, float("nan"), 1), (0, 0, float("inf"), 1)])
def test_a_box_is_refused(corners: Any) -> None:
    with pytest.raises(QueryError, match=r"^bbox"):
        box_expression([corners])


def test_filter_crs_has_its_authority_s_axis_order() -> None:
    place = GRID.geometry.iloc[100].centroid
    utm = gpd.GeoSeries([place], crs="OGC:CRS84").to_crs(UTM).iloc[0]
    written = {
        None: f"POINT({place.x!r} {place.y!r})",
        CRS("OGC:CRS84"): f"POINT({place.x!r} {place.y!r})",
        CRS("EPSG:4326"): f"POINT({place.y!r} {place.x!r})",
        UTM: f"POINT({utm.x!r} {utm.y!r})",
    }
    for crs, text in written.items():
        mask = matches(parse_filter(f"S_CONTAINS(geometry, {text})", "cql2-text", HEXAGONS, crs), GRID_TABLE)
        assert np.flatnonzero(mask).tolist() == [100], crs


@pytest.mark.parametrize("code", [4326, 4755])
def test_a_bbox_has_the_axis_order_of_filter_crs(code: int) -> None:
    west, south, east, north = GRID.geometry.iloc[100].bounds
    here = parse_filter(f"S_INTERSECTS(geometry, BBOX({west},{south},{east},{north}))", "cql2-text", HEXAGONS, None)
    crs = CRS(f"EPSG:{code}")
    there = parse_filter(f"S_INTERSECTS(geometry, BBOX({south},{west},{north},{east}))", "cql2-text", HEXAGONS, crs)
    assert matches(here, GRID_TABLE)[100]
    assert matches(there, GRID_TABLE).tolist() == matches(here, GRID_TABLE).tolist()


def test_a_bbox_of_a_projected_crs_is_its_polygon() -> None:
    utm = GRID.geometry.to_crs(UTM)
    west, south, east, north = utm.iloc[:60].total_bounds
    bounds = f"{west},{south},{east},{north}"
    ring = f"{west} {south},{east} {south},{east} {north},{west} {north},{west} {south}"
    masks = [
        matches(parse_filter(f"S_INTERSECTS(geometry, {text})", "cql2-text", HEXAGONS, UTM), GRID_TABLE)
        for text in (f"BBOX({bounds})", f"POLYGON(({ring}))")
    ]
    assert masks[0].tolist() == masks[1].tolist()
    assert 60 <= masks[0].sum() < len(GRID)
