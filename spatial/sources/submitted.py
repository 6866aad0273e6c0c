"""One report that a client sends, as a GeoJSON feature: held to what files are held to, and each fault named.

A feature's properties are the published columns of `contracts.REPORTS`. `OWN` are those that reports bring themselves;
the others follow from a run, so a client may only send back what it read (`check_derived`). Times are texts as the
store keeps them: RFC 3339, UTC, milliseconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pyproj import CRS, Transformer

from spatial.contracts import REPORTS, Column
from spatial.errors import InputError
from spatial.sources.coordinates import decimals
from spatial.sources.depth_words import depths_m
from spatial.sources.redaction import holds_personal_data, redact
from spatial.sources.reports import CLOCKS_DIFFER, COLUMNS, EARLIEST, METRE_DECIMALS, TIMES

DERIVED = tuple(name for name in REPORTS.names if name not in COLUMNS)
OWN = tuple(name for name in REPORTS.names if name in COLUMNS and name not in ("report_id", "category_basis"))
DEFAULT_SOURCE = "api"
MAX_TEXT = 10_000
_COLUMN = {column.name: column for column in REPORTS.columns}
_FREE_TEXTS = tuple(column.name for column in REPORTS.columns if column.free_text)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]{0,99}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TYPED_BACK = 6  # decimals that clients write: RFC 7946, 11.2; QGIS

Place = tuple[float, float, int]
"""Longitude and latitude in degrees, CRS84, and with how many decimals they were told."""


def usable_id(given: Any) -> str | None:
    """Return an id that a client proposes if it can be one: plain characters, nothing personal; else None."""
    plain = isinstance(given, str) and _ID.fullmatch(given) is not None and not holds_personal_data(given)
    return given if plain else None


def read_place(geometry: Any, crs: CRS, bounds: tuple[float, float, float, float]) -> Place:
    """Return where a GeoJSON point lies.

    Parameters
    ----------
    crs : CRS of its coordinates, in the CRS's own axis order.
    bounds : west, south, east, north of the city in degrees, CRS84. A point outside is taken (a run flags it), but not
        one that lies inside with longitude and latitude swapped.

    Raises
    ------
    InputError
        It is no point, or no place on Earth.
    """
    if not isinstance(geometry, dict) or geometry.get("type") != "Point" or set(geometry) != {"type", "coordinates"}:
        raise _refused("geometry", geometry, 'expected {"type": "Point", "coordinates": [x, y]}')
    pair = geometry["coordinates"]
    if not isinstance(pair, list) or len(pair) != 2 or not all(map(_is_number, pair)):
        raise _refused("geometry.coordinates", pair, "expected two numbers")
    lon, lat = map(float, pair)
    if crs != CRS("OGC:CRS84"):
        lon, lat = Transformer.from_crs(crs, "OGC:CRS84").transform(lon, lat)
    if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90):
        raise _refused("geometry.coordinates", pair, "expected longitude within ±180 and latitude within ±90")
    if lon == 0 and lat == 0:
        raise _refused("geometry.coordinates", pair, "0, 0 is no place of a report")
    if not _inside(lon, lat, bounds) and _inside(lat, lon, bounds):
        raise _refused("geometry.coordinates", pair, "longitude and latitude look swapped; longitude stands first")
    told = max(0 if value == int(value) else decimals(value) for value in pair)
    return lon, lat, told + (METRE_DECIMALS if crs.is_projected else 0)


def read_properties(given: Any) -> dict[str, Any]:
    """Return a feature's properties, each checked by its column. Raises InputError, naming the first that is wrong."""
    if not isinstance(given, dict):
        raise _refused("properties", given, "expected an object")
    for name in given:
        if name not in _COLUMN:
            raise InputError("feature", name, "is no property of reports", f"expected of {', '.join(REPORTS.names)}")
    return {name: _value(_COLUMN[name], value) for name, value in given.items()}


def check_derived(given: Mapping[str, Any], *known: Mapping[str, Any]) -> None:
    """Refuse values of read-only columns, unless one of the `known` answers has them. Raises InputError."""
    for name in ("report_id", "category_basis", *DERIVED):
        if name in given and not any(_same(given[name], answer.get(name)) for answer in known):
            shown = known[0].get(name) if known else None
            raise _refused(name, given[name], f"it is read-only; expected {_shown(shown)}, or leave it out")


