"""`[privacy]` in whole runs: what withheld reports decide (nothing), and what an attacker gets from two versions."""

from __future__ import annotations

import csv
import json
import shutil
from itertools import product
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from spatial import pipeline
from spatial.config import load_settings
from spatial.contracts import CATEGORIES
from spatial.errors import InputError
from spatial.hexgrid.grid import cells_of_points
from spatial.quality import check
from spatial.registry import LAYERS
from spatial.store.geopackage import read_layer
from spatial.store.live import LiveTables
from spatial.store.versions import Version
from tests.pipeline.tiny import EAST, NORTH, SOUTH, WEST, write_tiny_city

M = 4
ANCHOR = 9
COUNTS = [f"reports_{name}" for name in ("total", *CATEGORIES)] + ["incidents_flood", "incidents_lighting"]
FIELDS = ["id", "lon", "lat", "kategori", "uraian", "status", "waktu", "selesai"]
Rows = list[dict[str, str]]


def write_city(folder: Path, rows: Rows, privacy: str = f"min_count = {M}", resolution: int = 9) -> Path:
    """The small city without elevation (it takes most of a run), with these reports."""
    write_tiny_city(folder)
    toml = (folder / "city.toml").read_text("utf-8")
    elevation = '[[elevation]]\npath = "dem.tif"\nvertical_datum = "EGM2008"\n'
    toml = toml.replace(elevation, "").replace('name = "Kota Uji"', f'name = "Kota Uji"\nresolution = {resolution}')
    (folder / "city.toml").write_text(f"{toml}[privacy]\n{privacy}\n", "utf-8")
    write_reports(folder, rows)
    return folder


def write_reports(folder: Path, rows: Rows) -> None:
    with (folder / "reports.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def reports(seed: int, n: int, start: str) -> Rows:
    """Reports all over the city and, more of them, in its middle; some close together in place and time; by day."""
    rng = np.random.default_rng(seed)
    rows: Rows = []
    for i in range(n):
        wide = 0.5 if i % 3 else 0.1
        lon = (WEST + EAST) / 2 + wide * (EAST - WEST) * rng.uniform(-1, 1)
        lat = (SOUTH + NORTH) / 2 + wide * (NORTH - SOUTH) * rng.uniform(-1, 1)
        kind = rng.choice(["Sampah", "Banjir", "PJU padam"], p=[0.3, 0.3, 0.4])
        if kind == "PJU padam":
            lon, lat = WEST + 0.0003 * rng.integers(15, 40), (SOUTH + NORTH) / 2
        if rows and rng.random() < 0.1:
            lon, lat, kind = (float(rows[-1]["lon"]), float(rows[-1]["lat"]), rows[-1]["kategori"])
        day = pd.Timestamp(start) + pd.Timedelta(minutes=int(rng.integers(0, 120 * 1440)))
        status = "selesai" if rng.random() < 0.2 else "menunggu"
        told = f"laporan {i}"
        rows.append(dict(zip(FIELDS, [f"r{seed}-{i}", f"{lon:.6f}", f"{lat:.6f}", str(kind), told, status,
                                      day.strftime("%Y-%m-%d %H:%M"), ""], strict=True)))  # fmt: skip
    return rows


def released(city: Path) -> pd.DataFrame:
    with LiveTables.opened(city / "var" / "live.gpkg") as live:
        return live.releases()


def published(city: Path) -> dict[str, bytes]:
    """All bytes of all versions, by file."""
    root = city / "var" / "versions"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def layer(version: Version, name: str) -> gpd.GeoDataFrame:
    return read_layer(version.layers, name)


FIRST, SECOND = reports(1, 90, "2025-01-01"), reports(2, 60, "2024-12-01")  # the second delivery holds older ones too


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Version], list[set[str]]]:
    """A city published twice, the second time with more reports; its versions, and what was released by each."""
    city = write_city(tmp_path_factory.mktemp("privacy") / "city", FIRST)
    versions, ids = [], []
    for rows in (FIRST, FIRST + SECOND):
        write_reports(city, rows)
        outcome = pipeline.run(city)
        assert outcome.published
        versions.append(outcome.version)
        ids.append({str(i).split(":", 1)[1] for i in released(city)["report_id"]})
    return city, versions, ids


