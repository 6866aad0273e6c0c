"""Vector files (GeoJSON, GeoPackage, GeoParquet, OSM PBF) as tables in EPSG:4326, longitude first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError

from spatial.errors import InputError
from spatial.sources.columns import require_column
from spatial.sources.formats import CRS84
from spatial.sources.pbf import check_whole
from spatial.sources.quarantine import BadRow, missing

_GDAL = (".geojson", ".json", ".gpkg", ".pbf")
SUFFIXES = (*_GDAL, ".parquet")


def is_pbf(path: Path) -> bool:
    """Return whether a path names an OSM PBF file."""
    return path.suffix.lower() == ".pbf"


def read_vectors(path: Path, layer: str | None = None, where: str | None = None) -> gpd.GeoDataFrame:
    """Return the features of a vector file in EPSG:4326, 2-D; the index is the 1-based number of the feature.

    Geometry that cannot be built is null. `where` (OGR SQL, for PBF) leaves features out before they are numbered.

    Raises
    ------
    InputError
        Missing, empty, cut off, unreadable or of unknown kind; no CRS; no such layer; no features.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(path, "file", f"unknown suffix '{path.suffix}'", f"known: {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise InputError(path, "file", "does not exist", "check the path; it is relative to city.toml")
    if path.stat().st_size == 0:
        raise InputError(path, "file", "is empty", "deliver the file again")
    if is_pbf(path):
        check_whole(path)
    table = _geoparquet(path) if suffix == ".parquet" else _gdal(path, layer, where)
    if table.crs is None:
        raise InputError(path, "crs", "the file has no CRS", "write the CRS into the file")
    if table.empty:
        raise InputError(path, "file", "has no features", "deliver a file with at least one feature")
    same = table.crs.equals(CRS84, ignore_axis_order=True)
    table = table.set_crs("EPSG:4326", allow_override=True) if same else table.to_crs("EPSG:4326")
    return table.set_geometry(shapely.force_2d(table.geometry.to_numpy()), crs="EPSG:4326").set_axis(
        pd.RangeIndex(1, len(table) + 1)
    )


def _gdal(path: Path, layer: str | None, where: str | None) -> gpd.GeoDataFrame:
    if layer is not None and layer not in (names := pyogrio.list_layers(path)[:, 0].tolist()):
        raise InputError(path, "layer", f"has no layer '{layer}'", f"its layers: {', '.join(names)}")
    try:
        table = pyogrio.read_dataframe(path, layer=layer, where=where, on_invalid="ignore")
    except (DataSourceError, DataLayerError, FeatureError, GeometryError, UnicodeDecodeError) as error:
        text = str(error).splitlines()[0]
        raise InputError(path, "file", f"cannot be read ({text})", "deliver the file again") from error
    if not isinstance(table, gpd.GeoDataFrame):
        raise InputError(path, "geometry", "the layer has no geometry", "name another layer")
    return table


def _geoparquet(path: Path) -> gpd.GeoDataFrame:
    try:
        return gpd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        text = str(error).splitlines()[0]
        raise InputError(path, "file", f"cannot be read as GeoParquet ({text})", "deliver the file again") from error


def column(path: Path, table: gpd.GeoDataFrame, mapping: Mapping[str, str], name: str, default: str) -> pd.Series[Any]:
    """Return the column of `table` that `mapping` names for `name`, else `default` if there is one, as text or None.

    Raises
    ------
    InputError
        The named column does not exist.
    """
    attributes = [c for c in table.columns if c != table.geometry.name]
    if name in mapping:
        require_column(path, name, mapping[name], attributes)
    chosen = mapping.get(name, default)
    if chosen not in attributes:
        return pd.Series([None] * len(table), index=table.index, dtype=object)
    texts = [None if missing(v) else _text(v) for v in table[chosen].astype(object)]
    return pd.Series(texts, index=table.index, dtype=object)


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def check_mapping(path: Path, mapping: Mapping[str, str], known: tuple[str, ...]) -> None:
    """Raise InputError where a mapping names a contract column that is not in `known`."""
    for name in mapping:
        if name not in known:
            raise InputError(path, f"columns.{name}", "is not known", f"known: {', '.join(known)}")


def bad_feature(table: gpd.GeoDataFrame, row: int, reason: str, own_id: str | None = None) -> BadRow:
    """Return a feature of `read_vectors` as refused for its geometry; `own_id` is its id in the source."""
    feature = table.loc[row]
    shape = feature[table.geometry.name]
    raw = {str(k): v for k, v in feature.items() if k != table.geometry.name}
    raw["geometry"] = None if shape is None else json.loads(shapely.to_geojson(shape))
    return BadRow(row, "geometry", reason, None if shape is None else shape.geom_type, raw, own_id)
