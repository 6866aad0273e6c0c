"""Reports: good rows in, bad rows in quarantine, the counts add up."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from shapely import Point

from spatial.contracts import CATEGORIES, REPORTS, checked
from spatial.errors import InputError
from spatial.sources.reports import COLUMNS, ReportSource, ReportTable, quarantine_swapped, read_reports
from spatial.sources.taxonomy import load_taxonomy

from .data import feature, real, write_csv, write_geojson

TAXONOMY = load_taxonomy()
GOOD: dict[str, Any] = {
    "report_id": "a1",
    "lon": "123.5812",
    "lat": "-10.17",
    "category": "Sampah",
    "description": "menumpuk",
    "status": "selesai",
    "requested_datetime": "2025-01-02 08:00:00",
    "resolved_datetime": "2025-01-03 08:00:00",
    "depth_m": "",
}


def read_rows(folder: Path, *rows: dict[str, Any], time_zone: str = "Asia/Makassar", **settings: Any) -> ReportTable:
    path = write_csv(folder / "kupang.csv", [GOOD | row for row in rows])
    table = read_reports(ReportSource(path, **settings), TAXONOMY, time_zone)
    assert table.rows_in == len(rows) == len(table.reports) + len(table.quarantine)
    return table


def test_one_good_row_by_hand(tmp_path: Path) -> None:
    table = read_rows(tmp_path, {"depth_m": "45"}, depth_unit="cm")
    report = table.reports.iloc[0]
    assert tuple(table.reports.columns) == (*COLUMNS, "geometry")
    assert (report["report_id"], report["source"], report["category"], report["category_raw"]) == (
        "kupang:a1",
        "kupang",
        "waste",
        "Sampah",
    )
    assert (report["description"], report["status"], report["depth_m"], report["decimals"]) == (
        "menumpuk",
        "closed",
        0.45,
        4,
    )
    assert report["requested_datetime"] == pd.Timestamp("2025-01-02T00:00:00Z")
    assert report["resolved_datetime"] == pd.Timestamp("2025-01-03T00:00:00Z")
    assert pd.isna(report["updated_datetime"])
    assert (report.geometry.x, report.geometry.y) == (123.5812, -10.17)
    assert checked(REPORTS, table.reports.drop(columns="decimals")).shape[0] == 1


@pytest.mark.parametrize(
    ("row", "field", "reason", "value"),
    [
        ({"lon": ""}, "lon", "missing_coordinate", None),
        ({"lat": " "}, "lat", "missing_coordinate", None),
        ({"lon": "123,58"}, "lon", "not_a_number", "123,58"),
        ({"lat": "nan"}, "lat", "not_a_number", "nan"),
        ({"lat": "inf"}, "lat", "not_a_number", "inf"),
        ({"lon": "0", "lat": "0.0"}, "lon", "zero_coordinate", "0, 0.0"),
        ({"lon": "3696000", "lat": "531000"}, "lon", "projected_coordinate", "3696000, 531000"),
        ({"lon": "-10.17", "lat": "123.58"}, "lon", "swapped", "-10.17, 123.58"),
        ({"lon": "181"}, "lon", "out_of_range", "181"),
        ({"lon": "123", "lat": "-91"}, "lat", "out_of_range", "-91"),
        ({"requested_datetime": "02/01/2025"}, "requested_datetime", "unreadable_time", "02/01/2025"),
        ({"resolved_datetime": "besok"}, "resolved_datetime", "unreadable_time", "besok"),
        (
            {"resolved_datetime": "2025-01-02 07:59:59"},
            "resolved_datetime",
            "resolved_before_requested",
            "2025-01-01 23:59:59+00:00",
        ),
        ({"depth_m": "-5"}, "depth_m", "negative_depth", "-5"),
        ({"depth_m": "dalam"}, "depth_m", "not_a_number", "dalam"),
    ],
)
def test_each_reason_of_quarantine(
    tmp_path: Path, row: dict[str, Any], field: str, reason: str, value: str | None
) -> None:
    table = read_rows(tmp_path, {"report_id": "z"}, row)
    assert table.reports["report_id"].tolist() == ["kupang:z"]
    bad = table.quarantine.iloc[0]
    assert (bad["row"], bad["report_id"], bad["field"], bad["reason"]) == (2, "kupang:a1", field, reason)
    assert bad["value"] == value if value is not None else pd.isna(bad["value"])
    assert bad["file"].endswith("kupang.csv")
    raw = {key: (text if str(text).strip() else None) for key, text in (GOOD | row).items()}
    assert json.loads(bad["raw"]) == raw


def test_empty_times_and_ids_are_no_fault(tmp_path: Path) -> None:
    table = read_rows(tmp_path, {"requested_datetime": "", "resolved_datetime": " ", "report_id": "", "status": ""})
    report = table.reports.iloc[0]
    assert report[["requested_datetime", "resolved_datetime", "status", "depth_m"]].isna().all()
    assert len(table.quarantine) == 0


def test_repeated_ids_stay_in_the_quarantine(tmp_path: Path) -> None:
    table = read_rows(tmp_path, {"lon": "x"}, {}, {}, {"description": "lain"}, {"report_id": "b"})
    assert table.reports["report_id"].tolist() == ["kupang:a1", "kupang:b"]
    assert table.quarantine["reason"].tolist() == ["not_a_number", "repeated_id", "conflicting_id"]
    assert table.quarantine["row"].tolist() == [1, 3, 4]


def test_ids_without_an_id_column_follow_the_content_not_the_order(tmp_path: Path) -> None:
    rows = [{"report_id": "", "description": text} for text in ("a", "b", "a", "c")]
    first = read_rows(tmp_path, *rows).reports
    second = read_rows(tmp_path, *reversed(rows)).reports
    assert first["report_id"].is_unique
    assert set(first["report_id"]) == set(second["report_id"])
    by_text = dict(zip(second["description"], second["report_id"], strict=True))
    assert by_text["b"] == first["report_id"].iloc[1]
    assert all(len(text.removeprefix("kupang:")) == 16 for text in first["report_id"])


def test_unknown_words_are_other_and_counted(tmp_path: Path) -> None:
    table = read_rows(
        tmp_path,
        {"report_id": "1", "category": "Grafiti", "status": "aneh"},
        {"report_id": "2", "category": "grafiti"},
        {"report_id": "3", "category": ""},
        {"report_id": "4", "category": "lainnya"},
        {"report_id": "5", "category": "Grafiti"},
    )
    assert table.reports["category"].tolist() == ["other"] * 5
    assert table.unmapped == {"Grafiti": 2, "(empty)": 1, "grafiti": 1, "status:aneh": 1}
    assert pd.isna(table.reports["status"].iloc[0])


def test_the_first_column_whose_word_is_known_decides(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "r.csv",
        [
            {"lon": 1, "lat": 1, "kind": kind, "group": group}
            for kind, group in (
                ("Grafitis", "Higiene Urbana"),
                ("Other", "Sewer Issues"),
                ("Flooding", "Sewer Issues"),
                ("Other", "Nothing"),
                ("", "Sewer Issues"),
            )
        ],
    )
    table = read_reports(ReportSource(path, columns={"category": ("kind", "group")}), TAXONOMY)
    assert table.reports["category"].tolist() == ["waste", "drainage", "flood", "other", "drainage"]
    assert table.reports["category_raw"].tolist() == [
        "Grafitis / Higiene Urbana",
        "Other / Sewer Issues",
        "Flooding / Sewer Issues",
        "Other / Nothing",
        "Sewer Issues",
    ]
    assert table.unmapped == {}


def test_a_constant_category_a_source_per_row_and_a_time_format(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "r.csv",
        [
            {"lon": "106.8", "lat": "-6.2", "via": "qlue", "id": 7, "when": "20/02/2017 07:58"},
            {"lon": "106.8", "lat": "-6.2", "via": "", "id": 7, "when": "2017-02-20 07:58"},
        ],
    )
    source = ReportSource(
        path,
        category="flood",
        time_format="%d/%m/%Y %H:%M",
        time_zone="Asia/Jakarta",
        columns={"source": "via", "report_id": "id", "requested_datetime": "when"},
    )
    reports = read_reports(source, TAXONOMY, "UTC").reports
    assert reports["report_id"].tolist() == ["qlue:7", "r:7"]
    assert reports["category"].tolist() == ["flood", "flood"]
    assert reports["requested_datetime"].tolist() == [pd.Timestamp("2017-02-20T00:58:00Z")] * 2


def test_times_that_cannot_be_are_refused_and_do_not_move_the_run(tmp_path: Path) -> None:
    """1900 and 1970 are how programs write "no time"; a year mistyped as 2071 would become `as_of`."""
    now = pd.Timestamp.now("UTC")
    times = [
        "2017-02-20",
        "1900-01-01",
        "1970-01-01T00:00:00Z",
        "2071-02-20",
        str(now),
        str(now + pd.Timedelta(days=2)),
    ]
    rows = [{"lon": "106.8", "lat": "-6.2", "requested_datetime": told, "report_id": i} for i, told in enumerate(times)]
    table = read_reports(ReportSource(write_csv(tmp_path / "r.csv", rows), category="flood"), TAXONOMY)
    assert table.reports["report_id"].tolist() == ["r:0", "r:4"]
    assert table.quarantine["reason"].tolist() == ["impossible_time", "impossible_time", "future_time", "future_time"]
    assert table.quarantine["value"].tolist() == [times[1], times[2], times[3], times[5]]
    assert table.rows_in == len(table.reports) + len(table.quarantine)


def test_a_file_may_write_times_in_several_ways(tmp_path: Path) -> None:
    written = ["20/02/2017 07:58", "02/20/2017 07:58 AM", "2017-02-20 07:58", "20170220"]
    rows = [{"lon": "106.8", "lat": "-6.2", "requested_datetime": told} for told in written]
    path = write_csv(tmp_path / "r.csv", rows)
    source = ReportSource(path, category="flood", time_format=("%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p"))
    table = read_reports(source, TAXONOMY)
    assert table.reports["requested_datetime"].tolist() == [pd.Timestamp("2017-02-20T07:58Z")] * 3
    assert table.quarantine["value"].tolist() == ["20170220"]


def test_projected_columns_are_transformed_and_places_outside_the_crs_refused(tmp_path: Path) -> None:
    x, y = Transformer.from_crs(4326, 32751, always_xy=True).transform(123.6, -10.2)
    rows: list[dict[str, Any]] = [{"x": x, "y": y}, {"x": 1e30, "y": 1e30}, {"x": 0, "y": 0}]
    path = write_csv(tmp_path / "r.csv", rows)
    source = ReportSource(path, crs="EPSG:32751", category="flood", columns={"lon": "x", "lat": "y"})
    table = read_reports(source, TAXONOMY)
    assert table.reports.geometry.iloc[0].distance(Point(123.6, -10.2)) < 1e-9
    assert table.quarantine["reason"].tolist() == ["outside_crs", "zero_coordinate"]


def test_swapped_into_the_city(tmp_path: Path) -> None:
    rows = [
        {"report_id": "1", "lon": "-9.14", "lat": "38.72"},
        {"report_id": "2", "lon": "38.72", "lat": "-9.14"},
        {"report_id": "3", "lon": "10", "lat": "50", "category": "Grafiti"},
        {"report_id": "4", "lat": "x"},
    ]
    table = quarantine_swapped(read_rows(tmp_path, *rows), (-9.3, 38.6, -9.0, 38.8))
    assert table.rows_in == 4
    assert table.reports["report_id"].tolist() == ["kupang:1", "kupang:3"]
    assert table.quarantine[["row", "reason", "report_id"]].to_numpy().tolist() == [
        [2, "swapped", "kupang:2"],
        [4, "not_a_number", "kupang:4"],
    ]
    assert json.loads(table.quarantine["raw"].iloc[0])["lon"] == "38.72"
    assert table.unmapped == {"Grafiti": 1}
    assert quarantine_swapped(table, (-9.3, 38.6, -9.0, 38.8)) is table


@pytest.mark.parametrize(
    ("settings", "field", "says"),
    [
        ({"columns": {"report_id": "reportid"}}, "columns.report_id", "nearest is 'report_id'"),
        ({"columns": {"wort": "lon"}}, "columns.wort", "known:"),
        ({"columns": {"status": ("status", "lon")}}, "columns.status", "one column"),
        ({"depth_unit": "ft"}, "depth_unit", "cm"),
        ({"category": "rain"}, "category", "known:"),
        ({"category": "flood", "columns": {"category": "category"}}, "category", "both"),
        ({"time_zone": "Mars/One"}, "time_zone", "IANA"),
        ({"crs": "EPSG:1"}, "crs", "EPSG"),
        ({"format": "excel"}, "format", "known"),
        ({"delimiter": "||"}, "delimiter", "one character"),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        read_rows(tmp_path, {}, **settings)
    assert error.value.field == field
    assert says in str(error.value)


def test_no_coordinates_and_no_category(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "r.csv", [{"long": 1, "lat": 2}])
    with pytest.raises(InputError, match=r"lon: no coordinates.*long, lat"):
        read_reports(ReportSource(path, category="flood"), TAXONOMY)
    with pytest.raises(InputError, match="category: neither"):
        read_reports(ReportSource(path, columns={"lon": "long"}), TAXONOMY)


def test_geometry_has_its_own_crs(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "r.geojson", [feature([123.6, -10.2]), feature([-10.2, 123.6]), feature(None)])
    table = read_reports(ReportSource(path, category="tree"), TAXONOMY)
    assert table.quarantine[["field", "reason"]].to_numpy().tolist() == [
        ["geometry", "swapped"],
        ["geometry", "null_geometry"],
    ]
    with pytest.raises(InputError, match="crs: the file says"):
        read_reports(ReportSource(path, category="tree", crs="EPSG:32751"), TAXONOMY)


def test_parquet_times_with_and_without_zone(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "requested_datetime": [pd.Timestamp("2020-01-01 08:00"), None],
            "resolved_datetime": [pd.Timestamp("2020-01-01 01:00Z"), None],
            "report_id": [1, 2],
        }
    )
    path = tmp_path / "r.parquet"
    gpd.GeoDataFrame(frame, geometry=[Point(1, 2), Point(3, 4)], crs=4326).to_parquet(path)
    reports = read_reports(ReportSource(path, category="road"), TAXONOMY, "Asia/Makassar").reports
    assert reports["requested_datetime"].iloc[0] == pd.Timestamp("2020-01-01T00:00Z")
    assert reports["resolved_datetime"].iloc[0] == pd.Timestamp("2020-01-01T01:00Z")
    assert reports["report_id"].tolist() == ["r:1", "r:2"]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12)
NUMBER = st.one_of(st.floats(-400, 400).map(str), CELL)
TIME = st.one_of(st.datetimes().map(str), CELL)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(CELL, NUMBER, NUMBER, CELL, TIME, TIME, NUMBER), min_size=1, max_size=12),
    st.lists(st.lists(st.text("ab", max_size=3), min_size=8, max_size=9), max_size=3),
)
def test_counts_add_up_whatever_is_in_the_file(rows: list[tuple[str, ...]], ragged: list[list[str]]) -> None:
    names = ("report_id", "lon", "lat", "category", "requested_datetime", "resolved_datetime", "depth_m")
    with tempfile.TemporaryDirectory() as folder:
        path = write_csv(Path(folder) / "r.csv", [dict(zip(names, row, strict=True)) for row in rows])
        with path.open("a", newline="", encoding="utf-8") as file:
            file.writelines(",".join(fields) + "\r\n" for fields in ragged)
        table = read_reports(ReportSource(path), TAXONOMY)
    assert table.rows_in == len(rows) + len(ragged) == len(table.reports) + len(table.quarantine)
    assert sorted([*table.reports.index, *table.quarantine["row"]]) == list(range(1, table.rows_in + 1))
    assert table.reports["report_id"].is_unique
    assert set(table.reports["category"]) <= set(CATEGORIES)
    assert table.reports.geometry.x.between(-180, 180).all()
    assert table.reports.geometry.y.between(-90, 90).all()
    assert (
        sum(n for word, n in table.unmapped.items() if not word.startswith("status:"))
        <= (table.reports["category"] == "other").sum()
    )


def test_lisbon() -> None:
    path = real("lisbon/reports_na_minha_rua.geojson")
    source = ReportSource(path, columns={"report_id": "id", "category": ("tipo", "area"), "status": "state"})
    table = read_reports(source, TAXONOMY, "Europe/Lisbon")
    delivered = [f["properties"] for f in json.loads(path.read_text(encoding="utf-8"))["features"]]
    counts = table.reports["category"].value_counts()
    assert (table.rows_in, len(table.reports), counts["waste"], counts["street_light"]) == (2306, 2306, 1683, 114)
    assert counts["flood"] + counts["drainage"] == sum(p["area"] == "Saneamento" for p in delivered) == 54
    assert counts["tree"] == sum(p["area"] == "Árvores e Espaços Verdes" for p in delivered)
    hygiene = [p["area"] == "Higiene Urbana" for p in delivered]
    assert (table.reports["category"] == "waste").tolist() == hygiene
    assert (table.reports["status"] == "closed").sum() == sum(p["state"] == "Resolvido" for p in delivered)
    assert table.reports["decimals"].max() == 4
    assert table.reports["requested_datetime"].isna().all()
    assert not any(word.startswith("status:") for word in table.unmapped)


def test_jakarta() -> None:
    path = real("jakarta/reports_petabencana_2017.geojson")
    source = ReportSource(
        path,
        category="flood",
        depth_unit="cm",
        columns={
            "source": "source",
            "description": "text",
            "requested_datetime": "created_at",
            "depth_m": "flood_depth_cm",
        },
    )
    table = read_reports(source, TAXONOMY, "Asia/Jakarta")
    reports = table.reports
    assert (table.rows_in, len(reports), len(table.quarantine)) == (1204, 1204, 0)
    assert reports["requested_datetime"].iloc[0] == pd.Timestamp("2017-02-20T00:58:22Z")
    assert (table.depths["field"], reports["depth_m"].iloc[0]) == (230, 0.77)
    assert (reports["source"] == "qlue").sum() == 926
    assert reports["description"].isna().sum() == 40
    assert reports["report_id"].is_unique


def test_boston() -> None:
    path = real("boston_311/boston_311_2011_slim.parquet")
    source = ReportSource(
        path,
        source="boston",
        columns={
            "report_id": "case_enquiry_id",
            "lon": "longitude",
            "lat": "latitude",
            "category": ("type", "reason"),
            "status": "case_status",
            "requested_datetime": "open_dt",
            "resolved_datetime": "closed_dt",
        },
    )
    table = read_reports(source, TAXONOMY, "America/New_York")
    assert table.rows_in == 58251 == len(table.reports) + len(table.quarantine)
    outages = table.reports["category_raw"].str.startswith("Street Light Outages /")
    assert outages.sum() == 4918
    assert (table.reports.loc[outages, "category"] == "street_light").all()
    assert table.reports["requested_datetime"].iloc[0] == pd.Timestamp("2011-07-01T05:32:33Z")
    assert (table.reports["status"] == "closed").sum() == 54570


def test_open311_with_mixed_offsets() -> None:
    path = real("malformed/open311_multi_city.tsv")
    source = ReportSource(
        path, columns={"source": "city", "report_id": "service_request_id", "lon": "long", "category": "service_name"}
    )
    table = read_reports(source, TAXONOMY, "UTC")
    assert (table.rows_in, len(table.reports), table.quarantine["reason"].tolist()) == (
        701,
        700,
        ["missing_coordinate"],
    )
    assert table.quarantine["report_id"].tolist() == ["Peoria_IL:27365"]
    assert table.reports["requested_datetime"].iloc[0] == pd.Timestamp("2019-11-14T05:21:08Z")


def test_open311_names_are_taken_by_themselves() -> None:
    path = real("malformed/open311_multi_city.tsv")
    table = read_reports(ReportSource(path, columns={"source": "city"}), TAXONOMY, "UTC")
    assert (table.rows_in, len(table.reports)) == (701, 700)
    assert table.notes == (
        f"{path.name}: separator tab (10 fields in the header and in 100% of the lines)",
        f"{path.name}: Open311 names taken: report_id = service_request_id, lon = long, category = service_name",
    )
    spelled = {"source": "city", "report_id": "service_request_id", "lon": "long", "category": "service_name"}
    assert table.reports.equals(read_reports(ReportSource(path, columns=spelled), TAXONOMY, "UTC").reports)


def test_points_of_san_francisco_in_one_column() -> None:
    path = real("sf_311/cases_sample_10000.csv")
    mapping = {"report_id": "CaseID", "requested_datetime": "Opened", "category": "Category", "point": "Point"}
    table = read_reports(
        ReportSource(path, columns=mapping, time_format="%m/%d/%Y %I:%M:%S %p"), TAXONOMY, "America/Los_Angeles"
    )
    assert table.rows_in == 10_000 == len(table.reports) + len(table.quarantine)
    assert len(table.reports) > 9_900
    west, south, east, north = table.reports.total_bounds
    assert -123.2 < west < east < -122.3
    assert 37.6 < south < north < 37.9
    assert table.reports["decimals"].iloc[0] == 12


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(-8.5, 115.25)", (115.25, -8.5)),
        ("-8.5;115.25", (115.25, -8.5)),
        ("POINT (115.25 -8.5)", (115.25, -8.5)),
        ("(115.25, -8.5)", "swapped"),
        ("Jalan Sudirman", "not_a_number"),
        ("", "missing_coordinate"),
        ("(0, 0)", "zero_coordinate"),
    ],
)
def test_points_in_one_column_by_hand(tmp_path: Path, text: str, expected: tuple[float, float] | str) -> None:
    path = write_csv(tmp_path / "r.csv", [{"id": "1", "titik": text}])
    source = ReportSource(path, category="flood", columns={"point": "titik", "report_id": "id"})
    table = read_reports(source, TAXONOMY)
    if isinstance(expected, str):
        assert table.quarantine[["field", "reason"]].to_numpy().tolist() == [["titik", expected]]
    else:
        assert table.reports.geometry.iloc[0].coords[0] == expected


def test_state_plane_feet_of_new_orleans(tmp_path: Path) -> None:
    path = real("malformed/nola_311_sample.js")
    text = path.read_text(encoding="utf-8")
    rows = json.loads(text[text.index("[") : text.rindex("]") + 1])
    feet = sum(abs(float(row["longitude"])) > 360 for row in rows)
    assert feet > 0
    names = ("ticket_id", "longitude", "latitude", "issue_type", "ticket_created_date_time")
    delivered = write_csv(tmp_path / "nola.csv", [{name: row.get(name) for name in names} for row in rows])
    table = read_reports(
        ReportSource(
            delivered,
            columns={
                "report_id": "ticket_id",
                "lon": "longitude",
                "lat": "latitude",
                "category": "issue_type",
                "requested_datetime": "ticket_created_date_time",
            },
        ),
        TAXONOMY,
        "America/Chicago",
    )
    assert table.rows_in == len(rows) == len(table.reports) + len(table.quarantine)
    assert (table.quarantine["reason"] == "projected_coordinate").sum() == feet


def test_a_flood_report_without_a_depth_takes_the_one_it_tells(tmp_path: Path) -> None:
    """The file's own depth wins; only floods tell the depth of water; a refused row is not counted."""
    flood, text = {"category": "banjir"}, {"description": "Banjir selutut, hubungi 081234567890"}
    table = read_rows(
        tmp_path,
        {"report_id": "field", "depth_m": "20"} | flood | text,
        {"report_id": "text"} | flood | text,
        {"report_id": "silent"} | flood,
        {"report_id": "hole", "category": "jalan rusak", "description": "lubang sedalam 30 cm"},
        {"report_id": "refused", "lat": "999"} | flood | text,
        depth_unit="cm",
    )
    depths = table.reports.set_index("report_id")["depth_m"].to_dict()
    expected = {"kupang:field": 0.2, "kupang:text": 0.5, "kupang:silent": float("nan"), "kupang:hole": float("nan")}
    assert depths == pytest.approx(expected, nan_ok=True)
    assert table.depths == {"field": 1, "text": 1}
    assert table.told_depths == {2, 5}
