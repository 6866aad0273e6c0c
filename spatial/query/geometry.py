"""Geometries and boxes of a question: read, checked, and brought to CRS84."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyproj
import shapely
from numpy.typing import NDArray

from spatial.query.limits import MAX_COORDINATE, MAX_VERTICES, refused, shown
from spatial.query.model import Bounds

TAGS = ("POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION")
JSON_TYPES = ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection")
_CRS84 = "OGC:CRS84"
_WORLD = (180.0, 90.0)
_WKT = re.compile(
    rf"(?:[\d.,()+\-\s]|(?<=[\d.])[eE](?=[+\-\d])|\b(?:{'|'.join(TAGS)}|Z)\b)*+", re.IGNORECASE | re.ASCII
)
_KEYS = {"type", "coordinates", "geometries", "bbox"}


def from_wkt(text: str) -> shapely.Geometry:
    """Return the geometry of a WKT literal of CQL2 text, as it is written. Raises QueryError."""
    if _WKT.fullmatch(text) is None:
        raise refused(f"{shown(text)}: expected numbers and commas in a geometry")
    try:
        with np.errstate(all="ignore"):  # 1e400 is infinite, and refused as such
            geometry = shapely.from_wkt(text)
    except shapely.errors.ShapelyError as error:
        raise refused(f"{shown(text)}: no geometry: {_reason(error)}") from error
    return checked(geometry)


def from_geojson(node: Mapping[str, Any]) -> shapely.Geometry:
    """Return the geometry of a GeoJSON literal of CQL2 JSON, as it is written. Raises QueryError."""
    if node.get("type") not in JSON_TYPES:
        raise refused(f"type {shown(node.get('type'))}: expected one of {', '.join(JSON_TYPES)}")
    if not set(node) <= _KEYS:
        raise refused(f"{shown(min(set(node) - _KEYS))} in a {node['type']}: expected type and coordinates")
    try:
        text = orjson.dumps(node)
        if any(word in text for word in (b"true", b"false", b"null", b'":"Feature')):
            raise refused(f"{node['type']}: expected numbers as coordinates")
        return checked(shapely.from_geojson(text))
    except (shapely.errors.ShapelyError, orjson.JSONEncodeError) as error:
        raise refused(f"{node['type']}: no geometry: {_reason(error)}") from error


def checked(geometry: shapely.Geometry) -> shapely.Geometry:
    """Return a literal in the plane, without its heights. Raises QueryError where it is empty or not valid."""
    if shapely.is_empty(geometry) or shapely.is_empty(shapely.get_parts(geometry)).any():
        raise refused(f"{named(geometry)}: expected coordinates, found none")
    vertices = shapely.get_num_coordinates(geometry)
    if vertices > MAX_VERTICES:
        raise refused(f"{named(geometry)}: {vertices} vertices; expected at most {MAX_VERTICES}")
    flat = shapely.force_2d(geometry)
    if not (np.abs(shapely.get_coordinates(flat)) <= MAX_COORDINATE).all():
        raise refused(f"{named(geometry)}: expected coordinates within {MAX_COORDINATE:g}")
    if not shapely.is_valid(flat):
        raise refused(f"{named(geometry)}: not valid: {shapely.is_valid_reason(flat)}")
    return flat


def to_crs84(geometry: shapely.Geometry, crs: pyproj.CRS | None) -> shapely.Geometry:
    """Return a literal with its vertices moved from a CRS (its authority's axis order) to CRS84. Raises QueryError."""
    if crs is not None and lat_first(crs):
        geometry = shapely.transform(geometry, lambda xy: xy[:, ::-1])
    if crs is None or is_crs84(crs):
        if (np.abs(shapely.get_coordinates(geometry)) > _WORLD).any():
            raise refused(f"{named(geometry)}: expected longitudes within 180 and latitudes within 90 degrees")
        return geometry
    moved = shapely.transform(geometry, transformation(crs).inverse)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise refused(f"{named(geometry)}: coordinates outside of {crs.name}")
    if not shapely.is_valid(moved):
        raise refused(f"{named(geometry)}: not valid in CRS84: {shapely.is_valid_reason(moved)}")
    return moved


def parse_bbox(numbers: Sequence[Any], crs: pyproj.CRS | None) -> tuple[Bounds, ...]:
    """Return the boxes of four or six numbers in the CRS's axis order, easting first; two across the antimeridian.

    Features have no heights, so those of a box are out. Raises QueryError.
    """
    if len(numbers) not in (4, 6) or any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
        raise refused(f"BBOX{shown(tuple(numbers))}: expected 4 or 6 numbers")
    values = [float(number) for number in numbers]
    if not np.isfinite(values).all():
        raise refused("BBOX: expected finite numbers")
    half = len(values) // 2
    low, high = values[:2], values[half : half + 2]
    if crs is not None and lat_first(crs):
        low, high = low[::-1], high[::-1]
    if low[1] > high[1]:
        raise refused(f"BBOX{shown(tuple(numbers))}: its south lies north of its north")
    if low[0] <= high[0]:
        return ((low[0], low[1], high[0], high[1]),)
    if crs is not None and not crs.is_geographic:
        raise refused(f"BBOX{shown(tuple(numbers))}: its west lies east of its east")
    return ((low[0], low[1], 180.0, high[1]), (-180.0, low[1], high[0], high[1]))


def named(geometry: shapely.Geometry) -> str:
    """Return the name of a geometry's type, as GeoJSON has it."""
    return str(getattr(geometry, "geom_type"))  # noqa: B009  # the stubs lack it


def rectangle(bounds: Bounds) -> shapely.Geometry:
    """Return a box as a geometry; GEOS finds nothing on a polygon without area, so that is a line or a point.

    Its sides are cut at coordinates that no feature has.
    """
    west, south, east, north = (min(max(side, -MAX_COORDINATE), MAX_COORDINATE) for side in bounds)
    if west < east and south < north:
        return shapely.box(west, south, east, north)
    ends = shapely.points([(west, south), (east, north)])
    return ends[0] if west == east and south == north else shapely.linestrings([(west, south), (east, north)])


class Transformation:
    """Between CRS84 and a CRS, easting first on both sides; what has no image is not finite."""

    def __init__(self, crs: pyproj.CRS) -> None:
        self._there = pyproj.Transformer.from_crs(_CRS84, crs, always_xy=True)
        self._back = pyproj.Transformer.from_crs(crs, _CRS84, always_xy=True)

    def forward(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, 2) coordinates of CRS84 in the CRS."""
        return np.column_stack(self._there.transform(coordinates[:, 0], coordinates[:, 1]))

    def inverse(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, 2) coordinates of the CRS in CRS84."""
        return np.column_stack(self._back.transform(coordinates[:, 0], coordinates[:, 1]))

    def surrounding(self, bounds: Bounds) -> Bounds | None:
        """Return bounds in CRS84 that hold all of a box of the CRS, with a margin; None where there are none.

        The box's edges are curves there; between 101 points on an edge a curve leaves its chord by far less than the
        margin of a hundredth of the box.
        """
        west, south, east, north = self._back.transform_bounds(*bounds, densify_pts=101)
        if not np.isfinite([west, south, east, north]).all() or west > east:
            return None
        margin = 1e-6 + 0.01 * max(east - west, north - south)
        return west - margin, south - margin, east + margin, north + margin


def transformation(crs: pyproj.CRS) -> Transformation:
    """Return the transformation of a CRS, made once."""
    return _transformation(crs.srs)


@lru_cache(maxsize=32)
def _transformation(srs: str) -> Transformation:
    return Transformation(pyproj.CRS(srs))


def lat_first(crs: pyproj.CRS) -> bool:
    """Whether an authority writes a CRS's northing before its easting, as EPSG does for 4326."""
    return _lat_first(crs.srs)


@lru_cache(maxsize=32)
def _lat_first(srs: str) -> bool:
    return [axis.direction for axis in pyproj.CRS(srs).axis_info][:2] == ["north", "east"]


def is_crs84(crs: pyproj.CRS) -> bool:
    """Whether a CRS's coordinates are those of CRS84, whatever their order."""
    return _is_crs84(crs.srs)


@lru_cache(maxsize=32)
def _is_crs84(srs: str) -> bool:
    return bool(pyproj.CRS(srs).equals(pyproj.CRS(_CRS84), ignore_axis_order=True)) or bool(
        pyproj.CRS(srs).equals(pyproj.CRS("EPSG:4326"), ignore_axis_order=True)
    )


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0].removeprefix("ParseException: ").removeprefix("IllegalArgumentException: ")
