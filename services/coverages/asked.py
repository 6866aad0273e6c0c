"""What a request for a coverage or a map asks: the part, the size, the CRS; all that cannot be is a 400 that names it.

The parameters are those of OGC API Coverages (19-087, draft: Subsetting, Scaling, Field Selection, CRS) and of OGC API
Maps Part 1 (20-058).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite

from starlette.requests import Request

from services.parameters import BadRequestError
from spatial.store.grids import Box

CRS84 = "OGC:CRS84"
MERCATOR = "EPSG:3857"
_BOTH = frozenset({"bbox", "bbox-crs", "crs", "datetime", "f", "height", "lang", "version", "width"})
_SCALES = ("scale-factor", "scale-axes", "scale-size", "scaleSize")
COVERAGE = _BOTH | {"properties", "subset", "subset-crs", *_SCALES}
MAP = _BOTH | {"bgcolor", "transparent"}
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_AXIS = re.compile(r"([A-Za-z]+)\(([^(),:]*)(?::([^(),:]*))?\)")
_EASTINGS, _NORTHINGS = ("e", "x", "easting"), ("n", "y", "northing")
_LONGITUDES, _LATITUDES = ("lon", "long", "longitude"), ("lat", "latitude")
_MOST_PIXELS_OF_A_SIDE = 65_500
MAP_SIDE = 1024
_FARTHEST_M = 1e8  # no projected coordinate on Earth is farther

Edges = tuple[float | None, float | None]  # None: the edge of the coverage


@dataclass(frozen=True, slots=True)
class Selection:
    """A box in a CRS, `EPSG:n` or `OGC:CRS84`; a longitude whose first is the greater one crosses the antimeridian."""

    crs: str
    x: Edges
    y: Edges

    def boxes(self, whole: Box) -> list[Box]:
        """Return the box, or the two on both sides of the antimeridian; `whole` gives the edges that were left open."""
        west, east = (
            edge if given is None else given for given, edge in zip(self.x, (whole[0], whole[2]), strict=True)
        )
        south, north = (
            edge if given is None else given for given, edge in zip(self.y, (whole[1], whole[3]), strict=True)
        )
        spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
        return [(first, south, last, north) for first, last in spans] if south <= north else []


@dataclass(frozen=True, slots=True)
class Size:
    """How many pixels: exact numbers (`columns`, `rows`), or the coverage's own divided by `x` and `y`."""

    columns: int | None = None
    rows: int | None = None
    x: float = 1.0
    y: float = 1.0
    in_proportion: bool = False  # a side without a number follows the other one

    @property
    def exact(self) -> bool:
        """Whether a number of pixels was asked for."""
        return self.columns is not None or self.rows is not None


def given(request: Request, allowed: Collection[str], repeatable: Collection[str] = ()) -> dict[str, str]:
    """Return the query's parameters; those that may be repeated are joined by commas."""
    values: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in allowed:
            raise BadRequestError(f"{name}: not a parameter here; expected one of {', '.join(sorted(allowed))}")
        if name in values and name not in repeatable:
            raise BadRequestError(f"{name}: given more than once")
        values[name] = f"{values[name]},{value}" if name in values else value
    if values.get("lang", "id") not in ("id", "en"):
        raise BadRequestError(f"lang={values['lang']}: expected id or en")
    if "datetime" in values:
        raise BadRequestError(f"datetime={values['datetime']}: a coverage has no time axis; a version has one time")
    return values


def uri_of(crs: str) -> str:
    """Return the address that names a CRS."""
    return f"http://www.opengis.net/def/crs/{'OGC/1.3/CRS84' if crs == CRS84 else f'EPSG/0/{crs[5:]}'}"


def crs_of(values: Mapping[str, str], name: str, native: str, default: str) -> str:
    """Return the CRS that a parameter names by its address or CURIE."""
    text = values.get(name)
    known = {native, CRS84, MERCATOR}
    if text is None:
        return default
    found = re.fullmatch(r"https?://www\.opengis\.net/def/crs/(EPSG|OGC)/(?:0|1\.3)/([A-Za-z0-9]+)", text)
    curie = re.fullmatch(r"\[?(EPSG|OGC):([A-Za-z0-9]+)\]?", text)
    code = next((f"{match[1]}:{match[2]}" for match in (found, curie) if match), "")
    if code not in known:
        raise BadRequestError(f"{name}={text}: expected one of {', '.join(sorted(map(uri_of, known)))}")
    return code


def selection_of(values: Mapping[str, str], native: str) -> Selection | None:
    """Return the part that `bbox` or `subset` asks for.

    `subset` without `subset-crs` is in CRS84 where its axes are Lat and Lon, and in the coverage's CRS where they are
    E and N, which CRS84 does not have.
    """
    box_crs = crs_of(values, "bbox-crs", native, CRS84)
    subset_crs = crs_of(values, "subset-crs", native, CRS84)
    if "bbox" in values and "subset" in values:
        raise BadRequestError("subset: give bbox or subset, not both")
    if "bbox" in values:
        return _boxed(values["bbox"], box_crs)
    if "subset" not in values:
        return None
    axes = _axes("subset", values["subset"])
    if "subset-crs" not in values and all(axis.lower() in (*_EASTINGS, *_NORTHINGS) for axis in axes):
        subset_crs = native
    named = _by_side("subset", axes, subset_crs)
    edges = {
        key: _edges(axis, low, low if high is None else high, subset_crs) for key, (axis, low, high) in named.items()
    }
    return Selection(subset_crs, edges.get("x", (None, None)), edges.get("y", (None, None)))


