"""The abstract tests of CQL2 (OGC 21-065, annex A) with their expected numbers.

The annex's data set is Natural Earth's populated places with three features that have times. Of those three the annex
gives no values; these are chosen to satisfy its table, which they do only if every function is right. One line of the
annex is left out: T_FINISHEDBY with its operands exchanged, 0 there though its converse T_FINISHES has 1.
"""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
from shapely import Point

from spatial.contracts import Column, Layer, checked
from spatial.errors import QueryError
from spatial.query import CQL2_CONFORMANCE, FrameTable, matches, parse_filter

PLACES = Layer(
    "places",
    "Point",
    "Tempat",
    "Places",
    columns=(
        Column("name", "string", "Nama", "Name", nullable=False),
        Column("pop_other", "integer", "Penduduk", "Population"),
        Column("date", "datetime", "Tanggal", "Date"),
        Column("start", "datetime", "Mulai", "Start"),
        Column("end", "datetime", "Selesai", "End"),
    ),
)
NAMES = ["København", "Kiev", "Berlin", "Athens", "Bern"]
DATES = ["2021-04-16", "2022-04-16", "2023-04-16", None, None]
STARTS = ["2021-04-16T10:15:59Z", "2022-04-16T10:13:19Z", "2022-04-16T10:15:10Z", None, None]
ENDS = ["2022-04-16T10:16:06Z", "2023-04-16T10:16:06Z", "2022-04-16T10:16:06Z", None, None]
TABLE = FrameTable(
    checked(
        PLACES,
        gpd.GeoDataFrame(
            {"name": NAMES, "pop_other": [1038288, 1611692, 3013258, 0, None]}
            | {
                name: pd.to_datetime(pd.Series(texts), utc=True, format="ISO8601")
                for name, texts in (("date", DATES), ("start", STARTS), ("end", ENDS))
            },
            geometry=[Point(12.56, 55.68), Point(30.5, 50.4), Point(13.4, 52.5), Point(23.7, 38.0), Point(7.5, 46.9)],
            crs="EPSG:4326",
        ),
    )
)

