"""Rows of inputs that cannot be used: kept whole, with file, row, field and reason."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

QUARANTINE_COLUMNS = ("file", "row", "report_id", "field", "reason", "value", "raw")
REASONS: Mapping[str, tuple[str, str]] = {
    "broken_line": ("baris CSV rusak", "broken line of CSV"),
    "wrong_field_count": ("jumlah kolom tidak sesuai", "other number of fields than the header"),
    "not_utf8": ("teks tidak sesuai pengodean berkas", "text is not UTF-8, or not of the stated encoding"),
    "not_a_request": ("bukan permintaan Open311", "not an Open311 service request"),
    "not_a_feature": ("bukan fitur GeoJSON", "not a GeoJSON feature"),
    "null_geometry": ("tanpa geometri", "no geometry"),
    "not_a_point": ("geometri bukan titik", "geometry is not a point"),
    "not_a_line": ("geometri bukan garis", "geometry is not a line"),
    "not_a_polygon": ("geometri bukan poligon", "geometry is not a polygon"),
    "zero_length": ("garis tanpa panjang", "line of zero length"),
    "repeated_geometry": ("geometri berulang", "geometry repeats that of another row"),
    "missing_coordinate": ("koordinat kosong", "longitude or latitude is empty"),
    "not_a_number": ("bukan angka", "not a number (write decimals with a point)"),
    "zero_coordinate": ("koordinat nol", "coordinate is 0, 0"),
    "projected_coordinate": ("koordinat bukan derajat", "not degrees: the coordinate looks projected; set its crs"),
    "out_of_range": ("koordinat di luar batas", "longitude beyond ±180 or latitude beyond ±90"),
    "outside_crs": ("koordinat di luar CRS", "coordinate has no place in the given crs"),
    "swapped": ("bujur dan lintang tertukar", "longitude and latitude look swapped"),
    "unreadable_time": ("waktu tidak terbaca", "time is neither ISO 8601 nor in the given time_format"),
    "impossible_time": ("waktu mustahil, sebelum 1990", "time cannot be: it is before 1990"),
    "future_time": ("waktu di masa depan", "time is in the future"),
    "resolved_before_requested": ("selesai sebelum dilaporkan", "resolved before it was reported"),
    "negative_depth": ("kedalaman negatif", "depth is negative"),
    "repeated_id": ("ID berulang, isi sama", "id repeats an earlier row, same content"),
    "conflicting_id": ("ID berulang, isi berbeda", "id repeats an earlier row, other content"),
    "superseded": ("digantikan kiriman lain", "another file holds a later delivery of this id"),
    "id_of_another_file": ("ID sudah ada di berkas lain", "another file holds this id already"),
    "missing_id": ("tanpa ID atau nama", "no id or name"),
    "missing_value": ("nilai kosong", "value is empty"),
    "unknown_category": ("kategori tidak dikenal", "category is neither a name of ours nor a word of the taxonomy"),
    "zone_missing": ("waktu tanpa zona, yang lain berzona", "time without a zone in a file of times with zones"),
    "beyond_range": ("nilai mustahil, periksa satuan", "value cannot be; check the unit"),
    "repeated_time": ("waktu berulang, nilai sama", "time repeats an earlier row, same value"),
    "conflicting_time": ("waktu berulang, nilai berbeda", "time repeats an earlier row, other value"),
}


@dataclass(frozen=True, slots=True)
class BadRow:
    """A refused row: its 1-based number, the `field` at fault, a key of `REASONS`, the field's value, the whole row."""

    row: int
    field: str
    reason: str
    value: Any
    raw: Any
    report_id: str | None = None


def quarantine_table(path: Path, bad: Iterable[BadRow]) -> pd.DataFrame:
    """Return the quarantine of one file, ordered by row; columns `QUARANTINE_COLUMNS`.

    `row` counts data rows or features from 1 (a CSV's header does not count); `reason` is a key of `REASONS`;
    `report_id` is the row's own id (of a report, road, lamp or area) where it is known; `raw` is the whole row as JSON.
    """
    rows = [
        (str(path), b.row, b.report_id, b.field, b.reason, _shown(b.value), as_json(b.raw))
        for b in sorted(bad, key=lambda b: b.row)
    ]
    types = {c: "Int64" if c == "row" else "string" for c in QUARANTINE_COLUMNS}
    return pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS)).astype(types)


def missing(value: Any) -> bool:
    """Return whether a value of an input is empty: null, NaN, or text of nothing but spaces."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _shown(value: Any) -> str | None:
    return None if missing(value) else clean(str(value))


def clean(text: str) -> str:
    """Return `text` that UTF-8 can encode: bytes that were not UTF-8 and lone surrogates become backslash escapes."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def as_json(raw: Any) -> str:
    """Return a row as one line of JSON; what JSON cannot hold becomes text, an empty value null."""
    if isinstance(raw, Mapping):
        raw = {str(key): None if missing(value) and not isinstance(value, str) else value for key, value in raw.items()}
    return clean(json.dumps(raw, ensure_ascii=False, default=str))
