"""Street lamps: reports snapped to lamps, and how far apart lamps stand. Arrays in the plane, metres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]


def snap(points_m: Array, lamps_m: Array, within_m: float) -> NDArray[np.int64]:
    """Return the position of each point's nearest lamp, -1 where none is within `within_m`.

    Parameters
    ----------
    points_m : (n, 2) metres.
    lamps_m : (m, 2) metres.

    Notes
    -----
    A snap is a best guess: where the location error is near the lamp spacing, the neighbour is about as likely.
    """
    if len(lamps_m) == 0 or len(points_m) == 0:
        return np.full(len(points_m), -1, dtype=np.int64)
    distance, lamp = cKDTree(lamps_m).query(points_m)
    return np.where(distance <= within_m, lamp, -1).astype(np.int64)


def spacing_m(lamps_m: Array, default_m: float) -> float:
    """Return the median distance from a lamp to its nearest neighbour, metres; `default_m` below ten lamps."""
    if len(lamps_m) < 10:
        return default_m
    distance, _ = cKDTree(lamps_m).query(lamps_m, k=2)
    return float(np.median(distance[:, 1]))
