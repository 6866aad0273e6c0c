"""A plan of repairs from a published version: its lighting faults, one visit each, by day, crew and stop.

It only reads: what was planned is not stored, and nothing of the city changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from spatial.charts import Points, points_map
from spatial.errors import StoreError
from spatial.lighting.repairs import RepairParameters, schedule
from spatial.store.geopackage import read_layer
from spatial.store.versions import Version, Versions

COLOURS = ("#1b6ca8", "#d7301f", "#2e8b57", "#7b3294", "#e08214", "#5d4037", "#00838f", "#c2185b")


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """What is visited, when and by whom, and what is left to others.

    Attributes
    ----------
    visits : the faults in the city's UTM zone, in order of day, crew and stop, all counted from 1; the columns of the
        collection `lighting_faults` too.
    referred : faults that no crew is sent to, with `why`: `warranty` (the lamp is under it at `as_of`) or `owner`.
    reports : open street-light reports that the visits are about: as many visits, if each report had its own.
    expected_visits : visits, and those that follow where a circuit turns out to be single lamps after all: one for
        each further reported lamp, times the probability of that.
    version, title : of the published version.
    """

    visits: gpd.GeoDataFrame
    referred: gpd.GeoDataFrame
    reports: int
    expected_visits: float
    version: Version
    title: str


def plan(city: Path, parameters: RepairParameters, owners: tuple[str, ...] = (), version: str | None = None) -> Plan:
    """Plan visits to the faults of a published version, the served one by default.

    Parameters
    ----------
    owners : only faults of these owners are visited, and those whose owner the inventory does not tell; all, if empty.

    Raises
    ------
    StoreError
        No such version, or nothing was published.
    """
    versions = Versions(city / "var")
    served = versions.current() if version is None else versions.get(version)
    if served is None:
        raise StoreError(f"{versions.var}: nothing was published yet; run `hexakota run {city}` first")
    told = served.manifest["city"]
    faults = read_layer(served.layers, "lighting_faults").to_crs(told["crs"])
    why = _left_to_others(faults, told["as_of"], owners)
    visits = faults[why.isna()].reset_index(drop=True)
    if len(visits):
        found = schedule(
            visits["relit_m"].to_numpy(float),
            shapely.get_coordinates(visits.geometry.to_numpy()),
            visits["fault_id"].to_numpy(dtype=object),
            parameters,
        )
        visits["day"], visits["crew"], visits["stop"] = found.day + 1, found.crew + 1, found.stop + 1
        visits = visits.sort_values(["day", "crew", "stop"], ignore_index=True)
    wrong = (1.0 - visits["cause_probability"]) * (visits["lamps_reported"] - 1)
    extra = float(wrong[visits["kind"] == "circuit"].sum())
    synthetic = "[SINTETIS / SYNTHETIC] " if told["synthetic"] else ""
    referred = faults[why.notna()].assign(why=why.dropna())
    reports = int(visits["n_reports"].sum())
    return Plan(visits, referred, reports, len(visits) + extra, served, f"{synthetic}{told['name']}")


def _left_to_others(faults: gpd.GeoDataFrame, as_of: str | None, owners: tuple[str, ...]) -> pd.Series[str]:
    """Return why each fault is left to others, null where it is not."""
    why = pd.Series(None, index=faults.index, dtype=object)
    if owners:
        theirs = [isinstance(told, str) and not set(told.split(", ")) & set(owners) for told in faults["owner"]]
        why[np.array(theirs, dtype=bool)] = "owner"
    if as_of is not None:
        ends = pd.to_datetime(faults["warranty_until"], utc=True)  # a column without any time is read without a zone
        why[ends >= pd.Timestamp(as_of).normalize()] = "warranty"
    return why


def map_of(made: Plan, days: int = 1) -> bytes:
    """Draw the visits of the first days by crew, over the roads; returns a PNG."""
    crs = made.visits.crs
    roads = read_layer(made.version.layers, "roads").to_crs(crs)
    area = gpd.GeoSeries([read_layer(made.version.layers, "hexagons").to_crs(crs).union_all()], crs=crs)
    shown = made.visits[made.visits["day"] <= days] if len(made.visits) else made.visits
    groups = []
    for crew, rows in shown.groupby("crew") if len(shown) else ():
        colour = COLOURS[(int(crew) - 1) % len(COLOURS)]
        for kind, marker, label in (("circuit", "s", "panel"), ("lamp", "o", "lampu / lamp")):
            own = rows[rows["kind"] == kind]
            if len(own):
                xy = shapely.get_coordinates(own.geometry.to_numpy())
                groups.append(
                    Points(xy, f"regu / crew {crew}, {label}", colour, marker, 46.0 if kind == "circuit" else 18.0)
                )
    until = f"hari / days 1–{days}" if days > 1 else "hari / day 1"
    title = f"{made.title}: rencana perbaikan PJU / street-light repairs, {until}"
    return points_map(area, roads if len(roads) else None, groups, title)


def as_table(visits: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the visits as a plain table with longitude and latitude, for a spreadsheet."""
    points = visits.geometry.to_crs("EPSG:4326")
    first = [name for name in ("day", "crew", "stop", "fault_id", "kind") if name in visits]
    rest = [name for name in visits.columns if name not in (*first, visits.geometry.name)]
    table = pd.DataFrame(visits[[*first, *rest]])
    return table.assign(lon=np.round(points.x, 6), lat=np.round(points.y, 6))
