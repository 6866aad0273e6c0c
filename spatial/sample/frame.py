"""The plane that the sample city lies in, and plain deterministic writers of its files."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
import shapely.geometry
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

NODATA = -9999.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A square of `size` × `size` pixels in a UTM zone; x and y are metres east and north of its south-west corner.

    The default lies in open water of the Makassar Strait: the city is nobody's.
    """

    size: int = 240
    pixel_m: float = 30.0
    west: float = 563_400.0
    south: float = 9_631_500.0
    epsg: int = 32750

    @property
    def extent_m(self) -> float:
        """Side of the square, metres."""
        return self.size * self.pixel_m

    @property
    def transform(self) -> Affine:
        """Affine transform of rasters, row 0 in the north."""
        return Affine(self.pixel_m, 0.0, self.west, 0.0, -self.pixel_m, self.south + self.extent_m)

    def centres(self) -> tuple[Floats, Floats]:
        """Return x and y of pixel centres, each (size, size), row 0 in the north."""
        along = (np.arange(self.size) + 0.5) * self.pixel_m
        x, y = np.meshgrid(along, along[::-1])
        return x, y

    def sample(self, raster: NDArray[Any], x: ArrayLike, y: ArrayLike) -> NDArray[Any]:
        """Return the pixel values at points; points outside take the nearest pixel of the rim."""
        column = np.floor(np.asarray(x, float) / self.pixel_m).astype(int)
        row = np.floor((self.extent_m - np.asarray(y, float)) / self.pixel_m).astype(int)
        return np.asarray(raster[np.clip(row, 0, self.size - 1), np.clip(column, 0, self.size - 1)])

    def lonlat(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Return longitude and latitude (degrees, CRS84) of points."""
        lon, lat = _to_degrees(self.epsg).transform(np.asarray(x, float) + self.west, np.asarray(y, float) + self.south)
        return np.asarray(lon, float), np.asarray(lat, float)

    def geometry(self, geometry: BaseGeometry) -> BaseGeometry:
        """Return a geometry of the plane in degrees (CRS84), rounded to 7 decimals."""

        def move(points: Floats) -> Floats:
            return np.round(np.column_stack(self.lonlat(points[:, 0], points[:, 1])), 7)

        return shapely.transform(geometry, move)


@cache
def _to_degrees(epsg: int) -> Transformer:
    return Transformer.from_crs(epsg, "OGC:CRS84", always_xy=True)


def write_geojson(path: Path, features: Iterable[tuple[BaseGeometry, Mapping[str, Any]]]) -> None:
    """Write features (geometry in CRS84, properties) as GeoJSON, one feature a line, in the order given."""
    lines = (
        json.dumps(
            {"type": "Feature", "properties": dict(properties), "geometry": shapely.geometry.mapping(geometry)},
            ensure_ascii=False,
        )
        for geometry, properties in features
    )
    text = '{"type": "FeatureCollection", "features": [\n' + ",\n".join(lines) + "\n]}\n"
    path.write_text(text, "utf-8", newline="\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV in UTF-8 with LF line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_raster(path: Path, frame: Frame, values: Floats, unknown: Bools, decimals: int = 2) -> None:
    """Write a (size, size) raster as float32 GeoTIFF with nodata -9999 where `unknown`."""
    band = np.where(unknown, NODATA, np.round(values, decimals)).astype(np.float32)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=frame.size,
        height=frame.size,
        count=1,
        dtype="float32",
        nodata=NODATA,
        crs=f"EPSG:{frame.epsg}",
        transform=frame.transform,
        compress="deflate",
        predictor=3,
    ) as file:
        file.write(band, 1)
        file.update_tags(TIFFTAG_IMAGEDESCRIPTION="synthetic: a city that does not exist")


def smoothstep(value: Floats) -> Floats:
    """Return 0 below 0, 1 above 1, and 3t² − 2t³ between."""
    t = np.clip(value, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
