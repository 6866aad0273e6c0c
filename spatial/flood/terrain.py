"""Terrain on a DEM: filled depressions, flow, drainage, HAND, TWI, slope. Arrays only: no files, no CRS.

Rasters are (rows, columns) with square pixels; heights are metres, NaN outside. Flow is D8 on the filled surface.
`downstream` holds the flat index (row · columns + column) of the next pixel, -1 where the flow ends and outside.
`order` lists the known pixels from the outlets upwards: each comes after the pixel that it drains to.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, label

from spatial.errors import ContractError

Floats = NDArray[np.floating[Any]]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int32]
_EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True)
class TerrainParameters:
    """How the terrain is read.

    Attributes
    ----------
    stream_threshold_km2 : least upstream area that makes drainage. HAND depends on it and no value is right everywhere;
        1 km² is common for DEMs of 30 m (Rennó et al. 2008 fit it to the mapped network).
    sea_level_m, sea_min_area_km2 : pixels at or below the level that form a connected water surface of at least this
        area and touch the edge of the elevation are sea.
    slope_floor_deg : least slope used in TWI, so that flat ground stays finite.
    """

    stream_threshold_km2: float = 1.0
    sea_level_m: float = 0.0
    sea_min_area_km2: float = 1.0
    slope_floor_deg: float = 0.1


@dataclass(frozen=True, eq=False, slots=True)
class Terrain:
    """What `analyse` computes; (rows, columns) each. Outside: NaN in floats, False in masks, 0 in `accumulation`.

    Attributes
    ----------
    elevation, filled, depression_depth : float64, metres; the depth is `filled - elevation`, never negative.
    sea, drainage, edge_fed : bool; the sea is drainage; `edge_fed` pixels drain ground at the edge of the elevation.
    downstream : int32 flat index of the next pixel, -1 where the flow ends and outside.
    order : (known pixels,) int32, flat indices from the outlets upwards.
    accumulation : int32, upstream pixels, itself not counted.
    upstream_area_km2 : float64, upstream area, itself counted.
    slope_deg, twi, hand : float64; degrees 0–90, ln(m), metres; HAND is NaN where the flow meets no drainage.
    """

    elevation: Array
    filled: Array
    depression_depth: Array
    sea: Mask
    drainage: Mask
    edge_fed: Mask
    downstream: Index
    order: Index
    accumulation: Index
    upstream_area_km2: Array
    slope_deg: Array
    twi: Array
    hand: Array


@dataclass(frozen=True, eq=False, slots=True)
class Flood:
    """How priority flood covered the elevation.

    Attributes
    ----------
    filled : (rows, columns) float64, metres, NaN outside; equal to the elevation outside depressions.
    parent : (rows, columns) int32, flat index of the neighbour that each was reached from; -1 at seeds and outside.
    order : (known pixels,) int32, flat indices as they were taken: `filled` never falls, a parent comes first.
    """

    filled: Array
    parent: Index
    order: Index


def analyse(elevation: Floats, pixel_size_m: float, parameters: TerrainParameters) -> Terrain:
    """Compute everything that the flood analysis needs of a DEM.

    Parameters
    ----------
    elevation : (rows, columns) float32 or float64, metres, NaN outside.
    pixel_size_m : side of a square pixel, metres.

    Raises
    ------
    ContractError
        The elevation is not a 2-D float array with a known pixel, holds infinity, or a parameter is out of its range.

    Notes
    -----
    HAND in the land that drains to the sea is measured from `sea_level_m`, not from the sea's own pixels, whose heights
    are noise. It stays non-negative: land next to the sea lies above the level, else it would be sea.
    """
    z = _elevation(elevation)
    sea = sea_mask(z, parameters.sea_level_m, parameters.sea_min_area_km2, pixel_size_m)
    flood = fill_depressions(z, sea)
    downstream = flow_direction(flood, sea)
    accumulation = flow_accumulation(downstream, flood.order)
    known = np.isfinite(z)
    area_km2 = upstream_area_km2(accumulation, known, pixel_size_m)
    streams = drainage(area_km2, parameters.stream_threshold_km2, sea)
    steepness = slope_deg(z, pixel_size_m)
    surface = np.where(sea, parameters.sea_level_m, flood.filled)
    return Terrain(
        elevation=z,
        filled=flood.filled,
        depression_depth=flood.filled - z,
        sea=sea,
        drainage=streams,
        edge_fed=edge_fed(downstream, flood.order, known),
        downstream=downstream,
        order=flood.order,
        accumulation=accumulation,
        upstream_area_km2=area_km2,
        slope_deg=steepness,
        twi=twi(area_km2, steepness, pixel_size_m, parameters.slope_floor_deg),
        hand=hand(surface, downstream, flood.order, streams),
    )


def sea_mask(elevation: Floats, sea_level_m: float, minimum_area_km2: float, pixel_size_m: float) -> Mask:
    """Return the sea: pixels at or below the level, 8-connected, of at least the area, that touch the rim.

    A hollow below the level that is not connected to such water is not sea. Pixels outside (NaN) are not sea.
    Raises ContractError as `analyse` does.
    """
    z = _elevation(elevation)
    _positive("pixel size", pixel_size_m)
    if not (np.isfinite(sea_level_m) and minimum_area_km2 >= 0):
        raise ContractError(f"sea level {sea_level_m} is not finite, or least area {minimum_area_km2} is negative")
    labels, count = label(z <= sea_level_m, _EIGHT)
    area_km2 = np.bincount(labels.ravel(), minlength=count + 1) * pixel_size_m**2 / 1e6
    chosen = np.zeros(count + 1, dtype=bool)
    chosen[labels[rim(np.isfinite(z))]] = True
    chosen &= area_km2 >= minimum_area_km2
    chosen[0] = False
    return np.asarray(chosen[labels], dtype=bool)


def rim(known: Mask) -> Mask:
    """Return the known pixels on the raster's edge or 8-adjacent to an unknown one; (rows, columns) bool."""
    outside = binary_dilation(np.pad(~known, 1, constant_values=True), _EIGHT)[1:-1, 1:-1]
    return np.asarray(known & outside, dtype=bool)


