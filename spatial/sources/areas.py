"""Areas: the boundary of a city, and its kelurahan and kecamatan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from spatial.errors import InputError
from spatial.sources.quarantine import BadRow, quarantine_table
from spatial.sources.vectors import bad_feature, check_mapping, column, read_vectors

LEVELS = ("kelurahan", "kecamatan")
DEFAULT_COLUMNS: Mapping[str, str] = {"area_id": "kode", "name": "nama"}


@dataclass(frozen=True, slots=True)
class AdminSource:
    """One file of polygons at one `level` ("kelurahan" or "kecamatan"); several kelurahan files may stand side by side.

    `columns` maps `area_id` and `name` to columns of the file; default `kode` and `nama` (Kemendagri).
    """

    path: Path
    level: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class AdminTable:
    """Areas of one file; `rows_in == len(areas) + len(quarantine)`.

    `areas`: polygons and multipolygons in EPSG:4326, longitude first; columns `area_id` (unique), `name`, `level`
    (strings). `notes`: one line per thing that was changed, e.g. repaired polygons.
    """

    areas: gpd.GeoDataFrame
    quarantine: pd.DataFrame
    rows_in: int
    notes: tuple[str, ...]


def read_admin_areas(source: AdminSource) -> AdminTable:
    """Read kelurahan or kecamatan. Polygons that cross themselves are repaired by `shapely.make_valid` and noted.

    Raises
    ------
    InputError
        Unknown level, missing or unreadable file, no CRS, a column of ids or names that does not exist.
    """
    if source.level not in LEVELS:
        raise InputError(source.path, "level", f"'{source.level}' is not known", f"known: {', '.join(LEVELS)}")
    check_mapping(source.path, source.columns, tuple(DEFAULT_COLUMNS))
    features = read_vectors(source.path)
    names = {**DEFAULT_COLUMNS, **source.columns}
    table = pd.DataFrame({n: column(source.path, features, names, n, default) for n, default in names.items()})
    table["level"] = source.level
    fixed = features.geometry.map(_polygons)
    bad = _refused(features, fixed, table)
    good = table.drop(index=[b.row for b in bad])
    areas = gpd.GeoDataFrame(good.astype("string"), geometry=fixed[good.index], crs="EPSG:4326").reset_index(drop=True)
    repaired = good.loc[~features.geometry[good.index].is_valid, "name"]
    notes = (
        (
            f"{source.path.name}: {len(repaired)} of {len(features)} areas crossed themselves and were repaired: "
            f"{', '.join(repaired)}",
        )
        if len(repaired)
        else ()
    )
    return AdminTable(areas, quarantine_table(source.path, bad), len(features), notes)


def _polygons(shape: BaseGeometry | None) -> Polygon | MultiPolygon | None:
    """Return the polygonal part of a shape, made valid; None where it has none."""
    if shape is None or shape.geom_type not in ("Polygon", "MultiPolygon"):
        return None
    parts = [part for part in shapely.get_parts(shapely.get_parts(shapely.make_valid(shape))) if part.area > 0]
    flat = [part for part in parts if part.geom_type == "Polygon"]
    return None if not flat else flat[0] if len(flat) == 1 else MultiPolygon(flat)


def _refused(features: gpd.GeoDataFrame, fixed: gpd.GeoSeries, table: pd.DataFrame) -> list[BadRow]:
    bad = []
    ids = table["area_id"]
    for row in features.index:
        if features.geometry[row] is None:
            bad.append(bad_feature(features, int(row), "null_geometry"))
        elif fixed[row] is None:
            bad.append(bad_feature(features, int(row), "not_a_polygon"))
        elif ids[row] is None or table["name"][row] is None:
            bad.append(bad_feature(features, int(row), "missing_id", ids[row]))
    good = ids.drop(index=[b.row for b in bad])
    return bad + [bad_feature(features, int(row), "conflicting_id", ids[row]) for row in good.index[good.duplicated()]]


def read_area(path: Path, layer: str | None = None) -> Polygon | MultiPolygon:
    """Return the area of a city from a boundary file: the union of its polygons, in CRS84.

    Raises
    ------
    InputError
        Missing or unreadable file, no CRS, geometry that is not a polygon, a polygon that crosses itself (it is refused
        with the place, not repaired).
    """
    features = read_vectors(path, layer)
    for row, shape in features.geometry.items():
        if shape is None or shape.is_empty or shape.geom_type not in ("Polygon", "MultiPolygon"):
            kind = "no geometry" if shape is None else f"geometry {shape.geom_type}"
            raise InputError(path, "geometry", f"feature {row} has {kind}", "a boundary is made of polygons")
        if not shape.is_valid:
            problem = f"feature {row} is not a valid polygon: {shapely.is_valid_reason(shape)} (longitude latitude)"
            raise InputError(path, "geometry", problem, "repair the boundary, e.g. with 'Fix geometries' in QGIS")
    union = shapely.union_all(features.geometry.to_numpy())
    if not isinstance(union, Polygon | MultiPolygon):
        raise InputError(path, "geometry", "holds no area", "a boundary is made of polygons")
    return union
