"""Coordinate reference systems that features are answered in (Features Part 2), by their OGC addresses.

Geometries are stored in CRS84. An answer's coordinates stand in the axis order of its CRS: EPSG:4326 is latitude first.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from services.parameters import BadRequestError

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG = "http://www.opengis.net/def/crs/EPSG/0/"


def systems_of(city: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the systems of a city's collections: CRS84, EPSG:4326, EPSG:3857 and the city's UTM zone."""
    own = str(city.get("crs", "")).removeprefix("EPSG:")
    codes = dict.fromkeys(("4326", "3857", *([own] if own.isdigit() else [])))
    return (CRS84, *(_EPSG + code for code in codes))


@lru_cache(maxsize=32)
def crs_of(uri: str) -> CRS:
    """Return the system that an address names."""
    return CRS("OGC:CRS84" if uri == CRS84 else "EPSG:" + uri.removeprefix(_EPSG))


def is_latitude_first(uri: str) -> bool:
    """Tell the system that names latitude before longitude."""
    return uri == f"{_EPSG}4326"


@lru_cache(maxsize=32)
def _from_crs84(uri: str) -> Transformer:
    return Transformer.from_crs(crs_of(CRS84), crs_of(uri))  # in the axis order of the target; safe between threads


def reprojected(geometries: NDArray[np.object_], uri: str) -> NDArray[np.object_]:
    """Return geometries of CRS84 in another system.

    Raises
    ------
    BadRequestError
        One lies where the system has no coordinates, such as a pole in EPSG:3857.
    """
    if uri == CRS84:
        return geometries
    moved: NDArray[np.object_] = shapely.transform(geometries, _from_crs84(uri).transform, interleaved=False)  # type: ignore[arg-type]
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise BadRequestError(f"crs={uri}: a feature lies where that system has no coordinates")
    return moved
