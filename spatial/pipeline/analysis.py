"""From placed inputs to the published tables: terrain, cells, flood, lighting, roads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spatial.config import Settings
from spatial.contracts import CATEGORIES, FLOOD_ZONES, HEXAGONS, LIGHTING_ZONES, REPORTS, ROADS, Layer, Progress
from spatial.flood.evidence import NOT_BACKGROUND, Evidence, flood_evidence, recency_weights
from spatial.flood.susceptibility import memberships, score_parts
from spatial.flood.terrain import Terrain, analyse
from spatial.flood.zones import PART_LABELS, FloodInputs, delineate, flood_zones, incident_seeds
from spatial.hexgrid.grid import cell_polygons, disk_matrix
from spatial.hexgrid.join import CityGrid, largest_overlap, line_lengths, raster_cells, to_plane, zonal
from spatial.hexgrid.statistics import (
    benjamini_hochberg,
    empirical_bayes_rates,
    getis_ord_gi_star,
    relative_risk,
    standardised_rates,
    upper_tail,
)
from spatial.lighting.outages import MAJOR, OutageInputs, lighting_zones
from spatial.pipeline.inputs import Inputs
from spatial.pipeline.reports import Placed
from spatial.zones import Part, classify, parts_json, sentence

Array = NDArray[np.float64]
MIN_INCIDENTS_FOR_GI = 30


@dataclass(frozen=True, eq=False, slots=True)
class Plane:
    """The city's roads and lamps in the UTM plane, roads clipped to the area; `lengths` are metres by road and cell."""

    roads: gpd.GeoDataFrame | None
    lengths: pd.DataFrame
    lamps: gpd.GeoDataFrame | None
    roads_outside: int


@dataclass(frozen=True, eq=False, slots=True)
class Result:
    """The layers of a version, the members of its zones, and figures for the manifest."""

    layers: Mapping[Layer, gpd.GeoDataFrame]
    members: pd.DataFrame
    evidence: Evidence | None
    facts: dict[str, float | int | str | None] = field(default_factory=dict)


def to_city_plane(inputs: Inputs) -> Plane:
    """Transform roads and lamps to the UTM plane and clip roads to the area."""
    grid = inputs.grid
    lamps = None
    if inputs.lamps is not None:
        lamps = gpd.GeoDataFrame(
            inputs.lamps.drop(columns="geometry"),
            crs=grid.crs,
            geometry=to_plane(inputs.lamps.geometry.to_numpy(), grid.crs),
        )
        lamps = lamps[shapely.intersects(grid.area, lamps.geometry.to_numpy())].reset_index(drop=True)
    if inputs.roads is None:
        return Plane(None, pd.DataFrame({"line": [], "cell": [], "length_m": []}), lamps, 0)
    clipped = shapely.intersection(to_plane(inputs.roads.geometry.to_numpy(), grid.crs), grid.area)
    inside = shapely.length(clipped) > 0
    lines = np.array([_lines(shape) for shape in clipped[inside]], dtype=object)
    roads = gpd.GeoDataFrame(
        inputs.roads.loc[inside].drop(columns="geometry").reset_index(drop=True), geometry=lines, crs=grid.crs
    )
    return Plane(roads, line_lengths(lines, grid), lamps, int((~inside).sum()))


