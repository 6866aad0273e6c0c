"""Pixels of a raster as points and outlines."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import shape

from spatial.contracts import Raster
from spatial.zones import as_multipolygon


def centres(raster: Raster, pixels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the centres of pixels given by flat index, (n, 2), in the raster's plane."""
    row, column = np.divmod(pixels, raster.values.shape[1])
    transform = raster.transform
    return np.column_stack([transform.c + transform.a * (column + 0.5), transform.f + transform.e * (row + 0.5)])


def pieces(labels: NDArray[np.int32], raster: Raster) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Return the polygons of 8-connected pixels of one label, and the label of each; negative labels are left out."""
    found = [(shapely.make_valid(shape(o)), int(n)) for o, n in shapes(labels, labels >= 0, 8, raster.transform)]
    outlines = np.empty(len(found), dtype=object)
    outlines[:] = [outline for outline, _ in found]
    return outlines, np.array([number for _, number in found], dtype=np.int64)


def outlines(labels: NDArray[np.int32], raster: Raster, count: int) -> list[shapely.MultiPolygon]:
    """Return the outline of each label 0, 1, … count - 1; (count,), empty where no pixel carries it."""
    polygons, number = pieces(labels, raster)
    order = np.argsort(number, kind="stable")
    parts = np.split(polygons[order], np.searchsorted(number[order], np.arange(1, count)))
    return [as_multipolygon(shapely.union_all(own)) for own in parts[:count]]
