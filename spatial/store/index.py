"""The published index of a layer: columns, boxes, WKB and serialised features in one Arrow file, memory-mapped.

A published version never changes, so all that answers need is written once, at publication, beside `layers.gpkg`
(`spatial.store.indexing` says how). A version that was published without gets its index on first use.
"""

from __future__ import annotations

import logging
import os
import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import orjson
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial.contracts import Layer
from spatial.errors import StoreError
from spatial.store.indexing import BOX, FOLDER, PROPERTIES, batch_of_rows, form_of, write_layer_index
from spatial.store.versions import LAYERS_FILE, Version

_KEPT = 128  # opened indexes: of all layers of some versions
_FEW_WORDS = 10_000
_log = logging.getLogger(__name__)
_building = threading.Lock()
_opening = threading.Lock()

Array = NDArray[Any]


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

    def __init__(self, batch: Any, layer: Layer, path: Path | None = None) -> None:
        """Read an Arrow record batch as `write_index` makes it, from the file at `path` if it is in one."""
        self._batch = batch
        self.layer, self.path = layer, path
        self._starts, self._data = _binary(self._batch.column("feature"))
        self._wkb_starts, self._wkb = _binary(self._batch.column("wkb"))
        self._geometry = [self._buffer(name, np.int32) for name in ("geometry_start", "geometry_end")]
        west, south, east, north = (self._buffer(name, np.float64) for name in BOX)
        self.boxes = west, south, east, north
        self.ids = self.strings(layer.id_column)[1]  # the row of an id is its code

    @classmethod
    def opened(cls, path: Path, layer: Layer) -> LayerIndex:
        """Map an index file into memory."""
        with pa.ipc.open_file(pa.memory_map(str(path))) as reader:
            return cls(reader.get_batch(0), layer, path)

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
        found = self.first_from(identifier)
        return found if found < self.n and self.ids[found] == identifier else None

    def first_from(self, identifier: str) -> int:
        """Return the first row whose id is not less than the given one; n where there is none."""
        return bisect_left(self.ids, identifier)

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
            before = [b"%b%b%b" % (data[s : s + g], b"null", PROPERTIES) for s, g, _ in heads]
        else:
            before = [data[s : s + e + len(PROPERTIES)] for s, _, e in heads]
        return [b"%b%b}" % pair for pair in zip(before, self._properties(rows, select), strict=True)]

    def _runs(self, rows: Array) -> list[Any]:
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        first = self._starts[rows[np.append(0, breaks)]] if len(rows) else rows
        last = self._starts[rows[np.append(breaks - 1, len(rows) - 1)] + 1] if len(rows) else rows
        return [self._data[start : end - 1] for start, end in zip(first.tolist(), last.tolist(), strict=True)]

    def with_geometries(
        self, rows: Array, shapes: Sequence[str | None], select: Sequence[str] | None = None
    ) -> list[bytes]:
        """Return serialised features with other geometries: GeoJSON texts in another CRS, None where there is none."""
        starts, opens = self._starts[rows].tolist(), self._geometry[0][rows].tolist()
        heads = [self._data[s : s + g] for s, g in zip(starts, opens, strict=True)]
        parts = zip(heads, shapes, self._properties(rows, select), strict=True)
        return [b"%b%b%b%b}" % (head, (shape or "null").encode(), PROPERTIES, own) for head, shape, own in parts]

    def _properties(self, rows: Array, select: Sequence[str] | None) -> list[Any]:
        starts = (self._starts[rows] + self._geometry[1][rows] + len(PROPERTIES)).tolist()
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


def is_open(version: Version, layer: Layer) -> bool:
    """Tell whether `index_of` has the index at hand, without opening or making one."""
    return (str(version.path), layer.name) in _opened


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


def memory_index(layer: Layer, rows: Sequence[Mapping[str, Any]], wkb: Sequence[bytes]) -> LayerIndex:
    """Return the index of features that are in no file; see `indexing.batch_of_rows`."""
    return LayerIndex(batch_of_rows(layer, rows, wkb), layer)


def _index(version: Version, layer: Layer) -> LayerIndex:
    path = version.path / FOLDER / f"{layer.name}.arrow"
    ours = path.exists() and _form_in(path) == form_of(layer)
    return LayerIndex.opened(path if ours else _cached(version, layer), layer)


def _form_in(path: Path) -> str:
    with pa.ipc.open_file(pa.memory_map(str(path))) as reader:
        return str((reader.schema.metadata or {}).get(b"form", b""), "ascii")


def _cached(version: Version, layer: Layer) -> Path:
    path = version.cache / f"{layer.name}.{form_of(layer)}.arrow"
    with _building:  # one thread of a process; several processes make the same file, the last one stays
        if not path.exists():
            _log.warning("%s was published without this release's index: making %s", version.id, path)
            temporary = path.with_name(f".{layer.name}-{os.getpid()}")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_layer_index(version.path / LAYERS_FILE, layer, temporary)
                os.replace(temporary, path)
            except OSError as error:
                raise StoreError(f"{path}: the index cannot be written: {error.strerror or error}") from error
    return path
