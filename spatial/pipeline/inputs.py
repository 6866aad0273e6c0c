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
from spatial.pipeline.repeats import without_repeats
from spatial.sources.areas import read_admin_areas, read_area
from spatial.sources.context import BUILDINGS, FACILITIES, WATERWAYS, ContextTable, Kind, read_context
from spatial.sources.elevation import ElevationFacts, read_elevation
from spatial.sources.lamps import read_lamps
from spatial.sources.provenance import origin
from spatial.sources.quarantine import quarantine_table
from spatial.sources.redaction import redact
from spatial.sources.reports import ReportTable, quarantine_swapped, read_reports
from spatial.sources.roads import read_roads
from spatial.sources.taxonomy import Taxonomy, load_taxonomy
from spatial.sources.text_category import (
    DOUBTFUL,
    ExampleTable,
    TextCategories,
    read_examples,
    text_categories,
)
from spatial.sources.tides import read_tide
from spatial.sources.tiles import input_files
from spatial.sources.truth import TruthSource, read_truth

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
    truth : places and areas of past floods by source, CRS84.
    context : `waterways`, `buildings`, `facilities` that the city names, CRS84.
    lamp_words : words of kind and warranty in the lamps' files that are not understood, with how many lamps bear them.
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
    truth: tuple[tuple[TruthSource, gpd.GeoSeries], ...]
    context: Mapping[str, gpd.GeoDataFrame]
    lamp_words: Mapping[str, int]
    area: BaseGeometry
    area_basis: str
    grid: CityGrid
    files: list[dict[str, Any]]
    quarantine: pd.DataFrame

    @property
    def doubtful(self) -> pd.DataFrame:
        """Reports whose guessed category was not taken, by id; columns `sources.text_category.DOUBTFUL`."""
        parts = [found for table in self.reports.values() if len(found := table.doubtful)]
        joined = pd.concat(parts) if parts else pd.DataFrame(columns=list(DOUBTFUL))
        return joined.sort_values("report_id", ignore_index=True)

    @property
    def unmapped(self) -> Counter[str]:
        """Words that the taxonomy does not know, without personal data, with how many rows held them."""
        public = Counter[str]()
        for table in self.reports.values():
            for word, rows in table.unmapped.items():
                public[str(redact(word))] += rows
        return public


def read_inputs(settings: Settings, progress: Progress) -> Inputs:
    """Read everything that `city.toml` names. Raises InputError."""
    progress.stage("reports", "Membaca laporan / reading reports")
    taxonomy = load_taxonomy(*([settings.city.taxonomy] if settings.city.taxonomy else []))
    examples, categories = read_text_categories(settings, taxonomy)
    zone = settings.city.time_zone
    reports = {n: read_reports(s, taxonomy, zone, categories) for n, s in _named(settings, "reports")}
    progress.stage("roads", "Membaca jalan, lampu, batas, bangunan / reading roads, lamps, boundaries, buildings")
    roads = {n: read_roads(s) for n, s in _named(settings, "roads")}
    lamps = {n: read_lamps(s) for n, s in _named(settings, "lamps")}
    admin = {n: read_admin_areas(s) for n, s in _named(settings, "admin_areas")}
    context = {kind.table: _context(settings, kind) for kind in (WATERWAYS, BUILDINGS, FACILITIES)}
    reports = without_repeats(reports, "reports", "report_id", last_wins=True)
    roads = without_repeats(roads, "roads", "road_id", last_wins=False)
    lamps = without_repeats(lamps, "lamps", "lamp_id", last_wins=False)
    admin = without_repeats(admin, "areas", "area_id", last_wins=False)
    all_roads = _joined([t.roads for t in roads.values()], "road_id")
    truth = {n: (s, read_truth(s.path, s.layer)) for n, s in _named(settings, "flood_labels")}
    area, basis = _area(settings, reports, all_roads)
    crs = _utm(settings, area)
    grid = _grid(settings, area, crs)
    if settings.area.hull_of != "reports":
        reports = {name: quarantine_swapped(table, area.bounds) for name, table in reports.items()}
    progress.stage("elevation", "Membaca elevasi / reading elevation")
    elevation, facts = _elevation(settings, grid, crs)
    read = [_Read("reports", n, t.rows_in, len(t.reports), t.quarantine) for n, t in reports.items()]
    read += [_Read("text_examples", n, t.rows_in, len(t.examples), t.quarantine) for n, t in examples.items()]
    read += [
        _Read("roads", n, t.rows_in, t.rows_used, t.quarantine, sum(t.excluded.values())) for n, t in roads.items()
    ]
    tiles = dict.fromkeys(_relative(settings, f) for s in settings.elevation for f in input_files(s))
    read += [_Read("elevation", name, None, None, None) for name in tiles]
    read += [_Read("lamps", n, t.rows_in, len(t.lamps), t.quarantine) for n, t in lamps.items()]
    read += [_Read("admin_areas", n, t.rows_in, len(t.areas), t.quarantine) for n, t in admin.items()]
    for table, sources in context.items():
        read += [_Read(table, n, t.rows_in, t.rows_used, t.quarantine) for n, t in sources.items()]
    read += [
        _Read("flood_labels", n, t.rows_in, len(t.shapes), None, t.without_geometry) for n, (_, t) in truth.items()
    ]
    tides = {n: read_tide(s, settings.city.time_zone) for n, s in _named(settings, "tide_series")}
    read += [_Read("tide_series", n, t.rows_in, len(t.series), t.quarantine, t.rows_other) for n, t in tides.items()]
    joined = {table: _joined([t.features for t in sources.values()], "id") for table, sources in context.items()}
    return Inputs(
        reports,
        all_roads,
        elevation,
        facts,
        _joined([t.lamps for t in lamps.values()], "lamp_id"),
        _by_level([t.areas for t in admin.values()]),
        tuple((source, table.shapes) for source, table in truth.values()),
        {table: features for table, features in joined.items() if features is not None},
        dict(sum((Counter(t.unknown) for t in lamps.values()), Counter[str]())),
        area,
        basis,
        grid,
        [row.file(settings) for row in read],
        pd.concat(
            [quarantine_table(settings.file, []), *(r.quarantine for r in read if r.quarantine is not None)],
            ignore_index=True,
        ),
    )


