"""Where the points of a table are: which columns hold them, in which CRS, and what time zone that may be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from spatial.propose.model import Setting
from spatial.propose.values import SURE, Column
from spatial.sources.formats import CRS84, RawTable
from spatial.sources.redaction import redact

LAT = ("lat", "latitude", "lintang", "lat dd", "latitud")
LON = ("lon", "lng", "long", "longitude", "bujur", "lon dd", "longitud")
Y, X = ("y", "northing", "koordinat y"), ("x", "easting", "koordinat x")
PAIR = ("point", "location", "koordinat", "coordinates", "latlng", "latlong", "lokasi", "geo")
Bounds = tuple[float, float, float, float]
# Wall-clock zones of Indonesia by longitude; between the strips provinces of two zones share the longitude.
_ZONES = ((95.0, 114.0, "Asia/Jakarta", "WIB"), (116.0, 124.0, "Asia/Makassar", "WITA"),
          (127.4, 141.05, "Asia/Jayapura", "WIT"))  # fmt: skip


def place(raw: RawTable, columns: Sequence[Column]) -> tuple[list[Setting], list[str], list[str], Bounds | None]:
    """Return settings, evidence, questions and bounds (CRS84, of nearly all points) of a table's coordinates."""
    if raw.points is not None:
        return _geometry(raw, raw.points, raw.crs or CRS84)
    lat, lon = _named_pair(columns)
    if lat and lon:
        return _columns(lat, lon)
    pairs = [c for c in columns if c.filled and len(c.pairs) >= SURE * c.filled]
    if pairs:
        return _pair(max(pairs, key=lambda c: (c.named(PAIR), c.filled, c.name)))
    return _unnamed(columns)


def _numeric(columns: Sequence[Column]) -> list[Column]:
    return [c for c in columns if c.filled and c.numeric >= SURE and c.times is None]


def _named_pair(columns: Sequence[Column]) -> tuple[Column | None, Column | None]:
    """Return the one column named for latitude and the one for longitude, else for y and x; of several none."""
    able = _numeric(columns)
    for names in ((LAT, LON), (Y, X)):
        found = [_best(able, words) for words in names]
        if all(len(best) for best in found):
            lat, lon = (best[0] if len(best) == 1 else None for best in found)
            return lat, lon
    return None, None


def _best(columns: Sequence[Column], words: Sequence[str]) -> list[Column]:
    fits = [(c.named(words), c) for c in columns if c.named(words)]
    return [c for score, c in fits if score == max(s for s, _ in fits)]


def _columns(lat: Column, lon: Column) -> tuple[list[Setting], list[str], list[str], Bounds | None]:
    y, x = lat.numbers, lon.numbers
    settings = [
        Setting("columns.lon", lon.name, _range(lon, x)),
        Setting("columns.lat", lat.name, _range(lat, y)),
    ]
    far_y, far_x = np.abs(y) > 90, np.abs(x) > 180
    if min(far_y.mean(), far_x.mean()) > 0.5:
        ask = "koordinat bukan derajat: CRS apa? / coordinates are not degrees: which CRS?"
        return [Setting("crs", _guess_crs(x, y), "", ask, active=False), *settings], [], [], None
    if far_y.mean() > 0.5 and (np.abs(x) <= 90).mean() > 0.5:
        ask = "nama dan isi berlawanan: bujur dan lintang tertukar? / names and values disagree: swapped?"
        swapped = zip(settings, (lat.name, lon.name), strict=True)
        return [Setting(s.key, name, s.evidence, ask, active=False) for s, name in swapped], [], [], None
    if max(far_y.mean(), far_x.mean()) > 0.5:
        ask = "sebagian besar nilai di luar derajat / most values are beyond degrees"
        return [Setting(s.key, s.value, s.evidence, ask, active=False) for s in settings], [], [], None
    if not (lat.named(LAT) and lon.named(LON)):
        ask = "derajat, atau kisi lain? / degrees, or another grid?"
        settings = [Setting(s.key, s.value, s.evidence, ask) for s in settings]
    wild = int(max(far_y.sum(), far_x.sum()))
    x, y, told = x[~far_x], y[~far_y], _beyond(x[far_x], y[far_y], wild, lat.filled)
    bounds = _bounds(x, y)
    return settings, told, _far(x, y, bounds), bounds


def _geometry(
    raw: RawTable, points: pd.DataFrame, crs: CRS
) -> tuple[list[Setting], list[str], list[str], Bounds | None]:
    x, y = (pd.to_numeric(points[c], errors="coerce").to_numpy("float64", na_value=np.nan) for c in ("lon", "lat"))
    evidence = [f"geometri / geometry: {len(points):,} dari / of {raw.rows_in:,} titik / points, CRS {crs.name}"]
    if not crs.is_geographic:
        x, y = Transformer.from_crs(crs, CRS84, always_xy=True).transform(x, y)
        far = ~(np.isfinite(x) & np.isfinite(y))
    else:
        far = ~((np.abs(x) <= 180) & (np.abs(y) <= 90))
    if far.mean() > 0.5:
        ask = (
            f"geometri di luar derajat pada {far.sum():,} baris: CRS salah atau tertukar? / geometry beyond degrees in "
            f"{far.sum():,} rows: wrong CRS, or swapped?"
        )
        return [], evidence, [ask], None
    evidence += _beyond(x[far], y[far], int(far.sum()), len(points))
    bounds = _bounds(x[~far], y[~far])
    return [], evidence, _far(x[~far], y[~far], bounds), bounds


