"""The summary of a polygon: by hand on squares of the plane, and against geopandas on a published city."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon, box

from spatial import pipeline
from spatial.contracts import (
    BUILDINGS,
    FACILITIES,
    FLOOD_ZONES,
    HEXAGONS,
    LIGHTING_ZONES,
    REPORTS,
    ROADS,
    STREET_LAMPS,
    Layer,
)
from spatial.errors import InputError, NotFoundError, StoreError
from spatial.registry import LAYERS
from spatial.store.geopackage import read_layer, write_layers
from spatial.store.versions import Versions
from spatial.summarise import MAX_VERTICES, checked_polygon, summarise
from tests.pipeline.tiny import EAST, NORTH, SOUTH, WEST, write_tiny_city

CRS = "EPSG:32750"
X0, Y0 = 500_000.0, 9_700_000.0  # on the zone's middle meridian
TO_LONLAT = Transformer.from_crs(CRS, "OGC:CRS84", always_xy=True).transform


def lonlat(shape: Any) -> Any:
    """Move a shape, in metres from (X0, Y0), to CRS84."""
    return shapely.transform(shape, lambda xy: np.column_stack(TO_LONLAT(xy[:, 0] + X0, xy[:, 1] + Y0)))


def table(shapes: Sequence[Any], **columns: Sequence[Any]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=[lonlat(shape) for shape in shapes], crs="EPSG:4326")


def zone(kind: str, *shapes: Any) -> gpd.GeoDataFrame:
    n = len(shapes)
    return table(
        [MultiPolygon([shape]) for shape in shapes],
        zone_id=[f"{kind}-{i}" for i in range(n)],
        zone_type=[kind] * n,
        severity=["high"] * n,
        score=[0.5] * n,
        priority_rank=[n - i for i in range(n)],
        version=["v"] * n,
    )


def layers() -> dict[Layer, gpd.GeoDataFrame]:
    """A square kilometre in mind, (0, 0)–(1000, 1000), and what lies in, on and beside it."""
    return {
        REPORTS: table(
            [Point(10, 10), Point(20, 20), Point(500, 500), Point(1500, 500)],
            report_id=["a", "b", "c", "out"],
            source=["hand"] * 4,
            category=["flood", "flood", "waste", "flood"],
            status=["open", "closed", None, "open"],
            quality=[None, "duplicate,location_rounded", None, None],
            incident_id=["i1", "i1", "i2", "i3"],
        ),
        HEXAGONS: table(
            [box(0, 0, 600, 1000), box(600, 0, 900, 1000), box(900, 0, 1600, 1000)],
            cell=["c0", "c1", "c2"],
            resolution=[9] * 3,
            flood_susceptibility=[0.2, 0.7, None],
        ),
        ROADS: table(
            [
                MultiLineString([[(-500, 500), (1500, 500)]]),
                MultiLineString([[(200, -300), (200, 300)]]),
                MultiLineString([[(1200, 0), (1200, 900)]]),
            ],
            road_id=["r0", "r1", "r2"],
            highway=["primary", None, "residential"],
        ),
        FLOOD_ZONES: zone("flood", box(-100, 0, 400, 1000), box(1100, 0, 1300, 1000), box(900, 900, 1100, 1100)),
        LIGHTING_ZONES: zone("lighting", box(0, 450, 100, 550), box(50, 450, 200, 550)),
        STREET_LAMPS: table([Point(1, 1), Point(1001, 1)], lamp_id=["l0", "l1"], source=["inventory"] * 2),
        BUILDINGS: table(
            [MultiPolygon([box(990, 5, 1010, 15)]), MultiPolygon([box(1020, 5, 1030, 15)])],
            building_id=["b0", "b1"],
            flood_zone_ids=["flood-0", None],
        ),
        FACILITIES: table([Point(3, 3), Point(4, 4)], facility_id=["f0", "f1"], kind=["school", "school"]),
    }


def publish(city: Path, tables: dict[Layer, gpd.GeoDataFrame]) -> Path:
    store = Versions(city / "var")
    area = lonlat(box(-500, -300, 1600, 1100)).bounds
    with store.locked():
        staged = store.staging()
        write_layers(staged / "layers.gpkg", tables, pd.DataFrame({"zone_id": [], "member": []}))
        told = {"name": "Kota", "synthetic": True, "as_of": None, "attribution": ["uji"], "crs": CRS}
        manifest = {
            "city": told | {"area": {"bbox": list(area)}},
            "layers": {layer.name: {"rows": len(rows)} for layer, rows in tables.items()},
        }
        (staged / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        store.publish(staged, "a" * 16)
    return city


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("hand"), layers())


def test_a_square_kilometre_by_hand(hand: Path) -> None:
    told = summarise(hand, lonlat(box(0, 0, 1000, 1000)))
    assert told["area"]["km2_in_cells"] == pytest.approx(1.0, abs=1e-5)
    assert told["area"]["cells"] == 3
    assert told["reports"]["total"] == 3
    assert told["reports"]["by_category"]["flood"] == {"reports": 2, "incidents": 1, "open": 1}
    assert told["reports"]["by_category"]["waste"] == {"reports": 1, "incidents": 1, "open": 0}
    assert told["reports"]["by_category"]["tree"] == {"reports": 0, "incidents": 0, "open": 0}
    assert told["reports"]["flags"] == {"duplicate": 1, "location_rounded": 1}
    roads = told["roads"]
    assert roads["by_class"]["primary"] == pytest.approx(
        {"length_m": 1000, "susceptible_m": 300, "in_flood_zones_m": 400, "in_lighting_zones_m": 200}, abs=0.01
    )
    assert roads["by_class"][""] == pytest.approx(
        {"length_m": 300, "susceptible_m": 0, "in_flood_zones_m": 300, "in_lighting_zones_m": 0}, abs=0.01
    )
    assert set(roads["by_class"]) == {"primary", ""}
    assert roads["length_m"] == pytest.approx(1300, abs=0.01)
    assert [z["zone_id"] for z in told["flood_zones"]] == ["flood-2", "flood-0"]  # by rank; flood-1 is outside
    assert [z["share_inside"] for z in told["flood_zones"]] == pytest.approx([0.25, 0.8], abs=1e-4)
    assert [z["km2_inside"] for z in told["flood_zones"]] == pytest.approx([0.01, 0.4], abs=1e-5)
    assert len(told["lighting_zones"]) == 2
    assert told["street_lamps"] == 1
    assert told["buildings"] == {"total": 1, "in_flood_zones": 1}
    assert told["facilities"] == {
        "total": 2, "by_kind": {"school": 2}, "in_flood_zones": 0, "in_lighting_zones": 0
    }  # fmt: skip
    assert told["population"] is None
    assert {row["what"] for row in told["missing"]} == {"population", "susceptibility"}
    assert told["version"] == "a" * 16
    assert told["synthetic"] is True


def test_what_counts_as_susceptible_is_asked(hand: Path) -> None:
    square = lonlat(box(0, 0, 1000, 1000))
    assert summarise(hand, square, susceptible=0.71)["roads"]["susceptible_m"] == 0
    assert summarise(hand, square, susceptible=0.1)["roads"]["susceptible_m"] == pytest.approx(1200, abs=0.01)


def test_a_hole_and_a_second_part(hand: Path) -> None:
    ring = Polygon([(0, 0), (1000, 0), (1000, 1000), (0, 1000)], [[(300, 400), (700, 400), (700, 600), (300, 600)]])
    both = lonlat(MultiPolygon([ring, box(1150, 100, 1250, 300)]))
    roads = summarise(hand, both)["roads"]["by_class"]
    assert roads["primary"]["length_m"] == pytest.approx(600, abs=0.01)
    assert roads["residential"]["length_m"] == pytest.approx(200, abs=0.01)


def test_far_away_is_empty_and_the_world_is_all(hand: Path) -> None:
    nothing, everything = summarise(hand, box(10, 10, 11, 11)), summarise(hand, box(-180, -90, 180, 90))
    assert (nothing["reports"]["total"], nothing["roads"]["length_m"], nothing["flood_zones"]) == (0, 0, [])
    assert nothing["area"]["km2_in_cells"] == 0
    assert everything["reports"]["total"] == 4
    assert everything["roads"]["length_m"] == pytest.approx(2000 + 600 + 900, abs=0.01)


def test_what_the_city_does_not_give_is_null_with_the_reason(tmp_path: Path) -> None:
    few = {layer: rows for layer, rows in layers().items() if layer in (REPORTS, HEXAGONS, FLOOD_ZONES, LIGHTING_ZONES)}
    told = summarise(publish(tmp_path, few), lonlat(box(0, 0, 1000, 1000)))
    for name in ("roads", "street_lamps", "buildings", "facilities", "population"):
        assert told[name] is None
        assert next(row for row in told["missing"] if row["what"] == name)["id"].startswith("kota tidak memberi")


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        (Point(1, 1), "is Point"),
        (LineString([(0, 0), (1, 1)]), "is LineString"),
        (Polygon(), "without a point"),
        (Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "is not valid"),
        (box(-181, 0, 0, 1), "beyond"),
        (box(0, 0, 1, 90.1), "beyond"),
        (box(9_700_000, 500_000, 9_700_100, 500_100), "beyond"),
        (Point(0, 0).buffer(1, quad_segs=MAX_VERTICES // 4 + 1), "vertices, at most 10,000"),
    ],
)
def test_polygons_that_are_refused(polygon: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        checked_polygon(polygon)


def test_no_version(tmp_path: Path, hand: Path) -> None:
    with pytest.raises(StoreError, match="nothing is published"):
        summarise(tmp_path, box(0, 0, 1, 1))
    with pytest.raises(NotFoundError):
        summarise(hand, box(0, 0, 1, 1), "b" * 16)


# --- geopandas on a city that was run


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, gpd.GeoDataFrame], str]:
    city = write_tiny_city(tmp_path_factory.mktemp("tiny") / "city")
    version = pipeline.run(city).version
    crs = version.manifest["city"]["crs"]
    return city, {layer.name: read_layer(version.layers, layer.name).to_crs(crs) for layer in LAYERS}, crs


CORNERS = st.tuples(
    st.floats(WEST - 0.002, EAST + 0.002).map(lambda v: round(v, 5)),
    st.floats(SOUTH - 0.002, NORTH + 0.002).map(lambda v: round(v, 5)),
)


@settings(max_examples=12)
@given(corners=st.lists(CORNERS, min_size=3, max_size=4, unique=True), from_=st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_geopandas_says_the_same(tiny: Any, corners: list[tuple[float, float]], from_: float) -> None:
    city, store, crs = tiny
    polygon = Polygon(corners)
    assume(polygon.is_valid and polygon.area > 1e-9)
    told = summarise(city, polygon, susceptible=from_)
    plane = gpd.GeoSeries([polygon.segmentize(0.0002)], crs="EPSG:4326").to_crs(crs)
    mask = gpd.GeoDataFrame(geometry=plane)
    reports = gpd.sjoin(store["reports"], mask, predicate="intersects")
    counts = reports["category"].value_counts()
    assert {
        name: n["reports"] for name, n in told["reports"]["by_category"].items() if n["reports"]
    } == counts.to_dict()
    clipped = gpd.overlay(store["roads"], mask, how="intersection", keep_geom_type=True)
    by_class = clipped.length.groupby(clipped["highway"]).sum()
    assert {k: v["length_m"] for k, v in told["roads"]["by_class"].items()} == pytest.approx(
        {k: v for k, v in by_class.items() if v > 0}, abs=0.01
    )
    cells = store["hexagons"][store["hexagons"]["flood_susceptibility"] >= from_]
    for name, zones in (("susceptible_m", cells), ("in_flood_zones_m", store["flood_zones"])):
        inside = clipped.intersection(zones.union_all()).length.sum() if len(zones) else 0.0
        assert told["roads"][name] == pytest.approx(inside, abs=0.01)
    for kind in ("flood_zones", "lighting_zones"):
        met = store[kind][store[kind].intersects(plane.iloc[0])]
        assert {z["zone_id"] for z in told[kind]} == set(met["zone_id"])
        area = met.intersection(plane.iloc[0]).area.sum() / 1e6
        assert sum(z["km2_inside"] for z in told[kind]) == pytest.approx(area, abs=2e-5)
    assert told["street_lamps"] == int(store["street_lamps"].intersects(plane.iloc[0]).sum())
    assert told["buildings"]["total"] == int(store["buildings"].intersects(plane.iloc[0]).sum())
    assert told["facilities"]["total"] == int(store["facilities"].intersects(plane.iloc[0]).sum())
