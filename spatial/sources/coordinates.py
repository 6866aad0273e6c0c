"""Coordinates of tables of points: from any CRS to longitude and latitude; traps are refused, never repaired."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from spatial.errors import InputError
from spatial.sources.ledger import Ledger
from spatial.sources.quarantine import missing
from spatial.sources.raw import CRS84

_NUMBER = r"([+-]?\d+(?:\.\d+)?)"
_LAT_LNG = re.compile(rf"\s*\(?\s*{_NUMBER}\s*[,;]\s*{_NUMBER}\s*\)?\s*")
_WKT_POINT = re.compile(rf"\s*(?:SRID=4326;)?POINT\s*\(\s*{_NUMBER}\s+{_NUMBER}\s*\)\s*", re.IGNORECASE)


def parse_crs(path: Path, text: str) -> CRS:
    """Return the CRS that a setting names; raises InputError where there is none."""
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise InputError(path, "crs", f"'{text}' is not a CRS", 'write an EPSG code, e.g. "EPSG:4326"') from error


def check_crs(path: Path, own: CRS | None, stated: CRS | None) -> CRS:
    """Return the CRS of a file's coordinates: its own, else the stated one, else CRS84; raises if the two differ."""
    if own is not None and stated is not None and not own.equals(stated, ignore_axis_order=True):
        problem = f"the file says {own.name}, the setting says {stated.name}"
        raise InputError(path, "crs", problem, "take the setting out")
    return own or stated or CRS84


def locate(ledger: Ledger, points: pd.DataFrame, columns: tuple[str, str], crs: CRS) -> pd.DataFrame:
    """Return longitude and latitude of `points` and refuse in `ledger` the rows that have none.

    Parameters
    ----------
    points : columns lon and lat as delivered (objects), x before y in `crs`.
    columns : what the file calls them.

    Returns
    -------
    Columns lon, lat: float64 degrees, CRS84; only those of rows that are not refused mean anything.
    """
    x, y = (pd.to_numeric(points[c], errors="coerce").astype("float64") for c in ("lon", "lat"))
    for name, column, number in (("lon", columns[0], x), ("lat", columns[1], y)):
        empty = points[name].map(missing).astype(bool)
        ledger.refuse(empty, column, "missing_coordinate", points[name])
        ledger.refuse(~empty & ~np.isfinite(number), column, "not_a_number", points[name])
    _refuse_pair(ledger, (x == 0) & (y == 0), columns[0], "zero_coordinate", points)
    if crs.is_geographic:
        _check_degrees(ledger, x, y, points, columns)
    if crs.equals(CRS84, ignore_axis_order=True):
        return pd.DataFrame({"lon": x, "lat": y})
    lon, lat = Transformer.from_crs(crs, CRS84, always_xy=True).transform(x.to_numpy(), y.to_numpy())
    placed = pd.DataFrame({"lon": lon, "lat": lat}, index=points.index)
    good = np.isfinite(placed["lon"]) & (placed["lon"].abs() <= 180) & (placed["lat"].abs() <= 90)
    _refuse_pair(ledger, ~good, columns[0], "outside_crs", points)
    return placed


def _check_degrees(
    ledger: Ledger, x: pd.Series[float], y: pd.Series[float], points: pd.DataFrame, columns: tuple[str, str]
) -> None:
    bad_x, bad_y = x.abs() > 180, y.abs() > 90
    _refuse_pair(ledger, (x.abs() > 360) | (y.abs() > 360), columns[0], "projected_coordinate", points)
    _refuse_pair(ledger, bad_y & (y.abs() <= 180) & (x.abs() <= 90), columns[0], "swapped", points)
    ledger.refuse(bad_x, columns[0], "out_of_range", points["lon"])
    ledger.refuse(bad_y, columns[1], "out_of_range", points["lat"])


def _refuse_pair(ledger: Ledger, mask: pd.Series[bool], column: str, reason: str, points: pd.DataFrame) -> None:
    wrong = points.loc[mask]
    texts = [f"{x}, {y}" for x, y in zip(wrong["lon"], wrong["lat"], strict=True)]
    ledger.refuse(mask, column, reason, pd.Series(texts, index=wrong.index, dtype=object))


def split_points(values: pd.Series[Any]) -> pd.DataFrame:
    """Return columns lon, lat (texts) of points that are one text: "(lat, lng)", or WKT's "POINT (lng lat)".

    A text that is neither stands in both, so that `locate` refuses it as it was delivered; an empty one is None.
    """
    rows = [_split(value) for value in values]
    return pd.DataFrame(rows, columns=["lon", "lat"], index=values.index, dtype=object)


def _split(value: Any) -> tuple[str | None, str | None]:
    if missing(value):
        return None, None
    text = str(value)
    if found := _WKT_POINT.fullmatch(text):
        return found[1], found[2]
    found = _LAT_LNG.fullmatch(text)
    return (found[2], found[1]) if found else (text, text)


def decimals(value: Any) -> int:
    """Return how many digits after the point a coordinate was delivered with; of a float, the fewest that name it."""
    text = str(value).strip()
    if "e" not in text.lower():
        return len(text.partition(".")[2])
    try:
        exponent = Decimal(text).as_tuple().exponent
    except InvalidOperation:
        return 0
    return max(0, -exponent) if isinstance(exponent, int) else 0


def point_decimals(points: pd.DataFrame) -> list[int]:
    """Return `decimals` of each row of `points` (columns lon, lat as delivered), the larger of the two."""
    pairs = zip(points["lon"], points["lat"], strict=True)
    return [max(_whole_is_none(x), _whole_is_none(y)) for x, y in pairs]


def _whole_is_none(value: Any) -> int:
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return 0
    return decimals(value)
