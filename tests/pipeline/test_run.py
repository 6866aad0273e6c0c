"""A run from files to a published version, on a city small enough to know what must come out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from spatial import pipeline
from spatial.contracts import HEXAGONS, Silent
from spatial.hexgrid.hot_classes import classify
from spatial.registry import LAYERS
from spatial.store.geopackage import content_hash, read_layer
from spatial.store.versions import Versions
from tests.pipeline.tiny import write_tiny_city


class Heard(Silent):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []

    def stage(self, name: str, title: str) -> None:
        self.stages.append(name)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pipeline.Outcome]:
    city = write_tiny_city(tmp_path_factory.mktemp("run") / "city")
    return city, pipeline.run(city)


@pytest.fixture
def city(published: tuple[Path, pipeline.Outcome], tmp_path: Path) -> Path:
    return Path(shutil.copytree(published[0], tmp_path / "city"))


@pytest.fixture
def layers(published: tuple[Path, pipeline.Outcome]) -> dict[str, gpd.GeoDataFrame]:
    return {layer.name: read_layer(published[1].version.layers, layer.name) for layer in LAYERS}


def test_every_row_is_accounted_for(published, layers) -> None:
    manifest = published[1].version.manifest
    for row in manifest["inputs"]:
        if row["rows_in"] is not None:
            assert row["rows_in"] == row["rows_used"] + row["rows_quarantined"] + row["rows_excluded"]
    reports = manifest["reports"]
    assert (reports["rows_in"], reports["rows_used"], reports["rows_quarantined"]) == (114, 111, 3)
    assert reports["quarantine_reasons"] == {"missing_coordinate": 1, "unreadable_time": 1, "zero_coordinate": 1}
    assert reports["stored"] == 111
    assert reports["in_cells_and_counted"] == 110
    assert reports["flags"]["outside_area"] == 1
    assert layers["hexagons"]["reports_total"].sum() == 110
    assert layers["hexagons"]["reports_waste"].sum() == 60
    assert layers["hexagons"]["reports_flood"].sum() == 40
    counted = layers["reports"][layers["reports"]["incident_id"].notna()]
    assert set(counted["cell"]) <= set(layers["hexagons"]["cell"])


def test_quarantined_rows_can_be_read_again(published) -> None:
    rows = gpd.read_file(published[0] / "var/live.gpkg", layer="quarantine")
    assert sorted(rows["report_id"]) == ["reports:bad1", "reports:bad2", "reports:bad3"]
    assert all(row.endswith("reports.csv") for row in rows["file"])
    assert json.loads(rows.set_index("report_id").loc["reports:bad3", "raw"])["waktu"] == "kemarin"


def test_local_times_are_utc(layers) -> None:
    """2025-01-12 18:00 in Makassar is 10:00 UTC."""
    flood = layers["reports"].set_index("report_id").loc["reports:f0"]
    assert flood["requested_datetime"] == pd.Timestamp("2025-01-12T10:00:00Z")


def test_the_valley_is_the_flood_zone_and_the_street_the_lighting_zone(layers) -> None:
    hexagons, floods, outages = layers["hexagons"], layers["flood_zones"], layers["lighting_zones"]
    centres = shapely.centroid(hexagons.geometry.to_numpy())
    in_zone = shapely.within(centres, floods.union_all())
    assert in_zone.any()
    assert hexagons.loc[in_zone, "flood_score"].min() > hexagons.loc[~in_zone, "flood_score"].median()
    assert abs(shapely.get_x(centres[in_zone]).mean() - 117.509) < 0.002
    assert len(outages) == 1
    assert outages["lamps_affected"].item() == 10
    assert outages["lamps_total"].item() == 10
    assert outages["kelurahan"].item() == "Uji"
    assert outages["n_incidents"].item() == 10


def test_zones_have_a_p_value(published, layers, city: Path) -> None:
    """38 of 40 floods lie in the valley's zone, 8 of 55 cells: a circle of a tenth cannot hold it, one of 0.3 can.

    The ten dark lamps are ten in a row of 57: chance puts them so once in a billion cities.
    """
    floods, manifest = layers["flood_zones"], published[1].version.manifest["layers"]
    assert floods["p_value"].between(0, 1, inclusive="right").all()
    assert "p_value" not in manifest["flood_zones"]["null_because"]
    assert (layers["lighting_zones"]["p_value"] <= 0.05).all()
    assert "p_value" not in manifest["lighting_zones"]["null_because"]
    (city / "city.toml").write_text((city / "city.toml").read_text() + "[scan]\nmax_population_share = 0.3\n")
    wide = read_layer(pipeline.run(city).version.layers, "flood_zones")
    assert wide.sort_values("n_incidents")["p_value"].iloc[-1] <= 0.05


def test_cold_spots_are_classes_that_the_contract_knows() -> None:
    """A series that is cold throughout is a persistent cold spot, where they are asked for."""
    never, always = np.zeros((1, 12), dtype=bool), np.ones((1, 12), dtype=bool)
    (found,) = classify(never, always, np.zeros(1, dtype=np.int64), with_cold=True)
    assert found == "persistent_cold"
    known = next(column.values for column in HEXAGONS.columns if column.name == "flood_emergence")
    assert found in known


def test_too_few_floods_give_no_p_value(city: Path) -> None:
    rows = (city / "reports.csv").read_text().splitlines()
    kept = [row for row in rows if not row.startswith(("f1", "f2", "f3"))]
    (city / "reports.csv").write_text("\n".join(kept) + "\n")
    version = pipeline.run(city, drop_missing=True).version
    assert read_layer(version.layers, "flood_zones")["p_value"].isna().all()
    reasons = version.manifest["layers"]["flood_zones"]["null_because"]
    assert reasons["p_value"]["en"] == "too few incidents (fewer than 30)"


def test_explanations_sum_to_the_score(layers) -> None:
    hexagons = layers["hexagons"].dropna(subset="flood_score")
    for row in hexagons.itertuples():
        assert sum(json.loads(row.explanation_parts)["flood"].values()) == pytest.approx(row.flood_score, abs=1e-9)
    for name in ("flood_zones", "lighting_zones"):
        for row in layers[name].itertuples():
            assert sum(json.loads(row.explanation_parts).values()) == pytest.approx(row.score, abs=1e-9)
            assert row.explanation_id
            assert row.explanation_en


def test_roads_in_zones_are_metres_of_their_cells(layers) -> None:
    hexagons, roads, zones = (layers[n].to_crs(32750) for n in ("hexagons", "roads", "flood_zones"))
    inside = roads.geometry.intersection(zones.union_all()).length
    assert roads["flood_length_m"].to_numpy() == pytest.approx(inside.to_numpy(), abs=0.5)
    assert hexagons["road_length_m"].sum() == pytest.approx(roads["length_m"].sum(), rel=1e-6)
    assert zones["road_length_m"].sum() == pytest.approx(roads["flood_length_m"].sum(), rel=1e-6)
    assert set(",".join(roads["flood_zone_ids"].dropna()).split(",")) <= set(zones["zone_id"])


def test_what_stands_in_a_zone_knows_it_and_the_zone_counts_it(layers) -> None:
    floods, buildings, facilities = layers["flood_zones"], layers["buildings"], layers["facilities"]
    inside = buildings.geometry.intersects(floods.union_all())
    assert inside.tolist() == buildings["flood_zone_ids"].notna().tolist()
    assert inside.sum() == 1
    assert floods["buildings_exposed"].sum() == 1
    school = facilities[facilities["kind"] == "school"].iloc[0]
    assert school["flood_zone_ids"] in set(floods["zone_id"])
    assert school["name"] == "SDN 1"
    assert facilities.geom_type.tolist() == ["Point", "Point"]
    assert buildings["area_m2"].to_numpy() == pytest.approx([11.1 * 11.1] * 2, rel=0.02)
    assert layers["hexagons"]["facilities_total"].sum() == 2
    assert layers["hexagons"]["buildings_total"].sum() == 1


def test_districts_count_their_reports_and_zones(layers) -> None:
    area = layers["admin_areas"].iloc[0]
    assert (area["area_id"], area["level"], area["name"]) == ("99.01", "kelurahan", "Uji")
    assert (area["reports_total"], area["reports_flood"], area["reports_waste"]) == (110, 40, 60)
    assert area["flood_zones"] == len(layers["flood_zones"])
    assert area["lighting_zones"] == 1


def test_streams_run_down_the_valley_inside_their_catchment(layers) -> None:
    streams, basins = layers["streams"], layers["catchments"]
    assert len(streams) > 0
    assert (streams["upstream_area_km2"] >= 1.0).all()
    main = streams.sort_values("upstream_area_km2").iloc[-1]
    assert abs(main.geometry.coords[-1][0] - 117.509) < 0.0006
    assert main.geometry.coords[0][1] > main.geometry.coords[-1][1]
    assert shapely.buffer(basins.union_all(), 1e-6).contains(main.geometry.interpolate(0.5, normalized=True))
    assert basins.to_crs(32750).area.to_numpy() / 1e6 == pytest.approx(basins["area_km2"].to_numpy(), rel=1e-3)
    assert layers["street_lamps"]["lighting_zone_ids"].notna().sum() == 10
    assert layers["waterways"]["length_m"].iloc[0] == pytest.approx(0.018 * 110_600, rel=0.01)


def test_every_null_has_a_reason_in_both_languages(published, layers) -> None:
    manifest = published[1].version.manifest
    for layer in LAYERS:
        reasons = manifest["layers"][layer.name]["null_because"]
        table = layers[layer.name]
        nulls = {c for c in layer.names if table[c].isna().any()}
        assert nulls <= set(reasons), layer.name
        assert all(reason["id"] and reason["en"] for reason in reasons.values())


def test_nothing_changed_publishes_nothing_and_force_gives_the_same_content(city: Path) -> None:
    first = Versions(city / "var").current()
    heard = Heard()
    again = pipeline.run(city, heard)
    assert not again.published
    assert again.version.id == first.id
    assert any("nothing has changed" in note for note in heard.notes)
    (city / "city.toml").write_text((city / "city.toml").read_text() + "# a comment changes nothing\n")
    assert not pipeline.run(city).published
    forced = pipeline.run(city, force=True)
    assert forced.version.id != first.id
    assert forced.version.manifest["previous"] == first.id
    hashes = [
        {n: layer["content_sha256"] for n, layer in v.manifest["layers"].items()} for v in (first, forced.version)
    ]
    assert hashes[0] == hashes[1]
    for layer in LAYERS:
        assert content_hash(layer, read_layer(forced.version.layers, layer.name)) == hashes[0][layer.name]


def test_the_same_inputs_give_the_same_bytes_in_another_folder(city: Path, tmp_path: Path) -> None:
    other = write_tiny_city(tmp_path / "elsewhere")
    outcome, first = pipeline.run(other).version, Versions(city / "var").all()[0][0]
    assert outcome.id == first.id
    for name in ("layers.gpkg", "manifest.json", "map.png"):
        assert (outcome.path / name).read_bytes() == (first.path / name).read_bytes(), name


def test_zones_keep_their_ids_when_reports_arrive(city: Path) -> None:
    before = {n: read_layer(Versions(city / "var").current().layers, n) for n in ("flood_zones", "lighting_zones")}
    with (city / "reports.csv").open("a") as file:
        file.write("new1,117.504,-3.311,PJU padam,gelap,menunggu,2025-09-21 20:00,\n")
    outcome = pipeline.run(city)
    assert outcome.published
    for name, table in before.items():
        after = read_layer(outcome.version.layers, name)
        assert set(after["zone_id"]) == set(table["zone_id"]), name
        assert set(after["version"]) == {outcome.version.id}
        assert "new" not in set(after["change"])


def test_a_report_that_left_its_file_is_kept_and_said_until_told_otherwise(city: Path) -> None:
    lines = (city / "reports.csv").read_text().splitlines()
    (city / "reports.csv").write_text("\n".join(line for line in lines if not line.startswith("w0,")) + "\n")
    kept = pipeline.run(city).version.manifest["reports"]
    assert (kept["stored"], kept["kept_from_earlier_deliveries"]) == (111, 1)
    dropped = pipeline.run(city, drop_missing=True).version.manifest["reports"]
    assert dropped["stored"] == 110


def test_without_elevation_or_without_reports_the_layers_say_so(city: Path) -> None:
    toml = (city / "city.toml").read_text()
    start, end = toml.index("[[elevation]]"), toml.index("[[lamps]]")
    (city / "city.toml").write_text(toml[:start] + toml[end:])
    heard = Heard()
    manifest = pipeline.run(city, heard).version.manifest
    assert "no_elevation" in {row["code"] for row in manifest["left_out"]}
    assert any("No elevation" in note for note in heard.notes)
    assert manifest["layers"]["hexagons"]["null_because"]["hand_min_m"]["en"] == "the city has no elevation data"
    assert any("No elevation" in note["en"] for note in manifest["layers"]["flood_zones"]["notes"])
    start, end = toml.index("[[reports]]"), toml.index("[[roads]]")
    (city / "city.toml").write_text(toml[:start] + toml[end:])
    shutil.rmtree(city / "var")
    outcome = pipeline.run(city)
    assert "no_reports" in {row["code"] for row in outcome.version.manifest["left_out"]}
    assert read_layer(outcome.version.layers, "lighting_zones").empty
    assert read_layer(outcome.version.layers, "hexagons")["reports_total"].isna().all()
    score = read_layer(outcome.version.layers, "hexagons")["flood_score"]
    assert np.isfinite(score).any()
