"""Rasters that the terrain tests share, and slow oracles."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from spatial.flood.filling import fill_depressions
from spatial.flood.flow import flow_direction, flow_order

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
NAN = float("nan")

ESRI_ELEVATION = np.fromstring(
    "78 72 69 71 58 49  74 67 56 49 46 50  69 53 44 37 38 48  64 58 55 22 31 24  68 61 47 21 16 19  74 53 34 12 11 12",
    sep=" ",
).reshape(6, 6)
ESRI_ACCUMULATION = np.fromstring(
    "0 0 0 0 0 0  0 1 1 2 2 0  0 3 7 5 4 0  0 0 0 20 0 1  0 0 0 1 24 0  0 2 4 7 35 1", sep=" "
).reshape(6, 6)

# Few levels make flats and nested hollows; quarters are exact in float32, so the oracle's sums are exact too.
LEVELS = st.sampled_from([NAN, 0.0, 0.25, 0.5, 1.0, 1.25, 2.0, 3.75, 7.0])
RASTERS = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=11), elements=LEVELS).filter(
    lambda z: bool(np.isfinite(z).any())
)


@st.composite
def rasters_with_sea(draw: st.DrawFn) -> tuple[NDArray[np.float32], Mask]:
    z = draw(RASTERS)
    return z, draw(arrays(np.bool_, z.shape)) & np.isfinite(z)


def outer(z: NDArray[np.floating]) -> Mask:
    """The known pixels on the raster's edge or beside an unknown one: those that erosion takes away."""
    known = np.isfinite(z)
    return known & ~binary_erosion(known, np.ones((3, 3), bool), border_value=0)


def neighbours(r: int, c: int, shape: tuple[int, int]) -> list[tuple[int, int]]:
    box = [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    return [(i, j) for i, j in box if 0 <= i < shape[0] and 0 <= j < shape[1]]


def relaxed(z: Array, seeds: Mask) -> Array:
    """Fill by relaxation (Planchon & Darboux 2001): an independent, slow oracle."""
    known = np.isfinite(z)
    water = np.where(seeds, z, np.where(known, np.inf, np.nan))
    while True:
        before = water.copy()
        for r, c in np.argwhere(known & ~seeds):
            lowest = min((water[n] for n in neighbours(r, c, z.shape) if known[n]), default=np.inf)
            water[r, c] = min(water[r, c], max(z[r, c], lowest))
        if np.array_equal(before, water, equal_nan=True):
            return water


def path(downstream: NDArray[np.int32], start: int) -> list[int]:
    """Follow the flow from a pixel to its end, both included."""
    steps = [start]
    while (following := int(downstream.flat[steps[-1]])) >= 0:
        steps.append(following)
        assert len(steps) <= downstream.size, "the flow runs in a circle"
    return steps


def paths(downstream: NDArray[np.int32], known: Mask) -> list[list[int]]:
    return [path(downstream, int(i)) for i in np.flatnonzero(known)]


def flowing(
    z: NDArray[np.floating], sea: Mask | None = None
) -> tuple[NDArray[np.floating], NDArray[np.int32], NDArray[np.int32]]:
    """Fill, D8 and order."""
    filled = fill_depressions(z, sea)
    downstream = flow_direction(filled, sea)
    return filled, downstream, flow_order(filled, downstream)
