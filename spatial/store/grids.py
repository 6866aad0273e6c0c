"""Parts of a version's rasters on any grid: the pixels themselves where the grid is theirs, else resampled.

A grid is north up. Reads are of bands of rows, so that memory follows the width of what is asked, not its area; the
overviews of the file serve what is scaled down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import calculate_default_transform, transform, transform_bounds
from rasterio.windows import Window

Box = tuple[float, float, float, float]  # west, south, east, north in the units of a CRS
_SAME = 1e-6  # of a pixel: what is closer to an edge than this lies on it
_BAND_ROWS = 256  # the files' own tiles are as high
_NEAR = 1e-3  # of a pixel: how far from its place a value may be taken, so that a part is what the whole has there
_COARSER = 1.2  # from so many pixels for one on, pixels are averaged


@dataclass(frozen=True, slots=True)
class Grid:
    """A raster's place: CRS as `EPSG:n` or `OGC:CRS84`, upper left corner, pixel size (CRS units), columns, rows."""

    crs: str
    west: float
    north: float
    dx: float
    dy: float
    width: int
    height: int

    @property
    def transform(self) -> Affine:
        """Affine transform from column and row to x and y."""
        return Affine(self.dx, 0.0, self.west, 0.0, -self.dy, self.north)

    @property
    def bounds(self) -> Box:
        """The outer edges: west, south, east, north."""
        south, east = self.north - self.height * self.dy, self.west + self.width * self.dx
        return self.west, south, east, self.north

    def part(self, box: Box) -> Grid | None:
        """Return the pixels whose inside meets a box of this CRS (edges included), or None where there is none.

        A box without width or height takes the pixel that it lies in; on an edge, the one to the east or the south.
        """
        columns = _span((box[0] - self.west) / self.dx, (box[2] - self.west) / self.dx, self.width)
        rows = _span((self.north - box[3]) / self.dy, (self.north - box[1]) / self.dy, self.height)
        if columns is None or rows is None:
            return None
        west, north = self.west + columns[0] * self.dx, self.north - rows[0] * self.dy
        return Grid(self.crs, west, north, self.dx, self.dy, columns[1] - columns[0], rows[1] - rows[0])

    def hull(self, other: Grid) -> Grid:
        """Return the smallest part of a common grid that holds this part and another one."""
        (a, b, c, d), (e, f, g, h) = self.bounds, other.bounds
        west, south, east, north = min(a, e), min(b, f), max(c, g), max(d, h)
        width, height = round((east - west) / self.dx), round((north - south) / self.dy)
        return Grid(self.crs, west, north, self.dx, self.dy, width, height)


def fitted(crs: str, box: Box, width: int, height: int) -> Grid:
    """Return the grid of `width` by `height` pixels that fills a box."""
    west, south, east, north = box
    return Grid(crs, west, north, (east - west) / width, (north - south) / height, width, height)


def _span(first: float, last: float, size: int) -> tuple[int, int] | None:
    """Return the first pixel and the one after the last between two positions, cut to 0..size."""
    first, last = max(first, -1.0), min(last, size + 1.0)
    low, high = floor(first + _SAME), ceil(last - _SAME)
    low, high = max(low, 0), min(max(high, low + 1), size)
    return (low, high) if low < high else None


@lru_cache(maxsize=512)
def grid_of(path: Path) -> Grid:
    """Return the grid of a published raster; its file never changes."""
    with rasterio.open(path) as source:
        place = source.transform
        return Grid(f"EPSG:{source.crs.to_epsg()}", place.c, place.f, place.a, -place.e, source.width, source.height)


@lru_cache(maxsize=512)
def grid_in(grid: Grid, crs: str) -> Grid:
    """Return the grid that covers another one in a CRS at about its pixel size, as GDAL proposes it."""
    if crs == grid.crs:
        return grid
    place, width, height = calculate_default_transform(_crs(grid.crs), _crs(crs), grid.width, grid.height, *grid.bounds)
    return Grid(crs, place.c, place.f, place.a, -place.e, width, height)


