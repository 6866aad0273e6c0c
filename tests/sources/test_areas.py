"""The boundary of a city, kelurahan and kecamatan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from shapely import box

from spatial.errors import InputError
from spatial.sources.areas import AdminSource, read_admin_areas, read_area

from .data import feature, real, write_geojson


def ring(*points: list[float]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}


SQUARE = ring([0, 0], [2, 0], [2, 2], [0, 2])
BOW_TIE = ring([4, 0], [6, 2], [6, 0], [4, 2])


def test_admin_areas_by_hand(tmp_path: Path) -> None:
    path = write_geojson(
        tmp_path / "kel.geojson",
        [
            feature(SQUARE, kode="53.71.01.1001", nama="Alak"),
            feature(BOW_TIE, kode="53.71.01.1002", nama="Oeba"),
            feature(None, kode="3", nama="c"),
            feature([1, 1], kode="4", nama="d"),
            feature(SQUARE, kode=None, nama="e"),
            feature(SQUARE, kode="53.71.01.1001", nama="f"),
        ],
    )
    table = read_admin_areas(AdminSource(path, "kelurahan"))
    assert table.areas[["area_id", "name", "level"]].to_numpy().tolist() == [
        ["53.71.01.1001", "Alak", "kelurahan"],
        ["53.71.01.1002", "Oeba", "kelurahan"],
    ]
    assert table.areas.geometry.is_valid.all()
    assert [shape.area for shape in table.areas.geometry] == [4.0, 2.0]
    assert len(table.notes) == 1
    assert "Oeba" in table.notes[0]
    assert "1 of 6" in table.notes[0]
    assert table.quarantine[["row", "reason"]].to_numpy().tolist() == [
        [3, "null_geometry"],
        [4, "not_a_polygon"],
        [5, "missing_id"],
        [6, "conflicting_id"],
    ]
    assert table.rows_in == len(table.areas) + len(table.quarantine)


def test_admin_settings(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "kel.geojson", [feature(SQUARE, code=1, name="a")])
    with pytest.raises(InputError, match=r"columns\.area_id: the file has no column 'kode'; the nearest is 'code'"):
        read_admin_areas(AdminSource(path, "kelurahan"))
    with pytest.raises(InputError, match="level"):
        read_admin_areas(AdminSource(path, "desa"))
    areas = read_admin_areas(AdminSource(path, "kecamatan", {"area_id": "code", "name": "name"})).areas
    assert areas["area_id"].tolist() == ["1"]


def test_an_area_is_the_union_of_its_polygons_in_crs84(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "b.geojson", [feature(SQUARE), feature(ring([2, 0], [3, 0], [3, 2], [2, 2]))])
    assert read_area(path).equals(box(0, 0, 3, 2))
    utm = tmp_path / "b.gpkg"
    gpd.GeoSeries([box(123, -11, 124, -10)], crs=4326).to_crs(32751).to_file(utm, engine="pyogrio")
    assert read_area(utm).symmetric_difference(box(123, -11, 124, -10)).area < 1e-9


def test_an_area_that_crosses_itself_is_refused_with_the_place(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "b.geojson", [feature(SQUARE), feature(BOW_TIE)])
    with pytest.raises(InputError, match=r"geometry: feature 2 is not a valid polygon: Self-intersection\[5 1\]"):
        read_area(path)


@pytest.mark.parametrize("geometry", [None, [1, 2], {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}])
def test_an_area_of_no_polygons_is_refused(tmp_path: Path, geometry: Any) -> None:
    with pytest.raises(InputError, match="feature 1 has"):
        read_area(write_geojson(tmp_path / "b.geojson", [feature(geometry)]))


@pytest.mark.parametrize(
    ("name", "level", "number"),
    [
        ("kota_kupang_kelurahan", "kelurahan", 51),
        ("kota_kupang_kecamatan", "kecamatan", 6),
        ("kota_tarakan_kelurahan", "kelurahan", 20),
        ("kota_tarakan_kecamatan", "kecamatan", 4),
    ],
)
def test_real_boundaries(name: str, level: str, number: int) -> None:
    path = real(f"boundaries/{name}.geojson")
    table = read_admin_areas(AdminSource(path, level))
    assert (len(table.areas), len(table.quarantine)) == (number, 0)
    codes = [f["properties"]["kode"] for f in json.loads(path.read_text(encoding="utf-8"))["features"]]
    assert table.areas["area_id"].tolist() == codes
    assert table.areas.geometry.is_valid.all()


def test_real_polygons_that_cross_themselves() -> None:
    path = real("jakarta/rw_flood_2007.gpkg")
    with pytest.raises(InputError, match=r"Self-intersection\[106\.8"):
        read_area(path)
