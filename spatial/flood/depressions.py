"""Depressions ("bluespots"): their tree, the rain that fills them, and where a storm's water stands. Arrays only.

The tree is the depression hierarchy of Barnes, Callaghan & Wickert 2020 (Earth Surface Dynamics 8, 431–445), water
moves through it by their fill–spill–merge (2021, 9, 105–121), and the rain that fills a depression with its spill chain
is that of Balstrøm & Crawford 2018 (Computers & Geosciences 118, 1–11), here exact: see `Depressions.rain_to_fill_mm`.

All rain runs off at once over the D8 flow of the raw surface: no infiltration, no drains, no time of travel, no
velocity. A hollow that the elevation does not resolve, or that its noise invents, is not seen, or seen, here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood import fill_spill_merge as kernels
from spatial.flood.rasters import rim

Floats = NDArray[np.floating[Any]]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int32]


@dataclass(frozen=True, eq=False, slots=True)
class Depressions:
    """The depressions of an elevation: plain arrays, which `np.savez` stores and `Depressions(**loaded)` gives back.

    A depression's id is its number. The first ones are simple, one for each pit, in row order of the pits; each later
    one is the pond into which two siblings merge, so a parent's id is above its children's. Pixels are flat indices.

    Attributes
    ----------
    elevation : (rows, columns) float64, metres, NaN outside.
    pixel_size_m : side of a square pixel.
    catchment : (rows, columns) int32, the simple depression whose pit the pixel drains to; -1 where its water leaves,
        -2 in the sea and outside.
    depression : (rows, columns) int32, the smallest depression that wets the pixel when it is full, -1 where none does:
        the first from `catchment` upwards whose spill level lies above the pixel.
    wet_pixels : (pixels with a depression,) int32, lowest first.
    parent : (n,) int32, -1 at the top. children : (n, 2) int32, -1 in simple depressions.
    pit : (n,) int32, lowest pixel; of a flat the first in row order.
    spill_m : (n,) float64, level at which it spills, metres.
    spill_from, spill_to : (n,) int32, last pixel before the spill and first after it; the higher of the two lies at the
        spill level. `spill_to` is -1 where water leaves over the rim.
    spills_into : (n,) int32, the simple depression that the spilt water runs to, -1 where it leaves.
    volume_m3, area_m2, max_depth_m : (n,) float64, of the full depression, children included.
    catchment_m2 : (n,) float64, area that drains into it, children included, its neighbours' spill not.
    rain_to_fill_mm : (n,) float64, depth of a storm, uniform over the land, that just fills it to its spill level.
        Exact within rounding, because water is piecewise linear in rain: what its neighbours pass on counts, a
        neighbour that must fill first is filled first, and a parent fills only after both children.
    spill_order : int32, ids in the order in which they start to spill as rain grows. The second of two siblings to
        fill spills nowhere: it merges into the parent.
    """

    elevation: Array
    pixel_size_m: float
    catchment: Index
    depression: Index
    wet_pixels: Index
    parent: Index
    children: Index
    pit: Index
    spill_m: Array
    spill_from: Index
    spill_to: Index
    spills_into: Index
    volume_m3: Array
    area_m2: Array
    max_depth_m: Array
    catchment_m2: Array
    rain_to_fill_mm: Array
    spill_order: Index


@dataclass(frozen=True, eq=False, slots=True)
class Ponding:
    """Where the water of a storm stands.

    Attributes
    ----------
    depth_m : (rows, columns) float64, 0 on dry land and in the sea, NaN outside.
    pond : (n,) int32, the depression whose water each one is part of: itself, or the ancestor it has merged into.
    water_m3 : (n,) float64, water of each pond; 0 for what has merged, so that it sums to the stored water.
    level_m : (n,) float64, level of each pond; NaN where dry or merged.
    full : (n,) bool, filled to the spill level or beyond.
    overflow_m3 : (n,) float64, what a full pond passed over its spill. 0 for what has merged: how much siblings passed
        to each other before they merged depends on the course of the storm, not on its depth.
    rain_m3, stored_m3, left_m3 : rain on the land = stored + left; stored is summed over `depth_m`.
    """

    depth_m: Array
    pond: Index
    water_m3: Array
    level_m: Array
    full: Mask
    overflow_m3: Array
    rain_m3: float
    stored_m3: float
    left_m3: float


def find_depressions(elevation: Floats, pixel_size_m: float, sea: Mask | None = None) -> Depressions:
    """Find the depressions, their tree and the rain that fills them.

    Parameters
    ----------
    elevation : (rows, columns) float32 or float64, metres, NaN outside; projected, square pixels.
    pixel_size_m : side of a pixel, metres.
    sea : (rows, columns) bool; water that enters it has left. Water leaves over the rim of the known pixels too, NaN
        holes included, as in `terrain.fill_depressions`: full depressions reach its `filled` exactly.

    Raises
    ------
    ContractError
        The elevation is not a 2-D float array with a known pixel, holds infinity, the pixel size is not positive, or
        `sea` is not a bool array of its shape.
    """
    z, water = _checked(elevation, pixel_size_m, sea)
    known = np.isfinite(z)
    exits = rim(z)
    pit_of, pits = kernels.catchments(z, water, exits)
    order = np.argsort(z.ravel(), kind="stable")[: np.count_nonzero(known)].astype(np.int32)
    tree, spill_m, smallest = kernels.merge(z, pit_of, exits | water, order, len(pits))
    parent, spill_from, spill_to = tree
    pit, children, volume, area, catchment = kernels.measure(z, smallest, pit_of, pits, parent, spill_m)
    pixel_m2 = pixel_size_m**2
    spills_into = np.where(spill_to < 0, np.int32(-1), pit_of.ravel()[spill_to])
    rain, spill_order = kernels.fill_times(
        catchment[: len(pits)] * (pixel_m2 / 1000.0), volume * pixel_m2, parent, spills_into
    )
    return Depressions(
        elevation=z,
        pixel_size_m=pixel_size_m,
        catchment=np.where(known & ~water, pit_of, np.int32(-2)),
        depression=smallest,
        wet_pixels=order[smallest.ravel()[order] >= 0],
        parent=parent.copy(),
        children=children,
        pit=pit,
        spill_m=spill_m,
        spill_from=spill_from.copy(),
        spill_to=spill_to.copy(),
        spills_into=spills_into,
        volume_m3=volume * pixel_m2,
        area_m2=area * pixel_m2,
        max_depth_m=spill_m - z.ravel()[pit],
        catchment_m2=catchment * pixel_m2,
        rain_to_fill_mm=rain,
        spill_order=spill_order,
    )


def rain_to_fill_raster_mm(depressions: Depressions) -> Array:
    """Return, per pixel, the uniform storm that fills the smallest depression that wets it (`depression`), mm.

    float64, (rows, columns); NaN where no depression does. The pixel may be wet from less: only then is it as deep as
    that depression makes it.
    """
    inside = depressions.depression >= 0
    rain = np.full(depressions.depression.shape, np.nan)
    rain[inside] = depressions.rain_to_fill_mm[depressions.depression[inside]]
    return rain


def pond(depressions: Depressions, rain_mm: float | Floats) -> Ponding:
    """Let a storm run down, fill, spill and merge (fill–spill–merge), and return where its water stands.

    Parameters
    ----------
    rain_mm : depth of the storm on all land, or (rows, columns) float runoff of each pixel; mm, finite on the land and
        never negative. What a raster says in the sea or outside does not count.

    Raises
    ------
    ContractError
        The rain is negative or unknown on land, or its raster is not float of the elevation's shape.

    Notes
    -----
    The result does not depend on the course of the storm (see `overflow_m3` for what would).
    """
    d = depressions
    pixel_m2 = d.pixel_size_m**2
    rain_m3, full = _runoff_m3(d, rain_mm)
    ponds = kernels.merged(full, d.parent)
    water, passed, left = kernels.settle(rain_m3[2:], full, ponds, d.volume_m3, d.spills_into)
    stands = ponds == np.arange(len(ponds))  # or not there yet: without water, not full
    pixels = d.wet_pixels
    of_pixel = ponds[d.catchment.ravel()[pixels]]
    floor = d.elevation.ravel()[d.pit]
    level = kernels.levels(d.elevation, pixels, of_pixel, floor, water / pixel_m2, d.spill_m, full & stands)
    depth = np.where(np.isfinite(d.elevation), 0.0, np.nan)
    depth.ravel()[pixels] = np.fmax(level[of_pixel] - d.elevation.ravel()[pixels], 0.0)
    return Ponding(
        depth_m=depth,
        pond=ponds,
        water_m3=water,
        level_m=level,
        full=full,
        overflow_m3=passed,
        rain_m3=float(rain_m3[1:].sum()),
        stored_m3=float(np.nansum(depth)) * pixel_m2,
        left_m3=float(left + rain_m3[1]),
    )


def _runoff_m3(d: Depressions, rain_mm: float | Floats) -> tuple[Array, Mask]:
    """Return the runoff, m³, of pixels that do not count, whose water leaves, of each pit; and what is full."""
    pits = np.count_nonzero(d.children[:, 0] < 0)
    to_m3 = d.pixel_size_m**2 / 1000.0
    numbers = d.catchment.ravel() + 2
    if np.ndim(rain_mm) == 0:
        depth = float(rain_mm)
        if not 0 <= depth < np.inf:
            raise ContractError(f"rain {depth} mm is not a finite depth of at least 0")
        pixels = np.bincount(numbers, minlength=pits + 2).astype(np.float64)
        return pixels * (depth * to_m3), d.rain_to_fill_mm <= depth
    runoff = np.asarray(rain_mm)
    if not np.issubdtype(runoff.dtype, np.floating) or runoff.shape != d.catchment.shape:
        raise ContractError(f"rain is {runoff.dtype} of shape {runoff.shape}, expected float of {d.catchment.shape}")
    counted = np.where(d.catchment >= -1, runoff, 0.0).astype(np.float64).ravel() * to_m3
    if not ((counted >= 0) & (counted < np.inf)).all():
        raise ContractError("rain is negative or not finite on land")
    water = np.bincount(numbers, counted, minlength=pits + 2)
    full, _ = kernels.fill_times(water[2:], d.volume_m3, d.parent, d.spills_into)
    return water, full <= 1.0


def _checked(elevation: Floats, pixel_size_m: float, sea: Mask | None) -> tuple[Array, Mask]:
    if elevation.ndim != 2 or elevation.dtype not in (np.float32, np.float64):
        raise ContractError(f"elevation is {elevation.ndim}-D {elevation.dtype}, expected 2-D float32 or float64")
    if elevation.size > np.iinfo(np.int32).max:
        raise ContractError(f"elevation of {elevation.shape} pixels is too large for one piece; cut it by catchment")
    if np.isinf(elevation).any() or np.isnan(elevation).all():
        raise ContractError("elevation holds infinity or no known pixel")
    if not 0 < pixel_size_m < np.inf:
        raise ContractError(f"pixel size {pixel_size_m} is not a positive number")
    if sea is not None and (sea.dtype != np.bool_ or sea.shape != elevation.shape):
        raise ContractError(f"sea is {sea.dtype} of shape {sea.shape}, expected bool of {elevation.shape}")
    z = np.ascontiguousarray(elevation, dtype=np.float64)
    return z, np.isfinite(z) & (False if sea is None else sea)
