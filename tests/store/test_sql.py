"""Questions as SQL: the same answers as the columns give, no value in the text, bounded work."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import psycopg
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS

from spatial.contracts import REPORTS, checked
from spatial.errors import QueryError
from spatial.query import (
    AccentFold,
    Arithmetic,
    Box,
    CaseFold,
    CellToParent,
    Compare,
    Expression,
    FrameTable,
    In,
    Like,
    Literal,
    Not,
    Or,
    Property,
    SortKey,
    Spatial,
    matches,
    parse_filter,
)
from spatial.query.arithmetic import computed
from spatial.query.cells import parent_of
from spatial.query.model import Value
from spatial.query.strings import fold_accents
from spatial.store.asking import PostgisEngine, Questions, SqliteEngine, live_questions
from spatial.store.opening import LIVE_FILE, open_live
from spatial.store.place import PRIVATE, Place
from spatial.store.sql import Relation, instant_text, sort_value
from spatial.store.sql_dialects import Postgis, Sqlite
from spatial.store.sql_functions import make_functions
from tests.query.test_oracle import LAYER
from tests.store import same_answers
from tests.store.places import in_postgis
from tests.store.test_live import delivered

ID, NAME, _, CELL, COUNT, SCORE, BEGIN, _ = (Property(column) for column in LAYER.columns)
quiet = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def both(postgis: str) -> Iterator[tuple[Questions, Questions]]:
    with same_answers.asked(postgis) as tables:
        yield tables


@quiet
@given(same_answers.questions)
def test_both_stores_answer_as_the_columns_do(
    both: tuple[Questions, Questions], question: same_answers.Question
) -> None:
    expected = same_answers.by_columns(question)
    for asked in both:
        assert same_answers.by_sql(question, asked) == expected


def small(rows: list[dict[str, object]]) -> gpd.GeoDataFrame:
    squares = [shapely.box(i, i, i + 1, i + 1) for i in range(len(rows))]
    counts = pd.array([row["count"] for row in rows], dtype="Int64")  # of floats the last digits would be lost
    frame = gpd.GeoDataFrame(rows, geometry=squares, crs="EPSG:4326").assign(count=counts)
    return checked(LAYER, frame)


def test_hand_made_rows(postgis: str) -> None:
    """Seven rows, and what SQL:2016 and CQL2 say of them."""
    rows = [
        {"id": "1", "name": "Banjir", "count": 3, "score": 0.5},
        {"id": "2", "name": "banjir 50%", "count": 0, "score": None},
        {"id": "3", "name": None, "count": None, "score": 2.0},
        {"id": "4", "name": "STRASSE", "count": 9007199254740993, "score": 9007199254740992.0},
        {"id": "5", "name": "straße", "count": -7, "score": -2.0},
        {"id": "6", "name": "b_njir", "count": 7, "score": 1e308},
        {"id": "7", "name": "Z\\", "count": 7, "score": 0.0},
    ]
    frame = small(rows)
    expected = {
        "name = 'Banjir'": "1",
        "NOT name = 'Banjir'": "24567",  # row 3 is unknown
        "name LIKE 'b%'": "26",  # case counts
        r"name LIKE '%\%'": "2",
        r"name LIKE 'b\_njir'": "6",
        "name LIKE 'b_njir%'": "26",
        "CASEI(name) = CASEI('Strasse')": "45",
        "name < 'a'": "147",  # by code point: capitals first
        "count / 0 IS NULL": "1234567",
        "count div 2 = -3": "5",
        "count % 2 = 1": "167",
        "count % 2 = -1": "5",
        "count = 9007199254740992.0": "4",  # a double cannot tell them apart
        "count = 9007199254740992": "",
        "count IN (9007199254740993, 0)": "24",
        "score * score > 0": "1345",  # row 6 is beyond a double
        "score * score IS NULL": "26",
        "count > 2 OR name IS NULL": "13467",
        "count > 2 AND score > 1": "46",
    }
    with psycopg.connect(postgis) as connection, closing_sqlite(frame) as sqlite:
        for asked in (sqlite, same_answers.in_postgis(LAYER, frame, connection, "hand_made")):
            for text, ids in expected.items():
                found = asked.ids(parse_filter(text, "cql2-text", LAYER, None))
                assert "".join(found) == ids, (text, asked.engine)
            assert asked.ids(Like(NAME, "Z\\")) == ["7"]  # a lone backslash at the end stands for itself
            assert asked.ids(None, [SortKey(LAYER.columns[1], False)]) == ["1", "4", "7", "6", "2", "5", "3"]
            assert asked.ids(None, [SortKey(LAYER.columns[5], True)]) == ["6", "4", "3", "1", "7", "5", "2"]
            after = asked.ids(None, [SortKey(LAYER.columns[4], False)], [7, "6"])  # null comes last
            assert after == ["7", "4", "3"]
            assert asked.ids(None, [SortKey(LAYER.columns[4], False)], [None, "3"]) == []
            assert asked.ids(None, (), ["5"], 1) == ["6"]
            assert asked.count(None) == 7


class closing_sqlite:  # noqa: N801
    def __init__(self, frame: gpd.GeoDataFrame) -> None:
        self.asked = same_answers.in_sqlite(LAYER, frame)

    def __enter__(self) -> Questions:
        return self.asked

    def __exit__(self, *_: object) -> None:
        self.asked.engine.connection.close()


HOSTILE = ["x' OR '1'='1", '"; DROP TABLE odd; --', "%s", "%(p0)s", ":p0", "?", "\\", "$1", "{0}"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("dialect", [Sqlite, Postgis])
def test_no_value_is_in_the_text(both: tuple[Questions, Questions], dialect: type[Postgis], text: str) -> None:
    asked = both[dialect is Postgis]
    expressions: list[Expression] = [
        Compare(NAME, "=", Literal(text, "string")),
        In(NAME, (text,)),
        Like(NAME, f"%{text}%"),
        Compare(CaseFold(NAME), "=", Literal(text, "string")),
        Compare(CellToParent(Literal(text, "string"), 5), "=", Literal(text, "string")),
    ]
    plain = [Compare(NAME, "=", Literal("plain", "string")), In(NAME, ("plain",)), Like(NAME, "%plain%")]
    for expression in expressions:
        statement = dialect(asked.relation, {}).select(
            ["id"], expression, [SortKey(LAYER.columns[1], False)], [text, text]
        )
        assert text not in statement.text.replace("%(p", "(p").replace(":p", "p") or text in ("\\", "?", "%s")
        assert asked.ids(expression) == same_answers.by_columns(same_answers.Question(expression, (), 60))
    for one, two in zip(expressions, plain, strict=False):
        assert dialect(asked.relation, {}).count(one).text == dialect(asked.relation, {}).count(two).text


def evaluated(connection: psycopg.Connection[object], *values: Value) -> list[object]:
    """Return what PostgreSQL makes of values without columns."""
    found = []
    for value in values:
        dialect = Postgis(Relation(LAYER, "odd", frozenset(), "functions"), {})
        text = f"SELECT {dialect.value(value)}"
        found.append(connection.execute(text.encode(), dialect._parameters).fetchone()[0])
    return found


@pytest.fixture(scope="module")
def functions(postgis: str) -> Iterator[psycopg.Connection[object]]:
    with psycopg.connect(postgis) as connection:
        connection.execute("CREATE SCHEMA functions")
        make_functions(connection, "functions")
        yield connection
        connection.rollback()


doubles = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -1.0, 2.0, 5e-324, 1e-200, 1e200])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["+", "-", "*", "/", "%", "div"]), doubles, doubles)
def test_arithmetic_is_that_of_doubles(
    functions: psycopg.Connection[object], operator: str, left: float, right: float
) -> None:
    result, finite = computed(operator, np.float64(left), np.float64(right))
    value = Arithmetic(operator, Literal(left, "number"), Literal(right, "number"))
    assert evaluated(functions, value) == [float(result) if finite else None]


POWERS = {(2.0, 0.5): 2.0**0.5, (-8.0, 1 / 3): None, (0.0, -1.0): None, (0.0, 0.0): 1.0, (1e200, 2.0): None,
          (1e-200, 2.0): 0.0, (1e200, -2.0): 0.0, (1e-200, -2.0): None, (-2.0, 3.0): -8.0}  # fmt: skip


def test_powers(functions: psycopg.Connection[object]) -> None:
    values = [Arithmetic("^", Literal(a, "number"), Literal(b, "number")) for a, b in POWERS]
    assert evaluated(functions, *values) == list(POWERS.values())


def test_every_character_folds_alike(functions: psycopg.Connection[object]) -> None:
    """Every character that folds, and a part of those that do not, a character a row."""
    characters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    characters = [c for i, c in enumerate(characters) if i % 199 == 0 or {c.casefold(), fold_accents(c)} != {c}]
    assert "ß" in characters
    assert "Ǿ" in characters
    folded = "SELECT functions.fold_case(c), functions.fold_accents(c) FROM unnest(%s::text[]) WITH ORDINALITY t(c, n)"
    found = functions.execute(f"{folded} ORDER BY n", (characters,)).fetchall()
    assert found == [(character.casefold(), fold_accents(character)) for character in characters]


texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts)
def test_texts_fold_alike(functions: psycopg.Connection[object], text: str) -> None:
    literal = Literal(text, "string")
    assert evaluated(functions, CaseFold(literal), AccentFold(literal)) == [text.casefold(), fold_accents(text)]


PENTAGONS = [h3.get_pentagons(resolution)[3] for resolution in (0, 3, 9)]
valid = st.builds(h3.latlng_to_cell, st.floats(-90, 90), st.floats(-180, 180), st.integers(0, 15)) | st.sampled_from(
    [*PENTAGONS, h3.cell_to_center_child(PENTAGONS[1], 7)]
)
broken = st.builds(
    lambda cell, at, digit: cell[:at] + digit + cell[at + 1 :],
    valid, st.integers(0, 14), st.sampled_from("0123456789abcdefABCDEFg "),
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(valid | broken | st.sampled_from(["", "8", "z" * 15, "8" * 16]), st.integers(0, 15))
def test_parents_are_those_of_h3(functions: psycopg.Connection[object], cell: str, resolution: int) -> None:
    (found,) = evaluated(functions, CellToParent(Literal(cell, "string"), resolution))
    is_cell = len(cell) == 15 and " " not in cell and h3.is_valid_cell(cell)
    fits = is_cell and h3.get_resolution(cell) >= resolution
    assert found == (h3.cell_to_parent(cell, resolution) if fits else None) == parent_of(cell, resolution)


def test_instants_are_texts_that_sort() -> None:
    times = [-(10**17), -62135596800000, -1, 0, 1, 1738281600123, 253402300799999, 10**17]
    told = [instant_text(ms) for ms in times]
    assert told == [
        "-infinity",
        "0001-01-01T00:00:00.000Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00.000Z",
        "1970-01-01T00:00:00.001Z",
        "2025-01-31T00:00:00.123Z",
        "9999-12-31T23:59:59.999Z",
        "infinity",
    ]
    assert told == sorted(told)
    assert [sort_value(BEGIN.column, text) for text in told[1:-1]] == times[1:-1]


def test_a_box_in_another_crs_is_the_same_on_the_live_tables(tmp_path: Path, postgis: str) -> None:
    """Reports in live tables of both stores: the boxes and relations of the columns, deleted rows out."""
    table = delivered([f"r{i}" for i in range(40)], description="x")
    table = table.set_geometry([shapely.Point(117.5 + i / 1000, -3.3 + (i % 7) / 1000) for i in range(40)])
    columns = FrameTable(checked(REPORTS, table.drop(columns="decimals")))
    utm, mercator = CRS(32750), CRS(3857)
    west, south = (float(v) for v in gpd.GeoSeries([table.geometry[5]], crs=4326).to_crs(utm).get_coordinates().iloc[0])
    questions = (
        Box(((117.51, -3.3, 117.52, -3.297),)),
        Box(((117.505, -3.3, 117.505, -3.2),)),
        Box(((117.5, -3.3, 117.51, -3.299), (117.530, -3.3, 118.0, -3.2))),
        Not(Box(((117.51, -3.3, 117.52, -3.297),))),
        Box(((west, south - 5000, west + 1500.0, south + 5000),), utm),
        Box(((13080000.0, -367500.0, 13082000.0, -367000.0),), mercator),
        Spatial("within", shapely.Polygon([(117.5, -3.3), (117.52, -3.28), (117.53, -3.31)])),
        Spatial("disjoint", shapely.LineString([(117.5, -3.3), (117.54, -3.29)])),
    )
    for place in (Place(tmp_path / "var"), in_postgis(tmp_path / "other", postgis)):
        with open_live(place) as live:
            live.upsert(table, "x.csv", False)
        for engine, schema in opened(place):
            asked = live_questions(engine, schema)
            for question in questions:
                expected = [f"r{row}" for row in np.flatnonzero(matches(question, columns))]
                assert 0 < len(expected) < 40, question
                assert asked.ids(question) == sorted(expected)
            rows = asked.select(["report_id", "kelurahan", "geom"], None, limit=1)
            assert rows[0][:2] == ("r0", None)
            engine.connection.execute("UPDATE {}reports SET deleted = 1".format(f"{schema}." if schema else ""))
            assert asked.count(None) == 0


def opened(place: Place) -> Iterator[tuple[SqliteEngine | PostgisEngine, str | None]]:
    if place.url is None:
        with closing(sqlite3.connect(place.var / LIVE_FILE)) as connection:
            yield SqliteEngine(connection), None
    else:
        with psycopg.connect(place.url) as database:
            yield PostgisEngine(database), place.schema + PRIVATE


def test_what_takes_too_long_is_refused(both: tuple[Questions, Questions]) -> None:
    terms = tuple(Like(AccentFold(CaseFold(NAME)), "%_" * 40 + str(i)) for i in range(400))
    for asked in both:
        hurried = Questions(asked.engine, asked.relation, 0.03)
        start = time.monotonic()
        with pytest.raises(QueryError, match="takes longer"):
            hurried.count(Or(terms))
        assert time.monotonic() - start < 5
        assert asked.count(None) == 50  # the connection is none the worse


def test_a_thousand_terms_and_a_long_list(both: tuple[Questions, Questions]) -> None:
    terms = tuple(Compare(COUNT, "=", Literal(i, "number")) for i in range(1000))
    names = tuple(f"n{i}" for i in range(10_000))
    for asked in both:
        assert asked.ids(Or(terms)) == asked.ids(In(COUNT, tuple(range(1000))))
        assert asked.ids(In(NAME, (*names, "Straße"))) == asked.ids(Compare(NAME, "=", Literal("Straße", "string")))
