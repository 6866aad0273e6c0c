"""`check` tells what is wrong with a city's inputs, and what a run would leave out, and writes nothing."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio

from spatial import pipeline
from spatial.quality import Checked, check
from spatial.quality.report_checks import check_reports, times_of
from spatial.sample import write_sample_city
from tests.pipeline.tiny import EAST, NORTH, SOUTH, WEST, write_tiny_city

CITIES = Path(__file__).parents[1] / "cities"


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def codes(checked: Checked, *levels: str) -> set[str]:
    return {f.code for f in checked.quality.findings if not levels or f.level in levels}


def test_a_sound_city_is_fit_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    city = write_tiny_city(tmp_path)
    before = hashes(city)
    checked = check(city)
    assert hashes(city) == before
    quality = checked.quality
    assert quality.verdict.code == "fit_with_warnings"
    (reports,) = (f for f in quality.files if f.kind == "reports")
    assert (reports.rows_in, reports.used, reports.quarantined) == (114, 111, 3)
    told = {(r.reason, r.rows, r.examples[0].row, r.examples[0].field, r.examples[0].value) for r in quality.refused}
    assert told == {
        ("missing_coordinate", 1, 111, "lon", ""),
        ("zero_coordinate", 1, 112, "lon", "0, 0"),
        ("unreadable_time", 1, 113, "waktu", "kemarin"),
    }
    assert {r.file for r in quality.refused} == {"reports.csv"}
    assert quality.reports is not None
    assert quality.reports.flags["outside_area"] == 1
    hours = quality.reports.times.hours
    assert (hours[0], hours[7], hours[18], hours[20]) == (1, 60, 40, 10)
    assert sum(n for _, n in quality.reports.times.months) == 111
    assert quality.elevation is not None
    assert quality.elevation.faults == ()
    assert quality.lamps == 57


def test_what_check_says_of_the_results_is_what_a_run_says(tmp_path: Path) -> None:
    city = write_tiny_city(tmp_path)
    quality = check(city).quality
    manifest = pipeline.run(city).version.manifest
    before = hashes(city)
    again = check(city).quality
    assert hashes(city) == before
    assert (again.left_out, again.results) == (quality.left_out, quality.results)
    assert [(f.code, f.id, f.en) for f in quality.left_out] == [
        (row["code"], row["id"], row["en"]) for row in manifest["left_out"]
    ]
    assert dict(quality.results) == {name: layer["rows"] for name, layer in manifest["layers"].items()}
    for cost in quality.costs:
        for layer, columns in cost.columns:
            for column in columns:
                assert manifest["layers"][layer]["null_because"][column] == {"id": cost.id, "en": cost.en}
    gaps = {c.en: dict(c.columns) for c in quality.costs if c.gap}
    assert gaps["no kecamatan boundaries"]["hexagons"] == ("kecamatan",)
    assert not any(c.en.startswith("not computed yet") for c in quality.costs if c.gap)


def plant_reports(city: Path) -> None:
    """60 on one coordinate, 3 repeats, 5 of unknown word, 2 of rounded coordinate, 30 at midnight, 4 outside."""
    rows = [
        f"d{i},117.505123,-3.305123,Jalan rusak,bawaan,menunggu,2025-0{1 + i % 9}-0{1 + i % 7} 09:30,"
        for i in range(60)
    ]
    rows += [f"r{i},117.512345,-3.316543,Pohon tumbang,sama,menunggu,2025-04-0{1 + i} 09:30," for i in range(4)]
    rows += [f"u{i},117.5{i}4321,-3.31{i}321,Ular masuk,?,menunggu,2025-04-02 10:30," for i in range(0)]
    rows += [f"u{i},{117.5041 + 0.002 * i:.6f}1,-3.3181231,Ular masuk,?,menunggu,2025-04-02 10:30," for i in range(5)]
    rows += [f"o{i},118.{i}00001,-3.310001,Sampah,jauh,menunggu,2025-05-01 08:00," for i in range(1, 5)]
    with (city / "reports.csv").open("a", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")


def test_planted_faults_of_reports_are_counted(tmp_path: Path) -> None:
    city = write_tiny_city(tmp_path)
    plant_reports(city)
    checked = check(city)
    found = checked.quality.reports
    assert found is not None
    (default,) = found.defaults
    assert (default.reports, default.categories) == (60, (("road", 60),))
    assert (round(default.lon, 6), round(default.lat, 6), default.example) == (117.505123, -3.305123, "bawaan")
    assert found.flags["default_location"] == 60
    assert found.flags["outside_area"] == 5
    assert found.flags["duplicate"] == 3
    assert found.unmapped == (("Ular masuk", 5),)
    assert found.examples["default_location"] == ("reports:d0", "reports:d1", "reports:d10")
    assert found.examples["duplicate"] == ("reports:r1", "reports:r2", "reports:r3")
    assert found.examples["time_unknown"] == ()
    assert {"default_location", "outside_area", "duplicate", "quarantined"} <= codes(checked)


def test_a_busy_coordinate_that_is_counted_is_listed_too() -> None:
    """51 reports of a corner whose surroundings are as busy, and 50 of another: only more than 50 are listed."""
    n = 51 + 50
    reports = gpd.GeoDataFrame(
        {
            "report_id": [f"r{i:03d}" for i in range(n)],
            "category": "waste",
            "category_basis": "source",
            "description": None,
            "quality": None,
            "requested_datetime": pd.Series(pd.NaT, index=range(n), dtype="datetime64[ms, UTC]"),
            "x": [0.0] * 51 + [100.0] * 50,
            "y": 0.0,
        },
        geometry=gpd.points_from_xy([117.5] * n, [-3.3] * n),
        crs="EPSG:4326",
    )
    (place,) = check_reports(reports, n, 9, {}, pd.DataFrame(), "UTC").busy
    assert (place.reports, place.default, place.example_id) == (51, False, "r000")


def plant_heights(city: Path) -> dict[str, tuple[float, float]]:
    """A spike of 200 m, a pit of 50 m, a lake of 12 × 12 pixels, a hole of 6 × 5; return their places in degrees."""
    with rasterio.open(city / "dem.tif") as file:
        profile, values = file.profile, file.read(1)
    values[30, 30] += 200.0
    values[80, 75] -= 50.0
    values[40:52, 62:74] = 9.0
    values[60:65, 30:36] = -9999.0
    (city / "dem.tif").unlink()
    with rasterio.open(city / "dem.tif", "w", **{**profile, "nodata": -9999.0}) as file:
        file.write(values, 1)
        pixels = {"spike": (30, 30), "pit": (80, 75), "flat": (46, 68), "hole": (62, 33)}
        return {kind: file.transform @ (column + 0.5, row + 0.5) for kind, (row, column) in pixels.items()}


def test_planted_faults_of_elevation_are_found_and_no_more(tmp_path: Path) -> None:
    city = write_tiny_city(tmp_path)
    planted = plant_heights(city)
    checked = check(city)
    elevation = checked.quality.elevation
    assert elevation is not None
    assert sorted(place.fault.kind for place in elevation.faults) == ["flat", "hole", "pit", "spike"]
    for place in elevation.faults:
        lon, lat = planted[place.fault.kind]
        reach = 0.0003 if place.fault.kind in ("spike", "pit") else 0.002
        assert abs(place.lon - lon) < reach, place
        assert abs(place.lat - lat) < reach, place
    off = {place.fault.kind: place.fault.off_m for place in elevation.faults}
    assert (off["spike"], off["pit"]) == (pytest.approx(96, abs=2), pytest.approx(30, abs=2))  # as docs/check.md says
    area = (EAST - WEST) * (NORTH - SOUTH) / 0.00027**2
    assert elevation.facts.nodata_share_in_area == pytest.approx(30 / area, rel=0.15)
    assert {"spikes", "pits", "nodata"} <= codes(checked, "warning")
    assert "flats" in codes(checked, "note")


def test_a_missing_datum_and_impossible_heights_are_told(tmp_path: Path) -> None:
    city = write_tiny_city(tmp_path)
    text = (city / "city.toml").read_text("utf-8")
    (city / "city.toml").write_text(text.replace('vertical_datum = "EGM2008"\n', 'unit = "m"\n'), "utf-8")
    with rasterio.open(city / "dem.tif", "r+") as file:
        file.write(file.read(1) * np.float32(300.0), 1)
    checked = check(city)
    assert {"no_datum", "height_range"} <= codes(checked)
    assert checked.quality.verdict.code == "not_fit"


def test_a_city_that_cannot_be_scored_is_not_fit(tmp_path: Path) -> None:
    write_tiny_city(tmp_path)
    text = (tmp_path / "city.toml").read_text("utf-8")
    head, tail = text.split("[[reports]]")[0], text.split("[[roads]]")[1]
    (tmp_path / "city.toml").write_text(head + "[[roads]]" + tail.split("[[elevation]]")[0], "utf-8")
    checked = check(tmp_path)
    assert "nothing_to_score" in codes(checked, "problem")
    assert (checked.quality.reports, checked.quality.elevation, checked.quality.lamps) == (None, None, None)


def test_every_finding_is_documented() -> None:
    root = Path(__file__).parents[2]
    source = (root / "spatial/quality/verdict.py").read_text("utf-8")
    told = {
        call.args[1].value
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") == "Finding"
        and isinstance(call.args[1], ast.Constant)
    }
    assert len(told) > 15
    text = (root / "docs/check.md").read_text("utf-8")
    assert {code for code in {*told, "spikes", "pits"} if f"`{code}`" not in text} == set()


def test_times_are_counted_in_the_citys_zone() -> None:
    moments = pd.Series(pd.to_datetime(["2024-12-31T16:30:00Z", "2024-12-31T16:00:00Z", "2025-03-01T00:00:00Z", None]))
    times = times_of(moments, "Asia/Makassar")
    assert times.hours[0] == 2
    assert times.hours[8] == 1
    assert times.months == (("2025-01", 2), ("2025-02", 0), ("2025-03", 1))
    assert (times.unknown, times.midnight, times.first) == (1, 1, "2025-01-01 00:00")
    assert times.night_share == pytest.approx(1 / 2)


def test_the_sample_citys_default_point_and_wrong_rows_are_found(tmp_path: Path) -> None:
    write_sample_city(tmp_path / "city", seed=1)
    truth = json.loads((tmp_path / "city/truth/summary.json").read_text("utf-8"))["reports"]
    before = hashes(tmp_path)
    quality = check(tmp_path / "city").quality
    assert hashes(tmp_path) == before
    assert quality.reports is not None
    assert [place.reports for place in quality.reports.defaults] == [truth["default_point"]] == [240]
    assert sum(r.rows for r in quality.refused) + quality.reports.flags["outside_area"] >= truth["wrong_row"] == 49
    assert quality.elevation is not None
    assert quality.elevation.of("spike", "pit", "hole") == ()
    assert {cost.en for cost in quality.costs if cost.gap} == {
        "no buildings are given",
        "no facilities are given",
        "the city names no past flood ([[flood_labels]])",
    }


def test_lisbon(shared_data) -> None:
    shared_data("lisbon/reports_na_minha_rua.geojson")
    quality = check(CITIES / "lisbon").quality
    assert quality.reports is not None
    assert quality.roads is not None
    assert quality.elevation is not None
    assert quality.reports.flags["time_unknown"] == quality.reports.flags["location_rounded"] == 2306
    assert quality.reports.defaults == ()
    assert quality.reports.times.known == 0
    assert sum(n for word, n in quality.reports.unmapped if not word.startswith("status:")) == 153
    assert quality.roads.without_class == quality.roads.roads
    assert quality.elevation.of("spike", "pit") == ()
    found = {f.code for f in quality.findings if f.level == "warning"}
    assert {"time_unknown", "location_rounded", "roads_without_class", "unmapped"} <= found
    assert quality.verdict.code == "fit_with_warnings"
    assert {"few_flood_reports", "no_times", "no_road_classes"} <= {f.code for f in quality.left_out}


def test_jakarta(shared_data) -> None:
    shared_data("jakarta/reports_petabencana_2017.geojson")
    quality = check(CITIES / "jakarta").quality
    assert quality.reports is not None
    assert quality.elevation is None
    assert quality.reports.times.months == (("2017-02", 1204),)
    assert quality.reports.times.first is not None
    assert quality.reports.times.first.startswith("2017-02-20")
    costs = {c.en: dict(c.columns) for c in quality.costs if c.gap}
    assert "hand_min_m" in costs["the city has no elevation data"]["hexagons"]
    assert {"no_elevation", "no_background", "no_lamps"} <= {f.code for f in quality.left_out}
