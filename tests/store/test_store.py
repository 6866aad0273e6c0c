"""The store: layers that come back as they went in, versions that are whole, live tables that lose nothing."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from spatial.contracts import FLOOD_ZONES, REPORTS, checked
from spatial.errors import ContractError, NotFoundError, StoreError
from spatial.store.geopackage import content_hash, fill_layers, read_layer, read_members, write_layers
from spatial.store.versions import MANIFEST_FILE, Versions

NO_MEMBERS = pd.DataFrame({"zone_id": [], "member": []})


def reports(ids: list[str], **columns: object) -> gpd.GeoDataFrame:
    given_columns = {"source": "x", "category": "flood"} | columns
    return gpd.GeoDataFrame(
        {"report_id": ids} | given_columns,
        crs="EPSG:4326",
        geometry=shapely.points([(100.0 + i, -3.0) for i in range(len(ids))]),
    )


def test_a_layer_comes_back_as_it_went_in(tmp_path: Path) -> None:
    table = reports(
        ["b", "a"],
        description=["<banjir> & 'hujan' 🌧", None],
        depth_m=[0.5, None],
        requested_datetime=pd.to_datetime(["2020-01-01T00:00:00.123Z", None], utc=True),
    )
    members = pd.DataFrame({"zone_id": ["z"], "member": ["m"]})
    write_layers(tmp_path / "a.gpkg", {REPORTS: table}, members)
    back = read_layer(tmp_path / "a.gpkg", "reports")
    assert list(back.columns) == [*REPORTS.names, "geometry"]
    assert back["report_id"].tolist() == ["a", "b"]
    assert back["description"].iloc[1] == "<banjir> & 'hujan' 🌧"
    assert back.geometry.iloc[0].equals(shapely.Point(101, -3))
    assert back["requested_datetime"].iloc[1] == pd.Timestamp("2020-01-01T00:00:00.123Z")
    assert read_members(tmp_path / "a.gpkg").to_dict("list") == {"zone_id": ["z"], "member": ["m"]}
    with pytest.raises(NotFoundError, match=r"none\.gpkg"):
        read_layer(tmp_path / "none.gpkg", "reports")


def test_equal_tables_give_equal_bytes_whatever_their_order(tmp_path: Path) -> None:
    table = reports(["a", "b", "c"], depth_m=[1.0, 2.0, None])
    for name, rows in (("one", table), ("two", table.iloc[::-1])):
        write_layers(tmp_path / f"{name}.gpkg", {REPORTS: rows}, NO_MEMBERS)
    one, two = ((tmp_path / f"{n}.gpkg").read_bytes() for n in ("one", "two"))
    assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()


def test_the_file_is_a_geopackage_1_3_with_rtree_styles_and_id_index(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write_layers(
        path,
        {
            REPORTS: reports(["a"]),
            FLOOD_ZONES: gpd.GeoDataFrame({"zone_id": []}, geometry=[], crs="EPSG:4326").assign(
                zone_type=[], severity=[], version=[]
            ),
        },
        NO_MEMBERS,
    )
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 10300
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        styles = dict(connection.execute("SELECT f_table_name, styleQML FROM layer_styles").fetchall())
        contents = {row[0] for row in connection.execute("SELECT table_name FROM gpkg_contents")}
    assert {"rtree_reports_geom", "rtree_flood_zones_geom", "reports_id", "flood_zones_id"} <= names
    assert contents == {"reports", "flood_zones", "zone_members", "layer_styles"}
    assert 'attr="severity"' in styles["flood_zones"]


def test_content_hash_sees_every_column_but_version_and_change() -> None:
    zone = gpd.GeoDataFrame(
        {"zone_id": ["z"], "zone_type": "flood", "severity": "low", "version": "1", "change": "new"},
        geometry=[shapely.MultiPolygon([shapely.box(0, 0, 1, 1)])],
        crs="EPSG:4326",
    )
    same = content_hash(FLOOD_ZONES, zone)
    assert content_hash(FLOOD_ZONES, zone.assign(version="2", change="unchanged")) == same
    assert content_hash(FLOOD_ZONES, zone.assign(severity="high")) != same
    assert content_hash(FLOOD_ZONES, zone.assign(score=0.5)) != same
    assert content_hash(FLOOD_ZONES, zone.set_geometry([shapely.MultiPolygon([shapely.box(0, 0, 1, 2)])])) != same


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category": "fire"}, "category has values outside"),
        ({"depth_m": -1.0}, "depth_m has -1.0, below 0"),
        ({"report_id": "a"}, "ids repeat"),
        ({"source": None}, "source has 2 nulls"),
        ({"colour": "red"}, "unknown columns"),
        ({"depth_m": float("inf")}, "depth_m is not finite"),
    ],
)
def test_a_table_that_breaks_its_contract_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        checked(REPORTS, reports(["a", "b"]).assign(**change))


def test_a_table_in_another_crs_is_refused() -> None:
    with pytest.raises(ContractError, match="CRS is"):
        checked(REPORTS, reports(["a"]).to_crs(3857))
    with pytest.raises(ContractError, match="geometry is"):
        checked(
            FLOOD_ZONES,
            gpd.GeoDataFrame(
                {"zone_id": ["z"], "zone_type": "flood", "severity": "low", "version": "v"},
                geometry=[shapely.box(0, 0, 1, 1)],
                crs="EPSG:4326",
            ),
        )


def stage(versions: Versions, text: str) -> Path:
    staged = versions.staging()
    (staged / MANIFEST_FILE).write_text(f'{{"previous": null, "text": "{text}"}}')
    return staged


def test_publish_rollback_prune(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "var")
    assert versions.current() is None
    with versions.locked():
        for name in ("v1", "v2", "v3", "v4"):
            assert versions.publish(stage(versions, name), name).id == name
        versions.serve("v1")
        assert versions.current().id == "v1"
        assert [v.id for v, _ in versions.all()] == ["v1", "v2", "v3", "v4"]
        assert versions.prune(1) == ["v2", "v3"]
        assert sorted(p.name for p in (tmp_path / "var/versions").iterdir()) == ["v1", "v4"]
        with pytest.raises(NotFoundError, match="v2"):
            versions.serve("v2")
        with pytest.raises(NotFoundError, match=r"\.\./v1"):
            versions.get("../v1")
    assert versions.current().manifest["text"] == "v1"


def test_scenarios_push_no_version_out(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "var")
    with versions.locked():
        for name in ("v1", "v2", "v3"):
            versions.publish(stage(versions, name), name)
        for name in ("s1", "s2"):
            staged = stage(versions, name)
            (staged / "manifest.json").write_text('{"scenario": {}}')
            versions.keep(staged, name)
        assert versions.prune(1) == ["v1", "s1"]


def test_a_version_that_is_there_already_is_kept_and_served(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "var")
    with versions.locked():
        versions.publish(stage(versions, "first"), "v1")
        assert versions.publish(stage(versions, "second"), "v1").manifest["text"] == "first"


def test_a_scenario_is_kept_listed_and_never_served(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "var")
    with versions.locked():
        versions.publish(stage(versions, "a"), "v1")
        staged = versions.staging()
        (staged / MANIFEST_FILE).write_text('{"previous": null, "text": "storm", "scenario": {}}')
        assert versions.keep(staged, "s1").manifest["text"] == "storm"
        assert versions.current().id == "v1"
        with pytest.raises(StoreError, match="s1 is a scenario"):
            versions.serve("s1")
        versions.publish(stage(versions, "b"), "v2")
        assert [(v.id, time is not None) for v, time in versions.all()] == [("v1", True), ("s1", True), ("v2", True)]
        assert versions.keep(stage(versions, "again"), "s1").manifest["text"] == "storm"
        assert [v.id for v, _ in versions.all()] == ["v1", "v2", "s1"]
    assert versions.current().id == "v2"


def test_layers_are_filled_in_a_file_that_has_them_empty(tmp_path: Path) -> None:
    full = reports(["b", "a"], depth_m=[0.5, None])
    empty = full.iloc[:0]
    for name in ("one", "two"):
        write_layers(tmp_path / f"{name}.gpkg", {REPORTS: empty, FLOOD_ZONES: no_zones()}, NO_MEMBERS)
        fill_layers(tmp_path / f"{name}.gpkg", {REPORTS: full})
    one, two = ((tmp_path / f"{n}.gpkg").read_bytes() for n in ("one", "two"))
    assert one == two
    back = read_layer(tmp_path / "one.gpkg", "reports")
    assert back["report_id"].tolist() == ["a", "b"]
    assert read_layer(tmp_path / "one.gpkg", "flood_zones").empty
    assert len(gpd.read_file(tmp_path / "one.gpkg", layer="reports", bbox=(100.5, -4, 102, -2))) == 1  # the R-tree too
    with pytest.raises(ContractError, match="ids repeat"):
        fill_layers(tmp_path / "one.gpkg", {REPORTS: reports(["c", "c"])})
    with sqlite3.connect(tmp_path / "one.gpkg") as connection:
        bounds = connection.execute("SELECT min_x, max_x FROM gpkg_contents WHERE table_name = 'reports'").fetchone()
        names = [row[0] for row in connection.execute("SELECT table_name FROM gpkg_contents")]
    assert bounds == (100.0, 101.0)
    assert sorted(names) == ["flood_zones", "layer_styles", "reports", "zone_members"]


def no_zones() -> gpd.GeoDataFrame:
    columns: dict[str, list[str]] = {name: [] for name in ("zone_id", "zone_type", "severity", "version")}
    return gpd.GeoDataFrame(columns, geometry=[], crs="EPSG:4326")


def test_leftovers_of_a_killed_run_go_and_a_lost_version_is_said(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "var")
    left = tmp_path / "var/versions/.staging-1"
    left.mkdir(parents=True)
    with versions.locked():
        versions.publish(stage(versions, "a"), "v1")
    assert not left.exists()
    (tmp_path / "var/versions/v1" / MANIFEST_FILE).unlink()
    with pytest.raises(StoreError, match="not there"):
        versions.current()


def test_two_runs_of_one_city_are_refused(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "var")
    with versions.locked(), pytest.raises(StoreError, match="another run"), Versions(tmp_path / "var").locked():
        pass
