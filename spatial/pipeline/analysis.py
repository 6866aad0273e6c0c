"""From placed inputs to the published tables: cells, flood zones, lighting zones, roads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spatial.config import Settings
from spatial.contracts import FLOOD_ZONES, HEXAGONS, LIGHTING_ZONES, REPORTS, ROADS, Layer, Progress, Raster
from spatial.flood.evidence import Evidence
from spatial.flood.susceptibility import score_parts
from spatial.flood.zones import FloodInputs, delineate, flood_zones, incident_seeds
from spatial.hexgrid.grid import disk_matrix
from spatial.hexgrid.join import CityGrid
from spatial.lighting.outages import OutageInputs, lighting_zones
from spatial.pipeline.cells import (
    add_evidence,
    add_hot_spots,
    add_lighting_score,
    add_roads_and_lamps,
    base_cells,
    cell_km2,
    explain,
    lighting_exposure,
    recent_floods,
)
from spatial.pipeline.context import context_layers, exposed, standing_per_cell
from spatial.pipeline.ground import add_ground, study_ground
from spatial.pipeline.inputs import Inputs
from spatial.pipeline.judgement import judge
from spatial.pipeline.plane import Plane
from spatial.pipeline.reports import Placed
from spatial.zones import classify


@dataclass(frozen=True, eq=False, slots=True)
class Result:
    """The layers and rasters of a version, the members of its zones, and figures for the manifest."""

    layers: Mapping[Layer, gpd.GeoDataFrame]
    rasters: Mapping[str, Raster]
    members: pd.DataFrame
    evidence: Evidence | None
    facts: dict[str, float | int | str | None] = field(default_factory=dict)
    skill: dict[str, Any] = field(default_factory=dict)


def analyse_city(
    inputs: Inputs,
    plane: Plane,
    placed: Placed,
    previous: pd.DataFrame,
    version: str,
    settings: Settings,
    progress: Progress,
) -> Result:
    """Compute every layer.

    Parameters
    ----------
    previous : `zone_id, member` of the served version, empty for a first one.
    version : id of the version being made.
    """
    grid = inputs.grid
    neighbours = disk_matrix(list(grid.cells), 1)
    cells = base_cells(inputs, placed, settings)
    add_roads_and_lamps(cells, plane, grid)
    facts: dict[str, float | int | str | None] = {"roads_outside_area": plane.roads_outside}
    progress.stage("terrain", "Menghitung medan / computing terrain")
    ground = study_ground(inputs, settings, progress)
    terrain_parts = add_ground(cells, ground, settings.dem_error.min_depth_m, facts)
    progress.stage("flood", "Zona banjir / flood zones")
    evidence = add_evidence(cells, placed, neighbours, plane, settings) if len(placed.reports) else None
    incidents = recent_floods(placed, settings)
    few = terrain_parts is not None and len(incidents) < settings.evidence.min_incidents
    parts = score_parts(terrain_parts, None if evidence is None or few else evidence.value, settings.susceptibility)
    skill = _add_score(cells, parts, inputs, settings)
    labels, floods, flood_members = _flood(
        cells, parts, incidents, neighbours, cell_km2(grid), _of_type(previous, "flood"), version, placed, settings
    )
    progress.stage("lighting", "Zona PJU padam / lighting-outage zones")
    outages, outage_members = _lighting(inputs, plane, placed, _of_type(previous, "lighting"), version, settings)
    add_lighting_score(cells, settings)
    facts["lighting_exposure_basis"] = lighting_exposure(cells)[1]
    add_hot_spots(cells, neighbours)
    explain(cells, parts)
    cells = gpd.GeoDataFrame(pd.concat([cells, standing_per_cell(inputs, cells)], axis=1))
    roads = _roads_layer(plane, cells, labels, floods, outages, grid, terrain_parts is not None)
    outages = outages.set_crs(grid.crs).to_crs("EPSG:4326")
    floods, outages = (pd.concat([zones, exposed(inputs, zones)], axis=1) for zones in (floods, outages))
    zones = {"flood": floods, "lighting": outages}
    layers = {
        REPORTS: _only(placed.reports, REPORTS),
        HEXAGONS: _only(cells, HEXAGONS),
        ROADS: roads,
        FLOOD_ZONES: floods,
        LIGHTING_ZONES: outages,
        **context_layers(inputs, plane, placed, cells, ground, zones, settings),
    }
    rasters = {} if ground is None else ground.rasters()
    return Result(
        layers, rasters, pd.concat([flood_members, outage_members], ignore_index=True), evidence, facts, skill
    )


def _add_score(
    cells: gpd.GeoDataFrame, parts: Mapping[str, NDArray[np.float64]], inputs: Inputs, settings: Settings
) -> dict[str, Any]:
    """Add flood score, class and probability; return what the manifest says of their skill."""
    score = np.sum(list(parts.values()), axis=0).clip(0.0, 1.0) if parts else np.full(len(cells), np.nan)
    cells["flood_score"], cells["flood_class"] = score, classify(score, settings.flood_zones.class_breaks)
    probability, skill = judge(cells, inputs, settings)
    cells["flood_probability"] = np.nan if probability is None else probability
    return skill


def _only(table: gpd.GeoDataFrame, layer: Layer) -> gpd.GeoDataFrame:
    return table[[*(name for name in layer.names if name in table), "geometry"]]


def _of_type(previous: pd.DataFrame, zone_type: str) -> pd.DataFrame:
    return previous[previous["zone_id"].str.startswith(f"{zone_type}-")]


def _flood(
    cells: gpd.GeoDataFrame,
    parts: Mapping[str, NDArray[np.float64]],
    incidents: pd.DataFrame,
    neighbours: csr_array,
    km2: NDArray[np.float64],
    previous: pd.DataFrame,
    version: str,
    placed: Placed,
    settings: Settings,
) -> tuple[NDArray[np.int64], gpd.GeoDataFrame, pd.DataFrame]:
    """Return the zone of each cell (-1 for none), the flood zones in CRS84, and their members."""
    cell = incidents["cell"].to_numpy(np.int64)
    seeds = incident_seeds(incidents[["x", "y"]].to_numpy(float), cell, len(cells), settings.flood_zones)
    labels = delineate(
        cells["flood_score"].to_numpy(float),
        cells["flood_susceptibility"].to_numpy(float),
        seeds,
        np.bincount(cell, minlength=len(cells)).astype(float),
        neighbours,
        settings.flood_zones,
    )
    inputs = FloodInputs(cells, parts, labels, incidents, km2)
    return labels, *flood_zones(inputs, previous, version, placed.as_of, settings.flood_zones)


def _lighting(
    inputs: Inputs, plane: Plane, placed: Placed, previous: pd.DataFrame, version: str, settings: Settings
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    incidents = placed.incidents
    dark = incidents[(incidents["category"] == "street_light") & incidents["is_open"]].reset_index(drop=True)
    outage_inputs = OutageInputs(dark, plane.lamps, plane.roads, inputs.grid.polygons)
    return lighting_zones(outage_inputs, previous, version, placed.as_of, settings.lighting)


def _roads_layer(
    plane: Plane,
    cells: gpd.GeoDataFrame,
    labels: NDArray[np.int64],
    floods: gpd.GeoDataFrame,
    outages: gpd.GeoDataFrame,
    grid: CityGrid,
    has_terrain: bool,
) -> gpd.GeoDataFrame:
    """Return the roads with metres and zones; flood zones are unions of cells, so their metres are sums over cells."""
    if plane.roads is None:
        return gpd.GeoDataFrame({"road_id": []}, geometry=[], crs="EPSG:4326")
    roads = plane.roads.copy()
    roads["length_m"] = shapely.length(roads.geometry.to_numpy())
    pieces = plane.lengths.assign(
        zone=labels[plane.lengths["cell"]], wet=cells["flood_susceptibility"].to_numpy(float)[plane.lengths["cell"]]
    )
    roads["flood_susceptibility_max"] = pieces.groupby("line")["wet"].max() if has_terrain else np.nan
    flooded = pieces[pieces["zone"] >= 0]
    roads["flood_length_m"] = flooded.groupby("line")["length_m"].sum().reindex(roads.index, fill_value=0.0)
    zone_ids = floods["zone_id"].to_numpy(dtype=object)
    roads["flood_zone_ids"] = (
        pd.Series(zone_ids[flooded["zone"]], index=flooded["line"], dtype=object)
        .groupby(level=0)
        .agg(lambda ids: ",".join(sorted(set(ids))))
    )
    road, zone = shapely.STRtree(outages.geometry.to_numpy()).query(roads.geometry.to_numpy(), "intersects")
    roads["lighting_zone_ids"] = (
        pd.Series(outages["zone_id"].to_numpy(dtype=object)[zone], index=road, dtype=object)
        .groupby(level=0)
        .agg(lambda ids: ",".join(sorted(set(ids))))
    )
    return _only(roads.to_crs("EPSG:4326"), ROADS)
