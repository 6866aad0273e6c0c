"""Checks that every method on rasters of elevation makes of its arrays, with one wording."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial.errors import ContractError


def checked_elevation(elevation: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return heights as contiguous float64.

    Raises ContractError unless they are 2-D float32 or float64, without infinity, of no more than 2³¹ − 1 pixels.
    """
    if elevation.ndim != 2 or elevation.dtype not in (np.float32, np.float64):
        raise ContractError(f"elevation is {elevation.ndim}-D {elevation.dtype}, expected 2-D float32 or float64")
    if elevation.size > np.iinfo(np.int32).max:
        raise ContractError(f"elevation of {elevation.shape} pixels is too large for one piece; cut it by catchment")
    if np.isinf(elevation).any():
        raise ContractError("elevation holds infinity")
    return np.ascontiguousarray(elevation, dtype=np.float64)


def checked_array(name: str, values: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    """Raise ContractError unless `values` has exactly the dtype and the shape."""
    if values.dtype != dtype or values.shape != shape:
        expected = np.dtype(dtype)
        raise ContractError(f"{name} is {values.dtype} of shape {values.shape}, expected {expected} of {shape}")
