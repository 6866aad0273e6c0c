"""Formats of tables of points: the tuple that names them. A new format is one function and one line.

A reader returns every row of a file, as delivered: nothing is dropped, what cannot be read is a `BadRow`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spatial.errors import InputError
from spatial.sources.delimited import read_csv
from spatial.sources.geo_points import read_geojson, read_parquet, read_vector_points
from spatial.sources.open311 import is_open311_json, read_open311_json, read_open311_xml
from spatial.sources.raw import CRS84, RawTable, ReadOptions
from spatial.sources.workbook import read_xlsx

__all__ = ["CRS84", "POINT_FORMATS", "PointFormat", "RawTable", "ReadOptions", "read_raw"]


@dataclass(frozen=True, slots=True)
class PointFormat:
    """A format: its name, the suffixes it is the default for, its reader.

    `claims`: whether a file of such a suffix is of this format, for suffixes that several formats share; the first
    that claims it reads it.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, ReadOptions], RawTable]
    claims: Callable[[Path], bool] = lambda path: True


def read_raw(
    path: Path,
    format_name: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    layer: str | None = None,
) -> RawTable:
    """Return all rows of a file in one of `POINT_FORMATS`, by name or by suffix.

    Raises
    ------
    InputError
        The file is missing, empty, of an unknown format, or cannot be read as its format at all.
    """
    known = ", ".join(f.name for f in POINT_FORMATS)
    suffix = path.suffix.lower()
    named = [f for f in POINT_FORMATS if (f.name == format_name if format_name else suffix in f.suffixes)]
    if not named:
        raise InputError(path, "format", f"unknown format '{format_name or path.suffix}'", f"known: {known}")
    if not path.is_file():
        raise InputError(path, "file", "does not exist", "check the path; it is relative to city.toml")
    if path.stat().st_size == 0:
        raise InputError(path, "file", "is empty", "deliver the file again")
    chosen = next((f for f in named if format_name or f.claims(path)), named[-1])
    table = chosen.read(path, ReadOptions(delimiter, encoding, layer))
    if table.rows_in == 0:
        raise InputError(path, "file", "has no data rows", "deliver a file with at least one row")
    return table


POINT_FORMATS: tuple[PointFormat, ...] = (
    PointFormat("csv", (".csv", ".tsv", ".txt"), read_csv),
    PointFormat("xlsx", (".xlsx",), read_xlsx),
    PointFormat("open311_json", (".json",), read_open311_json, is_open311_json),
    PointFormat("open311_xml", (".xml",), read_open311_xml),
    PointFormat("geojson", (".geojson", ".json"), read_geojson),
    PointFormat("parquet", (".parquet",), read_parquet),
    PointFormat("shapefile", (".shp",), read_vector_points),
    PointFormat("geopackage", (".gpkg",), read_vector_points),
    PointFormat("flatgeobuf", (".fgb",), read_vector_points),
    PointFormat("kml", (".kml",), read_vector_points),
)
