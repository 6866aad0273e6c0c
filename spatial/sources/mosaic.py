"""Tiles of elevation on one grid, without a seam.

Bilinear interpolation is a weighted sum of four pixels. Every tile gives its part of that sum and of the weights, as
if the pixels beyond its edge weighed nothing. Where one tile holds all the weight, its value stands; elsewhere the
parts of all tiles are added, which on one pixel grid is what the uncut file gives, and between grids a mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.io import DatasetReader
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window

from spatial.sources.tiles import EDGE_POINTS, Tile, opened, place, values_m

_PAD = 3  # pixels
_WHOLE = 0.999  # of the weight
Array = NDArray[np.float64]


def merge_tiles(tiles: Sequence[Tile], transform: Affine, shape: tuple[int, int], crs_utm: CRS) -> NDArray[np.float32]:
    """Return the tiles on one grid: float32 metres, NaN where no tile has a value at a pixel's centre.

    The first tile that holds a pixel's four neighbours decides; where none does, all that hold some.

    Parameters
    ----------
    tiles : by precedence.
    transform, shape : grid in `crs_utm`; (rows, columns).

    Raises
    ------
    InputError
        A file cannot be read to its end, or holds what cannot be metres.
    """
    merged = np.full(shape, np.nan)
    sums, weights = np.zeros(shape), np.zeros(shape)
    known = np.zeros(shape, dtype=bool)
    for tile in tiles:
        part = _part(tile, transform, shape)
        if part is None:
            continue
        found = _warped(tile, transform @ Affine.translation(part[1].start, part[0].start), part, crs_utm)
        if found is None:
            continue
        value, weight, here = found
        whole = here & (weight > _WHOLE) & np.isnan(merged[part])
        merged[part][whole] = value[whole] / weight[whole]
        sums[part] += value
        weights[part] += weight
        known[part] |= here
    mixed = known & np.isnan(merged) & (weights > 0)
    merged[mixed] = sums[mixed] / weights[mixed]
    return merged.astype(np.float32)


def _part(tile: Tile, transform: Affine, shape: tuple[int, int]) -> tuple[slice, slice] | None:
    """Return the rows and columns of the grid under a tile, two pixels around them included; None if none."""
    west, south, east, north = tile.footprint.bounds
    columns, rows = place(~transform, [west, east], [north, south])
    top, bottom = max(0, math.floor(rows[0]) - 2), min(shape[0], math.ceil(rows[1]) + 2)
    left, right = max(0, math.floor(columns[0]) - 2), min(shape[1], math.ceil(columns[1]) + 2)
    return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None


def _warped(
    tile: Tile, transform: Affine, part: tuple[slice, slice], crs_utm: CRS
) -> tuple[Array, Array, NDArray[np.bool_]] | None:
    """Return weighted values, weights, and whether a pixel's centre lies on a value, on a part of the grid."""
    shape = (part[0].stop - part[0].start, part[1].stop - part[1].start)
    with opened(tile.source.path) as file:
        window = _window(file, tile.crs, transform, shape, crs_utm)
        if window is None:
            return None
        values = np.pad(values_m(file, tile.source, window), _PAD, constant_values=np.nan)
        grid: dict[str, Any] = {
            "src_transform": file.window_transform(window) @ Affine.translation(-_PAD, -_PAD),
            "src_crs": file.crs,
            "dst_transform": transform,
            "dst_crs": crs_utm.to_wkt(),
            "tolerance": 0.0,
            # Else GDAL widens the kernel by the ratio of the sizes of the arrays, which depends on where a file is cut.
            "XSCALE": 1,
            "YSCALE": 1,
        }
    good = np.isfinite(values)
    value, weight, known = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.uint8)
    reproject(np.where(good, values, 0.0), value, resampling=Resampling.bilinear, **grid)
    reproject(good.astype(np.float64), weight, resampling=Resampling.bilinear, **grid)
    reproject(good.astype(np.uint8), known, resampling=Resampling.nearest, **grid)
    return value, weight, (known == 1) & (weight > 0)


def _window(file: DatasetReader, crs: CRS, transform: Affine, shape: tuple[int, int], crs_utm: CRS) -> Window | None:
    """Return the part of the file under the grid, with a few pixels around for the interpolation; None if none."""
    bounds = rasterio.transform.array_bounds(*shape, transform)
    to_file = Transformer.from_crs(crs_utm, crs, always_xy=True)
    west, south, east, north = to_file.transform_bounds(bounds[0], bounds[1], bounds[2], bounds[3], EDGE_POINTS)
    columns, rows = place(~file.transform, [west, east, east, west], [north, north, south, south])
    left, right = max(0, math.floor(columns.min()) - 3), min(file.width, math.ceil(columns.max()) + 3)
    top, bottom = max(0, math.floor(rows.min()) - 3), min(file.height, math.ceil(rows.max()) + 3)
    return Window(left, top, right - left, bottom - top) if left < right and top < bottom else None
