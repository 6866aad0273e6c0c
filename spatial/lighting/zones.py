"""Lighting-outage zones: what is published of each group of dark lamps."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from spatial.contracts import LIGHTING_ZONES
from spatial.lighting.causes import ZoneCause, causes_of, gather
from spatial.lighting.circuits import Cause, CircuitParameters
from spatial.lighting.dark_roads import DarkRoads, dark_roads, outline
from spatial.lighting.faults import faults_table
from spatial.lighting.outages import OutageInputs, OutageParameters, Outages, find_outages
from spatial.lighting.rates import RateParameters
from spatial.lighting.significance import SignificanceParameters, lighting_zone_p_values, reporting_habit
from spatial.zones import (
    Identity,
    Part,
    classify,
    identify,
    joined_names,
    monthly_trend,
    parts_json,
    priority_rank,
    sentence,
)

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
MAJOR = ("motorway", "trunk", "primary", "secondary", "tertiary")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des")
_CAUSES = {
    "circuit": ("kemungkinan {} satu panel", "probability {} of one circuit"),
    "independent": ("kemungkinan {} rusak sendiri-sendiri", "probability {} of lamps that failed one by one"),
    "unknown": ("sebabnya belum jelas (satu panel {})", "cause not clear (one circuit {})"),
}
_DARK_ROAD = ("dark_road_length_m", "dark_road_length_major_m", "dark_road_by_class_m")
PART_LABELS = {
    "lamps": ("jumlah lampu padam yang berdekatan", "dark lamps close together"),
    "age": ("lama padam", "how long they have been dark"),
    "major_road": ("jalan utama", "major road"),
}


@dataclass(frozen=True, slots=True)
class LightingMethods:
    """The parameters of all steps from open reports to zones; each is documented beside its method."""

    outages: OutageParameters = field(default_factory=OutageParameters)
    circuits: CircuitParameters = field(default_factory=CircuitParameters)
    rates: RateParameters = field(default_factory=RateParameters)
    significance: SignificanceParameters = field(default_factory=SignificanceParameters)


@dataclass(frozen=True, eq=False, slots=True)
class LightingZones:
    """What comes of the open incidents of street lights; geometry in the UTM plane.

    Attributes
    ----------
    zones : as the contract `LIGHTING_ZONES` wants them, without what is counted in them later.
    members : `zone_id, member` (lamps or incidents).
    faults : as the contract `LIGHTING_FAULTS` wants them.
    lamp_of_incident : `incident_id`, `lamp_id` (null where no lamp is known or inferred) and `lamp_probability`, the
        lamp's weight among those that the report's place allows.
    found : the dark lamps and their groups, in the order of `zones`.
    """

    zones: gpd.GeoDataFrame
    members: pd.DataFrame
    faults: gpd.GeoDataFrame
    lamp_of_incident: pd.DataFrame
    found: Outages


def lighting_zones(
    inputs: OutageInputs,
    previous: pd.DataFrame,
    version: str,
    as_of: pd.Timestamp | None,
    methods: LightingMethods,
    seed: int = 0,
) -> LightingZones:
    """Return the zones, why each is dark, and the faults that crews are sent to.

    Dark lamps are clustered by DBSCAN along the network within `eps_spacings` lamp spacings; a zone's outline follows
    the shortest ways that join its lamps, and half a spacing at each end.
    """
    parameters = methods.outages
    found = find_outages(inputs, parameters)
    roads = dark_roads(found.lamps, found.network, found.distances, found.labels)
    groups = [np.flatnonzero(found.labels == label) for label in range(found.labels.max(initial=-1) + 1)]
    incidents = inputs.incidents.reset_index(drop=True)
    causes = _causes(inputs, found, incidents, as_of, methods)
    identities = identify("lighting", [frozenset(found.lamps.ids[g]) for g in groups], previous, version)
    rows = [
        _row(_Zone(inputs, found, roads, number, group, parameters), causes[number], identity, version, as_of)
        for number, (group, identity) in enumerate(zip(groups, identities, strict=True))
    ]
    names = [n for n in LIGHTING_ZONES.names if not n.endswith("_exposed")]
    table = gpd.GeoDataFrame(
        pd.DataFrame(rows, columns=[*names, "geometry", "road_length_major_m", "work"]), geometry="geometry"
    )
    table["p_value"] = _p_values(inputs, found, methods.significance, seed)
    table["priority_rank"] = priority_rank(
        table["score"], table["road_length_m"], table["road_length_major_m"], table["n_incidents"], table["work"]
    )
    faults = faults_table(
        found.lamps, found.snapped, found.labels, [i.zone_id for i in identities], causes, incidents, inputs.lamps
    )
    table["panel_id"] = _panels(table, faults)
    pairs = [(i.zone_id, member) for i, g in zip(identities, groups, strict=True) for member in found.lamps.ids[g]]
    return LightingZones(
        table.drop(columns=["road_length_major_m", "work"]),
        pd.DataFrame(pairs, columns=["zone_id", "member"]),
        faults,
        _lamp_of_incident(found, incidents),
        found,
    )


def _panels(zones: gpd.GeoDataFrame, faults: gpd.GeoDataFrame) -> list[str | None]:
    """Return the panel of each zone whose cause is a circuit: that of the circuit fault most of its lamps are on."""
    circuits = faults[faults["kind"] == "circuit"].sort_values("lamps_reported", ascending=False, kind="stable")
    panel: dict[str, str] = {}
    for ids, name in zip(circuits["lighting_zone_ids"].fillna(""), circuits["panel_id"], strict=True):
        for zone in ids.split(","):
            panel.setdefault(zone, name)
    pairs = zip(zones["zone_id"], zones["cause"], strict=True)
    return [panel.get(zone) if cause == "circuit" else None for zone, cause in pairs]


def _lamp_of_incident(found: Outages, incidents: pd.DataFrame) -> pd.DataFrame:
    lamp = found.snapped["lamp"].to_numpy(np.int64)
    is_lamp = found.lamps.source[lamp] != "report"
    return pd.DataFrame(
        {
            "incident_id": incidents.loc[found.snapped.index, "incident_id"].to_numpy(dtype=object),
            "lamp_id": np.where(is_lamp, found.lamps.ids[lamp], None),
            "lamp_probability": np.where(is_lamp, found.snapped["probability"].to_numpy(float), np.nan),
        }
    )


def _causes(
    inputs: OutageInputs,
    found: Outages,
    incidents: pd.DataFrame,
    as_of: pd.Timestamp | None,
    methods: LightingMethods,
) -> list[ZoneCause]:
    days = np.full(len(incidents), np.nan)
    if as_of is not None:
        days = (as_of - incidents["requested_datetime"]).dt.total_seconds().to_numpy(float) / 86_400.0
    told = days[found.snapped.index.to_numpy(np.int64)]
    city = gather(
        found.lamps,
        found.snapped,
        told,
        found.known,
        inputs.lamps,
        found.network,
        inputs.roads,
        methods.rates.largest_panel,
    )
    n_reports = incidents["n_reports"].to_numpy(np.int64)
    return causes_of(city, found.labels, n_reports, methods.rates, methods.circuits)


def _p_values(inputs: OutageInputs, found: Outages, parameters: SignificanceParameters, seed: int) -> Array:
    """Return how often chance alone makes as much of each zone: among all lamps, or among the distinct incidents of all
    categories where no lamp is known. NaN where nothing tells how readily people report.
    """
    zones = int(found.labels.max(initial=-1)) + 1
    if not len(inputs.others_m) and not len(inputs.districts):
        return np.full(zones, np.nan)  # who reports is not known, and lamps alone do not tell
    dark, zone = np.ones(len(found.lamps), dtype=np.int64), found.labels
    points = found.lamps.points_m
    if len(found.known):
        at = pd.Index(found.lamps.ids).get_indexer(pd.Index(found.known.ids))
        dark, zone = (at >= 0).astype(np.int64), np.where(at >= 0, np.append(zone, -1)[at], -1)
        points = found.known.points_m
        expected = reporting_habit(inputs.others_m, points)
    else:
        others = len(inputs.others_m)
        dark = np.concatenate([dark, np.zeros(others, dtype=np.int64)])
        zone = np.concatenate([zone, np.full(others, -1, dtype=np.int64)])
        points = np.concatenate([points, inputs.others_m])
        expected = np.ones(len(points))
    district = np.zeros(len(points), dtype=np.int64)
    point, area = shapely.STRtree(inputs.districts).query(np.asarray(shapely.points(points), object), "intersects")
    district[point] = area + 1
    found_p = lighting_zone_p_values(dark, expected, points, zone, district, parameters, seed)
    p = np.full(zones, np.nan)
    p[: len(found_p)] = found_p
    p[~np.isin(np.arange(zones), zone)] = np.nan  # none of its lamps is known
    return p


class _Zone:
    """One zone in the making: what its columns are computed from."""

    def __init__(
        self,
        inputs: OutageInputs,
        found: Outages,
        roads: DarkRoads,
        number: int,
        members: Ints,
        parameters: OutageParameters,
    ) -> None:
        self.inputs, self.found, self.members, self.parameters = inputs, found, members, parameters
        self.pieces = roads.of(number)[0]
        self.shape = outline(number, members, found.lamps, found.network, roads, parameters.outline_m)
        self.incidents = inputs.incidents.iloc[found.snapped.index[found.snapped["lamp"].isin(members)]]
        self.basis = _usual_source(found.lamps.source[members])

    def lamps(self) -> dict[str, object]:
        """Return the columns of lamps; the counts are null where no lamp is known or inferred."""
        source = self.found.lamps.source[self.members]
        if self.basis == "none":
            return {"lamps_affected": None, "lamps_total": None, "lamps_basis": "none"}
        if self.basis == "inferred":
            affected = int((source != "report").sum())
            expected = self.pieces["length_m"].sum() / self.found.lamps.spacing_m[self.members].mean()
            return {
                "lamps_affected": affected,
                "lamps_total": max(affected, round(expected)),
                "lamps_basis": "inferred",
            }
        affected = int(np.isin(source, ("inventory", "osm")).sum())
        x, y = self.found.known.points_m.T
        inside = int(shapely.intersects_xy(self.shape, x, y).sum())
        return {"lamps_affected": affected, "lamps_total": inside, "lamps_basis": self.basis}

    def dark_road(self) -> dict[str, object]:
        """Return the metres of dark road, of major dark road, and the names of the roads, the longest first."""
        roads = self.inputs.roads
        plane = (self.found.lamps.at.edge[self.members] < 0).any()
        told: dict[str, object] = {"distance_basis": "plane" if plane else "network"}
        if roads is None or self.pieces.empty:
            return told | dict.fromkeys((*_DARK_ROAD, "road_names"))
        metres = self.pieces.groupby("line")["length_m"].sum()
        own = roads.iloc[metres.index]
        major = metres.to_numpy()[own["highway"].isin(MAJOR).to_numpy(dtype=bool)].sum()
        classes = bool(roads["highway"].notna().any())
        of_class = metres.groupby(own["highway"].fillna("unknown").to_numpy(dtype=object)).sum()
        by_class = {str(name): round(float(value), 3) for name, value in of_class.items()}
        by_name = metres.groupby(own["name"].to_numpy(dtype=object, na_value=None)).sum()
        names = sorted(by_name.index, key=lambda name: (-by_name[name], name))
        return told | {
            "dark_road_length_m": float(metres.sum()),
            "dark_road_length_major_m": float(major) if classes else None,
            "dark_road_by_class_m": json.dumps(by_class) if classes else None,
            "road_names": ", ".join(names) or None,
        }


def _usual_source(source: NDArray[np.object_]) -> str:
    """Return where most of the lamps are from, ties to the less certain; "none" for places of reports."""
    counts = Counter(source.tolist())
    usual = max(counts, key=lambda name: (counts[name], ("inventory", "osm", "inferred", "report").index(name)))
    return "none" if usual == "report" else str(usual)


def _row(
    zone: _Zone, why: ZoneCause, identity: Identity, version: str, as_of: pd.Timestamp | None
) -> dict[str, object]:
    incidents, parameters = zone.incidents, zone.parameters
    roads = _road_metres(zone.inputs.roads, zone.shape)
    days = None if as_of is None else (as_of - incidents["requested_datetime"].min()).days
    parts = _parts(len(zone.members), days, roads, parameters)
    score = float(sum(part.value for part in parts))
    kelurahan = joined_names(incidents["kelurahan"].tolist())
    dark = zone.dark_road()
    where = ", ".join(str(place) for place in (dark["road_names"], kelurahan) if place is not None)
    lamps = bool(np.isin(zone.found.lamps.source[zone.members], ("inventory", "osm")).all())
    since = incidents["requested_datetime"].min().tz_convert(zone.inputs.time_zone)
    text_id, text_en = sentence(parts, score, *subject(len(zone.members), lamps, where, since, why.cause))
    return {
        "zone_id": identity.zone_id,
        "zone_type": "lighting",
        "score": score,
        "severity": classify([score], parameters.class_breaks)[0],
        "n_reports": int(incidents["n_reports"].sum()),
        "n_incidents": len(incidents),
        "n_cells": int(shapely.intersects(zone.shape, zone.inputs.cells).sum()),
        "area_km2": zone.shape.area / 1e6,
        "road_length_m": roads["all"],
        "road_length_major_m": roads["major"],
        "lit_road_length_m": roads["lit"],
        "kelurahan": kelurahan,
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
        **zone.lamps(),
        "age_days": days,
        "cause": why.cause.cause,
        "cause_probability": why.cause.cause_probability,
        "cause_parts": json.dumps(why.cause.log_odds),
        **dark,
        "work": len(zone.members),
        "geometry": zone.shape,
    }


def subject(n_dark: int, lamps: bool, where: str, since: pd.Timestamp | None, cause: Cause) -> tuple[str, str]:
    """Return what an explanation is about, in Indonesian and English: what is dark, where, since when, and why.

    Parameters
    ----------
    n_dark : dark lamps; `lamps`: whether they are known to be lamps, or places that reports name.
    since : local time of the first report, NaT where unknown.
    """
    where_id, where_en = (f" di {where}", f" in {where}") if where else ("", "")
    since_id = since_en = ""
    if since is not None and not pd.isna(since):
        since_id = f" sejak {since.day} {_MONTHS[since.month - 1]} {since.year}"
        since_en = f" since {since.day} {since:%b} {since.year}"
    odds = "> 0.99" if cause.cause_probability > 0.995 else f"{cause.cause_probability:.2f}"
    why_id, why_en = _CAUSES[cause.cause]
    return (
        f"{n_dark} {'lampu' if lamps else 'titik'} padam berdekatan{where_id}{since_id}, "
        f"{why_id.format(odds.replace('.', ','))}",
        f"{n_dark} dark {'lamps' if lamps else 'points'} close together{where_en}{since_en}, {why_en.format(odds)}",
    )


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
    return [Part(key, weight / total * value, *PART_LABELS[key]) for key, (weight, value) in known.items()]
