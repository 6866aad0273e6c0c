"""The published index of a layer: columns, boxes, WKB and serialised features in one Arrow file, memory-mapped.

A published version never changes, so all that answers need is written once, at publication, beside `layers.gpkg`:
`index/<layer>.arrow`, an uncompressed Arrow IPC file with one record batch, rows in the order of ids (code points). It
is made from the GeoPackage alone, so one made later is the same file. Columns: the layer's own (strings as a dictionary
sorted by code point); `west, south, east, north` (float64, degrees, NaN where a geometry is empty); `wkb`; `feature`,
the GeoJSON feature (RFC 7946, all digits of the coordinates, times as 2025-01-31T08:00:00.000Z) in bytes and a comma,
with the offsets `geometry_start` and `geometry_end` of its geometry.
"""

from __future__ import annotations

import logging
import os
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

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
from spatial.store.versions import LAYERS_FILE, Version

FOLDER = "index"
_FORMAT = "1"  # of the file; a cached index of another one is made anew
_BOX = ("west", "south", "east", "north")
_PROPERTIES = b',"properties":'
_TIME = "%Y-%m-%dT%H:%M:%SZ"  # of a timestamp in ms: 2025-01-31T08:00:00.000Z
_TIMESTAMP = pa.timestamp("ms", tz="UTC")
_NULL = -1  # code that stands under a null string
_CHUNK = 20_000
_KEPT = 128  # opened indexes: of all layers of some versions
_FEW_WORDS = 10_000
_log = logging.getLogger(__name__)
_building = threading.Lock()
_opening = threading.Lock()

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
        _write(layers, layer, folder / f"{layer.name}.arrow")


def _write(layers: Path, layer: Layer, path: Path) -> None:
    batch = _batch(layer, _stored(layers, layer))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


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
    columns |= {name: pa.array(np.ascontiguousarray(boxes[:, i])) for i, name in enumerate(_BOX)}
    columns["wkb"] = wkb
    columns |= _features(layer, table, geometries)
    known = {"layer": layer.name, "format": _FORMAT}
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
            features.append(head + body + _PROPERTIES + properties + b"},")
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


class _Words(Sequence[str]):
    """Distinct strings in the file, read one by one."""

    def __init__(self, words: Any) -> None:
        self._words = words

    def __len__(self) -> int:
        return len(self._words)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        found: Any = self._words[index]
        return _Words(found) if isinstance(index, slice) else str(found.as_py())

    def __iter__(self) -> Iterator[str]:
        return iter(self._words.to_pylist())


