"""A storm and a tide on a published version: what they put under water, published as a version of its own.

It reads the version, not the city's inputs: its elevation, cells and roads are those that people see. The version that
is served stays the served one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from spatial.charts import water_map
from spatial.config import Settings, load_settings
from spatial.contracts import SCENARIO_CELLS, SCENARIO_DEPRESSIONS, SCENARIO_ROADS, Layer, Progress, Raster, Silent
from spatial.errors import InputError, StoreError
from spatial.flood.burn import line_pixels
from spatial.flood.coast import connection_level_m, hand_at_tide, hours_flooded, tide_level_m
from spatial.flood.scenario import Water, flood_scenario
from spatial.flood.terrain import analyse, sea_mask
from spatial.hexgrid.join import raster_cells, to_plane, zonal
from spatial.pipeline.gaps import text
from spatial.pipeline.hollows import at_pixels, find_hollows
from spatial.pipeline.manifest import code_version, described
from spatial.pipeline.pixels import outlines, pieces
from spatial.sources.tides import TideTable, hourly_levels, read_tide
from spatial.store.geopackage import fill_layers, read_layer
from spatial.store.indexing import FOLDER as INDEX
from spatial.store.indexing import write_index
from spatial.store.rasters import FOLDER, read_raster, write_rasters
from spatial.store.versions import LAYERS_FILE, MANIFEST_FILE, MAP_FILE, Version, Versions

MAX_RAIN_MM = 2000.0
Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
DECIDES = (
    "base", "rain_mm", "tide_m", "sea_level_m", "tide_readings", "parameters", "terrain", "least_depth_m", "tide",
    "code",
)  # fmt: skip
"""What makes the id of a scenario: all of its entry in the manifest that is not its outcome."""


@dataclass(frozen=True, slots=True)
class Storm:
    """What is asked: rain on all land, mm, and the tide above its datum, m (None: no tide).

    `tide_series`: the city's own series of tide levels (`[[tide_series]]`) instead of one level; its highest floods,
    and its hours count.
    """

    rain_mm: float
    tide_m: float | None = None
    tide_series: bool = False


def run_scenario(city: Path, storm: Storm, base: str | None = None, progress: Progress | None = None) -> Version:
    """Compute a scenario on a version and publish it beside the others; the served version stays.

    Parameters
    ----------
    city : the city's folder or its `city.toml`, which says the tide's datum and the scenario's parameters.
    base : id of the version to stand on; the served one by default.

    Raises
    ------
    InputError
        The rain or the tide cannot be, or the city does not say how the tide lies among its heights.
    StoreError
        There is no such version, or another run of the city is under way.
    NotFoundError
        The version has no elevation.
    """
    progress = progress or Silent()
    settings = load_settings(city)
    series = _series(settings) if storm.tide_series else None
    levels_m = _levels(settings, storm, series)
    level_m = None if levels_m is None else float(levels_m.max())
    versions = Versions(settings.var)
    with versions.locked():
        version = _base(versions, base)
        progress.stage("read", "Membaca versi / reading the version")
        if series is not None and (len(series.quarantine) or len(series.gaps)):
            refused, gaps = len(series.quarantine), len(series.gaps)
            progress.note(
                f"deret pasang / tide series: {refused} baris ditolak / rows refused, {gaps} celah / gaps; "
                "jam tanpa bacaan dianggap kering / hours without a reading count as dry"
            )
        raster = read_raster(version.path, "elevation")
        sea = sea_mask(
            raster.values, settings.terrain.sea_level_m, settings.terrain.sea_min_area_km2, raster.pixel_size_m
        )
        if level_m is not None and not sea.any():
            raise InputError(settings.file, "tide", "the elevation holds no sea", "leave --tide-m out")
        progress.stage("water", "Mengalirkan hujan dan pasang / letting rain and tide run")
        cut = "elevation_cut" if "elevation_cut" in version.manifest["rasters"] else "elevation"
        surface = read_raster(version.path, cut).values
        water = flood_scenario(
            raster.values, surface, sea, raster.pixel_size_m, storm.rain_mm, level_m, settings.scenario
        )
        layers, stretches = _layers(version, raster, sea, water, settings)
        rasters = {"water_depth": water.depth_m}
        if levels_m is not None:
            rasters |= _of_tide(raster.values, surface, sea, levels_m, settings, raster.pixel_size_m)
        progress.stage("write", "Menulis versi / writing the version")
        told = _told(storm, levels_m, series, version, settings, water, layers)
        placed = {name: Raster(values, raster.transform, raster.crs) for name, values in rasters.items()}
        return _publish(versions, version, layers, placed, stretches, told)


def _levels(settings: Settings, storm: Storm, series: TideTable | None) -> Array | None:
    """Return the levels of the sea above the elevation's datum, m: one, or one an hour; None without a tide."""
    if not 0 <= storm.rain_mm <= MAX_RAIN_MM:
        raise InputError("--rain-mm", "rain", f"{storm.rain_mm} is not within 0–{MAX_RAIN_MM:g} mm", "correct it")
    if storm.tide_m is None and series is None:
        return None
    if settings.tide is None:
        hint = "write [tide] with datum and offset_m; without them a tide has no place among the heights"
        raise InputError(settings.file, "tide", "is missing", hint)
    if storm.tide_m is not None and not np.isfinite(storm.tide_m):
        raise InputError("--tide-m", "tide", f"{storm.tide_m} is not a number", "give metres above the tide's datum")
    told = [storm.tide_m] if series is None else hourly_levels(series)
    datums = tuple(source.vertical_datum for source in settings.elevation)
    return tide_level_m(np.asarray(told, dtype=np.float64), settings.tide, datums)


