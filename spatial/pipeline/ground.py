"""The ground of a city: what its elevation says of every pixel, and of every cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from spatial.config import Settings
from spatial.contracts import Raster
from spatial.flood.gfi import disagreement, first_stream_gfi, flow_path_gfi
from spatial.flood.susceptibility import memberships
from spatial.flood.terrain import Terrain, analyse
from spatial.hexgrid.join import raster_cells, zonal
from spatial.pipeline.inputs import Inputs

Array = NDArray[np.float64]
Facts = dict[str, float | int | str | None]
COLUMNS = (
    "elevation_mean_m",
    "elevation_min_m",
    "slope_mean_deg",
    "hand_mean_m",
    "hand_min_m",
    "twi_mean",
    "gfi_mean",
    "gfi_disagreement",
    "edge_fed_share",
    "depression_depth_max_m",
    "flood_susceptibility",
)


@dataclass(frozen=True, eq=False, slots=True)
class Ground:
    """What the elevation says; arrays are (rows, columns) on `elevation`'s grid, NaN outside and in the sea.

    Attributes
    ----------
    cell : position of the cell that holds the pixel's centre, -1 for none.
    parts : the susceptibility's parts; their sum is the susceptibility.
    gfi : BNPB's twin, over the first stream.
    """

    elevation: Raster
    terrain: Terrain
    cell: NDArray[np.int32]
    parts: Mapping[str, Array]
    gfi: Array

    @property
    def land(self) -> NDArray[np.int32]:
        """Position of the cell that holds the pixel's centre, -1 for none and in the sea."""
        return np.where(self.terrain.sea, np.int32(-1), self.cell)

    @property
    def susceptibility(self) -> Array:
        """Susceptibility of each pixel, 0–1."""
        return np.asarray(np.sum(list(self.parts.values()), axis=0).clip(0.0, 1.0))

    def rasters(self) -> dict[str, Raster]:
        """Return the rasters that a version publishes, by the name of their coverage."""
        terrain = self.terrain
        heights = {"hand": terrain.hand, "twi": terrain.twi, "depression_depth": terrain.depression_depth}
        inside = np.where(self.land >= 0, self.susceptibility, np.nan)
        values: dict[str, NDArray[np.floating[Any]]] = {
            "elevation": terrain.elevation,
            **{name: np.where(terrain.sea, np.nan, height) for name, height in heights.items()},
            "gfi": self.gfi,
            "gfi_disagreement": disagreement(inside, self.gfi),
            "flood_susceptibility": self.susceptibility,
        }
        transform, crs = self.elevation.transform, self.elevation.crs
        return {name: Raster(of.astype(np.float32), transform, crs) for name, of in values.items()}


def study_ground(inputs: Inputs, settings: Settings) -> Ground | None:
    """Return the ground of a city, None without elevation."""
    if inputs.elevation is None:
        return None
    raster = inputs.elevation
    terrain = analyse(raster.values, raster.pixel_size_m, settings.terrain)
    surface = np.where(terrain.sea, settings.terrain.sea_level_m, terrain.filled)
    parts = memberships(
        terrain, flow_path_gfi(terrain, surface, settings.gfi), raster.pixel_size_m, 0.0, settings.susceptibility
    )
    twin = first_stream_gfi(terrain, surface, settings.gfi)
    return Ground(raster, terrain, raster_cells(raster, inputs.grid), parts, twin)


def add_ground(cells: gpd.GeoDataFrame, ground: Ground | None, facts: Facts) -> dict[str, Array] | None:
    """Add the terrain's columns to the cells, its shares to `facts`; return the susceptibility's parts per cell."""
    for name in COLUMNS:
        cells[name] = np.nan
    if ground is None:
        return None
    terrain, land, n = ground.terrain, ground.land, len(cells)
    elevation, hand = zonal(ground.elevation.values, ground.cell, n), zonal(terrain.hand, land, n)
    cells["elevation_mean_m"], cells["elevation_min_m"] = elevation["mean"], elevation["minimum"]
    cells["hand_mean_m"], cells["hand_min_m"] = hand["mean"], hand["minimum"]
    for column, values in (
        ("slope_mean_deg", terrain.slope_deg),
        ("twi_mean", terrain.twi),
        ("gfi_mean", ground.gfi),
        ("edge_fed_share", np.where(np.isfinite(terrain.elevation), terrain.edge_fed, np.nan)),
    ):
        cells[column] = zonal(values, land, n)["mean"]
    cells["depression_depth_max_m"] = zonal(terrain.depression_depth, land, n)["maximum"]
    parts = {name: zonal(values, land, n)["mean"].to_numpy() for name, values in ground.parts.items()}
    cells["flood_susceptibility"] = np.sum(list(parts.values()), axis=0).clip(0.0, 1.0)
    cells["gfi_disagreement"] = disagreement(
        cells["flood_susceptibility"].to_numpy(float), cells["gfi_mean"].to_numpy(float)
    )
    facts.update(_shares(ground))
    return parts


def _shares(ground: Ground) -> dict[str, float]:
    """Return shares over the land pixels of the city's cells."""
    terrain, inside = ground.terrain, ground.cell >= 0
    land = (ground.land >= 0) & np.isfinite(terrain.elevation)
    total = max(int(land.sum()), 1)
    return {
        "sea_share_of_cells": float((terrain.sea & inside).sum() / max(int(inside.sum()), 1)),
        "catchment_touches_edge_share": float((terrain.edge_fed & land).sum() / total),
        "hand_unknown_share": float((~np.isfinite(terrain.hand) & land).sum() / total),
    }
