"""Cities that are odd but ordinary: nothing crashes, nothing is lost in silence, every null keeps its reason."""

from __future__ import annotations

import json
import re
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from click.testing import CliRunner

from services.cli import main
from spatial import pipeline
from spatial.errors import InputError
from spatial.registry import LAYERS
from spatial.store.geopackage import read_layer
from tests.pipeline.tiny import write_tiny_city

Layers = dict[str, gpd.GeoDataFrame]


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return write_tiny_city(tmp_path / "kota uji")


def edit(city: Path, old: str, new: str) -> None:
    text = (city / "city.toml").read_text()
    assert old in text
    (city / "city.toml").write_text(text.replace(old, new, 1))


def without(city: Path, table: str) -> None:
    text = (city / "city.toml").read_text()
    (city / "city.toml").write_text(re.sub(rf"\[\[{table}\]\]\n(?:(?!\[\[|\[evidence).*\n)*", "", text))


def run(city: Path, **options: bool) -> tuple[dict, Layers]:
    version = pipeline.run(city, **options).version
    layers = {layer.name: read_layer(version.layers, layer.name) for layer in LAYERS}
    manifest = version.manifest
    for layer in LAYERS:
        nulls = {c for c in layer.names if layers[layer.name][c].isna().any()}
        assert nulls <= set(manifest["layers"][layer.name]["null_because"]), layer.name
    for row in manifest["inputs"]:
        if row["rows_in"] is not None:
            assert row["rows_in"] == row["rows_used"] + row["rows_quarantined"] + row["rows_excluded"], row
    return manifest, layers


def split_reports(city: Path, second: list[str]) -> None:
    lines = (city / "reports.csv").read_text().splitlines()
    (city / "more.csv").write_text("\n".join([lines[0], *second]) + "\n")
    block = (city / "city.toml").read_text().split("[[reports]]")[1].split("[[roads]]")[0]
    edit(city, "[[roads]]", f"[[reports]]{block.replace('reports.csv', 'more.csv')}[[roads]]")
    for name in ("reports.csv", "more.csv"):
        edit(city, f'path = "{name}"\n[reports', f'path = "{name}"\nsource = "qlue"\n[reports')


@pytest.mark.parametrize("table", ["roads", "lamps", "elevation", "admin_areas", "reports", "buildings", "waterways"])
def test_a_city_can_do_without_any_input(city: Path, table: str) -> None:
    without(city, table)
    manifest, _ = run(city)
    assert manifest["left_out"]


def test_reports_taken_out_of_a_city_that_had_them(city: Path) -> None:
    run(city)
    without(city, "reports")
    manifest, layers = run(city)
    assert manifest["reports"]["kept_from_earlier_deliveries"] == 111
    assert layers["hexagons"]["reports_total"].sum() == 110
    manifest, layers = run(city, drop_missing=True)
    assert manifest["reports"]["stored"] == 0
    assert layers["hexagons"]["reports_total"].isna().all()


def test_a_renamed_file_is_not_counted_twice_when_told_so(city: Path) -> None:
    run(city)
    (city / "reports.csv").rename(city / "laporan.csv")
    edit(city, "reports.csv", "laporan.csv")
    manifest, _ = run(city)
    assert manifest["reports"]["kept_from_earlier_deliveries"] == 111
    manifest, _ = run(city, drop_missing=True)
    assert (manifest["reports"]["stored"], manifest["reports"]["kept_from_earlier_deliveries"]) == (111, 0)


def test_a_later_delivery_supersedes_a_report_and_the_earlier_row_is_kept_aside(city: Path) -> None:
    split_reports(city, ["w0,117.505,-3.311,Banjir,baru,menunggu,2025-09-01 07:00,"])
    manifest, layers = run(city)
    assert manifest["reports"]["quarantine_reasons"]["superseded"] == 1
    assert manifest["reports"]["stored"] == 111
    assert layers["reports"].set_index("report_id").loc["qlue:w0", "category"] == "flood"
    rows = gpd.read_file(city / "var/live.gpkg", layer="quarantine")
    assert rows.loc[rows["reason"] == "superseded", "value"].tolist() == ["qlue:w0"]


