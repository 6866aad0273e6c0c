"""The cells of a city with everything that is known per cell: reports, roads, lamps, terrain, evidence, hot spots."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spatial.config import Settings
from spatial.contracts import CATEGORIES
from spatial.flood.evidence import NOT_BACKGROUND, Evidence, flood_evidence, recency_weights
from spatial.flood.zones import PART_LABELS
from spatial.hexgrid.emerging import emerging_hot_spots
from spatial.hexgrid.grid import cell_polygons
from spatial.hexgrid.hotspots import hot_spots
from spatial.hexgrid.join import CityGrid, largest_overlap
from spatial.hexgrid.silence import reporting_silence
from spatial.hexgrid.statistics import empirical_bayes_rates, relative_risk
from spatial.lighting.zones import MAJOR
from spatial.pipeline.inputs import Inputs
from spatial.pipeline.plane import Plane
from spatial.pipeline.reports import Placed
from spatial.zones import Part, classify, parts_json, sentence

Array = NDArray[np.float64]
MIN_INCIDENTS_FOR_GI = 30


def cell_km2(grid: CityGrid) -> Array:
    """Return the area of each cell, km²; (n,)."""
    return np.asarray(shapely.area(grid.polygons) / 1e6, dtype=float)


def recent_floods(placed: Placed, settings: Settings) -> pd.DataFrame:
    """Return the flood incidents that count, with their `weight` by recency (see `EvidenceParameters`)."""
    floods = placed.incidents[placed.incidents["category"] == "flood"]
    weight = recency_weights(floods["requested_datetime"], placed.as_of, settings.evidence)
    return floods.assign(weight=weight)[weight > 0]


def base_cells(inputs: Inputs, placed: Placed, settings: Settings) -> gpd.GeoDataFrame:
    """Return the cells with their districts, reports by category and incidents (none without reports)."""
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
    if placed.reports.empty:
        return cells
    usable = placed.reports[placed.usable]
    n = len(cells)
    cells["reports_total"] = np.bincount(usable["cell_position"], minlength=n)
    for name in CATEGORIES:
        cells[f"reports_{name}"] = np.bincount(usable.loc[usable["category"] == name, "cell_position"], minlength=n)
    incidents = placed.incidents
    dark = (incidents["category"] == "street_light") & incidents["counts_open"]
    cells["incidents_flood"] = np.bincount(recent_floods(placed, settings)["cell"], minlength=n)
    cells["incidents_lighting"] = np.bincount(incidents.loc[dark, "cell"], minlength=n)
    return cells


def add_roads_and_lamps(cells: gpd.GeoDataFrame, plane: Plane, grid: CityGrid) -> None:
    """Add metres of road, of major and of lit road, lamps, and the report rate; what is unknown is NaN or absent."""
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


def add_evidence(
    cells: gpd.GeoDataFrame, placed: Placed, neighbours: csr_array, plane: Plane, settings: Settings
) -> Evidence:
    """Add exposure and evidence of flood incidents, weighted by recency, with its interval."""
    floods = recent_floods(placed, settings)
    counts = np.bincount(floods["cell"].to_numpy(np.int64), weights=floods["weight"], minlength=len(cells))
    others = [name for name in CATEGORIES if name not in NOT_BACKGROUND]
    background = cells[[f"reports_{name}" for name in others]].sum(axis=1).to_numpy(float)
    road = None if plane.roads is None else cells["road_length_m"].to_numpy(float)
    evidence = flood_evidence(counts, background, road, neighbours, settings.evidence)
    cells["exposure"], cells["exposure_basis"] = evidence.exposure, evidence.basis
    cells["flood_evidence"], cells["flood_evidence_low"] = evidence.value, evidence.low
    cells["flood_evidence_high"] = evidence.high
    return evidence


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


def add_lighting_score(cells: gpd.GeoDataFrame, settings: Settings) -> None:
    """Score cells by the attributable fraction of their open lighting incidents, as `flood_evidence` does."""
    cells["lighting_score"], cells["lighting_class"] = np.nan, None
    if "incidents_lighting" in cells and cells["incidents_lighting"].sum() > 0:
        exposure = np.nan_to_num(lighting_exposure(cells)[0])
        risk = relative_risk(cells["incidents_lighting"], exposure)
        score = np.where(exposure > 0, 1.0 - 1.0 / np.maximum(risk.mean, 1.0), np.nan)
        cells["lighting_score"] = score
        cells["lighting_class"] = classify(score, settings.lighting.class_breaks)


def add_hot_spots(cells: gpd.GeoDataFrame, placed: Placed, neighbours: csr_array, settings: Settings) -> None:
    """Add Gi* and q of flood incidents and open lighting incidents, where there are at least MIN_INCIDENTS_FOR_GI, and
    how the hot spots of all their incidents develop.
    """
    if "incidents_flood" not in cells:
        return
    lit = np.nan_to_num(lighting_exposure(cells)[0])
    for kind, category, exposure in (
        ("flood", "flood", np.nan_to_num(cells["exposure"].to_numpy(float))),
        ("lighting", "street_light", lit),
    ):
        counts = cells[f"incidents_{kind}"].to_numpy(float)
        if counts.sum() >= MIN_INCIDENTS_FOR_GI:
            found = hot_spots(counts, exposure, neighbours, settings.hot_spots, settings.city.seed)
            cells[f"{kind}_gi_z"], cells[f"{kind}_gi_q"] = found.z, found.q
        cells[f"{kind}_emergence"] = _emergence(placed, category, exposure, neighbours, settings)


def _emergence(
    placed: Placed, category: str, exposure: Array, neighbours: csr_array, settings: Settings
) -> NDArray[np.object_]:
    """Return how the hot spot of each cell develops; all None where times or incidents are too few to tell."""
    first = placed.reports.loc[placed.usable, "requested_datetime"].min()
    if placed.as_of is None or pd.isna(first):
        return np.full(len(exposure), None, dtype=object)
    own = placed.incidents[placed.incidents["category"] == category]
    age = (placed.as_of - own["requested_datetime"]).dt.total_seconds().to_numpy(float) / 86_400.0
    record_days = (placed.as_of - first).total_seconds() / 86_400.0
    cell = own["cell"].to_numpy(np.int64)
    return emerging_hot_spots(
        cell, age, record_days, exposure, neighbours, settings.emerging, settings.city.seed
    ).classes


def add_silence(cells: gpd.GeoDataFrame, placed: Placed, neighbours: csr_array, settings: Settings) -> dict[str, Any]:
    """Add the silence of each cell and the rate at which its incidents are reported; return what is known of both.

    Incidents of floods and drainage are left out: they come in storms, not by exposure.
    """
    if placed.reports.empty or settings.privacy.min_count:  # released reports hold no repeats
        return {}
    own = placed.incidents[~placed.incidents["category"].isin(NOT_BACKGROUND)]
    by_reports = np.zeros((len(cells), 4))
    np.add.at(by_reports, (own["cell"].to_numpy(np.int64), own["n_reports"].clip(upper=4).to_numpy(np.int64) - 1), 1.0)
    road_m = np.nan_to_num(cells["road_length_m"].to_numpy(float))
    found = reporting_silence(by_reports, road_m, neighbours, settings.silence)
    if "no_repeats" not in found.warnings:  # the level would be a belief, not a finding
        cells["silence"] = np.clip(found.silence, 0.0, 1.0)
        cells["reporting_rate"] = np.clip(found.reporting_rate, 0.0, 1.0)
        cells["reporting_rate_low"], cells["reporting_rate_high"] = found.low, found.high
    return {"reporting_basis": found.basis, "reporting_warnings": ",".join(found.warnings)}


def explain(cells: gpd.GeoDataFrame, parts: Mapping[str, Array]) -> None:
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
