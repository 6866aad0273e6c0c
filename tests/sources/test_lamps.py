"""Street lamps."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from shapely import LineString, Point

from spatial.errors import InputError
from spatial.sources.lamps import LampSource, read_lamps

from .data import feature, real, write_csv, write_geojson


def test_an_inventory_by_hand(tmp_path: Path) -> None:
    path = write_geojson(
        tmp_path / "lamps.geojson",
        [
            feature([117.6, 3.3], lamp_id="L1", panel_id="P1"),
            feature([117.7, 3.3], lamp_id="L2", panel_id=None),
            feature(None, lamp_id="L3"),
            feature([117.8, 3.3], lamp_id="L1", panel_id="P1"),
            feature([0, 0], lamp_id="L5"),
        ],
    )
    table = read_lamps(LampSource(path))
    assert table.lamps["lamp_id"].tolist() == ["L1", "L2"]
    assert table.lamps["panel_id"].fillna("-").tolist() == ["P1", "-"]
    assert table.lamps["source"].tolist() == ["inventory", "inventory"]
    assert table.lamps.geometry.iloc[0].equals(Point(117.6, 3.3))
    assert table.quarantine[["row", "reason"]].to_numpy().tolist() == [
        [3, "null_geometry"],
        [4, "conflicting_id"],
        [5, "zero_coordinate"],
    ]
    assert table.rows_in == 5


def test_csv_and_geopackage_with_other_names(tmp_path: Path) -> None:
    rows = [
        {"x": 117.6, "y": 3.3, "tiang": "T1"},
        {"x": 117.7, "y": 3.3, "tiang": ""},
        {"x": "a", "y": 3.3, "tiang": "T3"},
    ]
    csv = write_csv(tmp_path / "l.csv", rows)
    table = read_lamps(LampSource(csv, None, {"lon": "x", "lat": "y", "lamp_id": "tiang"}))
    assert table.lamps["lamp_id"].iloc[0] == "T1"
    assert table.lamps["lamp_id"].iloc[1].startswith("geom/")
    assert (table.rows_in, table.quarantine["reason"].tolist()) == (3, ["not_a_number"])
    gpkg = tmp_path / "l.gpkg"
    utm = gpd.GeoSeries([Point(117.6, 3.3), LineString([(117, 3), (118, 3)])], crs=4326).to_crs(32650)
    gpd.GeoDataFrame({"tiang": [7, 8]}, geometry=utm).to_file(gpkg, layer="pju", engine="pyogrio")
    table = read_lamps(LampSource(gpkg, "pju", {"lamp_id": "tiang"}))
    assert table.lamps["lamp_id"].tolist() == ["7"]
    assert table.lamps.geometry.iloc[0].distance(Point(117.6, 3.3)) < 1e-9
    assert table.quarantine["reason"].tolist() == ["not_a_point"]


def test_kind_owner_and_warranty(tmp_path: Path) -> None:
    rows = [
        {"lon": 117.6, "lat": 3.3, "jenis": "PJUTS", "owner": "Dishub", "warranty_until": "2026-12-31"},
        {"lon": 117.7, "lat": 3.3, "jenis": "listrik", "owner": "", "warranty_until": ""},
        {"lon": 117.8, "lat": 3.3, "jenis": "-", "owner": "tidak ada", "warranty_until": "n/a"},
        {"lon": 117.9, "lat": 3.3, "jenis": "minyak", "owner": "", "warranty_until": ""},
        {"lon": 117.5, "lat": 3.3, "jenis": "surya", "owner": "", "warranty_until": "tahun depan"},
    ]
    table = read_lamps(LampSource(write_csv(tmp_path / "l.csv", rows), None, {"kind": "jenis"}))
    assert table.lamps["kind"].fillna("-").tolist() == ["solar", "wired", "-", "-", "solar"]
    assert table.lamps["owner"].fillna("-").tolist() == ["Dishub", "-", "-", "-", "-"]
    assert table.lamps["warranty_until"].tolist() == [pd.Timestamp("2026-12-31", tz="UTC")] + [pd.NaT] * 4
    assert table.unknown == {"minyak": 1, "tahun depan": 1}
    assert table.quarantine.empty


def test_wrong_settings(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "l.geojson", [feature([1, 2], id=1)])
    with pytest.raises(InputError, match="nearest is 'id'"):
        read_lamps(LampSource(path, None, {"lamp_id": "ID"}))
    with pytest.raises(InputError, match=r"columns\.watt"):
        read_lamps(LampSource(path, None, {"watt": "id"}))


@pytest.mark.parametrize(("name", "number"), [("porto_alegre/poa_osm.pbf", 263), ("helsinki/Helsinki.osm.pbf", 586)])
def test_lamps_of_osm(name: str, number: int) -> None:
    table = read_lamps(LampSource(real(name)))
    assert (table.rows_in, len(table.lamps), len(table.quarantine)) == (number, number, 0)
    assert table.lamps["lamp_id"].str.fullmatch(r"node/\d+").all()
    assert table.lamps["lamp_id"].is_unique
    assert set(table.lamps["source"]) == {"osm"}
    assert table.lamps["panel_id"].isna().all()


def test_lamps_in_a_table_without_geometry(tmp_path: Path) -> None:
    rows = pd.DataFrame({"lamp_id": ["a", "b"], "lon": [123.5, 123.6], "lat": [-10.1, -10.2]})
    rows.to_parquet(tmp_path / "lamps.parquet")
    table = read_lamps(LampSource(tmp_path / "lamps.parquet"))
    assert table.lamps["lamp_id"].tolist() == ["a", "b"]
    assert table.lamps.geometry.iloc[1].coords[0] == (123.6, -10.2)
