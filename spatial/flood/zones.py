"""Flood zones: contiguous cells of high score around a seed, as a table with the contract's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import sparray

from spatial.contracts import FLOOD_ZONES
from spatial.hexgrid.clusters import dbscan, summit_cells
from spatial.zones import (
    Identity,
    Part,
    as_multipolygon,
    classify,
    identify,
    joined_names,
    monthly_trend,
    parts_json,
    priority_rank,
    sentence,
)

Array = NDArray[np.float64]
PART_LABELS: Mapping[str, tuple[str, str]] = {
    "stream": ("rendah terhadap muka air sungai atau laut (GFI)", "low beside the water of stream or sea (GFI)"),
    "wetness": ("tempat air berkumpul (TWI)", "where water gathers (TWI)"),
    "depression": ("cekungan", "a depression"),
    "evidence": ("laporan banjir di atas rata-rata kota", "flood reports above the city's rate"),
}


@dataclass(frozen=True, slots=True)
class FloodZoneParameters:
    """How cells become flood zones.

    Attributes
    ----------
    min_score : score from which a cell can be part of a zone.
    min_prominence : how far the score must fall between two summits for them to be two zones: without it the zones of a
        flat city grow into one.
    seed_susceptibility : susceptibility from which a cell seeds a zone without any report.
    min_incidents : distinct incidents that a zone needs where no cell of it reaches `seed_susceptibility`.
    eps_m, min_cluster : DBSCAN on flood incidents; cells that hold a clustered incident seed a zone.
    class_breaks : scores that part low from medium and medium from high.
    """

    min_score: float = 0.3
    min_prominence: float = 0.1
    seed_susceptibility: float = 0.45
    min_incidents: int = 3
    eps_m: float = 250.0
    min_cluster: int = 3
    class_breaks: tuple[float, float] = (0.3, 0.45)


def incident_seeds(
    points_m: Array, cell_of_point: NDArray[np.int64], n_cells: int, parameters: FloodZoneParameters
) -> NDArray[np.bool_]:
    """Return which cells hold a flood incident that belongs to a DBSCAN cluster; (n_cells,) bool."""
    clustered = dbscan(points_m, parameters.eps_m, parameters.min_cluster) >= 0
    seeds = np.zeros(n_cells, dtype=bool)
    seeds[cell_of_point[clustered & (cell_of_point >= 0)]] = True
    return seeds


def delineate(
    score: Array,
    susceptibility: Array,
    seeds: NDArray[np.bool_],
    n_incidents: NDArray[np.int64],
    neighbours: sparray,
    parameters: FloodZoneParameters,
) -> NDArray[np.int64]:
    """Return the zone of each cell, -1 for none; (n,) int64.

    Cells of at least `min_score` around one summit are one candidate; it is a zone when it holds a seed, and
    either a cell of `seed_susceptibility` or `min_incidents` distinct incidents.
    """
    labels = summit_cells(score, parameters.min_score, parameters.min_prominence, neighbours)
    wet = np.nan_to_num(susceptibility, nan=0.0) >= parameters.seed_susceptibility
    kept = np.full(len(labels), -1, dtype=np.int64)
    zones = 0
    for label in range(labels.max(initial=-1) + 1):
        cells = labels == label
        enough = wet[cells].any() or n_incidents[cells].sum() >= parameters.min_incidents
        if enough and (seeds | wet)[cells].any():
            kept[cells] = zones
            zones += 1
    return kept


@dataclass(frozen=True, eq=False, slots=True)
class FloodInputs:
    """What flood zones are made of.

    Attributes
    ----------
    cells : table of the city's cells with the contract's columns and CRS84 polygons.
    parts : parts of the score per cell, (n,) each.
    labels : zone of each cell, -1 for none.
    incidents : distinct flood incidents: `cell` (position), `requested_datetime`, `n_reports`.
    area_km2 : (n,) area of each cell.
    """

    cells: gpd.GeoDataFrame
    parts: Mapping[str, Array]
    labels: NDArray[np.int64]
    incidents: pd.DataFrame
    area_km2: Array


def flood_zones(
    inputs: FloodInputs,
    previous: pd.DataFrame,
    version: str,
    as_of: pd.Timestamp | None,
    parameters: FloodZoneParameters,
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Return the zones' table and their members (`zone_id, member`: cells)."""
    groups = [np.flatnonzero(inputs.labels == label) for label in range(inputs.labels.max(initial=-1) + 1)]
    members = [frozenset(inputs.cells["cell"].iloc[group]) for group in groups]
    identities = identify("flood", members, previous, version)
    rows = [
        _row(inputs, group, identity, version, as_of, parameters)
        for group, identity in zip(groups, identities, strict=True)
    ]
    columns = [*(n for n in FLOOD_ZONES.names if not n.endswith("_exposed")), "geometry", "road_length_major_m"]
    table = gpd.GeoDataFrame(pd.DataFrame(rows, columns=columns), geometry="geometry", crs="EPSG:4326")
    table["priority_rank"] = priority_rank(
        table["score"], table["road_length_m"], table["road_length_major_m"], table["n_incidents"], table["area_km2"]
    )
    pairs = [(i.zone_id, cell) for i, cells in zip(identities, members, strict=True) for cell in sorted(cells)]
    return table.drop(columns="road_length_major_m"), pd.DataFrame(pairs, columns=["zone_id", "member"])


