"""The ground of a city: what its elevation says of every pixel, and of every cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spatial.config import Settings
from spatial.contracts import Progress, Raster
from spatial.flood.burn import burn, line_pixels
from spatial.flood.dem_error import DemErrorParameters, depression_frequency, false_frequency
from spatial.flood.depressions import Depressions, find_depressions, rain_to_fill_raster_mm
from spatial.flood.gfi import disagreement, first_stream_gfi, flow_path_gfi
from spatial.flood.susceptibility import memberships
from spatial.flood.terrain import Terrain, analyse
from spatial.flood.wetness import slope_deg
from spatial.hexgrid.join import raster_cells, to_plane, zonal
from spatial.pipeline.hollows import at_pixels, tops
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
    "depression_frequency",
    "rain_to_fill_mm",
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
    frequency : how often a hollow survives the elevation's error, 0–1; None where that error is not known.
    depressions : those of the elevation, with the rain that fills them.
    cut : the elevation with waterways, culverts and bridges cut in, which leads the flow; None where nothing was cut.
    """

    elevation: Raster
    cut: Array | None
    terrain: Terrain
    cell: NDArray[np.int32]
    parts: Mapping[str, Array]
    gfi: Array
    frequency: NDArray[np.float32] | None
    depressions: Depressions

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
            "rain_to_fill": rain_to_fill_raster_mm(self.depressions),
            "flood_susceptibility": self.susceptibility,
        }
        if self.cut is not None:
            values["elevation_cut"] = self.cut
        if self.frequency is not None:
            values["depression_frequency"] = self.frequency
        transform, crs = self.elevation.transform, self.elevation.crs
        return {name: Raster(of.astype(np.float32), transform, crs) for name, of in values.items()}


def study_ground(inputs: Inputs, settings: Settings, progress: Progress) -> Ground | None:
    """Return the ground of a city, None without elevation."""
    if inputs.elevation is None:
        return None
    raster = inputs.elevation
    cut = _cut(raster, inputs, settings)
    terrain = analyse(raster.values, raster.pixel_size_m, settings.terrain, cut)
    surface = np.where(terrain.sea, settings.terrain.sea_level_m, np.fmax(terrain.filled, terrain.elevation))
    error = settings.dem_error.error()
    bed = terrain.elevation if cut is None else cut
    height = flow_path_gfi(terrain, surface, settings.gfi)
    sigma_m = 0.0 if error is None else error.sigma_m
    return Ground(
        elevation=raster,
        cut=cut,
        terrain=terrain,
        cell=raster_cells(raster, inputs.grid.polygons),
        parts=memberships(terrain, height, raster.pixel_size_m, sigma_m, settings.susceptibility),
        gfi=first_stream_gfi(terrain, surface, settings.gfi),
        depressions=find_depressions(bed, raster.pixel_size_m, terrain.sea),
        frequency=None if error is None else _frequency(bed, terrain, settings, progress),
    )


def _cut(raster: Raster, inputs: Inputs, settings: Settings) -> Array | None:
    """Return the elevation with the mapped waterways cut in, None where the city does not ask for it or maps none.

    Waterways of kind `culvert` or `tunnel` are culverts, those of kind `bridge` decks.
    """
    if "waterways" not in inputs.context or not (settings.burn.burn_waterways or settings.burn.burn_culverts):
        return None
    table = inputs.context["waterways"]
    lines = to_plane(table.geometry.to_numpy(), raster.crs)
    kind = table["kind"].fillna("").str.lower().to_numpy(dtype=object)
    culvert, bridge = np.isin(kind, ("culvert", "tunnel")), kind == "bridge"
    waterways, culverts, bridges = (
        [path for line in lines[chosen] for path in line_pixels(line, raster.transform, raster.values.shape)]
        for chosen in (~(culvert | bridge), culvert, bridge)
    )
    return burn(raster.values, waterways, culverts, bridges, settings.burn).elevation


