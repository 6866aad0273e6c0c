"""Elevation: one grid in UTM, nodata respected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from scipy.ndimage import binary_erosion
from shapely import Polygon, box

from spatial.errors import InputError
from spatial.sources.elevation import ElevationSource, read_elevation

from .data import real

UTM = CRS.from_epsg(32751)
ORIGIN = (500_000.0, 8_900_000.0)


def write_tif(path: Path, values: Any, transform: Affine, crs: str | None = "EPSG:32751", **more: Any) -> Path:
    array = np.atleast_3d(np.asarray(values, dtype="float32").T).T
    profile = {
        "driver": "GTiff",
        "count": array.shape[0],
        "height": array.shape[1],
        "width": array.shape[2],
        "dtype": "float32",
        "crs": crs,
        "transform": transform,
    }
    with rasterio.open(path, "w", **(profile | more)) as file:
        file.write(array)
    return path


def grid(pixel: float, shift: float = 0.0) -> Affine:
    """Return the transform of a raster whose north-west corner is `ORIGIN` moved by `shift`."""
    return Affine(pixel, 0, ORIGIN[0] + shift, 0, -pixel, ORIGIN[1] - shift)


def area(west: float, north: float, east: float, south: float) -> Polygon:
    """Return a box in metres right of and below `ORIGIN`."""
    return box(ORIGIN[0] + west, ORIGIN[1] - south, ORIGIN[0] + east, ORIGIN[1] - north)


def centres(transform: Affine, shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, columns = np.indices(shape) + 0.5
    return transform.c + transform.a * columns, transform.f + transform.e * rows


def test_a_file_on_the_grid_comes_out_as_it_is(tmp_path: Path) -> None:
    values = np.arange(30, dtype="float32").reshape(5, 6)
    path = write_tif(tmp_path / "dem.tif", values, grid(10))
    raster, facts = read_elevation([ElevationSource(path, "EGM96")], area(10, 10, 40, 30), UTM, 10)
    assert raster.transform == grid(10)
    assert np.array_equal(raster.values, values[:4, :5])
    assert (facts.pixel_size_m, facts.coverage, facts.nodata_share_in_area) == (10.0, 1.0, 0.0)
    assert (facts.minimum_m, facts.maximum_m, facts.vertical_datums) == (0.0, 22.0, ("EGM96",))
    assert facts.files == ("dem.tif",)
    assert facts.notes == ("dem.tif: has no nodata tag, every pixel is taken as measured",)


def test_the_margin_ends_where_the_files_end(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "dem.tif", np.ones((5, 6)), grid(10))
    raster, _ = read_elevation([ElevationSource(path)], area(10, 10, 40, 30), UTM, 1000)
    assert (raster.values.shape, raster.transform) == ((5, 6), grid(10))


def test_a_shifted_file_is_interpolated_onto_whole_multiples(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "dem.tif", [[0, 10, 20, 30]] * 4, grid(10, 3))
    raster, _ = read_elevation([ElevationSource(path)], area(3, 3, 40, 40), UTM, 0)
    assert raster.transform == grid(10)
    assert np.allclose(raster.values, [[0, 7, 17, 27]] * 4)


@pytest.mark.parametrize("tagged", [True, False])
def test_nodata_is_unknown_and_not_smeared(tmp_path: Path, tagged: bool) -> None:
    values = np.full((6, 6), 100.0)
    values[2:4, 2:4] = -32768
    path = write_tif(tmp_path / "dem.tif", values, grid(10, 3), nodata=-32768 if tagged else None)
    source = ElevationSource(path, nodata=None if tagged else -32768)
    raster, facts = read_elevation([source], area(5, 5, 60, 60), UTM, 0)
    known = raster.values[np.isfinite(raster.values)]
    assert np.allclose(known, 100.0)
    x, y = centres(raster.transform, raster.values.shape)
    column, row = (x - ORIGIN[0] - 3) / 10, (ORIGIN[1] - 3 - y) / 10
    hole = (column > 2) & (column < 4) & (row > 2) & (row < 4)
    outside = (column < 0) | (row < 0) | (column > 6) | (row > 6)
    assert np.array_equal(np.isnan(raster.values), hole | outside)
    assert facts.nodata_share_in_area > 0


def test_files_are_merged_the_first_wins_and_fills(tmp_path: Path) -> None:
    fine = write_tif(tmp_path / "fine.tif", [[1, 1], [1, -9999]], grid(10), nodata=-9999)
    coarse = write_tif(tmp_path / "coarse.tif", np.full((2, 2), 5.0), grid(20))
    sources = [ElevationSource(fine, "EGM2008"), ElevationSource(coarse, "EGM96")]
    raster, facts = read_elevation(sources, area(0, 0, 40, 40), UTM, 0)
    expected = np.full((4, 4), 5.0)
    expected[:2, :2] = [[1, 1], [1, 5]]
    assert np.array_equal(raster.values, expected)
    assert (facts.pixel_size_m, facts.files) == (10.0, ("fine.tif", "coarse.tif"))
    assert any("EGM2008, EGM96" in note for note in facts.notes)


def test_neighbouring_tiles_leave_no_seam(tmp_path: Path) -> None:
    west = write_tif(tmp_path / "w.tif", np.ones((4, 3)), grid(10))
    east = write_tif(tmp_path / "e.tif", np.ones((4, 3)), grid(10) @ Affine.translation(3, 0))
    raster, facts = read_elevation([ElevationSource(west), ElevationSource(east)], area(0, 0, 60, 40), UTM, 0)
    assert np.array_equal(raster.values, np.ones((4, 6)))
    assert facts.coverage == 1.0


@settings(max_examples=15, deadline=None)
@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-200, 200))
def test_a_plane_in_degrees_stays_a_plane_in_utm(tmp_path_factory: Any, a: float, b: float, c: float) -> None:
    size = 1 / 3600
    tile = Affine(size, 0, 123.55, 0, -size, -10.15)
    lon, lat = centres(tile, (60, 60))
    path = tmp_path_factory.mktemp("dem") / "dem.tif"
    write_tif(path, c + 3600 * (a * (lon - 123.55) + b * (lat + 10.15)), tile, "EPSG:4326")
    to_utm = Transformer.from_crs(4326, UTM, always_xy=True)
    inner = projected(box(123.553, -10.162, 123.562, -10.153), 32751)
    raster, facts = read_elevation([ElevationSource(path)], inner, UTM, 0)
    there = to_utm.transform(*centres(raster.transform, raster.values.shape), direction="INVERSE")
    expected = c + 3600 * (a * (there[0] - 123.55) + b * (there[1] + 10.15))
    assert np.allclose(raster.values, expected, atol=0.02)
    assert 29 < facts.pixel_size_m < 32


def test_bands_and_scale_are_told(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "dem.tif", np.stack([np.full((3, 3), 10.0), np.full((3, 3), 7.0)]), grid(10), nodata=-1)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.1, 1.0), (100.0, 0.0)
    raster, facts = read_elevation([ElevationSource(path)], area(0, 0, 30, 30), UTM, 0)
    assert np.allclose(raster.values, 101.0)
    assert len(facts.notes) == 2
    assert "2 bands, band 1" in facts.notes[0]


def test_too_little_coverage_is_measured(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "dem.tif", np.ones((4, 4)), grid(10))
    with pytest.raises(InputError, match=r"footprint: covers 75\.0 % of the area, 99\.0 % is needed") as error:
        read_elevation([ElevationSource(path)], area(10, 0, 50, 40), UTM, 0)
    assert error.value.path == str(path)
    _, facts = read_elevation([ElevationSource(path)], area(10, 0, 50, 40), UTM, 0, min_coverage=0.7)
    assert facts.coverage == 0.75


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    lost = write_tif(tmp_path / "lost.tif", np.ones((4, 4)), grid(10), None)
    nowhere = write_tif(tmp_path / "nowhere.tif", np.ones((4, 4)), Affine.identity())
    empty = write_tif(tmp_path / "empty.tif", np.full((4, 4), -9.0), grid(10), nodata=-9)
    text, ascii_grid = tmp_path / "text.tif", tmp_path / "dem.asc"
    text.write_text("not a raster")
    ascii_grid.write_text("ncols 1\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\n5\n")
    cut = write_tif(tmp_path / "cut.tif", np.random.default_rng(1).random((200, 200)), grid(10))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    for path, field in (
        (lost, "crs"),
        (nowhere, "transform"),
        (empty, "band 1"),
        (text, "file"),
        (ascii_grid, "file"),
        (cut, "band 1"),
        (tmp_path / "none.tif", "file"),
    ):
        with pytest.raises(InputError) as error:
            read_elevation([ElevationSource(path)], area(0, 0, 40, 40), UTM, 3000)
        assert (error.value.path, error.value.field) == (str(path), field)


def projected(shape: Polygon, epsg: int) -> Polygon:
    to_utm = Transformer.from_crs(4326, epsg, always_xy=True)
    return Polygon([to_utm.transform(x, y) for x, y in shape.exterior.coords])


def lisbon() -> Polygon:
    return projected(box(-9.23, 38.70, -9.09, 38.79), 32629)


def test_lisbon_srtm_against_the_file() -> None:
    path = real("lisbon/dem_lisbon_srtm30m_4326.tif")
    raster, facts = read_elevation([ElevationSource(path)], lisbon(), CRS.from_epsg(32629), 0)
    assert (facts.coverage, facts.nodata_share_in_area) == (1.0, 0.0)
    assert 24 < facts.pixel_size_m < 31
    with rasterio.open(path) as file:
        own, inverse = file.read(1), ~file.transform
    x, y = centres(raster.transform, raster.values.shape)
    lon, lat = Transformer.from_crs(32629, 4326, always_xy=True).transform(x, y)
    column, row = (inverse.a * lon + inverse.c).astype(int), (inverse.e * lat + inverse.f).astype(int)
    stack = np.stack([own[row + i, column + j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    assert np.all((stack.min(0) - 1e-3 <= raster.values) & (raster.values <= stack.max(0) + 1e-3))


def test_lisbon_eudem_has_holes_that_srtm_fills() -> None:
    eudem, srtm = real("lisbon/dem_lisbon_eudem25m_3035.tif"), real("lisbon/dem_lisbon_srtm30m_4326.tif")
    raster, facts = read_elevation([ElevationSource(eudem)], lisbon(), CRS.from_epsg(32629), 1000)
    both, filled = read_elevation([ElevationSource(eudem), ElevationSource(srtm)], lisbon(), CRS.from_epsg(32629), 1000)
    assert facts.pixel_size_m == 25.0
    assert 0.05 < facts.nodata_share_in_area < 0.2
    assert filled.nodata_share_in_area == 0.0
    assert facts.minimum_m > -30
    inner = binary_erosion(np.isfinite(raster.values), np.ones((3, 3)), border_value=1)
    assert np.array_equal(both.values[inner], raster.values[inner]), "the first file wins but at its edge"
