"""The stream network and the catchments of a terrain, as paths and labels of pixels. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial.flood.terrain import Terrain

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Segment:
    """A stretch of stream between heads, junctions and outlets.

    `pixels`: flat indices from upstream to downstream, the junction or the first sea pixel that it flows into included.
    `upstream_area_km2`: of the last pixel before that.
    """

    pixels: Index
    upstream_area_km2: float


def stream_segments(terrain: Terrain) -> list[Segment]:
    """Return the segments of the stream network on land, by their first pixel; one-pixel streams are left out."""
    stream = (terrain.drainage & ~terrain.sea).ravel()
    downstream = terrain.downstream.ravel().astype(np.int64)
    pixels = np.flatnonzero(stream)
    target = downstream[pixels]
    inflow = np.bincount(target[target >= 0], minlength=stream.size)
    starts = pixels[inflow[pixels] != 1]
    area = terrain.upstream_area_km2.ravel()
    segments = []
    for start in starts.tolist():
        path = [start]
        while downstream[path[-1]] >= 0 and (len(path) == 1 or inflow[path[-1]] == 1) and stream[path[-1]]:
            path.append(int(downstream[path[-1]]))
        if len(path) > 1:
            segments.append(Segment(np.array(path), float(area[path[-2]])))
    return segments


def catchments(terrain: Terrain, least_km2: float) -> tuple[NDArray[np.int32], Index]:
    """Return the catchments of at least `least_km2`.

    Returns
    -------
    labels : (rows, columns) int32, 0 where there is none, else 1, 2, … in the order of `outlets`.
    outlets : flat index of the last land pixel of each: the flow goes on into the sea or out of the elevation.
    """
    land = (np.isfinite(terrain.elevation) & ~terrain.sea).ravel()
    downstream = terrain.downstream.ravel().astype(np.int64)
    here = np.arange(land.size)
    goes_on = land & (downstream >= 0)
    goes_on[goes_on] = land[downstream[goes_on]]
    root = np.where(goes_on, downstream, here)
    while not np.array_equal(further := root[root], root):
        root = further
    area = terrain.upstream_area_km2.ravel()
    outlets = np.flatnonzero(land & ~goes_on & (np.nan_to_num(area) >= least_km2))
    label = np.zeros(land.size, dtype=np.int32)
    label[outlets] = np.arange(1, len(outlets) + 1)
    return np.where(land, label[root], 0).astype(np.int32).reshape(terrain.elevation.shape), outlets