def _lines(shape: shapely.Geometry) -> shapely.MultiLineString:
    parts = shapely.get_parts(shape)
    return shapely.MultiLineString([p for p in parts if p.geom_type == "LineString" and p.length > 0])


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
    grid, n = inputs.grid, len(inputs.grid.cells)
    neighbours = disk_matrix(list(grid.cells), 1)
    cells = _base_cells(inputs, placed)
    _add_roads_and_lamps(cells, plane, grid)
    facts: dict[str, float | int | str | None] = {"roads_outside_area": plane.roads_outside}
    progress.stage("terrain", "Menghitung medan / computing terrain")
    terrain_parts = _add_terrain(cells, inputs, settings, facts)
    progress.stage("flood", "Zona banjir / flood zones")
    evidence = _add_evidence(cells, placed, neighbours, plane, settings) if len(placed.reports) else None
    incidents = placed.incidents[placed.incidents["category"] == "flood"]
    few = terrain_parts is not None and len(incidents) < settings.evidence.min_incidents
    parts = score_parts(terrain_parts, None if evidence is None or few else evidence.value, settings.susceptibility)
    score = np.sum(list(parts.values()), axis=0).clip(0.0, 1.0) if parts else np.full(n, np.nan)
    cells["flood_score"], cells["flood_class"] = score, classify(score, settings.flood_zones.class_breaks)
    seeds = incident_seeds(
        incidents[["x", "y"]].to_numpy(float), incidents["cell"].to_numpy(np.int64), n, settings.flood_zones
    )
    counts = np.bincount(incidents["cell"].to_numpy(np.int64), minlength=n).astype(float)
    labels = delineate(
        score, cells["flood_susceptibility"].to_numpy(float), seeds, counts, neighbours, settings.flood_zones
    )
    flood_inputs = FloodInputs(cells, parts, labels, incidents, _cell_km2(grid))
    floods, flood_members = flood_zones(
        flood_inputs, _of_type(previous, "flood"), version, placed.as_of, settings.flood_zones
    )
    progress.stage("lighting", "Zona PJU padam / lighting-outage zones")
    outages, outage_members = _lighting(inputs, plane, placed, _of_type(previous, "lighting"), version, settings)
    _add_lighting_score(cells, placed, plane, settings)
    _add_hot_spots(cells, placed, neighbours)
    _explain(cells, parts)
    roads = _roads_layer(plane, cells, labels, floods, outages, grid, terrain_parts is not None)
    outages = outages.set_crs(grid.crs).to_crs("EPSG:4326")
    layers = {
        REPORTS: _only(placed.reports, REPORTS),
        HEXAGONS: _only(cells, HEXAGONS),
        ROADS: roads,
        FLOOD_ZONES: floods,
        LIGHTING_ZONES: outages,
    }
    return Result(layers, pd.concat([flood_members, outage_members], ignore_index=True), evidence, facts)


def _only(table: gpd.GeoDataFrame, layer: Layer) -> gpd.GeoDataFrame:
    return table[[*(name for name in layer.names if name in table), "geometry"]]


def _of_type(previous: pd.DataFrame, zone_type: str) -> pd.DataFrame:
    return previous[previous["zone_id"].str.startswith(f"{zone_type}-")]


def _cell_km2(grid: CityGrid) -> Array:
    return np.asarray(shapely.area(grid.polygons) / 1e6, dtype=float)


def _base_cells(inputs: Inputs, placed: Placed) -> gpd.GeoDataFrame:
    grid = inputs.grid
    cells = gpd.GeoDataFrame(
        {"cell": grid.cells, "resolution": grid.resolution}, crs="EPSG:4326", geometry=cell_polygons(grid.cells)
    )
    for name in ("kelurahan", "kecamatan", "area_id"):
        cells[name] = None
    for level in ("kecamatan", "kelurahan"):
        if level in inputs.admin:
            areas = inputs.admin[level].to_crs(grid.crs)
            best = largest_overlap(grid, areas)
            known = best >= 0
            cells.loc[known, level] = areas["name"].to_numpy()[best[known]]
            cells.loc[known, "area_id"] = areas["area_id"].to_numpy()[best[known]]
    if not inputs.reports:
        return cells
    usable = placed.reports[placed.usable]
    n = len(cells)
    cells["reports_total"] = np.bincount(usable["cell_position"], minlength=n)
    for name in CATEGORIES:
        cells[f"reports_{name}"] = np.bincount(usable.loc[usable["category"] == name, "cell_position"], minlength=n)
    incidents = placed.incidents
    flood = incidents["category"] == "flood"
    dark = (incidents["category"] == "street_light") & incidents["is_open"]
    cells["incidents_flood"] = np.bincount(incidents.loc[flood, "cell"], minlength=n)
    cells["incidents_lighting"] = np.bincount(incidents.loc[dark, "cell"], minlength=n)
    return cells


