"""`init --place` and `fetch` against a real local server, with every fault that a network has."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import osmnx
import pytest
import rasterio
from click.testing import CliRunner, Result

from services.cli import main
from spatial.config import load_settings
from spatial.errors import DownloadError
from spatial.fetch import fetch_city, init_place
from spatial.sources.download import FetchParameters, Mirrors
from tests.fetch.world import PLACE, TILE, World, serving, slope, tile

QUICK = FetchParameters(attempts=3, wait_s=0.01, timeout_s=10.0)
FILES = ("roads", "lamps", "waterways", "buildings", "facilities", "kelurahan", "kecamatan")
LAYERS_AND_CHUNKS = 5 + 3  # one answer per query; of the tile's seven chunks of a MiB the three with the window


class Notes:
    """A `Progress` that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: list[str] = []

    def stage(self, name: str, title: str) -> None:
        self.stages.append(name)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for, which take no time here."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


@pytest.fixture
def world(slept: list[float]) -> Iterator[World]:
    with serving(World()) as running:
        yield running


def mirrors(world: World) -> Mirrors:
    return Mirrors(world.url, f"{world.url}/api", world.url)


def init(world: World, folder: Path, extra: str = "attempts = 3\nwait_s = 0.01\ntimeout_s = 10\n") -> Path:
    init_place(folder, PLACE, mirrors(world), Notes(), QUICK)
    with (folder / "city.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[fetch]\n{extra}")
    world.asked.clear()
    return folder


def hexakota(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def no_parts(folder: Path) -> bool:
    return not [path for path in folder.rglob("*") if ".part" in path.name]


def test_init_place_writes_a_city_with_its_boundary(world: World, tmp_path: Path) -> None:
    city = tmp_path / "tarakan"
    where = ("--nominatim", world.url, "--overpass", f"{world.url}/api", "--glo30", world.url)
    result = hexakota("init", city, "--place", PLACE, *where)
    assert result.exit_code == 0, result.stderr
    assert "hexakota fetch" in result.stdout
    settings = load_settings(city)
    assert settings.city.name == "Kota Tarakan"
    assert (settings.city.time_zone, settings.city.language, settings.city.resolution) == ("Asia/Makassar", "id", 9)
    assert settings.mirrors == mirrors(world)
    boundary = gpd.read_file(settings.area.file)
    assert boundary.total_bounds.tolist() == [117.52, 3.27, 117.58, 3.33]
    assert hexakota("init", city, "--place", PLACE, *where).exit_code == 2
    assert world.asked == ["/search"]


def test_a_place_that_is_not_known_is_one_line_and_nothing_is_written(world: World, tmp_path: Path) -> None:
    result = hexakota("init", tmp_path / "x", "--place", "Atlantis", "--nominatim", world.url)
    assert result.exit_code == 2
    assert "knows no place 'Atlantis'" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "x" / "city.toml").exists()


