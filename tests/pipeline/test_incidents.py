"""Incidents of a run: what reports say reaches the comparison, after personal data are out of it."""

from __future__ import annotations

from pathlib import Path

from spatial import pipeline
from spatial.store.geopackage import read_layer
from tests.pipeline.tiny import SOUTH, WEST, write_tiny_city

HOURS = ("07:00", "08:00", "09:00")
STREETS = ("banjir di gang Melati 0812-3456-7890", "gang Melati banjir 0857-9876-5432", "simpang Kenanga air tinggi")


def test_floods_60_m_apart_are_one_incident_where_they_name_one_street(tmp_path: Path) -> None:
    city = write_tiny_city(tmp_path / "kota")
    with (city / "reports.csv").open("a") as file:
        for i, (hour, says) in enumerate(zip(HOURS, STREETS, strict=True)):
            lon = WEST + 0.002 + (0.0, 60.0, -60.0)[i] / 111_000
            file.write(f"n{i},{lon:.6f},{SOUTH + 0.002:.6f},Banjir,{says},menunggu,2025-03-20 {hour},\n")
    reports = read_layer(pipeline.run(city).version.layers, "reports")
    mine = reports[reports["description"].fillna("").str.contains("Melati|Kenanga")].sort_values("requested_datetime")
    first = mine["report_id"].iloc[0]
    assert mine["duplicate_of"].fillna("").tolist() == ["", first, ""]
    assert mine["incident_id"].tolist() == [first, first, mine["report_id"].iloc[2]]
    assert mine["quality"].fillna("").str.contains("duplicate").tolist() == [False, True, False]
    assert not mine["description"].str.contains("9876").any()
