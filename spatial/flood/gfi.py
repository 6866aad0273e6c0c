"""Geomorphic flood index (GFI): how high the water of a stream would stand over the ground that drains to it.

GFI = ln(h_r / H): h_r is the height of the stream's water, by hydraulic scaling from its upstream area; H the height of
the ground above the stream (Samela, Troy & Manfreda 2017). It is an index of floods from streams: it knows no rain that
gathers in a hollow, no drain, no wave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from spatial.errors import ContractError
from spatial.flood.terrain import Terrain

Array = NDArray[np.float64]
Flat = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class GfiParameters:
    """The scaling of the water's height.

    Attributes
    ----------
    coefficient_m, exponent : h_r = coefficient · A^exponent, A the upstream area in m² (Nardi, Vivoni & Grimaldi 2006;
        0.01 and 0.354 as Samela et al. 2017 use them).
    least_height_m : floor of H. Nearer to the stream's level than this a DEM of 30 m says nothing.
    sea_height_m : height of the sea's water over `sea_level_m`: a high spring tide with surge (tides of Tarakan range
        over 3 m).
    stream_threshold_km2 : stream threshold of the twin, which takes the first stream alone.
    """

    coefficient_m: float = 0.01
    exponent: float = 0.354
    least_height_m: float = 1.0
    sea_height_m: float = 2.0
    stream_threshold_km2: float = 1.0


def water_height_m(terrain: Terrain, parameters: GfiParameters) -> Array:
    """Return h_r of each pixel as if it were a stream, metres; (rows, columns), NaN outside.

    Raises ContractError where the coefficient, the exponent or the floor is not positive, or the sea's height negative.
    """
    positive = (parameters.coefficient_m, parameters.exponent, parameters.least_height_m)
    if not (min(positive) > 0 and parameters.sea_height_m > 0):
        raise ContractError(f"{parameters}: coefficient, exponent, floor and the sea's height must be above 0")
    height = parameters.coefficient_m * np.power(terrain.upstream_area_km2 * 1e6, parameters.exponent)
    return np.where(terrain.sea, parameters.sea_height_m, height)


def first_stream_gfi(terrain: Terrain, surface: Array, parameters: GfiParameters) -> Array:
    """Return the GFI over the first stream along the flow, as BNPB's method takes it (Samela et al. 2017).

    Parameters
    ----------
    surface : (rows, columns) heights that H is measured on, metres; the level of the sea where there is sea.

    Returns
    -------
    (rows, columns) float64, NaN outside, in the sea, and where the flow meets no stream of `stream_threshold_km2`.
    """
    stream = terrain.sea | (np.nan_to_num(terrain.upstream_area_km2) >= parameters.stream_threshold_km2)
    first = _first(terrain.downstream.ravel(), terrain.order, stream.ravel()).reshape(stream.shape)
    met = (first >= 0) & ~terrain.sea
    at = np.where(met, first, 0)
    rise = np.maximum(surface - surface.ravel()[at], parameters.least_height_m)
    return np.where(met, np.log(water_height_m(terrain, parameters).ravel()[at] / rise), np.nan)


def flow_path_gfi(terrain: Terrain, surface: Array, parameters: GfiParameters) -> Array:
    """Return the highest GFI over all pixels along the flow, each taken as a stream; (rows, columns) float64.

    It needs no stream threshold, on which GFI and HAND depend: a ditch at the door and the river a kilometre on are
    weighed by the same scaling. Never below `first_stream_gfi` of any threshold. NaN outside and in the sea.
    """
    best = _best(
        terrain.downstream.ravel(),
        terrain.order,
        np.ascontiguousarray(surface, dtype=np.float64).ravel(),
        water_height_m(terrain, parameters).ravel(),
        parameters.least_height_m,
    )
    return np.where(terrain.sea, np.nan, best.reshape(surface.shape))


def disagreement(susceptibility: Array, gfi: Array) -> Array:
    """Return where two indices rank the same places differently: percentile rank of the first less that of the second.

    Both of one shape; -1 to 1, ties averaged, NaN where either is unknown. Above 0: the first holds the place for worse
    than the second does. Ranks, since the two have no common unit.
    """
    both = np.isfinite(susceptibility) & np.isfinite(gfi)
    result = np.full(susceptibility.shape, np.nan)
    if both.any():
        ranks = [rankdata(values[both]) / both.sum() for values in (susceptibility, gfi)]
        result[both] = ranks[0] - ranks[1]
    return result


@numba.njit(cache=True)
def _first(downstream: Flat, order: Flat, stream: NDArray[np.bool_]) -> Flat:  # pragma: no cover
    first = np.full(downstream.size, -1, dtype=np.int32)
    for i in order:
        if stream[i]:
            first[i] = i
        elif downstream[i] >= 0:
            first[i] = first[downstream[i]]
    return first


@numba.njit(cache=True, parallel=True)
def _best(downstream: Flat, order: Flat, z: Array, height: Array, least: float) -> Array:  # pragma: no cover
    highest = height.copy()  # h_r still to come along the flow, itself included
    for i in order:
        if downstream[i] >= 0:
            highest[i] = max(highest[i], highest[downstream[i]])
    best = np.full(z.size, np.nan)
    for k in numba.prange(order.size):
        i = order[k]
        here, ratio = i, 0.0
        # Down the flow H only grows, so nothing further can beat `highest` over the H of now.
        while here >= 0:
            rise = max(z[i] - z[here], least)
            if highest[here] <= ratio * rise:
                break
            ratio = max(ratio, height[here] / rise)
            here = downstream[here]
        best[i] = np.log(ratio)
    return best