def _frequency(
    bed: NDArray[np.floating[Any]], terrain: Terrain, settings: Settings, progress: Progress
) -> NDArray[np.float32]:
    progress.stage("dem_error", "Mensimulasikan galat elevasi / simulating the elevation's error")
    return depression_frequency(bed, terrain.sea, terrain.pixel_size_m, settings.dem_error)


def add_ground(
    cells: gpd.GeoDataFrame, ground: Ground | None, least_depth_m: float, facts: Facts
) -> dict[str, Array] | None:
    """Add the terrain's columns to the cells, its shares to `facts`; return the susceptibility's parts per cell.

    `least_depth_m`: depressions shallower than this have no rain that fills them.
    """
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
    cells["rain_to_fill_mm"] = _rain_to_fill_mm(ground, least_depth_m, n)
    if ground.frequency is not None:  # the mean, as of a plane: the highest of a hundred pixels is high anywhere
        cells["depression_frequency"] = zonal(ground.frequency, land, n)["mean"]
    parts = {name: zonal(values, land, n)["mean"].to_numpy() for name, values in ground.parts.items()}
    cells["flood_susceptibility"] = np.sum(list(parts.values()), axis=0).clip(0.0, 1.0)
    cells["gfi_disagreement"] = disagreement(
        cells["flood_susceptibility"].to_numpy(float), cells["gfi_mean"].to_numpy(float)
    )
    facts.update(_shares(ground))
    return parts


def false_hollows(ground: Ground, parameters: DemErrorParameters) -> Facts:
    """Return how often the error alone makes a hollow on ground without any, of the city's median slope.

    The slope is that of blocks of ten pixels' side: a DEM's slope from pixel to pixel is mostly its error.
    """
    size, side = ground.elevation.pixel_size_m, 10
    rows, columns = (n // side * side for n in ground.land.shape)
    if ground.frequency is None or min(rows, columns) < 3 * side:
        return {}
    height = ground.elevation.values[:rows, :columns].astype(np.float64)
    inside = (ground.land[:rows, :columns] >= 0) & np.isfinite(height)
    blocks = (rows // side, side, columns // side, side)
    number = inside.reshape(blocks).sum(axis=(1, 3))
    mean = np.where(inside, height, 0.0).reshape(blocks).sum(axis=(1, 3)) / np.where(number > 0, number, np.nan)
    slope = float(np.median(slopes)) if (slopes := slope_deg(mean, size * side)[number > 0]).size else np.nan
    if not 0 < slope < 90:
        return {}
    false = false_frequency(slope, size, parameters)
    return {
        "ground_slope_deg": slope,
        "depression_false_frequency": false.mean,
        "depression_false_frequency_95": false.high,
    }


def _rain_to_fill_mm(ground: Ground, least_depth_m: float, n: int) -> Array:
    """Return the rain that fills the pond of each cell's deepest hollow; NaN where none is deep enough."""
    depth, land = ground.terrain.depression_depth, ground.land
    pond = at_pixels(tops(ground.depressions), ground.depressions.depression)
    inside = (land >= 0) & (pond >= 0) & (depth >= least_depth_m)
    table = pd.DataFrame({"cell": land[inside], "depth": depth[inside], "pond": pond[inside]})
    deepest = table.sort_values(["cell", "depth", "pond"], ascending=[True, False, True]).drop_duplicates("cell")
    rain = np.full(n, np.nan)
    rain[deepest["cell"]] = ground.depressions.rain_to_fill_mm[deepest["pond"]]
    return rain


def _shares(ground: Ground) -> Facts:
    """Return shares over the land pixels of the city's cells."""
    terrain, inside = ground.terrain, ground.cell >= 0
    land = (ground.land >= 0) & np.isfinite(terrain.elevation)
    total = max(int(land.sum()), 1)
    return {
        "sea_share_of_cells": float((terrain.sea & inside).sum() / max(int(inside.sum()), 1)),
        "catchment_touches_edge_share": float((terrain.edge_fed & land).sum() / total),
        "cut_pixels": 0 if ground.cut is None else int((ground.cut < terrain.elevation).sum()),
        "hand_unknown_share": float((~np.isfinite(terrain.hand) & land).sum() / total),
    }