def _altered(row: dict[str, str], rng: np.random.Generator) -> dict[str, str]:
    """A withheld report that says something else; it waits as before, since it stays where it was and is made later."""
    told = {"uraian": "hub 0812-3456-7890", "status": rng.choice(["selesai", "menunggu", "aneh"]), "selesai": ""}
    return row | told | {"waktu": "2025-06-30 12:00"}


@pytest.mark.parametrize("change", ["deleted", "altered"])
def test_withheld_reports_change_no_published_byte(history, tmp_path: Path, change: str) -> None:
    """Two deliveries, both in a city in which what stayed withheld is not there, or says something else."""
    city, _, ids = history
    assert len(ids[0]) % M == len(ids[1]) % M == 0
    assert M < len(ids[0]) < len(ids[1]) < len(FIRST + SECOND) - M
    other = write_city(tmp_path / "city", FIRST)
    rng = np.random.default_rng(7)
    duplicates = _duplicates(city)
    for rows, told in zip((FIRST, FIRST + SECOND), ids, strict=True):
        kept = []
        for row in rows:
            if row["id"] in told:
                kept.append(row)
            elif change == "altered" and row["id"] not in duplicates:
                kept.append(_altered(row, rng))
        write_reports(other, kept)
        pipeline.run(other, drop_missing=True)
    ours, theirs = published(city), published(other)
    assert list(ours) == list(theirs)
    assert [name for name in ours if ours[name] != theirs[name]] == []


def _duplicates(city: Path) -> set[str]:
    """Ids of reports that repeat one that is released: they wait for ever, wherever they are."""
    account = json.loads((city / "var" / "private.json").read_text("utf-8"))
    assert account["reports"]["flags"]["duplicate"] > 0
    rows = pd.DataFrame(FIRST + SECOND)
    return set(rows["id"][rows.duplicated(["lon", "lat"], keep=False)])


def test_every_count_of_reports_is_null_or_a_sum_of_batches(history) -> None:
    for version in history[1]:
        for name in ("hexagons", "admin_areas"):
            table = layer(version, name)
            for column in [c for c in COUNTS if c in table]:
                told = table[column].dropna()
                assert (told % M == 0).all(), (name, column)
                assert (told >= M).all(), (name, column)
            assert table["reports_total"].notna().any()
        for name in ("flood_zones", "lighting_zones"):
            table = layer(version, name)
            assert (table["n_incidents"].dropna() >= M).all()
            assert len(table)
        assert (layer(version, "flood_zones")["n_incidents"].dropna() % M == 0).all()
        alike = [c for c in layer(version, "reports").columns if c not in ("report_id", "incident_id")]
        rows = layer(version, "reports")
        assert (rows.astype(str).groupby(alike).size() % M == 0).all()


def test_the_difference_of_two_versions_is_whole_batches(history) -> None:
    one, two = (layer(v, "hexagons").set_index("cell").reindex(columns=COUNTS).fillna(0) for v in history[1])
    difference = (two - one)[[c for c in COUNTS if c != "incidents_lighting"]].to_numpy(float)
    assert (difference % M == 0).all()
    assert (difference >= 0).all()
    assert (difference > 0).any()
    old, new = (set(layer(v, "reports")["report_id"]) for v in history[1])
    assert old < new
    assert len(new - old) % M == 0


def test_two_resolutions_differ_by_whole_batches(history, tmp_path: Path) -> None:
    """The same city, its cells coarser: each is the sum of the anchor points in it, so what is left over is batches."""
    city, versions, _ = history
    coarse_city = Path(shutil.copytree(city, tmp_path / "coarse"))
    toml = (coarse_city / "city.toml").read_text("utf-8")
    (coarse_city / "city.toml").write_text(toml.replace("resolution = 9", "resolution = 8", 1), "utf-8")
    coarse = layer(pipeline.run(coarse_city).version, "hexagons").set_index("cell")
    fine = layer(versions[1], "hexagons")
    points = layer(versions[1], "reports")
    parent = cells_of_points(points.geometry.x, points.geometry.y, 8)
    for column in (c for c in COUNTS if c.startswith("reports_")):
        own = points if column == "reports_total" else points[points["category"] == column.removeprefix("reports_")]
        sums = pd.Series(parent, index=points.index)[own.index].value_counts()
        assert coarse[column].dropna().astype(int).to_dict() == sums.to_dict()
        assert coarse[column].fillna(0).sum() == fine[column].fillna(0).sum()
    for many, few in product(coarse["reports_total"].dropna(), fine["reports_total"].dropna()):
        assert (many - few) % M == 0


