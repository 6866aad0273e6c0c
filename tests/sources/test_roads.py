"""Roads: lines with ids, from every kind of file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import osmium
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, MultiLineString, Point

from spatial.errors import InputError
from spatial.sources.roads import NOT_ROADS, RoadSource, RoadTable, geometry_hashes, read_roads

from .data import feature, real, write_geojson

LINE = {"type": "LineString", "coordinates": [[123.0, -10.0], [123.1, -10.1]]}


def line(*points: list[float]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": list(points)}


def balanced(table: RoadTable) -> RoadTable:
    assert table.rows_in == table.rows_used + len(table.quarantine) + sum(table.excluded.values())
    assert table.roads["road_id"].is_unique
    assert set(table.roads.geom_type) == {"LineString"}
    return table


def test_by_hand(tmp_path: Path) -> None:
    path = write_geojson(
        tmp_path / "roads.geojson",
        [
            feature(line([0, 0], [1, 0]), highway="primary", name="Jalan A", lit="yes", id="x"),
            feature(line([1, 0], [0, 0]), highway="primary"),
            feature(None),
            feature([1, 1]),
            feature(line([2, 2], [2, 2])),
            feature(line([3, 3], [4, 4]), highway="construction"),
            feature({"type": "MultiLineString", "coordinates": [[[5, 5], [6, 6]], [[7, 7], [8, 8]]]}),
        ],
    )
    table = balanced(read_roads(RoadSource(path)))
    assert table.rows_in == 7
    assert table.roads[["highway", "name", "lit"]].iloc[0].tolist() == ["primary", "Jalan A", "yes"]
    assert table.roads.geometry.iloc[0].equals(LineString([(0, 0), (1, 0)]))
    assert len(table.roads) == 3
    assert table.roads["road_id"].str.fullmatch("geom/[0-9a-f]{16}").all()
    assert table.quarantine[["row", "reason"]].to_numpy().tolist() == [
        [2, "repeated_geometry"],
        [3, "null_geometry"],
        [4, "not_a_line"],
        [5, "zero_length"],
    ]
    assert table.excluded == {"construction": 1}


def test_ids_of_the_source(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    shapes = [
        LineString([(0, 0), (1, 1)]),
        MultiLineString([[(2, 2), (3, 3)], [(4, 4), (5, 5)]]),
        LineString([(6, 6), (7, 7)]),
        LineString([(8, 8), (9, 9)]),
    ]
    frame = gpd.GeoDataFrame({"no": [1, 2, 3, 3], "TYPE": ["a", "b", "c", "d"]}, geometry=shapes, crs=4326)
    frame.to_file(path, layer="jalan", engine="pyogrio")
    source = RoadSource(path, "jalan", {"road_id": "no", "highway": "TYPE"})
    ids = balanced(read_roads(source)).roads["road_id"].tolist()
    hashes = geometry_hashes(frame.explode(index_parts=False).geometry.to_numpy())
    assert ids == ["1", *(f"{n}/{h}" for n, h in zip((2, 2, 3, 3), hashes[1:], strict=True))]
    frame.iloc[::-1].to_file(path, layer="jalan", engine="pyogrio")
    assert sorted(read_roads(source).roads["road_id"]) == sorted(ids)
    with pytest.raises(InputError, match="layer: has no layer 'roads'; its layers: jalan"):
        read_roads(RoadSource(path, "roads"))


def test_any_crs_is_transformed_and_none_is_refused(tmp_path: Path) -> None:
    here = gpd.GeoDataFrame({"name": ["a"]}, geometry=[LineString([(123, -10), (123.1, -10.1)])], crs=4326)
    utm, lost = tmp_path / "utm.parquet", tmp_path / "lost.parquet"
    here.to_crs(32751).to_parquet(utm)
    here.set_crs(None, allow_override=True).to_parquet(lost)
    roads = read_roads(RoadSource(utm)).roads
    assert shapely.hausdorff_distance(roads.geometry.iloc[0], here.geometry.iloc[0]) < 1e-9
    assert roads.crs.to_epsg() == 4326
    with pytest.raises(InputError, match="crs: the file has no CRS"):
        read_roads(RoadSource(lost))


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        ("r.geojson", "{", "file"),
        ("r.geojson", "", "file"),
        ("r.gpkg", "x", "file"),
        ("r.parquet", "x", "file"),
        ("r.shp.txt", "x", "file"),
        ("r.geojson", json.dumps({"type": "FeatureCollection", "features": []}), "file"),
        ("r.geojson", json.dumps({"type": "FeatureCollection", "features": [feature([1, 2])]}), "geometry"),
        ("r.geojson", json.dumps({"type": "FeatureCollection", "features": [feature(LINE, a=1)]}), "columns.name"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, content: str, field: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError) as error:
        read_roads(RoadSource(path, None, {"name": "NAME"} if field == "columns.name" else {}))
    assert (error.value.path, error.value.field) == (str(path), field)


def test_a_missing_file_and_an_unknown_column(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_roads(RoadSource(tmp_path / "none.geojson"))
    with pytest.raises(InputError, match=r"columns\.width"):
        read_roads(RoadSource(tmp_path / "none.geojson", None, {"width": "w"}))


POINT = st.tuples(st.floats(-179, 179), st.floats(-89, 89))


@given(st.lists(POINT, min_size=2, max_size=6))
def test_the_hash_does_not_see_direction(points: list[tuple[float, float]]) -> None:
    forward, backward = geometry_hashes([LineString(points), LineString(points[::-1])])
    assert forward == backward


def test_the_hash_sees_a_metre_but_not_a_millimetre() -> None:
    lines = [LineString([(123.1234567, -10.0), (x, -11.0)]) for x in (124.0, 124.00001, 124.0 + 1e-9)]
    metre = geometry_hashes(lines)
    assert metre[0] == metre[2] != metre[1]


def test_lisbon_and_its_odd_crs() -> None:
    table = balanced(read_roads(RoadSource(real("lisbon/roads_osm_lisbon_2020.parquet"))))
    assert table.rows_in == 31173
    west, south, east, north = table.roads.total_bounds
    assert -9.5 < west < east < -9.0
    assert 38.6 < south < north < 38.9
    assert abs(table.roads.to_crs(32629).length.sum() / 1000 - 2048) < 1


def test_jakarta() -> None:
    source = RoadSource(real("jakarta/roads_osm_jakarta.parquet"), None, {"highway": "TYPE", "name": "NAME"})
    table = balanced(read_roads(source))
    assert table.rows_in == 18574
    assert "motorway" in set(table.roads["highway"])


@pytest.mark.parametrize("name", ["porto_alegre/poa_osm.pbf", "helsinki/Helsinki.osm.pbf"])
def test_pbf_against_osmium(name: str) -> None:
    path = real(name)
    ways: dict[str, tuple[str | None, ...]] = {}
    for way in osmium.FileProcessor(str(path)).with_locations():
        if not isinstance(way, osmium.osm.Way) or way.tags.get("highway") in (None, *NOT_ROADS):
            continue
        area = way.is_closed() and way.tags.get("area") == "yes"
        if not area and sum(node.location.valid() for node in way.nodes) > 1:
            ways[f"way/{way.id}"] = tuple(way.tags.get(key) for key in ("highway", "name", "lit"))
    roads = balanced(read_roads(RoadSource(path))).roads
    columns = [roads[name].astype(object).where(roads[name].notna(), None) for name in ("highway", "name", "lit")]
    assert dict(zip(roads["road_id"], zip(*columns, strict=True), strict=True)) == ways


def test_a_point_is_not_a_road(tmp_path: Path) -> None:
    path = tmp_path / "p.gpkg"
    gpd.GeoDataFrame(geometry=[Point(1, 2)], crs=4326).to_file(path, engine="pyogrio")
    with pytest.raises(InputError, match="no road lines"):
        read_roads(RoadSource(path))
