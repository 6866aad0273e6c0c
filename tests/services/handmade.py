"""A store made by hand: every coordinate a multiple of 1/4, so that boxes touch features exactly; nulls; odd texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from shapely.geometry import MultiLineString, MultiPolygon, Point, Polygon, box

from spatial.contracts import FLOOD_ZONES, HEXAGONS, LIGHTING_ZONES, REPORTS, ROADS, Layer
from spatial.store.geopackage import write_layers
from spatial.store.versions import Version, Versions

FIRST, SECOND = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"
ODD_ID = "a/b c?#%é"
ODD = "</script><script>alert(1)</script> <b>&amp; 'kutip' 🌊"
TIMES = (
    "2025-01-01T00:00:00Z",
    None,
    "2025-01-01T23:59:59.999Z",
    "2025-01-02T00:00:00Z",
    "1969-07-20T20:17:40Z",
    "2025-06-01T12:00:00.500Z",
    "2025-06-01T20:00:00+08:00",
)
DEPTHS = (0.45, None, 0.0, 1.5, 1e-7)
CATEGORIES = ("waste", "flood", "tree")


def _table(rows: dict[str, Sequence[Any]], geometry: Sequence[Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(rows, geometry=list(geometry), crs="EPSG:4326")


def _cycle(values: Sequence[Any], count: int) -> list[Any]:
    return [values[i % len(values)] for i in range(count)]


def reports() -> gpd.GeoDataFrame:
    """Points on a grid of 1/2 from 0 to 2, and one on either side of the antimeridian."""
    points = [Point(x / 2, y / 2) for y in range(5) for x in range(5)] + [Point(179.75, 0.5), Point(-179.75, 0.5)]
    count = len(points)
    return _table(
        {
            "report_id": [ODD_ID, *(f"r{i:02d}" for i in range(1, count))],
            "source": ["hand"] * count,
            "category": _cycle(CATEGORIES, count),
            "description": [ODD, None, "a&b=c", "", "+1 %20", *["biasa"] * (count - 5)],
            "requested_datetime": pd.to_datetime(_cycle(TIMES, count), utc=True, format="ISO8601"),
            "depth_m": _cycle(DEPTHS, count),
        },
        points,
    )


def hexagons() -> gpd.GeoDataFrame:
    """Diamonds around whole points: their boxes meet where they themselves do not."""
    centres = [(x, y) for y in range(4) for x in range(5)]
    shapes = [Polygon([(x - 0.5, y), (x, y - 0.5), (x + 0.5, y), (x, y + 0.5)]) for x, y in centres]
    scores = [None if i % 3 == 0 else i / 19 for i in range(20)]
    rows = {"cell": [f"c{i:02d}" for i in range(20)], "resolution": [9] * 20, "flood_score": scores}
    return _table(rows | {"reports_total": [i % 4 for i in range(20)]}, shapes)


def roads() -> gpd.GeoDataFrame:
    """Slanted lines: a box without area can still lie on one."""
    lines = [[[(0, 0), (2, 2)]], [[(0, 2), (2, 0)]], [[(0, 3), (3, 0)], [(5, 5), (6, 6)]]]
    rows = {"road_id": ["w1", "w2", "w3"], "name": ["Jl. A", None, "Jl. <B>"], "length_m": [1.0, 2.5, None]}
    return _table(rows, [MultiLineString(line) for line in lines])


def zones(kind: str, count: int) -> gpd.GeoDataFrame:
    """Squares of side 1/2."""
    rows: dict[str, Sequence[Any]] = {
        "zone_id": [f"{kind}-{i}" for i in range(count)],
        "zone_type": [kind] * count,
        "severity": _cycle(("high", "low", "medium"), count),
        "score": _cycle((0.9, None, 0.1), count),
        "last_report": pd.to_datetime(_cycle(TIMES, count), utc=True, format="ISO8601"),
        "version": [FIRST] * count,
    }
    return _table(rows, [MultiPolygon([box(i, 0, i + 0.5, 0.5)]) for i in range(count)])


def tables() -> dict[Layer, gpd.GeoDataFrame]:
    """The five layers; there is no lighting zone."""
    return {
        REPORTS: reports(),
        HEXAGONS: hexagons(),
        ROADS: roads(),
        FLOOD_ZONES: zones("flood", 7),
        LIGHTING_ZONES: zones("lighting", 0),
    }


def publish(city: Path, version: str = FIRST, layers: dict[Layer, gpd.GeoDataFrame] | None = None) -> Version:
    """Write the layers and their manifest as a version of `city`, and serve it."""
    layers = layers or tables()
    store = Versions(city / "var")
    with store.locked():
        staged = store.staging()
        write_layers(staged / "layers.gpkg", layers, pd.DataFrame({"zone_id": [], "member": []}))
        (staged / "manifest.json").write_text(json.dumps(_manifest(version, layers)), "utf-8")
        (staged / "map.png").write_bytes(b"\x89PNG")
        return store.publish(staged, version)


def _manifest(version: str, layers: dict[Layer, gpd.GeoDataFrame]) -> dict[str, Any]:
    reason = {"id": "belum dihitung", "en": "not computed yet"}
    return {
        "version": version,
        "previous": None,
        "hexakota": "9.8.7",
        "city": {
            "name": "Kota <Tangan>",
            "synthetic": True,
            "as_of": None,
            "area": {"basis": "bbox", "km2": 1.0, "bbox": [-180, 0, 180, 6]},
            "attribution": ["© uji"],
            "vertical_datum": None,
        },
        "left_out": [{"code": "elevation", "id": "tanpa elevasi", "en": "no elevation was given"}],
        "layers": {
            layer.name: {
                "rows": len(table),
                "bbox": [float(v) for v in table.total_bounds] if len(table) else None,
                "interval": None,
                "null_because": {"p_value": reason} if "p_value" in layer.names else {},
                "notes": [{"id": "catatan", "en": "a note"}],
            }
            for layer, table in layers.items()
        },
    }
