"""The formats of a collection's items: the value of `f`, its media type and its title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes
    ----------
    extension : of a file of it; None: it is a page of features, with links to the next one.
    """

    media: str
    title: str
    extension: str | None = None


FORMATS: Mapping[str, Format] = {
    "json": Format("application/geo+json", "GeoJSON"),
    "html": Format("text/html", "HTML"),
    "jsonfg": Format("application/vnd.ogc.fg+json", "JSON-FG"),
    "csv": Format("text/csv", "CSV", "csv"),
    "xlsx": Format("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Excel", "xlsx"),
    "gpkg": Format("application/geopackage+sqlite3", "GeoPackage", "gpkg"),
    "shp": Format("application/zip", "Shapefile (zip)", "zip"),
    "parquet": Format("application/vnd.apache.parquet", "GeoParquet", "parquet"),
    "fgb": Format("application/flatgeobuf", "FlatGeobuf", "fgb"),
    "geojsonseq": Format("application/geo+json-seq", "GeoJSON Text Sequence", "geojsons"),
}
FILES = tuple(name for name, form in FORMATS.items() if form.extension)
"""The formats that hold everything that matches, unless `limit` is given."""
