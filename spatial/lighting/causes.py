"""Why each lighting zone is dark: what is known of the lamps around it is gathered here and judged by `circuits`."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spatial.lighting.circuits import Cause, CircuitParameters, ZoneEvidence, cause_of_zone, lamps_around
from spatial.lighting.groups import lamp_distances
from spatial.lighting.lamps import Lamps, inferred_lamps, joined
from spatial.lighting.network import RoadNetwork
from spatial.lighting.rates import CityRates, RateParameters, city_rates

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
LINK_SPACINGS = 3.0  # lamps further apart than this are no neighbours on one line of poles (ours)
REACH_SPACINGS = 12.0  # of a zone's surroundings: a panel of 10–12 lamps beyond its reported end (ours)


@dataclass(frozen=True, eq=False, slots=True)
class CityLamps:
    """Every lamp that a zone's cause could involve: known ones, dark ones, and those inferred around dark ones.

    Attributes
    ----------
    lamps : n lamps. dark : (m,) int64, the position in `lamps` of each dark lamp that was given.
    reported : (n,) float64, 0–1, probability that an open report is of the lamp.
    first_report_days : (n,) float64, days from its first open report to `as_of`; NaN where unknown or none.
    wired : (n,) bool. panel_id : (n,) object, None where unknown.
    distance_m : (n, n) sparse, between neighbours.
    """

    lamps: Lamps
    dark: Ints
    reported: Array
    first_report_days: Array
    wired: NDArray[np.bool_]
    panel_id: NDArray[np.object_]
    distance_m: csr_array


@dataclass(frozen=True, eq=False, slots=True)
class ZoneCause:
    """A zone's cause and the lamps on its circuit, if it is one: `lamps` in rising order of their ids."""

    cause: Cause
    lamps: Lamps


def gather(
    dark: Lamps, snapped: pd.DataFrame, days: Array, known: Lamps, inventory: gpd.GeoDataFrame | None,
    network: RoadNetwork | None, roads: gpd.GeoDataFrame | None, largest_panel: int,
) -> CityLamps:  # fmt: skip
    """Return the lamps of a city as evidence wants them.

    Parameters
    ----------
    dark : m dark lamps. snapped : of each open incident `lamp` (position in `dark`) and `probability`.
    days : of each open incident its age at `as_of`, days; NaN where unknown; in the order of `snapped`.
    known : lamps of the inventory and the map. inventory : their `lamp_id`, `kind`, `panel_id`, or None.
    network, roads : of the city, or None. largest_panel : lamps; see `RateParameters`.
    """
    lamps = _surroundings(dark, known, network, roads)
    at = pd.Index(lamps.ids).get_indexer(pd.Index(dark.ids)).astype(np.int64)
    lamp = at[snapped["lamp"].to_numpy(np.int64)]
    missed = np.ones(len(lamps))
    np.multiply.at(missed, lamp, 1.0 - snapped["probability"].to_numpy(float))
    first = np.full(len(lamps), -np.inf)
    np.fmax.at(first, lamp, np.maximum(days, 0.0))
    kind, panel = (_told(inventory, column, lamps.ids) for column in ("kind", "panel_id"))
    size = pd.Series(panel).map(pd.Series(panel).value_counts()).to_numpy(float)
    panel[size > largest_panel] = None  # an id that more lamps bear than a panel feeds names none
    return CityLamps(
        lamps,
        at,
        1.0 - missed,
        np.where(np.isfinite(first), first, np.nan),
        kind != "solar",
        panel,
        lamp_distances(lamps, network, LINK_SPACINGS),
    )


def _surroundings(dark: Lamps, known: Lamps, network: RoadNetwork | None, roads: gpd.GeoDataFrame | None) -> Lamps:
    """Return the known lamps, the dark ones that are not known, and those inferred around inferred dark ones."""
    guessed = dark.take(np.flatnonzero(~np.isin(dark.source, ("inventory", "osm"))))
    lamps = joined(known, guessed)
    seeds = guessed.take(np.flatnonzero(guessed.source == "inferred"))
    if len(seeds) and network is not None and roads is not None:
        spacing = float(seeds.spacing_m[0])
        reach = np.full(len(seeds), REACH_SPACINGS * spacing)
        around = inferred_lamps(network, roads, spacing, seeds.points_m, reach)
        known_roads = np.unique(known.road[known.road >= 0])  # whose lamps the inventory knows
        new = ~np.isin(around.ids.astype(str), seeds.ids.astype(str)) & ~np.isin(around.road, known_roads)
        lamps = joined(lamps, around.take(np.flatnonzero(new)))
    return lamps


def _told(inventory: gpd.GeoDataFrame | None, column: str, ids: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return what the inventory tells of each lamp, None where nothing."""
    if inventory is None or column not in inventory:
        return np.full(len(ids), None, dtype=object)
    told = inventory.set_index("lamp_id")[column].reindex(ids)
    return np.array([None if pd.isna(value) else str(value) for value in told], dtype=object)


def causes_of(
    city: CityLamps, labels: Ints, n_reports: Ints, rates: RateParameters, parameters: CircuitParameters
) -> list[ZoneCause]:
    """Return the cause of every zone, in the order of their labels.

    Parameters
    ----------
    labels : (m,) int64 zone of each dark lamp, -1 for none.
    n_reports : (k,) int64 reports of each open incident.
    """
    zone_of_lamp = np.full(len(city.lamps), -1, dtype=np.int64)
    zone_of_lamp[city.dark] = labels
    single = (zone_of_lamp < 0).astype(float)
    usual = city_rates(city.reported, city.first_report_days, single, n_reports, city.panel_id, rates)
    return [_cause(city, zone_of_lamp, zone, usual, parameters) for zone in range(labels.max(initial=-1) + 1)]


def _cause(
    city: CityLamps, zone_of_lamp: Ints, number: int, rates: CityRates, parameters: CircuitParameters
) -> ZoneCause:
    lamps, zone = city.lamps, np.flatnonzero(zone_of_lamp == number)
    reach = REACH_SPACINGS * float(lamps.spacing_m[zone].mean())
    around = lamps_around(zone, city.distance_m, city.panel_id, reach)
    known = np.isin(lamps.source[zone], ("inventory", "osm")).mean() > 0.5
    evidence = ZoneEvidence(
        lamps.ids[around],
        csr_array(city.distance_m[around][:, around]),
        zone_of_lamp[around] == number,
        city.reported[around],
        city.first_report_days[around],
        city.wired[around],
        city.panel_id[around],
        bool(known),
    )
    cause = cause_of_zone(evidence, rates, parameters)
    members = around[cause.members]
    return ZoneCause(cause, lamps.take(members[np.argsort(lamps.ids[members].astype(str), kind="stable")]))
