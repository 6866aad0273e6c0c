"""The depressions of a city as a layer: the whole ponds, at the top of their trees, that are deep enough to matter."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from spatial.contracts import Raster
from spatial.flood.depressions import Depressions
from spatial.pipeline.pixels import centres, outlines

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Hollows:
    """The ponds that are published.

    Attributes
    ----------
    chosen : (n,) ids of depressions at the top of their trees.
    top : (all depressions,) the id at the top of the tree of each.
    table : n rows with the contract's columns but for `frequency` and those of a scenario; outlines in CRS84.
    """

    chosen: Ids
    top: Ids
    table: gpd.GeoDataFrame


def find_hollows(depressions: Depressions, raster: Raster, area: BaseGeometry, least_depth_m: float) -> Hollows:
    """Return the ponds of at least `least_depth_m` that meet the area.

    Parameters
    ----------
    raster : the elevation's grid. area : in its plane.
    """
    d = depressions
    top = tops(d)
    deep = np.flatnonzero((d.parent < 0) & (d.max_depth_m >= least_depth_m))
    position = np.full(len(top), -1, dtype=np.int32)
    position[deep] = np.arange(len(deep))
    labels = at_pixels(position, at_pixels(top, d.depression))
    shapes = gpd.GeoSeries(outlines(labels, raster, len(deep)), crs=raster.crs)
    near = shapes.intersects(area).to_numpy(dtype=bool)
    chosen = deep[near]
    names = np.full(len(top), None, dtype=object)
    names[chosen] = _names(d.pit[chosen], raster)
    published = np.zeros(len(top), dtype=bool)
    published[chosen] = True
    next_ = _next(d, top, published)
    order = np.zeros(len(top), dtype=np.int64)
    order[d.spill_order] = np.arange(1, len(d.spill_order) + 1)
    table = gpd.GeoDataFrame(
        {
            "depression_id": pd.Series(names[chosen], dtype="string"),
            "depth_max_m": d.max_depth_m[chosen],
            "volume_m3": d.volume_m3[chosen],
            "area_km2": d.area_m2[chosen] / 1e6,
            "catchment_km2": d.catchment_m2[chosen] / 1e6,
            "rain_to_fill_mm": d.rain_to_fill_mm[chosen],
            "spills_into": pd.Series(np.where(next_[chosen] >= 0, names[next_[chosen]], None), dtype="string"),
            "spill_order": pd.Series(order[chosen]).rank(method="first").astype("int64"),
        },
        geometry=shapes[near].to_crs("EPSG:4326").to_numpy(),
        crs="EPSG:4326",
    )
    return Hollows(chosen, top, table)


def tops(depressions: Depressions) -> Ids:
    """Return the id at the top of the tree of every depression; (n,)."""
    parent = depressions.parent.astype(np.int64)
    top = np.where(parent < 0, np.arange(len(parent)), parent)
    while not np.array_equal(further := top[top], top):
        top = further
    return top


def at_pixels(values: NDArray[np.integer], number: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return the value of each pixel's depression, -1 where its number is negative; (rows, columns).

    Parameters
    ----------
    values : (all depressions,), may be empty. number : (rows, columns), as `Depressions.depression` or `.catchment`.
    """
    found = np.full(number.shape, -1, dtype=np.int32)
    found[number >= 0] = values[number[number >= 0]]
    return found


def _names(pit: NDArray[np.integer], raster: Raster) -> list[str]:
    """Return an id per depression that does not depend on its number: where its pit lies."""
    points = gpd.GeoSeries(gpd.points_from_xy(*centres(raster, pit).T), crs=raster.crs).to_crs("EPSG:4326")
    return [f"depression/{p.x:.6f},{p.y:.6f}" for p in points]


def _next(d: Depressions, top: Ids, published: NDArray[np.bool_]) -> Ids:
    """Return for each pond the next published one down its spills, -1 where the water leaves before."""
    further = np.where(d.spills_into < 0, -1, top[d.spills_into])
    found = further.copy()
    while (skip := (found >= 0) & ~published[found]).any():
        found[skip] = further[found[skip]]
    return found
