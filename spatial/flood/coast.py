"""The sea at a tide level: what it floods, for how long, and how much fall it leaves to the drainage. Arrays only.

A static level ("bathtub") with connection: water stands level and reaches only what is joined to the sea by a path of
pixels below the level. No momentum, no friction, no duration of the tide: an upper bound of what a tide of that level
reaches inland, and a lower bound where waves or the flow of a river add to it. Walls, gates and pumps that the
elevation does not show are not there. Levels and heights are metres above one vertical datum, the elevation's.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.flow import hand
from spatial.flood.rasters import checked_array, checked_elevation

Floats = NDArray[np.floating[Any]]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TideParameters:
    """The tide of a city. Nothing is assumed: which level a tide table counts from differs from port to port.

    Attributes
    ----------
    datum : what the tide's levels count from, as its table or gauge says, e.g. "MSL", "LAT", "zero of the gauge".
    offset_m : height of that zero above the zero of the elevation, m; 0 only where a levelling says so. No default: the
        zero of a tide table lies metres below mean sea level where tides are large, and mean sea level itself up to 2 m
        from a geoid (mean dynamic topography); both are more than the heights that decide.
    """

    datum: str
    offset_m: float


class TideProblem(NamedTuple):
    """Why a tide cannot be set against an elevation: the setting at fault, what is wrong, what to do."""

    field: str
    problem: str
    hint: str


@dataclass(frozen=True, eq=False, slots=True)
class Inundation:
    """What the sea floods at one level; (rows, columns) each.

    Attributes
    ----------
    flooded : bool, ground under water; the sea itself and unknown pixels are False.
    depth_m : float64, metres, above 0 where `flooded` and 0 on dry ground; NaN in the sea and where unknown.
    """

    flooded: Mask
    depth_m: Array


def tide_problem(parameters: TideParameters, vertical_datums: tuple[str | None, ...]) -> TideProblem | None:
    """Return why the tide cannot be set against the elevation, None where it can.

    Parameters
    ----------
    vertical_datums : of each file of elevation, as its setting states it; None where it states none.
    """
    told = {datum.strip().casefold() for datum in vertical_datums if datum and datum.strip()}
    elevation, shown = "elevation.vertical_datum", ", ".join(str(datum) for datum in vertical_datums)
    if not told or not all(datum and datum.strip() for datum in vertical_datums):
        hint = 'state it for every file, e.g. vertical_datum = "EGM2008"; without it no tide is computed'
        return TideProblem(elevation, "is missing, so a tide level has no place among the heights", hint)
    if len(told) > 1:
        return TideProblem(elevation, f"differs between the files ({shown})", "use elevation of one vertical datum")
    if not parameters.datum.strip():
        return TideProblem("tide.datum", "is empty", 'name what the levels count from, e.g. datum = "LAT"')
    if not np.isfinite(parameters.offset_m):
        hint = f"give the height of the tide's zero ({parameters.datum}) above {shown}, in metres"
        return TideProblem("tide.offset_m", f"{parameters.offset_m} is not a number", hint)
    if parameters.datum.strip().casefold() in told and parameters.offset_m != 0:
        problem = f"is {parameters.offset_m} m although tide and elevation both count from {parameters.datum}"
        return TideProblem("tide.offset_m", problem, "write offset_m = 0, or correct one of the datums")
    return None


def tide_level_m[T: (float, Array)](
    tide_m: T, parameters: TideParameters, vertical_datums: tuple[str | None, ...]
) -> T:
    """Return tide levels above the elevation's vertical datum, m.

    Parameters
    ----------
    tide_m : levels above `parameters.datum`, m; a number or float64 of any shape, finite.

    Raises
    ------
    ContractError
        `tide_problem` finds a problem (it says which setting and what to do), or a level is not finite. Settings are
        to be checked with `tide_problem` before.
    """
    problem = tide_problem(parameters, vertical_datums)
    if problem is not None:
        raise ContractError(f"{problem.field}: {problem.problem}; {problem.hint}")
    if not np.isfinite(tide_m).all():
        raise ContractError("tide levels are not all finite")
    return tide_m + parameters.offset_m


def connection_level_m(elevation: Floats, sea: Mask) -> Array:
    """Return the lowest level at which the sea reaches each pixel: it floods it at every level above this one.

    It is the least, over all 8-connected paths from the sea, of the highest ground on the path, the pixel included
    (minimax path; priority flood of Barnes, Lehman & Mulla 2014 with the sea as its only seed). So one raster answers
    for every level: `inundation_at`, `hours_flooded`.

    Parameters
    ----------
    elevation : (rows, columns) float32 or float64, metres, NaN outside.
    sea : (rows, columns) bool, as `terrain.sea_mask` finds it; it may hold pixels of unknown height. Its own heights
        are not read: they are noise.

    Returns
    -------
    (rows, columns) float64, metres, never below the elevation; infinite where no path of known pixels leads to the sea
    (everywhere, where there is no sea), NaN in the sea and where unknown.

    Raises
    ------
    ContractError
        The elevation is not a 2-D float array or holds infinity, or `sea` is not a bool array of its shape.

    Notes
    -----
    A wall protects only where no two low pixels touch across it, corners included: a diagonal dyke one pixel wide
    leaks. A dyke narrower than a pixel is not in the elevation at all.
    """
    z = checked_elevation(elevation, may_be_empty=True).astype(np.float64, copy=False)
    checked_array("sea", sea, np.bool_, z.shape)
    level = _reach(z, np.flatnonzero(sea).astype(np.int32))
    return np.where(np.isfinite(z) & ~sea, level, np.nan)


def inundation(elevation: Floats, sea: Mask, level_m: float) -> Inundation:
    """Return what the sea floods at a level: ground below it that a path of pixels below it joins to the sea.

    Strictly below: where the water only just touches the ground its depth is 0, and the ground is dry. A hollow below
    the level that nothing joins to the sea stays dry. Ground and depth never shrink as the level rises.
    Parameters and errors as `connection_level_m`; ContractError too where the level is not finite.
    """
    return inundation_at(elevation, connection_level_m(elevation, sea), level_m)


def inundation_at(elevation: Floats, connection_m: Array, level_m: float) -> Inundation:
    """Return the same as `inundation` from its `connection_level_m`, for many levels of one elevation.

    Raises ContractError where the arrays are not as `connection_level_m` takes and returns them, or the level is not
    finite.
    """
    z = checked_elevation(elevation, may_be_empty=True).astype(np.float64, copy=False)
    checked_array("connection level", connection_m, np.float64, z.shape)
    _finite(level_m)
    flooded = connection_m < level_m  # never where it is NaN
    dry = np.where(np.isnan(connection_m), np.nan, 0.0)
    return Inundation(flooded, np.where(flooded, level_m - z, dry))


def hours_flooded(connection_m: Array, levels_m: Array, step_h: float = 1.0) -> Array:
    """Return for how many hours of a series of levels each pixel lies under the sea.

    Each level stands for `step_h` hours, and water comes and goes with it at once: in truth a hollow behind a low bank
    stays wet after the tide has gone. What the series leaves out counts as dry.

    Parameters
    ----------
    connection_m : (rows, columns) float64, as `connection_level_m` returns it.
    levels_m : (steps,) float64, metres above the elevation's vertical datum, finite, in any order.

    Returns
    -------
    (rows, columns) float64, hours; NaN in the sea and where unknown.

    Raises
    ------
    ContractError
        An array is not as stated, or the step is not above 0.
    """
    if connection_m.ndim != 2 or connection_m.dtype != np.float64:
        raise ContractError(f"connection level is {connection_m.ndim}-D {connection_m.dtype}, expected 2-D float64")
    if levels_m.ndim != 1 or levels_m.dtype != np.float64 or not np.isfinite(levels_m).all():
        raise ContractError("levels are not 1-D float64, all finite")
    if not (step_h > 0 and np.isfinite(step_h)):
        raise ContractError(f"step of {step_h} hours is not above 0")
    higher = levels_m.size - np.searchsorted(np.sort(levels_m), connection_m, side="right")
    return np.where(np.isnan(connection_m), np.nan, higher * step_h)


def hand_at_tide(
    filled: Floats, downstream: Index, order: Index, drainage: Mask, sea: Mask, connection_m: Array, level_m: float
) -> Array:
    """Return the head that gravity drainage has left at a tide: HAND, with the drainage raised to the tide.

    The sea stands at the level, and so does every drainage pixel that the sea reaches at it (`connection_m` below the
    level). From there up the flow, head = filled height − level of the drainage. Head never rises with the tide; at
    `sea_level_m` of the terrain it is the terrain's own HAND. 0 on drainage; **negative** on ground below the level
    of its drainage, which cannot drain until the tide falls.

    Parameters
    ----------
    filled, downstream, order, drainage, sea : (rows, columns), of one terrain, as `terrain.hand` takes them.
    connection_m : (rows, columns) float64, `connection_level_m` of the same elevation and sea.
    level_m : the tide above the elevation's vertical datum, m.

    Returns
    -------
    (rows, columns) float64, metres; NaN where the flow meets no drainage, and outside.

    Raises
    ------
    ContractError
        An array is not as stated, or the level is not finite.

    Notes
    -----
    The river's own discharge does not add to the tide, and the tide does not lose height upstream: an upper bound of
    the backwater in a dry river, none in a flood. Tide gates and pumps are not known.
    """
    for name, values, dtype in (
        ("filled", filled, filled.dtype.type),
        ("drainage", drainage, np.bool_),
        ("sea", sea, np.bool_),
        ("connection level", connection_m, np.float64),
    ):
        checked_array(name, values, dtype, downstream.shape)
    _finite(level_m)
    tidal = drainage & (connection_m < level_m)
    surface = np.where(sea, level_m, np.where(tidal, np.maximum(filled, level_m), filled))
    return hand(surface, downstream, order, drainage).astype(np.float64, copy=False)


def _finite(level_m: float) -> None:
    if not np.isfinite(level_m):
        raise ContractError(f"level {level_m} is not finite")


@numba.njit(cache=True)
def _reach(z: Array, seeds: Index) -> Array:  # pragma: no cover
    rows, columns = z.shape
    level = np.full(z.shape, np.inf)  # infinite: not reached
    queue = np.empty(z.size, dtype=np.int32)  # [first:last]: pixels at or below the present level
    first, last = 0, seeds.size
    queue[:last] = seeds
    for i in seeds:
        level.flat[i] = -np.inf
    waiting = [(0.0, np.int32(0)) for _ in range(0)]  # above it, as (height, flat index); gives the list its type
    while first < last or len(waiting) > 0:
        if first == last:
            queue[last] = heapq.heappop(waiting)[1]
            last += 1
        here = queue[first]
        first += 1
        r, c = here // columns, here % columns
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            for j in range(max(c - 1, 0), min(c + 2, columns)):
                if level[i, j] == np.inf and not np.isnan(z[i, j]):
                    level[i, j] = max(z[i, j], level[r, c])
                    if level[i, j] > level[r, c]:
                        heapq.heappush(waiting, (level[i, j], np.int32(i * columns + j)))
                    else:
                        queue[last] = i * columns + j
                        last += 1
    return level
