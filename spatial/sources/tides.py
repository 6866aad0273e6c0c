"""Tide levels in time, from any table, in UTC, with a quarantine."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from spatial.errors import InputError
from spatial.sources.columns import Columns
from spatial.sources.formats import read_raw
from spatial.sources.ledger import Ledger
from spatial.sources.quarantine import missing
from spatial.sources.times import carries_zone, parse_time

UNITS: Mapping[str, float] = {"m": 1.0, "cm": 100.0, "mm": 1000.0}  # in a metre
GREATEST_M = 20.0  # no reading reaches this: the largest tidal range is 16 m (Bay of Fundy)
COLUMNS = ("time", "level_m", "station")
GAP_STEPS = 1.5  # a spacing of more than this many usual ones is a gap
TIME_TYPE = "datetime64[ms, UTC]"


@dataclass(frozen=True, slots=True)
class TideSource:
    """One file of tide levels: table `[[tide_series]]`.

    Attributes
    ----------
    path, format : a table in one of `formats.POINT_FORMATS`, by name or by suffix; CSV as a rule.
    unit : of the levels, "m", "cm" or "mm".
    time_zone : IANA zone of times that carry none; default the city's.
    time_format : `strptime` format, for times that are not ISO 8601 with the year first.
    station : the one to take of a file of several.
    columns : `time`, `level_m` (above the datum of the tide table or gauge), `station` → column of the file, whatever
        its unit; without, those of the same names are taken.
    delimiter, encoding, layer : of delimited text and workbooks, as of reports.
    """

    path: Path
    format: str | None = None
    unit: Literal["m", "cm", "mm"] = "m"
    time_zone: str | None = None
    time_format: str | None = None
    station: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    encoding: str | None = None
    layer: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class TideTable:
    """A series; `rows_in == len(series) + len(quarantine) + rows_other`.

    Attributes
    ----------
    series : one row a reading, in order of time: `time` (datetime64[ms, UTC], unique) and `level_m` (float64,
        metres above the datum of the source; negative is right).
    gaps : stretches without a reading: `start`, `end` (the readings on either side), `hours` between them.
    step_h : usual spacing of the readings (their median), hours; NaN for a single one.
    quarantine : see `quarantine.quarantine_table`.
    rows_other : rows of stations that were not asked for; they are not checked.
    notes : what was found out by itself, a line each with the evidence.
    """

    series: pd.DataFrame
    gaps: pd.DataFrame
    step_h: float
    quarantine: pd.DataFrame
    rows_in: int
    rows_other: int
    notes: tuple[str, ...] = ()


def read_tide(source: TideSource, time_zone: str = "UTC") -> TideTable:
    """Read one series; `time_zone` (IANA) is the city's, for times that carry none.

    Refused rows, with the reason: no time or one that cannot be read; a time without a zone where others of the file
    carry one and the source states none; no value, one that is not a number, or one that cannot be; a time
    that an earlier row holds already (the first counts).

    Raises
    ------
    InputError
        A setting is not valid; the file is missing or unreadable; a column does not exist; there are several stations
        and none is chosen, or the one chosen is not there; no row can be used.
    """
    zone = _checked_settings(source, time_zone)
    raw = read_raw(source.path, source.format, source.delimiter, source.encoding, source.layer)
    columns = Columns(source.path, raw, source.columns, COLUMNS)
    for name in ("time", "level_m"):
        if columns.name(name) not in raw.frame.columns:
            hint = f"map it in columns; the file has {', '.join(map(str, raw.frame.columns))}"
            raise InputError(source.path, f"columns.{name}", f"no column is named for {name}", hint)
    ledger = Ledger(source.path, raw)
    stations = columns.texts("station")
    chosen = _chosen(source, columns, ledger, stations)
    times = _times(ledger, columns, chosen, zone, source)
    values = _values(ledger, columns, chosen, source)
    _refuse_repeats(ledger, columns.name("time"), times, values)
    kept = chosen.intersection(ledger.kept(), sort=False)
    if kept.empty:
        reasons = sorted({reason for _, reason, _ in ledger.reasons.values()})
        raise InputError(source.path, "file", f"has no usable row ({', '.join(reasons)})", "check columns and unit")
    series = pd.DataFrame({"time": times[kept], "level_m": values[kept]}).sort_values("time", ignore_index=True)
    gaps, step_h = _gaps(series["time"])
    other = len(raw.frame) - len(chosen.union(pd.Index(list(ledger.reasons))))
    return TideTable(series, gaps, step_h, ledger.table(stations), raw.rows_in, other, raw.notes)


def hourly_levels(table: TideTable) -> pd.Series[float]:
    """Return the mean tide level of each UTC hour with a reading, m, by the start of the hour; hours without: left out.

    So readings of any spacing up to an hour weigh alike.
    """
    return table.series.groupby(table.series["time"].dt.floor("h"))["level_m"].mean()


def _checked_settings(source: TideSource, time_zone: str) -> tzinfo:
    if source.unit not in UNITS:
        raise InputError(source.path, "unit", f"'{source.unit}' is not known", f"known: {', '.join(UNITS)}")
    for name in source.columns:
        if name not in COLUMNS:
            hint = f"known: {', '.join(COLUMNS)}"
            raise InputError(source.path, f"columns.{name}", "is not a column of a tide series", hint)
    name = source.time_zone or time_zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = 'write an IANA zone, e.g. "Asia/Makassar"'
        raise InputError(source.path, "time_zone", f"'{name}' is not known", hint) from error


def _chosen(source: TideSource, columns: Columns, ledger: Ledger, stations: pd.Series[Any]) -> pd.Index[Any]:
    """Return the rows of the station that is asked for; rows of a file of stations that name none are refused."""
    names = sorted(stations.dropna().unique())
    if source.station is None:
        if len(names) > 1:
            problem = f"the file holds {len(names)} stations and none is chosen"
            raise InputError(source.path, "station", problem, f"write one of: {', '.join(names)}")
        return stations.index
    if source.station not in names:
        nearest = difflib.get_close_matches(source.station, names, 1, cutoff=0.0)
        hint = f"the nearest is '{nearest[0]}', of {', '.join(names)}" if nearest else "map its column as station"
        raise InputError(source.path, "station", f"no row is of '{source.station}'", hint)
    ledger.refuse(stations.isna(), columns.name("station"), "missing_id", stations)
    return stations.index[stations == source.station]


def _times(ledger: Ledger, columns: Columns, chosen: pd.Index[Any], zone: tzinfo, source: TideSource) -> pd.Series[Any]:
    values, name = columns.values("time")[chosen], columns.name("time")
    empty = values.map(missing).astype(bool)
    told = values[~empty]
    unique = told.unique()
    moments = told.map({value: parse_time(value, zone, source.time_format) for value in unique})
    ledger.refuse(empty, name, "missing_value", values)
    ledger.refuse(moments.isna(), name, "unreadable_time", told)
    zoned = told.map({value: carries_zone(value, source.time_format) for value in unique}).astype(bool)
    if zoned.any() and source.time_zone is None:
        ledger.refuse(~zoned, name, "zone_missing", told)
    aligned = pd.Series(pd.NaT, index=values.index, dtype=TIME_TYPE)
    readable = moments.dropna()
    aligned.loc[readable.index] = pd.Series(list(readable), index=readable.index, dtype=TIME_TYPE)
    return aligned


def _values(ledger: Ledger, columns: Columns, chosen: pd.Index[Any], source: TideSource) -> pd.Series[Any]:
    """Return the levels in metres, NaN where they cannot be read."""
    name, told = columns.name("level_m"), columns.values("level_m")[chosen]
    values = pd.to_numeric(told, errors="coerce").astype("float64") / UNITS[source.unit]
    ledger.refuse(told.map(missing).astype(bool), name, "missing_value", told)
    ledger.refuse(values.isna() | np.isinf(values), name, "not_a_number", told)
    ledger.refuse(values.abs() > GREATEST_M, name, "beyond_range", told)
    return values


def _refuse_repeats(ledger: Ledger, column: str, times: pd.Series[Any], values: pd.Series[Any]) -> None:
    """Refuse rows whose time a row before them holds, unless that one is refused itself."""
    good = times.index.difference(list(ledger.reasons), sort=False)
    times, values = times[good], values[good]
    repeats = times.duplicated()
    same = values == values.groupby(times).transform("first")
    ledger.refuse(repeats & same, column, "repeated_time", times)
    ledger.refuse(repeats & ~same, column, "conflicting_time", times)


def _gaps(times: pd.Series[Any]) -> tuple[pd.DataFrame, float]:
    """Return the gaps of ordered times, and the usual spacing in hours."""
    hours = times.diff().dt.total_seconds() / 3600
    step_h = float(hours.median())
    wide = hours > GAP_STEPS * step_h
    starts = times.shift()[wide].to_numpy(dtype=object)
    gaps = pd.DataFrame({"start": starts, "end": times[wide].to_numpy(dtype=object), "hours": hours[wide].to_numpy()})
    return gaps.astype({"start": TIME_TYPE, "end": TIME_TYPE, "hours": "float64"}), step_h