def fill_depressions(elevation: Floats, sea: Mask | None = None) -> Flood:
    """Fill depressions to their spill level by priority flood (Barnes, Lehman & Mulla 2014, algorithm 2), 8-connected.

    Water leaves over the rim of the known pixels and into the sea: those are the seeds. All pixels of one level are
    taken in one breadth-first pass, so that on a flat or a filled depression the parents lead to the nearest exit.

    Raises
    ------
    ContractError
        The elevation is not as `analyse` takes it, or `sea` is not a bool array of its shape.
    """
    z = _elevation(elevation)
    known = np.isfinite(z)
    seeds = rim(known) if sea is None else rim(known) | (_mask("sea", sea, z.shape) & known)
    return Flood(*_flood(z, np.flatnonzero(seeds).astype(np.int32)))


def flow_direction(flood: Flood, sea: Mask | None = None) -> Index:
    """Return D8 flow (O'Callaghan & Mark 1984) on the filled surface as `downstream`; (rows, columns) int32.

    A pixel drains to the neighbour with the steepest descent (drop over distance, √2 pixels on the diagonal; the first
    in row order where several are equal), and to its flood parent where none is lower. The flow ends in the sea and at
    seeds without a lower neighbour. A seed with a lower neighbour drains inwards, away from the rim.
    Raises ContractError where `sea` is not a bool array of the flood's shape.

    Notes
    -----
    The flow has no loops, and reversed `flood.order` runs from upstream to downstream. Priority flood takes pixels in
    an order in which `filled` never falls: a pixel is reached from one already taken and is given no lower level. So a
    step to a strictly lower pixel goes to one taken earlier; a step to the parent does too, since a pixel is reached
    only after its parent was taken. Every step goes back in one sequence, and none can return.
    """
    ends = np.zeros(flood.filled.shape, bool) if sea is None else _mask("sea", sea, flood.filled.shape)
    return _steepest(flood.filled, flood.parent, ends)


def flow_accumulation(downstream: Index, order: Index) -> Index:
    """Return the number of upstream pixels, itself not counted (Esri's convention); int32, 0 outside.

    Parameters
    ----------
    downstream, order : as `flow_direction` and `fill_depressions` return them.

    Raises
    ------
    ContractError
        They are not int32, 2-D and 1-D, or hold indices beyond the raster.
    """
    _flow(downstream, order)
    return _accumulate(downstream.ravel(), order).reshape(downstream.shape)