def _series(settings: Settings) -> TideTable:
    if len(settings.tide_series) != 1:
        problem = f"there are {len(settings.tide_series)} series of the tide"
        raise InputError(settings.file, "tide_series", problem, "name one under [[tide_series]]")
    return read_tide(settings.tide_series[0], settings.city.time_zone)


def _of_tide(
    elevation: Floats, cut: Floats, sea: NDArray[np.bool_], levels_m: Array, settings: Settings, pixel_size_m: float
) -> dict[str, Array]:
    """Return the hours that each pixel stands under the tide, and the head left to its drainage at the highest."""
    terrain = analyse(elevation, pixel_size_m, settings.terrain, cut)
    connection = connection_level_m(elevation, sea)
    surface = np.maximum(terrain.filled, terrain.elevation)
    flow = (terrain.downstream, terrain.order, terrain.drainage, sea)
    head = hand_at_tide(surface, *flow, connection, float(levels_m.max()))
    return {
        "tide_hours": hours_flooded(connection, levels_m),
        "drainage_head": np.where(sea, np.nan, head),
    }


def _base(versions: Versions, base: str | None) -> Version:
    version = versions.current() if base is None else versions.get(base)
    if version is None:
        raise StoreError(f"{versions.var}: nothing is published yet; run `hexakota run` first")
    if "scenario" in version.manifest:
        raise StoreError(f"{version.id} is a scenario itself; name the version that it stands on")
    return version


def _layers(
    version: Version, raster: Raster, sea: NDArray[np.bool_], water: Water, settings: Settings
) -> tuple[dict[Layer, gpd.GeoDataFrame], gpd.GeoDataFrame]:
    """Return the scenario's layers, and the stretches of road under water in the raster's plane."""
    cells = read_layer(version.layers, "hexagons")[["cell", "geometry"]]
    roads = read_layer(version.layers, "roads")[["road_id", "highway", "name", "length_m", "geometry"]]
    polygons = to_plane(cells.geometry.to_numpy(), raster.crs)
    labels = raster_cells(raster, polygons)
    wet = np.nan_to_num(water.depth_m) >= settings.scenario.wet_depth_m
    outlined = pieces(np.where(wet, labels, -1).astype(np.int32), raster)
    stretches = _road_stretches(to_plane(roads.geometry.to_numpy(), raster.crs), *outlined, raster.crs)
    layers = {
        SCENARIO_CELLS: _wet_cells(cells, np.where(sea, -1, labels).astype(np.int32), raster, water, wet, stretches),
        SCENARIO_ROADS: _wet_roads(
            roads, raster, np.where(wet & (labels >= 0), water.depth_m, settings.scenario.wet_depth_m), stretches
        ),
        SCENARIO_DEPRESSIONS: _overflowing(raster, water, settings, shapely.union_all(polygons)),
    }
    return layers, stretches