def _boxed(text: str, crs: str) -> Selection:
    parts = text.split(",")
    if len(parts) != 4:
        raise BadRequestError(f"bbox={text}: expected four numbers; a coverage has no height axis")
    west, south, east, north = (_number("bbox", part) for part in parts)
    return Selection(crs, _checked("bbox", "Lon", west, east, crs), _checked("bbox", "Lat", south, north, crs))


def _edges(axis: str, low: str, high: str, crs: str) -> Edges:
    first, last = (None if text == "*" else _number(f"subset={axis}(…)", text) for text in (low, high))
    return _checked(f"subset={axis}(…)", axis, first, last, crs)


def _checked(name: str, axis: str, low: float | None, high: float | None, crs: str) -> Edges:
    """Refuse degrees that are none, and edges in the wrong order; longitudes may cross the antimeridian."""
    along_x = axis.lower() in (*_LONGITUDES, *_EASTINGS)
    most = 180.0 if along_x else 90.0
    if crs == CRS84 and any(value is not None and abs(value) > most for value in (low, high)):
        raise BadRequestError(f"{name}: expected degrees from {-most:g} to {most:g}")
    if crs != CRS84 and any(value is not None and abs(value) > _FARTHEST_M for value in (low, high)):
        raise BadRequestError(f"{name}: expected metres from {-_FARTHEST_M:g} to {_FARTHEST_M:g}")
    if low is not None and high is not None and low > high and not (crs == CRS84 and along_x):
        raise BadRequestError(f"{name}: expected the lesser value first, not {low:g} before {high:g}")
    return low, high


def _axes(name: str, text: str) -> dict[str, tuple[str, str | None]]:
    """Return what `Axis(low:high),Axis(value)` says, by axis."""
    axes: dict[str, tuple[str, str | None]] = {}
    position = 0
    while position <= len(text):
        found = _AXIS.match(text, position)
        if found is None or text[found.end() : found.end() + 1] not in ("", ","):
            raise BadRequestError(f"{name}={text}: expected Axis(…) or a list of them, such as E(…:…),N(…:…)")
        if found[1] in axes:
            raise BadRequestError(f"{name}={text}: {found[1]} is given more than once")
        axes[found[1]] = (found[2], found[3])
        position = found.end() + 1
    return axes


def _by_side(name: str, axes: Mapping[str, tuple[str, str | None]], crs: str) -> dict[str, tuple[str, str, str | None]]:
    """Return the axes by `x` and `y`; E and X are one axis."""
    sides: dict[str, tuple[str, str, str | None]] = {}
    for axis, (low, high) in axes.items():
        side = _side(name, axis, crs)
        if side in sides:
            raise BadRequestError(f"{name}={axis}(…): that axis is given more than once")
        sides[side] = (axis, low, high)
    return sides


def _side(name: str, axis: str, crs: str) -> str:
    x, y, said = (_LONGITUDES, _LATITUDES, "Lat, Lon") if crs == CRS84 else (_EASTINGS, _NORTHINGS, "E, N")
    if axis.lower() not in (*x, *y):
        raise BadRequestError(f"{name}={axis}(…): expected an axis of {uri_of(crs)}: {said}")
    return "x" if axis.lower() in x else "y"


def _number(name: str, text: str) -> float:
    if re.fullmatch(_NUMBER, text.strip()) is None or not isfinite(float(text)):
        raise BadRequestError(f"{name}: expected a number, not {text!r}")
    return float(text)


def size_of(values: Mapping[str, str], crs: str) -> Size:
    """Return the size that `scale-factor`, `scale-axes`, `scale-size`, or `width` and `height` ask for.

    `scaleSize` is what GDAL's OGCAPI driver calls `scale-size`, after an older draft.
    """
    named = [name for name in _SCALES if name in values] + ["width, height"] * ("width" in values or "height" in values)
    if len(named) > 1:
        raise BadRequestError(f"{named[0]}: cannot be given with {named[1]}")
    if not named:
        return Size()
    if named[0] == "scale-factor":
        factor = _factor("scale-factor", values["scale-factor"])
        return Size(x=factor, y=factor)
    if named[0] == "width, height":
        sides = {name: _count(name, values[name]) for name in ("width", "height") if name in values}
        return Size(columns=sides.get("width"), rows=sides.get("height"), in_proportion=True)
    sides_of = _by_side(named[0], _axes(named[0], values[named[0]]), crs)
    for axis, _, high in sides_of.values():
        if high is not None:
            raise BadRequestError(f"{named[0]}={axis}(…): expected one number")
    texts = {key: low for key, (_, low, _) in sides_of.items()}
    if named[0] == "scale-axes":
        factors = {key: _factor(named[0], text) for key, text in texts.items()}
        return Size(x=factors.get("x", 1.0), y=factors.get("y", 1.0))
    counts = {key: _count(named[0], text) for key, text in texts.items()}
    return Size(columns=counts.get("x"), rows=counts.get("y"))


def _factor(name: str, text: str) -> float:
    factor = _number(name, text)
    if not 1e-6 <= factor <= 1e9:
        raise BadRequestError(f"{name}={text}: expected a number above 0; 2 halves the pixels of a side")
    return factor


def _count(name: str, text: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text) is None or not 1 <= int(text) <= _MOST_PIXELS_OF_A_SIDE:
        raise BadRequestError(f"{name}={text}: expected a whole number of pixels from 1 to {_MOST_PIXELS_OF_A_SIDE}")
    return int(text)