def upstream_area_km2(accumulation: Index, known: Mask, pixel_size_m: float) -> Array:
    """Return the upstream area, itself counted, km²; float64, NaN where not `known` (bool). Raises ContractError."""
    _positive("pixel size", pixel_size_m)
    area = (accumulation + 1.0) * (pixel_size_m**2 / 1e6)
    return np.where(_mask("known", known, accumulation.shape), area, np.nan)


def drainage(area_km2: Array, threshold_km2: float, sea: Mask) -> Mask:
    """Return the pixels with at least the threshold of upstream area, and the sea; bool. Raises ContractError."""
    _positive("stream threshold", threshold_km2)
    return np.asarray((area_km2 >= threshold_km2) | _mask("sea", sea, area_km2.shape), dtype=bool)


def edge_fed(downstream: Index, order: Index, known: Mask) -> Mask:
    """Return the pixels whose catchment, themselves included, touches the rim of the known elevation; bool.

    More ground may drain to them than the elevation holds, so their area, TWI and HAND are not to be trusted.
    Raises ContractError as `flow_accumulation` does.
    """
    _flow(downstream, order)
    start = rim(_mask("known", known, downstream.shape))
    return _carry_down(start.ravel(), downstream.ravel(), order).reshape(downstream.shape)


def hand(filled: Array, downstream: Index, order: Index, drainage_mask: Mask) -> Array:
    """Return HAND: height above the first drainage pixel along the flow (Rennó et al. 2008; Nobre et al. 2011).

    float64 metres; on the filled surface never negative, and 0 on drainage. It is NaN where the flow ends without
    meeting drainage: there the elevation was cut before the stream, and a height above the cut would be invented.
    Raises ContractError as `flow_accumulation` does.
    """
    _flow(downstream, order)
    wet = _mask("drainage", drainage_mask, downstream.shape)
    z = np.ascontiguousarray(filled, dtype=np.float64)
    return z - _stream_level(z.ravel(), downstream.ravel(), order, wet.ravel()).reshape(z.shape)


def slope_deg(elevation: Floats, pixel_size_m: float) -> Array:
    """Return the slope from the eight neighbours (Horn 1981), degrees 0–90; float64, NaN outside.

    An unknown neighbour takes the pixel's own height, as gdaldem does beside nodata (beyond the raster's edge gdaldem
    extrapolates); so on the rim the slope across it comes out at about half. Raises ContractError as `analyse` does.
    """
    _positive("pixel size", pixel_size_m)
    return _horn(_elevation(elevation), pixel_size_m)


def twi(area_km2: Array, slope: Array, pixel_size_m: float, slope_floor_deg: float) -> Array:
    """Return TWI = ln(a / tan β) (Beven & Kirkby 1979); float64, NaN outside.

    a is the specific catchment area: upstream area, itself counted, per metre of contour (one pixel's width), m.
    β is `slope` in degrees, raised to the floor. Raises ContractError where the floor is not within 0–90 degrees.
    """
    _positive("pixel size", pixel_size_m)
    if not 0 < slope_floor_deg < 90:
        raise ContractError(f"slope floor {slope_floor_deg} is not between 0 and 90 degrees")
    tangent = np.tan(np.radians(np.maximum(slope, slope_floor_deg)))
    return np.asarray(np.log(area_km2 * 1e6 / pixel_size_m / tangent), dtype=np.float64)


def _elevation(elevation: Floats) -> Array:
    if elevation.ndim != 2 or elevation.dtype not in (np.float32, np.float64):
        raise ContractError(f"elevation is {elevation.ndim}-D {elevation.dtype}, expected 2-D float32 or float64")
    if elevation.size > np.iinfo(np.int32).max:
        raise ContractError(f"elevation of {elevation.shape} pixels is too large for one piece; cut it by catchment")
    if np.isinf(elevation).any() or np.isnan(elevation).all():
        raise ContractError("elevation holds infinity or no known pixel")
    return np.ascontiguousarray(elevation, dtype=np.float64)


def _mask(name: str, mask: Mask, shape: tuple[int, ...]) -> Mask:
    if mask.dtype != np.bool_ or mask.shape != shape:
        raise ContractError(f"{name} is {mask.dtype} of shape {mask.shape}, expected bool of {shape}")
    return np.ascontiguousarray(mask)


def _positive(name: str, value: float) -> None:
    if not (value > 0 and np.isfinite(value)):
        raise ContractError(f"{name} {value} is not a positive number")


