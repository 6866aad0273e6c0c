"""Kernels beside a named peer in the same run, with a correctness gate first: medians of five runs and their ratio.

    python benchmarks/kernels.py

Needs ../shared/data for the roads. The terrain has a benchmark of its own, terrain.py.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS

from spatial.hexgrid.join import city_grid, line_lengths, to_plane

ROADS = Path(__file__).parents[2] / "shared/data/lisbon/roads_osm_lisbon_2020.parquet"
RUNS = 5


def seconds(work: Callable[[], object]) -> float:
    """Return the median seconds of five runs after one that does not count."""
    work()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def report(step: str, ours: float, peer: float) -> None:
    """Print one row."""
    print(f"{step}: ours {ours:.3f} s, peer {peer:.3f} s, {peer / ours:.2f}x")


def road_lengths() -> None:
    """Metres of road per cell against shapely's intersection over an STRtree."""
    roads = gpd.read_parquet(ROADS)
    grid = city_grid(shapely.box(*roads.total_bounds), 9, CRS.from_epsg(32629))
    lines = shapely.intersection(to_plane(roads.geometry.to_numpy(), grid.crs), grid.area)

    def by_shapely() -> np.ndarray:
        pairs = shapely.STRtree(grid.polygons).query(lines)
        metres = shapely.length(shapely.intersection(lines[pairs[0]], grid.polygons[pairs[1]]))
        return np.bincount(pairs[1], weights=metres, minlength=len(grid.cells))

    table = line_lengths(lines, grid)
    ours = np.bincount(table["cell"], weights=table["length_m"], minlength=len(grid.cells))
    if np.abs(ours - by_shapely()).max() > 1e-6:
        raise SystemExit("road metres differ from shapely's")
    report("road metres per cell, Lisbon", seconds(lambda: line_lengths(lines, grid)), seconds(by_shapely))


if __name__ == "__main__":
    road_lengths()