def box_in(box: Box, source: str, target: str) -> Box | None:
    """Return the box around a box in another CRS, its sides followed at 21 points.

    None where the other CRS does not reach all of it: a place in the box that does not come back from there.
    """
    if source == target:
        return box
    try:
        found: Box = transform_bounds(_crs(source), _crs(target), *box, densify_pts=21)
    except RasterioError:
        return None
    return found if found[0] <= found[2] and _comes_back(box, source, target) else None


def _comes_back(box: Box, source: str, target: str) -> bool:
    shares = np.linspace(0.0, 1.0, 5)
    x, y = (
        low + (high - low) * side for low, high, side in zip(box[:2], box[2:], np.meshgrid(shares, shares), strict=True)
    )
    there = transform(_crs(source), _crs(target), x.ravel(), y.ravel())
    if not np.isfinite(there).all():
        return False
    back = np.array(transform(_crs(target), _crs(source), *there))
    return bool(np.allclose(back, [x.ravel(), y.ravel()], rtol=1e-7, atol=1e-7))


def bands(path: Path, grid: Grid) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the values of a raster on a grid, band of rows by band of rows from the north.

    Where the grid's pixels are the raster's, they are its values bit for bit. Else each is the mean of the raster's
    pixels in it, by area, where it is coarser than 1.2 of them, and bilinear where it is not.

    Yields
    ------
    Index of the first row, and (rows, width) float32, NaN where unknown and outside the raster.
    """
    native = grid_of(path)
    place = _place(native, grid)
    if place is not None:
        with rasterio.open(path) as source:
            for row, rows in _steps(grid):
                yield row, source.read(1, window=Window(place[0], place[1] + row, grid.width, rows))
        return
    level, resampling = _source(path, native, grid)
    with (
        rasterio.open(path, **({} if level is None else {"overview_level": level})) as source,
        WarpedVRT(
            source,
            crs=_crs(grid.crs),
            transform=grid.transform,
            width=grid.width,
            height=grid.height,
            resampling=resampling,
            src_nodata=float("nan"),
            nodata=float("nan"),
            tolerance=_NEAR,
            XSCALE=1,  # else GDAL takes the scale from the window that it reads, so that a part is smoothed otherwise
            YSCALE=1,
        ) as warped,
    ):
        for row, rows in _steps(grid):
            yield row, warped.read(1, window=Window(0, row, grid.width, rows))


def _steps(grid: Grid) -> Iterator[tuple[int, int]]:
    for row in range(0, grid.height, _BAND_ROWS):
        yield row, min(_BAND_ROWS, grid.height - row)


def _place(native: Grid, grid: Grid) -> tuple[int, int] | None:
    """Return column and row of a part of the raster's own grid; None where it is another grid or leaves it."""
    column, row = (grid.west - native.west) / native.dx, (native.north - grid.north) / native.dy
    near = _SAME / max(grid.width, grid.height, 1)
    own = grid.crs == native.crs and abs(grid.dx / native.dx - 1) < near and abs(grid.dy / native.dy - 1) < near
    if not own or abs(column - round(column)) > _SAME or abs(row - round(row)) > _SAME:
        return None
    column, row = round(column), round(row)
    inside = 0 <= column <= native.width - grid.width and 0 <= row <= native.height - grid.height
    return (column, row) if inside else None


def _source(path: Path, native: Grid, grid: Grid) -> tuple[int | None, Resampling]:
    """Return which overview to read, None for the pixels themselves, and how to resample.

    An overview serves where it is the answer itself or twice as fine: its pixels straddle those of the answer.
    """
    box = box_in(grid.bounds, grid.crs, native.crs)
    if box is None:
        return None, Resampling.bilinear
    coarser = min((box[2] - box[0]) / grid.width / native.dx, (box[3] - box[1]) / grid.height / native.dy)
    if coarser < _COARSER:
        return None, Resampling.bilinear
    with rasterio.open(path) as source:
        factors = source.overviews(1)
    fitting = [i for i, factor in enumerate(factors) if factor <= coarser / 2 or abs(factor - coarser) < _SAME]
    return max(fitting, default=None), Resampling.average


def _crs(name: str) -> CRS:
    """Return a CRS as rasterio has it; it always puts longitude first."""
    return CRS.from_epsg(4326) if name == "OGC:CRS84" else CRS.from_user_input(name)
