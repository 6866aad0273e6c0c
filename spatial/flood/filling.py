"""Depressions filled to their spill level. Arrays only."""

from __future__ import annotations

import heapq
from typing import Any

import numba
import numpy as np

from spatial.flood.rasters import Floats, Index, Mask, checked_elevation, checked_mask, on_rim


def fill_depressions(elevation: Floats, sea: Mask | None = None) -> Floats:
    """Fill depressions to their spill level, 8-connected; (rows, columns) of the elevation's dtype, NaN outside.

    Water leaves over the rim of the known pixels and into the sea (bool): those keep their height. Every filled height
    is the height of some pixel, so nothing is rounded, and the surface does not depend on the order of the work.

    Raises
    ------
    ContractError
        The elevation is not as `analyse` takes it, or `sea` is not a bool array of its shape.

    Notes
    -----
    Priority flood (Barnes, Lehman & Mulla 2014) in the variant of Zhou, Sun & Fu (2016): what rises from a pixel whose
    level is known has its own height as its level and needs no queue by height. Only pixels beside a lower pixel that
    has not been reached wait in that queue, and not even those where the lower one is about to be reached from below.
    """
    z = checked_elevation(elevation)
    outlets = np.zeros(z.shape, bool) if sea is None else checked_mask("sea", sea, z.shape)
    filled = np.full(z.shape, np.nan, dtype=z.dtype)
    _fill(z, outlets, filled)
    return filled


@numba.njit(cache=True, nogil=True)
def _fill(z: Floats, sea: Mask, filled: Floats) -> None:  # pragma: no cover
    rows, columns = z.shape
    height, water = z.ravel(), filled.ravel()
    around = np.array([-columns - 1, -columns, -columns + 1, -1, 1, columns - 1, columns, columns + 1])
    queue = np.empty(z.size, dtype=np.int32)  # reached, neighbours not yet looked at; never on the raster's edge
    waiting: list[Any] = [(z[0, 0], np.int32(0)) for _ in range(0)]  # by level: may spill into what is not yet reached
    first, last = 0, _start(z, sea, filled, queue, waiting)
    level = -np.inf
    while True:
        while first < last:
            here = queue[first]
            first += 1
            last, spills = _spread(here, level, height, water, around, queue, last)
            if spills:
                heapq.heappush(waiting, (water[here], here))
        if len(waiting) == 0:
            return
        lowest, here = heapq.heappop(waiting)
        level = float(lowest)
        first = last = 0
        r, c = here // columns, here % columns
        for i in range(max(r - 1, 0), min(r + 2, rows)):
            for j in range(max(c - 1, 0), min(c + 2, columns)):
                if np.isnan(filled[i, j]) and not np.isnan(z[i, j]):
                    filled[i, j] = max(z[i, j], lowest)
                    queue[last] = i * columns + j
                    last += 1


@numba.njit(cache=True, nogil=True)
def _start(z: Floats, sea: Mask, filled: Floats, queue: Index, waiting: list[Any]) -> int:  # pragma: no cover
    """Give the outlets their level; return how many are in the queue. Those on the raster's edge wait by level."""
    rows, columns = z.shape
    last = 0
    for r in range(rows):
        for c in range(columns):
            if np.isnan(z[r, c]) or not (sea[r, c] or on_rim(z, r, c)):
                continue
            filled[r, c] = z[r, c]
            if 0 < r < rows - 1 and 0 < c < columns - 1:
                queue[last] = r * columns + c
                last += 1
            else:
                heapq.heappush(waiting, (z[r, c], np.int32(r * columns + c)))
    return last


@numba.njit(cache=True, nogil=True)
def _spread(
    here: int, level: float, height: Floats, water: Floats, around: Index, queue: Index, last: int
) -> tuple[int, bool]:  # pragma: no cover
    """Reach the neighbours of a pixel that rise from it, or all where it is at the level of the flood.

    Returns the end of the queue, and whether the pixel may spill into a lower neighbour that nothing lower reaches.
    """
    spills = False
    for step in around:
        there = here + step
        if not np.isnan(water[there]):
            continue
        if height[there] >= water[here] or (height[there] < water[here] and water[here] <= level):
            water[there] = max(height[there], water[here])
            queue[last] = there
            last += 1
        elif height[there] < water[here] and not spills:
            spills = True
            for further in around:  # what has not been reached is never on the edge: it has eight neighbours
                if water[there + further] <= height[there]:
                    spills = False  # that one waits in the queue and will reach it
                    break
    return last, spills
