"""Points, lines and rasters joined to the cells of a city, all in the plane of its UTM zone.

The cells are polygons with straight edges between their transformed corners; lengths and areas are plane metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from spatial.contracts import Raster
from spatial.hexgrid.grid import cell_polygons, cells_of_area, grid_disk

EDGE_TOLERANCE_M = 1e-7
_DENSIFY_DEG = 1e-3
_CHUNK = 200_000


@dataclass(frozen=True, eq=False, slots=True)
class CityGrid:
    """The cells that overlap a city's area, and both as polygons in the UTM plane.

    Attributes
    ----------
    cells : (n,) object array of str, sorted.
    polygons : (n,) array of shapely polygons, metres, counter-clockwise.
    area : polygon or multipolygon, metres.
    crs : the UTM zone.
    resolution : H3 resolution.
    """

    cells: NDArray[np.object_]
    polygons: NDArray[Any]
    area: BaseGeometry
    crs: CRS
    resolution: int

    def positions(self, cells: Sequence[str]) -> NDArray[np.int64]:
        """Return the position of each cell in `self.cells`, -1 where it is not one of them."""
        return np.asarray(pd.Index(self.cells).get_indexer(pd.Index(cells)), dtype=np.int64)


def to_plane(geometries: Any, crs: CRS) -> Any:
    """Transform CRS84 geometries (one, or an array) to the plane `crs` (metres)."""
    transform = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform

    def moved(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transform(lonlat[:, 0], lonlat[:, 1]))

    return shapely.transform(geometries, moved)


def city_grid(area: BaseGeometry, resolution: int, crs: CRS) -> CityGrid:
    """Lay the cells over a city.

    Parameters
    ----------
    area : valid polygon or multipolygon, CRS84. Long edges are densified before they are transformed.
    resolution : H3 resolution.
    crs : the city's UTM zone.

    Returns
    -------
    CityGrid of every cell that shares more than a border with the area in the plane.
    """
    plane_area = to_plane(shapely.segmentize(area, _DENSIFY_DEG), crs)
    rim = {near for cell in cells_of_area(area, resolution) for near in grid_disk(cell, 1)}
    cells = np.array(sorted(rim), dtype=object)
    polygons = to_plane(cell_polygons(cells), crs)
    shapely.prepare(plane_area)
    inside = shapely.intersects(plane_area, polygons) & ~shapely.touches(plane_area, polygons)
    return CityGrid(cells[inside], polygons[inside], plane_area, crs, resolution)


def line_lengths(lines: NDArray[Any], grid: CityGrid) -> pd.DataFrame:
    """Cut lines by cells.

    A stretch that runs along the edge that two cells share (within 1e-7 m) counts for the lower cell index only.

    Parameters
    ----------
    lines : (n,) array of LineString or MultiLineString, metres, in the grid's plane.

    Returns
    -------
    DataFrame with `line` and `cell` (positions, int64) and `length_m` (> 0), sorted by both.

    Notes
    -----
    Segments are clipped to convex cells as arrays (Cyrus & Beck 1978); cells with extra corners, where H3 crosses an
    edge of the icosahedron, are cut by shapely.
    """
    segments, owner = _segments(lines)
    pairs = _candidates(segments, grid.polygons)
    odd = shapely.get_num_coordinates(grid.polygons) != 7
    plain = ~odd[pairs[1]]
    pieces = [
        _clip(segments, owner, pairs[:, plain][:, start : start + _CHUNK], grid.polygons)
        for start in range(0, int(plain.sum()), _CHUNK)
    ]
    pieces.append(_clip_exactly(segments, owner, pairs[:, ~plain], grid.polygons))
    table = pd.concat(pieces, ignore_index=True)
    table = _once_per_edge(table)
    grouped = pd.DataFrame(table.groupby(["line", "cell"], as_index=False)["length_m"].sum())
    return grouped[grouped["length_m"] > 0].reset_index(drop=True)


def _segments(lines: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return segments as (m, 2, 2) points and the line that each belongs to."""
    parts, part_owner = shapely.get_parts(lines, return_index=True)
    xy, part = shapely.get_coordinates(parts, return_index=True)
    same = part[:-1] == part[1:]
    segments = np.stack([xy[:-1][same], xy[1:][same]], axis=1)
    moved = np.any(segments[:, 0] != segments[:, 1], axis=1)
    return segments[moved], part_owner[part[:-1][same]][moved].astype(np.int64)


def _candidates(segments: NDArray[np.float64], polygons: NDArray[Any]) -> NDArray[np.int64]:
    low, high = segments.min(axis=1) - 1e-3, segments.max(axis=1) + 1e-3
    boxes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    return np.asarray(shapely.STRtree(polygons).query(boxes), dtype=np.int64)


