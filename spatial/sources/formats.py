"""Formats of tables of points: a reader each, and the tuple that names them. A new format is one function and one line.

A reader returns every row of a file, as delivered: nothing is dropped, what cannot be read is a `BadRow`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS
from pyproj.exceptions import CRSError

from spatial.errors import InputError
from spatial.sources.quarantine import BadRow, clean

CRS84 = CRS.from_user_input("OGC:CRS84")


@dataclass(frozen=True, eq=False, slots=True)
class RawTable:
    """A file as delivered.

    `frame`: attributes of the readable rows; its index is the 1-based row number. `points`: lon and lat of the file's
    geometry (objects, same index), None where the file has no geometry; `crs`: theirs. `bad`: the other rows.
    """

    frame: pd.DataFrame
    points: pd.DataFrame | None
    crs: CRS | None
    bad: tuple[BadRow, ...]

    @property
    def rows_in(self) -> int:
        """Number of rows in the file."""
        return len(self.frame) + len(self.bad)


@dataclass(frozen=True, slots=True)
class PointFormat:
    """A format: its name, the suffixes it is the default for, its reader of a path and an optional delimiter."""

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, str | None], RawTable]


def read_raw(path: Path, format_name: str | None = None, delimiter: str | None = None) -> RawTable:
    """Return all rows of a file in one of `POINT_FORMATS`, by name or by suffix.

    Raises
    ------
    InputError
        The file is missing, empty, of an unknown format, or cannot be read as its format at all.
    """
    known = ", ".join(f.name for f in POINT_FORMATS)
    suffix = path.suffix.lower()
    chosen = [f for f in POINT_FORMATS if (f.name == format_name if format_name else suffix in f.suffixes)]
    if not chosen:
        raise InputError(path, "format", f"unknown format '{format_name or path.suffix}'", f"known: {known}")
    if not path.is_file():
        raise InputError(path, "file", "does not exist", "check the path; it is relative to city.toml")
    if path.stat().st_size == 0:
        raise InputError(path, "file", "is empty", "deliver the file again")
    table = chosen[0].read(path, delimiter)
    if table.rows_in == 0:
        raise InputError(path, "file", "has no data rows", "deliver a file with at least one row")
    return table


def read_csv(path: Path, delimiter: str | None) -> RawTable:
    """Read CSV or TSV in UTF-8 (a byte order mark is accepted); the first line names the columns.

    A line with another number of fields than the header, broken quotes or bytes that are not UTF-8 is a bad row.
    """
    records = _records(path, _text(path), delimiter or ("\t" if path.suffix.lower() == ".tsv" else ","))
    header = _header(path, records)
    rows: dict[int, list[str | None]] = {}
    bad: list[BadRow] = []
    for number, (fields, line, problem) in enumerate(records, 1):
        refused = _refused(number, header, fields, line, problem)
        if refused:
            bad.append(refused)
        else:
            rows[number] = [value if value.strip() else None for value in fields]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=header, dtype=object)
    return RawTable(frame, None, None, tuple(bad))


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(path, "file", "is UTF-16", "save it as UTF-8")
    return data.decode("utf-8-sig", errors="surrogateescape")


_Record = tuple[list[str], str, str | None]


def _records(path: Path, text: str, delimiter: str) -> Iterator[_Record]:
    """Yield fields, text and problem of each record that is not blank."""
    if len(delimiter) != 1:
        raise InputError(path, "delimiter", f"'{delimiter}' is not one character", 'write delimiter = ";"')
    read: list[str] = []
    reader = csv.reader(_tapped(text, read), delimiter=delimiter, strict=True)
    while True:
        read.clear()
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if len(read) > 1 and "expected after" not in str(error):
                problem = "a quote is opened and not closed"
                raise InputError(path, f"line {start}", problem, "correct the line") from error
            yield [], "".join(read), str(error)
            continue
        if len(fields) > 1 or any(field.strip() for field in fields):
            yield fields, "".join(read), None


def _tapped(text: str, read: list[str]) -> Iterator[str]:
    for line in io.StringIO(text, newline=""):
        read.append(line)
        yield line


def _header(path: Path, records: Iterator[_Record]) -> list[str]:
    fields, line, problem = next(records, ([], "", "no header line"))
    if problem or clean(line) != line:
        raise InputError(path, "header", problem or "is not UTF-8", "the first line names the columns, in UTF-8")
    names = [name.strip() or f"(column {i})" for i, name in enumerate(fields, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(path, twice[0], "names two columns of the header", "name each column once")
    return names


def _refused(number: int, header: list[str], fields: list[str], line: str, problem: str | None) -> BadRow | None:
    if problem:
        return BadRow(number, "row", "broken_line", problem, line)
    if clean(line) != line:
        wrong = next(i for i, value in enumerate(fields) if clean(value) != value)
        return BadRow(number, header[wrong] if wrong < len(header) else "row", "not_utf8", fields[wrong], line)
    if len(fields) != len(header):
        return BadRow(number, "row", "wrong_field_count", f"{len(fields)} fields, {len(header)} expected", line)
    return None


def read_geojson(path: Path, delimiter: str | None) -> RawTable:
    """Read the points of a GeoJSON FeatureCollection (CRS84, or its `crs` member); other geometry is a bad row."""
    content = _json(path)
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list):
        raise InputError(path, "features", "is not a GeoJSON FeatureCollection", "deliver one, of points")
    rows: dict[int, Mapping[str, Any]] = {}
    points: dict[int, Sequence[Any]] = {}
    bad: list[BadRow] = []
    for number, feature in enumerate(features, 1):
        refused = _refused_feature(number, feature)
        if refused:
            bad.append(refused)
            continue
        rows[number] = feature.get("properties") or {}
        points[number] = feature["geometry"]["coordinates"][:2]
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    columns = {name: [row.get(name) for row in rows.values()] for name in names}
    frame = pd.DataFrame(columns, index=pd.Index(rows, dtype="int64"), dtype=object)
    located = pd.DataFrame.from_dict(points, orient="index", columns=["lon", "lat"], dtype=object)
    return RawTable(frame, located, _geojson_crs(path, content), tuple(bad))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(path, "file", "is not UTF-8", "save it as UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(path, "file", f"is not valid JSON ({error})", "deliver the file again") from error


def _refused_feature(number: int, feature: Any) -> BadRow | None:
    if not isinstance(feature, dict) or not isinstance(feature.get("properties") or {}, dict):
        return BadRow(number, "feature", "not_a_feature", None, feature)
    geometry = feature.get("geometry")
    if geometry is None:
        return BadRow(number, "geometry", "null_geometry", None, feature)
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        kind = geometry.get("type") if isinstance(geometry, dict) else geometry
        return BadRow(number, "geometry", "not_a_point", kind, feature)
    place = geometry.get("coordinates")
    if not isinstance(place, list) or len(place) < 2:
        return BadRow(number, "geometry", "missing_coordinate", place, feature)
    return None


def _geojson_crs(path: Path, content: Mapping[str, Any]) -> CRS:
    member = content.get("crs")
    if member is None:
        return CRS84
    try:
        return CRS.from_user_input(member["properties"]["name"])
    except (CRSError, KeyError, TypeError) as error:
        raise InputError(path, "crs", f"the crs member {member} is not known", "deliver it in CRS84") from error


def read_parquet(path: Path, delimiter: str | None) -> RawTable:
    """Read Parquet or GeoParquet; where the file has a geometry column, its rows that are not points are bad rows."""
    try:
        schema = pq.read_schema(path)
        geo = json.loads((schema.metadata or {}).get(b"geo", b"null"))
        names = [name for name in schema.names if geo is None or name not in geo["columns"]]
        frame = pq.read_table(path, columns=names).to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
        located = None if geo is None else gpd.read_parquet(path, columns=[geo["primary_column"]]).geometry
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        text = str(error).splitlines()[0]
        raise InputError(path, "file", f"cannot be read as Parquet ({text})", "deliver the file again") from error
    if located is None:
        frame.index = pd.RangeIndex(1, len(frame) + 1)
        return RawTable(frame, None, None, ())
    return _located(path, frame, located)


def _located(path: Path, frame: pd.DataFrame, geometry: gpd.GeoSeries) -> RawTable:
    if geometry.crs is None:
        raise InputError(path, "crs", "the geometry has no CRS", "write the CRS into the GeoParquet metadata")
    frame = frame.set_axis(pd.RangeIndex(1, len(geometry) + 1))
    geometry = geometry.set_axis(frame.index)
    empty = geometry.isna() | geometry.is_empty
    wrong = empty | (geometry.geom_type != "Point")
    records = frame.loc[wrong].astype(object).to_dict("records")
    bad = [
        BadRow(int(row), "geometry", "null_geometry" if empty[row] else "not_a_point", geometry[row], raw)
        for row, raw in zip(frame.index[wrong], records, strict=True)
    ]
    points = geometry[~wrong]
    places = pd.DataFrame({"lon": points.x, "lat": points.y}, dtype=object)
    return RawTable(frame.loc[~wrong], places, geometry.crs, tuple(bad))


POINT_FORMATS: tuple[PointFormat, ...] = (
    PointFormat("csv", (".csv", ".tsv"), read_csv),
    PointFormat("geojson", (".geojson", ".json"), read_geojson),
    PointFormat("parquet", (".parquet",), read_parquet),
)
