"""Elevation in every format, unit and number of pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.warp import Resampling, reproject
from scipy.ndimage import binary_dilation, binary_erosion
from shapely import Polygon, box

from spatial.errors import InputError
from spatial.flood.terrain import TerrainParameters, analyse
from spatial.hexgrid.join import city_grid, raster_cells, zonal
from spatial.sources.elevation import ElevationSource, read_elevation
from spatial.sources.tiles import input_files

from .data import real
from .test_elevation import UTM, area, centres, grid, write_tif

HILL = np.add.outer(np.arange(40), np.arange(40)) % 17 * 1.0


def write_hgt(folder: Path, name: str, values: Any) -> Path:
    """Write a tile of SRTM as its makers do: big-endian 16-bit integers, nothing else; `values` are its first rows."""
    whole = np.full((1201, 1201), -32768, dtype=">i2")
    whole[: values.shape[0], : values.shape[1]] = values
    (folder / name).write_bytes(whole.tobytes())
    return folder / name


def test_hgt_under_its_own_name(tmp_path: Path) -> None:
    path = write_hgt(tmp_path, "S09E115.hgt", np.full((30, 30), 12))
    crs = CRS.from_epsg(32750)
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(115.01, -8.01)
    raster, facts = read_elevation([ElevationSource(path)], box(x - 300, y - 300, x + 300, y + 300), crs, 0)
    assert np.all(raster.values == 12)
    assert 90 < facts.pixel_size_m < 94
    with pytest.raises(InputError, match=r"under its own name \(S09E115.hgt\)"):
        read_elevation([ElevationSource(path.rename(tmp_path / "bali.hgt"))], box(x, y, x + 9, y + 9), crs, 0)


def test_a_folder_of_tiles_is_the_whole(tmp_path: Path) -> None:
    whole = write_tif(tmp_path / "whole.tif", HILL, grid(10, 3))
    folder = tmp_path / "tiles"
    folder.mkdir()
    for row in range(0, 40, 10):
        for column in range(0, 40, 20):
            part = HILL[row : row + 10, column : column + 20]
            write_tif(folder / f"{row}_{column}.tif", part, grid(10, 3) @ Affine.translation(column, row))
    (folder / "readme.txt").write_text("tiles")
    write_tif(folder / "far.tif", HILL, Affine(0.1, 0, -60, 0, -0.1, 40), "EPSG:4326")
    city = area(20, 20, 380, 380)
    expected, _ = read_elevation([ElevationSource(whole)], city, UTM, 1000)
    found, facts = read_elevation([ElevationSource(folder)], city, UTM, 1000)
    assert found.transform == expected.transform
    assert np.allclose(found.values, expected.values, atol=1e-5, equal_nan=True)
    assert len(facts.files) == 8
    assert len(input_files(ElevationSource(folder))) == 9
    with pytest.raises(InputError, match="folder: none of its 9 tiles lies at the city"):
        read_elevation([ElevationSource(folder)], area(90_000, 0, 91_000, 1000), UTM, 0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="folder: holds no elevation"):
        read_elevation([ElevationSource(tmp_path / "empty")], city, UTM, 0)


def vrt(path: Path, source: str) -> Path:
    path.write_text(
        '<VRTDataset rasterXSize="40" rasterYSize="40"><SRS>EPSG:32751</SRS><GeoTransform>'
        f"{', '.join(map(str, grid(10).to_gdal()))}</GeoTransform><VRTRasterBand dataType='Float32' band='1'>"
        f"<SimpleSource><SourceFilename relativeToVRT='1'>{source}</SourceFilename><SourceBand>1</SourceBand>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return path


def test_a_vrt_reads_the_files_beside_it_and_nothing_else(tmp_path: Path) -> None:
    tif = write_tif(tmp_path / "dem.tif", HILL, grid(10))
    path = vrt(tmp_path / "dem.vrt", "dem.tif")
    raster, _ = read_elevation([ElevationSource(path)], area(0, 0, 400, 400), UTM, 0)
    assert np.array_equal(raster.values, HILL)
    assert input_files(ElevationSource(path)) == (path, tif)
    for far in ("/vsicurl/http://example.org/dem.tif", "https://example.org/dem.tif"):
        with pytest.raises(InputError, match="a VRT may name files beside it only"):
            read_elevation([ElevationSource(vrt(path, far))], area(0, 0, 400, 400), UTM, 0)
    with pytest.raises(InputError, match="cannot be read to its end"):
        read_elevation([ElevationSource(vrt(path, "gone.tif"))], area(0, 0, 400, 400), UTM, 0)


@pytest.mark.parametrize(("unit", "metres"), [("m", 1.0), ("ft", 0.3048), ("cm", 0.01), ("dm", 0.1)])
def test_a_stated_unit_is_converted(tmp_path: Path, unit: str, metres: float) -> None:
    path = write_tif(tmp_path / "dem.tif", HILL / metres, grid(10))
    raster, facts = read_elevation([ElevationSource(path, unit=unit)], area(0, 0, 400, 400), UTM, 0)
    assert np.allclose(raster.values, HILL, atol=1e-4)
    assert any("converted to metres (stated)" in note for note in facts.notes) == (unit != "m")


def test_the_tag_of_the_file_is_a_stated_unit_too(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "dem.tif", HILL / 0.3048, grid(10))
    with rasterio.open(path, "r+") as file:
        file.units = ("US survey foot",)
    raster, facts = read_elevation([ElevationSource(path)], area(0, 0, 400, 400), UTM, 0)
    assert np.allclose(raster.values, HILL, atol=1e-4)
    assert any("by the tag of band 1" in note for note in facts.notes)
    _, facts = read_elevation([ElevationSource(path, unit="m")], area(0, 0, 400, 400), UTM, 0)
    assert any("says ft, the setting m counts" in note for note in facts.notes)


@pytest.mark.parametrize("values", [HILL - 501, HILL + 9000, HILL * 100, HILL - 32768])
def test_what_cannot_be_metres_is_refused(tmp_path: Path, values: Any) -> None:
    path = write_tif(tmp_path / "dem.tif", values, grid(10))
    with pytest.raises(InputError, match=r"unit: none is stated, and .* cannot be metres; state unit = \"m\""):
        read_elevation([ElevationSource(path)], area(0, 0, 400, 400), UTM, 0)
    read_elevation([ElevationSource(path, unit="m")], area(0, 0, 400, 400), UTM, 0)
    with pytest.raises(InputError, match="unit: 'km' is not known"):
        read_elevation([ElevationSource(path, unit="km")], area(0, 0, 400, 400), UTM, 0)


CITIES = {
    "lisbon/dem_lisbon_srtm30m_4326.tif": 32629,
    "denpasar/dem_denpasar.tif": 32750,
    "porto_alegre/dem_porto_alegre_srtm30m.tif": 32722,
}


def inner_area(path: Path, crs: int, share: float) -> Polygon:
    """Return a box in the middle of a file, in metres."""
    with rasterio.open(path) as file:
        west, south, east, north = rasterio.warp.transform_bounds(file.crs, crs, *file.bounds)
    x, y, dx, dy = (west + east) / 2, (south + north) / 2, (east - west) * share / 2, (north - south) * share / 2
    return box(x - dx, y - dy, x + dx, y + dy)


@pytest.mark.parametrize(("name", "epsg"), CITIES.items())
def test_real_metres_pass_and_as_centimetres_are_refused(tmp_path: Path, name: str, epsg: int) -> None:
    path, crs = real(name), CRS.from_epsg(epsg)
    city = inner_area(path, epsg, 0.6)
    raster, _ = read_elevation([ElevationSource(path)], city, crs, 0)
    with rasterio.open(path) as file:
        values, profile = file.read(1).astype("float32"), file.profile | {"dtype": "float32"}
    with rasterio.open(tmp_path / "cm.tif", "w", **profile) as file:
        file.write(np.where(values < -500, values, values * 100), 1)
    with pytest.raises(InputError, match="cannot be metres"):
        read_elevation([ElevationSource(tmp_path / "cm.tif")], city, crs, 0)
    again, _ = read_elevation([ElevationSource(tmp_path / "cm.tif", unit="cm")], city, crs, 0)
    assert np.allclose(again.values, raster.values, atol=1e-3, equal_nan=True)


def cut(path: Path, folder: Path, epsg: int) -> list[ElevationSource]:
    """Write a file in nine pieces: those of even number as they are, those of odd number in UTM, 2 pixels wider."""
    with rasterio.open(path) as file:
        values, transform, crs = file.read(1).astype("float64"), file.transform, file.crs
    rows, columns = (np.linspace(0, size, 4).astype(int) for size in values.shape)
    sources = []
    for i in range(9):
        (top, bottom), (left, right) = rows[i // 3 : i // 3 + 2], columns[i % 3 : i % 3 + 2]
        tile = folder / f"{i}.tif"
        here = transform @ Affine.translation(left, top)
        if i % 2 == 0:
            write_tif(tile, values[top:bottom, left:right], here, crs.to_wkt(), nodata=-9999)
        else:
            piece = rasterio.transform.array_bounds(bottom - top, right - left, here)
            west, south, east, north = rasterio.warp.transform_bounds(crs, epsg, *piece)
            size = 30.0
            shape = (int((north - south) / size) + 5, int((east - west) / size) + 5)
            there = Affine(size, 0, west - 2 * size, 0, -size, north + 2 * size)
            out = np.full(shape, -9999.0)
            reproject(
                values, out, src_transform=transform, src_crs=crs, dst_transform=there, dst_crs=epsg,
                dst_nodata=-9999, init_dest_nodata=True, resampling=Resampling.bilinear, tolerance=0.0,
            )  # fmt: skip
            write_tif(tile, out, there, f"EPSG:{epsg}", nodata=-9999)
        sources.append(ElevationSource(tile))
    return sources


def in_utm(path: Path, out: Path, epsg: int) -> ElevationSource:
    """Write a whole file once more, interpolated to 30 m in UTM."""
    with rasterio.open(path) as file:
        values, transform, crs, bounds = file.read(1).astype("float64"), file.transform, file.crs, file.bounds
    west, south, east, north = rasterio.warp.transform_bounds(crs, epsg, *bounds)
    there, again = (
        Affine(30, 0, west, 0, -30, north),
        np.full((int((north - south) / 30), int((east - west) / 30)), -9e3),
    )
    reproject(
        values, again, src_transform=transform, src_crs=crs, dst_transform=there, dst_crs=epsg, dst_nodata=-9e3,
        init_dest_nodata=True, resampling=Resampling.bilinear, tolerance=0.0,
    )  # fmt: skip
    return ElevationSource(write_tif(out, again, there, f"EPSG:{epsg}", nodata=-9e3))


def odd_pieces(path: Path, transform: Affine, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels of a grid whose centre lies in one of the pieces that `cut` writes in UTM."""
    with rasterio.open(path) as file:
        inverse, size = ~file.transform, file.shape
    lon, lat = Transformer.from_crs(32629, 4326, always_xy=True).transform(*centres(transform, shape))
    ends = [np.linspace(0, n, 4).astype(int)[1:3] for n in size]
    row = np.searchsorted(ends[0], inverse.e * lat + inverse.f, "right")
    column = np.searchsorted(ends[1], inverse.a * lon + inverse.c, "right")
    return np.asarray((3 * row + column) % 2 == 1)