def test_one_file_named_twice_needs_two_names(city: Path) -> None:
    block = (city / "city.toml").read_text().split("[[reports]]")[1].split("[[roads]]")[0]
    edit(city, "[[roads]]", f"[[reports]]{block}[[roads]]")
    with pytest.raises(InputError, match="named twice"):
        run(city)
    edit(city, 'path = "reports.csv"\n[reports', 'path = "reports.csv"\nsource = "a"\n[reports')
    manifest, _ = run(city)
    assert manifest["reports"]["rows_in"] == 2 * 114


def test_an_id_on_two_different_roads_of_two_files_is_said(city: Path) -> None:
    roads = json.loads((city / "roads.geojson").read_text())
    roads["features"] = roads["features"][:1]
    roads["features"][0]["geometry"]["coordinates"] = [[117.501, -3.305], [117.515, -3.305]]
    (city / "more.geojson").write_text(json.dumps(roads))
    edit(city, "[[elevation]]", '[[roads]]\npath = "more.geojson"\n[roads.columns]\nroad_id = "osm_id"\n[[elevation]]')
    edit(city, 'path = "roads.geojson"\n', 'path = "roads.geojson"\n[roads.columns]\nroad_id = "osm_id"\n')
    manifest, layers = run(city)
    more = next(row for row in manifest["inputs"] if row["path"] == "more.geojson")
    assert (more["rows_in"], more["rows_used"], more["rows_quarantined"]) == (1, 0, 1)
    assert len(layers["roads"]) == 2


def test_all_rows_quarantined(city: Path) -> None:
    lines = (city / "reports.csv").read_text().splitlines()
    (city / "reports.csv").write_text(
        "\n".join([lines[0], "x,,,Sampah,tanpa lokasi,menunggu,2025-05-01 00:00,"]) + "\n"
    )
    manifest, layers = run(city)
    assert "no_reports" in {row["code"] for row in manifest["left_out"]}
    assert layers["hexagons"]["flood_score"].notna().any()
    edit(city, "bbox = [117.500, -3.320, 117.518, -3.302]", 'hull_of = "reports"\nbuffer_m = 500')
    with pytest.raises(InputError, match="hull_of"):
        run(city)


def test_as_of_in_the_past_knows_nothing_of_the_future(city: Path) -> None:
    edit(city, "[area]", "as_of = 2025-04-01T00:00:00Z\n[area]")
    manifest, layers = run(city)
    late = layers["reports"]["requested_datetime"] > pd.Timestamp("2025-04-01", tz="UTC")
    outside = layers["reports"]["quality"].fillna("").str.contains("outside_area")
    assert manifest["reports"]["after_as_of"] == late.sum() > 0
    assert manifest["reports"]["in_cells_and_counted"] == 110 - (late & ~outside).sum()
    assert layers["hexagons"]["reports_total"].sum() == 110 - (late & ~outside).sum()
    assert layers["lighting_zones"].empty
    for zone in layers["flood_zones"].itertuples():
        assert pd.isna(zone.last_report) or zone.last_report <= pd.Timestamp("2025-04-01T00:00:00Z")


def test_incidents_outside_the_window_seed_nothing(city: Path) -> None:
    edit(city, "[evidence]", "[evidence]\nwindow_days = 30")
    _, layers = run(city)
    recent = layers["reports"][(layers["reports"]["category"] == "flood") & layers["reports"]["duplicate_of"].isna()]
    as_of = layers["reports"]["requested_datetime"].max()
    inside = recent["requested_datetime"] >= as_of - pd.Timedelta(days=30)
    assert layers["hexagons"]["incidents_flood"].sum() == inside.sum()


