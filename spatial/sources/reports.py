"""Citizens' reports: any table of points → the columns of the contract, in CRS84 and UTC, with a quarantine.

Every row of a file is either in `ReportTable.reports` or in `ReportTable.quarantine`; nothing is dropped or repaired.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spatial.contracts import CATEGORIES
from spatial.errors import InputError
from spatial.sources.columns import Columns
from spatial.sources.coordinates import locate, point_decimals
from spatial.sources.depth_words import depths_m
from spatial.sources.formats import read_raw
from spatial.sources.ledger import Ledger
from spatial.sources.open311 import standard_columns
from spatial.sources.quarantine import BadRow, missing, quarantine_table
from spatial.sources.raw import RawTable
from spatial.sources.redaction import holds_personal_data, redact_column
from spatial.sources.taxonomy import Taxonomy
from spatial.sources.text_category import (
    TextCategories,
    TextCategoryParameters,
    add_guesses,
    doubtful_reports,
    text_categories,
)
from spatial.sources.times import Formats, parse_time

TIMES = ("requested_datetime", "updated_datetime", "resolved_datetime")
IMPLICIT = ("report_id", "lon", "lat", "category", "description", "status", *TIMES, "depth_m")
FIELDS = (*IMPLICIT, "source", "point")
TOLD = ("category", "category_raw", "category_basis", "description", "status")
COLUMNS = ("report_id", "source", *TOLD, *TIMES, "depth_m", "decimals")
METRE_DECIMALS = 5  # a metre is the fifth decimal of a degree
TIME_TYPE = "datetime64[ms, UTC]"
EARLIEST = pd.Timestamp("1990-01-01", tz="UTC")  # before it a time is a program's zero (1900, 1970), not a report's
CLOCKS_DIFFER = pd.Timedelta(days=1)
DEPTH_UNITS: Mapping[str, float] = {"m": 1.0, "cm": 0.01}


@dataclass(frozen=True, slots=True)
class ReportSource:
    """One file of reports and what its columns mean.

    Parameters
    ----------
    path : file in one of `formats.POINT_FORMATS`.
    format : name of one of `formats.POINT_FORMATS`; default by suffix.
    source : label of the source, the first part of every report's id; default the file's stem.
    crs : CRS of the columns `lon` (easting) and `lat` (northing); default CRS84. A file's geometry carries its own.
    time_zone : IANA zone of times that carry none; default the city's.
    category : constant category, for a file without a category column.
    category_from : "description": the category is guessed from the description, see `text_category`; in a file with a
        category column only where that is empty or its word is not known.
    depth_unit : "m" or "cm".
    delimiter, encoding : of delimited text; default what the file's bytes speak for.
    layer : layer of a GeoPackage or KML file, sheet of a workbook; needed where there are several.
    time_format : `strptime` format, for times that are not ISO 8601 with the year first; a list where one file writes
        them in several ways: the first that fits is taken, so a doubtful one (day or month first) must stand last.
    columns : contract column (one of `FIELDS`) → column of the file; `category` takes several too, of which the first
        whose word the taxonomy knows decides. A contract column that is not named takes the file's column of exactly
        the same name if there is one, else, in a file with `service_request_id`, the one of Open311; `source` (a source
        per row) and `point` ("(lat, lng)" or WKT in one column) must be named.
    """

    path: Path
    format: str | None = None
    source: str | None = None
    crs: str | None = None
    time_zone: str | None = None
    category: str | None = None
    category_from: Literal["description"] | None = None
    depth_unit: str = "m"
    delimiter: str | None = None
    encoding: str | None = None
    layer: str | None = None
    time_format: Formats = None
    columns: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The source's label."""
        return self.source or self.path.stem


