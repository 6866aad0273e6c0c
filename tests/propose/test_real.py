"""`init --from` on every real report set: what it gets right, what it asks about, nothing wrong in silence."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli import main
from spatial.config import load_settings
from spatial.errors import InputError
from spatial.propose import FileProposal, Proposal, propose
from spatial.sources.reports import FIELDS, ReportTable, read_reports
from spatial.sources.taxonomy import load_taxonomy

Shared = Callable[[str], Path]
TAXONOMY = load_taxonomy()


def one(path: Path) -> tuple[Proposal, FileProposal]:
    proposal = propose([path], "Kota")
    assert len(proposal.files) == 1
    return proposal, proposal.files[0]


def right(file: FileProposal) -> dict[str, object]:
    """Return what is settled: active and not asked."""
    return {s.key: s.value for s in file.settings if s.active and not s.question}


def city_asked(proposal: Proposal) -> set[str]:
    return {s.key for s in (*proposal.city, *proposal.area) if s.question}


def init(folder: Path, *files: Path) -> str:
    result = CliRunner().invoke(main, ["init", str(folder), "--from", *map(str, files)])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def read(folder: Path) -> ReportTable:
    settings = load_settings(folder)
    return read_reports(settings.reports[0], TAXONOMY, settings.city.time_zone)


def test_lisbon(shared_data: Shared, tmp_path: Path) -> None:
    path = shared_data("lisbon/reports_na_minha_rua.geojson")
    proposal, file = one(path)
    assert right(file) == {"columns.report_id": "id", "columns.status": "state"}
    assert file.value("columns.category") == ("tipo", "area")
    assert set(file.asked()) == {"columns.category"}  # words that no one knows, rows in which the two disagree
    assert city_asked(proposal) == {"attribution"}
    told = init(tmp_path / "lisboa", path)
    assert "8 dikenal / known (2,128/2,306)" in told
    table = read(tmp_path / "lisboa")
    counts = table.reports["category"].value_counts()
    assert (table.rows_in, len(table.quarantine), counts["waste"], counts["street_light"]) == (2306, 0, 1683, 114)
    assert counts["flood"] + counts["drainage"] == 54


def test_jakarta(shared_data: Shared, tmp_path: Path) -> None:
    path = shared_data("jakarta/reports_petabencana_2017.geojson")
    proposal, file = one(path)
    assert right(file) == {
        "columns.requested_datetime": "created_at",
        "columns.description": "text",
        "columns.depth_m": "flood_depth_cm",
        "depth_unit": "cm",
    }
    assert set(file.asked()) == {"category", "columns.source"}
    assert city_asked(proposal) == {"time_zone", "attribution"}
    told = init(tmp_path / "jakarta", path)
    assert "1,204 dari / of 1,204 adalah waktu / are times, tanpa zona / no offset" in told
    assert "qlue 926, grasp 230, detik 48" in told
    table = read(tmp_path / "jakarta")
    assert (table.rows_in, len(table.reports), len(table.quarantine)) == (1204, 1204, 0)
    assert table.reports["requested_datetime"].iloc[0].isoformat() == "2017-02-20T00:58:22+00:00"
    assert (table.reports["category"] == "flood").all()
    assert (table.depths["field"], table.reports["depth_m"].iloc[0]) == (230, 0.77)
    assert table.reports["description"].isna().sum() == 40
    text = (tmp_path / "jakarta/city.toml").read_text("utf-8")
    (tmp_path / "jakarta/city.toml").write_text(text.replace('# source = "source"', 'source = "source"'), "utf-8")
    assert (read(tmp_path / "jakarta").reports["source"] == "qlue").sum() == 926


def test_boston(shared_data: Shared, tmp_path: Path) -> None:
    path = shared_data("boston_311/boston_311_2011_slim.parquet")
    init(tmp_path / "boston", path)
    settings = load_settings(tmp_path / "boston").reports[0]
    assert dict(settings.columns) == {
        "report_id": "case_enquiry_id",
        "lon": "longitude",
        "lat": "latitude",
        "category": ("type", "reason"),
        "status": "case_status",
        "requested_datetime": "open_dt",
        "resolved_datetime": "closed_dt",
    }
    text = (tmp_path / "boston/city.toml").read_text("utf-8")
    assert '\n# time_zone = "UTC"\n' in text  # not Indonesia: asked, not proposed
    table = read(tmp_path / "boston")
    assert table.rows_in == 58251 == len(table.reports) + len(table.quarantine)
    outages = table.reports["category_raw"].str.startswith("Street Light Outages /")
    assert (outages.sum(), (table.reports.loc[outages, "category"] == "street_light").all()) == (4918, True)


def test_san_francisco(shared_data: Shared, tmp_path: Path) -> None:
    path = shared_data("sf_311/cases_sample_10000.csv")
    proposal, file = one(path)
    assert right(file) == {
        "columns.point": "Point",
        "columns.report_id": "CaseID",
        "columns.status": "Status",
        "columns.requested_datetime": "Opened",
        "columns.updated_datetime": "Updated",
        "columns.resolved_datetime": "Closed",
        "time_format": "%m/%d/%Y %I:%M:%S %p",
    }
    assert file.value("columns.category") == ("Request.Type", "Category")
    assert set(file.asked()) == {"columns.category", "columns.source"}
    assert city_asked(proposal) == {"time_zone", "attribution"}
    early = next(s.evidence for s in file.settings if s.key == "columns.resolved_datetime")
    assert "129 sebelum / before `Opened` (dikarantina / will be quarantined)" in early
    if "point" in FIELDS:
        init(tmp_path / "sf", path)
        table = read(tmp_path / "sf")
        assert table.rows_in == 10000 == len(table.reports) + len(table.quarantine)
        assert len(table.quarantine) == 24 + 129 - table.quarantine["row"].duplicated().sum()


def test_open311_of_six_cities(shared_data: Shared, tmp_path: Path) -> None:
    path = shared_data("malformed/open311_multi_city.tsv")
    proposal, file = one(path)
    assert right(file) == {
        "columns.lon": "long",
        "columns.lat": "lat",
        "columns.report_id": "service_request_id",
        "columns.status": "status",
        "columns.requested_datetime": "requested_datetime",
    }
    assert file.value("columns.category") == "service_name"
    assert set(file.asked()) == {"columns.category", "columns.updated_datetime"}  # 149 updated before requested
    assert city_asked(proposal) == {"attribution", "hull_of"}  # every time has its offset; but six cities are no city
    init(tmp_path / "six", path)
    with pytest.raises(InputError, match="exactly one of file, bbox, hull_of"):
        load_settings(tmp_path / "six")
    toml = tmp_path / "six/city.toml"
    toml.write_text(toml.read_text("utf-8").replace("# hull_of", "hull_of"), "utf-8")
    table = read(tmp_path / "six")
    assert (table.rows_in, len(table.reports)) == (701, 700)
    assert table.quarantine["reason"].tolist() == ["missing_coordinate"]


@pytest.mark.parametrize("suffix", [".csv", ".geojson"])
def test_new_orleans_with_rows_in_state_plane_feet(shared_data: Shared, tmp_path: Path, suffix: str) -> None:
    text = shared_data("malformed/nola_311_sample.js").read_text("utf-8")
    rows = json.loads(text[text.index("[") : text.rindex("]") + 1])
    path = tmp_path / f"nola{suffix}"
    geometry = [row.pop("location") for row in rows]
    if suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, sorted({key for row in rows for key in row}))
            writer.writeheader()
            writer.writerows(rows)
    else:
        features = [
            {"type": "Feature", "properties": row, "geometry": place} for row, place in zip(rows, geometry, strict=True)
        ]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    told = init(tmp_path / "nola", path)
    assert "9 dari / of 100 bukan derajat" in told
    proposal, proposed = one(path)
    assert {k: v for k, v in right(proposed).items() if k not in ("columns.lon", "columns.lat")} == {
        "columns.report_id": "ticket_id",
        "columns.status": "ticket_status",
        "columns.description": "issue_description",
        "columns.requested_datetime": "ticket_created_date_time",
        "columns.resolved_datetime": "ticket_closed_date_time",
    }
    assert proposed.value("columns.category") == "issue_type"
    assert city_asked(proposal) == {"time_zone", "attribution"}
    table = read(tmp_path / "nola")
    assert (table.rows_in, len(table.reports)) == (100, 91)
    assert set(table.quarantine["reason"]) == {"projected_coordinate"}


def test_files_that_are_not_reports(shared_data: Shared) -> None:
    kinds = {
        "lisbon/roads_osm_lisbon_2020.parquet": "roads",
        "jakarta/roads_osm_jakarta.parquet": "roads",
        "porto_alegre/poa_osm.pbf": "roads lamps",
        "lisbon/dem_lisbon_eudem25m_3035.tif": "elevation",
        "denpasar/dem_denpasar.tif": "elevation",
        "jakarta/hkv_flood_depth_current.tif": "unknown",
        "denpasar/rivers.geojson": "unknown",
        "denpasar/watersheds.geojson": "unknown",
        "jakarta/rw_flood_2007.gpkg": "unknown",
        "boundaries/kota_kupang_kelurahan.geojson": "admin_areas",
        "boundaries/kota_kupang_kecamatan.geojson": "admin_areas",
        "boundaries/kota_kupang_kab.geojson": "boundary",
    }
    for name, kind in kinds.items():
        files = propose([shared_data(name)], "Kota").files
        assert " ".join(f.kind for f in files) == kind, name
        assert all(f.questions for f in files if f.kind == "unknown"), name
    jakarta = propose([shared_data("jakarta/roads_osm_jakarta.parquet")], "J").files[0]
    assert right(jakarta) == {"columns.highway": "TYPE", "columns.name": "NAME"}
