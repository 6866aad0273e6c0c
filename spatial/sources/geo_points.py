"""Points from files that carry geometry: GeoJSON, Parquet, and every vector format that GDAL reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS
from pyproj.exceptions import CRSError

from spatial.errors import InputError
from spatial.sources.quarantine import BadRow
from spatial.sources.raw import CRS84, RawTable, ReadOptions
from spatial.sources.vectors import read_native


def read_geojson(path: Path, options: ReadOptions) -> RawTable:
    """Read the points of a GeoJSON FeatureCollection (CRS84, or its `crs` member); other geometry is a bad row."""
    content = read_json(path)
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


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; raises InputError where it is none."""
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


def read_parquet(path: Path, options: ReadOptions) -> RawTable:
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
    return as_points(path, frame, located)


def read_vector_points(path: Path, options: ReadOptions) -> RawTable:
    """Read the points of a Shapefile, GeoPackage, FlatGeobuf or KML file, in the file's own CRS.

    Raises
    ------
    InputError
        As `vectors.read_native`; no CRS; several layers and none named.
    """
    features = read_native(path, options.layer)
    return as_points(path, pd.DataFrame(features.drop(columns=features.geometry.name)), features.geometry)


def as_points(path: Path, frame: pd.DataFrame, geometry: gpd.GeoSeries) -> RawTable:
    """Return attributes and geometry, row by row the same, as a table; what is no point is a bad row.

    Raises InputError where the geometry has no CRS.
    """
    if geometry.crs is None:
        hint = "write the CRS into the file (of a Shapefile: the .prj)"
        raise InputError(path, "crs", "the geometry has no CRS", hint)
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