TEMPORAL = """
t_after("date",date('2022-04-16')) 1
t_before("date",date('2022-04-16')) 1
t_disjoint("date",date('2022-04-16')) 2
t_equals("date",date('2022-04-16')) 1
t_intersects("date",date('2022-04-16')) 1
t_after("date",interval('2022-01-01','2022-12-31')) 1
t_before("date",interval('2022-01-01','2022-12-31')) 1
t_disjoint("date",interval('2022-01-01','2022-12-31')) 2
t_equals("date",interval('2022-01-01','2022-12-31')) 0
t_equals("date",interval('2022-04-16','2022-04-16')) 1
t_intersects("date",interval('2022-01-01','2022-12-31')) 1
t_after(start,timestamp('2022-04-16T10:13:19Z')) 1
t_before(start,timestamp('2022-04-16T10:13:19Z')) 1
t_disjoint(start,timestamp('2022-04-16T10:13:19Z')) 2
t_equals(start,timestamp('2022-04-16T10:13:19Z')) 1
t_intersects(start,timestamp('2022-04-16T10:13:19Z')) 1
t_after(start,interval('2022-01-01T00:00:00Z','2022-12-31T23:59:59Z')) 0
t_before(start,interval('2022-01-01T00:00:00Z','2022-12-31T23:59:59Z')) 1
t_disjoint(start,interval('2022-01-01T00:00:00Z','2022-12-31T23:59:59Z')) 1
t_equals(start,interval('2022-01-01T00:00:00Z','2022-12-31T23:59:59Z')) 0
t_intersects(start,interval('2022-01-01T00:00:00Z','2022-12-31T23:59:59Z')) 2
t_after(interval(start,end),interval('..','2022-04-16T10:13:19Z')) 1
t_before(interval(start,end),interval('2023-01-01T00:00:00Z','..')) 2
t_disjoint(interval(start,end),interval('2022-04-16T10:13:19Z','2022-04-16T10:15:09Z')) 1
t_equals(interval(start,end),interval('2021-04-16T10:15:59Z','2022-04-16T10:16:06Z')) 1
t_intersects(interval(start,end),interval('2022-04-16T10:13:19Z','2022-04-16T10:15:09Z')) 2
T_CONTAINS(interval(start,end),interval('2022-04-16T10:13:19Z','2022-04-16T10:15:10Z')) 1
T_DURING(interval(start,end),interval('2022-01-01T00:00:00Z','2022-12-31T23:59:59Z')) 1
T_FINISHES(interval(start,end),interval('2022-04-16T10:13:19Z','2022-04-16T10:16:06Z')) 1
T_FINISHEDBY(interval(start,end),interval('2022-04-16T10:13:19Z','2022-04-16T10:16:06Z')) 1
T_MEETS(interval(start,end),interval('2022-04-16T10:13:19Z','2022-04-16T10:15:10Z')) 0
T_METBY(interval(start,end),interval('2022-04-16T10:13:19Z','2022-04-16T10:15:10Z')) 1
T_OVERLAPPEDBY(interval(start,end),interval('2020-04-16T10:13:19Z','2022-04-16T10:15:10Z')) 2
T_OVERLAPS(interval(start,end),interval('2022-04-16T10:13:19Z','2023-04-16T10:15:10Z')) 1
T_STARTEDBY(interval(start,end),interval('2022-04-16T10:13:19Z','2022-04-16T10:15:10Z')) 1
T_STARTS(interval(start,end),interval('2022-04-16T10:13:19Z','2022-04-16T10:15:10Z')) 0
t_after(date('2022-04-16'),"date") 1
t_after(interval('2022-01-01T00:00:00Z','2022-12-31T23:59:59Z'),start) 1
t_before(interval('2022-01-01T00:00:00Z','2022-12-31T23:59:59Z'),start) 0
t_after(interval('2023-01-01T00:00:00Z','..'),interval(start,end)) 2
t_before(interval('..','2022-04-16T10:13:19Z'),interval(start,end)) 1
T_CONTAINS(interval('2021-04-16T10:13:19Z','2023-04-16T10:15:10Z'),interval(start,end)) 2
T_DURING(interval('2022-07-01T00:00:00Z','2022-12-31T23:59:59Z'),interval(start,end)) 1
T_FINISHES(interval('2022-04-16T10:13:19Z','2022-04-16T10:16:06Z'),interval(start,end)) 1
T_MEETS(interval('2022-04-16T10:13:19Z','2022-04-16T10:15:10Z'),interval(start,end)) 1
T_METBY(interval('2022-04-16T10:13:19Z','2022-04-16T10:15:10Z'),interval(start,end)) 0
T_OVERLAPPEDBY(interval('2020-04-16T10:13:19Z','2022-04-16T10:15:10Z'),interval(start,end)) 0
T_OVERLAPS(interval('2022-04-16T10:13:19Z','2023-04-16T10:15:10Z'),interval(start,end)) 0
T_STARTEDBY(interval('2022-04-16T10:13:19Z','2022-04-16T10:15:10Z'),interval(start,end)) 0
T_STARTS(interval('2022-04-16T10:13:19Z','2022-04-16T10:15:10Z'),interval(start,end)) 1
"date" in (DATE('2021-04-16'),DATE('2022-04-16'),DATE('2022-04-18')) 2
"date" not in (DATE('2021-04-16'),DATE('2022-04-16'),DATE('2022-04-18')) 1
"date" in ('2022-04-16','2022-04-15') 1
start in (TIMESTAMP('2022-04-16T10:13:19Z')) 1
start not in (TIMESTAMP('2022-04-16T10:13:19Z')) 2
"date"<>DATE('2022-04-16') 2
"date"<=DATE('2022-04-16') 2
start<TIMESTAMP('2022-04-16T10:13:19Z') 1
start<>TIMESTAMP('2022-04-16T10:13:19Z') 2
start=end 0
start<end 3
"date" IS NULL 2
"""
SCALAR = """
CASEI(name)=casei('KIEV') 1
CASEI(name)=casei('KØBENHAVN') 1
ACCENTI(name)=accenti('Kobenhavn') 1
ACCENTI(name)=accenti('København') 1
ACCENTI(CASEI(name))=accenti(casei('KØBENHAVN')) 1
ACCENTI(CASEI(name)) LIKE accenti(casei('kØ%')) 1
ACCENTI(CASEI(name)) LIKE accenti(casei('kO%')) 1
CASEI(name) IN (casei('Kiev'), casei('kobenhavn'), casei('Berlin'), casei('athens'), casei('foo')) 3
name LIKE 'B_r%' 2
name like '' 0
name like '_%' 5
name like '%%' 5
name IN ('Kiev','kobenhavn','Berlin','athens','foo') 2
'København' LIKE 'K_benhavn' 5
'København' NOT LIKE 'K_benhavn' 0
pop_other=1038280+8 1
pop_other>=1038290-2*2^0 3
pop_other>1038290-20/10 2
pop_other>1038290-21 div 10 2
pop_other>1038290-5%2 2
pop_other<=1038200+8*11 2
pop_other<1038280+2^3 1
pop_other<>1038290-2^1 3
pop_other between 4000000/4 and (3*(900000+100000)) 2
pop_other in (1000000+38288,1000000+600000+11692,3*1000000+13258,3*1000000+13257) 3
S_INTERSECTS(geometry,BBOX(-180,-90,180,90)) 5
S_DISJOINT(geometry,POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90))) 0
S_INTERSECTS(geometry,BBOX(13,45,8,60)) 3
S_EQUALS(geometry,POINT(13.4 52.5)) 1
S_WITHIN(geometry,MULTIPOINT((13.4 52.5),(30.5 50.4))) 2
S_CONTAINS(BBOX(0,0,20,90),geometry) 3
S_CROSSES(geometry,LINESTRING(7 50, 10 51)) 0
"""