def test_fetch_writes_every_file_and_names_it_with_the_comments_kept(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    before = (city / "city.toml").read_text("utf-8")
    result = hexakota("fetch", city)
    assert result.exit_code == 0, result.stderr
    assert f"{LAYERS_AND_CHUNKS} permintaan" in result.stdout
    assert (city / "city.toml").read_text("utf-8").startswith(before)
    settings = load_settings(city)
    assert [s.path.name for s in settings.roads] == ["roads.geojson"]
    assert {s.level for s in settings.admin_areas} == {"kelurahan", "kecamatan"}
    assert settings.elevation[0].vertical_datum == "EGM2008"
    assert settings.dem_error.product == "glo30"
    tables = {name: gpd.read_file(city / f"data/{name}.geojson") for name in FILES}
    assert {name: len(table) for name, table in tables.items()} == {
        "roads": 5, "lamps": 2, "waterways": 1, "buildings": 1, "facilities": 2, "kelurahan": 2, "kecamatan": 1,
    }  # fmt: skip
    assert set(tables["facilities"].geom_type) == {"Point"}
    assert tables["kelurahan"]["area_id"].tolist()[0] == "65.71.01.1000"
    assert tables["kelurahan"]["area_id"].tolist()[1].startswith("relation/")
    provenance = json.loads((city / "data/provenance.json").read_text("utf-8"))
    assert set(provenance) == {f"data/{n}.geojson" for n in (*FILES, "boundary")} | {"data/elevation.tif"}
    assert all(set(row) == {"source", "licence", "retrieved", "sha256"} for row in provenance.values())
    assert no_parts(city)


def test_the_elevation_is_the_tiles_pixels_with_its_datum(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    fetch_city(city)
    with rasterio.open(city / "data/elevation.tif") as made, rasterio.MemoryFile(world.tiles[TILE]) as memory:
        assert made.tags()["VERTICAL_DATUM"] == "EGM2008"
        assert "EGM2008" in made.crs.to_wkt()
        with memory.open() as source:
            row, column = source.index(*made.xy(0, 0))
            window = rasterio.windows.Window(column, row, made.width, made.height)
            assert (made.read(1) == source.read(1, window=window)).all()
            assert np.allclose(made.bounds, source.window_bounds(window))


def test_a_second_call_asks_for_nothing_and_changes_nothing(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    first = fetch_city(city)
    files = {p: p.read_bytes() for p in city.rglob("*") if p.is_file()}
    world.asked.clear()
    again = fetch_city(city)
    assert (again.requests, world.asked) == (0, [])
    assert again.files == first.files
    assert {p: p.read_bytes() for p in city.rglob("*") if p.is_file()} == files


@pytest.mark.parametrize("kind", ["drop", "busy", "truncate", "cut", "html", "remark", "error"])
def test_overpass_recovers_from_a_fault(world: World, tmp_path: Path, kind: str) -> None:
    city = init(world, tmp_path / "city")
    world.faults = [("interpreter", kind)]
    notes = Notes()
    fetched = fetch_city(city, notes)
    assert fetched.files["data/roads.geojson"] == 5
    assert len(world.asked) == LAYERS_AND_CHUNKS + 1
    assert len([n for n in notes.notes if "waiting" in n]) == 1
    assert no_parts(city)


@pytest.mark.parametrize("kind", ["drop", "busy", "truncate", "cut", "html", "error"])
def test_elevation_recovers_from_a_fault(world: World, tmp_path: Path, kind: str) -> None:
    city = init(world, tmp_path / "city")
    world.faults = [(TILE, kind)]
    notes = Notes()
    fetch_city(city, notes)
    assert len(world.asked) == LAYERS_AND_CHUNKS + 1
    assert len([n for n in notes.notes if "waiting" in n]) == 1
    assert no_parts(city)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("drop", "the connection broke"),
        ("busy", "HTTP 429"),
        ("truncate", "the answer was cut off"),
        ("cut", "not whole JSON"),
        ("html", "not whole JSON (text/html"),
        ("remark", "Query timed out"),
        ("error", "HTTP 500"),
    ],
)
def test_a_lasting_fault_of_overpass_is_one_line_and_what_was_finished_is_not_asked_again(
    world: World, tmp_path: Path, kind: str, words: str
) -> None:
    city = init(world, tmp_path / "city")
    settings = (city / "city.toml").read_text("utf-8")
    fetch_query = "interpreter"
    world.faults = [(fetch_query, "none")] + [(fetch_query, kind)] * 3
    result = hexakota("fetch", city)
    assert result.exit_code == 2
    line = result.stderr.splitlines()[-1]
    assert line.startswith(f"hexakota: {world.url}/api/interpreter: ")
    assert words in line
    assert (city / "city.toml").read_text("utf-8") == settings
    assert not (city / "data/waterways.geojson").exists()
    assert no_parts(city)
    assert len(world.asked) == 4
    world.asked.clear()
    fetch_city(city)
    assert len(world.asked) == LAYERS_AND_CHUNKS - 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("drop", "the connection broke"),
        ("busy", "HTTP 429"),
        ("truncate", "the answer was cut off"),
        ("html", "not the part"),
        ("cut", "not the part"),
    ],
)
def test_a_lasting_fault_of_the_elevation_is_one_line_and_its_chunks_are_kept(
    world: World, tmp_path: Path, kind: str, words: str
) -> None:
    city = init(world, tmp_path / "city")
    world.faults = [(TILE, "none")] * 2 + [(TILE, kind)] * 3
    result = hexakota("fetch", city)
    assert result.exit_code == 2
    assert words in result.stderr.splitlines()[-1]
    assert not (city / "data/elevation.tif").exists()
    assert no_parts(city)
    world.asked.clear()
    fetch_city(city)
    assert len(world.asked) == LAYERS_AND_CHUNKS - 5 - 2  # two chunks were whole


