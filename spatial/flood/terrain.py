"""Terrain on a DEM: filled depressions, flow, drainage, HAND, TWI, slope. Arrays only: no files, no CRS.

Rasters are (rows, columns) with square pixels; heights are metres, NaN outside. Results in floats have the elevation's
dtype: what is computed of a float32 elevation is float32. The kernels are in `filling`, `flow` and `wetness`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.filling import fill_depressions
from spatial.flood.flow import edge_fed, flow_accumulation, flow_direction, flow_order, hand
from spatial.flood.rasters import Floats, Index, Mask, check_positive, checked_elevation, checked_mask, in_bands, rim
from spatial.flood.wetness import slope_deg, specific_area, twi

Array = NDArray[np.float64]


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

    Floats are float32 where the elevation is, else float64: 31 bytes a pixel above a float32 elevation.

    Attributes
    ----------
    elevation, filled : metres; `elevation` is the caller's own array where that is contiguous.
    sea, drainage, edge_fed : bool; the sea is drainage; `edge_fed` pixels drain ground at the edge of the elevation.
    downstream : int32 flat index of the next pixel, -1 where the flow ends and outside.
    order : (known pixels,) int32, flat indices from the outlets upwards: each comes after the pixel that it drains to,
        and its catchment, itself first, is `order[k : k + 1 + accumulation]`.
    accumulation : int32, upstream pixels, itself not counted.
    slope_deg, twi, hand : degrees 0–90, ln(m), metres; HAND is NaN where the flow meets no drainage.
    pixel_size_m : side of a square pixel.
    """

    elevation: Floats
    filled: Floats
    sea: Mask
    drainage: Mask
    edge_fed: Mask
    downstream: Index
    order: Index
    accumulation: Index
    slope_deg: Floats
    twi: Floats
    hand: Floats
    pixel_size_m: float

    @property
    def depression_depth(self) -> Floats:
        """`filled - elevation`, metres, never negative; computed at each call."""
        return np.maximum(self.filled - self.elevation, 0.0)

    @property
    def upstream_area_km2(self) -> Array:
        """Upstream area, itself counted, km²; float64, NaN outside; computed at each call."""
        return upstream_area_km2(self.accumulation, np.isfinite(self.elevation), self.pixel_size_m)


def analyse(
    elevation: Floats, pixel_size_m: float, parameters: TerrainParameters, cut: Floats | None = None
) -> Terrain:
    """Compute everything that the flood analysis needs of a DEM.

    Parameters
    ----------
    elevation : (rows, columns) float32 or float64, metres, NaN outside. float32 takes half the memory.
    pixel_size_m : side of a square pixel, metres.
    cut : the elevation with waterways, culverts and bridges cut in (`burn`), nowhere above it. It leads the flow; sea,
        slope and every height are those of the elevation, so that a trench is neither sea nor the level of its stream.

    Raises
    ------
    ContractError
        The elevation is not a 2-D float array with a known pixel, holds infinity, or a parameter is out of its range.

    Notes
    -----
    HAND in the land that drains to the sea is measured from `sea_level_m`, not from the sea's own pixels, whose heights
    are noise. It stays non-negative: land next to the sea lies above the level, else it would be sea.
    """
    z = checked_elevation(elevation)
    sea = sea_mask(z, parameters.sea_level_m, parameters.sea_min_area_km2, pixel_size_m)
    filled = fill_depressions(z if cut is None else checked_elevation(cut), sea)
    downstream = flow_direction(filled, sea)
    steepness = slope_deg(z, pixel_size_m)
    wetness = twi(specific_area(filled, downstream, sea, pixel_size_m), steepness, parameters.slope_floor_deg)
    order = flow_order(filled, downstream)
    accumulation = flow_accumulation(downstream, order)
    streams = _streams(z, accumulation, pixel_size_m, parameters.stream_threshold_km2, sea)
    height = filled if cut is None else np.maximum(filled, z)
    above = hand(height, downstream, order, streams, sea, parameters.sea_level_m)
    return Terrain(
        elevation=z,
        filled=filled,
        sea=sea,
        drainage=streams,
        edge_fed=edge_fed(filled, downstream, order),
        downstream=downstream,
        order=order,
        accumulation=accumulation,
        slope_deg=steepness,
        twi=wetness,
        hand=above if cut is None else np.maximum(above, 0.0),
        pixel_size_m=pixel_size_m,
    )