@dataclass(frozen=True, eq=False, slots=True)
class ReportTable:
    """Reports of one source; `rows_in == len(reports) + len(quarantine)`.

    Attributes
    ----------
    reports : points in EPSG:4326, longitude first, in the file's order; the index is the 1-based row of the file.
        Columns `report_id, source, category, category_raw, category_basis, description, status` (string),
        `requested_datetime, updated_datetime, resolved_datetime` (datetime64[ms, UTC]), `depth_m` (float64, metres,
        ≥ 0), `decimals` (int64, digits after the point of the coordinate as delivered, the larger of the two).
        `category_basis` is one of `contracts.CATEGORY_BASES`: a word of the source, a constant, the text, or none of
        them, and then the category is `other`.
    quarantine : see `quarantine.quarantine_table`.
    rows_in : rows of the file.
    unknown : words that the taxonomy does not know, `category` and `status`, null where it does; index as `reports`.
    ledger : the file as delivered.
    notes : what was found out by itself (encoding, separator, sheet, standard names), a line each with the evidence.
    told_depths : rows whose `depth_m` is from the description, since the file gives none (flood reports only).
    guesses : what the descriptions say of the category, where it was asked: `text_category.TextCategories.guess`.
    """

    reports: gpd.GeoDataFrame
    quarantine: pd.DataFrame
    rows_in: int
    unknown: pd.DataFrame
    ledger: Ledger
    notes: tuple[str, ...] = ()
    told_depths: frozenset[int] = frozenset()
    guesses: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def depths(self) -> Mapping[str, int]:
        """How many reports have a depth from the file's column (`field`) and from their description (`text`)."""
        known = self.reports.index[self.reports["depth_m"].notna()]
        told = int(known.isin(self.told_depths).sum())
        return {"field": len(known) - told, "text": told}

    @property
    def doubtful(self) -> pd.DataFrame:
        """Reports whose guessed category was not taken, see `text_category.doubtful_reports`."""
        return doubtful_reports(self.guesses, self.reports)

    @property
    def unmapped(self) -> Mapping[str, int]:
        """Unknown category word → number of reports, all `other`; "status:<word>" → number, all of null status."""
        counts = Counter(self.unknown["category"].dropna())
        counts.update(f"status:{word}" for word in self.unknown["status"].dropna())
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def read_reports(
    source: ReportSource, taxonomy: Taxonomy, time_zone: str = "UTC", categories: TextCategories | None = None
) -> ReportTable:
    """Read one file of reports; `time_zone` (IANA) is the city's, for times that carry none.

    `categories` guesses from descriptions where `source.category_from` asks for it; default: learned from the shipped
    examples.

    A flood report without a depth takes the one that its description tells, if any (see `depth_words.depth_m`).

    Ids are `<source>:<id>`, or, for a row without one, `<source>:<16 hex digits>` of the SHA-256 of source, time,
    coordinate as delivered, category word, description, and an ordinal among rows that are alike in all of them. Ids
    are published: one that holds personal data counts as none, and what is hashed holds none (a telephone number has
    few enough digits to be found by trial).

    A report from before 1990 or from the future (by this machine's clock, a day is let pass) is refused: one such row
    would move `as_of`, and with it what is open and recent.

    Raises
    ------
    InputError
        A setting is not valid; the file is missing, empty or unreadable as a whole; a named column is absent; the file
        has no coordinates or no category.
    """
    zone = _checked_settings(source, time_zone)
    raw = read_raw(source.path, source.format, source.delimiter, source.encoding, source.layer)
    mapping, notes = _mapping(source, raw)
    columns = Columns(source.path, raw, mapping, IMPLICIT)
    ledger = Ledger(source.path, raw)
    points = columns.points()
    placed = locate(ledger, points, columns.point_names(), columns.crs(source.crs))
    table = pd.DataFrame({"source": columns.texts("source")}, index=raw.frame.index)
    table["source"] = redact_column(table["source"].fillna(source.label))
    table["description"] = columns.texts("description")
    unknown = _add_meanings(table, columns, source, taxonomy)
    guesses = pd.DataFrame()
    if source.category_from is not None:
        guesses = add_guesses(table, unknown, categories or text_categories(TextCategoryParameters()))
    for name in TIMES:
        table[name] = _times(ledger, columns, name, zone, source.time_format)
    _refuse_impossible(ledger, columns, table)
    table["depth_m"] = _depths(ledger, columns, DEPTH_UNITS[source.depth_unit])
    told = _add_told_depths(table)
    projected = columns.crs(source.crs).is_projected
    table["decimals"] = np.asarray(point_decimals(points)) + (METRE_DECIMALS if projected else 0)
    table["report_id"] = _ids(table, columns.texts("report_id"), points)
    ledger.refuse_repeats(table["report_id"], columns.name("report_id"))
    kept = ledger.kept()
    geometry = gpd.points_from_xy(placed.loc[kept, "lon"], placed.loc[kept, "lat"])
    reports = gpd.GeoDataFrame(_typed(table.loc[kept]), geometry=geometry, crs="EPSG:4326")
    refused = ledger.table(table["report_id"])
    return ReportTable(reports, refused, raw.rows_in, unknown.loc[kept], ledger, notes, told, guesses)


