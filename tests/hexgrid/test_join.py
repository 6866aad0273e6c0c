"""Joins to cells: against shapely in the same plane, against the geodesic, and on cases to check by hand."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer

from spatial.contracts import Raster
from spatial.hexgrid.grid import cell_polygons, cells_of_points
from spatial.hexgrid.join import city_grid, largest_overlap, line_lengths, nearest_lines, raster_cells, to_plane, zonal

UTM = CRS.from_epsg(32750)
AREA = shapely.box(117.50, -3.32, 117.53, -3.29)
GRID = city_grid(AREA, 9, UTM)


def oracle(lines: np.ndarray) -> np.ndarray:
    """Metres per cell by shapely; what runs along a shared edge is taken from the higher of the two cells."""
    metres = np.zeros(len(GRID.cells))
    for line in lines:
        counted = sorted(shapely.STRtree(GRID.polygons).query(line, predicate="intersects").tolist())
        for position in counted:
            piece = shapely.intersection(line, GRID.polygons[position])
            for lower in (p for p in counted if p < position):
                edge = shapely.intersection(GRID.polygons[lower], GRID.polygons[position])
                piece_on_edge = shapely.intersection(line, edge)
                metres[position] -= shapely.length(piece_on_edge)
            metres[position] += shapely.length(piece)
    return metres


def per_cell(lines: np.ndarray) -> np.ndarray:
    table = line_lengths(lines, GRID)
    return np.bincount(table["cell"], weights=table["length_m"], minlength=len(GRID.cells))


def test_cells_cover_the_area_and_each_overlaps_it() -> None:
    union = shapely.union_all(GRID.polygons)
    assert shapely.difference(GRID.area, union).area < 1e-6
    assert (shapely.area(shapely.intersection(GRID.area, GRID.polygons)) > 0).all()


def test_a_road_along_a_shared_edge_counts_once_for_the_lower_cell() -> None:
    for a in range(len(GRID.cells)):
        shared = [
            b
            for b in range(a + 1, len(GRID.cells))
            if shapely.intersection(GRID.polygons[a], GRID.polygons[b]).geom_type == "LineString"
        ]
        if shared:
            edge = shapely.intersection(GRID.polygons[a], GRID.polygons[shared[0]])
            table = line_lengths(np.array([edge, shapely.reverse(edge)]), GRID)
            assert table["cell"].tolist() == [a, a]
            assert table["length_m"].to_numpy() == pytest.approx([edge.length] * 2, abs=1e-9)
    assert per_cell(np.array([edge])) == pytest.approx(oracle(np.array([edge])), abs=1e-6)


def test_a_long_road_along_edges_and_through_cells() -> None:
    """A line drawn along one edge and on: hexagon edges lead through the next cell's middle, so it alternates."""
    a, b = shapely.get_coordinates(GRID.polygons[len(GRID.cells) // 2])[:2]
    line = np.array([shapely.LineString([a - 3 * (b - a), a, b, b + 3 * (b - a)])])
    inside = shapely.intersection(line, shapely.union_all(GRID.polygons))
    assert per_cell(line) == pytest.approx(oracle(line), abs=1e-6)
    assert per_cell(line).sum() == pytest.approx(shapely.length(inside).sum(), rel=1e-6)


west, south, east, north = GRID.area.bounds
points = st.tuples(st.floats(west, east), st.floats(south, north))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(points, min_size=2, max_size=6, unique=True), min_size=1, max_size=5))
def test_each_cell_agrees_with_shapely_and_the_sum_is_the_length(paths: list[list[tuple[float, float]]]) -> None:
    lines = np.array([shapely.LineString(path) for path in paths])
    clipped = shapely.intersection(lines, GRID.area)
    assert per_cell(lines) == pytest.approx(oracle(lines), abs=1e-6)
    assert per_cell(clipped).sum() == pytest.approx(shapely.length(clipped).sum(), rel=1e-6)


def test_plane_metres_are_geodesic_metres_within_a_thousandth() -> None:
    line = shapely.LineString([(117.503, -3.318), (117.527, -3.292)])
    _, _, geodesic = Geod(ellps="WGS84").inv(117.503, -3.318, 117.527, -3.292)
    assert per_cell(np.array([to_plane(line, UTM)])).sum() == pytest.approx(geodesic, rel=1e-3)


