"""What a question is evaluated over: the columns of a layer, and such a table made of a GeoDataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Boxes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


class Table(Protocol):
    """A layer's features in the order of their ids (code points). Only columns that `has` says are asked for."""

    @property
    def n(self) -> int:
        """Number of features."""

    @property
    def boxes(self) -> Boxes:
        """Envelopes in CRS84: west, south, east, north, each (n,) float64; NaN where there is no geometry."""

    def has(self, name: str) -> bool:
        """Whether the table has the column; an older version may lack it, and all of it is null then."""

    def numbers(self, name: str) -> tuple[NDArray[Any], Bools | None]:
        """Return (n,) int64 or float64 and what is known (None: all); the rest may hold anything."""

    def instants(self, name: str) -> tuple[NDArray[np.int64], Bools | None]:
        """Return (n,) int64 milliseconds since 1970, UTC, and what is known (None: all)."""

    def strings(self, name: str) -> tuple[NDArray[np.int32], Sequence[str]]:
        """Return (n,) codes, -1 where null, into distinct strings sorted by code point."""

    def geometries(self, rows: NDArray[np.int64]) -> NDArray[np.object_]:
        """Return the geometries of the rows, CRS84; None where there is none."""


class FrameTable:
    """A `Table` of a layer as `spatial.contracts.checked` gives it; rows in the frame's order."""

    def __init__(self, frame: gpd.GeoDataFrame) -> None:
        self._frame = frame
        self._geometries: NDArray[np.object_] = np.asarray(frame.geometry.array, dtype=object)
        west, south, east, north = shapely.bounds(self._geometries).reshape(len(frame), 4).T
        self._boxes: Boxes = (west, south, east, north)

    @property
    def n(self) -> int:
        """Number of features."""
        return len(self._frame)

    @property
    def boxes(self) -> Boxes:
        """Envelopes, each (n,) float64."""
        return self._boxes

    def has(self, name: str) -> bool:
        """Whether the frame has the column."""
        return name in self._frame

    def numbers(self, name: str) -> tuple[NDArray[Any], Bools | None]:
        """Return the numbers of a column and which are known."""
        column = self._frame[name]
        known = column.notna().to_numpy(dtype=bool)
        kind = np.float64 if column.dtype.kind == "f" else np.int64
        return column.to_numpy(dtype=kind, na_value=0), known

    def instants(self, name: str) -> tuple[NDArray[np.int64], Bools | None]:
        """Return the milliseconds of a column and which are known."""
        column = self._frame[name]
        times = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[ms]")
        return times.astype(np.int64), column.notna().to_numpy(dtype=bool)

    def strings(self, name: str) -> tuple[NDArray[np.int32], Sequence[str]]:
        """Return the codes of a column and its distinct strings."""
        values = [value if isinstance(value, str) else None for value in self._frame[name]]
        distinct = sorted({value for value in values if value is not None})
        code = {value: index for index, value in enumerate(distinct)}
        return np.array([-1 if value is None else code[value] for value in values], dtype=np.int32), distinct

    def geometries(self, rows: NDArray[np.int64]) -> NDArray[np.object_]:
        """Return the geometries of the rows."""
        return self._geometries[rows]
