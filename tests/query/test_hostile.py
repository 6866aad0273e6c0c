"""Filters made to hurt: too deep, too large, costly, or with SQL in them, end soon, with an error that says why."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import orjson
import pytest
import shapely
from shapely.geometry import mapping

from spatial.contracts import REPORTS
from spatial.errors import QueryError
from spatial.query import Compare, In, Like, Literal, matches, parse_filter
from spatial.query.limits import MAX_DEPTH, MAX_JSON_BYTES, MAX_OPERATORS, MAX_PATTERN, MAX_TEXT_BYTES, MAX_VALUES
from spatial.query.strings import like_flags, like_matcher
from tests.query.test_hand import TABLE, ids


def from_text(text: str) -> Any:
    return parse_filter(text, "cql2-text", REPORTS, None)


def from_json(node: Any) -> Any:
    return parse_filter(node, "cql2-json", REPORTS, None)


@pytest.mark.parametrize("depth", [1000, 10_000])
@pytest.mark.parametrize(
    ("start", "middle", "end"),
    [
        ("(", "depth_m = 1", ")"),
        ("NOT ", "depth_m = 1", ""),
        ("(depth_m = 1 OR ", "TRUE", ")"),
        ("-", "depth_m = 1", ""),
        ("", "depth_m", " + 1"),
        ("(1 + ", "depth_m", ")"),
        ("f(", "1", ")"),
        ("depth_m = NOT ", "TRUE", ""),
        ("depth_m IN (", "1", ")"),
    ],
)
def test_deep_text_is_refused(start: str, middle: str, end: str, depth: int) -> None:
    text = start * depth + middle + end * depth + (" = 1" if "+" in start + end else "")
    with pytest.raises(QueryError, match=r"deeper than 100|larger than|more than"):
        from_text(text)


@pytest.mark.parametrize("depth", [200, 1000, 100_000])
def test_deep_json_is_refused(depth: int) -> None:
    with pytest.raises(QueryError, match=r"deeper|depth limit|larger than"):
        from_json(b'{"op":"not","args":[' * depth + b"true" + b"]}" * depth)
    with pytest.raises(QueryError, match=r"array|depth limit"):
        from_json(b"[" * depth + b"]" * depth)
    node: Any = True
    coordinates: Any = [1, 2]
    for _ in range(depth):
        node, coordinates = {"op": "not", "args": [node]}, [coordinates]
    with pytest.raises(QueryError, match="deeper"):
        from_json(node)
    shape = {"type": "Polygon", "coordinates": coordinates}
    with pytest.raises(QueryError, match="Polygon: no geometry"):
        from_json({"op": "s_intersects", "args": [{"property": "geometry"}, shape]})


@pytest.mark.parametrize("nest", ["({})", "NOT {}", "(depth_m = 9 OR {})"])
def test_what_is_just_deep_enough_is_answered(nest: str) -> None:
    text = "depth_m = 0.5"
    for _ in range(MAX_DEPTH - 2):
        text = nest.format(text)
    assert ids(text) == "a"


def test_long_chains() -> None:
    assert ids(" OR ".join(["depth_m = 0.5"] * (MAX_OPERATORS - 1))) == "a"
    for joint in ("AND", "OR"):
        with pytest.raises(QueryError, match=f"more than {MAX_OPERATORS} operators"):
            from_text(f" {joint} ".join(["depth_m=1"] * (MAX_OPERATORS + 1)))
    with pytest.raises(QueryError, match="larger than"):
        from_text(" AND ".join(["depth_m = 1"] * 10_000))
    with pytest.raises(QueryError, match="more than"):
        from_json({"op": "and", "args": [{"op": "=", "args": [1, 1]}] * 10_000})


def test_sizes() -> None:
    blank = " " * (MAX_TEXT_BYTES - 4)
    assert ids("TRUE" + blank) == "abcde"
    for text in ("TRUE " + blank, "'" + "🌊" * (MAX_TEXT_BYTES // 4) + "' = 'a'"):
        with pytest.raises(QueryError, match=f"larger than {MAX_TEXT_BYTES}"):
            from_text(text)
    with pytest.raises(QueryError, match=f"larger than {MAX_JSON_BYTES}"):
        from_json(b"true" + b" " * MAX_JSON_BYTES)
    many = from_json({"op": "in", "args": [{"property": "description"}, [str(i) for i in range(MAX_VALUES)]]})
    assert not matches(many, TABLE).any()
    with pytest.raises(QueryError, match=f"at most {MAX_VALUES}"):
        from_json({"op": "in", "args": [{"property": "description"}, ["a"] * (MAX_VALUES + 1)]})


def test_a_polygon_of_10000_vertices() -> None:
    ring = shapely.Point(2, 0).buffer(1.5, quad_segs=2500)
    assert shapely.get_num_coordinates(ring) > 10_000
    body = orjson.dumps({"op": "s_intersects", "args": [{"property": "geometry"}, mapping(ring)]})
    assert matches(from_json(body), TABLE).tolist() == [False, True, True, True, False]
    angles = np.linspace(0, 2 * np.pi, 60_001)
    large = mapping(shapely.polygons(np.column_stack([np.cos(angles), np.sin(angles)])[[*range(60_000), 0]]))
    with pytest.raises(QueryError, match="at most 50000"):
        from_json({"op": "s_intersects", "args": [{"property": "geometry"}, large]})


def test_like_of_many_percent_signs() -> None:
    assert ids("description LIKE '" + "%" * 10_000 + "50" + "%" * 10_000 + "'") == "bc"
    assert like_matcher("%" * 10_000 + "a")("b" * 10_000) is False
    with pytest.raises(QueryError, match=f"at most {MAX_PATTERN}"):
        from_text("description LIKE '" + "%a" * 5000 + "'")


@pytest.mark.parametrize(
    "pattern", ["%a" * 499 + "b", "%" + "a_" * 249 + "b%", "%a_%aa_a%" * 50 + "b", "_%" * 400 + "b"]
)
def test_like_is_not_exponential(pattern: str) -> None:
    words = ["a" * 2000] * 20
    begun = time.process_time()
    assert not like_flags(pattern, words).any()
    assert not any(map(like_matcher(pattern), words))
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "text", ["x' OR '1'='1", "'; DROP TABLE reports; --", '"', "\\", "%", "a\\' OR 1=1 --", "x'); SELECT 1"]
)
def test_sql_in_a_literal_is_data(text: str) -> None:
    name = {"property": "description"}
    assert from_json({"op": "=", "args": [name, text]}) == Compare(
        from_text("description = 'a'").left, "=", Literal(text, "string")
    )
    assert from_json({"op": "in", "args": [name, [text]]}) == In(from_text("description = 'a'").left, (text,))
    assert isinstance(from_json({"op": "like", "args": [name, text]}), Like)
    assert not matches(from_json({"op": "=", "args": [name, text]}), TABLE).any()
    if "\\" not in text:
        quoted = text.replace("'", "''")
        assert from_text(f"description = '{quoted}'").right == Literal(text, "string")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "depth_m",
        "depth_m =",
        "= 1",
        "depth_m = 1 2",
        "depth_m = 'a",
        "depth_m == 1",
        "depth_m != 1",
        "depth_m = 1;",
        "depth_m = 1 -- x",
        "depth_m = NULL",
        "depth_m = NaN",
        "depth_m = Infinity",
        "depth_m = 1e999",
        "depth_m = 1_0",
        "depth_m = 0x10",
        "depth_m = 1 = 1",
        "depth_m > 1 > 1",
        "2 ^ 3 ^ 2 = depth_m",
        "depth_m IN ()",
        "depth_m IN (1,)",
        "depth_m IN 1",
        "depth_m BETWEEN 1 OR 2",
        "depth_m BETWEEN 'a' AND 'b'",
        "description BETWEEN 'a' AND 'b'",
        "depth_m IS 1",
        "depth_m NOT = 1",
        "depth_m LIKE '1'",
        "description LIKE description",
        "description LIKE 1",
        "description > 1",
        "description + 1 = 2",
        "requested_datetime > 1",
        "requested_datetime > 'yesterday'",
        "requested_datetime > DATE('2025-02-30')",
        "requested_datetime > DATE('2025-01-31T00:00:00Z')",
        "requested_datetime > TIMESTAMP('2025-01-31')",
        "requested_datetime > TIMESTAMP('2025-01-31T00:00:00')",
        "requested_datetime > TIMESTAMP('2025-01-31T24:00:00Z')",
        "requested_datetime > INTERVAL('2025-01-31', '..')",
        "T_AFTER(requested_datetime, 1)",
        "T_AFTER(requested_datetime)",
        "T_AFTER(requested_datetime, INTERVAL('2025-01-31'))",
        "T_AFTER(requested_datetime, INTERVAL('2025-01-31', '2024-01-31'))",
        "T_AFTER(requested_datetime, INTERVAL(depth_m, '..'))",
        "geometry = 1",
        "depth_m = geometry",
        "geometry = POINT(1 1)",
        "S_INTERSECTS(geometry)",
        "S_INTERSECTS(geometry, 1)",
        "S_INTERSECTS(geometry, description)",
        "S_INTERSECTS(geometry, POINT(1))",
        "S_INTERSECTS(geometry, POINT(1 1)",
        "S_INTERSECTS(geometry, POINT EMPTY)",
        "S_INTERSECTS(geometry, POINT(1e400 1))",
        "S_INTERSECTS(geometry, POINT(nan 1))",
        "S_INTERSECTS(geometry, POLYGON((0 0,1 1,1 0,0 1,0 0)))",
        "S_INTERSECTS(geometry, BBOX(0,1,1,0))",
        "S_INTERSECTS(geometry, BBOX(0,0,1))",
        "S_INTERSECTS(geometry, BBOX(0,0,1,1e999))",
        "S_INTERSECTS(geometry, CIRCULARSTRING(0 0,1 1,2 0))",
        "S_DWITHIN(geometry, POINT(1 1), 5)",
        "cell_to_parent(cell) = 'a'",
        "cell_to_parent(cell, 16) = 'a'",
        "cell_to_parent(cell, 1.5) = 'a'",
        "cell_to_parent(depth_m, 1) = 'a'",
        "cell_to_parent(cell, depth_m) = 'a'",
        "in_grid_disk(cell, 'x', 1)",
        "in_grid_disk(cell, '8965ac4e6bbffff', 1000)",
        "in_grid_disk(cell, cell, 1)",
        "load_extension('x')",
        "TRUE > 1",
        "NOT depth_m",
        "depth_m AND TRUE",
        "CASEI(depth_m) = 'a'",
        "description = 'a\0b'",
        "\0",
    ],
)
def test_what_is_no_question_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"^filter: "):
        from_text(text)


@pytest.mark.parametrize(
    "node",
    [
        None,
        1,
        "a",
        [],
        {},
        {"op": "="},
        {"op": "=", "args": 1},
        {"op": 1, "args": []},
        {"op": "=", "args": [1]},
        {"op": "=", "args": [{"property": 1}, 1]},
        {"op": "=", "args": [{"property": "depth_m", "x": 1}, 1]},
        {"op": "=", "args": [{"property": "depth_m"}, None]},
        {"op": "=", "args": [{"property": "depth_m"}, float("nan")]},
        {"op": "=", "args": [{"property": "depth_m"}, 10**400]},
        {"op": "=", "args": [{"property": "description"}, "\ud800"]},
        {"op": "=", "args": [{"property": "description"}, "\0"]},
        {"op": "=", "args": [{"date": 1}, {"date": "2025-01-31"}]},
        {"op": "=", "args": [{"timestamp": ["a"]}, {"date": "2025-01-31"}]},
        {"op": "and", "args": [True]},
        {"op": "in", "args": [{"property": "depth_m"}, 1]},
        {"op": "isNull", "args": {"property": "depth_m"}},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": "1,2,3,4"}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": [True, 0, 1, 1]}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Point", "coordinates": [True, 1]}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Point", "coordinates": []}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Feature", "geometry": None}]},
        {"op": "t_after", "args": [{"interval": 1}, {"date": "2025-01-31"}]},
        {"op": "t_after", "args": [{"interval": [1, 2]}, {"date": "2025-01-31"}]},
        {"op": "in_grid_disk", "args": [{"property": "cell"}, "8965ac4e6bbffff", True]},
        {"op": "in_grid_disk", "args": [{"property": "cell"}, "8965ac4e6bbffff", float("inf")]},
    ],
)
def test_json_that_is_no_question_is_refused(node: Any) -> None:
    with pytest.raises(QueryError, match=r"^filter: "):
        parse_filter(node if isinstance(node, dict) else orjson.dumps(node), "cql2-json", REPORTS, None)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(QueryError, match="UTF-8"):
        parse_filter(b"\xff", "cql2-text", REPORTS, None)
    with pytest.raises(QueryError, match="no JSON"):
        parse_filter(b"\xff", "cql2-json", REPORTS, None)
    with pytest.raises(QueryError, match="filter-lang=ecql"):
        parse_filter("TRUE", "ecql", REPORTS, None)  # type: ignore[arg-type]


def test_integers_stay_whole() -> None:
    assert from_text("depth_m = 9007199254740993").right == Literal(9007199254740993, "number")
    assert from_text("depth_m = 9223372036854775807").right == Literal(2**63 - 1, "number")
    assert from_text("depth_m = 9223372036854775808").right == Literal(float(2**63), "number")
    assert from_text("depth_m = " + "9" * 300).right == Literal(float("9" * 300), "number")
    assert from_text("depth_m = .5").right == Literal(0.5, "number")
    assert np.isclose(from_text("depth_m = 5.e-1").right.value, 0.5)
