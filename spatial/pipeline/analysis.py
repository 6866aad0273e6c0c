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

from spatial.config import Settings
from spatial.contracts import (
    FLOOD_ZONES,
    HEXAGONS,
    LIGHTING_FAULTS,
    LIGHTING_ZONES,
    REPORTS,
    ROADS,
    Layer,
    Progress,
    Raster,
)
from spatial.flood.evidence import Evidence
from spatial.hexgrid.grid import disk_matrix
from spatial.lighting.outages import OutageInputs
from spatial.lighting.zones import LightingMethods, LightingZones, lighting_zones
from spatial.pipeline.cells import (
    add_hot_spots,
    add_lighting_score,
    add_roads_and_lamps,
    add_silence,
    base_cells,
    explain,
    lighting_exposure,
)
from spatial.pipeline.context import context_layers, exposed, standing_per_cell
from spatial.pipeline.floods import analyse_floods
from spatial.pipeline.ground import add_ground, false_hollows, study_ground
from spatial.pipeline.inputs import Inputs
from spatial.pipeline.plane import Plane
from spatial.pipeline.release import enough_lamps, without_zeros
from spatial.pipeline.reports import Placed
from spatial.sources.redaction import redact, redact_column


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
    if inputs.lamp_words:
        facts["lamp_words_unknown"] = ", ".join(f"{redact(w)} ({n})" for w, n in sorted(inputs.lamp_words.items())[:20])
    progress.stage("terrain", "Menghitung medan / computing terrain")
    ground = study_ground(inputs, settings, progress)
    terrain_parts = add_ground(cells, ground, settings.dem_error.min_depth_m, facts)
    facts |= {} if ground is None else false_hollows(ground, settings.dem_error)
    progress.stage("flood", "Zona banjir / flood zones")
    flood = analyse_floods(
        cells, terrain_parts, neighbours, inputs, plane, placed, _of_type(previous, "flood"), version, settings
    )
    facts |= flood.depths
    progress.stage("lighting", "Zona PJU padam / lighting-outage zones")
    lighting = _lighting(inputs, plane, placed, _of_type(previous, "lighting"), version, settings)
    add_lighting_score(cells, settings)
    facts["lighting_exposure_basis"] = lighting_exposure(cells)[1]
    add_hot_spots(cells, placed, neighbours, settings)
    facts |= add_silence(cells, placed, neighbours, settings)
    explain(cells, flood.parts)
    cells = gpd.GeoDataFrame(pd.concat([cells, standing_per_cell(inputs, cells)], axis=1))
    outages = lighting.zones.set_crs(grid.crs)
    roads = _roads_layer(plane, cells, flood.labels, flood.zones, outages, ground is not None)
    zones = {
        "flood": _touching(inputs, flood.zones, roads, "flood_zone_ids"),
        "lighting": _touching(inputs, outages.to_crs("EPSG:4326"), roads, "lighting_zone_ids"),
    }
    layers = {
        REPORTS: _only(_with_lamps(placed.reports, lighting, settings), REPORTS),
        HEXAGONS: _only(cells, HEXAGONS),
        ROADS: roads,
        FLOOD_ZONES: zones["flood"],
        LIGHTING_ZONES: zones["lighting"],
        LIGHTING_FAULTS: lighting.faults.set_crs(grid.crs).to_crs("EPSG:4326"),
        **context_layers(inputs, plane, placed, cells, ground, zones, settings),
    }
    layers = {layer: _public(layer, table) for layer, table in layers.items()}
    layers = without_zeros(layers) if settings.privacy.min_count else layers
    members = pd.concat([flood.members, lighting.members], ignore_index=True)
    rasters = {} if ground is None else ground.rasters()
    return Result(layers, rasters, members, flood.evidence, facts, flood.skill)


def _touching(inputs: Inputs, zones: gpd.GeoDataFrame, roads: gpd.GeoDataFrame, column: str) -> gpd.GeoDataFrame:
    """Return zones with how many roads, buildings and facilities they touch; unknown where the city names none."""
    zones = gpd.GeoDataFrame(pd.concat([zones, exposed(inputs, zones)], axis=1))
    if len(roads):
        number = roads[column].dropna().str.split(",").explode().value_counts()
        zones["roads_touched"] = zones["zone_id"].map(number).fillna(0).astype("int64")
    return zones


def _only(table: gpd.GeoDataFrame, layer: Layer) -> gpd.GeoDataFrame:
    return table[[*(name for name in layer.names if name in table), "geometry"]]


def _public(layer: Layer, table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a table with personal data taken out of what people wrote in it."""
    written = [column.name for column in layer.columns if column.free_text and column.name in table]
    return table.assign(**{name: redact_column(table[name]) for name in written})


def _with_lamps(reports: gpd.GeoDataFrame, lighting: LightingZones, settings: Settings) -> gpd.GeoDataFrame:
    """Return the reports of open incidents with their lamps; none where small counts are withheld."""
    if settings.privacy.min_count:
        return reports
    return reports.merge(lighting.lamp_of_incident, on="incident_id", how="left", validate="many_to_one")


def _of_type(previous: pd.DataFrame, zone_type: str) -> pd.DataFrame:
    return previous[previous["zone_id"].str.startswith(f"{zone_type}-")]


def _lighting(
    inputs: Inputs, plane: Plane, placed: Placed, previous: pd.DataFrame, version: str, settings: Settings
) -> LightingZones:
    incidents = placed.incidents
    dark = incidents[(incidents["category"] == "street_light") & incidents["is_open"]].reset_index(drop=True)
    districts = inputs.admin.get("kelurahan", inputs.admin.get("kecamatan"))
    outage_inputs = OutageInputs(
        dark,
        plane.lamps,
        plane.roads,
        inputs.grid.polygons,
        settings.city.time_zone,
        incidents.loc[incidents["category"] != "street_light", ["x", "y"]].to_numpy(float),
        np.empty(0, dtype=object) if districts is None else districts.to_crs(inputs.grid.crs).geometry.to_numpy(),
    )
    methods = LightingMethods(settings.lighting, settings.circuits, settings.lamp_rates, settings.lighting_significance)
    found = lighting_zones(outage_inputs, previous, version, placed.as_of, methods, settings.city.seed)
    return enough_lamps(found, settings.privacy.min_count) if settings.privacy.min_count else found


def _roads_layer(
    plane: Plane,
    cells: gpd.GeoDataFrame,
    labels: NDArray[np.int64],
    floods: gpd.GeoDataFrame,
    outages: gpd.GeoDataFrame,
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
