"""One storm and one tide on the ground: where their water stands. Arrays only.

The tide floods what lies below its level and is joined to the sea; the rain runs down, fills, spills and merges on the
rest, and what reaches the tide's water has left. No time, no velocity, no drains or pumps: what could stand there in
the end, an upper bound where water would soak in or be led away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.coast import inundation
from spatial.flood.depressions import Depressions, Ponding, find_depressions, pond

Floats = NDArray[np.floating[Any]]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ScenarioParameters:
    """How a scenario reads its rain and its water.

    Attributes
    ----------
    runoff_share : share of the rain that runs off, 0–1. 1: sealed or saturated ground, the safe side.
    wet_depth_m : from this depth ground and road count as under water: a kerb's height.
    """

    runoff_share: float = 1.0
    wet_depth_m: float = 0.1


@dataclass(frozen=True, eq=False, slots=True)
class Water:
    """Where the water of a scenario stands; (rows, columns).

    Attributes
    ----------
    depth_m : float64, metres, of rain and tide over the elevation; NaN in the sea and outside. What only fills a trench
        or a culvert that was cut in stands below the ground and counts as no depth.
    tide : bool, ground that the tide floods.
    depressions, ponding : of the ground that the tide leaves, with what was cut in.
    """

    depth_m: Array
    tide: Mask
    depressions: Depressions
    ponding: Ponding


def flood_scenario(
    elevation: Floats,
    cut: Floats,
    sea: Mask,
    pixel_size_m: float,
    rain_mm: float,
    level_m: float | None,
    parameters: ScenarioParameters,
) -> Water:
    """Let a storm fall on the ground at one level of the sea.

    Parameters
    ----------
    elevation : (rows, columns) float32 or float64, metres, NaN outside.
    cut : the same with waterways, culverts and bridges cut in, or the same.
    sea : (rows, columns) bool. pixel_size_m : side of a square pixel.
    rain_mm : depth of the storm on all land.
    level_m : level of the sea above the elevation's datum, metres; None for no tide.

    Raises
    ------
    ContractError
        As `find_depressions`, `pond` and `inundation`; a tide without a sea; a runoff share outside 0–1.
    """
    if not 0 <= parameters.runoff_share <= 1:
        raise ContractError(f"runoff share {parameters.runoff_share} is not within 0–1")
    if level_m is not None and not sea.any():
        raise ContractError("a tide needs the sea: the elevation holds none")
    flooded = None if level_m is None else inundation(elevation, sea, level_m)
    tide = np.zeros_like(sea) if flooded is None else flooded.flooded
    depressions = find_depressions(cut, pixel_size_m, sea | tide)
    ponding = pond(depressions, rain_mm * parameters.runoff_share)
    depth = np.maximum(ponding.depth_m - (elevation - depressions.elevation), 0.0)
    if flooded is not None:
        depth = np.fmax(depth, flooded.depth_m)
    return Water(np.where(sea, np.nan, depth), tide, depressions, ponding)