def sea_mask(elevation: Floats, sea_level_m: float, minimum_area_km2: float, pixel_size_m: float) -> Mask:
    """Return the sea: pixels at or below the level, 8-connected, of at least the area, that touch the rim.

    A hollow below the level that is not connected to such water is not sea. Pixels outside (NaN) are not sea.
    Raises ContractError as `analyse` does.
    """
    z = checked_elevation(elevation)
    check_positive("pixel size", pixel_size_m)
    if not (np.isfinite(sea_level_m) and minimum_area_km2 >= 0):
        raise ContractError(f"sea level {sea_level_m} is not finite, or least area {minimum_area_km2} is negative")
    sea = rim(z)
    _grow(z, sea_level_m, minimum_area_km2, pixel_size_m**2 / 1e6, sea)
    return sea


def upstream_area_km2(accumulation: Index, known: Mask, pixel_size_m: float) -> Array:
    """Return the upstream area, itself counted, km²; float64, NaN where not `known` (bool). Raises ContractError."""
    check_positive("pixel size", pixel_size_m)
    area = (accumulation + 1.0) * (pixel_size_m**2 / 1e6)
    return np.where(checked_mask("known", known, accumulation.shape), area, np.nan)


def drainage(area_km2: NDArray[np.floating[Any]], threshold_km2: float, sea: Mask) -> Mask:
    """Return the pixels with at least the threshold of upstream area, and the sea; bool. Raises ContractError."""
    check_positive("stream threshold", threshold_km2)
    return np.asarray((area_km2 >= threshold_km2) | checked_mask("sea", sea, area_km2.shape), dtype=bool)


def _streams(z: Floats, accumulation: Index, pixel_size_m: float, threshold_km2: float, sea: Mask) -> Mask:
    """Return `drainage` of the upstream area, band by band, so that the area is never whole in memory."""
    streams = np.empty(z.shape, dtype=bool)

    def band(first: int, last: int) -> None:
        rows = slice(first, last)
        area_km2 = upstream_area_km2(accumulation[rows], np.isfinite(z[rows]), pixel_size_m)
        streams[rows] = drainage(area_km2, threshold_km2, sea[rows])

    in_bands(z.shape, band)
    return streams


@numba.njit(cache=True, nogil=True)
def _grow(z: Floats, level_m: float, least_km2: float, pixel_km2: float, sea: Mask) -> None:  # pragma: no cover
    """Turn the mask of the rim into that of the sea: grow each water that touches the rim, drop what stays small."""
    rows, columns = z.shape
    seen = np.zeros(z.shape, dtype=np.bool_)
    low = 0
    for height in z.flat:
        low += bool(height <= level_m)
    water = np.empty(low, dtype=np.int32)
    for start in range(z.size):
        if not sea.flat[start] or seen.flat[start]:
            continue
        sea.flat[start] = False
        if not z.flat[start] <= level_m:
            continue
        water[0], first, last = start, 0, 1
        seen.flat[start] = True
        while first < last:
            r, c = water[first] // columns, water[first] % columns
            first += 1
            for i in range(max(r - 1, 0), min(r + 2, rows)):
                for j in range(max(c - 1, 0), min(c + 2, columns)):
                    if z[i, j] <= level_m and not seen[i, j]:
                        seen[i, j] = True
                        water[last] = i * columns + j
                        last += 1
        for pixel in water[:last]:
            sea.flat[pixel] = last * pixel_km2 >= least_km2
