"""Slope, multiple flow direction and TWI. Arrays only."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.rasters import (
    EIGHT,
    Floats,
    Index,
    Mask,
    check_flow,
    check_positive,
    checked_elevation,
    checked_mask,
    in_bands,
)

Array = NDArray[np.float64]
Counts = NDArray[np.uint8]
FREEMAN_EXPONENT = 1.1
_ASLANT = float(np.sqrt(0.5))  # over the distance to a diagonal neighbour
_DONE = 255  # in the counts of givers: has given


def slope_deg(elevation: Floats, pixel_size_m: float) -> Floats:
    """Return the slope from the eight neighbours (Horn 1981), degrees 0–90; of the elevation's dtype, NaN outside.

    An unknown neighbour takes the pixel's own height, as gdaldem does beside nodata (beyond the raster's edge gdaldem
    extrapolates); so on the rim the slope across it comes out at about half. Raises ContractError as `analyse` does.
    """
    check_positive("pixel size", pixel_size_m)
    z = checked_elevation(elevation)
    slope = np.empty_like(z)
    in_bands(z.shape, lambda first, last: _horn(z, pixel_size_m, slope, first, last))
    return slope


def specific_area(filled: Floats, downstream: Index, sea: Mask, pixel_size_m: float) -> Array:
    """Return the specific catchment area by multiple flow direction (Freeman 1991), m; float64, NaN outside.

    The upstream area, the pixel itself counted, per metre of contour (one pixel's width). A pixel gives to each lower
    neighbour in proportion to tan β ^ 1.1 (`FREEMAN_EXPONENT`); without a lower one all goes to its `downstream`, so
    flats are crossed as D8 crosses them. Nothing flows out of the sea. What reaches the ends of the flow sums to the
    known area.

    Parameters
    ----------
    filled, downstream, sea : as `fill_depressions` and `flow_direction` return and take them.

    Raises
    ------
    ContractError
        Shapes or dtypes differ from that, `downstream` holds indices beyond the raster, or the pixel size is not
        positive.
    """
    check_positive("pixel size", pixel_size_m)
    z, ends = checked_elevation(filled), checked_mask("sea", sea, filled.shape)
    check_flow(downstream, z.shape)
    givers = np.empty(z.shape, dtype=np.uint8)
    in_bands(z.shape, lambda first, last: _count_givers(z, downstream, ends, givers, first, last))
    area = np.full(z.shape, pixel_size_m)
    _share_out(z.ravel(), z.shape[1], downstream.ravel(), ends.ravel(), givers.ravel(), area.ravel())
    return area


def twi(specific_area_m: Array, slope: Floats, slope_floor_deg: float) -> Floats:
    """Return TWI = ln(a / tan β) (Beven & Kirkby 1979); of the dtype of `slope`, NaN outside.

    a is the specific catchment area, m, and β the slope in degrees, raised to the floor.
    Raises ContractError where the floor is not within 0–90 degrees or the shapes differ.
    """
    if not 0 < slope_floor_deg < 90:
        raise ContractError(f"slope floor {slope_floor_deg} is not between 0 and 90 degrees")
    if specific_area_m.shape != slope.shape:
        raise ContractError(f"specific area is of shape {specific_area_m.shape}, slope of {slope.shape}")
    wetness = np.empty_like(slope)
    in_bands(slope.shape, lambda first, last: _wetness(specific_area_m, slope, slope_floor_deg, wetness, first, last))
    return wetness


@numba.njit(cache=True, nogil=True)
def _horn(z: Floats, pixel_size_m: float, slope: Floats, first: int, last: int) -> None:  # pragma: no cover
    rows, columns = z.shape
    for r in range(first, last):
        for c in range(columns):
            here, east, south = np.float64(z[r, c]), 0.0, 0.0
            for i, j in EIGHT:
                if 0 <= r + i < rows and 0 <= c + j < columns:
                    rise = np.float64(z[r + i, c + j]) - here
                    if not np.isnan(rise):  # weights sum to 0: heights relative to the centre give the same sum
                        east += j * (2 - abs(i)) * rise
                        south += i * (2 - abs(j)) * rise
            steepness = np.sqrt(east * east + south * south) / (8.0 * pixel_size_m)
            slope[r, c] = np.nan if np.isnan(here) else np.degrees(np.arctan(steepness))


@numba.njit(cache=True, nogil=True)
def _wetness(
    area_m: Array, slope: Floats, floor_deg: float, wetness: Floats, first: int, last: int
) -> None:  # pragma: no cover
    for r in range(first, last):
        for c in range(slope.shape[1]):
            steepness = max(np.float64(slope[r, c]), floor_deg)
            wetness[r, c] = np.log(area_m[r, c] / np.tan(np.radians(steepness)))


@numba.njit(cache=True, nogil=True)
def _count_givers(
    z: Floats, downstream: Index, sea: Mask, givers: Counts, first: int, last: int
) -> None:  # pragma: no cover
    """Count the neighbours that give to each pixel: the higher ones, and those of its level whose flow it continues."""
    rows, columns = z.shape
    for r in range(first, last):
        for c in range(columns):
            count = 0
            for i, j in EIGHT:
                if 0 <= r + i < rows and 0 <= c + j < columns and not sea[r + i, c + j]:
                    level = z[r + i, c + j] == z[r, c] and downstream[r + i, c + j] == r * columns + c
                    count += z[r + i, c + j] > z[r, c] or level
            givers[r, c] = count


@numba.njit(cache=True, nogil=True)
def _share_out(
    z: Floats, columns: int, downstream: Index, sea: Mask, givers: Counts, area: Array
) -> None:  # pragma: no cover
    """Pass the area on, each pixel once all that give to it have given; `givers` is used up."""
    stack, takers, shares = np.empty(z.size, dtype=np.int32), np.empty(9, dtype=np.int32), np.empty(9)
    for start in range(z.size):
        if givers[start] != 0:
            continue
        stack[0], top = start, 1
        while top > 0:
            top -= 1
            here = int(stack[top])
            givers[here] = _DONE
            if sea[here]:
                continue
            if np.isnan(z[here]):
                area[here] = np.nan
            for k in range(_shares(z, columns, downstream, here, takers, shares)):
                area[takers[k]] += area[here] * shares[k]
                givers[takers[k]] -= 1
                stack[top] = takers[k]
                top += bool(givers[takers[k]] == 0)


@numba.njit(cache=True, nogil=True, inline="always")
def _shares(
    z: Floats, columns: int, downstream: Index, here: int, takers: Index, shares: Array
) -> int:  # pragma: no cover
    """Set who takes what share of a pixel's area; return how many."""
    rows, r = z.size // columns, int(np.uint32(here) // np.uint32(columns))
    c = here - r * columns
    n, steepest, total = 0, 0.0, 0.0
    for i, j in EIGHT:
        if 0 <= r + i < rows and 0 <= c + j < columns:
            there = here + i * columns + j
            descent = (np.float64(z[here]) - np.float64(z[there])) * (1.0 if i == 0 or j == 0 else _ASLANT)
            takers[n], shares[n] = there, descent
            steepest = descent if descent > steepest else steepest  # never where either is NaN
            n += bool(descent > 0.0)
    if n == 0 and downstream[here] >= 0:
        takers[0], shares[0] = downstream[here], 1.0
        return 1
    for k in range(n):  # in float32: a share is exact to 1e-7, and their sum to 1 as float64 is
        shares[k] = np.float32(shares[k] / steepest) ** np.float32(FREEMAN_EXPONENT)
        total += shares[k]
    for k in range(n):
        shares[k] /= total
    return n