def _row(
    inputs: FloodInputs,
    group: NDArray[np.int64],
    identity: Identity,
    version: str,
    as_of: pd.Timestamp | None,
    parameters: FloodZoneParameters,
) -> dict[str, object]:
    cells = inputs.cells.iloc[group]
    incidents = inputs.incidents[inputs.incidents["cell"].isin(group)]
    parts = [Part(key, float(values[group].mean()), *PART_LABELS[key]) for key, values in inputs.parts.items()]
    score = float(sum(part.value for part in parts))
    where = joined_names(cells["kelurahan"].tolist())
    text_id, text_en = sentence(
        parts, score, f"Zona banjir ({where or f'{len(group)} sel'})", f"Flood zone ({where or f'{len(group)} cells'})"
    )
    return {
        "zone_id": identity.zone_id,
        "zone_type": "flood",
        "score": score,
        "severity": classify([score], parameters.class_breaks)[0],
        "n_reports": int(incidents["n_reports"].sum()),
        "n_incidents": len(incidents),
        "n_cells": len(group),
        "area_km2": float(inputs.area_km2[group].sum()),
        "road_length_m": cells["road_length_m"].sum(min_count=1),
        "road_length_major_m": cells["road_length_major_m"].sum(min_count=1),
        "kelurahan": where,
        "kecamatan": joined_names(cells["kecamatan"].tolist()),
        "area_id": joined_names(cells["area_id"].tolist()),
        "first_report": incidents["requested_datetime"].min(),
        "last_report": incidents["requested_datetime"].max(),
        "trend": monthly_trend(incidents["requested_datetime"], as_of),
        "change": identity.change,
        "members_gained": identity.gained,
        "members_lost": identity.lost,
        "explanation_parts": parts_json(parts, score),
        "explanation_id": text_id,
        "explanation_en": text_en,
        "version": version,
        "susceptibility_mean": cells["flood_susceptibility"].mean(),
        "hand_min_m": cells["hand_min_m"].min(),
        "depression_depth_max_m": cells["depression_depth_max_m"].max(),
        "depression_frequency": cells["depression_frequency"].mean(),
        "rain_to_fill_mm": _of_deepest(cells),
        "geometry": as_multipolygon(shapely.union_all(cells.geometry.to_numpy())),
    }


def _of_deepest(cells: gpd.GeoDataFrame) -> float:
    """Return the rain that fills the deepest depression of the cells, NaN where they hold none that is deep enough."""
    deep = cells.dropna(subset="rain_to_fill_mm")
    return float(deep["rain_to_fill_mm"].loc[deep["depression_depth_max_m"].idxmax()]) if len(deep) else float("nan")
