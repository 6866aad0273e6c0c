"""Series of the tide: good readings in order, bad rows in quarantine, the counts add up."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial.errors import InputError
from spatial.sources.quarantine import REASONS
from spatial.sources.tides import TideSource, TideTable, hourly_levels, read_tide

from .data import real, write_csv

JAKARTA = {"time": "tanggal", "level_m": "tinggi_air", "station": "nama_pintu_air"}


def read(folder: Path, rows: list[tuple[Any, ...]], zone: str = "UTC", **options: Any) -> TideTable:
    names = ("time", "level_m", "station")
    path = write_csv(folder / "series.csv", [dict(zip(names, row, strict=False)) for row in rows])
    table = read_tide(TideSource(path, **options), zone)
    assert table.rows_in == len(rows) == len(table.series) + len(table.quarantine) + table.rows_other
    assert table.series["time"].is_monotonic_increasing
    assert table.series["time"].is_unique
    assert set(table.quarantine["reason"]) <= set(REASONS)
    return table


def refused(table: TideTable) -> list[list[Any]]:
    return table.quarantine[["row", "field", "reason"]].to_numpy().tolist()


def test_a_tide_by_hand(tmp_path: Path) -> None:
    rows = [("2025-01-01 09:00", 120), ("2025-01-01 08:00", -30), ("2025-01-01 10:00", 0)]
    table = read(tmp_path, rows, "Asia/Makassar", unit="cm")
    assert table.series["time"].astype(str).tolist() == [f"2025-01-01 0{h}:00:00+00:00" for h in (0, 1, 2)]
    assert table.series["level_m"].tolist() == [-0.3, 1.2, 0.0]  # a level below its datum is right
    assert (table.step_h, len(table.gaps), len(table.quarantine)) == (1.0, 0, 0)


@pytest.mark.parametrize(("unit", "told"), [("m", "2.5"), ("cm", "250"), ("mm", "2500")])
def test_levels_come_in_metres(tmp_path: Path, unit: str, told: str) -> None:
    table = read(tmp_path, [("2025-01-01 08:00", told)], unit=unit)
    assert table.series["level_m"].tolist() == pytest.approx([2.5], rel=1e-12)
    assert table.step_h != table.step_h  # one reading has no spacing


def test_every_bad_row_has_its_reason(tmp_path: Path) -> None:
    rows = [
        ("2025-01-01 00:00", "0.0"),
        ("2025-01-01 00:00", "0.00"),
        ("2025-01-01 00:00", "3.5"),
        ("01/02/2025", "1.0"),
        ("", "1.0"),
        ("2025-01-01 01:00", ""),
        ("2025-01-01 02:00", "1,5"),
        ("2025-01-01 04:00", "nan"),
        ("2025-01-01 05:00", "inf"),
        ("2025-01-01 06:00", "-20.1"),
        ("2025-01-01 06:00", "4"),
    ]
    table = read(tmp_path, rows)
    assert refused(table) == [
        [2, "time", "repeated_time"],
        [3, "time", "conflicting_time"],
        [4, "time", "unreadable_time"],
        [5, "time", "missing_value"],
        [6, "level_m", "missing_value"],
        [7, "level_m", "not_a_number"],
        [8, "level_m", "not_a_number"],
        [9, "level_m", "not_a_number"],
        [10, "level_m", "beyond_range"],
    ]
    assert table.series["level_m"].tolist() == [0.0, 4.0]  # the time of a refused row is free for a good one
    assert table.quarantine.loc[3, "raw"] == '{"time": null, "level_m": "1.0"}'


def test_zones_of_times(tmp_path: Path) -> None:
    rows = [("2025-01-01T08:00+08:00", 1), ("2025-01-01 02:00Z", 2), ("2025-01-01 09:00", 3), ("2025-01-01T01:00Z", 3)]
    table = read(tmp_path, rows, "Asia/Makassar")
    assert refused(table) == [[3, "time", "zone_missing"]]
    assert table.series["level_m"].tolist() == [1.0, 3.0, 2.0]
    stated = read(tmp_path, rows, "UTC", time_zone="Asia/Makassar")
    assert refused(stated) == [[4, "time", "repeated_time"]]  # 09:00 in Makassar is 01:00 UTC


def test_gaps_are_told(tmp_path: Path) -> None:
    rows = [(f"2025-01-0{day} {hour:02}:00", 1) for day, hour in ((1, 0), (1, 1), (1, 2), (1, 5), (1, 6), (2, 6))]
    table = read(tmp_path, rows)
    assert table.step_h == 1.0
    assert table.gaps["hours"].tolist() == [3.0, 24.0]
    assert table.gaps["start"].dt.hour.tolist() == [2, 6]
    assert table.gaps["end"].tolist() == [pd.Timestamp("2025-01-01 05:00Z"), pd.Timestamp("2025-01-02 06:00Z")]


def test_hours_weigh_alike(tmp_path: Path) -> None:
    rows = [("2025-01-01 00:00", 1), ("2025-01-01 00:30", 2), ("2025-01-01 02:59", 5)]
    table = read(tmp_path, rows)
    hours = hourly_levels(table)
    assert hours.tolist() == [1.5, 5.0]
    assert [str(time) for time in hours.index] == ["2025-01-01 00:00:00+00:00", "2025-01-01 02:00:00+00:00"]


def test_one_station_of_several(tmp_path: Path) -> None:
    rows = [("2025-01-01 00:00", 1, "A"), ("bad", "bad", "B"), ("2025-01-01 00:00", 3, "B"), ("2025-01-01", 1, "")]
    table = read(tmp_path, rows, station="B")
    assert table.series["level_m"].tolist() == [3.0]
    assert (table.rows_other, refused(table)) == (1, [[2, "time", "unreadable_time"], [4, "station", "missing_id"]])
    alone = read(tmp_path, [("2025-01-01 00:00", 1, "A"), ("2025-01-01 01:00", 1, "")])
    assert len(alone.series) == 2


def test_another_format_of_time(tmp_path: Path) -> None:
    table = read(tmp_path, [("31.01.2025 23", 1)], "Asia/Jakarta", time_format="%d.%m.%Y %H")
    assert table.series["time"].tolist() == [pd.Timestamp("2025-01-31 16:00Z")]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"unit": "ft"}, "unit: 'ft'"),
    ({"time_zone": "Makassar"}, "time_zone: 'Makassar'"),
    ({"columns": {"rain": "level_m"}}, r"columns\.rain: is not a column of a tide"),
    ({"columns": {"time": "tim"}}, "nearest is 'time'"),
    ({"station": "A"}, "no row is of 'A'; the nearest is 'Ancol', of Ancol, Pluit"),
    ({}, "holds 2 stations and none is chosen; write one of: Ancol, Pluit"),
    ({"station": "Pluit"}, r"no usable row \(not_a_number\)"),
]


def test_a_file_without_levels_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", [{"time": "2025-01-01", "water": 1}])
    with pytest.raises(InputError, match=r"columns\.level_m: no column is named.*has time, water"):
        read_tide(TideSource(path))


@pytest.mark.parametrize(("options", "problem"), WRONG)
def test_wrong_settings_are_refused(tmp_path: Path, options: dict[str, Any], problem: str) -> None:
    rows = [
        {"time": "2025-01-01", "level_m": 1, "station": "Ancol"},
        {"time": "2025-01-01", "level_m": "x", "station": "Pluit"},
    ]
    path = write_csv(tmp_path / "t.csv", rows)
    with pytest.raises(InputError, match=problem):
        read_tide(TideSource(path, **options))


TIMES = st.sampled_from(["2025-01-01 00:00", "2025-01-01 01:00", "2025-01-01T08:00+08:00", "x", ""])
NUMBERS = st.sampled_from(["1", "1.0", "-2", "x", "", "99", "1e400"])


@settings(max_examples=60)
@given(st.lists(st.tuples(TIMES, NUMBERS), max_size=8))
def test_every_row_is_accounted_for(rows: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = read(Path(folder), [*rows, ("2030-01-01T00:00Z", "0.5")])
    assert table.series.notna().all(axis=None)
    assert table.series.iloc[-1, 1] == 0.5


def test_jakartas_gauges() -> None:
    """21 gauges in millimetres, some of them read; what to expect is made with the csv module."""
    path = real("jakarta/water_level_gauges_2020.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["nama_pintu_air"].strip() for row in rows})
    assert (len(rows), len(names)) == (31059, 21)
    assert (
        len(rows) - len({tuple(row.values()) for row in rows}) == 8947
    )  # exact repeats, as the data's description says
    for name in [*names[::5], "P.A. Pluit"]:
        own = [row for row in rows if row["nama_pintu_air"].strip() == name]
        truth = {row["tanggal"]: int(row["tinggi_air"]) for row in reversed(own)}
        source = TideSource(path, unit="mm", time_zone="Asia/Jakarta", station=name, columns=JAKARTA)
        table = read_tide(source)
        assert table.rows_in == len(table.series) + len(table.quarantine) + table.rows_other == 31059
        assert table.rows_other == 31059 - len(own)
        local = table.series["time"].dt.tz_convert("Asia/Jakarta").dt.strftime("%Y-%m-%d %H:%M:%S")
        found = dict(zip(local, (table.series["level_m"] * 1000).round().astype(int), strict=True))
        assert found == truth
        assert len(table.quarantine) == len(own) - len({tuple(row.values()) for row in own}) > 0
        assert set(table.quarantine["reason"]) == {"repeated_time"}
        assert (table.gaps["hours"] > 1.5 * table.step_h).all()
    assert table.series["level_m"].min() < -2.0  # Pluit's basin lies below its datum


def test_the_sea_at_jakarta_is_a_tide() -> None:
    path = real("jakarta/water_level_gauges_2020.csv")
    source = TideSource(path, unit="mm", station="P.A. Marina Ancol", columns=JAKARTA)
    table = read_tide(source, "Asia/Jakarta")
    assert table.step_h == 0.5
    levels = hourly_levels(table)
    assert levels.between(1.0, 2.5).all()
    assert 0.5 < levels.max() - levels.min() < 1.5  # Jakarta's tidal range is about a metre
    with pytest.raises(InputError, match="beyond_range"):
        read_tide(TideSource(path, station="P.A. Marina Ancol", columns=JAKARTA), "Asia/Jakarta")
