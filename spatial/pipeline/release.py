"""With `[privacy] min_count`: which reports are released, and what of them is published.

Everything after this module, layers, manifest and hashes, is a function of the released table alone; reports that are
withheld decide nothing but when they will be released themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial.config import Settings
from spatial.contracts import ADMIN_AREAS, FLOOD_ZONES, HEXAGONS, Layer
from spatial.hexgrid.grid import cell_polygons, cells_of_points
from spatial.hexgrid.join import to_plane
from spatial.lighting.zones import LightingZones
from spatial.pipeline.inputs import Inputs
from spatial.pipeline.plane import city_lamps
from spatial.pipeline.reports import Placed, add_districts, place_reports
from spatial.sources.privacy import distinct, new_batches, published, whole_batches

WITHHELD = "withheld"
_COUNTED: Mapping[Layer, tuple[str, ...]] = {
    HEXAGONS: ("reports_", "incidents_"),
    ADMIN_AREAS: ("reports_",),
    FLOOD_ZONES: ("n_reports", "n_incidents"),
}


@dataclass(frozen=True, eq=False, slots=True)
class Released:
    """The reports that may be published, and what only the city may see.

    Attributes
    ----------
    table : one row per released report, alike within a batch but for the last four columns: `report_id` (made of anchor
        cell, category, batch and a number: no source's id), `category`, `lon`, `lat` (the anchor cell's point), `day`
        (UTC), `counts_open`, and of street-light reports `is_open` and the `lamp_x`, `lamp_y` (m) that it is about.
    new : rows to append to the ledger.
    exact : every report in its own place: private.
    """

    table: pd.DataFrame
    new: pd.DataFrame
    exact: Placed

    @property
    def withheld(self) -> int:
        """Usable reports that are not released: private."""
        return int(self.exact.usable.sum()) - len(self.table)

    @property
    def sha256(self) -> str:
        """Hash of all that is published of reports; 64 hex digits."""
        return hashlib.sha256(self.table.to_csv(index=False).encode()).hexdigest()


def release(snapshot: gpd.GeoDataFrame, inputs: Inputs, settings: Settings, ledger: pd.DataFrame) -> Released:
    """Release what makes whole batches of a snapshot (see `place_reports`) and of what was released before."""
    privacy = settings.privacy
    exact = place_reports(snapshot, inputs, None, settings)
    reports = exact.reports
    table = pd.DataFrame(reports[["report_id", "category", "x", "y"]]).assign(
        time=reports["requested_datetime"],
        cell=cells_of_points(reports.geometry.x, reports.geometry.y, privacy.resolution),
    )
    before = table["report_id"].isin(ledger["report_id"])
    reach = (settings.cleaning.duplicate_distance_m, settings.cleaning.duplicate_days)
    candidates = distinct(table[exact.usable & ~before], table[before], *reach)
    new = new_batches(candidates, ledger, privacy.min_count)
    rows = published(pd.concat([ledger, new], ignore_index=True) if len(ledger) else new, reports["report_id"])
    if settings.city.as_of is not None:
        rows = rows[~(rows["day"] > pd.Timestamp(settings.city.as_of))]
    return Released(_public(rows, reports, inputs, settings), new, exact)


def _public(rows: pd.DataFrame, reports: gpd.GeoDataFrame, inputs: Inputs, settings: Settings) -> pd.DataFrame:
    rows = rows.sort_values(["cell", "category", "batch", "report_id"], ignore_index=True)
    number = rows.groupby(["cell", "category", "batch"]).cumcount()
    parts = zip(rows["cell"], rows["category"], rows["batch"], number, strict=True)
    points = _anchor_points(rows["cell"], inputs)
    table = pd.DataFrame({"report_id": [f"{c}-{k}-{b}-{n}" for c, k, b, n in parts], "category": rows["category"]})
    table["lon"], table["lat"] = points.T
    table["day"] = rows["day"]
    live = reports.set_index("report_id").reindex(rows["report_id"])
    is_open = pd.Series(_open(live, settings) & (rows["category"] == "street_light").to_numpy(dtype=bool))
    table["counts_open"] = whole_batches(is_open, rows["cell"], settings.privacy.min_count)
    lamps = city_lamps(inputs)
    places = np.empty((0, 2)) if lamps is None else shapely.get_coordinates(lamps.geometry.to_numpy())
    lamp = np.full(len(rows), -1)
    here = is_open.to_numpy(dtype=bool)
    lamp[here] = _nearest(live.loc[here, ["x", "y"]].to_numpy(float), places, settings.lighting.snap_m)
    table["is_open"] = lamp >= 0
    table["lamp_x"], table["lamp_y"] = np.vstack([places, [np.nan, np.nan]])[lamp].T
    return table


def _nearest(points_m: NDArray[np.float64], lamps_m: NDArray[np.float64], within_m: float) -> NDArray[np.int64]:
    """Return the lamp nearest to each point, -1 where none is within reach."""
    if len(lamps_m) == 0 or len(points_m) == 0:
        return np.full(len(points_m), -1, dtype=np.int64)
    distance, lamp = cKDTree(lamps_m).query(points_m)
    return np.where(distance <= within_m, lamp, -1).astype(np.int64)


def _open(live: gpd.GeoDataFrame, settings: Settings) -> NDArray[np.bool_]:
    """Tell which released street-light reports are open now, or at the stated `as_of`; one that is gone is not.

    The latest report must not decide what is open, since it may be withheld.
    """
    lit = live["category"].eq("street_light").fillna(False).to_numpy(dtype=bool)
    if settings.city.as_of is not None:
        return np.asarray(lit & live["is_open"].eq(True).to_numpy(dtype=bool))
    closed = live["status"].eq("closed").fillna(False).to_numpy(dtype=bool)
    return np.asarray(lit & ~closed & live["resolved_datetime"].isna().to_numpy(dtype=bool))


def _anchor_points(cells: pd.Series[str], inputs: Inputs) -> NDArray[np.float64]:
    """Return longitude and latitude that stand for each anchor cell: its centre, or a point of it inside the area."""
    distinct = sorted(set(cells))
    inside = shapely.intersection(to_plane(cell_polygons(distinct), inputs.grid.crs), inputs.grid.area)
    centre = shapely.centroid(inside)
    points = np.where(shapely.intersects(inside, centre), centre, shapely.point_on_surface(inside))
    lonlat = shapely.get_coordinates(gpd.GeoSeries(points, crs=inputs.grid.crs).to_crs("EPSG:4326").to_numpy())
    place = {cell: i for i, cell in enumerate(distinct)}
    return lonlat.reshape(-1, 2)[[place[cell] for cell in cells]]


def place_released(released: Released, inputs: Inputs, settings: Settings) -> Placed:
    """Place the released reports as `place_reports` does; what is not published of them is null.

    Incidents of street lights lie on their lamps, all others on the anchor cell's point.
    """
    rows = released.table
    table = gpd.GeoDataFrame(
        rows[["report_id", "category", "counts_open", "is_open"]],
        geometry=gpd.points_from_xy(rows["lon"], rows["lat"]),
        crs="EPSG:4326",
    )
    table["source"], table["incident_id"] = WITHHELD, table["report_id"]
    table["requested_datetime"] = rows["day"].astype("datetime64[ms, UTC]")
    table["quality"], table["depth_m"], table["n_reports"] = None, np.nan, 1
    table["x"], table["y"] = shapely.get_coordinates(to_plane(table.geometry.to_numpy(), inputs.grid.crs)).T
    table["cell"] = cells_of_points(rows["lon"], rows["lat"], inputs.grid.resolution)
    table["cell_position"] = inputs.grid.positions(table["cell"].tolist())
    add_districts(table, inputs)
    incidents = pd.DataFrame(table.drop(columns=["geometry", "cell"])).rename(columns={"cell_position": "cell"})
    incidents["half_x_m"] = incidents["half_y_m"] = 0.0
    lit = table["is_open"].to_numpy(dtype=bool)
    incidents.loc[lit, ["x", "y"]] = rows.loc[lit, ["lamp_x", "lamp_y"]].to_numpy(float)
    as_of = settings.city.as_of if settings.city.as_of is not None else rows["day"].max()
    usable = pd.Series(True, index=table.index)
    return Placed(table, usable, incidents, None if pd.isna(as_of) else pd.Timestamp(as_of))


def enough_lamps(found: LightingZones, min_count: int) -> LightingZones:
    """Return lighting zones, their members, and faults of at least `min_count` dark lamps, zones ranked anew."""
    zones, members = found.zones, found.members
    kept = zones[zones["lamps_affected"].fillna(0).astype(int) >= min_count].reset_index(drop=True)
    kept["priority_rank"] = kept["priority_rank"].rank().astype("int64")
    faults = found.faults[found.faults["lamps_reported"] >= min_count].reset_index(drop=True)
    return replace(found, zones=kept, members=members[members["zone_id"].isin(kept["zone_id"])], faults=faults)


def without_zeros(layers: Mapping[Layer, gpd.GeoDataFrame]) -> dict[Layer, gpd.GeoDataFrame]:
    """Return layers whose counts of reports are null where nothing is released: 0 would be told for 0 to `min_count`-1.

    What is counted beyond 0 is a sum of whole batches: at least so many.
    """
    return {layer: _nulls(table, _COUNTED.get(layer, ())) for layer, table in layers.items()}


def _nulls(table: gpd.GeoDataFrame, prefixes: tuple[str, ...]) -> gpd.GeoDataFrame:
    names = [name for name in table.columns if prefixes and name.startswith(prefixes)]
    return table.assign(**{name: table[name].astype("Int64").where(table[name] > 0) for name in names})


def public_inputs(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the manifest's rows of inputs, those of reports without hash and counts, which withheld reports change."""
    private = ("sha256", "rows_in", "rows_used", "rows_quarantined", "rows_excluded")
    return [row | dict.fromkeys(private) if row["kind"] == "reports" else row for row in files]
