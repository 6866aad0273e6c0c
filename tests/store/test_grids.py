"""Reads of rasters on any grid, against rasterio, GDAL's warper and plain loops over pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window

from spatial.contracts import Raster
from spatial.store.grids import Grid, bands, box_in, fitted, grid_in, grid_of
from spatial.store.rasters import write_rasters

ROWS, COLUMNS, SIZE = 700, 600, 30.7
GRID = Affine(SIZE, 0.0, 500_000.3, 0.0, -SIZE, 9_600_000.7)
SMALL = Grid("EPSG:32750", 0.0, 40.0, 10.0, 10.0, 6, 4)
PLACES = st.integers(-8, 28).map(lambda quarter: quarter * 2.5)  # edges, middles and outside of 10 m pixels


@pytest.fixture(scope="module")
def heights() -> np.ndarray:
    values = np.random.default_rng(3).normal(20.0, 5.0, (ROWS, COLUMNS)).astype(np.float32)
    values[:50] = np.nan
    values[300:310, 100:120] = np.nan
    return values


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, heights: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("grids")
    write_rasters(folder, {"elevation": Raster(heights, GRID, CRS.from_epsg(32750))})
    return folder / "elevation.tif"


def read(path: Path, grid: Grid) -> np.ndarray:
    return np.concatenate([rows for _, rows in bands(path, grid)])


@given(west=PLACES, east=PLACES, south=PLACES, north=PLACES)
def test_a_part_is_the_pixels_whose_inside_meets_the_box(west: float, east: float, south: float, north: float) -> None:
    west, east, south, north = min(west, east), max(west, east), min(south, north), max(south, north)
    columns = [c for c in range(6) if (10 * c < east and 10 * (c + 1) > west) or 10 * c == west == east]
    rows = [r for r in range(4) if (30 - 10 * r < north and 40 - 10 * r > south) or 40 - 10 * r == south == north]
    part = SMALL.part((west, south, east, north))
    if not columns or not rows:
        assert part is None
    else:
        assert part == Grid("EPSG:32750", 10.0 * columns[0], 40.0 - 10 * rows[0], 10.0, 10.0, len(columns), len(rows))


@given(data=st.data())
def test_a_window_is_read_bit_for_bit(path: Path, heights: np.ndarray, data: st.DataObject) -> None:
    left, top = data.draw(st.integers(0, COLUMNS - 1)), data.draw(st.integers(0, ROWS - 1))
    right, bottom = data.draw(st.integers(left + 1, COLUMNS)), data.draw(st.integers(top + 1, ROWS))
    with rasterio.open(path) as source:
        box = source.window_bounds(Window(left, top, right - left, bottom - top))
    part = grid_of(path).part(box)
    assert part is not None
    assert (part.width, part.height) == (right - left, bottom - top)
    expected = heights[top:bottom, left:right].copy()
    assert np.array_equal(read(path, part).view(np.uint32), expected.view(np.uint32))  # bits: NaN too


def test_the_hull_of_two_parts_is_a_part() -> None:
    one, other = SMALL.part((1.0, 31.0, 9.0, 39.0)), SMALL.part((45.0, 1.0, 46.0, 2.0))
    assert one is not None
    assert other is not None
    assert one.hull(other) == Grid("EPSG:32750", 0.0, 40.0, 10.0, 10.0, 5, 4)


@pytest.mark.parametrize("factor", [2, 5, 20])
def test_scaled_down_is_the_mean_of_the_pixels(path: Path, heights: np.ndarray, factor: int) -> None:
    grid = grid_of(path)
    scaled = read(path, fitted(grid.crs, grid.bounds, COLUMNS // factor, ROWS // factor))
    blocks = heights.reshape(ROWS // factor, factor, COLUMNS // factor, factor)
    whole = ~np.isnan(blocks).any(axis=(1, 3))
    off = np.abs(scaled - blocks.mean(axis=(1, 3)))[
        whole
    ]  # of noise of 5 m; the overviews' pixels straddle blocks of 5
    assert off.mean() < 0.5
    assert off.max() < (1e-4 if factor == 2 else 2.0)
    assert np.isnan(scaled[np.isnan(blocks).all(axis=(1, 3))]).all()


def test_without_overviews_the_mean_is_exact(tmp_path: Path, heights: np.ndarray) -> None:
    part = heights[200:440, 300:540].copy()
    part[3:6, 6:9] = np.nan
    part[9, 12] = np.nan
    write_rasters(tmp_path, {"elevation": Raster(part, GRID, CRS.from_epsg(32750))})
    grid = grid_of(tmp_path / "elevation.tif")
    found = read(tmp_path / "elevation.tif", fitted(grid.crs, grid.bounds, 80, 80))
    blocks = part.reshape(80, 3, 80, 3).transpose(0, 2, 1, 3).reshape(80, 80, 9)
    known = np.isfinite(blocks)
    expected = np.nansum(blocks, axis=2) / np.where(known.any(axis=2), known.sum(axis=2), np.nan)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_scaled_down_reads_the_overviews(tmp_path: Path) -> None:
    path = tmp_path / "marked.tif"
    profile = {"driver": "GTiff", "width": 1024, "height": 1024, "count": 1, "dtype": "float32", "nodata": float("nan")}
    with rasterio.open(path, "w", crs="EPSG:32750", transform=GRID, **profile) as target:
        target.write(np.full((1024, 1024), 7.0, np.float32), 1)
        target.build_overviews([2, 4], Resampling.average)
    with rasterio.open(path, "r+") as target:  # what the overviews say is no longer true: so they can be told apart
        target.write(np.zeros((1024, 1024), np.float32), 1)
    grid = grid_of(path)
    assert (read(path, fitted(grid.crs, grid.bounds, 250, 250)) == 7.0).all()
    assert (read(path, fitted(grid.crs, grid.bounds, 600, 600)) == 0.0).all()


@pytest.mark.parametrize(("crs", "code"), [("OGC:CRS84", 4326), ("EPSG:3857", 3857)])
def test_another_crs_is_what_gdal_warps(path: Path, heights: np.ndarray, crs: str, code: int) -> None:
    grid = grid_in(grid_of(path), crs)
    expected = np.full((grid.height, grid.width), np.nan, np.float32)
    reproject(
        heights,
        expected,
        src_transform=GRID,
        src_crs="EPSG:32750",
        src_nodata=np.nan,
        dst_transform=grid.transform,
        dst_crs=f"EPSG:{code}",
        dst_nodata=np.nan,
        resampling=Resampling.bilinear,
        tolerance=0.0,
    )
    found = read(path, grid)
    both = np.isfinite(found) & np.isfinite(expected)
    assert both.mean() > 0.9
    assert (np.isfinite(found) == np.isfinite(expected)).mean() > 0.999
    # a place is found to an eighth of a pixel, and these heights are noise: 5 m from one pixel to the next
    assert np.abs(found - expected)[both].mean() < 0.05


def test_beyond_the_raster_nothing_is_known(path: Path, heights: np.ndarray) -> None:
    grid = grid_of(path)
    found = read(path, Grid(grid.crs, grid.west - 3 * SIZE, grid.north - 100 * SIZE, SIZE, SIZE, 10, 8))
    assert np.isnan(found[:, :3]).all()
    np.testing.assert_allclose(found[:, 3:], heights[100:108, :7], rtol=1e-6)


def test_a_box_that_another_crs_does_not_reach_is_none() -> None:
    assert box_in((-180.0, -90.0, 180.0, 90.0), "OGC:CRS84", "EPSG:32750") is None
    west, south, east, north = box_in((117.0, -3.0, 117.1, -2.9), "OGC:CRS84", "EPSG:32750") or (0, 0, 0, 0)
    assert (west, north) == pytest.approx((500_000.0, 9_679_457.0), abs=60.0)  # the zone's middle; 2.9° = 320.5 km
    assert (east - west, north - south) == pytest.approx((11_115.0, 11_058.0), abs=20.0)
