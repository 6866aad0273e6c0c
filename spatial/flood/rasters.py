"""What the terrain modules share: checks of rasters, their rim, and work on bands of rows in threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from spatial.errors import ContractError

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Index = NDArray[np.int32]
EIGHT = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))  # steps to the neighbours, in row order
_BAND_PIXELS = 1 << 20


def in_bands(shape: tuple[int, ...], work: Callable[[int, int], object]) -> None:
    """Call `work(first, last)` for bands of rows that cover the raster, in as many threads as there are processors.

    Each call must write its own rows only; then the result does not depend on the number of threads.
    """
    step = max(1, _BAND_PIXELS // max(shape[1], 1))
    bands = [(first, min(first + step, shape[0])) for first in range(0, shape[0], step)]
    if len(bands) == 1:
        work(*bands[0])
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(work, *band) for band in bands]:
            done.result()


def rim(z: Floats) -> Mask:
    """Return the known pixels on the raster's edge or 8-adjacent to an unknown (NaN) one; (rows, columns) bool."""
    outer = np.empty(z.shape, dtype=bool)
    in_bands(z.shape, lambda first, last: _rim(z, outer, first, last))
    return outer


def checked_elevation(elevation: Floats, *, may_be_empty: bool = False) -> Floats:
    """Return the elevation as a contiguous array of its own dtype; a copy only where it is not contiguous.

    `may_be_empty`: it may hold no known pixel.

    Raises
    ------
    ContractError
        It is not 2-D float32 or float64 with a known pixel, holds infinity, or has more pixels than int32 counts.
    """
    if elevation.ndim != 2 or elevation.dtype not in (np.float32, np.float64):
        raise ContractError(f"elevation is {elevation.ndim}-D {elevation.dtype}, expected 2-D float32 or float64")
    if elevation.size > np.iinfo(np.int32).max:
        raise ContractError(f"elevation of {elevation.shape} pixels is too large for one piece; cut it by catchment")
    z = np.ascontiguousarray(elevation)
    known, infinite = _count(z.ravel())
    if infinite or not (known or may_be_empty):
        raise ContractError("elevation holds infinity or no known pixel")
    return z


def checked_mask(name: str, mask: Mask, shape: tuple[int, ...]) -> Mask:
    """Return a contiguous mask; raises ContractError where it is not bool of the shape."""
    if mask.dtype != np.bool_ or mask.shape != shape:
        raise ContractError(f"{name} is {mask.dtype} of shape {mask.shape}, expected bool of {shape}")
    return np.ascontiguousarray(mask)


def checked_array(name: str, values: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    """Raise ContractError unless `values` has exactly the dtype and the shape."""
    if values.dtype != dtype or values.shape != shape:
        expected = np.dtype(dtype)
        raise ContractError(f"{name} is {values.dtype} of shape {values.shape}, expected {expected} of {shape}")


def check_positive(name: str, value: float) -> None:
    """Raise ContractError where the value is not a finite positive number."""
    if not (value > 0 and np.isfinite(value)):
        raise ContractError(f"{name} {value} is not a positive number")


def check_flow(downstream: Index, shape: tuple[int, ...], order: Index | None = None) -> None:
    """Raise ContractError where `downstream` or `order` are not int32 arrays of flat indices of the shape."""
    taken = np.empty(0, dtype=np.int32) if order is None else order
    if (downstream.ndim, taken.ndim) != (2, 1) or downstream.dtype != np.int32 or taken.dtype != np.int32:
        raise ContractError("downstream and order are not 2-D and 1-D int32")
    if downstream.shape != shape:
        raise ContractError(f"downstream is of shape {downstream.shape}, expected {shape}")
    for name, values, least in (("downstream", downstream, -1), ("order", taken, 0)):
        if values.size and not (values.min() >= least and values.max() < downstream.size):
            raise ContractError(f"{name} holds indices beyond the raster")


@numba.njit(cache=True, nogil=True)
def on_rim(z: Floats, r: int, c: int) -> bool:  # pragma: no cover
    """Return whether a known pixel is on the raster's edge or beside an unknown one."""
    if r == 0 or c == 0 or r == z.shape[0] - 1 or c == z.shape[1] - 1:
        return True
    for i in range(r - 1, r + 2):
        for j in range(c - 1, c + 2):
            if np.isnan(z[i, j]):
                return True
    return False


@numba.njit(cache=True, nogil=True)
def _rim(z: Floats, outer: Mask, first: int, last: int) -> None:  # pragma: no cover
    for r in range(first, last):
        for c in range(z.shape[1]):
            outer[r, c] = not np.isnan(z[r, c]) and on_rim(z, r, c)


@numba.njit(cache=True, nogil=True)
def _count(z: Floats) -> tuple[int, bool]:  # pragma: no cover
    known, infinite = 0, False
    for height in z:
        known += not np.isnan(height)
        infinite |= np.isinf(height)
    return known, infinite