class LayerIndex:
    """One layer of a published version, memory-mapped: the table that `spatial.query` evaluates a question over.

    Rows are numbered from 0 in the order of ids. It may be read by several threads at once.
    """

    def __init__(self, path: Path, layer: Layer) -> None:
        with pa.ipc.open_file(pa.memory_map(str(path))) as reader:
            self._batch = reader.get_batch(0)
        self.layer, self.path = layer, path
        self._starts, self._data = _binary(self._batch.column("feature"))
        self._wkb_starts, self._wkb = _binary(self._batch.column("wkb"))
        self._geometry = [self._buffer(name, np.int32) for name in ("geometry_start", "geometry_end")]
        west, south, east, north = (self._buffer(name, np.float64) for name in _BOX)
        self.boxes = west, south, east, north
        self._ids = self.strings(layer.id_column)[1]  # the row of an id is its code

    @property
    def n(self) -> int:
        """Number of features."""
        return int(self._batch.num_rows)

    def __len__(self) -> int:
        return self.n

    def _buffer(self, name: str, dtype: type) -> Array:
        """Return the values of a column without a copy, also what stands under its nulls."""
        column = self._batch.column(name)
        column = column.indices if pa.types.is_dictionary(column.type) else column
        return np.frombuffer(column.buffers()[1], dtype, self.n)

    def has(self, name: str) -> bool:
        """Whether the layer has the column; one that an older version lacks is all null."""
        return name in self.layer.names

    def numbers(self, name: str) -> tuple[Array, NDArray[np.bool_] | None]:
        """Return a column's (n,) int64 or float64 and which are known (None: all)."""
        integer = pa.types.is_integer(self._batch.column(name).type)
        return self._buffer(name, np.int64 if integer else np.float64), self._known(name)

    def instants(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
        """Return a column's (n,) int64 milliseconds since 1970, UTC, and which are known (None: all)."""
        return self._buffer(name, np.int64), self._known(name)

    def strings(self, name: str) -> tuple[NDArray[np.int32], Sequence[str]]:
        """Return a column's (n,) codes, -1 where null, into its distinct strings, sorted by code point."""
        words = self._batch.column(name).dictionary
        return self._buffer(name, np.int32), words.to_pylist() if len(words) < _FEW_WORDS else _Words(words)

    def _known(self, name: str) -> NDArray[np.bool_] | None:
        column = self._batch.column(name)
        return np.asarray(column.is_valid()) if column.null_count else None

    def row(self, identifier: str) -> int | None:
        """Return the row of a feature by its id, by bisection; None where there is none."""
        found = bisect_left(self._ids, identifier)
        return found if found < self.n and self._ids[found] == identifier else None

    def features(self, rows: Array, skip_geometry: bool = False, select: Sequence[str] | None = None) -> list[Any]:
        """Return serialised GeoJSON features.

        Parameters
        ----------
        rows : (n,) int64, rows of the layer.
        skip_geometry : with null in place of the geometry.
        select : only these properties, in the layer's order; None: all.

        Returns
        -------
        Bytes-like objects, to be joined with commas: one a feature; of whole features one a run of rows that follow one
        another, a view of the file.
        """
        if not skip_geometry and select is None:
            return self._runs(rows)
        data, starts = self._data, self._starts[rows].tolist()
        opens, closes = (part[rows].tolist() for part in self._geometry)
        heads = zip(starts, opens, closes, strict=True)
        if skip_geometry:
            before = [b"%b%b%b" % (data[s : s + g], b"null", _PROPERTIES) for s, g, _ in heads]
        else:
            before = [data[s : s + e + len(_PROPERTIES)] for s, _, e in heads]
        return [b"%b%b}" % pair for pair in zip(before, self._properties(rows, select), strict=True)]

    def _runs(self, rows: Array) -> list[Any]:
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        first = self._starts[rows[np.append(0, breaks)]] if len(rows) else rows
        last = self._starts[rows[np.append(breaks - 1, len(rows) - 1)] + 1] if len(rows) else rows
        return [self._data[start : end - 1] for start, end in zip(first.tolist(), last.tolist(), strict=True)]

    def with_geometries(self, rows: Array, shapes: Sequence[str], select: Sequence[str] | None = None) -> list[bytes]:
        """Return serialised features with other geometries: GeoJSON texts, in another CRS."""
        starts, opens = self._starts[rows].tolist(), self._geometry[0][rows].tolist()
        heads = [self._data[s : s + g] for s, g in zip(starts, opens, strict=True)]
        parts = zip(heads, shapes, self._properties(rows, select), strict=True)
        return [b"%b%b%b%b}" % (head, shape.encode(), _PROPERTIES, own) for head, shape, own in parts]

    def _properties(self, rows: Array, select: Sequence[str] | None) -> list[Any]:
        starts = (self._starts[rows] + self._geometry[1][rows] + len(_PROPERTIES)).tolist()
        ends = (self._starts[rows + 1] - len(b"},")).tolist()
        whole = [self._data[start:end] for start, end in zip(starts, ends, strict=True)]
        if select is None:
            return whole
        names = [name for name in self.layer.names if name in select]
        return [orjson.dumps({name: own[name] for name in names}) for own in map(orjson.loads, whole)]

    def arrays(self, rows: Array, names: Sequence[str]) -> list[Any]:
        """Return columns of rows as Arrow arrays, strings plain; `wkb` is one of the columns."""
        taken = [self._batch.column(name).take(pa.array(rows)) for name in names]
        return [a.cast(pa.string()) if pa.types.is_dictionary(a.type) else a for a in taken]

    def geometries(self, rows: Array) -> NDArray[np.object_]:
        """Return the geometries of rows, CRS84; None where there is none."""
        starts, ends = self._wkb_starts[rows].tolist(), self._wkb_starts[rows + 1].tolist()
        wkb = [bytes(self._wkb[start:end]) or None for start, end in zip(starts, ends, strict=True)]
        shapes: NDArray[np.object_] = shapely.from_wkb(np.array(wkb, dtype=object))
        return shapes


def _binary(column: Any) -> tuple[NDArray[np.int64], Any]:
    """Return the n + 1 offsets and the bytes of a large_binary column."""
    _, offsets, data = column.buffers()
    return np.frombuffer(offsets, np.int64, len(column) + 1), memoryview(b"" if data is None else data)


_opened: dict[tuple[str, str], LayerIndex] = {}


def index_of(version: Version, layer: Layer) -> LayerIndex:
    """Return the index of a layer of a version; what an older program published gets one in `var/cache` first.

    Raises
    ------
    NotFoundError
        The version has no such layer.
    StoreError
        It cannot be read, or the cache cannot be written.
    """
    key = str(version.path), layer.name
    index = _opened.get(key)
    if index is None:
        index = _index(version, layer)
        with _opening:
            while len(_opened) >= _KEPT:
                del _opened[next(iter(_opened))]
            _opened[key] = index
    return index


def _index(version: Version, layer: Layer) -> LayerIndex:
    path = version.path / FOLDER / f"{layer.name}.arrow"
    return LayerIndex(path if path.exists() else _cached(version, layer), layer)


def _cached(version: Version, layer: Layer) -> Path:
    path = version.cache / f"{layer.name}.{_FORMAT}.arrow"
    with _building:  # one thread of a process; several processes make the same file, the last one stays
        if not path.exists():
            _log.warning("%s was published without an index of %s: making %s", version.id, layer.name, path)
            temporary = path.with_name(f".{layer.name}-{os.getpid()}")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(version.path / LAYERS_FILE, layer, temporary)
                os.replace(temporary, path)
            except OSError as error:
                raise StoreError(f"{path}: the index cannot be written: {error.strerror or error}") from error
    return path