def _beyond(x: NDArray[np.float64], y: NDArray[np.float64], wild: int, rows: int) -> list[str]:
    """Tell of coordinates that are not degrees; `x`, `y` are those beyond their range."""
    if not wild:
        return []
    example = redact(f"{x[0] if len(x) else '…'}, {y[0] if len(y) else '…'}")
    values = np.abs(np.concatenate([x, y]))
    id_, en = "tampaknya tertukar atau salah", "look swapped or wrong"
    if (values > 360).any():
        id_, en = "tampaknya terproyeksi (mis. kaki State Plane)", "look projected (e.g. State Plane feet)"
    return [
        f"{wild:,} dari / of {rows:,} bukan derajat, {id_}: dikarantina / not degrees, {en}: will be quarantined: "
        f"{example}"
    ]


def _far(x: NDArray[np.float64], y: NDArray[np.float64], bounds: Bounds | None) -> list[str]:
    """Ask about points that lie many times the size of the rest away from it: a hull would reach there."""
    if bounds is None:
        return []
    west, south, east, north = bounds
    reach = 5 * max(east - west, north - south, 0.05)
    far = [((v < low - reach) | (v > high + reach)) & (v != 0) for v, low, high in ((x, west, east), (y, south, north))]
    count = max(int(mask.sum()) for mask in far)
    told = (
        f"{count:,} titik sangat jauh dari yang lain; hull_of menjangkaunya, bbox tidak / points lie far from the rest"
    )
    return [f"{told}: hull_of reaches them, a bbox would not"] if count else []


def _pair(column: Column) -> tuple[list[Setting], list[str], list[str], Bounds | None]:
    first, second = column.pairs[:, 0], column.pairs[:, 1]
    evidence = f"{len(column.pairs):,} dari / of {column.filled:,} berbentuk / read (a, b)"
    if (np.abs(second) > 90).mean() > 0.5:
        tail = "; angka kedua di luar ±90, jadi (lat, lng) / the second number is beyond ±90, hence (lat, lng)"
        bounds = _bounds(second, first)
        return [Setting("columns.point", column.name, evidence + tail)], [], _far(second, first, bounds), bounds
    ask = "urutan (lintang, bujur)? / is the order (latitude, longitude)?"
    if (np.abs(first) > 90).mean() > 0.5:
        ask = "urutannya (bujur, lintang), bukan (lintang, bujur) / the order is (lng, lat), not (lat, lng)"
    return [Setting("columns.point", column.name, evidence, ask, active=False)], [], [], None


def _unnamed(columns: Sequence[Column]) -> tuple[list[Setting], list[str], list[str], Bounds | None]:
    """Ask which columns hold the coordinates; those that could are named."""
    able = [c for c in _numeric(columns) if c.fractional > 0.8 and np.abs(c.numbers).max() <= 180]
    able += [c for c in _numeric(columns) if c not in able and c.named((*LAT, *LON, *Y, *X))]
    told = [f"`{c.name}` {_span(c.numbers)}" for c in able]
    told += [
        f"`{c.name}` bukan angka / not numbers, mis. / e.g. {next(iter(c.counts))[:40]}"
        for c in columns
        if c not in able and c.filled and c.named((*LAT, *LON, *Y, *X))
    ]
    names = ", ".join(sorted(told)) or "–"
    ask = f"kolom koordinat? calon / which columns hold the coordinates? candidates: {names}"
    east = [c for c in able if np.abs(c.numbers).max() > 90]
    if len(able) == 2 and len(east) == 1:
        north = next(c for c in able if c is not east[0])
        wide = "di luar ±90, jadi bujur / beyond ±90, hence longitude"
        return (
            [
                Setting("columns.lon", east[0].name, f"{_range(east[0], east[0].numbers)}; {wide}", ask),
                Setting("columns.lat", north.name, _range(north, north.numbers), ask),
            ],
            [],
            [],
            _bounds(east[0].numbers, north.numbers),
        )
    return [Setting(f"columns.{key}", "?", "", ask, active=False) for key in ("lon", "lat")], [], [], None


def _guess_crs(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    metres = 100_000 < np.median(x) < 900_000 and 0 < np.median(y) < 10_000_000
    return "EPSG:327xx (UTM selatan / south) / EPSG:326xx (utara / north)" if metres else "EPSG:?"


def _range(column: Column, numbers: NDArray[np.float64]) -> str:
    return f"{len(numbers):,} dari / of {column.filled:,} angka / numbers, {_span(numbers)}"


def _span(numbers: NDArray[np.float64]) -> str:
    return f"{numbers.min():.10g} … {numbers.max():.10g}"


def _bounds(x: NDArray[np.float64], y: NDArray[np.float64]) -> Bounds | None:
    """Return west, south, east, north of the middle 98 in 100; zeros are no place."""
    x, y = x[x != 0], y[y != 0]
    if not len(x) or not len(y):
        return None
    (west, east), (south, north) = np.quantile(x, [0.01, 0.99]), np.quantile(y, [0.01, 0.99])
    return float(west), float(south), float(east), float(north)


def indonesian_zone(bounds: Bounds) -> tuple[str, str] | None:
    """Return IANA zone and its Indonesian name where the longitude alone decides it within Indonesia, else None."""
    west, south, east, north = bounds
    malay = (north > 1.0 and east > 99.5 and west < 105) or (north > 0.8 and east > 109.4 and west < 117)
    if south < -11.1 or north > 6.2 or malay:
        return None
    return next(((zone, name) for low, high, zone, name in _ZONES if low <= west and east <= high), None)
