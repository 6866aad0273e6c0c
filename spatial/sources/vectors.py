"""Vector files as tables of features: the tuple that names the formats. A new one is one function and one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from spatial.sources.graphml import check_xml, read_graphml
from spatial.sources.pbf import check_whole
from spatial.sources.quarantine import BadRow, missing
from spatial.sources.raw import CRS84


@dataclass(frozen=True, slots=True)
class VectorFormat:
    """A format of features: its name, its suffixes, its reader of a path, a layer and a `where` (OGR SQL)."""

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, str | None, str | None], gpd.GeoDataFrame]


def is_osm(path: Path) -> bool:
    """Return whether a path names an OSM file, PBF or XML."""
    return path.suffix.lower() in (".pbf", ".osm")


def read_native(path: Path, layer: str | None = None, where: str | None = None) -> gpd.GeoDataFrame:
    """Return the features of a vector file in its own CRS; geometry that cannot be built is null.

    `layer`: needed where a file has several with geometry. `where` (OGR SQL, for OSM) leaves features out.

    Raises
    ------
    InputError
        Missing, empty, cut off, unreadable or of unknown kind; no such layer, or several and none named.
    """
    suffix = path.suffix.lower()
    chosen = next((known for known in VECTOR_FORMATS if suffix in known.suffixes), None)
    if chosen is None:
        suffixes = ", ".join(s for known in VECTOR_FORMATS for s in known.suffixes)
        raise InputError(path, "file", f"unknown suffix '{path.suffix}'", f"known: {suffixes}")
    if not path.is_file():
        raise InputError(path, "file", "does not exist", "check the path; it is relative to city.toml")
    if path.stat().st_size == 0:
        raise InputError(path, "file", "is empty", "deliver the file again")
    return chosen.read(path, layer, where)


def read_vectors(path: Path, layer: str | None = None, where: str | None = None) -> gpd.GeoDataFrame:
    """Return the features of a vector file in EPSG:4326, 2-D; the index is the 1-based number of the feature.

    Geometry that cannot be built is null.

    Raises
    ------
    InputError
        As `read_native`; no CRS; no features.
    """
    table = read_native(path, layer, where)
    if table.crs is None:
        raise InputError(path, "crs", "the file has no CRS", "write the CRS into the file (of a Shapefile: the .prj)")
    if table.empty:
        raise InputError(path, "file", "has no features", "deliver a file with at least one feature")
    same = table.crs.equals(CRS84, ignore_axis_order=True)
    table = table.set_crs("EPSG:4326", allow_override=True) if same else table.to_crs("EPSG:4326")
    return table.set_geometry(shapely.force_2d(table.geometry.to_numpy()), crs="EPSG:4326").set_axis(
        pd.RangeIndex(1, len(table) + 1)
    )


def _pbf(path: Path, layer: str | None, where: str | None) -> gpd.GeoDataFrame:
    check_whole(path)
    return _gdal(path, layer, where)


def _osm_xml(path: Path, layer: str | None, where: str | None) -> gpd.GeoDataFrame:
    check_xml(path, "osm")
    return _gdal(path, layer, where)


def _gdal(path: Path, layer: str | None, where: str | None) -> gpd.GeoDataFrame:
    try:
        table = pyogrio.read_dataframe(path, layer=_layer(path, layer), where=where, on_invalid="ignore")
    except (DataSourceError, DataLayerError, FeatureError, GeometryError, UnicodeDecodeError) as error:
        text = str(error).splitlines()[0]
        raise InputError(path, "file", f"cannot be read ({text})", "deliver the file again") from error
    if not isinstance(table, gpd.GeoDataFrame):
        raise InputError(path, "geometry", "the layer has no geometry", "name another layer")
    return table


def _kml(path: Path, layer: str | None, where: str | None) -> gpd.GeoDataFrame:
    """Read KML; its own "Name" and "Description" get the names that every other format would give them."""
    table = _gdal(path, layer, where)
    own = {name: name.lower() for name in ("Name", "Description") if name in table and name.lower() not in table}
    return table.rename(columns=own)


def _layer(path: Path, named: str | None) -> str | None:
    layers = pyogrio.list_layers(path)
    names = [str(name) for name in layers[:, 0]]
    if named is not None:
        if named not in names:
            raise InputError(path, "layer", f"has no layer '{named}'", f"its layers: {', '.join(names)}")
        return named
    spatial = [name for name, kind in zip(names, layers[:, 1], strict=True) if kind is not None]
    if len(spatial) > 1:
        raise InputError(path, "layer", f"has {len(spatial)} layers", f"name one of {', '.join(spatial)}")
    return next(iter(spatial), None)


def _geoparquet(path: Path, layer: str | None, where: str | None) -> gpd.GeoDataFrame:
    try:
        return gpd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        text = str(error).splitlines()[0]
        raise InputError(path, "file", f"cannot be read as GeoParquet ({text})", "deliver the file again") from error


VECTOR_FORMATS: tuple[VectorFormat, ...] = (
    VectorFormat("geojson", (".geojson", ".json"), _gdal),
    VectorFormat("geopackage", (".gpkg",), _gdal),
    VectorFormat("shapefile", (".shp",), _gdal),
    VectorFormat("flatgeobuf", (".fgb",), _gdal),
    VectorFormat("kml", (".kml",), _kml),
    VectorFormat("parquet", (".parquet",), _geoparquet),
    VectorFormat("osm_pbf", (".pbf",), _pbf),
    VectorFormat("osm_xml", (".osm",), _osm_xml),
    VectorFormat("graphml", (".graphml",), read_graphml),
)


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