def test_an_attacker_cannot_tell_a_withheld_count_from_zero(history, tmp_path: Path) -> None:
    """A city without the reports that one cell and category withholds publishes the same bytes.

    All that is withheld is deleted at once in `test_withheld_reports_change_no_published_byte`; here one cell's.
    """
    city, _, ids = history
    rows = pd.DataFrame(FIRST + SECOND)
    rows["cell"] = cells_of_points(rows["lon"].astype(float), rows["lat"].astype(float), ANCHOR)
    withheld = rows[~rows["id"].isin(ids[1])]
    sizes = withheld.groupby(["cell", "kategori"]).size()
    small = sizes[(sizes > 0) & (sizes < M)]
    assert len(small) > 5
    bucket = withheld.set_index(["cell", "kategori"]).loc[small.index[0]]
    other = write_city(tmp_path / "city", FIRST)
    for part in (FIRST, FIRST + SECOND):
        write_reports(other, [row for row in part if row["id"] not in set(bucket["id"])])
        pipeline.run(other)
    assert published(other) == published(city)


def test_deleting_and_editing_released_reports(history, tmp_path: Path) -> None:
    """A batch is whole: one report less changes nothing; its last one takes it away."""
    city, versions, _ = history
    copy = Path(shutil.copytree(city, tmp_path / "city"))
    ledger = released(copy)
    batch = ledger[(ledger["cell"] == ledger["cell"][0]) & (ledger["category"] == ledger["category"][0])]
    batch = batch[batch["batch"] == 0]
    gone = [str(i).split(":", 1)[1] for i in batch["report_id"]]
    assert len(gone) == M
    write_reports(copy, [row for row in FIRST + SECOND if row["id"] not in gone[1:]])
    outcome = pipeline.run(copy, drop_missing=True)
    left = layer(outcome.version, "reports")
    assert set(left["report_id"]) >= set(layer(versions[1], "reports")["report_id"])
    assert len(left) % M == 0  # what repeated a report that is gone may now be released itself
    write_reports(copy, [row for row in FIRST + SECOND if row["id"] not in gone])
    left = layer(pipeline.run(copy, drop_missing=True).version, "reports")
    before = set(layer(versions[1], "reports")["report_id"])
    assert {name.rsplit("-", 1)[0] for name in before - set(left["report_id"])} == {
        f"{batch['cell'].iloc[0]}-{batch['category'].iloc[0]}-0"
    }