def test_waits_double_and_retry_after_is_obeyed_and_a_long_one_is_said(
    world: World, slept: list[float], tmp_path: Path
) -> None:
    city = init(world, tmp_path / "city")
    slept.clear()
    world.faults = [("interpreter", "drop"), ("interpreter", "truncate"), (TILE, "error")]
    fetch_city(city)
    assert [s for s in slept if s] == [0.01, 0.02, 0.01]
    slept.clear()
    world.faults, world.retry_after = [("interpreter", "busy")], "7"
    notes = Notes()
    fetch_city(city, notes, refresh=True)
    assert [s for s in slept if s] == [7.0]
    assert "waiting 7 s" in notes.notes[0]
    world.faults, world.retry_after = [("interpreter", "busy")], "7200"
    with pytest.raises(DownloadError, match="asks to wait 7200 s"):
        fetch_city(city, notes, refresh=True)


def test_a_large_area_is_asked_in_pieces_and_only_the_missing_ones_again(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city", "query_km2 = 10.0\nattempts = 3\nwait_s = 0.01\n")
    world.faults = [("interpreter", "none")] * 3 + [("interpreter", "truncate")] * 3
    with pytest.raises(DownloadError, match="cut off"):
        fetch_city(city)
    asked = len(world.asked) - 3
    assert asked == 3
    fetched = fetch_city(city)
    pieces = len(list((city / "data/cache/highways").glob("*.json")))
    assert pieces >= 6
    assert fetched.files["data/roads.geojson"] == 5
    osm = [path for path in world.asked if "interpreter" in path]
    assert len(osm) == 3 + 5 * pieces


def test_a_fetch_that_was_killed_goes_on_where_it_was(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    settings = (city / "city.toml").read_bytes()
    world.faults = [("interpreter", "none")] * 2 + [("interpreter", "hang")]
    command = [sys.executable, "-m", "services.cli", "fetch", str(city)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while len(world.asked) < 3 and running.poll() is None:
            threading.Event().wait(0.05)
        running.kill()
        world.awake.set()
    assert len(world.asked) == 3
    assert (city / "city.toml").read_bytes() == settings
    assert sorted(p.name for p in (city / "data").glob("*.geojson")) == [
        "boundary.geojson", "lamps.geojson", "roads.geojson", "waterways.geojson",
    ]  # fmt: skip
    world.asked.clear()
    fetch_city(city)
    assert len(world.asked) == LAYERS_AND_CHUNKS - 2


def test_many_faults_are_no_lasting_fault_while_pieces_still_arrive(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city", "query_km2 = 10.0\nattempts = 2\nwait_s = 0.01\n")
    world.faults = [("interpreter", kind) for kind in ("none", "busy") * 4]
    assert fetch_city(city).files["data/roads.geojson"] == 5


def test_the_hull_of_the_citys_own_reports_is_an_area_too(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    rows = "".join(
        f"{i},{lon},{lat},banjir\n" for i, (lon, lat) in enumerate(((117.53, 3.28), (117.57, 3.28), (117.55, 3.32)))
    )
    (city / "data/laporan.csv").write_text(f"report_id,lon,lat,category\n{rows}", "utf-8")
    text = (city / "city.toml").read_text("utf-8").replace('file = "data/boundary.geojson"', 'hull_of = "reports"')
    (city / "city.toml").write_text(f'{text}[[reports]]\npath = "data/laporan.csv"\n', "utf-8")
    assert fetch_city(city).files["data/roads.geojson"] == 5


def test_a_tile_of_open_sea_is_said_and_is_zero(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    text = (city / "city.toml").read_text("utf-8")
    (city / "city.toml").write_text(f"{text}\n[terrain_window]\nmargin_m = 50000\n", "utf-8")
    notes = Notes()
    fetch_city(city, notes)
    sea = [n for n in notes.notes if "open sea" in n]
    assert len(sea) == 3
    with rasterio.open(city / "data/elevation.tif") as made:
        assert made.bounds.right > 118.0
        assert (made.read(1)[:, made.index(118.01, 3.3)[1]] == 0).all()
    world.asked.clear()
    fetch_city(city)
    assert world.asked == []


def test_no_tile_at_all_is_refused(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    world.tiles = {}
    with pytest.raises(DownloadError, match="has none of Copernicus_DSM"):
        fetch_city(city)
    assert not (city / "data/elevation.tif").exists()


def test_a_server_without_ranges_is_one_line(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    world.ranges = False
    with pytest.raises(DownloadError, match="does not answer byte ranges"):
        fetch_city(city)


def test_a_tile_that_is_no_geotiff_is_one_line_and_is_not_kept(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    world.tiles = {TILE: b"<html>" + b" " * 5000}
    with pytest.raises(DownloadError, match="not a GeoTIFF"):
        fetch_city(city)
    world.tiles = {TILE: b"II*\0" + b" " * 5000}
    with pytest.raises(DownloadError, match="not a GeoTIFF"):
        fetch_city(city)
    world.tiles = {TILE: tile()}
    fetch_city(city)


def test_a_tile_that_changes_between_two_calls_is_not_mixed(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    world.faults = [(TILE, "none")] + [(TILE, "drop")] * 3
    with pytest.raises(DownloadError, match="the connection broke"):
        fetch_city(city)
    world.tiles[TILE] += b"more"
    with pytest.raises(DownloadError, match="changed on the server"):
        fetch_city(city)
    fetch_city(city)


def test_elevation_is_widened_until_no_catchment_touches_its_edge_or_to_the_limit(world: World, tmp_path: Path) -> None:
    whole = init(world, tmp_path / "island")
    notes = Notes()
    fetch_city(whole, notes)
    assert not [n for n in notes.notes if "widened" in n]
    assert load_settings(whole).terrain_window.margin_m == 5000
    world.tiles[TILE] = tile(slope)
    cut = init(world, tmp_path / "slope", "elevation_limit_m = 12000\nattempts = 3\nwait_s = 0.01\n")
    notes = Notes()
    fetch_city(cut, notes)
    assert [n.split("widened to ")[1] for n in notes.notes if "widened" in n] == ["10 km", "12 km"]
    assert [n for n in notes.notes if "beyond the limit of 12 km" in n]
    assert load_settings(cut).terrain_window.margin_m == 12000
    world.asked.clear()
    fetch_city(cut)
    assert world.asked == []


@pytest.mark.parametrize("chunk", ["highways/*.json", "glo30/*/2"])
@pytest.mark.parametrize("damage", ["cut", "changed", "killed before it was sealed"])
def test_a_chunk_that_is_not_whole_on_disk_is_asked_again(
    world: World, tmp_path: Path, chunk: str, damage: str
) -> None:
    city = init(world, tmp_path / "city")
    fetch_city(city)
    (path,) = (city / "data/cache").glob(chunk)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "changed":
        path.write_bytes(content[:-1] + b" ")
    else:
        path.with_name(f"{path.name}.meta").unlink()
    world.asked.clear()
    fetch_city(city)
    assert len(world.asked) == 1


def test_a_file_that_was_edited_is_left_and_own_inputs_stay(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    fetch_city(city)
    roads = city / "data/roads.geojson"
    roads.write_text(roads.read_text("utf-8").replace("Jalan 0", "Jalan Baru"), "utf-8")
    settings = (city / "city.toml").read_text("utf-8")
    notes = Notes()
    fetch_city(city, notes)
    assert "Jalan Baru" in roads.read_text("utf-8")
    assert [n for n in notes.notes if n.startswith("data/roads.geojson: ")]
    assert (city / "city.toml").read_text("utf-8") == settings


def test_own_roads_are_not_doubled(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    (city / "data/jalan.geojson").write_text('{"type": "FeatureCollection", "features": []}', "utf-8")
    with (city / "city.toml").open("a") as file:
        file.write('[[roads]]\npath = "data/jalan.geojson"\n')
    notes = Notes()
    fetch_city(city, notes)
    assert [s.path.name for s in load_settings(city).roads] == ["jalan.geojson"]
    assert [n for n in notes.notes if "roads.geojson" in n]


def test_osmnx_is_left_as_it_was(world: World, tmp_path: Path) -> None:
    names = [n for n in vars(osmnx.settings) if not n.startswith("_")]
    before = {name: getattr(osmnx.settings, name) for name in names}
    resolver = socket.getaddrinfo
    city = init(world, tmp_path / "city")
    world.faults = [("interpreter", "drop")]
    fetch_city(city)
    assert {name: getattr(osmnx.settings, name) for name in names} == before
    assert socket.getaddrinfo is resolver


def test_a_fetched_city_runs_and_its_manifest_says_where_it_comes_from(world: World, tmp_path: Path) -> None:
    city = init(world, tmp_path / "city")
    fetch_city(city)
    result = hexakota("run", city)
    assert result.exit_code == 0, result.stderr
    manifest = json.loads(next((city / "var/versions").glob("*/manifest.json")).read_text("utf-8"))
    rows = {row["path"]: row for row in manifest["inputs"]}
    provenance = json.loads((city / "data/provenance.json").read_text("utf-8"))
    assert {"data/roads.geojson", "data/elevation.tif", "data/kelurahan.geojson"} <= set(rows)
    for name, row in rows.items():
        assert {k: row[k] for k in ("source", "licence", "retrieved", "sha256")} == provenance[name]
    assert tomllib.loads((city / "city.toml").read_text("utf-8"))["roads"]