def read_text_categories(
    settings: Settings, taxonomy: Taxonomy
) -> tuple[dict[str, ExampleTable], TextCategories | None]:
    """Return the city's examples by their file's name, and what was learned; nothing where no file of reports asks."""
    given = settings.text_category
    if all(source.category_from is None for source in settings.reports):
        return {}, None
    if given.examples is None:
        return {}, text_categories(given)
    table = read_examples(given.examples, given.columns, taxonomy)
    return {_relative(settings, given.examples): table}, text_categories(given, table.examples)


def read_city_area(settings: Settings) -> Polygon | MultiPolygon:
    """Return the city's area alone, CRS84; only the inputs that it is the hull of are read. Raises InputError."""
    reports, roads = {}, None
    if settings.area.hull_of == "reports":
        taxonomy = load_taxonomy(*([settings.city.taxonomy] if settings.city.taxonomy else []))
        reports = {str(s.path): read_reports(s, taxonomy, settings.city.time_zone) for s in settings.reports}
    elif settings.area.hull_of == "roads":
        roads = _joined([read_roads(s).roads for s in settings.roads], "road_id")
    return cast(Polygon | MultiPolygon, _area(settings, reports, roads)[0])


@dataclass(frozen=True, eq=False, slots=True)
class _Read:
    """What came of one file; rows_in = used + quarantined + excluded (roads that are no roads yet)."""

    kind: str
    name: str
    rows_in: int | None
    used: int | None
    quarantine: pd.DataFrame | None
    excluded: int = 0

    def file(self, settings: Settings) -> dict[str, Any]:
        """Return the file's row of the manifest."""
        path = self.name.split("#")[0]
        digest = sha256_of(settings.folder / path)
        return {
            "kind": self.kind,
            "path": self.name,
            "sha256": digest,
            "rows_in": self.rows_in,
            "rows_used": self.used,
            "rows_quarantined": None if self.quarantine is None else len(self.quarantine),
            "rows_excluded": self.excluded,
            **origin(settings.folder, path, digest),
        }


def _relative(settings: Settings, path: Path) -> str:
    return path.relative_to(settings.folder.resolve(), walk_up=True).as_posix()


def _named(settings: Settings, table: str) -> list[tuple[str, Any]]:
    """Return the sources of a kind, each with the name that the manifest gives it.

    The name is the file's path relative to the city's folder; where a file is named more than once, `#` and the layer
    or the source's label follow. Raises InputError where that does not tell them apart either.
    """
    sources = getattr(settings, table)
    paths = [_relative(settings, s.path) for s in sources]
    names = [
        path if paths.count(path) == 1 else f"{path}#{getattr(s, 'layer', None) or getattr(s, 'label', '')}"
        for path, s in zip(paths, sources, strict=True)
    ]
    for name in names:
        if names.count(name) > 1:
            hint = "give each its own source or layer, or name it once"
            raise InputError(settings.file, f"{table}.path", f"{name} is named twice", hint)
    return list(zip(names, sources, strict=True))


def _context(settings: Settings, kind: Kind) -> dict[str, ContextTable]:
    tables = {name: read_context(source, kind) for name, source in _named(settings, kind.table)}
    return without_repeats(tables, "features", "id", last_wins=False)


def _utm(settings: Settings, area: BaseGeometry) -> CRS:
    try:
        return CRS(gpd.GeoSeries([area], crs="EPSG:4326").estimate_utm_crs())
    except RuntimeError as error:
        raise InputError(settings.file, "area", "no UTM zone holds it", "UTM covers 80° S to 84° N") from error


def _joined(tables: list[gpd.GeoDataFrame], key: str) -> gpd.GeoDataFrame | None:
    if not tables:
        return None
    table = gpd.GeoDataFrame(pd.concat(tables, ignore_index=True), crs="EPSG:4326")
    return table.sort_values(key, ignore_index=True)


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
    if shape.is_empty:
        raise InputError(
            settings.file, "area.hull_of", "no row of it can be used", "see the quarantine, or give a bbox"
        )
    if area.buffer_m:
        series = gpd.GeoSeries([shape], crs="EPSG:4326")
        shape = series.to_crs(_utm(settings, shape)).buffer(area.buffer_m).to_crs("EPSG:4326").iloc[0]
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
    raster, facts = read_elevation(settings.elevation, area, crs, window.margin_m, window.min_coverage)
    finest = finest_resolution(facts.pixel_size_m)
    if settings.city.resolution > finest and not settings.city.allow_fine_resolution:
        raise InputError(
            settings.file,
            "city.resolution",
            f"{settings.city.resolution} is too fine for elevation of {facts.pixel_size_m:g} m: {finest} at most",
            "take a coarser one, or set allow_fine_resolution = true (the layers then say so)",
        )
    return raster, facts


def finest_resolution(pixel_size_m: float) -> int:
    """Return the finest H3 resolution that elevation of a pixel size supports: 9 at 30 m, 10 at 8 m, 11 at 2 m."""
    return 9 if pixel_size_m > 12.0 else 10 if pixel_size_m > 4.0 else 11


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; 64 hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
