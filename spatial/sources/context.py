"""What stands and flows in a city beside roads: waterways, buildings, and facilities such as schools and hospitals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from spatial.sources.quarantine import BadRow, quarantine_table
from spatial.sources.roads import geometry_hashes
from spatial.sources.vectors import bad_feature, check_mapping, column, is_osm, read_vectors

COLUMNS = ("id", "kind", "name")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of context: what OSM tags it with, the PBF layer it lies in, and the shape that is published."""

    table: str
    tag: str
    pbf_layer: str
    shape: str


WATERWAYS = Kind("waterways", "waterway", "lines", "LineString")
BUILDINGS = Kind("buildings", "building", "multipolygons", "MultiPolygon")
FACILITIES = Kind("facilities", "amenity", "points", "Point")


@dataclass(frozen=True, slots=True)
class ContextSource:
    """One file of context; `columns` maps `id, kind, name` to columns of the file.

    Without, `kind` is the column of the OSM tag (waterway, building, amenity), `name` is `name`, and the id is made of
    the geometry.
    """

    path: Path
    layer: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class ContextTable:
    """Features of one file; `rows_in == rows_used + len(quarantine)`.

    `features`: EPSG:4326, longitude first; columns `id` (unique), `kind`, `name` (strings, null where unknown).
    """

    features: gpd.GeoDataFrame
    quarantine: pd.DataFrame
    rows_in: int
    rows_used: int


def read_context(source: ContextSource, kind: Kind) -> ContextTable:
    """Read one file of waterways (lines), buildings (polygons) or facilities (points; of a polygon its inner point).

    Raises
    ------
    InputError
        Missing or unreadable file, no CRS, no such layer or column, no features.
    """
    check_mapping(source.path, source.columns, COLUMNS)
    osm = is_osm(source.path)
    where = f"{kind.tag} IS NOT NULL" if osm else None
    found = read_vectors(source.path, kind.pbf_layer if osm else source.layer, where)
    shapes = [_shaped(shape, kind.shape) for shape in found.geometry]
    bad: list[BadRow] = [
        bad_feature(found, int(row), "null_geometry" if found.geometry[row] is None else "not_a_polygon")
        for row, parts in zip(found.index, shapes, strict=True)
        if not parts
    ]
    own = column(source.path, found, source.columns, "id", "osm_id" if osm else "id")
    table = gpd.GeoDataFrame(
        {
            "own_id": own.where(~own.duplicated(keep=False) & own.notna()),
            "kind": column(source.path, found, source.columns, "kind", kind.tag),
            "name": column(source.path, found, source.columns, "name", "name"),
        },
        geometry=[shapely.geometrycollections(parts) if parts else None for parts in shapes],
        crs="EPSG:4326",
    )
    table = table.dropna(subset="geometry").explode()
    hashes = pd.Series(geometry_hashes(table.geometry.to_numpy()), index=table.index, dtype=object)
    single = table["own_id"].notna() & ~table["own_id"].duplicated(keep=False)
    table["id"] = table["own_id"].where(single, "geom/" + hashes)
    table = table.drop_duplicates("id").reset_index(drop=True)
    texts = table[["id", "kind", "name"]].astype("string")
    features = gpd.GeoDataFrame(texts, geometry=table.geometry.to_numpy(), crs="EPSG:4326")
    return ContextTable(features, quarantine_table(source.path, bad), len(found), len(found) - len(bad))


def _shaped(shape: BaseGeometry | None, wanted: str) -> list[BaseGeometry]:
    """Return a feature as geometries of the published type; empty where it has none."""
    if shape is None or shape.is_empty:
        return []
    if wanted == "Point":
        return [shape if shape.geom_type == "Point" else shapely.point_on_surface(shape)]
    parts = [p for p in shapely.get_parts(shapely.get_parts(shapely.make_valid(shape))) if not p.is_empty]
    if wanted == "LineString":
        return [p for p in parts if p.geom_type == "LineString" and p.length > 0]
    polygons = [p for p in parts if p.geom_type == "Polygon"]
    return [shapely.MultiPolygon(polygons)] if polygons else []
