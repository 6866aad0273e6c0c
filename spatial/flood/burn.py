"""Mapped waterways, culverts and bridges cut into the DEM, so that water takes the ways that the map knows.

A DEM of 10–30 m shows neither a drain nor the pipe under a road: the road dams the valley. Lines come as *paths*: flat
indices (row · columns + column) of 8-connected pixels in order, int32, as `line_pixels` makes them. Cutting only ever
lowers, and only pixels on the paths.

What a cut DEM is for: the flow. It is not the ground. The sea, tides (`coast`) and heights above a trench are to be
read from the DEM as it was: a trench below sea level would become sea, and HAND over it would be too high by its depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.rasters import checked_elevation

Floats = NDArray[np.floating[Any]]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int32]
Paths = Sequence[Index]


@dataclass(frozen=True, slots=True)
class BurnParameters:
    """What is cut into the elevation before its flow is found; nothing unless the city asks.

    Attributes
    ----------
    burn_waterways : lower the pixels of waterways, then let each fall from its higher to its lower end.
    waterway_depth_m : by how much they are lowered before, m ("stream burning", Saunders 1999). 1 m is the default of
        SAGA's "Burn Stream Network into DEM" (Conrad 2011); AGREE (Hellweger 1997) goes deeper. 0: only the fall.
    burn_culverts : open roads and other banks at culverts and bridges.
    """

    burn_waterways: bool = False
    waterway_depth_m: float = 1.0
    burn_culverts: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Burnt:
    """A DEM with lines cut in; (rows, columns) each.

    Attributes
    ----------
    elevation : float64, metres, NaN outside; nowhere above the DEM it was cut from.
    changed : bool, pixels that were lowered.
    """

    elevation: Array
    changed: Mask


def burn(elevation: Floats, waterways: Paths, culverts: Paths, bridges: Paths, parameters: BurnParameters) -> Burnt:
    """Cut what the parameters ask for: waterways, then culverts, then bridges, so that each meets the bed before it.

    Parameters
    ----------
    elevation : (rows, columns) float32 or float64, metres, NaN outside; it is not changed.
    waterways, culverts, bridges : paths of pixels: along the water for the first two, along the deck for bridges.

    Raises
    ------
    ContractError
        The elevation is not a 2-D float array or holds infinity; a path is not 1-D int32, leaves the raster or jumps
        over pixels; the depth is negative or not finite.
    """
    z = checked_elevation(elevation, may_be_empty=True).astype(np.float64, copy=False)
    if not (parameters.waterway_depth_m >= 0 and np.isfinite(parameters.waterway_depth_m)):
        raise ContractError(f"waterway depth {parameters.waterway_depth_m} m is not 0 or more")
    cut = z
    if parameters.burn_waterways:
        cut = descend(lower(z, waterways, parameters.waterway_depth_m), waterways, z)
    if parameters.burn_culverts:
        cut = cut_bridges(cut_culverts(cut, culverts), bridges)
    return Burnt(cut.copy(), cut < z)


def lower(elevation: Array, paths: Paths, depth_m: float) -> Array:
    """Return the elevation with every pixel on a path lowered by `depth_m`, once, however many paths hold it."""
    z = elevation.copy()
    for path in _known(z, paths):
        z.flat[path] = elevation.flat[path] - depth_m
    return z


def descend(elevation: Array, paths: Paths, reference: Array) -> Array:
    """Return the elevation with each path falling, or level, from its higher to its lower end.

    Which end is higher is read from `reference` (the DEM before any cut); where both are alike, the path runs as it is
    drawn. A pixel is lowered to the lowest pixel before it, through confluences too: the result is the highest surface
    under the DEM on which no path rises, so the order of the paths does not matter.

    Notes
    -----
    One pixel that is far too low lowers all that follows. On ground where both ends differ by less than the error of
    the DEM a path may run the wrong way; unknown pixels are stepped over.
    """
    z = elevation.copy()
    known = _known(z, paths)
    downhill = [path if reference.flat[path[0]] >= reference.flat[path[-1]] else path[::-1] for path in known]
    changed = True
    while changed:  # only lowers, to values that are in `elevation`: it ends
        changed = False
        for path in downhill:
            before = z.flat[path]
            fall = np.minimum.accumulate(before)
            if not np.array_equal(fall, before):
                np.minimum.at(z.reshape(-1), path, fall)
                changed = True
    return z


def cut_culverts(elevation: Array, paths: Paths) -> Array:
    """Return the elevation opened along culverts: no pixel above the straight line between the ground at the two ends.

    The ground at an end is the lowest known pixel there and beside it, since culverts are often mapped no longer than
    the road is wide, less than a pixel. Water on either side then passes at the higher of the two.
    """
    z = elevation.copy()
    for path in _known(z, paths):
        start, end = _lowest_beside(elevation, path[[0, -1]])
        np.minimum.at(z.reshape(-1), path, np.linspace(start, end, path.size))
    return z


def cut_bridges(elevation: Array, paths: Paths) -> Array:
    """Return the elevation without decks: each pixel of a bridge at most as high as the lowest ground beside it.

    Ground is what no bridge covers. A deck wider than two pixels keeps its middle, and dams the water as before.
    """
    z = elevation.copy()
    known = _known(z, paths)
    if not known:
        return z
    decks = np.zeros(z.shape, dtype=bool)
    for path in known:
        decks.flat[path] = True
    pixels = np.flatnonzero(decks).astype(np.int32)
    z.flat[pixels] = np.minimum(z.flat[pixels], _lowest_beside(np.where(decks, np.inf, elevation), pixels))
    return z


def line_pixels(line: shapely.LineString, transform: Affine, shape: tuple[int, int]) -> list[Index]:
    """Return the pixels that a line runs through, in its order: one 8-connected path for each stretch in the raster.

    Parameters
    ----------
    line : in the raster's CRS; heights are ignored.
    transform : of the raster, pixel (column, row) → coordinates.
    shape : (rows, columns).

    Returns
    -------
    Paths of int32, none where the line is empty or lies outside. The line is sampled at half a pixel: corners that it
    cuts more finely may be left out.

    Raises
    ------
    ContractError
        The transform cannot be inverted, or the line is not a line with finite coordinates.
    """
    if line.geom_type not in ("LineString", "LinearRing") or transform.determinant == 0:
        raise ContractError(f"{line.geom_type} with transform {tuple(transform)} is not a line on a raster")
    x, y = shapely.get_coordinates(line).T
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ContractError("line holds coordinates that are not finite")
    if not x.size:
        return []
    to_pixel = ~transform
    columns, rows = to_pixel.a * x + to_pixel.b * y + to_pixel.c, to_pixel.d * x + to_pixel.e * y + to_pixel.f
    row, column = np.floor(_sampled(np.column_stack([rows, columns]))).astype(np.int64).T
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    flat = np.where(inside, row * shape[1] + column, -1)
    flat = flat[np.append(True, flat[1:] != flat[:-1])]
    stretches = np.split(flat, np.flatnonzero(flat == -1))
    return [s[s >= 0].astype(np.int32) for s in stretches if (s >= 0).any()]


def _sampled(points: Array) -> Array:
    """Return the points of a line with others between them, so that no step exceeds half a pixel on either axis."""
    steps = np.maximum(1, np.ceil(2 * np.abs(np.diff(points, axis=0)).max(axis=1, initial=0.0))).astype(np.int64)
    at = np.concatenate([[0], np.cumsum(steps)])
    where = np.arange(at[-1] + 1)
    return np.column_stack([np.interp(where, at, points[:, axis]) for axis in (0, 1)])


def _known(z: Array, paths: Paths) -> list[Index]:
    """Return the paths, checked, without their unknown pixels; those without a known pixel are left out."""
    known = []
    for number, path in enumerate(paths):
        if path.ndim != 1 or path.dtype != np.int32:
            raise ContractError(f"path {number} is {path.ndim}-D {path.dtype}, expected 1-D int32")
        if path.size and not (path.min() >= 0 and path.max() < z.size):
            raise ContractError(f"path {number} leaves the raster")
        row, column = np.divmod(path, z.shape[1])
        if (np.abs(np.diff(row)) > 1).any() or (np.abs(np.diff(column)) > 1).any():
            raise ContractError(f"path {number} jumps over pixels")
        known.append(path[~np.isnan(z.flat[path])])
    return [path for path in known if path.size]


def _lowest_beside(z: Array, pixels: Index) -> Array:
    """Return the lowest known value of each pixel and its eight neighbours, infinite where there is none."""
    row, column = np.divmod(pixels, z.shape[1])
    lowest = np.full(pixels.size, np.inf)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            r, c = row + down, column + right
            inside = (r >= 0) & (r < z.shape[0]) & (c >= 0) & (c < z.shape[1])
            lowest[inside] = np.fmin(lowest[inside], z[r[inside], c[inside]])
    return lowest
