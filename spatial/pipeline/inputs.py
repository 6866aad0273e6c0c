"""Reading a city's inputs: every file through its source, the area, the UTM zone, the cells. Nothing is written."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from spatial.config import Settings
from spatial.contracts import Progress, Raster
from spatial.errors import InputError
from spatial.hexgrid.grid import mean_cell_area_km2
from spatial.hexgrid.join import CityGrid, city_grid, to_plane
from spatial.sources.areas import read_admin_areas, read_area
from spatial.sources.elevation import ElevationFacts, read_elevation
from spatial.sources.lamps import read_lamps
from spatial.sources.provenance import origin
from spatial.sources.quarantine import quarantine_table
from spatial.sources.reports import ReportTable, quarantine_swapped, read_reports
from spatial.sources.roads import read_roads
from spatial.sources.taxonomy import load_taxonomy

MAX_CELLS = 2_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Inputs:
    """All inputs of a run.

    Attributes
    ----------
    reports : a table per report file, by the file's path as named.
    roads : lines in CRS84, or None where the city names no roads.
    elevation, elevation_facts : the merged raster in the UTM zone and what is known of it, or None.
    lamps : points in CRS84, or None.
    admin : kelurahan and kecamatan polygons by level, CRS84.
    area : polygon or multipolygon, CRS84; `area_basis` is file, bbox or hull.
    grid : the city's cells.
    files : per input file: kind, path, sha256, rows_in, rows_used, rows_quarantined, and where a download came from.
    """

    reports: Mapping[str, ReportTable]
    roads: gpd.GeoDataFrame | None
    elevation: Raster | None
    elevation_facts: ElevationFacts | None
    lamps: gpd.GeoDataFrame | None
    admin: Mapping[str, gpd.GeoDataFrame]
    area: BaseGeometry
    area_basis: str
    grid: CityGrid
    files: list[dict[str, Any]]
    quarantine: pd.DataFrame

    @property
    def unmapped(self) -> Counter[str]:
        """Words that the taxonomy does not know, with how many rows held them."""
        return sum((Counter(table.unmapped) for table in self.reports.values()), Counter[str]())


def read_inputs(settings: Settings, progress: Progress) -> Inputs:
    """Read everything that `city.toml` names. Raises InputError."""
    progress.stage("reports", "Membaca laporan / reading reports")
    taxonomy = load_taxonomy(*([settings.city.taxonomy] if settings.city.taxonomy else []))
    reports = {_named(settings, s.path): read_reports(s, taxonomy, settings.city.time_zone) for s in settings.reports}
    progress.stage("roads", "Membaca jalan, lampu, batas / reading roads, lamps, boundaries")
    road_tables = {_named(settings, s.path): read_roads(s) for s in settings.roads}
    lamps = {_named(settings, s.path): read_lamps(s) for s in settings.lamps}
    admin = {_named(settings, s.path): read_admin_areas(s) for s in settings.admin_areas}
    roads = _joined([t.roads for t in road_tables.values()], "road_id")
    area, basis = _area(settings, reports, roads)
    crs = gpd.GeoSeries([area], crs="EPSG:4326").estimate_utm_crs()
    grid = _grid(settings, area, crs)
    if settings.area.hull_of != "reports":
        reports = {name: quarantine_swapped(table, area.bounds) for name, table in reports.items()}
    progress.stage("elevation", "Membaca elevasi / reading elevation")
    elevation, facts = _elevation(settings, grid, crs)
    files = [
        *_file_rows(
            settings, "reports", {n: (t.rows_in, len(t.reports), len(t.quarantine)) for n, t in reports.items()}
        ),
        *_file_rows(
            settings,
            "roads",
            {n: (t.rows_in, t.rows_used, len(t.quarantine)) for n, t in road_tables.items()},
            {n: sum(t.excluded.values()) for n, t in road_tables.items()},
        ),
        *_file_rows(settings, "elevation", {_named(settings, s.path): (None, None, None) for s in settings.elevation}),
        *_file_rows(settings, "lamps", {n: (t.rows_in, len(t.lamps), len(t.quarantine)) for n, t in lamps.items()}),
        *_file_rows(
            settings, "admin_areas", {n: (t.rows_in, len(t.areas), len(t.quarantine)) for n, t in admin.items()}
        ),
    ]
    quarantine = [t.quarantine for group in (reports, road_tables, lamps, admin) for t in group.values()]
    return Inputs(
        reports,
        roads,
        elevation,
        facts,
        _joined([t.lamps for t in lamps.values()], "lamp_id"),
        _by_level([t.areas for t in admin.values()]),
        area,
        basis,
        grid,
        files,
        pd.concat([quarantine_table(settings.file, []), *quarantine], ignore_index=True),
    )


def read_city_area(settings: Settings) -> Polygon | MultiPolygon:
    """Return the city's area alone, CRS84; only the inputs that it is the hull of are read. Raises InputError."""
    reports, roads = {}, None
    if settings.area.hull_of == "reports":
        taxonomy = load_taxonomy(*([settings.city.taxonomy] if settings.city.taxonomy else []))
        reports = {str(s.path): read_reports(s, taxonomy, settings.city.time_zone) for s in settings.reports}
    elif settings.area.hull_of == "roads":
        roads = _joined([read_roads(s).roads for s in settings.roads], "road_id")
    return cast(Polygon | MultiPolygon, _area(settings, reports, roads)[0])


