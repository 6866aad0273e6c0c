"""The flood half of a run: evidence, score and probability of the cells, zones from both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spatial.config import Settings
from spatial.flood.evidence import Evidence
from spatial.flood.susceptibility import score_parts
from spatial.flood.zones import FloodInputs, delineate, flood_zones, incident_seeds
from spatial.hexgrid.join import CityGrid
from spatial.hexgrid.scan import expected_within, strata_within, zone_p_values
from spatial.pipeline.cells import MIN_INCIDENTS_FOR_GI, add_evidence, cell_km2, recent_floods
from spatial.pipeline.inputs import Inputs
from spatial.pipeline.judgement import judge
from spatial.pipeline.plane import Plane
from spatial.pipeline.reports import Placed
from spatial.zones import classify

Array = NDArray[np.float64]
PRIOR_INCIDENTS = 10.0  # of the whole city, that a district's rate is drawn to (ours)


@dataclass(frozen=True, eq=False, slots=True)
class Floods:
    """Parts of the score and zone (-1: none) per cell; zones and their members; evidence, skill, depths told."""

    parts: Mapping[str, Array]
    labels: NDArray[np.int64]
    zones: gpd.GeoDataFrame
    members: pd.DataFrame
    evidence: Evidence | None
    skill: dict[str, Any]
    depths: dict[str, float | int | None]


def analyse_floods(
    cells: gpd.GeoDataFrame,
    terrain_parts: Mapping[str, Array] | None,
    neighbours: csr_array,
    inputs: Inputs,
    plane: Plane,
    placed: Placed,
    previous: pd.DataFrame,
    version: str,
    settings: Settings,
) -> Floods:
    """Add evidence, score and probability to the cells, and make the flood zones.

    Parameters
    ----------
    cells : with the columns of reports, roads and terrain.
    terrain_parts : parts of the susceptibility per cell, None without elevation.
    previous : `zone_id, member` of the flood zones of the served version.
    """
    grid, n = inputs.grid, len(cells)
    evidence = add_evidence(cells, placed, neighbours, plane, settings) if len(placed.reports) else None
    incidents = recent_floods(placed, settings)
    few = terrain_parts is not None and len(incidents) < settings.evidence.min_incidents
    parts = score_parts(terrain_parts, None if evidence is None or few else evidence.value, settings.susceptibility)
    score = np.sum(list(parts.values()), axis=0).clip(0.0, 1.0) if parts else np.full(n, np.nan)
    cells["flood_score"], cells["flood_class"] = score, classify(score, settings.flood_zones.class_breaks)
    probability, skill = judge(cells, inputs, settings)
    cells["flood_probability"] = np.nan if probability is None else probability
    of_incident = incidents["cell"].to_numpy(np.int64)
    seeds = incident_seeds(incidents[["x", "y"]].to_numpy(float), of_incident, n, settings.flood_zones)
    counts = np.bincount(of_incident, minlength=n)
    labels = delineate(
        score, cells["flood_susceptibility"].to_numpy(float), seeds, counts, neighbours, settings.flood_zones
    )
    zones, members = flood_zones(
        FloodInputs(cells, parts, labels, incidents, cell_km2(grid)),
        previous,
        version,
        placed.as_of,
        settings.flood_zones,
    )
    if len(incidents) >= MIN_INCIDENTS_FOR_GI:
        zones["p_value"] = _p_values(counts, cells, grid, labels, evidence, settings)
    return Floods(parts, labels, zones, members, evidence, skill, _depth_facts(incidents))


def _p_values(
    counts: NDArray[np.int64],
    cells: gpd.GeoDataFrame,
    grid: CityGrid,
    labels: NDArray[np.int64],
    evidence: Evidence | None,
    settings: Settings,
) -> Array:
    """Return the p-value of each zone: distinct incidents against the exposure that the evidence is of.

    Roads know nothing of who reports: 95 % of chance cities whose districts report unlike have a zone of p <= 0.05
    (benchmarks/false_alarms.py). Then cells change places within their kelurahan; NaN where that is not known either.
    """
    centres_m = shapely.get_coordinates(shapely.centroid(grid.polygons))
    exposure, stratum = cells["exposure"].to_numpy(float), None
    if evidence is None or evidence.basis != "background_reports":
        if cells["kelurahan"].isna().all():
            return np.full(int(labels.max(initial=-1)) + 1, np.nan)
        district = pd.factorize(cells["kelurahan"].fillna(""), sort=True)[0].astype(np.int64)
        exposure = expected_within(counts, exposure, district, PRIOR_INCIDENTS)
        stratum = strata_within(exposure, district, settings.scan.stratum_cells)
    return zone_p_values(counts, exposure, centres_m, labels, settings.scan, settings.city.seed, stratum)


def _depth_facts(floods: pd.DataFrame) -> dict[str, float | int | None]:
    """Return how many flood incidents tell a depth, and their median and greatest; metres, None where none does."""
    depths = floods["depth_m"].dropna()
    median, deepest = (float(depths.median()), float(depths.max())) if len(depths) else (None, None)
    return {
        "flood_incidents_with_depth": len(depths),
        "flood_depth_median_m": median,
        "flood_depth_max_m": deepest,
    }
