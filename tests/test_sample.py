"""The sample city: same bytes for a seed, truth that adds up with the files, a storm that keeps its water."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import rasterio.features
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

import spatial.sample
from spatial.errors import InputError
from spatial.sample import SampleParameters, write_sample_city
from spatial.sample.frame import Bools, Floats, Frame
from spatial.sample.lamps import LARGEST_PANEL, SMALLEST_PANEL, _fitting, _panel_sizes
from spatial.sample.landscape import build_landscape
from spatial.sample.storm import Ground, StormParameters, coarsened, refined_depth, simulate
from spatial.sample.town import propensity

UTM = 32750
CATEGORY_OF_WORD = {
    "Sampah": "waste",
    "PJU padam": "street_light",
    "Banjir": "flood",
    "Potensi banjir": "flood",
    "Drainase tersumbat": "drainage",
    "Pohon tumbang": "tree",
    "Akses trotoar": "mobility",
    "Jalan rusak": "road",
    "Bantuan sosial": "social_aid",
    "Lain-lain": "other",
}


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "one"
    write_sample_city(folder, 1)
    return folder


@pytest.fixture(scope="session")
def other_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "two"
    write_sample_city(folder, 2)
    return folder


@pytest.fixture(scope="session")
def reports(city: Path) -> pd.DataFrame:
    """The file's rows joined with their truth; all columns text."""
    rows = pd.read_csv(city / "data/laporan.csv", dtype=str, keep_default_na=False)
    truth = pd.read_csv(city / "truth/reports.csv", dtype=str, keep_default_na=False)
    assert len(rows) == len(truth) == SampleParameters().reports
    return rows.merge(truth, left_on="id", right_on="report_id", validate="one_to_one")


@pytest.fixture(scope="session")
def lamps(city: Path) -> gpd.GeoDataFrame:
    """The inventory joined with its truth, in metres."""
    inventory = gpd.read_file(city / "data/lampu.geojson").to_crs(UTM)
    truth = pd.read_csv(city / "truth/lamps.csv", keep_default_na=False)
    return inventory.merge(truth, on="lamp_id", suffixes=("_listed", ""), validate="one_to_one")


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _within_four_sigma(count: int, total: int, share: float) -> bool:
    return bool(abs(count - total * share) <= 4.0 * np.sqrt(total * share * (1.0 - share)))


# Files


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_bytes(
    city: Path, other_city: Path, tmp_path: Path
) -> None:
    write_sample_city(tmp_path / "again", 1)
    first, other = _hashes(city), _hashes(other_city)
    assert _hashes(tmp_path / "again") == first
    assert first.keys() == other.keys()
    assert [name for name in first if first[name] == other[name]] == []


def test_settings_name_the_inputs_and_never_the_truth(city: Path) -> None:
    text = (city / "city.toml").read_text("utf-8")
    told = tomllib.loads(text)
    named = [
        told["area"]["file"],
        *(table["path"] for key in ("reports", "roads", "elevation", "lamps", "admin_areas") for table in told[key]),
    ]
    assert told["city"]["synthetic"] is True
    assert "truth" not in text
    assert {*named, "data/BACA_SAYA.txt"} == {str(p.relative_to(city)) for p in (city / "data").iterdir()}
    header = (city / "data/laporan.csv").read_text("utf-8").splitlines()[0].split(",")
    assert set(told["reports"][0]["columns"].values()) == set(header)


