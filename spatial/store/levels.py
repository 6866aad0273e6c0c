"""What of a layer is drawn at which zoom of its vector tiles.

From a stated zoom on, every feature is there as itself. Below it, cells are drawn as their H3 parents, points as counts
(`point_count`), main roads alone, and other layers not at all. Zones are there at every zoom.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from spatial.contracts import Layer
from spatial.hexgrid.grid import cells_of_points, mean_cell_area_km2, resolution_of
from spatial.store.parents import RULES, parent_cells

MIN_ZOOM, MAX_ZOOM = 5, 14
EXTENT = 4096  # units of the grid of a tile, along either side
EQUATOR_M = 2 * math.pi * 6378137.0
CELL_PX, COUNT_PX = 6.0, 16.0  # least width on screen of a cell, and of the cell in which points are counted
POINT_COUNT = "point_count"
MAIN_ROADS = ("motorway", "trunk", "primary", "secondary")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a layer is drawn.

    Attributes
    ----------
    whole : zoom from which every feature is there as itself.
    below : what is drawn under that zoom: nothing, counts of points, or main roads.
    first : lowest zoom of what is drawn below.
    key : with counts, the column whose values are counted apart.
    least : units of a tile's grid that a feature is drawn with at least, along its longer side.
    """

    whole: int
    below: Literal["nothing", "counts", "main"] = "nothing"
    first: int = MIN_ZOOM
    key: str = ""
    least: int = 2


PLANS: Mapping[str, Plan] = {
    "reports": Plan(13, "counts", key="category"),
    "roads": Plan(12, "main", first=8),
    "flood_zones": Plan(MIN_ZOOM, least=32),
    "lighting_zones": Plan(MIN_ZOOM, least=32),
    "lighting_faults": Plan(12, "counts", key="kind"),
    "admin_areas": Plan(8),
    "streams": Plan(10),
    "catchments": Plan(8),
    "waterways": Plan(11),
    "buildings": Plan(14),
    "facilities": Plan(12, "counts", key="kind"),
    "street_lamps": Plan(13, "counts", key="kind"),
    "depressions": Plan(12),
    "scenario_roads": Plan(10),
    "scenario_depressions": Plan(10),
}


@dataclass(frozen=True, eq=False, slots=True)
class Level:
    """Features that are drawn alike from zoom `first` to `last`; `whole`: they are the layer's own."""

    first: int
    last: int
    table: gpd.GeoDataFrame
    whole: bool


def resolution_at(zoom: int, least_px: float) -> int:
    """Return the finest H3 resolution whose mean cell is at least so many pixels wide at a zoom.

    A pixel is 1/256 of a tile of WebMercatorQuad at the equator; elsewhere cells look wider.
    """
    pixel_m = EQUATOR_M / 256 / 2**zoom
    wide = [r for r in range(16) if 1000 * math.sqrt(2 * mean_cell_area_km2(r) / math.sqrt(3)) >= least_px * pixel_m]
    return max(wide, default=0)


def _whole(layer: Layer, table: gpd.GeoDataFrame) -> int:
    """Return the zoom from which every feature of a layer, of at least one, is in its tiles as itself."""
    if layer.name not in RULES:
        return PLANS[layer.name].whole
    own = resolution_of(table["cell"].iloc[0])
    return next((z for z in range(MIN_ZOOM, MAX_ZOOM) if resolution_at(z, CELL_PX) >= own), MAX_ZOOM)


def levels(layer: Layer, table: gpd.GeoDataFrame) -> list[Level]:
    """Return what is drawn of a layer, from low zooms to high.

    Parameters
    ----------
    table : at least one feature, checked against the layer, CRS84.
    """
    whole = _whole(layer, table)
    return [*_below(layer, table, whole), Level(whole, MAX_ZOOM, table, whole=True)]