@pytest.mark.parametrize(
    ("folder", "name", "epsg"),
    [("lisbon", "roads_osm_lisbon_2020.parquet", 32629), ("jakarta", "roads_osm_jakarta.parquet", 32748)],
)
def test_real_roads_agree_with_shapely_in_every_cell(shared_data, folder: str, name: str, epsg: int) -> None:
    roads = gpd.read_parquet(shared_data(f"{folder}/{name}"))
    west, south, east, north = roads.total_bounds
    x, y = (west + east) / 2, (south + north) / 2
    grid = city_grid(shapely.box(x - 0.03, y - 0.03, x + 0.03, y + 0.03), 9, CRS.from_epsg(epsg))
    lines = shapely.intersection(to_plane(roads.geometry.to_numpy(), grid.crs), grid.area)
    lines = lines[shapely.length(lines) > 0]
    table = line_lengths(lines, grid)
    metres = np.bincount(table["cell"], weights=table["length_m"], minlength=len(grid.cells))
    pairs = shapely.STRtree(grid.polygons).query(lines)
    by_shapely = np.bincount(
        pairs[1],
        minlength=len(grid.cells),
        weights=shapely.length(shapely.intersection(lines[pairs[0]], grid.polygons[pairs[1]])),
    )
    assert len(lines) > 1000
    assert metres == pytest.approx(by_shapely, abs=1e-6)
    assert metres.sum() == pytest.approx(shapely.length(lines).sum(), rel=1e-6)


def test_cells_with_extra_corners_are_cut_exactly() -> None:
    """Resolution 3 near an icosahedron edge: some cells have more than six corners."""
    area = shapely.box(20.0, 20.0, 45.0, 40.0)
    grid = city_grid(area, 3, CRS.from_epsg(3857))
    odd = shapely.get_num_coordinates(grid.polygons) != 7
    assert odd.any()
    assert (~odd).any()
    west, south, east, north = grid.area.bounds
    line = np.array([shapely.LineString([(west, south + 1e4 * k), (east, north - 1e4 * k)]) for k in range(20)])
    table = line_lengths(line, grid)
    pairs = shapely.STRtree(grid.polygons).query(line)
    expected = shapely.length(shapely.intersection(line[pairs[0]], grid.polygons[pairs[1]]))
    by_shapely = np.bincount(pairs[1], weights=expected, minlength=len(grid.cells))
    metres = np.bincount(table["cell"], weights=table["length_m"], minlength=len(grid.cells))
    assert metres == pytest.approx(by_shapely, abs=1e-4)


def test_zonal_by_hand() -> None:
    values = np.array([[1.0, 2.0, np.nan], [4.0, 6.0, 8.0]])
    cells = np.array([[0, 0, 0], [1, 1, -1]], dtype=np.int32)
    table = zonal(values, cells, 3)
    assert table["count"].tolist() == [2, 2, 0]
    assert table["mean"].tolist()[:2] == [1.5, 5.0]
    assert table["minimum"].tolist()[:2] == [1.0, 4.0]
    assert table["maximum"].tolist()[:2] == [2.0, 6.0]
    assert table.loc[2, ["mean", "minimum", "maximum"]].isna().all()


def test_pixels_go_to_the_cell_that_holds_their_centre() -> None:
    west, _, _, north = GRID.area.bounds
    raster = Raster(np.zeros((90, 90)), Affine(30.0, 0.0, west, 0.0, -30.0, north), UTM)
    cells = raster_cells(raster, GRID.polygons)
    rows, columns = np.mgrid[0:90, 0:90]
    x, y = west + 30.0 * (columns.ravel() + 0.5), north - 30.0 * (rows.ravel() + 0.5)
    lonlat = shapely.transform(shapely.points(x, y), _to_lonlat, interleaved=False)
    expected = GRID.positions(list(cells_of_points(shapely.get_x(lonlat), shapely.get_y(lonlat), 9)))
    same = cells.ravel() == expected
    assert same.mean() > 0.999  # H3 cuts on the sphere, we on straight plane edges: pixels on a border may differ


def _to_lonlat(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return Transformer.from_crs(UTM, "OGC:CRS84", always_xy=True).transform(x, y)


def test_nearest_lines_takes_the_lowest_of_a_tie() -> None:
    lines = np.array(
        [
            shapely.LineString([(0, 1), (9, 1)]),
            shapely.LineString([(0, -1), (9, -1)]),
            shapely.LineString([(0, 50), (9, 50)]),
        ]
    )
    table = nearest_lines(shapely.points([[4, 0], [4, 45]]), lines)
    assert table["line"].tolist() == [0, 2]
    assert table["distance_m"].tolist() == [1.0, 5.0]


def test_largest_overlap_picks_the_bigger_share() -> None:
    west, south, east, north = shapely.union_all(GRID.polygons).bounds
    middle = west + 0.4 * (east - west)
    areas = gpd.GeoDataFrame(
        geometry=[shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)], crs=UTM
    )
    best = largest_overlap(GRID, areas)
    centre_x = shapely.get_x(shapely.centroid(GRID.polygons))
    clear = np.abs(centre_x - middle) > 1.0
    assert (best[clear] == (centre_x > middle)[clear]).all()


def test_neighbours_share_bit_identical_corners() -> None:
    polygons = cell_polygons(GRID.cells)
    corners = {tuple(xy) for xy in shapely.get_coordinates(polygons)}
    # Euler: n hexagons tiling a disk-like patch share corners, so far fewer than 6 n are distinct
    assert len(corners) < 2.6 * len(GRID.cells)
