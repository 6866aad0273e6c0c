"""Waterways, buildings and facilities: shapes, ids, quarantine, and OSM's own tags."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spatial.errors import InputError
from spatial.sources.context import BUILDINGS, FACILITIES, WATERWAYS, ContextSource, read_context

SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}
LINE = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}


def write(path: Path, *features: tuple[dict | None, dict]) -> Path:
    rows = [{"type": "Feature", "geometry": g, "properties": p} for g, p in features]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": rows}))
    return path


def test_each_kind_takes_its_shape_and_the_rest_is_quarantined(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.geojson",
        (SQUARE, {"building": "house", "id": "b1"}),
        (LINE, {"building": "wall"}),
        (None, {"building": "lost"}),
    )
    table = read_context(ContextSource(path), BUILDINGS)
    assert table.features[["id", "kind"]].to_numpy().tolist() == [["b1", "house"]]
    assert table.features.geom_type.tolist() == ["MultiPolygon"]
    assert (table.rows_in, table.rows_used, len(table.quarantine)) == (3, 1, 2)
    assert table.quarantine["row"].tolist() == [2, 3]


def test_a_facility_drawn_as_a_polygon_is_a_point_inside_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", (SQUARE, {"amenity": "school", "name": "SDN"}))
    point = read_context(ContextSource(path), FACILITIES).features.geometry.iloc[0]
    assert (0 < point.x < 1, 0 < point.y < 1) == (True, True)


def test_ids_are_of_the_geometry_where_the_source_gives_none_or_repeats_them(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.geojson",
        (LINE, {"waterway": "river", "id": "w"}),
        ({"type": "LineString", "coordinates": [[2, 0], [3, 1]]}, {"waterway": "river", "id": "w"}),
    )
    ids = read_context(ContextSource(path), WATERWAYS).features["id"]
    assert ids.str.startswith("geom/").all()
    assert ids.is_unique


def test_columns_are_mapped_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", (LINE, {"jenis": "kali", "nama": "Kali Besar"}))
    source = ContextSource(path, columns={"kind": "jenis", "name": "nama"})
    assert read_context(source, WATERWAYS).features[["kind", "name"]].to_numpy().tolist() == [["kali", "Kali Besar"]]
    with pytest.raises(InputError, match="type"):
        read_context(ContextSource(path, columns={"type": "jenis"}), WATERWAYS)


def test_denpasars_rivers_are_all_read(shared_data) -> None:
    table = read_context(ContextSource(shared_data("denpasar/rivers.geojson")), WATERWAYS)
    assert table.rows_in == 617
    assert table.rows_used + len(table.quarantine) == 617
    assert table.features["id"].is_unique


def test_buildings_of_a_pbf_are_counted_as_osmium_counts_them(shared_data) -> None:
    import osmium

    path = shared_data("helsinki/test.osm.pbf")
    table = read_context(ContextSource(path), BUILDINGS)
    closed = [
        way.id for way in osmium.FileProcessor(str(path), osmium.osm.WAY) if "building" in way.tags and way.is_closed()
    ]
    assert len(table.features) >= 0.9 * len(closed) > 0
