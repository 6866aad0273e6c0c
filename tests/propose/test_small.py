"""Small tables made by hand: content before names, doubts asked, order of rows and columns without effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from shapely.geometry import LineString

from services.cli import main
from spatial.config import load_settings
from spatial.errors import InputError
from spatial.propose import FileProposal, as_lines, as_toml, propose
from spatial.propose.places import indonesian_zone
from spatial.propose.reports import propose_points
from spatial.propose.values import Column
from spatial.sample import write_sample_city
from spatial.sources.formats import RawTable
from spatial.sources.taxonomy import load_taxonomy
from tests.sources.data import write_csv

TAXONOMY = load_taxonomy()
WORDS = ["sampah", "banjir", "lampu jalan", "pohon tumbang", "grafiti"]


def table(rows: int = 40, **columns: list[Any]) -> pd.DataFrame:
    """Return reports of Kupang; `columns` replace or add, None takes one away."""
    made: dict[str, Any] = {
        "nomor": [f"K-{i * 7}" for i in range(rows)],
        "bujur": [f"{123.55 + i * 0.00137:.5f}" for i in range(rows)],
        "lintang": [f"{-10.2 + i * 0.00091:.5f}" for i in range(rows)],
        "kategori": [WORDS[i % len(WORDS)] for i in range(rows)],
        "status": [("baru", "selesai")[i % 2] for i in range(rows)],
        "waktu": [f"2025-01-{1 + i % 28:02d} 08:{i % 60:02d}" for i in range(rows)],
        "uraian": [f"ada masalah nomor {i} di depan rumah" for i in range(rows)],
    }
    return pd.DataFrame({k: v for k, v in {**made, **columns}.items() if v is not None}, dtype=object)


def look(frame: pd.DataFrame) -> FileProposal:
    raw = RawTable(frame.set_axis(pd.RangeIndex(1, len(frame) + 1)), None, None, ())
    return propose_points(Path("laporan.csv"), raw, TAXONOMY)


def settled(file: FileProposal) -> dict[str, Any]:
    return {s.key: s.value for s in file.settings if s.active}


def test_a_plain_table_and_its_evidence() -> None:
    file = look(table())
    assert settled(file) == {
        "columns.lon": "bujur",
        "columns.lat": "lintang",
        "columns.report_id": "nomor",
        "columns.category": "kategori",
        "columns.status": "status",
        "columns.description": "uraian",
        "columns.requested_datetime": "waktu",
    }
    evidence = {s.key: s.evidence for s in file.settings}
    assert evidence["columns.category"] == "`kategori`: 5 kata / words, 4 dikenal / known (32/40)"
    assert "grafiti 8" in file.asked()["columns.category"]
    assert evidence["columns.requested_datetime"] == "40 dari / of 40 adalah waktu / are times, tanpa zona / no offset"
    assert list(file.asked()) == ["columns.category"]


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"bujur": table()["lintang"].tolist(), "lintang": table()["bujur"].tolist()}, "columns.lon"),
        ({"bujur": ["571234.5"] * 40, "lintang": ["8871234.5"] * 40}, "crs"),
        ({"bujur": None, "lintang": None, "a": ["1.12345"] * 40, "b": ["2.12345"] * 40}, "columns.lon"),
        ({"lat": ["-10.2"] * 40, "latitude": ["-10.3"] * 40}, "columns.lat"),
        ({"waktu": ["03/04/2025 08:00"] * 40}, "time_format"),
        ({"waktu": None, "w1": ["2025-01-02"] * 40}, "columns.requested_datetime"),
        ({"nomor": [str(i) for i in range(1, 41)]}, "columns.report_id"),
        ({"id": [f"x{i}" for i in range(40)]}, "columns.report_id"),
        ({"kategori": ["xyz", "abc"] * 20}, "category"),
        ({"kedalaman": ["55"] * 40}, "depth_unit"),
        ({"sumber": ["qlue", "lapor"] * 20}, "columns.source"),
    ],
)
def test_a_doubt_is_written_as_a_comment_and_asked(change: dict[str, Any], asked: str) -> None:
    file = look(table(**change))
    assert asked in file.asked()
    assert asked not in settled(file)


def test_content_decides_before_names() -> None:
    days = [f"{1 + i % 28:02d}/03/2025 0{i % 9}:15" for i in range(40)]
    assert settled(look(table(waktu=days)))["time_format"] == "%d/%m/%Y %H:%M"
    assert settled(look(table(kategori=None, xyz=WORDS * 8)))["columns.category"] == "xyz"
    wrong = look(table(status=["entah"] * 40))
    assert "columns.status" not in settled(wrong)
    assert any("`status`" in question for question in wrong.questions)  # the reader would take it for its name
    pairs = [f"({-10.2 + i / 1000:.5f}, {123.5 + i / 1000:.5f})" for i in range(40)]
    assert settled(look(table(bujur=None, lintang=None, Lokasi=pairs)))["columns.point"] == "Lokasi"
    turned = [f"{123.5 + i / 1000:.5f}, {-10.2 + i / 1000:.5f}" for i in range(40)]
    assert "columns.point" in look(table(bujur=None, lintang=None, Lokasi=turned)).asked()
    late = [f"2024-01-{1 + i % 28:02d} 08:00" for i in range(40)]
    assert "columns.resolved_datetime" in look(table(waktu_selesai=late)).asked()
    depths = look(table(kedalaman_cm=["55"] * 40))
    assert settled(depths)["depth_unit"] == "cm"


def test_offsets_need_no_zone() -> None:
    aware = [f"2025-01-02T08:{i:02d}:00+08:00" for i in range(40)]
    assert look(table(waktu=aware)).zoneless == ()
    assert look(table(waktu=[*aware[:39], "2025-01-02T08:00:00"])).zoneless != ()
    assert look(table()).zoneless != ()


def test_lamps_are_told_from_reports() -> None:
    keep = {name: None for name in ("nomor", "kategori", "status", "waktu", "uraian")}
    file = look(table(**keep, id_lampu=[f"L{i}" for i in range(40)], id_panel=["P1", "P2"] * 20))
    assert file.kind == "lamps"
    assert settled(file) == {
        "columns.lon": "bujur",
        "columns.lat": "lintang",
        "columns.lamp_id": "id_lampu",
        "columns.panel_id": "id_panel",
    }


@given(st.permutations(range(40)), st.permutations(range(7)))
@settings(max_examples=25)
def test_the_order_of_rows_and_columns_does_not_matter(rows: list[int], columns: list[int]) -> None:
    shuffled = table().iloc[list(rows), list(columns)]
    assert look(shuffled) == look(table())


@given(st.lists(st.none() | st.text(max_size=8) | st.floats() | st.integers() | st.booleans(), min_size=1, max_size=12))
@settings(max_examples=100)
def test_any_column_is_looked_at_without_an_error(values: list[Any]) -> None:
    column = Column("waktu", pd.Series(values, dtype=object))
    assert 0 <= column.numeric <= 1
    assert column.times is None or 0.9 <= column.times.read <= 1
    frame = pd.DataFrame({"waktu": values, "lat": values, "x": values[::-1], "kategori": values}, dtype=object)
    proposal = look(frame)
    assert proposal.kind in ("reports", "lamps")


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ((106.8, -6.2), "Asia/Jakarta"),
        ((123.6, -10.2), "Asia/Makassar"),
        ((117.6, 3.3), "Asia/Makassar"),
        ((140.7, -2.5), "Asia/Jayapura"),
        ((98.7, 3.6), "Asia/Jakarta"),
        ((114.4, -8.2), None),  # Banyuwangi and Bali: one longitude, two zones
        ((103.8, 1.3), None),  # Singapore
        ((110.3, 1.5), None),  # Kuching
        ((125.6, -8.6), None),  # Dili
        ((-9.1, 38.7), None),
    ],
)
def test_the_time_zone_of_a_place(place: tuple[float, float], zone: str | None) -> None:
    found = indonesian_zone((*place, *place))
    assert (found and found[0]) == zone


def write_raster(path: Path, values: np.ndarray[Any, Any], crs: str, transform: Any) -> Path:
    place = {"crs": crs, "transform": transform, "height": values.shape[0], "width": values.shape[1]}
    with rasterio.open(path, "w", driver="GTiff", count=1, dtype=values.dtype, **place) as file:
        file.write(values, 1)
    return path


@pytest.mark.parametrize(("pixel", "resolution"), [(8.0, 10), (30.0, 9), (90.0, 8)])
def test_the_resolution_follows_the_pixel(tmp_path: Path, pixel: float, resolution: int) -> None:
    heights = np.arange(100, dtype="float32").reshape(10, 10)
    path = write_raster(tmp_path / "dem.tif", heights, "EPSG:32751", from_origin(570000, 8870000, pixel, pixel))
    proposal = propose([path], "K")
    assert next(s.value for s in proposal.city if s.key == "resolution") == resolution
    assert [s.key for s in proposal.files[0].settings if not s.active] == ["vertical_datum"]


@pytest.mark.parametrize("values", [np.zeros((4, 4), "float32"), np.full((4, 4), 40000, "float32")])
def test_what_cannot_be_heights_is_asked(tmp_path: Path, values: np.ndarray[Any, Any]) -> None:
    path = write_raster(tmp_path / "r.tif", values, "EPSG:32751", from_origin(570000, 8870000, 30, 30))
    file = propose([path], "K").files[0]
    assert (file.kind, len(file.questions)) == ("unknown", 1)


def test_what_is_written_loads_and_nothing_delivered_can_break_it(tmp_path: Path) -> None:
    nasty = 'ka"te\\go\nri = 1 # x'
    frame = table(kategori=None, **{nasty: WORDS * 8})
    frame["status"] = ['a"\n[city]\nname = "x'] * 20 + ["selesai"] * 20
    path = write_csv(tmp_path / "lapor an.csv", frame.to_dict("records"), ";")
    lines = gpd.GeoDataFrame({"kelas": ["primary", "service"]}, geometry=[LineString([(0, 0), (1, 1)])] * 2, crs=4326)
    lines.to_file(tmp_path / "a.gpkg")
    result = CliRunner().invoke(main, ["init", str(tmp_path / "c"), "--from", str(path), str(tmp_path / "a.gpkg")])
    assert result.exit_code == 0, result.output
    loaded = load_settings(tmp_path / "c")
    assert loaded.city.name == "C"
    assert loaded.reports[0].path == path
    assert loaded.reports[0].delimiter in (";", None)
    assert nasty in loaded.reports[0].columns.values()
    assert loaded.roads[0].columns == {"highway": "kelas"}
    assert "TANYA / ASK (" in result.stdout


def test_init_from_takes_files_after_the_option_only(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "l.csv", table().to_dict("records"))
    assert CliRunner().invoke(main, ["init", str(tmp_path / "a"), str(path)]).exit_code == 2
    twice = CliRunner().invoke(main, ["init", str(tmp_path / "b"), "--from", str(path), "--from", str(path)])
    assert twice.exit_code == 0
    assert (tmp_path / "b/city.toml").read_text("utf-8").count("[[reports]]") == 2
    missing = CliRunner().invoke(main, ["init", str(tmp_path / "d"), "--from", str(tmp_path / "no.csv")])
    assert (missing.exit_code, (tmp_path / "d").exists()) == (2, False)
    with pytest.raises(InputError):
        propose([tmp_path / "no.csv"], "K")


def test_every_question_is_in_the_file_and_on_the_terminal(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "l.csv", table(sumber=["qlue", "lapor"] * 20).to_dict("records"))
    proposal = propose([path], "K")
    toml, told = as_toml(proposal, tmp_path), "\n".join(as_lines(proposal))
    assert len(proposal.questions()) == 4  # attribution, time zone, unknown words, source
    for _, question in proposal.questions():
        assert f"# TANYA / ASK: {question}" in toml
        assert question in told
    assert 'time_zone = "Asia/Makassar"' in toml


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"waktu": None, "tanggal_lahir": ["1990-01-02"] * 40}, "columns.requested_datetime"),
        ({"waktu": None, "due_date": ["2025-01-02"] * 40}, "columns.requested_datetime"),
        ({"nomor": None, "user_id": [f"u{i}" for i in range(40)]}, "columns.report_id"),
        ({"kategori": None, "xyz": WORDS * 8}, "columns.category"),
        ({"status": None, "xyz": ["baru", "selesai"] * 20}, "columns.status"),
        ({"bujur": None, "lintang": None, "x": ["1.12345"] * 40, "y": ["2.12345"] * 40}, "columns.lon"),
    ],
)
def test_a_guess_by_name_or_by_content_alone_is_asked(change: dict[str, Any], asked: str) -> None:
    assert asked in look(table(**change)).asked()


def test_times_that_cannot_be_read_and_far_points_are_told() -> None:
    words = look(table(waktu=[f"{i + 1} Januari 2025" for i in range(40)]))
    assert any("`waktu`: waktu yang tak terbaca" in question for question in words.questions)
    here = table(200)
    here.loc[0, "bujur"] = "106.8"
    assert any("1 titik sangat jauh" in question for question in look(here).questions)
    assert look(table(200)).questions == ()


def test_files_that_do_not_meet_are_asked_about(tmp_path: Path) -> None:
    reports = write_csv(tmp_path / "l.csv", table().to_dict("records"))
    swapped = LineString([(-10.2, 123.55), (-10.18, 123.6)])
    for name, line, word in (("jalan_a", swapped, "tertukar"), ("jalan_b", LineString([(0, 1), (1, 1)]), "CRS salah")):
        gpd.GeoDataFrame({"kelas": ["primary"]}, geometry=[line], crs=4326).to_file(tmp_path / f"{name}.gpkg")
        proposal = propose([reports, tmp_path / f"{name}.gpkg"], "K")
        assert word in " ".join(proposal.files[1].questions)
    near = LineString([(123.55, -10.2), (123.6, -10.18)])
    gpd.GeoDataFrame({"kelas": ["primary"]}, geometry=[near], crs=4326).to_file(tmp_path / "jalan.gpkg")
    assert propose([reports, tmp_path / "jalan.gpkg"], "K").files[1].questions == ()


def test_a_file_of_unknown_kind_is_told_and_written_as_a_comment(tmp_path: Path) -> None:
    (tmp_path / "baca.txt").write_text("x")
    proposal = propose([tmp_path / "baca.txt"], "K")
    assert proposal.files[0].kind == "unknown"
    assert '# path = "baca.txt"' in as_toml(proposal, tmp_path)


def test_the_sample_city_is_proposed_as_its_maker_wrote_it(tmp_path: Path) -> None:
    write_sample_city(tmp_path / "demo", 1)
    made = load_settings(tmp_path / "demo")
    files = sorted((tmp_path / "demo/data").iterdir())
    (tmp_path / "c").mkdir()
    (tmp_path / "c/city.toml").write_text(as_toml(propose(files, "C"), tmp_path / "c"), "utf-8")
    found = load_settings(tmp_path / "c")
    assert found.area.file == made.area.file
    assert (found.city.time_zone, found.city.resolution) == (made.city.time_zone, made.city.resolution)
    assert dict(found.reports[0].columns) == dict(made.reports[0].columns)
    assert found.reports[0].depth_unit == "cm"
    assert found.roads == made.roads
    assert found.lamps == made.lamps
    assert {(a.path, a.level) for a in found.admin_areas} == {(a.path, a.level) for a in made.admin_areas}
    assert [e.path for e in found.elevation] == [e.path for e in made.elevation]


def test_a_named_category_is_not_joined_by_a_column_that_happens_to_hold_its_words() -> None:
    file = look(table(dinas=["Dinas PJU", "Dinas Sampah"] * 20))
    assert settled(file)["columns.category"] == "kategori"
    told = next(s.evidence for s in file.settings if s.key == "columns.category")
    assert "`dinas`: 2 kata / words, 2 dikenal / known (40/40)" in told


def test_decimal_commas_are_shown_in_the_question() -> None:
    file = look(table(bujur=["123,55"] * 40, lintang=["-10,2"] * 40))
    assert "`bujur` bukan angka / not numbers, mis. / e.g. 123,55" in file.asked()["columns.lon"]
    assert not {"columns.lon", "columns.lat"} & set(settled(file))
