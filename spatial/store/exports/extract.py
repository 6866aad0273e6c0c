"""Features of a published layer on their way into a file: which rows and columns, in which system, told as what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from spatial.contracts import Column, Kind, Layer
from spatial.errors import HexakotaError, QueryError, StoreError
from spatial.store.index import LayerIndex

CRS84 = "OGC:CRS84"
GEOMETRY = "geometry"
BATCH = 20_000  # rows in memory at a time
ARROW: Mapping[Kind, Any] = {
    "string": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "datetime": pa.timestamp("ms", tz="UTC"),
}


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself.

    Attributes
    ----------
    title : in both languages, with the mark of a synthetic city.
    facts : label in both languages and value: city, version, attribution and so on.
    null_because : why a column has nulls, in both languages, by the column's name.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    null_because: Mapping[str, str]

    @property
    def text(self) -> str:
        """The facts in one line."""
        return "; ".join(f"{label}: {value}" for label, value in self.facts)


@dataclass(frozen=True, slots=True)
class Extract:
    """Features to be written, read from the layer's index in batches, so that memory does not grow with their number.

    Attributes
    ----------
    path : the layer's index.
    rows : (n,) int64, rows of the index in the order of the file.
    columns : in the order of the file.
    crs : such as `EPSG:3857`; None: without geometry. Coordinates are east (longitude) first in every file.
    """

    path: Path
    layer: Layer
    rows: NDArray[np.int64]
    columns: tuple[Column, ...]
    crs: str | None
    about: About

    @property
    def schema(self) -> Any:
        """The Arrow schema of the batches: the columns, then `geometry` as WKB; titles in GDAL's metadata."""
        fields = [pa.field(column.name, ARROW[column.kind], metadata=_titles(column)) for column in self.columns]
        return pa.schema(fields if self.crs is None else [*fields, pa.field(GEOMETRY, pa.binary())])

    @property
    def file_crs(self) -> str | None:
        """The system that a file names: formats that hold east first call CRS84 EPSG:4326."""
        return "EPSG:4326" if self.crs == CRS84 else self.crs

    def batches(self) -> Iterator[Any]:
        """Yield the features as Arrow record batches. Raises QueryError where the system has no coordinates."""
        index, schema = LayerIndex.opened(self.path, self.layer), self.schema
        names = [column.name for column in self.columns]
        move = None if self.crs in (None, CRS84, "EPSG:4326") else _mover(self.crs)
        for first in range(0, len(self.rows), BATCH):
            rows = self.rows[first : first + BATCH]
            arrays = index.arrays(rows, names)
            if self.crs is not None:
                (wkb,) = index.arrays(rows, ["wkb"])
                arrays.append(wkb.cast(pa.binary()) if move is None else move(wkb))
            yield pa.record_batch(arrays, schema=schema)


def _titles(column: Column) -> dict[str, str]:
    """Return what GDAL keeps of a column where a format has room for it."""
    unit = f" ({column.unit})" if column.unit else ""
    return {"GDAL:OGR:alternative_name": f"{column.title_id} / {column.title_en}{unit}"}


def _mover(crs: str | None) -> Callable[[Any], Any]:
    transformer = Transformer.from_crs(CRS84, crs, always_xy=True)

    def moved(wkb: Any) -> Any:
        shapes: Any = shapely.transform(shapes_of(wkb), transformer.transform, interleaved=False)  # type: ignore[arg-type]
        if not np.isfinite(shapely.get_coordinates(shapes)).all():
            raise QueryError(f"crs={crs}: a feature lies where that system has no coordinates")
        return pa.array(shapely.to_wkb(shapes), pa.binary())

    return moved


def shapes_of(wkb: Any) -> NDArray[np.object_]:
    """Return geometries of an Arrow array of WKB; None where there is none."""
    shapes: NDArray[np.object_] = shapely.from_wkb(np.asarray(wkb.to_pylist(), dtype=object))
    return shapes


def crs_of(extract: Extract) -> CRS:
    """Return the system of a file's coordinates."""
    return CRS(extract.crs)


def written(batches: Iterable[Any], schema: Any, write: Callable[[Any], None]) -> None:
    """Hand batches as a stream to a writer that knows no Python errors.

    Raises
    ------
    HexakotaError
        What a batch raised.
    StoreError
        The writer could not write.
    """
    failed: list[HexakotaError] = []

    def guarded() -> Iterator[Any]:
        try:
            yield from batches
        except HexakotaError as error:
            failed.append(error)
            raise

    try:
        write(pa.RecordBatchReader.from_batches(schema, guarded()))
    except (RuntimeError, OSError, pa.ArrowException) as error:
        raise failed[0] if failed else StoreError(f"the file cannot be written: {error}") from error
