"""Outages: the lamps that are reported dark and not yet repaired, and their groups along the road network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spatial.lighting.groups import dbscan, in_spacings, lamp_distances
from spatial.lighting.lamps import Lamps, inferred_lamps, joined, known_lamps, places_of_reports
from spatial.lighting.network import RoadNetwork, road_network
from spatial.lighting.snapping import fewest_lamps, reach_m, snap

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
# However coarse a coordinate, its lamp is looked for no further away; reports that could be of any lamp of a street
# are explained by one.
_FARTHEST_M = 100.0


@dataclass(frozen=True, slots=True)
class OutageParameters:
    """How lighting incidents become zones.

    Attributes
    ----------
    snap_m : a report is of a lamp at most this far away, and as much further as its coordinate is rounded. Ours: four
        times the error below.
    location_sigma_m : error of a reported place on each axis before rounding. Ours: 5 m of a phone under an open sky
        (van Diggelen & Enge 2015: 4.9 m) and 5 m of where the person stands, added as squares.
    dark_share : share of lamps that are dark before anything is reported; the smaller, the more reports one dark lamp
        explains before a second is believed. Ours: repair crews hold it at a few in a hundred.
    default_spacing_m : lamp spacing where there is no inventory (SNI 7391: 30 m at least).
    eps_spacings : DBSCAN radius along the network in lamp spacings (the plan: 2-3).
    min_lamps : distinct dark lamps that make a core point, itself included.
    outline_m : how far a zone reaches on either side of its dark road. Ours: half of a street with its verges.
    full_lamps : dark lamps from which that part of the score is full.
    full_days : days since the first report from which that part is full.
    weight_lamps, weight_age, weight_major_road : weights; rescaled over the parts that are known in the city.
    class_breaks : scores that part low from medium and medium from high.
    """

    snap_m: float = 30.0
    location_sigma_m: float = 7.0
    dark_share: float = 0.05
    default_spacing_m: float = 30.0
    eps_spacings: float = 3.0
    min_lamps: int = 3
    outline_m: float = 10.0
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
    incidents : open, distinct incidents: `incident_id, x, y, half_x_m, half_y_m, requested_datetime, n_reports,
        kelurahan, kecamatan, area_id`; the halves say how far rounding may have moved the place, see
        `snapping.rounding_half_m`.
    lamps : `lamp_id, source` and points, or None without an inventory.
    roads : `road_id, highway, name, lit` and lines clipped to the area, in the order of their ids, or None.
    cells : (n,) array of the city's cell polygons.
    time_zone : of the dates in explanations, IANA.
    others_m : (k, 2) metres, places of the distinct incidents of other categories.
    districts : (d,) array of polygons in which people may report more or less than elsewhere (kelurahan); none known.
    """

    incidents: pd.DataFrame
    lamps: gpd.GeoDataFrame | None
    roads: gpd.GeoDataFrame | None
    cells: NDArray[Any]
    time_zone: str = "UTC"
    others_m: Array = field(default_factory=lambda: np.empty((0, 2)))
    districts: NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=object))


@dataclass(frozen=True, eq=False, slots=True)
class Outages:
    """The dark lamps of a city and their groups.

    Attributes
    ----------
    lamps : the distinct dark lamps, by id.
    snapped : one row per incident of the inputs: `lamp` (position in `lamps`) and `probability` (weight of that lamp
        among those within the incident's reach, 0-1; `Snapping`).
    distances : (n, n) sparse metres between lamps that are near each other; see `groups.lamp_distances`.
    labels : (n,) group of each lamp, -1 where too few dark lamps are near.
    network : the roads, or None.
    known : all lamps of the inventory and OpenStreetMap.
    """

    lamps: Lamps
    snapped: pd.DataFrame
    distances: csr_array
    labels: Ints
    network: RoadNetwork | None
    known: Lamps


def find_outages(inputs: OutageInputs, parameters: OutageParameters) -> Outages:
    """Snap incidents to lamps, take the fewest dark lamps that explain them, and group these along the network.

    An incident within reach of a known lamp is of known lamps; else of lamps inferred along the roads in reach; else
    it is a lamp by itself, where it lies. Five incidents of one lamp are one dark lamp.
    """
    roads = inputs.roads
    network = None if roads is None or roads.empty else road_network(roads.geometry.to_numpy())
    known = known_lamps(inputs.lamps, network, parameters.default_spacing_m)
    lamps, table = _dark_lamps(inputs, known, network, parameters)
    order = np.argsort(lamps.ids.astype(str), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    table["lamp"] = place[table["lamp"].to_numpy(np.int64)]
    lamps = lamps.take(order)
    distances = lamp_distances(lamps, network, parameters.eps_spacings)
    labels = dbscan(in_spacings(distances, lamps.spacing_m), parameters.eps_spacings, parameters.min_lamps)
    return Outages(lamps, table, distances, labels, network, known)


def _dark_lamps(
    inputs: OutageInputs, known: Lamps, network: RoadNetwork | None, parameters: OutageParameters
) -> tuple[Lamps, pd.DataFrame]:
    """Return the dark lamps, and by incident its lamp (position among them) and the probability of that."""
    none = known.take(np.empty(0, dtype=np.int64))
    spacing = float(np.median(known.spacing_m)) if len(known) else parameters.default_spacing_m

    def inferred(rows: pd.DataFrame) -> Lamps:
        if network is None or inputs.roads is None:
            return none
        within = reach_m(_halves(rows), parameters.snap_m, _FARTHEST_M)
        return inferred_lamps(network, inputs.roads, spacing, _places(rows), within)

    def reported(rows: pd.DataFrame) -> Lamps:
        sd = np.sqrt(parameters.location_sigma_m**2 + (_halves(rows) ** 2).mean(axis=1) / 3)
        return places_of_reports(rows["incident_id"].to_numpy(dtype=object), _places(rows), sd, network, spacing)

    rows = inputs.incidents.reset_index(drop=True).sort_values("incident_id")
    lamps, tables = none, []
    for candidates_of in (lambda rows: known, inferred, reported):
        candidates = candidates_of(rows)
        told = _explain(rows, candidates, parameters)
        dark, at = np.unique(told["lamp"].to_numpy(np.int64), return_inverse=True)
        tables.append(told.assign(lamp=at + len(lamps)))
        lamps, rows = joined(lamps, candidates.take(dark)), rows.drop(index=told.index)
    return lamps, pd.concat(tables).sort_index()


def _explain(rows: pd.DataFrame, candidates: Lamps, parameters: OutageParameters) -> pd.DataFrame:
    """Return the dark lamp (position among the candidates) and its probability of each incident that has any."""
    snapping = snap(
        _places(rows),
        _halves(rows),
        parameters.location_sigma_m,
        candidates.points_m,
        candidates.place_sd_m,
        parameters.snap_m,
        _FARTHEST_M,
    )
    lamp = fewest_lamps(snapping.likelihood, parameters.dark_share)
    has = np.flatnonzero(lamp >= 0)
    pairs = snapping.weights.tocoo()
    weight = pairs.data[pairs.col == lamp[pairs.row]]  # one each, by report
    return pd.DataFrame({"lamp": lamp[has], "probability": weight}, index=rows.index[has])


def _places(rows: pd.DataFrame) -> Array:
    return rows[["x", "y"]].to_numpy(dtype=float)


def _halves(rows: pd.DataFrame) -> Array:
    return rows[["half_x_m", "half_y_m"]].to_numpy(dtype=float)