def new_values(report_id: str, given: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return a new report's values as the store keeps them. Raises InputError.

    Null is as good as left out. A flood report without a depth takes the one that its description tells, as files do.
    """
    told = {name: given.get(name) for name in OWN}
    told["source"] = told["source"] or DEFAULT_SOURCE
    if told["depth_m"] is None and told["category"] == "flood" and told["description"]:
        depth = float(depths_m(pd.Series([told["description"]], dtype=object)).iloc[0])
        told["depth_m"] = None if math.isnan(depth) else depth
    return _stored(report_id, told, place[2], "source")


def replaced_values(held: Mapping[str, Any], given: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return the values of a report whose content `given` takes the place of; its source stays where none is given.

    Raises InputError.
    """
    told = {name: _unredacted(name, given.get(name), held) for name in OWN}
    told["source"] = told["source"] or held["source"]
    return _changed(held, told, place)


def merged_values(held: Mapping[str, Any], given: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return the values of a report with those of `given` merged in (RFC 7396: null takes away). Raises InputError."""
    told = {name: held[name] for name in OWN}
    told |= {name: _unredacted(name, value, held) for name, value in given.items() if name in OWN}
    return _changed(held, told, place)


def typed_back(held: tuple[float, float], given: Place) -> bool:
    """Tell whether a place is the held one, rounded as clients write it: then nobody moved the report."""
    return tuple(round(value, _TYPED_BACK) for value in held) == given[:2]


def _changed(held: Mapping[str, Any], told: Mapping[str, Any], place: Place) -> dict[str, Any]:
    basis = held["category_basis"] if told["category"] == held["category"] else "source"
    return _stored(held["report_id"], told, place[2], basis)


def _stored(report_id: str, told: Mapping[str, Any], told_decimals: int, basis: str | None) -> dict[str, Any]:
    for name in OWN:
        if told[name] is None and not _COLUMN[name].nullable:
            raise _refused(name, None, f"expected {_expected(_COLUMN[name])}")
    _check_times({name: told[name] for name in TIMES})
    fixed = {"report_id": report_id, "source": redact(told["source"]), "category_basis": basis}
    return {**told, **fixed, "decimals": told_decimals}


def _check_times(times: Mapping[str, str | None]) -> None:
    made = times["requested_datetime"]
    if made is not None and pd.Timestamp(made) < EARLIEST:
        raise _refused("requested_datetime", made, "expected 1990 or later")
    if made is not None and pd.Timestamp(made) > pd.Timestamp.now("UTC") + CLOCKS_DIFFER:
        raise _refused("requested_datetime", made, "it lies in the future")
    if made is not None and times["resolved_datetime"] is not None and times["resolved_datetime"] < made:
        raise _refused("resolved_datetime", times["resolved_datetime"], f"expected {made} (requested) or later")


def _unredacted(name: str, given: Any, held: Mapping[str, Any]) -> Any:
    """Return the held text where a client sends back its public form, so that reading and writing loses nothing."""
    return held[name] if name in _FREE_TEXTS and given is not None and given == redact(held[name]) else given


def _value(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.kind == "datetime":
        return _time(column, value)
    if column.kind in ("integer", "number"):
        low, high = column.minimum, column.maximum
        good = _is_number(value) and (low is None or value >= low) and (high is None or value <= high)
        if not good:
            raise _refused(column.name, value, f"expected {_expected(column)}")
        return float(value) if column.kind == "number" else value
    if not isinstance(value, str) or (column.values is not None and value not in column.values):
        raise _refused(column.name, value, f"expected {_expected(column)}")
    if len(value) > MAX_TEXT:
        raise _refused(column.name, value, f"expected {MAX_TEXT} characters at most")
    if _CONTROL.search(value):
        raise _refused(column.name, value, "it holds a control character")
    return value


def _time(column: Column, value: Any) -> str:
    try:
        if not isinstance(value, str) or _TIME.fullmatch(value) is None:
            raise ValueError("not RFC 3339")
        moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _refused(column.name, value, f"expected {_expected(column)}") from error
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _expected(column: Column) -> str:
    if column.values is not None:
        return f"one of {', '.join(column.values)}"
    if column.kind == "datetime":
        return "a time of RFC 3339 with its offset, such as 2025-01-31T08:00:00+08:00"
    if column.kind in ("integer", "number"):
        low = "" if column.minimum is None else f" from {column.minimum:g}"
        high = "" if column.maximum is None else f" to {column.maximum:g}"
        return f"a number{low}{high}"
    return "a text"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _inside(x: float, y: float, bounds: tuple[float, float, float, float]) -> bool:
    west, south, east, north = bounds
    return west <= x <= east and south <= y <= north


def _same(given: Any, known: Any) -> bool:
    both = isinstance(given, float) and isinstance(known, float)
    return math.isclose(given, known, rel_tol=1e-9) if both else given == known


def _refused(name: str, value: Any, expected: str) -> InputError:
    return InputError("feature", name, _shown(value), expected)


def _shown(value: Any) -> str:
    text = "null" if value is None else f"{value!r}"
    return text if len(text) <= 100 else f"{text[:100]}…"