def test_the_version_says_what_is_withheld_and_nothing_that_is_private(history) -> None:
    city, versions, ids = history
    manifest = versions[1].manifest
    n = len(ids[1])
    told = {"released": n, "batches": n // M}
    assert manifest["privacy"] == {"min_count": M, "resolution": ANCHOR, **told}
    assert manifest["reports"] == {"rows_in": None, **told}
    assert [row for row in manifest["left_out"] if row["code"] == "withheld_small_counts"]
    assert manifest["layers"]["hexagons"]["null_because"]["reports_waste"]["en"].startswith("withheld")
    assert manifest["layers"]["reports"]["null_because"]["description"]["en"].startswith("withheld")
    file = next(row for row in manifest["inputs"] if row["kind"] == "reports")
    assert (file["sha256"], file["rows_in"]) == (None, None)
    private = json.loads((city / "var" / "private.json").read_text("utf-8"))
    assert private["withheld"] + n == private["reports"]["in_cells_and_counted"]
    for known in LAYERS:
        table = layer(versions[1], known.name)
        nulls = {name for name in known.names if table[name].isna().any()}
        assert nulls <= set(manifest["layers"][known.name]["null_because"]), known.name
    rows = layer(versions[1], "reports")
    assert rows["description"].isna().all()
    assert not set(rows["report_id"]) & {f"reports:{row['id']}" for row in FIRST + SECOND}
    assert (rows["requested_datetime"].dt.hour == 0).all()
    assert rows.geometry.to_wkt().nunique() == rows["cell"].nunique()  # one point for each anchor cell


def test_repaired_lamps_leave_their_zone_and_cells_count_them_in_batches(tmp_path: Path) -> None:
    def lamp(i: int, closed: bool) -> dict[str, str]:
        place = [f"{WEST + 0.0003 * (i + 5):.6f}", f"{(SOUTH + NORTH) / 2:.6f}"]
        told = ["PJU padam", "gelap", "selesai" if closed else "menunggu", "2025-09-20 20:00", ""]
        return dict(zip(FIELDS, [f"l{i}", *place, *told], strict=True))

    city = write_city(tmp_path / "city", [lamp(i, False) for i in range(40)])
    before = pipeline.run(city).version
    zone = layer(before, "lighting_zones")
    released_lamps = layer(before, "hexagons")["reports_street_light"].sum()
    assert released_lamps - 2 <= zone["lamps_affected"].sum() <= released_lamps  # between batches a lamp stands alone
    write_reports(city, [lamp(i, i in (10, 11)) for i in range(40)])
    after = pipeline.run(city).version
    assert layer(after, "lighting_zones")["lamps_affected"].sum() == zone["lamps_affected"].sum() - 2
    ledger = released(city)
    open_ = ledger[~ledger["report_id"].isin(["reports:l10", "reports:l11"])].groupby("cell").size()
    assert (open_ % M > 0).any()
    told = layer(after, "hexagons").set_index("cell")["incidents_lighting"].dropna()
    assert told.astype(int).to_dict() == {cell: n // M * M for cell, n in open_.items() if n >= M}
    assert layer(after, "reports")["report_id"].tolist() == layer(before, "reports")["report_id"].tolist()


def test_without_lamps_there_are_no_lighting_zones_and_the_version_says_so(tmp_path: Path) -> None:
    city = write_city(tmp_path / "city", FIRST)
    toml = (city / "city.toml").read_text("utf-8")
    lamps = '[[lamps]]\npath = "lamps.geojson"\n[lamps.columns]\nlamp_id = "lamp_id"\n'
    assert lamps in toml
    (city / "city.toml").write_text(toml.replace(lamps, ""), "utf-8")
    version = pipeline.run(city).version
    assert layer(version, "lighting_zones").empty
    assert "withheld_lighting_zones" in {row["code"] for row in version.manifest["left_out"]}
    assert layer(version, "hexagons")["incidents_lighting"].notna().any()


def test_a_city_that_releases_nothing_runs(tmp_path: Path) -> None:
    version = pipeline.run(write_city(tmp_path / "city", FIRST[:5])).version
    assert layer(version, "reports").empty
    cells = layer(version, "hexagons")
    assert cells["reports_total"].isna().all()
    assert "no reports are released" in version.manifest["layers"]["hexagons"]["null_because"]["exposure"]["en"]


def test_check_looks_at_every_report_and_rehearses_what_is_released(history) -> None:
    city, versions, _ = history
    found = check(city).quality
    assert found.reports is not None
    assert found.reports.counted > len(layer(versions[1], "reports"))
    assert "withheld_small_counts" in {row.code for row in found.left_out}
    results = dict(found.results)
    assert results["reports"] % M == 0 < results["reports"]


def test_other_terms_are_refused_once_reports_were_released(history, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(history[0], tmp_path / "city"))
    toml = (copy / "city.toml").read_text("utf-8")
    for terms in ("min_count = 3", f"min_count = {M}\nresolution = 10"):
        (copy / "city.toml").write_text(toml.replace(f"min_count = {M}", terms), "utf-8")
        with pytest.raises(InputError, match="reports were released with min_count = 4 and resolution = 9"):
            pipeline.run(copy)


@pytest.mark.parametrize(
    ("privacy", "resolution", "message"),
    [
        ("min_count = 1", 9, "min_count.*1 withholds nothing"),
        ("min_count = -1", 9, "min_count.*-1 is not 0 or more"),
        ("min_count = 5", 10, r"resolution 10\) are finer than the cells that reports are counted in \(9\)"),
        ("min_count = 5\nresolution = 16", 9, "16 is not in 0–15"),
        ("min_counts = 5", 9, "did you mean 'min_count'"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, privacy: str, resolution: int, message: str) -> None:
    city = write_city(tmp_path / "city", FIRST[:1], privacy, resolution)
    with pytest.raises(InputError, match=message):
        load_settings(city)


def test_the_hull_of_reports_is_refused(tmp_path: Path) -> None:
    city = write_city(tmp_path / "city", FIRST[:1])
    toml = (city / "city.toml").read_text("utf-8")
    (city / "city.toml").write_text(toml.replace("bbox = [117.500, -3.320, 117.518, -3.302]", 'hull_of = "reports"'))
    with pytest.raises(InputError, match="the hull of reports shows where withheld ones lie"):
        load_settings(city)