def _add_roads_and_lamps(cells: gpd.GeoDataFrame, plane: Plane, grid: CityGrid) -> None:
    n = len(cells)
    if plane.roads is not None:
        lengths = plane.lengths
        highway, lit = (plane.roads[name].to_numpy(dtype=object)[lengths["line"]] for name in ("highway", "lit"))
        cells["road_length_m"] = np.bincount(lengths["cell"], weights=lengths["length_m"], minlength=n)
        if plane.roads["highway"].notna().any():
            major = lengths["length_m"] * np.isin(highway.astype(str), MAJOR)
            cells["road_length_major_m"] = np.bincount(lengths["cell"], weights=major, minlength=n)
        if plane.roads["lit"].notna().any():
            lit_length = lengths["length_m"] * (lit.astype(str) == "yes")
            cells["lit_road_length_m"] = np.bincount(lengths["cell"], weights=lit_length, minlength=n)
        if "reports_total" in cells:
            cells["report_rate"] = empirical_bayes_rates(cells["reports_total"], cells["road_length_m"] / 1000.0)
    if plane.lamps is not None:
        lamp, cell = shapely.STRtree(grid.polygons).query(plane.lamps.geometry.to_numpy(), "intersects")
        first = pd.Series(cell).groupby(lamp).min()
        cells["lamps_total"] = np.bincount(first, minlength=n)
    for name in ("road_length_m", "road_length_major_m", "lit_road_length_m"):
        if name not in cells:
            cells[name] = np.nan


def _add_terrain(
    cells: gpd.GeoDataFrame, inputs: Inputs, settings: Settings, facts: dict[str, float | int | str | None]
) -> dict[str, Array] | None:
    names = (
        "elevation_mean_m",
        "elevation_min_m",
        "slope_mean_deg",
        "hand_mean_m",
        "hand_min_m",
        "twi_mean",
        "depression_depth_max_m",
        "flood_susceptibility",
    )
    for name in names:
        cells[name] = np.nan
    if inputs.elevation is None:
        return None
    raster, n = inputs.elevation, len(cells)
    terrain = analyse(raster.values.astype(np.float64), raster.pixel_size_m, settings.terrain)
    pixels = raster_cells(raster, inputs.grid)
    land = np.where(terrain.sea, -1, pixels).astype(np.int32)
    elevation, hand = zonal(raster.values, pixels, n), zonal(terrain.hand, land, n)
    cells["elevation_mean_m"], cells["elevation_min_m"] = elevation["mean"], elevation["minimum"]
    cells["slope_mean_deg"] = zonal(terrain.slope_deg, land, n)["mean"]
    cells["hand_mean_m"], cells["hand_min_m"] = hand["mean"], hand["minimum"]
    cells["twi_mean"] = zonal(terrain.twi, land, n)["mean"]
    cells["depression_depth_max_m"] = zonal(terrain.depression_depth, land, n)["maximum"]
    parts = {
        name: zonal(values, land, n)["mean"].to_numpy()
        for name, values in memberships(terrain, settings.susceptibility).items()
    }
    cells["flood_susceptibility"] = np.sum(list(parts.values()), axis=0).clip(0.0, 1.0)
    facts.update(_terrain_facts(terrain, pixels))
    return parts


def _terrain_facts(terrain: Terrain, pixels: NDArray[np.int32]) -> dict[str, float]:
    """Return shares over the land pixels of the city's cells."""
    land = (pixels >= 0) & np.isfinite(terrain.elevation) & ~terrain.sea
    total = max(int(land.sum()), 1)
    return {
        "sea_share_of_cells": float((terrain.sea & (pixels >= 0)).sum() / max(int((pixels >= 0).sum()), 1)),
        "catchment_touches_edge_share": float((terrain.edge_fed & land).sum() / total),
        "hand_unknown_share": float((~np.isfinite(terrain.hand) & land).sum() / total),
    }


def _add_evidence(
    cells: gpd.GeoDataFrame, placed: Placed, neighbours: csr_array, plane: Plane, settings: Settings
) -> Evidence:
    floods = placed.incidents[placed.incidents["category"] == "flood"]
    weights = recency_weights(floods["requested_datetime"], placed.as_of, settings.evidence)
    counts = np.bincount(floods["cell"].to_numpy(np.int64), weights=weights, minlength=len(cells))
    others = [name for name in CATEGORIES if name not in NOT_BACKGROUND]
    background = cells[[f"reports_{name}" for name in others]].sum(axis=1).to_numpy(float)
    road = None if plane.roads is None else cells["road_length_m"].to_numpy(float)
    evidence = flood_evidence(counts, background, road, neighbours, settings.evidence)
    cells["exposure"], cells["exposure_basis"] = evidence.exposure, evidence.basis
    cells["flood_evidence"], cells["flood_evidence_low"] = evidence.value, evidence.low
    cells["flood_evidence_high"] = evidence.high
    return evidence