def _named(settings: Settings, path: Path) -> str:
    """Return a path as the manifest names it: relative to the city's folder."""
    return path.relative_to(settings.folder.resolve(), walk_up=True).as_posix()


def _joined(tables: list[gpd.GeoDataFrame], key: str) -> gpd.GeoDataFrame | None:
    if not tables:
        return None
    table = gpd.GeoDataFrame(pd.concat(tables, ignore_index=True), crs="EPSG:4326")
    return table[table[key].isna() | ~table[key].duplicated()].sort_values(key, ignore_index=True)


def _by_level(tables: list[gpd.GeoDataFrame]) -> dict[str, gpd.GeoDataFrame]:
    areas = _joined(tables, "area_id")
    return (
        {} if areas is None else {str(level): group.reset_index(drop=True) for level, group in areas.groupby("level")}
    )


def _area(settings: Settings, reports: Mapping[str, ReportTable], roads: gpd.GeoDataFrame | None) -> tuple[Any, str]:
    area, basis = settings.area, "hull"
    shape: Any
    if area.file is not None:
        shape, basis = read_area(area.file), "file"
    elif area.bbox is not None:
        shape, basis = shapely.box(*area.bbox), "bbox"
    else:
        tables = [t.reports for t in reports.values()] if area.hull_of == "reports" or roads is None else [roads]
        shape = shapely.convex_hull(shapely.geometrycollections(np.concatenate([t.geometry for t in tables])))
    if area.buffer_m:
        series = gpd.GeoSeries([shape], crs="EPSG:4326")
        shape = series.to_crs(series.estimate_utm_crs()).buffer(area.buffer_m).to_crs("EPSG:4326").iloc[0]
    if shape.area == 0:
        raise InputError(settings.file, "area", "the area has no extent", "name a boundary file, or give a bbox")
    return shape, basis


def _grid(settings: Settings, area: BaseGeometry, crs: CRS) -> CityGrid:
    km2 = to_plane(area, crs).area / 1e6
    cells = km2 / mean_cell_area_km2(settings.city.resolution)
    if cells > MAX_CELLS:
        raise InputError(
            settings.file,
            "area",
            f"it covers {km2:,.0f} km², some {cells:,.0f} cells",
            "check for points far away, give a bbox or a boundary, or choose a coarser resolution",
        )
    return city_grid(area, settings.city.resolution, crs)


def _elevation(settings: Settings, grid: CityGrid, crs: CRS) -> tuple[Raster | None, ElevationFacts | None]:
    if not settings.elevation:
        return None, None
    window, area = settings.terrain_window, cast(Polygon | MultiPolygon, grid.area)
    return read_elevation(settings.elevation, area, crs, window.margin_m, window.min_coverage)


def _file_rows(
    settings: Settings,
    kind: str,
    counts: Mapping[str, tuple[int | None, int | None, int | None]],
    excluded: Mapping[str, int] | None = None,
) -> list[dict[str, Any]]:
    """Return a row per file; rows_in = rows_used + rows_quarantined + rows_excluded (roads that are no roads yet)."""
    return [
        {
            "kind": kind,
            "path": name,
            "sha256": (digest := _sha256(settings.folder / name)),
            "rows_in": rows_in,
            "rows_used": used,
            "rows_quarantined": quarantined,
            "rows_excluded": (excluded or {}).get(name, 0),
            **origin(settings.folder, name, digest),
        }
        for name, (rows_in, used, quarantined) in counts.items()
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