def _road_stretches(
    lines: NDArray[np.object_], outlines: NDArray[np.object_], cell: NDArray[np.int64], crs: CRS
) -> gpd.GeoDataFrame:
    """Return the stretches of the roads (`line`) in the wet pixels of each cell, with their `length_m`."""
    line, outline = shapely.STRtree(outlines).query(lines, predicate="intersects")
    wet = shapely.intersection(lines[line], outlines[outline])
    length_m = shapely.length(wet)
    table = gpd.GeoDataFrame({"line": line, "cell": cell[outline], "length_m": length_m}, geometry=wet, crs=crs)
    return table[length_m > 0]


def _wet_cells(
    cells: gpd.GeoDataFrame,
    land: NDArray[np.int32],
    raster: Raster,
    water: Water,
    wet: NDArray[np.bool_],
    stretches: gpd.GeoDataFrame,
) -> gpd.GeoDataFrame:
    n, pixel_m2 = len(cells), raster.pixel_size_m**2
    depth = zonal(np.where(wet, water.depth_m, np.nan), land, n)
    table = cells.assign(
        water_share=zonal(wet.astype(float), land, n)["mean"],
        water_depth_mean_m=depth["mean"],
        water_depth_max_m=depth["maximum"],
        water_volume_m3=depth["mean"] * depth["count"] * pixel_m2,
        tide_share=zonal((wet & water.tide).astype(float), land, n)["mean"],
        road_water_length_m=stretches.groupby("cell")["length_m"].sum().reindex(range(n), fill_value=0.0),
    )
    return table[depth["count"] > 0].reset_index(drop=True)


def _wet_roads(
    roads: gpd.GeoDataFrame, raster: Raster, depth_m: NDArray[np.float64], stretches: gpd.GeoDataFrame
) -> gpd.GeoDataFrame:
    """Return the roads with metres under water; `depth_m` is the least that counts where there is less.

    `line_pixels` may leave out a corner that a road cuts, so a road may be told the least where it is deeper there.
    """
    table = roads.assign(water_length_m=stretches.groupby("line")["length_m"].sum()).dropna(subset="water_length_m")
    depth, shape = depth_m.ravel(), raster.values.shape
    table["water_depth_max_m"] = [
        max(
            float(depth[path].max())
            for part in shapely.get_parts(line)
            for path in line_pixels(part, raster.transform, shape)
        )
        for line in to_plane(table.geometry.to_numpy(), raster.crs)
    ]
    return table.reset_index(drop=True)


def _overflowing(raster: Raster, water: Water, settings: Settings, area: BaseGeometry) -> gpd.GeoDataFrame:
    """Return the published ponds that pass water on, outlined by the catchment that it comes from."""
    hollows = find_hollows(water.depressions, raster, area, settings.dem_error.min_depth_m)
    table = hollows.table.drop(columns=["spill_order"])
    table["stored_m3"] = water.ponding.water_m3[hollows.chosen]
    table["overflow_m3"] = water.ponding.overflow_m3[hollows.chosen]
    over = np.flatnonzero(table["overflow_m3"] > 0)
    position = np.full(len(hollows.top), -1, dtype=np.int32)
    position[hollows.chosen[over]] = np.arange(len(over))
    labels = at_pixels(position, at_pixels(hollows.top, water.depressions.catchment))
    table = table.iloc[over].reset_index(drop=True)
    table["geometry"] = gpd.GeoSeries(outlines(labels, raster, len(over)), crs=raster.crs).to_crs("EPSG:4326")
    return table


