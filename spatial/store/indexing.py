"""The writing of a layer's index (`spatial.store.index`) from its GeoPackage.

`index/<layer>.arrow` is an uncompressed Arrow IPC file with one record batch, rows in the order of ids (code points).
It is made from the GeoPackage alone, so one made later is the same file. Columns: the layer's own (strings as a
dictionary sorted by code point); `west, south, east, north` (float64, degrees, NaN where a geometry is empty); `wkb`;
`feature`, the GeoJSON feature (RFC 7946, all digits of the coordinates, times as 2025-01-31T08:00:00.000Z) in bytes and
a comma, with the offsets `geometry_start` and `geometry_end` of its geometry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError

from spatial.contracts import Column, Layer
from spatial.errors import NotFoundError, StoreError

FOLDER = "index"
_FORMAT = 1  # of the file: another one for every change of what it holds
BOX = ("west", "south", "east", "north")
PROPERTIES = b',"properties":'
_TIME = "%Y-%m-%dT%H:%M:%SZ"  # of a timestamp in ms: 2025-01-31T08:00:00.000Z
_TIMESTAMP = pa.timestamp("ms", tz="UTC")
_NULL = -1  # code that stands under a null string
_CHUNK = 20_000

Array = NDArray[Any]


def write_index(layers: Path, names: Iterable[Layer], folder: Path) -> None:
    """Write the index of each layer of a GeoPackage into a folder, which is made where it is not there.

    Raises
    ------
    NotFoundError
        The GeoPackage has no such layer.
    StoreError
        It cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for layer in names:
        write_layer_index(layers, layer, folder / f"{layer.name}.arrow")


def form_of(layer: Layer) -> str:
    """Return a digest of the file's format and the layer's columns: an index of another one is not read."""
    columns = [(column.name, column.kind) for column in layer.columns]
    return sha256(repr((_FORMAT, columns)).encode()).hexdigest()[:8]


def write_layer_index(layers: Path, layer: Layer, path: Path) -> None:
    """Write the index of one layer of a GeoPackage to a file. Raises as `write_index`."""
    batch = _batch(layer, _stored(layers, layer))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def batch_of_rows(layer: Layer, rows: Sequence[Mapping[str, Any]], wkb: Sequence[bytes]) -> Any:
    """Return the record batch of an index of features that are in no file.

    Parameters
    ----------
    rows : n properties by name, all of the layer, valid by its contract, ids not repeated; times are texts, RFC 3339.
    wkb : their n geometries, CRS84.
    """
    columns = {c.name: _array([row[c.name] for row in rows], c) for c in layer.columns}
    columns["wkb"] = pa.array(wkb, pa.binary())
    return _batch(layer, pa.table(columns).sort_by(layer.id_column))


def _array(values: list[Any], column: Column) -> Any:
    if column.kind == "datetime":
        return pa.array(values, pa.string()).cast(_TIMESTAMP)
    kinds = {"integer": pa.int64(), "number": pa.float64()}
    return pa.array(values, kinds.get(column.kind, pa.string()))


def _stored(layers: Path, layer: Layer) -> Any:
    """Return a layer as an Arrow table in the order of ids, geometry as WKB in `wkb`; a column it lacks is null."""
    try:
        meta, table = pyogrio.read_arrow(layers, layer=layer.name)
    except DataLayerError as error:
        raise NotFoundError(f"this version has no {layer.name}; it is an older one: run the city again") from error
    except DataSourceError as error:
        raise StoreError(f"{layers}: cannot be read; run the city again with --force") from error
    names = table.column_names
    empty = pa.nulls(table.num_rows)
    columns = {c.name: table[c.name] if c.name in names else empty for c in layer.columns}
    columns["wkb"] = table[meta["geometry_name"] or "wkb_geometry"]
    return pa.table(columns).sort_by(layer.id_column)


def _batch(layer: Layer, table: Any) -> Any:
    wkb = table["wkb"].combine_chunks().cast(pa.large_binary())
    geometries = shapely.from_wkb(np.asarray(wkb.to_pylist(), dtype=object))
    columns = {column.name: _column(table[column.name], column) for column in layer.columns}
    boxes = shapely.bounds(geometries)
    columns |= {name: pa.array(np.ascontiguousarray(boxes[:, i])) for i, name in enumerate(BOX)}
    columns["wkb"] = wkb
    columns |= _features(layer, table, geometries)
    known = {"layer": layer.name, "form": form_of(layer)}
    return pa.record_batch(columns).replace_schema_metadata(known)


def _column(values: Any, column: Column) -> Any:
    """Return a column with what stands under its nulls fixed, so that the same values give the same bytes."""
    values = values.combine_chunks()
    if column.kind in ("string", "json"):
        values = values.cast(pa.string())
        words = pc.unique(values.drop_null()).sort()
        return pa.DictionaryArray.from_arrays(_plain(pc.index_in(values, value_set=words), np.int32, _NULL), words)
    if column.kind == "datetime":
        return _plain(values.cast(_TIMESTAMP).cast(pa.int64()), np.int64).cast(_TIMESTAMP)
    return _plain(values, np.int64 if column.kind == "integer" else np.float64)


def _plain(values: Any, dtype: type, under_null: int = 0) -> Any:
    known = np.asarray(pc.is_valid(values))
    filled = pc.fill_null(values.cast(pa.from_numpy_dtype(dtype)), under_null)
    return pa.array(np.asarray(filled, dtype=dtype), mask=None if known.all() else ~known)


def _features(layer: Layer, table: Any, geometries: Array) -> dict[str, Any]:
    """Return the serialised features and where the geometry of each begins and ends, in bytes."""
    parts, starts, ends = [], [], []
    for first in range(0, table.num_rows, _CHUNK):
        chunk = table.slice(first, _CHUNK)
        shapes = shapely.to_geojson(geometries[first : first + _CHUNK])
        ids = chunk[layer.id_column].to_pylist()
        features = []
        for identifier, shape, properties in zip(ids, shapes, _properties(layer, chunk), strict=True):
            head = b'{"type":"Feature","id":' + orjson.dumps(identifier) + b',"geometry":'
            body = b"null" if shape is None else shape.encode()
            starts.append(len(head))
            ends.append(len(head) + len(body))
            features.append(head + body + PROPERTIES + properties + b"},")
        parts.append(pa.array(features, pa.large_binary()))
    return {
        "feature": pa.concat_arrays(parts) if parts else pa.array([], pa.large_binary()),
        "geometry_start": pa.array(starts, pa.int32()),
        "geometry_end": pa.array(ends, pa.int32()),
    }


def _properties(layer: Layer, chunk: Any) -> Iterable[bytes]:
    columns = [
        pc.strftime(chunk[c.name].cast(_TIMESTAMP), format=_TIME) if c.kind == "datetime" else chunk[c.name]
        for c in layer.columns
    ]
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return (orjson.dumps(dict(zip(layer.names, row, strict=True))) for row in rows)
