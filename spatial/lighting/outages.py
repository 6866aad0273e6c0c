"""Lighting-outage zones: clusters of lamps that are reported dark and not yet repaired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import cKDTree

from spatial.contracts import LIGHTING_ZONES
from spatial.hexgrid.clusters import dbscan
from spatial.lighting.lamps import snap, spacing_m
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
MAJOR = ("motorway", "trunk", "primary", "secondary", "tertiary")
_LABELS = {
    "lamps": ("jumlah lampu padam yang berdekatan", "dark lamps close together"),
    "age": ("lama padam", "how long they have been dark"),
    "major_road": ("jalan utama", "major road"),
}


@dataclass(frozen=True, slots=True)
class OutageParameters:
    """How lighting incidents become zones.

    Attributes
    ----------
    snap_m : a report further than this from every lamp stays where it is.
    default_spacing_m : lamp spacing where there is no inventory (SNI 7391: 30 m at least).
    eps_spacings : DBSCAN radius in lamp spacings.
    min_lamps : distinct lamps (or incidents, without an inventory) that make a core point.
    full_lamps : dark lamps from which that part of the score is full.
    full_days : days since the first report from which that part is full.
    weight_lamps, weight_age, weight_major_road : weights; rescaled over the parts that are known in the city.
    class_breaks : scores that part low from medium and medium from high.
    """

    snap_m: float = 30.0
    default_spacing_m: float = 30.0
    eps_spacings: float = 3.0
    min_lamps: int = 3
    full_lamps: int = 10
    full_days: float = 30.0
    weight_lamps: float = 0.6
    weight_age: float = 0.2
    weight_major_road: float = 0.2
    class_breaks: tuple[float, float] = (0.4, 0.6)


@dataclass(frozen=True, eq=False, slots=True)
class OutageInputs:
    """What lighting zones are made of; all geometry in the UTM plane.

    Attributes
    ----------
    incidents : open, distinct incidents: `incident_id, x, y, requested_datetime, n_reports, kelurahan, kecamatan,
        area_id`.
    lamps : `lamp_id` and points, or None without an inventory.
    roads : `highway, lit` and lines clipped to the area, or None.
    cells : (n,) array of the city's cell polygons.
    """

    incidents: pd.DataFrame
    lamps: gpd.GeoDataFrame | None
    roads: gpd.GeoDataFrame | None
    cells: NDArray[Any]


def dark_points(inputs: OutageInputs, parameters: OutageParameters) -> pd.DataFrame:
    """Return the distinct dark points: one row per lamp with an open incident, or per incident that meets no lamp.

    Returns
    -------
    DataFrame indexed by member (lamp or incident id, sorted) with `x, y` (m), `is_lamp`, and `incidents`, the list of
    positions in `inputs.incidents`.
    """
    incidents = inputs.incidents.reset_index(drop=True)
    xy = incidents[["x", "y"]].to_numpy(dtype=float, copy=True)
    lamp_xy = _lamp_xy(inputs.lamps)
    lamp = snap(xy, lamp_xy, parameters.snap_m)
    ids = np.array([] if inputs.lamps is None else inputs.lamps["lamp_id"], dtype=object)
    met = lamp >= 0
    member = incidents["incident_id"].to_numpy(dtype=object, copy=True)
    member[met] = ids[lamp[met]]
    xy[met] = lamp_xy[lamp[met]]
    table = pd.DataFrame({"member": member, "x": xy[:, 0], "y": xy[:, 1], "is_lamp": met, "incidents": incidents.index})
    return table.groupby("member").agg({"x": "first", "y": "first", "is_lamp": "first", "incidents": list})


def _lamp_xy(lamps: gpd.GeoDataFrame | None) -> Array:
    return np.empty((0, 2)) if lamps is None else shapely.get_coordinates(lamps.geometry.to_numpy())


def lighting_zones(
    inputs: OutageInputs, previous: pd.DataFrame, version: str, as_of: pd.Timestamp | None, parameters: OutageParameters
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Return the zones' table, geometry in the UTM plane, and their members (`zone_id, member`: lamps or incidents).

    Dark points are clustered by DBSCAN in metres within `eps_spacings` lamp spacings; a zone's outline follows the
    shortest tree through its points, so that it runs along the street, and reaches half a spacing around it.
    """
    points = dark_points(inputs, parameters)
    spacing = spacing_m(_lamp_xy(inputs.lamps), parameters.default_spacing_m)
    within = parameters.eps_spacings * spacing
    labels = dbscan(points[["x", "y"]].to_numpy(float), within, parameters.min_lamps)
    groups = [points[labels == label] for label in range(labels.max(initial=-1) + 1)]
    identities = identify("lighting", [frozenset(group.index) for group in groups], previous, version)
    rows = [
        _row(
            inputs,
            group,
            outline(group[["x", "y"]].to_numpy(float), spacing / 2, within),
            identity,
            version,
            as_of,
            parameters,
        )
        for group, identity in zip(groups, identities, strict=True)
    ]
    columns = [
        *(n for n in LIGHTING_ZONES.names if not n.endswith("_exposed")),
        "geometry",
        "road_length_major_m",
        "work",
    ]
    table = gpd.GeoDataFrame(pd.DataFrame(rows, columns=columns), geometry="geometry")
    table["priority_rank"] = priority_rank(
        table["score"], table["road_length_m"], table["road_length_major_m"], table["n_incidents"], table["work"]
    )
    pairs = [(i.zone_id, member) for i, group in zip(identities, groups, strict=True) for member in group.index]
    return table.drop(columns=["road_length_major_m", "work"]), pd.DataFrame(pairs, columns=["zone_id", "member"])