def _flow(downstream: Index, order: Index) -> None:
    if (downstream.ndim, order.ndim) != (2, 1) or downstream.dtype != np.int32 or order.dtype != np.int32:
        raise ContractError("downstream and order are not 2-D and 1-D int32")
    for name, values, least in (("downstream", downstream, -1), ("order", order, 0)):
        if values.size and not (values.min() >= least and values.max() < downstream.size):
            raise ContractError(f"{name} holds indices beyond the raster")


@numba.njit(cache=True)
def _flood(z: Array, seeds: Index) -> tuple[Array, Index, Index]:  # pragma: no cover
    rows, columns = z.shape
    filled = np.full(z.shape, np.nan)
    parent = np.full(z.shape, -1, dtype=np.int32)
    order = np.empty(z.size, dtype=np.int32)
    waiting = [(z.flat[i], i) for i in seeds]  # above the present level, as (height, flat index)
    for height, i in waiting:
        filled.flat[i] = height
    heapq.heapify(waiting)
    first = last = 0  # order[first:last] is the queue of pixels at the present level
    while first < last or len(waiting) > 0:
        if first == last:
            level = waiting[0][0]
            while len(waiting) > 0 and waiting[0][0] == level:
                order[last] = heapq.heappop(waiting)[1]
                last += 1
        here = order[first]
        first += 1
        r, c = here // columns, here % columns
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            for j in range(max(c - 1, 0), min(c + 2, columns)):
                if np.isnan(filled[i, j]) and not np.isnan(z[i, j]):
                    parent[i, j] = here
                    filled[i, j] = max(z[i, j], filled[r, c])
                    if filled[i, j] > filled[r, c]:
                        heapq.heappush(waiting, (filled[i, j], np.int32(i * columns + j)))
                    else:
                        order[last] = i * columns + j
                        last += 1
    return filled, parent, order[:last].copy()


@numba.njit(cache=True)
def _steepest(filled: Array, parent: Index, ends: Mask) -> Index:  # pragma: no cover
    rows, columns = filled.shape
    downstream = np.full(filled.shape, -1, dtype=np.int32)
    for r in range(rows):
        for c in range(columns):
            if ends[r, c]:
                continue
            downstream[r, c] = parent[r, c]
            steepest = 0.0
            for i in range(max(r - 1, 0), min(r + 2, rows)):
                for j in range(max(c - 1, 0), min(c + 2, columns)):
                    descent = filled[r, c] - filled[i, j]
                    if i != r and j != c:
                        descent /= np.sqrt(2.0)
                    if descent > steepest:  # never where either is NaN
                        steepest = descent
                        downstream[r, c] = i * columns + j
    return downstream


@numba.njit(cache=True)
def _accumulate(downstream: Index, order: Index) -> Index:  # pragma: no cover
    upstream = np.zeros(downstream.size, dtype=np.int32)
    for i in order[::-1]:
        if downstream[i] >= 0:
            upstream[downstream[i]] += upstream[i] + 1
    return upstream


@numba.njit(cache=True)
def _carry_down(start: Mask, downstream: Index, order: Index) -> Mask:  # pragma: no cover
    reached = start.copy()
    for i in order[::-1]:
        if reached[i] and downstream[i] >= 0:
            reached[downstream[i]] = True
    return reached


@numba.njit(cache=True)
def _stream_level(z: Array, downstream: Index, order: Index, wet: Mask) -> Array:  # pragma: no cover
    level = np.full(z.size, np.nan)  # height of the drainage that a pixel drains to
    for i in order:
        if wet[i]:
            level[i] = z[i]
        elif downstream[i] >= 0:
            level[i] = level[downstream[i]]
    return level


@numba.njit(cache=True)
def _horn(z: Array, pixel_size_m: float) -> Array:  # pragma: no cover
    rows, columns = z.shape
    slope = np.full(z.shape, np.nan)
    for r in range(rows):
        for c in range(columns):
            if np.isnan(z[r, c]):
                continue
            east = south = 0.0
            for i in range(max(r - 1, 0), min(r + 2, rows)):
                for j in range(max(c - 1, 0), min(c + 2, columns)):
                    if not np.isnan(z[i, j]):  # weights sum to 0: heights relative to the centre give the same sum
                        east += (j - c) * (2 - abs(i - r)) * (z[i, j] - z[r, c])
                        south += (i - r) * (2 - abs(j - c)) * (z[i, j] - z[r, c])
            slope[r, c] = np.degrees(np.arctan(np.hypot(east, south) / (8.0 * pixel_size_m)))
    return slope
