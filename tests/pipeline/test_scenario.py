"""A scenario by the real command, on the sample city: sums that add up, the served version stays, plain refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from click.testing import CliRunner, Result

from services.cli import main
from spatial.contracts import SCENARIO_CELLS, SCENARIO_DEPRESSIONS, SCENARIO_ROADS
from spatial.errors import StoreError
from spatial.registry import LAYERS, SCENARIO_LAYERS
from spatial.store.geopackage import read_layer
from spatial.store.rasters import read_raster
from spatial.store.versions import Version, Versions
from tests.pipeline.tiny import write_tiny_city
from tests.services.running import get, served
from tests.store.tiles import stored

STORM = ("--rain-mm", "100", "--tide-m", "1.2")


def hexakota(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def scenarios(city: Path) -> list[Version]:
    return [v for v, _ in Versions(city / "var").all() if "scenario" in v.manifest]


def last(city: Path) -> Version:
    return scenarios(city)[-1]


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    lines = [line for line in result.stderr.splitlines() if line.startswith("hexakota: ")]
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]


@pytest.fixture(scope="module")
def storm(sample: Path) -> Version:
    """The storm with the tide, made once by the command."""
    result = hexakota("scenario", sample, *STORM)
    assert result.exit_code == 0, result.stderr
    found = last(sample)
    assert found.id in result.stdout
    assert f"{found.manifest['scenario']['cells_under_water']:,} sel" in result.stdout
    return found


@pytest.fixture(scope="module")
def layers(storm: Version) -> dict[str, gpd.GeoDataFrame]:
    return {layer.name: read_layer(storm.layers, layer.name) for layer in SCENARIO_LAYERS}


def test_the_manifest_says_what_was_asked_and_what_came(storm: Version, layers: dict[str, gpd.GeoDataFrame]) -> None:
    told, cells, roads = storm.manifest["scenario"], layers["scenario_cells"], layers["scenario_roads"]
    assert (told["rain_mm"], told["tide_m"], told["sea_level_m"]) == (100.0, 1.2, 1.45)
    assert told["tide"] == {"datum": "LAT", "offset_m": 0.25}
    assert told["cells_under_water"] == len(cells) > 0
    assert told["catchments_overflowing"] == len(layers["scenario_depressions"]) > 0
    balance = told["balance_m3"]
    assert balance["rain"] == pytest.approx(balance["stored"] + balance["left"], rel=1e-9)
    assert storm.manifest["version"] == storm.id
    for layer in SCENARIO_LAYERS:
        entry, table = storm.manifest["layers"][layer.name], layers[layer.name]
        assert entry["rows"] == len(table)
        assert "Skenario, bukan ramalan" in entry["notes"][0]["id"]
        assert {c for c in layer.names if table[c].isna().any()} <= set(entry["null_because"])
    assert storm.manifest["rasters"]["water_depth"]["minimum"] == 0.0
    assert roads["water_length_m"].gt(0).all()


def test_road_under_water_is_the_same_sum_by_cell_road_and_class(
    storm: Version, layers: dict[str, gpd.GeoDataFrame]
) -> None:
    told, roads = storm.manifest["scenario"], layers["scenario_roads"]
    total = roads["water_length_m"].sum()
    assert total > 1000
    assert layers["scenario_cells"]["road_water_length_m"].sum() == pytest.approx(total, abs=1e-6)
    assert told["road_water_length_m"] == pytest.approx(total, abs=1e-6)
    by_class = told["road_water_length_by_class_m"]
    assert sum(by_class.values()) == pytest.approx(total, abs=1e-6)
    assert by_class == pytest.approx(dict(roads.groupby("highway")["water_length_m"].sum()))
    assert (roads["water_length_m"] <= roads["length_m"] + 1e-6).all()
    assert (roads["water_depth_max_m"] >= told["parameters"]["wet_depth_m"]).all()


def test_cells_and_roads_agree_with_the_depth_raster(storm: Version, layers: dict[str, gpd.GeoDataFrame]) -> None:
    """The oracle: the published raster, pixel by pixel, joined to the cells as points."""
    raster = read_raster(storm.path, "water_depth")
    row, column = np.nonzero(np.nan_to_num(raster.values) >= 0.1)
    x, y = raster.transform.c + 30.0 * (column + 0.5), raster.transform.f - 30.0 * (row + 0.5)
    depth = raster.values[row, column].astype(float)
    pixels = gpd.GeoDataFrame({"depth": depth}, geometry=gpd.points_from_xy(x, y), crs=raster.crs)
    hexagons = read_layer(storm.layers, "hexagons")[["cell", "geometry"]].to_crs(raster.crs)
    by_cell = gpd.sjoin(pixels, hexagons).groupby("cell")["depth"].agg(["sum", "max", "mean"])
    cells = layers["scenario_cells"].set_index("cell")
    assert set(cells.index) == set(by_cell.index)
    by_cell = by_cell.reindex(cells.index)
    area = raster.pixel_size_m**2
    assert cells["water_volume_m3"].to_numpy() == pytest.approx((by_cell["sum"] * area).to_numpy(), rel=1e-5)
    assert cells["water_depth_max_m"].to_numpy() == pytest.approx(by_cell["max"].to_numpy(), rel=1e-5)
    assert cells["water_depth_mean_m"].to_numpy() == pytest.approx(by_cell["mean"].to_numpy(), rel=1e-5)
    assert (cells["tide_share"] <= cells["water_share"] + 1e-12).all()
    # A road is under water where it runs through wet pixels of the city's cells.
    roads = layers["scenario_roads"].to_crs(raster.crs)
    assert raster.pixel_size_m == 30.0
    squares = shapely.union_all(shapely.box(x - 15, y - 15, x + 15, y + 15))
    within = shapely.length(shapely.intersection(roads.geometry.to_numpy(), squares))
    away = hexagons.union_all().buffer(-25.0).contains(roads.geometry)  # a pixel belongs to the cell of its centre
    assert away.mean() > 0.9
    assert roads.loc[away, "water_length_m"].to_numpy() == pytest.approx(within[away], abs=0.01)


def test_overflowing_ponds_are_full_and_lie_in_their_catchments(
    storm: Version, layers: dict[str, gpd.GeoDataFrame]
) -> None:
    table = layers["scenario_depressions"]
    assert table["overflow_m3"].gt(0).all()
    assert table["stored_m3"].to_numpy() == pytest.approx(table["volume_m3"].to_numpy())
    assert (table["rain_to_fill_mm"] <= 100.0).all()
    plane = table.to_crs(read_raster(storm.path, "water_depth").crs)
    assert plane.area.to_numpy() / 1e6 == pytest.approx(table["catchment_km2"].to_numpy(), rel=1e-6)


def test_the_same_scenario_is_the_same_version_and_the_served_one_stays(sample: Path, storm: Version) -> None:
    versions = Versions(sample / "var")
    serving = versions.current()
    assert serving.id == storm.manifest["scenario"]["base"]
    before = {str(p.relative_to(storm.path)): p.read_bytes() for p in storm.path.rglob("*") if p.is_file()}
    again_in = versions.var / "versions" / "aside"
    storm.path.rename(again_in)  # so that it is made anew and not found
    try:
        assert hexakota("scenario", sample, *STORM, "--version", serving.id).exit_code == 0
        after = {str(p.relative_to(storm.path)): p.read_bytes() for p in storm.path.rglob("*") if p.is_file()}
        assert {"layers.gpkg", "manifest.json", "map.png", "tiles/city.mbtiles"} < set(after)
        assert after == before
    finally:
        shutil.rmtree(again_in)
    assert versions.current() == serving
    for layer in SCENARIO_LAYERS:
        assert read_layer(serving.layers, layer.name).empty
    for layer in LAYERS:
        if layer not in SCENARIO_LAYERS:
            assert storm.manifest["layers"][layer.name] == serving.manifest["layers"][layer.name]


def test_a_scenario_is_never_served_nor_stood_upon_and_is_listed_as_one(sample: Path, storm: Version) -> None:
    refused(hexakota("rollback", sample, storm.id), storm.id, "scenario")
    refused(hexakota("scenario", sample, "--rain-mm", 5, "--version", storm.id), "scenario itself")
    with pytest.raises(StoreError, match="scenario"):
        Versions(sample / "var").serve(storm.id)
    (line,) = (line for line in hexakota("versions", sample).stdout.splitlines() if storm.id in line)
    assert line.startswith(" ")
    assert "scenario: hujan / rain 100 mm, pasang / tide 1.2 m" in line


def test_what_is_asked_makes_the_id(sample: Path, storm: Version) -> None:
    """Another tide of the same height above the ground, and another least depth of hollows, are other scenarios."""
    toml = (sample / "city.toml").read_text()
    try:
        for old, new, tide_m in (
            ("offset_m = 0.25", "offset_m = 0.0", 1.45),
            ("[dem_error]", "[dem_error]\nmin_depth_m = 1.0", 1.2),
        ):
            (sample / "city.toml").write_text(toml.replace(old, new))
            assert hexakota("scenario", sample, "--rain-mm", 100, "--tide-m", tide_m).exit_code == 0
        ids = {v.id: v.manifest["scenario"] for v in scenarios(sample)}
    finally:
        (sample / "city.toml").write_text(toml)
    assert len(ids) == 3
    water = {told["water_volume_m3"] for told in ids.values()}
    assert len(water) == 1
    assert len({told["catchments_overflowing"] for told in ids.values()}) == 2


def test_it_is_served_under_its_id_alone(sample: Path, storm: Version, layers: dict[str, gpd.GeoDataFrame]) -> None:
    with served(sample) as url:
        for name, table in layers.items():
            status, _, page = get(f"{url}/collections/{name}/items", version=storm.id, limit=5)
            assert status == 200, page
            assert page["numberMatched"] == len(table)
            assert get(f"{url}/collections/{name}/items")[2]["numberMatched"] == 0
            told = get(f"{url}/collections/{name}", version=storm.id)[2]["hexakota"]
            assert (told["version"], told["rows"], told["synthetic"]) == (storm.id, len(table), True)
            assert "not a forecast" in told["notes"][0]["en"]
        one = layers["scenario_cells"].iloc[0]
        status, _, item = get(f"{url}/collections/scenario_cells/items/{one['cell']}", version=storm.id)
        assert status == 200
        assert item["properties"]["water_volume_m3"] == one["water_volume_m3"]
        assert get(f"{url}/collections/scenario_cells/items/{one['cell']}")[0] == 404
        skill = get(f"{url}/collections/hexagons")[2]["hexakota"]["skill"]
        assert skill["flood_score"]["auc"]["value"] > 0.5


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    city = write_tiny_city(tmp_path / "city")
    assert hexakota("run", city).exit_code == 0
    return city


def edit(city: Path, more: str) -> None:
    with (city / "city.toml").open("a") as file:
        file.write(more)


def test_what_cannot_be_asked_is_one_line(tiny: Path) -> None:
    refused(hexakota("scenario", tiny, *STORM), "city.toml: tide: is missing", "offset_m")
    for rain in (-1, "nan", 2001):
        refused(hexakota("scenario", tiny, "--rain-mm", rain), "--rain-mm", "0–2000 mm")
    refused(hexakota("scenario", tiny, "--rain-mm", 5, "--version", "nonsense"), "nonsense")
    edit(tiny, '[tide]\ndatum = "LAT"\noffset_m = -1.0\n')
    refused(hexakota("scenario", tiny, *STORM), "city.toml: tide", "no sea")
    refused(hexakota("scenario", tiny, "--rain-mm", 5, "--tide-m", "nan"), "--tide-m", "not a number")
    assert scenarios(tiny) == []
    assert not list((tiny / "var/versions").glob(".staging-*"))


def test_no_rain_is_no_water(tiny: Path) -> None:
    assert hexakota("scenario", tiny, "--rain-mm", 0).exit_code == 0
    told = last(tiny).manifest
    assert [told["layers"][layer.name]["rows"] for layer in SCENARIO_LAYERS] == [0, 0, 0]
    assert told["scenario"]["water_volume_m3"] == told["scenario"]["road_water_length_m"] == 0.0
    assert told["rasters"]["water_depth"]["maximum"] == 0.0


def test_a_city_without_roads_still_floods(tmp_path: Path) -> None:
    city = write_tiny_city(tmp_path / "city")
    toml = (city / "city.toml").read_text()
    (city / "city.toml").write_text(toml.replace('[[roads]]\npath = "roads.geojson"\n', ""))
    assert hexakota("run", city).exit_code == 0
    result = hexakota("scenario", city, "--rain-mm", 500)
    assert result.exit_code == 0, result.output
    told = last(city).manifest
    assert told["layers"][SCENARIO_CELLS.name]["rows"] > 0
    assert told["layers"][SCENARIO_ROADS.name]["rows"] == 0
    assert told["layers"][SCENARIO_DEPRESSIONS.name]["rows"] > 0


def test_a_version_without_rasters_says_so(tiny: Path) -> None:
    """As an older program published them: no rasters, no skill."""
    version = Versions(tiny / "var").current()
    shutil.rmtree(version.path / "rasters")
    manifest = {k: v for k, v in version.manifest.items() if k not in ("rasters", "skill")}
    (version.path / "manifest.json").write_text(json.dumps(manifest))
    refused(hexakota("scenario", tiny, "--rain-mm", 5), version.id, "older one")
    assert version.id in hexakota("versions", tiny).stdout


def test_a_series_of_the_tide_floods_as_its_highest_and_counts_its_hours(
    sample: Path, storm: Version, tmp_path: Path
) -> None:
    city = tmp_path / "city"
    shutil.copytree(sample, city)
    rows = [f"2025-01-01T{hour:02d}:00:00Z,{(1.2, 0.4, -0.6)[hour % 3]}" for hour in range(24)]
    bad = "2025-01-02T00:00:00Z,high"
    (city / "data/tide.csv").write_text("\n".join(["time,level_m", *rows, bad]) + "\n", "utf-8")
    refused(hexakota("scenario", city, "--rain-mm", "100", "--tide-series"), "city.toml", "tide_series")
    with (city / "city.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[[tide_series]]\npath = "data/tide.csv"\n')
    assert hexakota("scenario", city, *STORM, "--tide-series").exit_code == 2
    result = hexakota("scenario", city, "--rain-mm", "100", "--tide-series")
    assert result.exit_code == 0
    assert "1 baris ditolak / rows refused" in result.stderr
    found = last(city)
    assert found.id != storm.id
    told = found.manifest["scenario"]
    assert told["sea_level_m"] == 1.45
    assert [told["tide_readings"][k] for k in ("rows_in", "rows_used", "rows_quarantined", "hours")] == [25, 24, 1, 24]
    assert told["tide_readings"]["quarantine_reasons"] == {"not_a_number": 1}
    depth = [read_raster(version.path, "water_depth").values for version in (storm, found)]
    assert np.array_equal(*depth, equal_nan=True)
    hours = read_raster(found.path, "tide_hours").values
    assert set(np.unique(hours[np.isfinite(hours)])) == {0.0, 8.0, 16.0}  # at −0.35 m the sea floods no land
    assert np.nanmin(depth[1][hours > 0]) > 0
    head = read_raster(found.path, "drainage_head").values
    assert np.nanmin(head) < 0 < np.nanmax(head)


def test_its_tiles_are_those_of_its_base_and_its_own(sample: Path, storm: Version) -> None:
    base = Versions(sample / "var").get(storm.manifest["scenario"]["base"])
    before, after = base.manifest["tiles"]["sets"], storm.manifest["tiles"]["sets"]
    wet = {name for name in ("scenario_cells", "scenario_roads", "scenario_depressions") if rows(storm, name)}
    assert wet
    assert set(after) == set(before) | wet
    assert {name for name in before if before[name] != after[name]} == {"city"}
    for zoom in (6, 14):
        seen = {name for _, layers in stored(storm.path / "tiles/city.mbtiles", zoom) for name in layers}
        assert {"scenario_cells", "hexagons"} <= seen


def rows(version: Version, name: str) -> int:
    return int(version.manifest["layers"][name]["rows"])
