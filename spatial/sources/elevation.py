"""Elevation of a city: GeoTIFFs in any CRS, merged on one grid in the city's UTM zone."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.features import geometry_mask
from rasterio.io import DatasetReader
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window
from shapely.geometry import MultiPolygon, Polygon, box

from spatial.contracts import Raster
from spatial.errors import InputError

_EDGE_POINTS = 21


@dataclass(frozen=True, slots=True)
class ElevationSource:
    """One GeoTIFF of elevation in metres, band 1.

    `vertical_datum` is passed on as stated. `nodata`: a value that means "unknown", besides the file's own tag.
    """

    path: Path
    vertical_datum: str | None = None
    nodata: float | None = None


@dataclass(frozen=True, slots=True)
class ElevationFacts:
    """What is known of the merged elevation.

    `pixel_size_m`: side of a pixel. `coverage`: share of the area within the files' footprint, 0–1.
    `nodata_share_in_area`: share of the area's pixels (by centre) without a value. `minimum_m`, `maximum_m`: over the
    whole raster. `files`: names, the first has precedence. `vertical_datums`: distinct stated ones. `notes`: what a
    person should know, a line each.
    """

    pixel_size_m: float
    coverage: float
    nodata_share_in_area: float
    minimum_m: float
    maximum_m: float
    files: tuple[str, ...]
    vertical_datums: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Tile:
    source: ElevationSource
    crs: CRS
    footprint: Polygon
    pixel_size_m: float
    notes: tuple[str, ...]


def read_elevation(
    sources: Sequence[ElevationSource],
    area_utm: Polygon | MultiPolygon,
    crs_utm: CRS,
    margin_m: float,
    min_coverage: float = 0.99,
) -> tuple[Raster, ElevationFacts]:
    """Return the elevation of an area and its margin as one raster.

    Values are bilinear (GDAL); a pixel whose centre lies on nodata of a file stays unknown, and no nodata enters a
    value. Pixels are square, as large as those of the finest file at the area (square root of their area), rounded to
    0.1 m (0.01 m below 1 m). Their edges are whole multiples of their size, so the same inputs give the same grid.
    Where files overlap, the first that has a value wins. Extent: the area's bounds and `margin_m` around them, as far
    as the files reach.

    Parameters
    ----------
    sources : at least one file, by precedence.
    area_utm : area of the city, metres, in `crs_utm`.
    margin_m : ≥ 0.
    min_coverage : least share of the area that the files' footprint must cover, 0–1.

    Returns
    -------
    Raster of float32 metres, NaN where unknown; facts.

    Raises
    ------
    InputError
        A file is missing, not a GeoTIFF, has no CRS or no place; the files cover less than `min_coverage`; no value.
    """
    if not sources:
        raise ValueError("read_elevation needs at least one source")
    tiles = [_tile(source, area_utm, crs_utm) for source in sources]
    footprint = shapely.union_all([tile.footprint for tile in tiles])
    coverage = 1.0 - shapely.difference(area_utm, footprint).area / area_utm.area
    if coverage < min_coverage:
        names = ", ".join(str(source.path) for source in sources)
        problem = f"covers {_percent(coverage)} of the area, {_percent(min_coverage)} is needed"
        raise InputError(names, "footprint", problem, "add elevation files or make the area smaller")
    pixel = _rounded(min(tile.pixel_size_m for tile in tiles))
    extent = shapely.intersection(box(*area_utm.bounds).buffer(margin_m, join_style="mitre"), box(*footprint.bounds))
    transform, shape = _grid(extent.bounds, pixel)
    merged = np.full(shape, np.nan, dtype=np.float32)
    for tile in tiles:
        values = _warped(tile, transform, shape, crs_utm)
        np.copyto(merged, values, where=np.isnan(merged))
    facts = _facts(tiles, merged, transform, area_utm, pixel, coverage)
    return Raster(merged, transform, crs_utm), facts


def _tile(source: ElevationSource, area_utm: Polygon | MultiPolygon, crs_utm: CRS) -> _Tile:
    with _opened(source.path) as file:
        crs = CRS.from_user_input(file.crs)
        to_utm = Transformer.from_crs(crs, crs_utm, always_xy=True)
        footprint = _footprint(source.path, file, to_utm)
        x, y = to_utm.transform(area_utm.centroid.x, area_utm.centroid.y, direction="INVERSE")
        corners = [(x, y), (x + file.transform.a, y + file.transform.d), (x + file.transform.b, y + file.transform.e)]
        here, right, down = (np.array(to_utm.transform(*corner)) for corner in corners)
        u, v = right - here, down - here
        return _Tile(source, crs, footprint, math.sqrt(abs(u[0] * v[1] - u[1] * v[0])), tuple(_notes(source, file)))


def _opened(path: Path) -> DatasetReader:
    if not path.is_file():
        raise InputError(path, "file", "does not exist", "check the path; it is relative to city.toml")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            file = rasterio.open(path)
    except RasterioIOError as error:
        raise InputError(path, "file", "is not a GeoTIFF", "deliver elevation as GeoTIFF") from error
    problem = None
    if file.driver not in ("GTiff", "COG"):
        problem = ("file", f"is {file.driver}, not a GeoTIFF", "deliver elevation as GeoTIFF")
    elif file.crs is None:
        problem = ("crs", "the file has no CRS", "write it into the file, e.g. gdal_edit.py -a_srs EPSG:32651")
    elif file.transform.is_identity or file.transform.is_degenerate:
        problem = ("transform", "the file does not say where its pixels lie", "georeference it")
    if problem:
        file.close()
        raise InputError(path, *problem)
    return file


def _notes(source: ElevationSource, file: DatasetReader) -> list[str]:
    notes = []
    if file.count > 1:
        notes.append(f"{source.path.name}: has {file.count} bands, band 1 is read")
    if file.nodata is None and source.nodata is None:
        notes.append(f"{source.path.name}: has no nodata tag, every pixel is taken as measured")
    if (file.scales[0], file.offsets[0]) != (1.0, 0.0):
        notes.append(f"{source.path.name}: scale {file.scales[0]} and offset {file.offsets[0]} of band 1 are applied")
    return notes


def _footprint(path: Path, file: DatasetReader, to_utm: Transformer) -> Polygon:
    steps = np.linspace(0.0, 1.0, _EDGE_POINTS)[:-1]
    ring = [(s, 0.0) for s in steps] + [(1.0, s) for s in steps] + [(1 - s, 1.0) for s in steps]
    ring += [(0.0, 1 - s) for s in steps]
    columns, rows = np.array(ring).T * np.array([[file.width], [file.height]])
    x, y = _place(file.transform, columns, rows)
    shape = Polygon(np.column_stack(to_utm.transform(x, y)))
    if not np.isfinite(shape.bounds).all():
        raise InputError(path, "crs", "the file reaches where the city's UTM zone does not", "cut the file to the city")
    return shape


def _place(transform: Affine, columns: ArrayLike, rows: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    c, r = np.asarray(columns, float), np.asarray(rows, float)
    return transform.a * c + transform.b * r + transform.c, transform.d * c + transform.e * r + transform.f


def _rounded(size: float) -> float:
    return round(size, 1) if size >= 1 else max(round(size, 2), 0.01)


def _grid(bounds: tuple[float, float, float, float], pixel: float) -> tuple[Affine, tuple[int, int]]:
    """Return transform and (rows, columns) of the grid whose edges are whole multiples of `pixel` around `bounds`."""
    west, south = (math.floor(round(v / pixel, 6)) for v in bounds[:2])
    east, north = (math.ceil(round(v / pixel, 6)) for v in bounds[2:])
    return Affine(pixel, 0.0, west * pixel, 0.0, -pixel, north * pixel), (north - south, east - west)


def _warped(tile: _Tile, transform: Affine, shape: tuple[int, int], crs_utm: CRS) -> NDArray[np.float32]:
    with _opened(tile.source.path) as file:
        window = _window(file, tile.crs, transform, shape, crs_utm)
        out = np.full(shape, np.nan, dtype=np.float32)
        if window is None:
            return out
        try:
            band = file.read(1, window=window, masked=True)
        except RasterioIOError as error:
            problem = "cannot be read to its end"
            raise InputError(tile.source.path, "band 1", problem, "deliver the file again") from error
        values = band.astype(np.float32).filled(np.nan) * np.float32(file.scales[0]) + np.float32(file.offsets[0])
        if tile.source.nodata is not None:
            values[band.data == tile.source.nodata] = np.nan
        place = {
            "src_transform": file.window_transform(window),
            "src_crs": file.crs,
            "dst_transform": transform,
            "dst_crs": crs_utm.to_wkt(),
            "tolerance": 0.0,
        }
    known = np.zeros(shape, dtype=np.uint8)
    reproject(
        values,
        out,
        src_nodata=np.nan,
        dst_nodata=np.nan,
        init_dest_nodata=True,
        resampling=Resampling.bilinear,
        **place,
    )
    reproject(np.isfinite(values).astype(np.uint8), known, resampling=Resampling.nearest, **place)
    out[known == 0] = np.nan
    return out


def _window(file: DatasetReader, crs: CRS, transform: Affine, shape: tuple[int, int], crs_utm: CRS) -> Window | None:
    """Return the part of the file under the grid, with a few pixels around for the interpolation; None if none."""
    bounds = rasterio.transform.array_bounds(*shape, transform)
    to_file = Transformer.from_crs(crs_utm, crs, always_xy=True)
    west, south, east, north = to_file.transform_bounds(bounds[0], bounds[1], bounds[2], bounds[3], _EDGE_POINTS)
    columns, rows = _place(~file.transform, [west, east, east, west], [north, north, south, south])
    left, right = max(0, math.floor(columns.min()) - 3), min(file.width, math.ceil(columns.max()) + 3)
    top, bottom = max(0, math.floor(rows.min()) - 3), min(file.height, math.ceil(rows.max()) + 3)
    return Window(left, top, right - left, bottom - top) if left < right and top < bottom else None


def _facts(
    tiles: Sequence[_Tile],
    values: NDArray[np.float32],
    transform: Affine,
    area: Polygon | MultiPolygon,
    pixel: float,
    coverage: float,
) -> ElevationFacts:
    sources = [tile.source for tile in tiles]
    if not np.isfinite(values).any():
        raise InputError(sources[0].path, "band 1", "holds no value in the area", "check nodata and the area")
    inside = geometry_mask([area], values.shape, transform, invert=True)
    unknown = float(np.isnan(values[inside]).mean()) if inside.any() else 0.0
    datums = tuple(dict.fromkeys(s.vertical_datum for s in sources if s.vertical_datum))
    notes = [note for tile in tiles for note in tile.notes]
    if len(datums) > 1:
        notes.append(f"files state different vertical datums: {', '.join(datums)}; heights are merged as they are")
    return ElevationFacts(
        pixel,
        coverage,
        unknown,
        float(np.nanmin(values)),
        float(np.nanmax(values)),
        tuple(s.path.name for s in sources),
        datums,
        tuple(notes),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