def _told(
    storm: Storm,
    levels_m: Array | None,
    series: TideTable | None,
    base: Version,
    settings: Settings,
    water: Water,
    layers: Mapping[Layer, gpd.GeoDataFrame],
) -> dict[str, Any]:
    """Return the scenario's entry of the manifest."""
    roads, cells = layers[SCENARIO_ROADS], layers[SCENARIO_CELLS]
    by_class = roads.assign(highway=roads["highway"].fillna("")).groupby("highway")["water_length_m"].sum()
    ponding = water.ponding
    return {
        "title": _asked(storm),
        "base": base.id,
        **asdict(storm),
        "sea_level_m": None if levels_m is None else float(levels_m.max()),
        "tide_readings": None if series is None or levels_m is None else _readings(series, levels_m),
        "parameters": asdict(settings.scenario),
        "terrain": asdict(settings.terrain),
        "least_depth_m": settings.dem_error.min_depth_m,
        "tide": None if settings.tide is None or levels_m is None else asdict(settings.tide),
        "code": code_version(),
        "cells_under_water": len(cells),
        "water_volume_m3": float(cells["water_volume_m3"].sum()),
        "road_water_length_m": float(roads["water_length_m"].sum()),
        "road_water_length_by_class_m": {str(name): float(metres) for name, metres in by_class.items()},
        "catchments_overflowing": len(layers[SCENARIO_DEPRESSIONS]),
        "balance_m3": {"rain": ponding.rain_m3, "stored": ponding.stored_m3, "left": ponding.left_m3},
    }


def _publish(
    versions: Versions,
    base: Version,
    layers: Mapping[Layer, gpd.GeoDataFrame],
    rasters: Mapping[str, Raster],
    stretches: gpd.GeoDataFrame,
    told: dict[str, Any],
) -> Version:
    decides = {name: told[name] for name in DECIDES}
    version_id = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
    manifest = base.manifest
    staged = versions.staging()
    shutil.copy(base.layers, staged / LAYERS_FILE)
    fill_layers(staged / LAYERS_FILE, layers)
    _index(base, staged, layers)
    shutil.copytree(base.path / FOLDER, staged / FOLDER)
    manifest["rasters"] |= write_rasters(staged / FOLDER, rasters)
    manifest["layers"] |= {layer.name: _described(layer, table, manifest) for layer, table in layers.items()}
    manifest |= {"version": version_id, "scenario": told}
    (staged / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", "utf-8")
    water_map(
        staged / MAP_FILE,
        rasters["water_depth"],
        stretches.geometry,
        told["parameters"]["wet_depth_m"],
        _title(manifest),
    )
    return versions.keep(staged, version_id)


def _index(base: Version, staged: Path, layers: Iterable[Layer]) -> None:
    """Take over the base's index and write that of the scenario's layers; a base of an older program may have none."""
    if (base.path / INDEX).is_dir():
        shutil.copytree(base.path / INDEX, staged / INDEX)
        write_index(staged / LAYERS_FILE, layers, staged / INDEX)


def _described(layer: Layer, table: gpd.GeoDataFrame, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a layer's entry of the manifest; why a column holds nulls is known from the layers of the base."""
    known = manifest["layers"]["roads"]["null_because"] | manifest["layers"]["depressions"]["null_because"]
    empty = [c.name for c in layer.columns if table[c.name].isna().any()]
    note = text(
        "Skenario, bukan ramalan: ke mana air akhirnya berkumpul bila tak ada yang meresap atau dialirkan.",
        "A scenario, not a forecast: where water would stand in the end if none soaked in or was led away.",
    )
    return described(layer, table) | {"null_because": {n: known[n] for n in empty if n in known}, "notes": [note]}


def _title(manifest: dict[str, Any]) -> str:
    told, city = manifest["scenario"], manifest["city"]
    synthetic = "[SINTETIS / SYNTHETIC] " if city["synthetic"] else ""
    return f"{synthetic}{city['name']}\nskenario / scenario: {told['title']}"


def _readings(series: TideTable, levels_m: Array) -> dict[str, Any]:
    """Return what came of the rows of a series, and which hours it knows."""
    return {
        "rows_in": series.rows_in,
        "rows_used": len(series.series),
        "rows_of_other_stations": series.rows_other,
        "rows_quarantined": len(series.quarantine),
        "quarantine_reasons": {str(k): int(n) for k, n in series.quarantine["reason"].value_counts().items()},
        "gaps": len(series.gaps),
        "gap_hours": float(series.gaps["hours"].sum()),
        "hours": len(levels_m),
        "levels_sha256": hashlib.sha256(levels_m.tobytes()).hexdigest(),
        "notes": list(series.notes),
    }


def _asked(storm: Storm) -> str:
    tide = "" if storm.tide_m is None else f", pasang / tide {storm.tide_m:g} m"
    return f"hujan / rain {storm.rain_mm:g} mm{', deret pasang / tide series' if storm.tide_series else tide}"