def cases(table: str) -> list[tuple[str, int]]:
    """Return the filters of a table and their numbers."""
    rows = [line.rpartition(" ") for line in table.strip().splitlines()]
    return [(text, int(number)) for text, _, number in rows]


@pytest.mark.parametrize(("text", "expected"), cases(TEMPORAL) + cases(SCALAR))
def test_annex_a(text: str, expected: int) -> None:
    assert matches(parse_filter(text, "cql2-text", PLACES, None), TABLE).sum() == expected


@pytest.mark.parametrize(
    "value", ["'foo'", "true", "3.14", "1", "TIMESTAMP('2022-04-14T14:48:46Z')", "DATE('2022-04-14')"]
)
@pytest.mark.parametrize(("operator", "holds"), [("=", 1), ("<>", 0), ("<", 0), (">", 0), ("<=", 1), (">=", 1)])
def test_a_value_against_itself(value: str, operator: str, holds: bool) -> None:
    mask = matches(parse_filter(f"{value} {operator} {value}", "cql2-text", PLACES, None), TABLE)
    assert mask.all() if holds else not mask.any()


@pytest.mark.parametrize("name", ["T_DURING", "T_MEETS", "T_STARTS"])
def test_functions_of_intervals_refuse_instants(name: str) -> None:
    with pytest.raises(QueryError, match=f"{name}.*T_INTERSECTS"):
        parse_filter(f"{name}(start, INTERVAL('2022-01-01', '..'))", "cql2-text", PLACES, None)


def test_a_coordinate_outside_the_world_is_refused() -> None:
    with pytest.raises(QueryError, match="latitudes within 90"):
        parse_filter("S_INTERSECTS(geometry,POINT(90 180))", "cql2-text", PLACES, None)


def test_array_functions_are_neither_declared_nor_taken() -> None:
    assert not any("array" in name for name in CQL2_CONFORMANCE)
    with pytest.raises(QueryError, match="a_contains"):
        parse_filter("A_CONTAINS(name, name)", "cql2-text", PLACES, None)