def _mapping(source: ReportSource, raw: RawTable) -> tuple[dict[str, str | tuple[str, ...]], tuple[str, ...]]:
    """Return the mapping, completed by Open311's names where the file bears them, and the notes of the file."""
    mapping, notes = dict(source.columns), raw.notes
    taken = {"category"} if source.category is not None else set()
    if raw.points is not None or {"lon", "lat", "point"} & set(mapping):
        taken |= {"lon", "lat"}
    taken |= set(mapping) | set(raw.frame.columns)
    added = {name: column for name, column in standard_columns(raw.frame).items() if name not in taken}
    if added:
        pairs = ", ".join(f"{name} = {column}" for name, column in added.items())
        notes += (f"{source.path.name}: Open311 names taken: {pairs}",)
    return mapping | added, notes


def quarantine_swapped(table: ReportTable, bounds: tuple[float, float, float, float]) -> ReportTable:
    """Move reports that lie outside `bounds`, but inside with longitude and latitude swapped, into the quarantine.

    Parameters
    ----------
    bounds : west, south, east, north of the city in degrees, CRS84.
    """
    x, y = table.reports.geometry.x.to_numpy(), table.reports.geometry.y.to_numpy()
    swapped = ~_within(x, y, bounds) & _within(y, x, bounds)
    if not swapped.any():
        return table
    moved, kept = table.reports.loc[swapped], table.reports.loc[~swapped]
    rows = table.ledger.rows(list(moved.index))
    bad = [
        BadRow(int(row), "geometry", "swapped", f"{point.x}, {point.y}", rows[int(row)], report_id)
        for row, report_id, point in zip(moved.index, moved["report_id"], moved.geometry, strict=True)
    ]
    quarantine = pd.concat([table.quarantine, quarantine_table(table.ledger.path, bad)], ignore_index=True)
    quarantine = quarantine.sort_values("row", kind="stable", ignore_index=True)
    return replace(table, reports=kept, quarantine=quarantine, unknown=table.unknown.loc[kept.index])


def _within(
    x: NDArray[np.float64], y: NDArray[np.float64], bounds: tuple[float, float, float, float]
) -> NDArray[np.bool_]:
    west, south, east, north = bounds
    return (west <= x) & (x <= east) & (south <= y) & (y <= north)


def _checked_settings(source: ReportSource, time_zone: str) -> tzinfo:
    known = ", ".join(FIELDS)
    for name in source.columns:
        if name not in FIELDS:
            raise InputError(source.path, f"columns.{name}", "is not a column of reports", f"known: {known}")
    if source.depth_unit not in DEPTH_UNITS:
        raise InputError(source.path, "depth_unit", f"'{source.depth_unit}' is not known", 'write "m" or "cm"')
    if source.category is not None and source.category not in CATEGORIES:
        problem = f"'{source.category}' is not known"
        raise InputError(source.path, "category", problem, f"known: {', '.join(CATEGORIES)}")
    if source.category is not None and "category" in source.columns:
        raise InputError(source.path, "category", "is both a constant and a column", "keep one of the two")
    if source.category is not None and source.category_from is not None:
        raise InputError(source.path, "category", "is both a constant and from the description", "keep one of the two")
    name = source.time_zone or time_zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = 'write an IANA zone, e.g. "Asia/Makassar"'
        raise InputError(source.path, "time_zone", f"'{name}' is not known", hint) from error


def _add_meanings(table: pd.DataFrame, columns: Columns, source: ReportSource, taxonomy: Taxonomy) -> pd.DataFrame:
    """Add category, category_raw and status to `table` (which has source); return the words that are not known."""
    words = columns.all_texts("category")
    if not words and source.category is None and source.category_from is None:
        problem = "neither a column nor a constant is named"
        hint = 'map a column, or write category = "flood", or category_from = "description" to guess it from the texts'
        raise InputError(source.path, "category", problem, hint)
    if source.category_from is not None and not columns.has("description"):
        hint = "map it in columns, or write a constant category"
        raise InputError(source.path, "columns.description", "no column is named for description", hint)
    rows = zip(*words, strict=True) if words else [()] * len(table)
    told = [tuple(dict.fromkeys(word for word in row if word is not None)) for row in rows]
    meanings = {key: _meaning(*key, taxonomy) for key in set(zip(told, table["source"], strict=True))}
    found = [source.category or meanings[key] for key in zip(told, table["source"], strict=True)]
    joined = [" / ".join(row) for row in told]
    table["category_raw"] = pd.Series(joined, index=table.index, dtype=object).replace("", None)
    table["category"] = [category or "other" for category in found]
    basis = "source" if source.category is None else "constant"
    table["category_basis"] = [basis if category else "none" for category in found]
    statuses = list(zip(columns.texts("status"), table["source"], strict=True))
    known = {key: taxonomy.status_of(*key) for key in set(statuses) if key[0] is not None}
    table["status"] = [known.get(key) for key in statuses]
    lost = [
        (None if category else text or "(empty)", None if key[0] is None or known[key] else key[0])
        for category, text, key in zip(found, joined, statuses, strict=True)
    ]
    return pd.DataFrame(lost, columns=["category", "status"], index=table.index, dtype=object)


