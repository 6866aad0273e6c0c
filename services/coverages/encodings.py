"""A coverage on a grid as GeoTIFF, CoverageJSON (21-069r2) and PNG."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from services.coverages.asked import CRS84, uri_of
from spatial.charts import Ramp, palette_png
from spatial.contracts import Coverage
from spatial.store.grids import Grid, bands

MEDIA: Mapping[str, str] = {
    "tif": "image/tiff; application=geotiff",
    "covjson": "application/prs.coverage+json",
    "png": "image/png",
}
UCUM: Mapping[str | None, str] = {"m": "m", "mm": "mm", "h": "h", "ln(m)": "1", None: "1"}
_CHUNK = 1 << 18
_WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file without a name, for an answer that is sent piece by piece; it is gone when it is closed."""

    handle: BinaryIO
    size: int

    def chunks(self) -> Iterator[bytes]:
        """Yield the content, then close."""
        with self.handle:
            while piece := self.handle.read(_CHUNK):
                yield piece


def geotiff(path: Path, grid: Grid, coverage: Coverage, tags: Mapping[str, str]) -> Spooled:
    """Write a part of a raster as GeoTIFF: one band of float32, deflate, NaN where unknown, the unit and `tags`.

    Longitude comes first in a file in CRS84, which GeoTIFF can only call EPSG:4326.
    """
    descriptor, name = tempfile.mkstemp(suffix=".tif", prefix="hexakota-")
    os.close(descriptor)
    try:
        with rasterio.open(name, "w", **_profile(grid)) as target:
            for row, values in bands(path, grid):
                target.write(values, 1, window=Window(0, row, grid.width, values.shape[0]))
            target.set_band_description(1, f"{coverage.title_id} / {coverage.title_en}")
            target.units = (coverage.unit or "1",)
            target.update_tags(**tags)
        handle = Path(name).open("rb")  # noqa: SIM115  # closed by who sends it
    finally:
        os.unlink(name)
    return Spooled(handle, os.fstat(handle.fileno()).st_size)


def _profile(grid: Grid) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:4326" if grid.crs == CRS84 else grid.crs,
        "transform": grid.transform,
        "nodata": float("nan"),
        "compress": "DEFLATE",
        "predictor": 3,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }


def coverage_json(path: Path, grid: Grid, coverage: Coverage) -> bytes:
    """Return a part of a raster as CoverageJSON: axes at pixel centres, rows from the north, null where unknown."""
    values = np.concatenate([rows for _, rows in bands(path, grid)])
    west, south, east, north = grid.bounds
    x = {"start": west + grid.dx / 2, "stop": east - grid.dx / 2, "num": grid.width}
    y = {"start": north - grid.dy / 2, "stop": south + grid.dy / 2, "num": grid.height}
    axes = {name: axis | ({"stop": axis["start"]} if axis["num"] == 1 else {}) for name, axis in (("x", x), ("y", y))}
    system = {"type": "GeographicCRS" if grid.crs == CRS84 else "ProjectedCRS", "id": uri_of(grid.crs)}
    document = {
        "type": "Coverage",
        "domain": {
            "type": "Domain",
            "domainType": "Grid",
            "axes": axes,
            "referencing": [{"coordinates": ["x", "y"], "system": system}],
        },
        "parameters": {coverage.name: parameter(coverage)},
        "ranges": {
            coverage.name: {
                "type": "NdArray",
                "dataType": "float",
                "axisNames": ["y", "x"],
                "shape": [grid.height, grid.width],
                "values": np.ascontiguousarray(values).ravel(),
            }
        },
    }
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def parameter(coverage: Coverage) -> dict[str, Any]:
    """Return a coverage's field as CoverageJSON has it: the unit in UCUM, labels in both languages."""
    label = {"id": coverage.title_id, "en": coverage.title_en}
    unit = coverage.unit or "1"
    return {
        "type": "Parameter",
        "description": label,
        "unit": {
            "label": {"id": unit, "en": unit},
            "symbol": {"value": UCUM[coverage.unit], "type": "http://www.opengis.net/def/uom/UCUM/"},
        },
        "observedProperty": {"label": label},
    }


def picture(
    path: Path, grid: Grid, ramp: Ramp, background: tuple[int, int, int] | None = None, clear: bool = True
) -> bytes:
    """Return a part of a raster as PNG, a pixel for a pixel; the unknown has the background, transparent if `clear`."""
    entries: NDArray[np.uint8] = np.concatenate([ramp.indices(rows) for _, rows in bands(path, grid)])
    return palette_png(entries, ramp, background or _WHITE, clear)
