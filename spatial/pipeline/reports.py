"""Reports in their place: cell, district, nearest road, quality flags, and the distinct incidents they tell of."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from spatial.config import Settings
from spatial.contracts import QUALITY_FLAGS
from spatial.hexgrid.grid import cells_of_points
from spatial.hexgrid.join import nearest_lines, to_plane
from spatial.lighting.snapping import rounding_half_m
from spatial.pipeline.inputs import Inputs
from spatial.sources.cleaning import default_locations
from spatial.sources.duplicates import duplicates
from spatial.sources.redaction import redact_column

ROUNDED_DECIMALS = 4


@dataclass(frozen=True, eq=False, slots=True)
class Placed:
    """Reports with the contract's columns, and incidents.

    Attributes
    ----------
    reports : every report of the snapshot, its description without personal data; also `x, y` (m) and `cell_position`
        (-1 outside the cells).
    usable : (n,) bool: inside the area, not on a default location, and not made after `as_of`.
    incidents : one row per distinct incident of the usable reports: `incident_id, category, cell, x, y,
        requested_datetime, n_reports, depth_m, is_open, counts_open`, and the first report's district; `depth_m` is the
        deepest that its reports tell, NaN where none does; `counts_open`: counts in the cells as open.
    as_of : the moment the run speaks of, UTC; None where no report has a time.
    """

    reports: gpd.GeoDataFrame
    usable: pd.Series
    incidents: pd.DataFrame
    as_of: pd.Timestamp | None


def public_texts(reports: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return reports with personal data taken out of their texts: all that a run makes of them, hashes too, is public.

    The live table keeps the texts as delivered. Ids and sources hold none (`sources.reports` sees to it).
    """
    return reports.assign(**{name: redact_column(reports[name]) for name in ("category_raw", "description")})


def place_reports(
    snapshot: gpd.GeoDataFrame, inputs: Inputs, roads: gpd.GeoDataFrame | None, settings: Settings
) -> Placed:
    """Place the reports of a snapshot (CRS84 points, texts as of `public_texts`) in the city.

    Parameters
    ----------
    roads : the city's roads in the UTM plane, in id order, or None.
    """
    table = snapshot.reset_index(drop=True)
    plane = to_plane(table.geometry.to_numpy(), inputs.grid.crs)
    table["x"], table["y"] = shapely.get_x(plane), shapely.get_y(plane)
    table["cell"] = cells_of_points(table.geometry.x, table.geometry.y, inputs.grid.resolution)
    table["cell_position"] = inputs.grid.positions(table["cell"].tolist())
    flags = _flags(table, plane, inputs, settings)
    usable = ~(flags["outside_area"] | flags["default_location"])
    as_of = _as_of(settings, table[usable])
    if as_of is not None:
        usable &= ~(table["requested_datetime"] > as_of)
    first = np.arange(len(table))
    where = np.flatnonzero(usable)
    days = (table["requested_datetime"] - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    first[where] = where[
        duplicates(
            table.loc[usable, ["x", "y"]].to_numpy(float),
            table.loc[usable, "category"],
            days[usable].to_numpy(float),
            table.loc[usable, "report_id"],
            settings.cleaning,
            table.loc[usable, "description"].tolist(),
        )
    ]
    ids = table["report_id"].to_numpy(dtype=object)
    flags["duplicate"] = first != np.arange(len(table))
    table["duplicate_of"] = np.where(flags["duplicate"], ids[first], None)
    table["incident_id"] = np.where(usable, ids[first], None)
    table["quality"] = [
        ",".join(name for name in QUALITY_FLAGS if row[name]) or None for row in flags.to_dict("records")
    ]
    add_districts(table, inputs)
    _add_roads(table, plane, roads)
    table["is_open"] = _open(table, as_of)
    return Placed(table, usable, _incidents(table[usable]), as_of)


def _flags(table: gpd.GeoDataFrame, plane: np.ndarray, inputs: Inputs, settings: Settings) -> pd.DataFrame:
    flags = pd.DataFrame(False, index=table.index, columns=list(QUALITY_FLAGS))
    flags["outside_area"] = ~shapely.intersects(inputs.grid.area, plane) | (table["cell_position"] < 0)
    inside = ~flags["outside_area"]
    flags.loc[inside, "default_location"] = default_locations(
        table.loc[inside, ["x", "y"]].to_numpy(float), settings.cleaning
    )
    flags["time_unknown"] = table["requested_datetime"].isna()
    flags["location_rounded"] = table["decimals"] <= ROUNDED_DECIMALS
    return flags


def add_districts(table: gpd.GeoDataFrame, inputs: Inputs) -> None:
    """Add kelurahan, kecamatan and `area_id` of the points' place, null outside all of them."""
    table["kelurahan"] = table["kecamatan"] = table["area_id"] = None
    for level in ("kecamatan", "kelurahan"):
        if level in inputs.admin:
            areas = inputs.admin[level]
            point, area = shapely.STRtree(areas.geometry.to_numpy()).query(table.geometry.to_numpy(), "intersects")
            found = pd.Series(area, index=point).groupby(level=0).min().reindex(table.index)
            known = found.notna()
            position = found[known].astype(int)
            table.loc[known, level] = areas["name"].to_numpy()[position]
            table.loc[known, "area_id"] = areas["area_id"].to_numpy()[position]


def _add_roads(table: gpd.GeoDataFrame, plane: np.ndarray, roads: gpd.GeoDataFrame | None) -> None:
    table["road_id"], table["road_distance_m"] = None, np.nan
    if roads is not None and len(roads) and len(table):
        near = nearest_lines(plane, roads.geometry.to_numpy())
        table.loc[near.index, "road_id"] = roads["road_id"].to_numpy(dtype=object)[near["line"]]
        table.loc[near.index, "road_distance_m"] = near["distance_m"].to_numpy()


def _as_of(settings: Settings, table: gpd.GeoDataFrame) -> pd.Timestamp | None:
    if settings.city.as_of is not None:
        return pd.Timestamp(settings.city.as_of)
    latest = table["requested_datetime"].max()
    return None if pd.isna(latest) else latest


def _open(table: gpd.GeoDataFrame, as_of: pd.Timestamp | None) -> pd.Series:
    """Tell which reports are open at `as_of`: made by then, and not resolved by then; without a time status decides."""
    resolved = table["resolved_datetime"]
    is_open = ~table["status"].eq("closed").fillna(False).to_numpy(dtype=bool)
    if as_of is not None:
        made = (table["requested_datetime"].isna() | (table["requested_datetime"] <= as_of)).to_numpy(dtype=bool)
        is_open = made & np.where(resolved.notna(), resolved > as_of, is_open)
    return pd.Series(is_open, index=table.index)


def _incidents(reports: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the incidents: place and district of the first report, the deepest water, open if any report is."""
    groups = reports.groupby("incident_id", sort=True)
    first = reports.set_index("report_id").loc[list(groups.groups)]
    table = first[["category", "x", "y", "requested_datetime", "kelurahan", "kecamatan", "area_id"]].copy()
    table["cell"] = first["cell_position"]
    halves = rounding_half_m(first["decimals"].to_numpy(np.int64), first.geometry.y.to_numpy())
    table["half_x_m"], table["half_y_m"] = halves.T
    table["n_reports"] = groups.size().to_numpy()
    table["depth_m"] = groups["depth_m"].max().to_numpy(float)
    table["is_open"] = table["counts_open"] = groups["is_open"].any().to_numpy()
    return pd.DataFrame(table.rename_axis("incident_id").reset_index())