def test_nine_tiles_in_one_crs_are_the_whole(tmp_path: Path) -> None:
    path = real("lisbon/dem_lisbon_srtm30m_4326.tif")
    with rasterio.open(path) as file:
        values, transform = file.read(1).astype("float64"), file.transform
    rows, columns = (np.linspace(0, size, 4).astype(int) for size in values.shape)
    for i in range(9):
        (top, bottom), (left, right) = rows[i // 3 : i // 3 + 2], columns[i % 3 : i % 3 + 2]
        here = transform @ Affine.translation(left, top)
        write_tif(tmp_path / f"{i}.tif", values[top:bottom, left:right], here, "EPSG:4326")
    city, crs = inner_area(path, 32629, 0.8), CRS.from_epsg(32629)
    whole, _ = read_elevation([ElevationSource(path)], city, crs, 0)
    pieces, _ = read_elevation([ElevationSource(tmp_path)], city, crs, 0)
    assert np.allclose(pieces.values, whole.values, atol=1e-3, equal_nan=True)


def test_nine_tiles_in_two_crss_leave_no_seam(tmp_path: Path) -> None:
    path, crs = real("lisbon/dem_lisbon_srtm30m_4326.tif"), CRS.from_epsg(32629)
    city = inner_area(path, 32629, 0.8)
    whole, _ = read_elevation([ElevationSource(path)], city, crs, 0)
    pieces, facts = read_elevation(cut(path, tmp_path, 32629), city, crs, 0)
    assert len(facts.files) == 9
    assert pieces.transform == whole.transform
    assert np.array_equal(np.isnan(pieces.values), np.isnan(whole.values))
    off = np.abs(pieces.values - whole.values)
    # The five pieces in degrees come out as the whole; the four in UTM were interpolated once more.
    assert np.nanmedian(off) < 0.01
    assert np.nanquantile(off, 0.99) < 3.0


def test_nine_tiles_give_the_hand_of_the_whole(tmp_path: Path) -> None:
    """HAND per cell of nine pieces is as near to the whole's as that of the whole, interpolated once more, is."""
    path, crs = real("lisbon/dem_lisbon_srtm30m_4326.tif"), CRS.from_epsg(32629)
    city = inner_area(path, 32629, 0.55)
    near = shapely.transform(city, Transformer.from_crs(crs, 4326, always_xy=True).transform, interleaved=False)
    cells = city_grid(near, 9, crs)
    found = {}
    for name, sources in {
        "whole": [ElevationSource(path)],
        "nine": cut(path, tmp_path, 32629),
        "again": [in_utm(path, tmp_path / "utm.tif", 32629), ElevationSource(path)],
    }.items():
        raster, facts = read_elevation(sources, city, crs, 1500)
        hand = analyse(raster.values, facts.pixel_size_m, TerrainParameters()).hand
        found[name] = zonal(hand, raster_cells(raster, cells.polygons), len(cells.cells))["mean"].to_numpy()
    nine, again = (np.abs(found[name] - found["whole"]) for name in ("nine", "again"))
    assert np.isfinite(nine).sum() > 500
    for share in (0.5, 0.9):
        assert np.nanquantile(nine, share) <= np.nanquantile(again, share)


def test_the_borders_of_pieces_are_no_step(tmp_path: Path) -> None:
    path, crs = real("lisbon/dem_lisbon_srtm30m_4326.tif"), CRS.from_epsg(32629)
    city = inner_area(path, 32629, 0.8)
    whole, _ = read_elevation([ElevationSource(path)], city, crs, 0)
    pieces, _ = read_elevation(cut(path, tmp_path, 32629), city, crs, 0)
    odd = odd_pieces(path, whole.transform, whole.values.shape)
    off = pieces.values - whole.values
    inside = binary_erosion(odd, iterations=5)
    rim = binary_dilation(odd, iterations=3) & ~binary_erosion(odd, iterations=3)
    assert abs(off[rim].mean()) < 0.03
    assert off[rim].std() <= off[inside].std()
