"""The city's roads and lamps in the plane of its UTM zone."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial.hexgrid.join import line_lengths, to_plane
from spatial.pipeline.inputs import Inputs
from spatial.sources.redaction import redact_column

SAME_LAMP_M = 5.0  # mapped from the air and measured in the street (ours)


@dataclass(frozen=True, eq=False, slots=True)
class Plane:
    """The city's roads and lamps in the UTM plane, roads clipped to the area; `lengths` are metres by road and cell."""

    roads: gpd.GeoDataFrame | None
    lengths: pd.DataFrame
    lamps: gpd.GeoDataFrame | None
    roads_outside: int


def to_city_plane(inputs: Inputs) -> Plane:
    """Transform roads and lamps to the UTM plane and clip roads to the area."""
    grid = inputs.grid
    lamps = city_lamps(inputs)
    if inputs.roads is None:
        return Plane(None, pd.DataFrame({"line": [], "cell": [], "length_m": []}), lamps, 0)
    clipped = shapely.intersection(to_plane(inputs.roads.geometry.to_numpy(), grid.crs), grid.area)
    inside = shapely.length(clipped) > 0
    lines = np.array([_lines(shape) for shape in clipped[inside]], dtype=object)
    roads = gpd.GeoDataFrame(
        inputs.roads.loc[inside].drop(columns="geometry").reset_index(drop=True), geometry=lines, crs=grid.crs
    )
    roads["name"] = redact_column(roads["name"])  # it enters explanations
    return Plane(roads, line_lengths(lines, grid), lamps, int((~inside).sum()))


def city_lamps(inputs: Inputs) -> gpd.GeoDataFrame | None:
    """Return the lamps inside the area in the UTM plane, None where the city names none."""
    if inputs.lamps is None:
        return None
    grid = inputs.grid
    lamps = gpd.GeoDataFrame(
        inputs.lamps.drop(columns="geometry"),
        crs=grid.crs,
        geometry=to_plane(inputs.lamps.geometry.to_numpy(), grid.crs),
    )
    lamps = lamps[shapely.intersects(grid.area, lamps.geometry.to_numpy())].reset_index(drop=True)
    return lamps[~_known_already(lamps)].reset_index(drop=True)


def _known_already(lamps: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Tell which lamps of OpenStreetMap stand within `SAME_LAMP_M` of one of an inventory: they are one pole."""
    points, mapped = shapely.get_coordinates(lamps.geometry.to_numpy()), lamps["source"].eq("osm").to_numpy(dtype=bool)
    if mapped.all() or not mapped.any():
        return np.zeros(len(lamps), dtype=bool)
    distance, _ = cKDTree(points[~mapped]).query(points)
    return np.asarray(mapped & (distance <= SAME_LAMP_M))


def _lines(shape: shapely.Geometry) -> shapely.MultiLineString:
    parts = shapely.get_parts(shape)
    return shapely.MultiLineString([p for p in parts if p.geom_type == "LineString" and p.length > 0])