def _meaning(told: tuple[str, ...], source: str, taxonomy: Taxonomy) -> str | None:
    """Return the category of the first word that has one; a word for `other` gives way to a later, better one."""
    found = [category for word in told if (category := taxonomy.category_of(word, source))]
    return next((category for category in found if category != "other"), found[0] if found else None)


def _times(ledger: Ledger, columns: Columns, name: str, zone: tzinfo, time_format: Formats) -> pd.Series[Any]:
    values = columns.values(name)
    told = values[~values.map(missing).astype(bool)]
    parsed = {value: parse_time(value, zone, time_format) for value in told.unique()}
    moments = told.map(parsed)
    ledger.refuse(moments.isna(), columns.name(name), "unreadable_time", told)
    aligned = pd.Series(pd.NaT, index=values.index, dtype=TIME_TYPE)
    readable = moments.dropna()
    aligned.loc[readable.index] = pd.Series(list(readable), index=readable.index, dtype=TIME_TYPE)
    return aligned


def _refuse_impossible(ledger: Ledger, columns: Columns, table: pd.DataFrame) -> None:
    made, told = table["requested_datetime"], columns.values("requested_datetime")
    ledger.refuse(made < EARLIEST, columns.name("requested_datetime"), "impossible_time", told)
    future = made > pd.Timestamp.now("UTC") + CLOCKS_DIFFER
    ledger.refuse(future, columns.name("requested_datetime"), "future_time", told)
    late = table["resolved_datetime"] < made
    ledger.refuse(late, columns.name("resolved_datetime"), "resolved_before_requested", table["resolved_datetime"])


def _depths(ledger: Ledger, columns: Columns, metres: float) -> pd.Series[float]:
    values = columns.values("depth_m")
    depths = pd.to_numeric(values, errors="coerce").astype("float64")
    unread = ~values.map(missing).astype(bool) & ~np.isfinite(depths)
    ledger.refuse(unread, columns.name("depth_m"), "not_a_number", values)
    ledger.refuse(depths < 0, columns.name("depth_m"), "negative_depth", values)
    return depths * metres


def _add_told_depths(table: pd.DataFrame) -> frozenset[int]:
    """Fill the depth of flood reports whose file gives none from their description; return their rows.

    Other categories tell other depths: of a drain, of a hole in the road.
    """
    silent = table["depth_m"].isna() & (table["category"] == "flood")
    told = depths_m(table.loc[silent, "description"]).dropna()
    table.loc[told.index, "depth_m"] = told
    return frozenset(int(row) for row in told.index)


def _ids(table: pd.DataFrame, given: pd.Series[Any], points: pd.DataFrame) -> list[str]:
    """Return the id of each row; `given` is the source's own, null where it has none."""
    times = table["requested_datetime"].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").fillna("")
    parts = zip(
        table["source"],
        times,
        points["lon"].map(str),
        points["lat"].map(str),
        redact_column(table["category_raw"].fillna("")),
        redact_column(table["description"].fillna("")),
        strict=True,
    )
    ids, seen = [], Counter[tuple[str, ...]]()
    for own, part in zip(given, parts, strict=True):
        own = None if own is None or holds_personal_data(f"{own}") else own
        if own is None:
            digest = hashlib.sha256(json.dumps([*part, seen[part]]).encode()).hexdigest()[:16]
            seen[part] += 1
        ids.append(f"{part[0]}:{digest if own is None else own}")
    return ids


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    types = {name: "string" for name in COLUMNS if name not in (*TIMES, "depth_m", "decimals")}
    return table[list(COLUMNS)].astype(types).astype({"decimals": "int64"})
