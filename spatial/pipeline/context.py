"""The context layers: districts with their counts, streams and catchments, what stands in the city and in its zones."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from spatial.config import Settings
from spatial.contracts import (
    ADMIN_AREAS,
    BUILDINGS,
    CATCHMENTS,
    CATEGORIES,
    DEPRESSIONS,
    FACILITIES,
    STREAMS,
    STREET_LAMPS,
    WATERWAYS,
    Layer,
)
from spatial.flood.streams import catchments, stream_segments
from spatial.hexgrid.grid import cells_of_points
from spatial.hexgrid.join import to_plane
from spatial.pipeline.ground import Ground
from spatial.pipeline.hollows import find_hollows
from spatial.pipeline.inputs import Inputs
from spatial.pipeline.pixels import centres, outlines
from spatial.pipeline.plane import Plane
from spatial.pipeline.reports import Placed
from spatial.registry import SCENARIO_LAYERS
from spatial.sources.roads import geometry_hashes
from spatial.zones import as_multipolygon

Zones = Mapping[str, gpd.GeoDataFrame]


def context_layers(
    inputs: Inputs,
    plane: Plane,
    placed: Placed,
    cells: gpd.GeoDataFrame,
    ground: Ground | None,
    zones: Zones,
    settings: Settings,
) -> dict[Layer, gpd.GeoDataFrame]:
    """Return the context layers, CRS84.

    Parameters
    ----------
    cells : the city's cells with `cell` and `flood_susceptibility`.
    zones : `flood` and `lighting` zones, CRS84.
    """
    streams, basins = _from_ground(inputs, ground, settings.terrain.stream_threshold_km2)
    return {
        ADMIN_AREAS: _admin_areas(inputs, placed, zones),
        STREAMS: streams,
        CATCHMENTS: basins,
        DEPRESSIONS: _depressions(inputs, ground, settings.dem_error.min_depth_m),
        WATERWAYS: _waterways(inputs),
        BUILDINGS: _standing(inputs, "buildings", BUILDINGS, cells, zones),
        FACILITIES: _standing(inputs, "facilities", FACILITIES, cells, zones),
        STREET_LAMPS: _street_lamps(inputs, plane, zones),
        **{layer: _empty(layer) for layer in SCENARIO_LAYERS},
    }


def exposed(inputs: Inputs, zones: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return how many buildings and facilities touch each zone; a column is not there where the city names none."""
    counts = {}
    for name, column in (("buildings", "buildings_exposed"), ("facilities", "facilities_exposed")):
        if name in inputs.context:
            _, zone = shapely.STRtree(zones.geometry.to_numpy()).query(
                inputs.context[name].geometry.to_numpy(), predicate="intersects"
            )
            counts[column] = np.bincount(zone, minlength=len(zones))
    return pd.DataFrame(counts, index=zones.index)


