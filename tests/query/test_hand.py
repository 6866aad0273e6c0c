"""Filters over a table of five reports: small enough to say which match by looking."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
from shapely import Point

from spatial.contracts import REPORTS, checked
from spatial.errors import QueryError
from spatial.query import FrameTable, matches, parse_filter

IDS = "abcde"
TIMES = ["1969-07-20T20:17:40Z", "2025-01-30T23:59:59.999Z", "2025-01-31T00:00:00Z", "2025-02-01T00:00:00Z", None]
FRAME = gpd.GeoDataFrame(
    {
        "report_id": list(IDS),
        "source": "test",
        "category": ["flood", "flood", "street_light", "waste", "waste"],
        "description": ["Via dell'Avvento", "BANJIR 50%", "banjir 50", None, "Straße 🌊"],
        "requested_datetime": pd.to_datetime(pd.Series(TIMES), utc=True, format="ISO8601"),
        "depth_m": [0.5, 1.0, None, 0.0, 2.0],
    },
    geometry=[Point(0, 0), Point(1, 0), Point(2, 0), Point(3, 0), Point(4, 0)],
    crs="EPSG:4326",
)
TABLE = FrameTable(checked(REPORTS, FRAME))


def ids(text: str) -> str:
    """Return the ids that match a filter in text."""
    mask = matches(parse_filter(text, "cql2-text", REPORTS, None), TABLE)
    return "".join(name for name, yes in zip(IDS, mask, strict=True) if yes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("category = 'flood'", "ab"),
        ("'flood' = category", "ab"),
        ("category <> 'flood'", "cde"),
        ("depth_m >= 1", "be"),
        ("NOT depth_m >= 1", "ad"),
        ("depth_m >= 1 OR category = 'street_light'", "bce"),
        ("NOT (depth_m >= 1 AND category = 'flood')", "acde"),
        ("NOT (depth_m >= 1 AND category = 'street_light')", "abde"),
        ("depth_m IS NULL", "c"),
        ("depth_m IS NOT NULL", "abde"),
        ("(depth_m > 0) IS NULL", "c"),
        ("depth_m NOT BETWEEN 0.5 AND 1", "de"),
        ("description = 'Via dell''Avvento'", "a"),
        (r"description = 'Via dell\'Avvento'", "a"),
        (r"description LIKE '%50\%'", "b"),
        ("description LIKE 'BAN_IR%'", "b"),
        ("CASEI(description) LIKE CASEI('Banjir%')", "bc"),
        ("CASEI(description) = CASEI('STRASSE 🌊')", "e"),
        ("description IN ('banjir 50', 'x')", "c"),
        ("description NOT IN ('banjir 50', 'x')", "abe"),
        ("requested_datetime = DATE('2025-01-31')", "c"),
        ("requested_datetime < DATE('2025-01-31')", "ab"),
        ("requested_datetime <= DATE('2025-01-31')", "abc"),
        ("T_AFTER(requested_datetime, TIMESTAMP('2025-01-31T00:00:00Z'))", "d"),
        ("T_DISJOINT(requested_datetime, INTERVAL('..', '2025-01-30'))", "cd"),
        ("NOT T_INTERSECTS(requested_datetime, INTERVAL('2025-01-01', '..'))", "a"),
        ("S_INTERSECTS(geometry, BBOX(1, -1, 3, 1))", "bcd"),
        ("S_WITHIN(geometry, POLYGON((0.5 -1, 3 -1, 3 1, 0.5 1, 0.5 -1)))", "bc"),
        ("S_TOUCHES(geometry, POLYGON((0.5 -1, 3 -1, 3 1, 0.5 1, 0.5 -1)))", "d"),
        ("1 / depth_m > 1", "a"),
        ("NOT 1 / depth_m > 1", "be"),
        ("depth_m * 2 - 1 = depth_m", "b"),
        ("2 ^ depth_m = 4", "e"),
        ("depth_m = -0.5 + 1", "a"),
        ("depth_m = 3 - 1 - 1", "b"),
        ("depth_m = 8 / 4 / 2", "b"),
        ("depth_m = 1 + 2 * 0.5", "e"),
        ("depth_m = -7 div 2 + 3", "d"),
        ("depth_m = -7 % 2 + 2", "b"),
        ("depth_m IN (0.5, 1 / 0)", "a"),
        ("depth_m NOT IN (0.5, 1 / 0)", ""),
        ("category = 'flood' OR category = 'waste' AND depth_m > 1", "abe"),
        ("description > 'BANJIR 50%'", "ace"),
        ("description >= 'BANJIR 50%'", "abce"),
        ("description < 'Via'", "be"),
        ("description <= 'Via dell''Avvento'", "abe"),
        ("category > description", "abce"),
    ],
)
def test_filter_by_hand(text: str, expected: str) -> None:
    assert ids(text) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("depth_m > 'a'", "depth_m"),
        ("height > 1", "height"),
        ("buffer(geometry, 1) = 1", "buffer"),
        ("category LIKE 1", "LIKE"),
        ("requested_datetime > 5", "requested_datetime"),
        ("S_INTERSECTS(geometry, BBOX(1, 1, 3, 0))", "BBOX"),
    ],
)
def test_refusal_names_what_is_wrong(text: str, named: str) -> None:
    with pytest.raises(QueryError, match=named):
        ids(text)