def outline(points_m: Array, reach_m: float, within_m: float) -> shapely.MultiPolygon:
    """Return the area within `reach_m` of the minimum spanning tree through the points; metres.

    Only points within `within_m` of each other are joined, so that memory grows with the cluster's neighbours.
    """
    index = cKDTree(points_m)
    tree = minimum_spanning_tree(index.sparse_distance_matrix(index, within_m, output_type="coo_matrix")).tocoo()
    edges = [shapely.LineString(points_m[[i, j]]) for i, j in zip(tree.row, tree.col, strict=True)]
    skeleton = shapely.union_all(np.array([*edges, *map(shapely.Point, points_m)], dtype=object))
    return as_multipolygon(shapely.buffer(skeleton, reach_m, quad_segs=4))


def _row(
    inputs: OutageInputs,
    group: pd.DataFrame,
    shape: shapely.MultiPolygon,
    identity: Identity,
    version: str,
    as_of: pd.Timestamp | None,
    parameters: OutageParameters,
) -> dict[str, object]:
    incidents = inputs.incidents.iloc[np.concatenate(group["incidents"].to_numpy())]
    roads = _road_metres(inputs.roads, shape)
    days = None if as_of is None else (as_of - incidents["requested_datetime"].min()).days
    parts = _parts(len(group), days, roads, parameters)
    score = float(sum(part.value for part in parts))
    where = joined_names(incidents["kelurahan"].tolist())
    noun_id, noun_en = ("lampu padam", "dark lamps") if group["is_lamp"].all() else ("titik padam", "dark points")
    text_id, text_en = sentence(
        parts,
        score,
        f"{len(group)} {noun_id} berdekatan" + (f" di {where}" if where else ""),
        f"{len(group)} {noun_en} close together" + (f" in {where}" if where else ""),
    )
    lamps_inside = None if inputs.lamps is None else int(shapely.intersects(shape, inputs.lamps.geometry).sum())
    return {
        "zone_id": identity.zone_id,
        "zone_type": "lighting",
        "score": score,
        "severity": classify([score], parameters.class_breaks)[0],
        "n_reports": int(incidents["n_reports"].sum()),
        "n_incidents": len(incidents),
        "n_cells": int(shapely.intersects(shape, inputs.cells).sum()),
        "area_km2": shape.area / 1e6,
        "road_length_m": roads["all"],
        "road_length_major_m": roads["major"],
        "lit_road_length_m": roads["lit"],
        "kelurahan": where,
        "kecamatan": joined_names(incidents["kecamatan"].tolist()),
        "area_id": joined_names(incidents["area_id"].tolist()),
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
        "lamps_affected": None if inputs.lamps is None else int(group["is_lamp"].sum()),
        "lamps_total": lamps_inside,
        "work": len(group),
        "geometry": shape,
    }


def _road_metres(roads: gpd.GeoDataFrame | None, shape: shapely.MultiPolygon) -> dict[str, float | None]:
    """Return metres of all, major and lit roads inside; None where the city has no roads, classes or `lit` tags."""
    if roads is None:
        return {"all": None, "major": None, "lit": None}
    near = roads.iloc[np.sort(roads.sindex.query(shape, predicate="intersects"))]
    metres = shapely.length(shapely.intersection(near.geometry.to_numpy(), shape))
    return {
        "all": float(metres.sum()),
        "major": float(metres[near["highway"].isin(MAJOR)].sum()) if roads["highway"].notna().any() else None,
        "lit": float(metres[near["lit"].eq("yes").fillna(False)].sum()) if roads["lit"].notna().any() else None,
    }


def _parts(
    n_dark: int, days: int | float | None, roads: dict[str, float | None], parameters: OutageParameters
) -> list[Part]:
    known = {"lamps": (parameters.weight_lamps, min(n_dark / parameters.full_lamps, 1.0))}
    if days is not None and not np.isnan(days):
        known["age"] = (parameters.weight_age, min(days / parameters.full_days, 1.0))
    if roads["all"] and roads["major"] is not None:
        known["major_road"] = (parameters.weight_major_road, min(roads["major"] / roads["all"], 1.0))
    total = sum(weight for weight, _ in known.values())
    return [Part(key, weight / total * value, *_LABELS[key]) for key, (weight, value) in known.items()]
