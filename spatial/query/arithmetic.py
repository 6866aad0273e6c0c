"""Arithmetic of a question, in IEEE doubles; what is not finite is null."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial.query.model import Operator

Numbers = NDArray[np.float64] | np.float64


def _whole_quotient(left: Numbers, right: Numbers) -> Numbers:
    return np.trunc(left / right)


def _remainder(left: Numbers, right: Numbers) -> Numbers:
    return left - right * _whole_quotient(left, right)


_OPERATIONS: dict[Operator, Callable[[Numbers, Numbers], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": _remainder,
    "div": _whole_quotient,
    "^": np.power,
}


def computed(operator: Operator, left: Numbers, right: Numbers) -> tuple[Any, Any]:
    """Return the result of an operation and where it is finite; scalars or (n,) float64."""
    with np.errstate(all="ignore"):
        result = _OPERATIONS[operator](left, right)
    return result, np.isfinite(result)