def test_drainage_is_no_background_and_lamps_are_the_exposure_of_lighting(city: Path) -> None:
    """With every other report turned into drainage there is nothing to correct by; lamps still spread the lighting."""
    text = (city / "reports.csv").read_text().replace(",Sampah,", ",Drainase,")
    (city / "reports.csv").write_text(text)
    edit(city, "min_background_reports = 10", "min_background_reports = 20")
    manifest, layers = run(city)
    assert "no_background" in {row["code"] for row in manifest["left_out"]}
    assert set(layers["hexagons"]["exposure_basis"]) == {"none"}
    assert manifest["facts"]["lighting_exposure_basis"] == "lamps"
    cells = layers["hexagons"]
    lit = cells[cells["lamps_total"] > 0]
    assert lit.loc[lit["incidents_lighting"].idxmax(), "lighting_score"] == cells["lighting_score"].max()
    notes = [note["en"] for note in manifest["layers"]["lighting_zones"]["notes"]]
    assert "Exposure of lighting reports: lamps." in notes


def test_a_geocoders_default_point_is_flagged_and_not_counted(city: Path) -> None:
    with (city / "reports.csv").open("a") as file:
        for i in range(60):
            file.write(f"d{i},117.512,-3.306,Sampah,bawaan,menunggu,2025-0{1 + i % 9}-05 09:00,\n")
    manifest, layers = run(city)
    assert manifest["reports"]["flags"]["default_location"] == 60
    assert layers["hexagons"]["reports_total"].sum() == 110
    flagged = layers["reports"][layers["reports"]["quality"].fillna("").str.contains("default_location")]
    assert set(flagged["report_id"].str.slice(8, 9)) == {"d"}


def test_swapped_coordinates_are_recognised_through_the_city(city: Path) -> None:
    with (city / "reports.csv").open("a") as file:
        file.write("s1,-3.31,117.51,Sampah,tertukar,menunggu,2025-05-01 00:00,\n")
        file.write("s2,-3.311,87.0,Sampah,jauh,menunggu,2025-05-01 00:00,\n")
    manifest, _ = run(city)
    reasons = manifest["reports"]["quarantine_reasons"]
    assert reasons.get("swapped", 0) + reasons.get("out_of_range", 0) >= 1


def test_report_rates_are_per_kilometre(city: Path) -> None:
    _, layers = run(city)
    cells = layers["hexagons"].dropna(subset="report_rate")
    raw = cells["reports_total"] / (cells["road_length_m"] / 1000.0)
    overall = layers["hexagons"].loc[cells.index, "reports_total"].sum() / (cells["road_length_m"].sum() / 1000.0)
    low, high = raw.clip(upper=overall), raw.clip(lower=overall)
    assert ((cells["report_rate"] >= low - 1e-9) & (cells["report_rate"] <= high + 1e-9)).all()


def test_personal_data_is_not_published(city: Path) -> None:
    with (city / "reports.csv").open("a") as file:
        file.write("p1,117.51,-3.31,Sampah,hubungi 0812-3456-7890 budi@example.com,menunggu,2025-05-01 00:00,\n")
    _, layers = run(city)
    assert layers["reports"].set_index("report_id").loc["reports:p1", "description"] == "hubungi [telepon] [surel]"


def test_cells_finer_than_the_elevation_are_refused_or_flagged(city: Path) -> None:
    edit(city, "[area]", "resolution = 10\n[area]")
    with pytest.raises(InputError, match="too fine"):
        run(city)
    edit(city, "[area]", "allow_fine_resolution = true\n[area]")
    manifest, _ = run(city)
    assert "fine_resolution" in {row["code"] for row in manifest["left_out"]}


def test_land_without_streams(city: Path) -> None:
    edit(city, "[evidence]", "[terrain]\nstream_threshold_km2 = 1000\n[evidence]")
    _, layers = run(city)
    assert layers["streams"].empty
    assert layers["catchments"].empty
    assert layers["hexagons"]["hand_mean_m"].isna().all()


def test_an_area_beyond_utm_is_refused(city: Path) -> None:
    edit(city, "[117.500, -3.320, 117.518, -3.302]", "[10, 88, 10.1, 88.1]")
    without(city, "elevation")
    with pytest.raises(InputError, match="UTM"):
        run(city)


def test_the_summary_names_a_city_with_spaces_as_a_shell_wants_it(city: Path) -> None:
    result = CliRunner().invoke(main, ["run", str(city)])
    assert result.exit_code == 0, result.output
    assert f"hexakota serve '{city}'" in result.output.replace("\n", "")