def _clip(
    segments: NDArray[np.float64], owner: NDArray[np.int64], pairs: NDArray[np.int64], polygons: NDArray[Any]
) -> pd.DataFrame:
    """Clip each (segment, convex cell) pair; `edge` tells whether the piece runs along the cell's edge."""
    corners = shapely.get_coordinates(polygons[pairs[1]]).reshape(-1, 7, 2)
    start, end = corners[:, :-1], corners[:, 1:]
    along = end - start
    normal = np.stack([-along[..., 1], along[..., 0]], axis=-1) / np.linalg.norm(along, axis=-1, keepdims=True)
    ends = segments[pairs[0]]
    distance = np.einsum("nek,nepk->nep", normal, ends[:, None] - start[:, :, None])  # inward, (pair, edge, end)
    distance[np.abs(distance) < EDGE_TOLERANCE_M] = 0.0
    first, second = distance[..., 0], distance[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = first / (first - second)
    enter = np.where((first < 0) & (second >= 0), crossing, 0.0).max(axis=1)
    leave = np.where((first >= 0) & (second < 0), crossing, 1.0).min(axis=1)
    inside = ~((first < 0) & (second < 0)).any(axis=1) & (leave > enter)
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    on_edge = ((first == 0) & (second == 0)).any(axis=1)
    table = pd.DataFrame(
        {
            "line": owner[pairs[0]],
            "cell": pairs[1],
            "segment": pairs[0],
            "length_m": (leave - enter) * length,
            "middle_m": (leave + enter) / 2 * length,
            "edge": on_edge,
        }
    )
    return pd.DataFrame(table[inside])


def _clip_exactly(
    segments: NDArray[np.float64], owner: NDArray[np.int64], pairs: NDArray[np.int64], polygons: NDArray[Any]
) -> pd.DataFrame:
    pieces = shapely.intersection(shapely.linestrings(segments[pairs[0]]), polygons[pairs[1]])
    middle = shapely.length(shapely.linestrings(segments[pairs[0]])) / 2
    return pd.DataFrame(
        {
            "line": owner[pairs[0]],
            "cell": pairs[1],
            "segment": pairs[0],
            "length_m": shapely.length(pieces),
            "middle_m": middle,
            "edge": np.zeros(pairs.shape[1], dtype=bool),
        }
    )


def _once_per_edge(table: pd.DataFrame) -> pd.DataFrame:
    """Of two pieces of one segment that lie on the same edge, keep the one of the lower cell."""
    edge = table[table["edge"]].sort_values(["segment", "middle_m", "cell"])
    if edge.empty:
        return table
    apart = (edge["segment"].diff() != 0) | (edge["middle_m"].diff() > 1e-6)
    keep = edge.groupby(apart.cumsum())["cell"].idxmin()
    return pd.concat([table[~table["edge"]], edge.loc[keep]])


def raster_cells(raster: Raster, polygons: NDArray[Any]) -> NDArray[np.int32]:
    """Return for every pixel the position of the cell that holds its centre, -1 outside; (rows, columns) int32.

    `polygons`: (n,) of the cells, in the raster's plane.
    """
    shapes = ((polygon, position) for position, polygon in enumerate(polygons))
    return np.asarray(
        rasterize(shapes, out_shape=raster.values.shape, transform=raster.transform, fill=-1, dtype="int32"),
        dtype=np.int32,
    )


def zonal(values: NDArray[np.floating[Any]], cell_of_pixel: NDArray[np.int32], n_cells: int) -> pd.DataFrame:
    """Summarise a raster per cell by the pixel-centre rule.

    Parameters
    ----------
    values : (rows, columns) floats; NaN is left out.
    cell_of_pixel : (rows, columns) int32, from `raster_cells`.
    n_cells : number of cells.

    Returns
    -------
    DataFrame of n_cells rows: `count`, `mean`, `minimum`, `maximum`; NaN where a cell holds no known pixel.
    """
    known = (cell_of_pixel >= 0) & np.isfinite(values)
    cell, value = cell_of_pixel[known], values[known].astype(np.float64)
    count = np.bincount(cell, minlength=n_cells)
    low, high = np.full(n_cells, np.inf), np.full(n_cells, -np.inf)
    np.minimum.at(low, cell, value)
    np.maximum.at(high, cell, value)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(cell, weights=value, minlength=n_cells) / np.where(count, count, np.nan)
    empty = count == 0
    low[empty], high[empty] = np.nan, np.nan
    return pd.DataFrame({"count": count, "mean": np.clip(mean, low, high), "minimum": low, "maximum": high})


def nearest_lines(points: NDArray[Any], lines: NDArray[Any]) -> pd.DataFrame:
    """Return for each point (metres) the position of the nearest line and the distance; ties go to the lowest position.

    Returns
    -------
    DataFrame indexed by point position with `line` (int64) and `distance_m`; empty where there are no lines.
    """
    found, distance = shapely.STRtree(lines).query_nearest(points, return_distance=True, all_matches=True)
    table = pd.DataFrame({"point": found[0], "line": found[1], "distance_m": distance})
    return table.groupby("point").agg({"line": "min", "distance_m": "first"})


def largest_overlap(grid: CityGrid, areas: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """Return for each cell the position of the area (polygons in the plane) that covers most of it, -1 if none."""
    pairs = shapely.STRtree(areas.geometry.to_numpy()).query(grid.polygons, predicate="intersects")
    overlap = shapely.area(shapely.intersection(grid.polygons[pairs[0]], areas.geometry.to_numpy()[pairs[1]]))
    table = pd.DataFrame({"cell": pairs[0], "area": pairs[1], "overlap": overlap})
    table = table[table["overlap"] > 0].sort_values(["cell", "overlap", "area"], ascending=[True, False, True])
    best = table.drop_duplicates("cell").set_index("cell")["area"]
    return np.asarray(best.reindex(range(len(grid.cells)), fill_value=-1), dtype=np.int64)
