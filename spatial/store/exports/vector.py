"""GeoPackage, FlatGeobuf and GeoParquet, written as streams of Arrow record batches."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely

from spatial.errors import QueryError
from spatial.store.exports.extract import CRS84, GEOMETRY, Extract, crs_of, shapes_of, written
from spatial.store.geopackage import write_styles

_BOX = ("xmin", "ymin", "xmax", "ymax")
_COVERING = pa.struct([(name, pa.float64()) for name in _BOX])


def write_ogr(extract: Extract, path: Path, driver: str, **options: dict[str, str]) -> None:
    """Write a file of one layer with GDAL, batch by batch. Raises StoreError, and QueryError as the batches do."""
    how: dict[str, Any] = {"driver": driver, "layer": extract.layer.name} | options
    if extract.crs is not None:
        how |= {"geometry_name": GEOMETRY, "geometry_type": extract.layer.geometry, "crs": extract.file_crs}
    write_stream(extract.batches(), extract.schema, path, **how)


def without_geometry(form: str) -> QueryError:
    """Return the refusal of a format that is nothing without geometry."""
    return QueryError(f"skipGeometry=true: expected false with f={form}, or f=csv, xlsx, gpkg or parquet")


def write_stream(batches: Iterator[Any], schema: Any, path: Path, **how: Any) -> None:
    """Write batches with GDAL. Raises as `write_ogr`."""
    written(batches, schema, lambda stream: pyogrio.write_arrow(stream, path, **how))


def write_gpkg(extract: Extract, path: Path) -> None:
    """Write a GeoPackage 1.3 of one layer, with its QGIS style. Raises as `write_ogr`."""
    named = {"IDENTIFIER": extract.about.title, "DESCRIPTION": extract.about.text}
    own = {} if extract.crs is None else {"GEOMETRY_NAME": "geom", "SPATIAL_INDEX": "YES"}
    write_ogr(extract, path, "GPKG", dataset_options={"VERSION": "1.3"}, layer_options=named | own)
    if extract.crs is not None:
        with closing(sqlite3.connect(path)) as connection, connection:
            write_styles(connection, [extract.layer])


def write_fgb(extract: Extract, path: Path) -> None:
    """Write a FlatGeobuf with a spatial index. Raises QueryError where geometry was left out, and as `write_ogr`."""
    if extract.crs is None:
        raise without_geometry("fgb")
    about = {"TITLE": extract.about.title, "DESCRIPTION": extract.about.text, "SPATIAL_INDEX": "YES"}
    write_ogr(extract, path, "FlatGeobuf", layer_options=about)


def write_parquet(extract: Extract, path: Path) -> None:
    """Write GeoParquet 1.1 with the box of each feature as covering, a row group a batch.

    Without geometry it is plain Parquet. What the file says of itself stands in the key `hexakota`, the titles of the
    columns in the metadata of their fields.
    """
    schema = extract.schema
    if extract.crs is not None:
        schema = schema.append(pa.field("bbox", _COVERING))
    about = {"title": extract.about.title, "facts": dict(extract.about.facts)}
    whole = [np.inf, np.inf, -np.inf, -np.inf]
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in extract.batches():
            if extract.crs is not None:
                boxes = shapely.bounds(shapes_of(batch.column(GEOMETRY)))
                whole = _joined(whole, boxes)
                covering = pa.StructArray.from_arrays([pa.array(boxes[:, i]) for i in range(4)], list(_BOX))
                batch = pa.record_batch([*batch.columns, covering], schema=schema)
            writer.write_batch(batch)
        told = {"hexakota": json.dumps(about, ensure_ascii=False)}
        writer.add_key_value_metadata(told | ({} if extract.crs is None else {"geo": _geo(extract, whole)}))


def _joined(whole: list[float], boxes: Any) -> list[float]:
    """Return the box of a box and of (n, 4) boxes; those of empty geometries are NaN."""
    low, high = np.fmin.reduce(boxes[:, :2]), np.fmax.reduce(boxes[:, 2:])
    return [*np.fmin(whole[:2], low).tolist(), *np.fmax(whole[2:], high).tolist()]


def _geo(extract: Extract, box: list[float]) -> str:
    """Return the metadata of GeoParquet 1.1; a file that names no system is in OGC:CRS84."""
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": [extract.layer.geometry],
        "covering": {"bbox": {name: ["bbox", name] for name in _BOX}},
    }
    if extract.crs != CRS84:
        column["crs"] = crs_of(extract).to_json_dict()
    if np.isfinite(box).all():
        column["bbox"] = box
    return json.dumps({"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}})
