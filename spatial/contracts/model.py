"""What a column, a layer, a raster and a progress report are, and the check of a table against its layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from spatial.errors import ContractError

Kind = Literal["string", "integer", "number", "datetime", "json"]
GeometryType = Literal["Point", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]


@dataclass(frozen=True, slots=True)
class Column:
    """One property of a layer: its type, unit, range, enumeration and its label in Indonesian and English.

    `free_text`: people wrote it, so personal data is taken out of every published copy.
    """

    name: str
    kind: Kind
    title_id: str
    title_en: str
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] | None = None
    nullable: bool = True
    free_text: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """A stored table behind a collection. `columns` starts with the id; `temporal` names its datetime column."""

    name: str
    geometry: GeometryType
    title_id: str
    title_en: str
    columns: tuple[Column, ...]
    temporal: str | None = None

    @property
    def id_column(self) -> str:
        """Name of the column that identifies a feature."""
        return self.columns[0].name

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in their published order, the id first."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True, eq=False, slots=True)
class Raster:
    """A single-band raster: `values` is (rows, columns), NaN where unknown; `transform` maps (column, row) to x, y."""

    values: NDArray[np.floating[Any]]
    transform: Affine
    crs: CRS

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not np.issubdtype(self.values.dtype, np.floating):
            raise ContractError(f"a raster is a 2-D array of floats, not {self.values.ndim}-D {self.values.dtype}")

    @property
    def pixel_size_m(self) -> float:
        """Side of a pixel in units of the CRS (metres in a UTM zone)."""
        return abs(float(self.transform.a))


@dataclass(frozen=True, slots=True)
class Coverage:
    """A published raster: its unit, the range of its values, and its title in Indonesian and English."""

    name: str
    title_id: str
    title_en: str
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None


class Progress(Protocol):
    """Told of what a long job does: `stage` opens a stage, `note` says a line that the person should see."""

    def stage(self, name: str, title: str) -> None:
        """Start the stage `name`; `title` is for people."""

    def note(self, text: str) -> None:
        """Say one line."""


class Silent:
    """A `Progress` that says nothing."""

    def stage(self, name: str, title: str) -> None:
        """Ignore the stage."""

    def note(self, text: str) -> None:
        """Ignore the line."""


def checked(layer: Layer, table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return `table` with exactly the layer's columns in their order, plus geometry; every value checked.

    Parameters
    ----------
    table : GeoDataFrame in CRS84 or EPSG:4326 with longitude first. A column that is missing is filled with null.

    Raises
    ------
    ContractError
        Unknown column, wrong geometry type or CRS, null or repeated id, value outside its range or enumeration.
    """
    problems = list(_problems(layer, table))
    if problems:
        raise ContractError(f"layer {layer.name}: " + "; ".join(problems))
    columns = {c.name: _typed(table[c.name], c) if c.name in table else _empty(c, table.index) for c in layer.columns}
    return gpd.GeoDataFrame(columns, geometry=table.geometry.to_numpy(), index=table.index, crs="EPSG:4326")


def _problems(layer: Layer, table: gpd.GeoDataFrame) -> Iterator[str]:
    unknown = [str(c) for c in table.columns if c not in layer.names and c != table.geometry.name]
    if unknown:
        yield f"unknown columns {unknown}"
    if table.crs is None or (table.crs.to_epsg() != 4326 and table.crs != CRS("OGC:CRS84")):
        yield f"CRS is {table.crs}, expected CRS84"
    if layer.id_column not in table:
        yield f"no id column {layer.id_column}"
    elif not table[layer.id_column].is_unique:
        yield f"ids repeat: {table.loc[table[layer.id_column].duplicated(), layer.id_column].head(3).tolist()}"
    wrong = set(table.geom_type.dropna()) - {layer.geometry}
    if wrong or table.geometry.isna().any():
        yield f"geometry is {sorted(wrong) or 'null'}, expected {layer.geometry}"
    for column in layer.columns:
        if column.name in table:
            yield from _column_problems(column, table[column.name])
        elif not column.nullable:
            yield f"{column.name} is missing"


def _column_problems(column: Column, values: pd.Series[Any]) -> Iterator[str]:
    known = values.dropna()
    if not column.nullable and len(known) < len(values):
        yield f"{column.name} has {len(values) - len(known)} nulls"
    if column.values is not None and not known.isin(column.values).all():
        yield f"{column.name} has values outside {column.values}: {sorted(set(known) - set(column.values))[:3]}"
    if column.kind in ("integer", "number") and len(known):
        numbers = known.astype(float)
        if not np.isfinite(numbers).all():
            yield f"{column.name} is not finite"
        if column.minimum is not None and numbers.min() < column.minimum:
            yield f"{column.name} has {numbers.min()}, below {column.minimum}"
        if column.maximum is not None and numbers.max() > column.maximum:
            yield f"{column.name} has {numbers.max()}, above {column.maximum}"


_DTYPES: Mapping[Kind, Any] = {
    "string": "string",
    "json": "string",
    "integer": "Int64",
    "number": "float64",
    "datetime": "datetime64[ms, UTC]",
}


def _typed(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    if column.kind == "datetime":
        values = pd.to_datetime(values, utc=True)
    typed: pd.Series[Any] = values.astype(_DTYPES[column.kind])
    return typed


def _empty(column: Column, index: pd.Index[Any]) -> pd.Series[Any]:
    return _typed(pd.Series([None] * len(index), index=index, dtype="object"), column)
