"""Faults: what a crew is sent to, one visit each. A dark circuit is one fault, every other dark lamp is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from spatial.contracts import LIGHTING_FAULTS
from spatial.lighting.causes import ZoneCause
from spatial.lighting.lamps import Lamps
from spatial.zones import joined_names

Ints = NDArray[np.int64]
_KINDS = {"inventory": "lamp", "osm": "lamp", "inferred": "lamp", "report": "place"}


@dataclass(frozen=True, eq=False, slots=True)
class _Fault:
    """One fault: the reported lamps (positions among the dark ones), and all lamps that are probably dark with them."""

    fault_id: str
    kind: str
    reported: Ints
    lamps: Lamps
    panel_id: str | None = None
    probability: float | None = None


def faults_table(
    dark: Lamps, snapped: pd.DataFrame, labels: Ints, zone_ids: Sequence[str], causes: Sequence[ZoneCause],
    incidents: pd.DataFrame, inventory: gpd.GeoDataFrame | None,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Return the faults as the contract `LIGHTING_FAULTS` wants them, in the UTM plane, by id.

    Parameters
    ----------
    dark : m dark lamps. snapped : `lamp` (position in `dark`) of each open incident, index as `incidents`.
    labels : (m,) zone of each dark lamp, -1 for none. zone_ids, causes : of the zones.
    incidents : `requested_datetime, n_reports, kelurahan, kecamatan, area_id`.
    inventory : `lamp_id, owner, warranty_until`, or None.

    Notes
    -----
    `relit_m` is what one visit is expected to relight: of a circuit, the road of all its lamps times the probability
    that it is one, and of one lamp else; a lamp lights its own spacing. The place of a circuit is its middle lamp:
    where the panel stands is not known.
    """
    circuits = _circuits(dark, causes)
    told = None if inventory is None else inventory.set_index("lamp_id")
    of_lamp = snapped.groupby("lamp").groups
    taken = {int(i) for circuit in circuits for i in circuit.reported}
    alone = [
        _Fault(f"{_KINDS[str(dark.source[i])]}/{dark.ids[i]}", "lamp", np.array([i]), dark.take(np.array([i])))
        for i in range(len(dark))
        if i not in taken
    ]
    rows = [
        _row(fault, dark, of_lamp, labels, zone_ids, incidents, told)
        for fault in sorted([*circuits, *alone], key=lambda fault: fault.fault_id)
    ]
    table = pd.DataFrame(rows, columns=[*LIGHTING_FAULTS.names, "geometry"])
    for name in ("first_report", "last_report", "warranty_until"):
        table[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[ms, UTC]")
    return gpd.GeoDataFrame(table, geometry="geometry")


def _circuits(dark: Lamps, causes: Sequence[ZoneCause]) -> list[_Fault]:
    """Return the circuits that are dark; zones on one panel are one fault, and no lamp is on two: the likelier circuit
    keeps it. What is left of the other is a circuit only if more than one of its lamps is reported.
    """
    found: dict[str, ZoneCause] = {}
    for one in causes:
        panel = one.cause.panel_id
        if one.cause.cause == "circuit" and panel is not None:
            best = found.get(panel)
            if best is None or one.cause.circuit_probability > best.cause.circuit_probability:
                found[panel] = one
    taken: set[str] = set()
    faults = []
    for panel, one in sorted(found.items(), key=lambda item: (-item[1].cause.circuit_probability, item[0])):
        lamps = one.lamps.take(np.array([i for i, own in enumerate(one.lamps.ids) if own not in taken], dtype=np.int64))
        reported = np.flatnonzero(np.isin(dark.ids.astype(str), lamps.ids.astype(str)))
        if len(reported) > 1:
            taken |= set(lamps.ids)
            faults.append(_Fault(f"circuit/{panel}", "circuit", reported, lamps, panel, one.cause.circuit_probability))
    return faults


def _row(
    fault: _Fault, dark: Lamps, of_lamp: Mapping[Any, pd.Index[Any]], labels: Ints, zone_ids: Sequence[str],
    incidents: pd.DataFrame, inventory: pd.DataFrame | None,
) -> dict[str, object]:  # fmt: skip
    told = incidents.loc[[row for lamp in fault.reported for row in of_lamp[lamp]]]
    zones = sorted({zone_ids[label] for label in labels[fault.reported] if label >= 0})
    metres, one = float(fault.lamps.spacing_m.sum()), float(fault.lamps.spacing_m.mean())
    sure = 0.0 if fault.probability is None else fault.probability
    middle = np.hypot(*(fault.lamps.points_m - fault.lamps.points_m.mean(axis=0)).T)
    owners = _of_inventory(inventory, "owner", fault.lamps)
    ends = _of_inventory(inventory, "warranty_until", fault.lamps) if fault.kind == "lamp" else []
    return {
        "fault_id": fault.fault_id,
        "kind": fault.kind,
        "lighting_zone_ids": ",".join(zones) or None,
        "panel_id": fault.panel_id,
        "cause_probability": fault.probability,
        "lamps_reported": len(fault.reported),
        "lamps_dark": len(fault.lamps),
        "lamp_ids": ",".join(dark.ids[i] for i in fault.reported if dark.source[i] != "report") or None,
        "dark_road_length_m": metres,
        "relit_m": sure * metres + (1.0 - sure) * one,
        "n_reports": int(told["n_reports"].sum()),
        "n_incidents": len(told),
        "owner": joined_names(owners),
        "warranty_until": next(iter(ends), pd.NaT),
        "kelurahan": joined_names(told["kelurahan"].tolist()),
        "kecamatan": joined_names(told["kecamatan"].tolist()),
        "area_id": joined_names(told["area_id"].tolist()),
        "first_report": told["requested_datetime"].min(),
        "last_report": told["requested_datetime"].max(),
        "geometry": shapely.Point(fault.lamps.points_m[int(np.argmin(middle))]),
    }


def _of_inventory(inventory: pd.DataFrame | None, column: str, lamps: Lamps) -> list[str]:
    """Return what the inventory tells of the lamps, without what it does not."""
    if inventory is None or column not in inventory:
        return []
    return list(inventory[column].reindex(lamps.ids).dropna())
