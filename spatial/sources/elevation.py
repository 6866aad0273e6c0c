"""Elevation of a city: files in any CRS and unit, merged on one grid in the city's UTM zone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.features import geometry_mask
from shapely.geometry import MultiPolygon, Polygon, box

from spatial.contracts import Raster
from spatial.errors import InputError
from spatial.sources.mosaic import merge_tiles
from spatial.sources.tiles import ElevationSource, Tile, files_of, tile_of, vertical_datums

__all__ = ["ElevationFacts", "ElevationSource", "read_elevation"]


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


def read_elevation(
    sources: Sequence[ElevationSource],
    area_utm: Polygon | MultiPolygon,
    crs_utm: CRS,
    margin_m: float,
    min_coverage: float = 0.99,
) -> tuple[Raster, ElevationFacts]:
    """Return the elevation of an area and its margin as one raster.

    Values are bilinear (GDAL); a pixel whose centre lies on nodata of every file stays unknown, and no nodata enters a
    value. Pixels are square, as large as those of the finest file at the area (square root of their area), rounded to
    0.1 m (0.01 m below 1 m). Their edges are whole multiples of their size, so the same inputs give the same grid.
    Where files overlap, the first that holds a pixel's four neighbours wins; where files meet, they are interpolated
    across, so that no seam is left (`mosaic`). Extent: the area's bounds and `margin_m` around them, as far
    as the files reach.

    Parameters
    ----------
    sources : at least one file or folder, by precedence. Of a folder, the tiles near the city are read.
    area_utm : area of the city, metres, in `crs_utm`.
    margin_m : ≥ 0.
    min_coverage : least share of the area that the files' footprint must cover, 0–1.

    Returns
    -------
    Raster of float32 metres, NaN where unknown; facts.

    Raises
    ------
    InputError
        A file is missing, of another format, has no CRS or no place; values that cannot be metres, without a unit; the
        files cover less than `min_coverage`; no value.
    """
    if not sources:
        raise ValueError("read_elevation needs at least one source")
    reach = box(*area_utm.bounds).buffer(margin_m, join_style="mitre")
    tiles = [tile for source in sources for tile in _tiles(source, area_utm, reach, crs_utm)]
    footprint = shapely.union_all([tile.footprint for tile in tiles])
    coverage = 1.0 - shapely.difference(area_utm, footprint).area / area_utm.area
    if coverage < min_coverage:
        names = ", ".join(str(source.path) for source in sources)
        problem = f"covers {_percent(coverage)} of the area, {_percent(min_coverage)} is needed"
        raise InputError(names, "footprint", problem, "add elevation files or make the area smaller")
    pixel = _rounded(min(tile.pixel_size_m for tile in tiles))
    extent = shapely.intersection(reach, box(*footprint.bounds))
    transform, shape = _grid(extent.bounds, pixel)
    merged = merge_tiles(tiles, transform, shape, crs_utm)
    facts = _facts(tiles, merged, transform, area_utm, pixel, coverage)
    return Raster(merged, transform, crs_utm), facts


def _tiles(source: ElevationSource, area_utm: Polygon | MultiPolygon, reach: Polygon, crs_utm: CRS) -> list[Tile]:
    """Return the file of a source, or those of a folder that lie within `reach`."""
    files = files_of(source)
    if files == (source,):
        return [tile_of(source, area_utm, crs_utm)]
    tiles = []
    for file in files:
        try:
            tiles.append(tile_of(file, area_utm, crs_utm))
        except InputError as error:
            if error.field != "crs" or "UTM" not in str(error):
                raise
    near = [tile for tile in tiles if tile.footprint.intersects(reach)]
    if not near:
        problem = f"none of its {len(files)} tiles lies at the city"
        raise InputError(source.path, "folder", problem, "add the tiles of the city")
    return near


def _rounded(size: float) -> float:
    return round(size, 1) if size >= 1 else max(round(size, 2), 0.01)


def _grid(bounds: tuple[float, float, float, float], pixel: float) -> tuple[Affine, tuple[int, int]]:
    """Return transform and (rows, columns) of the grid whose edges are whole multiples of `pixel` around `bounds`."""
    west, south = (math.floor(round(v / pixel, 6)) for v in bounds[:2])
    east, north = (math.ceil(round(v / pixel, 6)) for v in bounds[2:])
    return Affine(pixel, 0.0, west * pixel, 0.0, -pixel, north * pixel), (north - south, east - west)


def _facts(
    tiles: Sequence[Tile],
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
    datums = vertical_datums(sources)
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