def _lighting(
    inputs: Inputs, plane: Plane, placed: Placed, previous: pd.DataFrame, version: str, settings: Settings
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    incidents = placed.incidents
    dark = incidents[(incidents["category"] == "street_light") & incidents["is_open"]].reset_index(drop=True)
    outage_inputs = OutageInputs(dark, plane.lamps, plane.roads, inputs.grid.polygons)
    return lighting_zones(outage_inputs, previous, version, placed.as_of, settings.lighting)


def lighting_exposure(cells: gpd.GeoDataFrame) -> tuple[Array, str]:
    """Return the lighting exposure of each cell: lamps, else metres of lit road, else metres of road, else one."""
    for basis, column in (
        ("lamps", "lamps_total"),
        ("lit_road_length_m", "lit_road_length_m"),
        ("road_length_m", "road_length_m"),
    ):
        if column in cells and cells[column].notna().any() and cells[column].sum() > 0:
            return cells[column].to_numpy(float), basis
    return np.ones(len(cells)), "none"


def _add_lighting_score(cells: gpd.GeoDataFrame, placed: Placed, plane: Plane, settings: Settings) -> None:
    """Score cells by the attributable fraction of their open lighting incidents, as `flood_evidence` does."""
    cells["lighting_score"], cells["lighting_class"] = np.nan, None
    if "incidents_lighting" in cells and cells["incidents_lighting"].sum() > 0:
        risk = relative_risk(cells["incidents_lighting"], lighting_exposure(cells)[0])
        score = 1.0 - 1.0 / np.maximum(risk.mean, 1.0)
        cells["lighting_score"] = score
        cells["lighting_class"] = classify(score, settings.lighting.class_breaks)


def _add_hot_spots(cells: gpd.GeoDataFrame, placed: Placed, neighbours: csr_array) -> None:
    if "incidents_flood" not in cells:
        return
    for kind, exposure in (("flood", cells["exposure"].to_numpy(float)), ("lighting", lighting_exposure(cells)[0])):
        counts = cells[f"incidents_{kind}"].to_numpy(float)
        if counts.sum() >= MIN_INCIDENTS_FOR_GI:
            z = getis_ord_gi_star(standardised_rates(counts, exposure), neighbours)
            cells[f"{kind}_gi_z"], cells[f"{kind}_gi_q"] = z, benjamini_hochberg(upper_tail(z))


def _explain(cells: gpd.GeoDataFrame, parts: Mapping[str, Array]) -> None:
    """Add the explanation of each cell: its flood parts sum to `flood_score`; lighting has one part, its score."""
    texts = [
        _explanation(cells, {key: float(values[i]) for key, values in parts.items()}, i) for i in range(len(cells))
    ]
    for column, values in zip(
        ("explanation_parts", "explanation_id", "explanation_en"), zip(*texts, strict=True), strict=True
    ):
        cells[column] = list(values)


def _explanation(cells: gpd.GeoDataFrame, values: Mapping[str, float], i: int) -> tuple[str | None, ...]:
    score, lighting = cells["flood_score"].iat[i], cells["lighting_score"].iat[i]
    told: dict[str, object] = {}
    texts_id, texts_en = [], []
    if np.isfinite(score):
        parts = [Part(key, value, *PART_LABELS[key]) for key, value in values.items()]
        told["flood"] = json.loads(parts_json(parts, float(score)))
        text_id, text_en = sentence(parts, float(score), "Banjir", "Flood")
        texts_id.append(text_id)
        texts_en.append(text_en)
    if np.isfinite(lighting):
        told["lighting"] = {"open_incidents": float(lighting)}
        parts = [
            Part(
                "open_incidents",
                float(lighting),
                "laporan PJU terbuka di atas rata-rata kota",
                "open lighting reports above the city's rate",
            )
        ]
        text_id, text_en = sentence(parts, float(lighting), "PJU", "Street lights")
        texts_id.append(text_id)
        texts_en.append(text_en)
    return (json.dumps(told) if told else None, " ".join(texts_id) or None, " ".join(texts_en) or None)


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