def standing_per_cell(inputs: Inputs, cells: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return how many buildings and facilities have their inner point in each cell."""
    counts = {}
    for name, column in (("buildings", "buildings_total"), ("facilities", "facilities_total")):
        if name in inputs.context:
            found = pd.Series(_cell_of(inputs.context[name], inputs)).value_counts()
            counts[column] = cells["cell"].map(found).fillna(0).astype("int64")
    return pd.DataFrame(counts, index=cells.index)


def _empty(layer: Layer) -> gpd.GeoDataFrame:
    required: dict[str, list[str]] = {c.name: [] for c in layer.columns if not c.nullable}
    return gpd.GeoDataFrame(required, geometry=[], crs="EPSG:4326")


def _admin_areas(inputs: Inputs, placed: Placed, zones: Zones) -> gpd.GeoDataFrame:
    if not inputs.admin:
        return _empty(ADMIN_AREAS)
    areas = gpd.GeoDataFrame(pd.concat(list(inputs.admin.values()), ignore_index=True), crs="EPSG:4326")
    outlines = areas.geometry.to_numpy()
    tree = shapely.STRtree(outlines)
    table = areas[["area_id", "level", "name"]].copy()
    if len(placed.reports):
        usable = placed.reports[placed.usable]
        report, area = tree.query(usable.geometry.to_numpy(), predicate="intersects")
        category = usable["category"].to_numpy(dtype=object)[report]
        table["reports_total"] = np.bincount(area, minlength=len(areas))
        for name in CATEGORIES:
            table[f"reports_{name}"] = np.bincount(area[category == name], minlength=len(areas))
    for kind, found in zones.items():
        _, area = tree.query(found.geometry.to_numpy(), predicate="intersects")
        table[f"{kind}_zones"] = np.bincount(area, minlength=len(areas))
    return gpd.GeoDataFrame(table, geometry=[as_multipolygon(s) for s in outlines], crs="EPSG:4326")


def _from_ground(inputs: Inputs, ground: Ground | None, least_km2: float) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Return streams and catchments that meet the area."""
    if ground is None:
        return _empty(STREAMS), _empty(CATCHMENTS)
    raster, area = ground.elevation, inputs.grid.area
    segments = stream_segments(ground.terrain)
    lines = np.array([shapely.LineString(centres(raster, s.pixels)) for s in segments], dtype=object)
    streams = gpd.GeoDataFrame(
        {"stream_id": geometry_hashes(lines), "upstream_area_km2": [s.upstream_area_km2 for s in segments]},
        geometry=lines,
        crs=raster.crs,
    )
    streams["length_m"] = shapely.length(lines)
    streams["stream_id"] = [f"stream/{own}" for own in streams["stream_id"]]
    labels, outlets = catchments(ground.terrain, least_km2)
    shapes = outlines(labels - 1, raster, len(outlets))
    basins = gpd.GeoDataFrame(
        {"area_km2": shapely.area(np.array(shapes, dtype=object)) / 1e6}, geometry=shapes, crs=raster.crs
    )
    basins["edge_fed"] = ground.terrain.edge_fed.ravel()[outlets].astype("int64")
    points = gpd.GeoSeries(gpd.points_from_xy(*centres(raster, outlets).T), crs=raster.crs).to_crs("EPSG:4326")
    basins["outlet"] = [f"{p.x:.6f},{p.y:.6f}" for p in points]
    basins["catchment_id"] = [f"catchment/{outlet}" for outlet in basins["outlet"]]
    return tuple(t[t.intersects(area)].to_crs("EPSG:4326").reset_index(drop=True) for t in (streams, basins))


def _depressions(inputs: Inputs, ground: Ground | None, least_depth_m: float) -> gpd.GeoDataFrame:
    """Return the depressions that meet the area, with how often they survive the elevation's error."""
    if ground is None:
        return _empty(DEPRESSIONS)
    hollows = find_hollows(ground.depressions, ground.elevation, inputs.grid.area, least_depth_m)
    table = hollows.table
    if ground.frequency is not None:
        table["frequency"] = ground.frequency.ravel()[ground.depressions.pit[hollows.chosen]]
    return table


def _waterways(inputs: Inputs) -> gpd.GeoDataFrame:
    if "waterways" not in inputs.context:
        return _empty(WATERWAYS)
    table = inputs.context["waterways"].rename(columns={"id": "waterway_id"})
    table["length_m"] = shapely.length(to_plane(table.geometry.to_numpy(), inputs.grid.crs))
    return table


def _standing(inputs: Inputs, name: str, layer: Layer, cells: gpd.GeoDataFrame, zones: Zones) -> gpd.GeoDataFrame:
    """Return buildings or facilities with their cell, its susceptibility, and the zones that they touch."""
    if name not in inputs.context:
        return _empty(layer)
    table = inputs.context[name].rename(columns={"id": layer.id_column})
    table["cell"] = _cell_of(table, inputs)
    susceptibility = cells.set_index("cell")["flood_susceptibility"]
    table["flood_susceptibility"] = susceptibility.reindex(table["cell"]).to_numpy()
    if "area_m2" in layer.names:
        table["area_m2"] = shapely.area(to_plane(table.geometry.to_numpy(), inputs.grid.crs))
    for kind, found in zones.items():
        if f"{kind}_zone_ids" in layer.names:
            table[f"{kind}_zone_ids"] = zone_ids(table, found)
    return table


def _street_lamps(inputs: Inputs, plane: Plane, zones: Zones) -> gpd.GeoDataFrame:
    if plane.lamps is None:
        return _empty(STREET_LAMPS)
    table = plane.lamps.to_crs("EPSG:4326")
    table["cell"] = _cell_of(table, inputs)
    table["lighting_zone_ids"] = zone_ids(table, zones["lighting"])
    return table


def zone_ids(table: gpd.GeoDataFrame, zones: gpd.GeoDataFrame) -> pd.Series:
    """Return the comma-joined, sorted ids of the zones that each feature touches, null where none."""
    feature, zone = shapely.STRtree(zones.geometry.to_numpy()).query(table.geometry.to_numpy(), predicate="intersects")
    ids = pd.Series(zones["zone_id"].to_numpy(dtype=object)[zone], index=feature, dtype=object)
    return (
        ids.groupby(level=0)
        .agg(lambda found: ",".join(sorted(set(found))))
        .reindex(range(len(table)))
        .set_axis(table.index)
    )


def _cell_of(table: gpd.GeoDataFrame, inputs: Inputs) -> NDArray[np.object_]:
    inner = shapely.point_on_surface(table.geometry.to_numpy())
    return cells_of_points(shapely.get_x(inner), shapely.get_y(inner), inputs.grid.resolution)
