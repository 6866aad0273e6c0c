"""H3 cells: of points and areas, their polygons, neighbours and parents.

The one place that talks to h3, which is (latitude, longitude); everything outside is (longitude, latitude).
A cell is its H3 index as 15 lower-case hexadecimal digits: for one resolution their order is that of the integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import h3
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from shapely.geometry.base import BaseGeometry


def cells_of_points(lon: ArrayLike, lat: ArrayLike, resolution: int) -> NDArray[np.object_]:
    """Return the cell of each point.

    Parameters
    ----------
    lon, lat : (n,) floats, degrees, CRS84; must be finite.
    resolution : H3 resolution, 0–15.

    Returns
    -------
    (n,) object array of str.
    """
    pairs = zip(np.asarray(lat, float), np.asarray(lon, float), strict=True)
    return np.array([h3.latlng_to_cell(y, x, resolution) for y, x in pairs], dtype=object)


def cells_of_area(area: BaseGeometry, resolution: int) -> NDArray[np.object_]:
    """Return the cells that overlap `area` (a polygon or multipolygon, CRS84), sorted; (n,) object array of str."""
    cells = h3.h3shape_to_cells_experimental(h3.geo_to_h3shape(area), resolution, contain="overlap")
    return np.array(sorted(cells), dtype=object)


def cell_polygons(cells: Iterable[str]) -> NDArray[Any]:
    """Return the polygons of cells in CRS84, counter-clockwise; (n,) array of shapely polygons.

    Corners are H3's shared vertices: neighbours have bit-identical corners, so the cells tile without slivers.
    Cells that cross an edge of the icosahedron get their extra corners from the cell's own boundary.
    """
    return np.array([shapely.Polygon(_corners(cell)) for cell in cells], dtype=object)


def _corners(cell: str) -> list[tuple[float, float]]:
    boundary = h3.cell_to_boundary(cell)
    vertexes = h3.cell_to_vertexes(cell)
    points = [h3.vertex_to_latlng(v) for v in vertexes] if len(boundary) == len(vertexes) else boundary
    return [(lng, lat) for lat, lng in points]


def cell_centres(cells: Iterable[str]) -> NDArray[np.float64]:
    """Return the (n, 2) array of cell centres, longitude and latitude in degrees, CRS84."""
    return np.array([h3.cell_to_latlng(c)[::-1] for c in cells], dtype=float).reshape(-1, 2)


def grid_disk(cell: str, k: int) -> list[str]:
    """Return the cells within `k` steps of `cell`, itself included, sorted."""
    return sorted(h3.grid_disk(cell, k))


def disk_matrix(cells: Sequence[str], k: int = 1) -> csr_array:
    """Return the (n, n) sparse 0/1 matrix of cells within `k` grid steps of each other, the diagonal included."""
    position = {cell: i for i, cell in enumerate(cells)}
    pairs = [(i, position[other]) for i, cell in enumerate(cells) for other in grid_disk(cell, k) if other in position]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(cells), len(cells)))


def parents(cells: Iterable[str], resolution: int) -> NDArray[np.object_]:
    """Return the parent of each cell at a coarser `resolution`; (n,) object array of str."""
    return np.array([h3.cell_to_parent(cell, resolution) for cell in cells], dtype=object)


def mean_cell_area_km2(resolution: int) -> float:
    """Return the mean area of a cell at `resolution`, km²."""
    return float(h3.average_hexagon_area(resolution, unit="km^2"))


def resolution_of(cell: str) -> int:
    """Return the H3 resolution of a cell, 0–15."""
    return int(h3.get_resolution(cell))
