"""Truth to score against: places or areas where something was seen to happen, from any vector file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import shapely

from spatial.errors import InputError
from spatial.sources.vectors import read_vectors


@dataclass(frozen=True, slots=True)
class TruthSource:
    """One file of places or areas that a past flood is known to have reached: table `[[flood_labels]]`.

    Attributes
    ----------
    path, layer : as of `read_truth`.
    looked_for : boundary file of the ground in which floods were looked for: what else lies in it counts as dry. The
        places' convex hull with `buffer_m` around it by default.
    """

    path: Path
    layer: str | None = None
    looked_for: Path | None = None
    buffer_m: float = 1000.0


_POINTS, _AREAS = ("Point", "MultiPoint"), ("Polygon", "MultiPolygon")


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """What a truth file holds; `rows_in` features are `len(shapes)` and `without_geometry`.

    `shapes`: points, multipoints, polygons and multipolygons in EPSG:4326, longitude first; the index is the 1-based
    number of the feature. Polygons that cross themselves are repaired by `shapely.make_valid`, `repaired` of them.
    """

    shapes: gpd.GeoSeries
    rows_in: int
    without_geometry: int
    repaired: int

    @property
    def kinds(self) -> tuple[str, ...]:
        """What there is of "points" and "polygons"."""
        found = set(self.shapes.geom_type)
        return tuple(name for name, types in (("points", _POINTS), ("polygons", _AREAS)) if found & set(types))


def read_truth(path: Path, layer: str | None = None) -> Truth:
    """Read points or polygons.

    Parameters
    ----------
    path : a vector file with a CRS; see `vectors.VECTOR_FORMATS`.
    layer : needed where the file has several.

    Raises
    ------
    InputError
        Missing, empty or unreadable file, no CRS, no feature with a geometry, a line, coordinates that are not
        longitudes and latitudes once they are in EPSG:4326 (the CRS that the file names is not its own).
    """
    if not path.is_file():
        raise InputError(path, "file", "does not exist", "check the path of the truth")
    table = read_vectors(path, layer)
    empty = table.geometry.isna() | table.geometry.is_empty
    shapes = table.geometry[~empty]
    if shapes.empty:
        raise InputError(path, "geometry", f"none of its {len(table)} features has one", "deliver points or polygons")
    for row, kind in shapes.geom_type.items():
        if kind not in (*_POINTS, *_AREAS):
            raise InputError(path, "geometry", f"feature {row} is a {kind}", "a truth is made of points or polygons")
    west, south, east, north = shapes.total_bounds
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise InputError(
            path,
            "crs",
            f"coordinates run to {west:.6g} {south:.6g} … {east:.6g} {north:.6g}, no longitudes and latitudes",
            "write the CRS that the coordinates are in into the file",
        )
    crossing = ~shapes.is_valid
    shapes = shapes.where(~crossing, gpd.GeoSeries(shapely.make_valid(shapes.to_numpy()), shapes.index, crs=shapes.crs))
    return Truth(shapes, len(table), int(empty.sum()), int(crossing.sum()))