def _below(layer: Layer, table: gpd.GeoDataFrame, whole: int) -> Iterator[Level]:
    if layer.name in RULES:
        for resolution, first, last in _runs(MIN_ZOOM, whole, CELL_PX):
            yield Level(first, last, parent_cells(layer, table, resolution), whole=False)
        return
    plan = PLANS[layer.name]
    if plan.below == "counts":
        for resolution, first, last in _runs(plan.first, whole, COUNT_PX):
            yield Level(first, last, _counted(table, plan.key, resolution), whole=False)
    if plan.below == "main":
        main = table["highway"].str.removesuffix("_link").isin(MAIN_ROADS).fillna(False).to_numpy(dtype=bool)
        yield Level(plan.first, whole - 1, table[main], whole=True)


def _runs(first: int, whole: int, least_px: float) -> Iterator[tuple[int, int, int]]:
    """Yield the resolution and the first and last zoom of each run of zooms below `whole` that share it."""
    zooms = range(first, whole)
    for resolution in sorted({resolution_at(z, least_px) for z in zooms}):
        run = [z for z in zooms if resolution_at(z, least_px) == resolution]
        yield resolution, run[0], run[-1]


def _counted(table: gpd.GeoDataFrame, key: str, resolution: int) -> gpd.GeoDataFrame:
    """Return one point per cell and value of `key`, at the mean of what it stands for, with their `point_count`."""
    lon, lat = shapely.get_coordinates(table.geometry.to_numpy()).T
    rows = pd.DataFrame({"cell": cells_of_points(lon, lat, resolution), key: table[key].to_numpy(object)})
    rows = rows.assign(lon=lon, lat=lat, n=1)
    counted = rows.groupby(["cell", key], dropna=False).agg({"lon": "mean", "lat": "mean", "n": "sum"}).reset_index()
    points = gpd.points_from_xy(counted["lon"], counted["lat"])
    return gpd.GeoDataFrame(counted[[key]].assign(**{POINT_COUNT: counted["n"]}), geometry=points, crs="EPSG:4326")


def shown_from(geometry: NDArray[np.object_], least: int) -> NDArray[np.int64]:
    """Return the zoom from which each line or polygon is large enough to be drawn as it is; (n,) int64.

    Large enough: `least` units of a tile's grid along its longer side, and 2 units thick on average if it is a polygon.
    """
    west, south, east, north = shapely.bounds(geometry).T
    narrowing = np.cos(np.radians((south + north) / 2))
    longer = np.maximum(east - west, (north - south) / narrowing) / 360 * EXTENT  # units at zoom 0
    area = shapely.area(geometry) / narrowing / 360**2 * EXTENT**2
    with np.errstate(divide="ignore", invalid="ignore"):
        by_length = np.ceil(np.log2(least / longer))
        by_width = np.where(shapely.get_dimensions(geometry) == 2, np.ceil(np.log2(2 * longer / area)), -np.inf)
        needed = np.fmax(by_length, by_width)
    zooms: NDArray[np.int64] = np.clip(np.nan_to_num(needed, nan=99, posinf=99), 0, 99).astype(np.int64)
    return zooms


def enlarged(geometry: NDArray[np.object_], zoom: int, least: int) -> NDArray[np.object_]:
    """Return what stands at a zoom for features too small to be drawn: their box, or a line, of `least` units."""
    west, south, east, north = shapely.bounds(geometry).T
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    half_x = np.maximum(east - west, least * 360 / EXTENT / 2**zoom) / 2
    half_y = np.maximum(north - south, least * 360 / EXTENT / 2**zoom * np.cos(np.radians(middle_y))) / 2
    drawn = np.array(shapely.box(middle_x - half_x, middle_y - half_y, middle_x + half_x, middle_y + half_y))
    ends = np.stack([middle_x - half_x, middle_y, middle_x + half_x, middle_y], axis=1).reshape(-1, 2, 2)
    is_line = shapely.get_dimensions(geometry) == 1
    drawn[is_line] = shapely.linestrings(ends[is_line])
    return drawn
