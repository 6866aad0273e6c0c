"""Rasters of a version as cloud-optimised GeoTIFFs: one band of float32, NaN where unknown, with overviews.

The same values give the same bytes under one GDAL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from spatial.contracts import COVERAGE_BY_NAME, Coverage, Raster
from spatial.errors import ContractError, NotFoundError

FOLDER = "rasters"


def write_rasters(folder: Path, rasters: Mapping[str, Raster]) -> dict[str, dict[str, Any]]:
    """Write each raster to `<name>.tif` in a folder; return what the manifest says of each.

    Parameters
    ----------
    rasters : by the name of their coverage.

    Returns
    -------
    Per name: `file` (relative to the version), `unit`, `minimum`, `maximum` (None where nothing is known),
    `known_share` of pixels, 0–1, `pixel_size_m`, `sha256` of the file.

    Raises
    ------
    ContractError
        A name that is no coverage, infinity, or a value outside the coverage's range.
    """
    folder.mkdir(exist_ok=True)
    return {name: _write(folder / f"{name}.tif", _coverage(name), raster) for name, raster in rasters.items()}


def read_raster(folder: Path, name: str) -> Raster:
    """Read one raster of a version's folder. Raises NotFoundError where the version has none of that name."""
    path = folder / FOLDER / f"{name}.tif"
    if not path.is_file():
        raise NotFoundError(
            f"{folder.name}: this version has no raster {name}; it had no elevation, or is an older one"
        )
    with rasterio.open(path) as source:
        return Raster(source.read(1), source.transform, source.crs)


def _coverage(name: str) -> Coverage:
    if name not in COVERAGE_BY_NAME:
        raise ContractError(f"{name} is no coverage; there are {', '.join(COVERAGE_BY_NAME)}")
    return COVERAGE_BY_NAME[name]


def _write(path: Path, coverage: Coverage, raster: Raster) -> dict[str, Any]:
    values = raster.values.astype(np.float32)
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (None, None)
    if known.size and not np.isfinite(known).all():
        raise ContractError(f"raster {coverage.name} holds infinity")
    for value, bound, sign in ((low, coverage.minimum, 1), (high, coverage.maximum, -1)):
        if value is not None and bound is not None and sign * (value - bound) < 0:
            raise ContractError(f"raster {coverage.name} has {value}, beyond {bound}")
    rows, columns = values.shape
    with rasterio.open(
        path,
        "w",
        driver="COG",
        height=rows,
        width=columns,
        count=1,
        dtype="float32",
        nodata=float("nan"),
        crs=raster.crs,
        transform=raster.transform,
        compress="DEFLATE",
        predictor="YES",
        blocksize=256,
        overview_resampling="average",
        num_threads=1,
    ) as target:
        target.write(values, 1)
        target.set_band_description(1, f"{coverage.title_id} / {coverage.title_en}")
        target.update_tags(unit=coverage.unit or "1")
    return {
        "file": f"{FOLDER}/{path.name}",
        "unit": coverage.unit,
        "minimum": low,
        "maximum": high,
        "known_share": float(known.size / values.size),
        "pixel_size_m": raster.pixel_size_m,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
