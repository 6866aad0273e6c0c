"""The one check that every facade over a kernel makes of its arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial.errors import ContractError


def check_array(name: str, values: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    """Raise ContractError, naming the array, unless it has the dtype and the shape."""
    if values.dtype != dtype or values.shape != shape:
        raise ContractError(f"{name} is {values.dtype} of {values.shape}, expected {np.dtype(dtype)} of {shape}")
