"""The computing half of a run: from read inputs to the layers and what is known of them. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import pandas as pd

from spatial.config import Settings
from spatial.contracts import Progress
from spatial.pipeline.analysis import Result, analyse_city
from spatial.pipeline.gaps import Known
from spatial.pipeline.inputs import Inputs
from spatial.pipeline.manifest import known_facts
from spatial.pipeline.plane import Plane, to_city_plane
from spatial.pipeline.release import Released, place_released
from spatial.pipeline.reports import Placed, place_reports, public_texts
from spatial.sources.reports import COLUMNS, TIME_TYPE, TIMES


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """What a run computes: roads and lamps in the plane, placed reports, the layers, and what the inputs gave."""

    plane: Plane
    placed: Placed
    result: Result
    known: Known


def compute(
    settings: Settings,
    inputs: Inputs,
    snapshot: gpd.GeoDataFrame,
    previous: pd.DataFrame,
    version: str,
    progress: Progress,
    released: Released | None = None,
) -> Work:
    """Place the reports and compute every layer.

    Parameters
    ----------
    snapshot : the reports, in id order, as `sources.reports` delivers them.
    previous : `zone_id, member` of the served version; `no_members()` for a first one.
    version : id of the version being made.
    released : what alone may be published of the snapshot, with `[privacy] min_count`.
    """
    progress.stage("grid", "Menempatkan laporan dan jalan / placing reports and roads")
    plane = to_city_plane(inputs)
    if released is None:
        placed = place_reports(snapshot, inputs, plane.roads, settings)
    else:
        placed = place_released(released, inputs, settings)
    result = analyse_city(inputs, plane, placed, previous, version, settings, progress)
    return Work(plane, placed, result, known_facts(settings, inputs, plane, placed, result))


def no_members() -> pd.DataFrame:
    """Return the zones' members of a city that has no version yet."""
    return pd.DataFrame({"zone_id": [], "member": []}, dtype=str)


def delivered(inputs: Inputs) -> gpd.GeoDataFrame:
    """Return the reports of the files alone, in id order, of an id in several files the last: a first run's snapshot.

    Points in EPSG:4326; columns as `sources.reports` delivers them.
    """
    tables = [table.reports for table in inputs.reports.values()]
    if not tables:
        frame = pd.DataFrame({name: pd.Series(dtype="string") for name in COLUMNS})
        types = {name: TIME_TYPE for name in TIMES} | {"depth_m": "float64", "decimals": "int64"}
        return gpd.GeoDataFrame(frame.astype(types), geometry=[], crs="EPSG:4326")
    joined = gpd.GeoDataFrame(pd.concat(tables, ignore_index=True), crs="EPSG:4326")
    return public_texts(joined.drop_duplicates("report_id", keep="last").sort_values("report_id", ignore_index=True))