def test_notice_says_synthetic_in_both_languages(city: Path) -> None:
    notice = (city / "data/BACA_SAYA.txt").read_text("utf-8")
    assert "SINTETIS" in notice
    assert "SYNTHETIC" in notice


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not an empty folder"):
        write_sample_city(tmp_path, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed: -1 is negative"):
        write_sample_city(tmp_path / "x", -1)


def test_nothing_of_the_analysis_is_imported() -> None:
    allowed = ("spatial.contracts", "spatial.errors", "spatial.hexgrid.grid", "spatial.sample")
    folder = Path(spatial.sample.__file__).parent
    named = {
        name
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert [name for name in named if name.startswith("spatial") and not name.startswith(allowed)] == []
    code = (
        "import sys, spatial.sample; print([m for m in sys.modules if m.startswith("
        "('spatial.flood', 'spatial.lighting', 'spatial.sources', 'spatial.pipeline', 'spatial.zones', 'h3'))])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder.parents[1]
    )
    assert loaded.stdout.strip() == "[]"


# Reports


def test_mix_of_categories_is_kupangs(city: Path, other_city: Path) -> None:
    for folder in (city, other_city):
        words = pd.read_csv(folder / "data/laporan.csv", dtype=str)["kategori"].map(CATEGORY_OF_WORD)
        count = words.value_counts()
        assert count.sum() == 6000
        for category, share in (("waste", 0.28), ("street_light", 0.16), ("flood", 0.08)):
            assert _within_four_sigma(int(count[category]), 6000, share), category
        assert (count > 6000 * 0.02).all()


def test_kinds_add_up_with_the_file(city: Path, reports: pd.DataFrame) -> None:
    count = reports["kind"].value_counts()
    assert set(count.index) == {"ordinary", "duplicate", "default_point", "wrong_row"}
    assert json.loads((city / "truth/summary.json").read_text())["reports"] == count.to_dict()
    assert (reports["kategori"].map(CATEGORY_OF_WORD) == reports["category"]).all()
    assert _within_four_sigma(int(count["default_point"]), 6000, 0.04)
    assert _within_four_sigma(int(count["wrong_row"]), 6000, 0.01)
    others = reports[reports["category"] != "street_light"]
    assert _within_four_sigma(int((others["kind"] == "duplicate").sum()), len(others), 0.05)


def test_every_duplicate_follows_one_ordinary_report_of_its_incident(reports: pd.DataFrame) -> None:
    good = reports[reports["kind"].isin(["ordinary", "duplicate"])]
    leaders = good[good["kind"] == "ordinary"].set_index("true_incident")
    followers = good[good["kind"] == "duplicate"]
    assert leaders.index.is_unique
    first = leaders.loc[followers["true_incident"]]
    assert (first["waktu"].to_numpy() <= followers["waktu"].to_numpy()).all()
    assert (first["category"].to_numpy() == followers["category"].to_numpy()).all()


def test_default_point_holds_its_reports_and_all_categories(reports: pd.DataFrame) -> None:
    trapped = reports[reports["kind"] == "default_point"]
    place = trapped[["bujur", "lintang"]].drop_duplicates()
    assert len(place) == 1
    same = (reports[["bujur", "lintang"]] == place.iloc[0]).all(axis=1)
    assert (reports.loc[same, "kind"] == "default_point").all()
    assert trapped["category"].nunique() == 9
    assert trapped[["lon", "lat"]].drop_duplicates().shape[0] > 0.9 * len(trapped)


def test_only_wrong_rows_cannot_be_used(reports: pd.DataFrame) -> None:
    lon, lat = (pd.to_numeric(reports[c], errors="coerce") for c in ("bujur", "lintang"))
    time = pd.to_datetime(reports["waktu"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
    usable = lon.between(117.55, 117.65) & lat.between(-3.34, -3.26) & time.notna()
    assert ((reports["kind"] == "wrong_row") == ~usable).all()
    assert set(reports.loc[~usable, "wrong"]) == {"missing", "swapped", "zero", "time", "far"}


def test_reports_end_after_they_begin_and_before_the_last_report(city: Path, reports: pd.DataFrame) -> None:
    as_of = json.loads((city / "truth/summary.json").read_text())["as_of_local"]
    closed = reports[(reports["status"] == "selesai") & (reports["kind"] != "wrong_row")]
    assert (reports["waktu_selesai"] == "").eq(reports["status"] != "selesai").all()
    assert (closed["waktu"] < closed["waktu_selesai"]).all()
    assert (closed["waktu_selesai"] <= as_of).all()
    assert reports.loc[reports["kind"] != "wrong_row", "waktu"].max() == as_of
    assert set(reports["status"]) == {"menunggu", "diproses", "selesai"}


def test_noise_of_ordinary_reports_is_that_of_phones(reports: pd.DataFrame) -> None:
    good = reports[reports["kind"].isin(["ordinary", "duplicate"])]
    told, true = (
        gpd.GeoSeries(gpd.points_from_xy(good[a].astype(float), good[b].astype(float)), crs=4326).to_crs(UTM)
        for a, b in (("bujur", "lintang"), ("lon", "lat"))
    )
    apart = told.distance(true)
    assert 5.0 < apart.median() < 15.0
    assert apart.max() < 100.0


def test_flood_reports_lie_where_the_storm_stood_unless_mistaken(city: Path, reports: pd.DataFrame) -> None:
    floods = reports[reports["category"] == "flood"]
    points = gpd.points_from_xy(floods["lon"].astype(float), floods["lat"].astype(float))
    at = gpd.GeoSeries(points, crs=4326).to_crs(UTM)
    with rasterio.open(city / "truth/flood_depth.tif") as raster:
        depth = np.array([v[0] for v in raster.sample(zip(at.x, at.y, strict=True))])
    genuine = (floods["genuine"] == "true").to_numpy()
    # A point may fall into the next pixel by the rounding of its coordinates (0.1 m).
    assert (depth[genuine] >= 0.15).mean() > 0.98
    assert (depth[~genuine] < 0.05).mean() > 0.95
    assert _within_four_sigma(int((~genuine).sum()), len(floods), 0.15)


def test_keenness_spreads_eightfold_and_shows_in_waste_reports(city: Path, reports: pd.DataFrame) -> None:
    keen = json.loads((city / "truth/summary.json").read_text())["reporting"]
    values = np.array(list(keen.values()))
    assert values.max() / values.min() == pytest.approx(8.0, rel=1e-3)
    waste = reports[(reports["category"] == "waste")]
    points = gpd.GeoDataFrame(
        geometry=gpd.points_from_xy(waste["lon"].astype(float), waste["lat"].astype(float)), crs=4326
    )
    districts = gpd.read_file(city / "data/kelurahan.geojson")
    roads = gpd.read_file(city / "data/jalan.geojson").to_crs(UTM)
    metres = [roads.clip(polygon).length.sum() for polygon in districts.to_crs(UTM).geometry]
    count = [int(points.within(polygon).sum()) for polygon in districts.geometry]
    rate = pd.Series(np.array(count) / np.array(metres))
    assert rate.corr(pd.Series([keen[name] for name in districts["nama"]]), method="spearman") > 0.5


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.floats(1.5, 20), st.integers(0, 2**32 - 1))
def test_propensity_has_mean_one_and_the_wanted_spread(shares: list[float], spread: float, seed: int) -> None:
    values = propensity(np.array(shares), spread, np.random.default_rng(seed))
    assert values.mean() == pytest.approx(1.0)
    assert values.max() / values.min() == pytest.approx(spread)


# Areas and roads


def test_kelurahan_tile_the_city(city: Path) -> None:
    area = gpd.read_file(city / "data/boundary.geojson").to_crs(UTM).geometry[0]
    for file, count in (("kelurahan", 16), ("kecamatan", 4)):
        parts = gpd.read_file(city / f"data/{file}.geojson").to_crs(UTM)
        assert len(parts) == count
        assert parts["kode"].is_unique
        assert parts.geometry.is_valid.all()
        assert parts.area.sum() == pytest.approx(area.area, rel=1e-6)
        assert shapely.union_all(parts.geometry.to_numpy()).area == pytest.approx(area.area, rel=1e-6)


def test_roads_are_ordinary_roads(city: Path) -> None:
    roads = gpd.read_file(city / "data/jalan.geojson")
    assert roads["osm_id"].is_unique
    assert set(roads["highway"]) == {"trunk", "primary", "secondary", "tertiary", "residential"}
    assert set(roads["lit"]) == {"yes", "no"}
    assert roads.geometry.is_valid.all()
    assert (roads.to_crs(UTM).length > 60).all()
    assert roads["name"].str.startswith("Jalan ").all()


# Lamps


def test_lamps_stand_on_lit_roads_and_panels_are_neighbours_on_one_road(city: Path, lamps: gpd.GeoDataFrame) -> None:
    roads = gpd.read_file(city / "data/jalan.geojson").to_crs(UTM).set_index("osm_id")
    panels = pd.read_csv(city / "truth/panels.csv", keep_default_na=False).set_index("panel_id")
    assert panels["lamps"].between(8, 14).all()
    lamps = lamps.assign(road=lamps["panel_id"].map(panels["road_id"]))
    for road, group in lamps.groupby("road"):
        line = roads.loc[road]
        assert line["lit"] == "yes"
        assert (group.distance(line.geometry) < 5.5).all()
        ordered = group.assign(along=line.geometry.project(group.geometry)).sort_values("along")
        changes = int((ordered["panel_id"] != ordered["panel_id"].shift()).sum())
        assert changes == ordered["panel_id"].nunique()
        assert ordered["along"].diff().dropna().between(24.5, 40.5).all()
    assert lamps.groupby("panel_id").size().equals(panels["lamps"].rename(None).sort_index())


def test_inventory_names_a_panel_wholly_or_not_at_all(lamps: gpd.GeoDataFrame) -> None:
    known = lamps["panel_id_listed"].notna()
    assert (lamps.loc[known, "panel_id_listed"] == lamps.loc[known, "panel_id"]).all()
    assert (known.groupby(lamps["panel_id"]).nunique() == 1).all()
    assert 0.45 < known.mean() < 0.75


def test_dark_panels_are_dark_in_full_and_since_one_moment(city: Path, lamps: gpd.GeoDataFrame) -> None:
    panels = pd.read_csv(city / "truth/panels.csv", keep_default_na=False)
    dark = panels[panels["failed"]]
    assert 10 <= len(dark) <= 15
    members = lamps[lamps["panel_id"].isin(dark["panel_id"])]
    assert members["failed"].all()
    assert (members["cause"] == "circuit").all()
    assert (members.groupby("panel_id")["failed_since"].nunique() == 1).all()
    single = lamps[lamps["failed"] & (lamps["cause"] == "independent")]
    assert not set(single["panel_id"]) & set(dark["panel_id"])
    assert _within_four_sigma(len(single), len(lamps) - len(members), 0.03)
    assert int(lamps["failed"].sum()) == len(single) + len(members)


def test_reports_of_dark_lamps_agree_with_the_lamps(lamps: gpd.GeoDataFrame, reports: pd.DataFrame) -> None:
    told = reports[(reports["category"] == "street_light") & reports["kind"].isin(["ordinary", "duplicate"])]
    false = told["genuine"] == "false"
    assert _within_four_sigma(int(false.sum()), len(told), 0.10)
    real = told[~false]
    lamp = real["true_incident"].str.extract(r"(PJU-\d+)")[0]
    state = lamps.set_index("lamp_id").loc[lamp]
    still_dark = state["failed"].to_numpy() & (real["waktu"].to_numpy() >= state["failed_since"].to_numpy())
    assert still_dark.sum() > 100
    assert (real["status"].to_numpy()[still_dark] != "selesai").all()
    stale = (real["status"].to_numpy()[~still_dark] != "selesai").mean()
    assert 0.0 < stale < 0.2


@given(st.integers(0, 500))
def test_panels_hold_8_to_14_lamps_whatever_the_street(count: int) -> None:
    fitting = _fitting(count)
    assert fitting <= count
    assert (fitting == 0) == (count < SMALLEST_PANEL)
    if fitting:
        sizes = _panel_sizes(fitting)
        assert sum(sizes) == fitting
        assert all(SMALLEST_PANEL <= size <= LARGEST_PANEL for size in sizes)


# Elevation


def test_delivered_elevation_errs_as_stated() -> None:
    land = build_landscape(Frame(), np.random.default_rng(7), error_m=0.7, error_range_m=150.0)
    error = land.delivered - land.elevation
    dry = ~land.sea
    assert error[dry].std() == pytest.approx(0.7, rel=0.1)
    both = dry[:, 5:] & dry[:, :-5]
    assert np.corrcoef(error[:, 5:][both], error[:, :-5][both])[0, 1] == pytest.approx(np.exp(-3.0), abs=0.06)
    assert (land.delivered[land.sea] == 0.0).all()
    assert (land.elevation[land.sea] < 0.0).all()


def test_elevation_file_covers_the_city(city: Path) -> None:
    area = gpd.read_file(city / "data/boundary.geojson").to_crs(UTM).geometry[0]
    with rasterio.open(city / "data/elevasi.tif") as raster:
        assert raster.crs.to_epsg() == UTM
        assert (raster.dtypes, raster.nodata, raster.res) == (("float32",), -9999.0, (30.0, 30.0))
        values = raster.read(1, masked=True)
        inside = ~rasterio.features.geometry_mask([area], raster.shape, raster.transform)
    assert values.mask.any()
    assert not values.mask[inside].any()
    assert values.min() > -6.0


# Storm


def test_planted_flood_covers_3_to_25_percent_of_land_and_hollows_hold_water(city: Path, other_city: Path) -> None:
    for folder in (city, other_city):
        area = gpd.read_file(folder / "data/boundary.geojson").to_crs(UTM).geometry[0]
        with rasterio.open(folder / "truth/flood_depth.tif") as raster:
            depth = raster.read(1, masked=True)
            inside = ~rasterio.features.geometry_mask([area], raster.shape, raster.transform) & ~depth.mask
            told = json.loads((folder / "truth/summary.json").read_text())
            places = gpd.GeoSeries(
                gpd.points_from_xy(*zip(*((h["lon"], h["lat"]) for h in told["hollows"]), strict=True)), crs=4326
            ).to_crs(UTM)
            held = np.array([v[0] for v in raster.sample(zip(places.x, places.y, strict=True))])
        assert 0.03 < (depth[inside] >= 0.2).mean() < 0.25
        urban = np.array([h["urban"] for h in told["hollows"]])
        assert urban.sum() >= 4
        assert (held[urban] >= 0.2).mean() >= 0.8
        assert (held >= 0.2).mean() >= 0.6
        flooded = gpd.read_file(folder / "truth/flooded.geojson").to_crs(UTM)
        assert flooded.area.sum() == pytest.approx((depth.filled(0.0) >= 0.2).sum() * 900.0, rel=1e-4)
        assert abs(told["water_balance_error"]) < 1e-9


def _pan(elevation: Floats, sea: Bools | None = None, infiltration: float = 0.0, drains: float = 0.0) -> Ground:
    ones = np.ones(elevation.shape)
    return Ground(
        elevation,
        np.zeros(elevation.shape, bool) if sea is None else sea,
        60.0,
        ones,
        infiltration / 3.6e6 * ones,
        drains / 3.6e6 * ones,
    )


def test_rain_on_a_walled_plane_stands_as_deep_as_it_fell() -> None:
    deepest, balance = simulate(_pan(np.full((6, 7), 2.0)), StormParameters(rain_mm=100.0, rain_hours=2.0, hours=3.0))
    assert deepest == pytest.approx(np.full((6, 7), 0.1), abs=2e-5)
    assert balance.rain == pytest.approx(0.1 * 42 * 3600.0, rel=2e-4)
    assert balance.stored == pytest.approx(balance.rain, rel=1e-12)


def test_soil_that_takes_more_than_falls_leaves_nothing() -> None:
    # The triangle's peak is twice the mean rate: 2 * 50 mm / 2 h = 50 mm/h.
    deepest, balance = simulate(_pan(np.full((4, 4), 1.0), infiltration=51.0), StormParameters(50.0, 2.0, 2.0))
    assert deepest.max() == 0.0
    assert balance.infiltrated == pytest.approx(balance.rain, rel=1e-12)


def test_drains_lose_their_head_with_the_tide() -> None:
    # Tide held at 0.5 m: ground at 0.5 m has no head, ground at 1.3 m (0.8 m above) has all of it.
    storm = StormParameters(40.0, 2.0, 4.0, mean_tide_m=0.5, tide_range_m=0.0)
    _, low = simulate(_pan(np.full((3, 3), 0.5), drains=10.0), storm)
    _, high = simulate(_pan(np.full((3, 3), 1.3), drains=10.0), storm)
    assert low.drained == 0.0
    # 10 mm/h for four hours could take all 40 mm, but while the rain is lighter only what falls.
    assert 0.8 * high.rain < high.drained < high.rain


def test_the_tide_floods_low_land_to_its_own_level_and_stops_at_a_sill() -> None:
    elevation = np.full((3, 8), 0.2)
    elevation[:, :2] = -1.0
    elevation[:, 5] = 0.9
    sea = elevation < 0.0
    storm = StormParameters(0.0, 1.0, 6.0, mean_tide_m=0.6, tide_range_m=0.0)
    deepest, _ = simulate(_pan(elevation, sea), storm)
    # The first wave runs up a little above 0.6 - 0.2 = 0.4 m, well below the sill's 0.7 m.
    assert deepest[:, 2:5] == pytest.approx(np.full((3, 3), 0.4), abs=0.05)
    assert deepest[:, 5:].max() == 0.0


def test_slow_rain_fills_a_closed_bowl_to_one_level() -> None:
    x, y = np.meshgrid(np.arange(15) - 7.0, np.arange(15) - 7.0)
    bowl = 0.03 * (x**2 + y**2)
    deepest, balance = simulate(_pan(bowl), StormParameters(rain_mm=120.0, rain_hours=12.0, hours=14.0))
    # The level that holds all the rain in a still pool, found by trial of levels 0.1 mm apart.
    levels = np.arange(0.0, 3.0, 1e-4)
    held = np.maximum(levels[:, None] - bowl.ravel(), 0.0).sum(axis=1)
    level = levels[np.searchsorted(held, balance.rain / 3600.0)]
    pool = bowl < level - 0.1
    assert pool.sum() > 30
    assert (bowl + deepest)[pool] == pytest.approx(np.full(pool.sum(), level), abs=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 300.0), st.floats(0.0, 40.0), st.floats(0.0, 2.0))
def test_no_water_is_lost_or_made(seed: int, rain_mm: float, losses: float, tide_range: float) -> None:
    rng = np.random.default_rng(seed)
    elevation = np.cumsum(rng.normal(0.2, 1.0, (9, 8)), axis=0)
    sea = elevation < -0.5
    deepest, balance = simulate(
        _pan(elevation, sea, losses, losses / 2), StormParameters(rain_mm, 1.0, 1.5, tide_range_m=tide_range)
    )
    assert np.isfinite(deepest).all()
    assert (deepest >= 0.0).all()
    assert (deepest[sea] == 0.0).all()
    turned_over = balance.rain + abs(balance.to_sea) + balance.stored
    assert abs(balance.error * balance.rain) <= 1e-9 * turned_over


def test_refined_depth_is_the_level_less_the_ground() -> None:
    fine = np.array([[1.0, 1.2], [0.8, 1.0]])
    coarse = coarsened(fine)
    assert coarse == pytest.approx(np.array([[1.0]]))
    # Level 1.15: 0.15, none, 0.35 held to twice 0.15, 0.15.
    assert refined_depth(np.array([[0.15]]), coarse, fine) == pytest.approx(np.array([[0.15, 0.0], [0.30, 0.15]]))


def test_rain_integrates_to_its_total() -> None:
    storm = StormParameters(rain_mm=150.0, rain_hours=4.0)
    assert sum(storm.rain_rate(second + 0.5) for second in range(5 * 3600)) == pytest.approx(0.150, rel=1e-6)
