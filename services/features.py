"""pygeoapi feature provider over a city's published GeoPackage: it reads the store and never analyses.

SQL is parametrised; the only names in it are those of `spatial.contracts`. The R-tree gives the candidates of a box,
and the geometry itself decides at its edge. A request is answered from one version: the served one, or the one that
`version=` names. A version that an older program published may lack layers (not found) and columns (null).
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any

import shapely
from pygeoapi.provider.base import (
    BaseProvider,
    ProviderConnectionError,
    ProviderInvalidQueryError,
    ProviderItemNotFoundError,
)
from shapely.geometry import mapping

from spatial.contracts import Column, Kind, Layer
from spatial.errors import NotFoundError, StoreError
from spatial.registry import LAYER_BY_NAME
from spatial.store.versions import Versions

PINNED_VERSION: ContextVar[str | None] = ContextVar("pinned_version", default=None)
_JSON_TYPES: dict[Kind, str] = {
    "string": "string",
    "json": "string",
    "integer": "integer",
    "number": "number",
    "datetime": "string",
}
_KEPT_CONNECTIONS = 4
_ENVELOPE_BYTES = (0, 32, 48, 48, 64)
_local = threading.local()

Box = tuple[float, float, float, float]
Missing = frozenset[str]


@dataclass(frozen=True, slots=True)
class Where:
    """A condition in SQL and its parameters."""

    sql: str
    parameters: tuple[Any, ...]


def schema_of(column: Column) -> dict[str, Any]:
    """Return a column as JSON Schema with titles in both languages, unit, range and enumeration."""
    schema: dict[str, Any] = {"type": _JSON_TYPES[column.kind], "title": f"{column.title_id} / {column.title_en}"}
    extras = {
        "format": "date-time" if column.kind == "datetime" else None,
        "contentMediaType": "application/json" if column.kind == "json" else None,
        "x-ogc-unit": column.unit,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "enum": list(column.values) if column.values else None,
    }
    return schema | {key: value for key, value in extras.items() if value is not None}


class FeatureProvider(BaseProvider):  # type: ignore[misc]  # pygeoapi has no types
    """Serves one layer of a city. Configuration: `data` is the city's folder, `layer` the layer's name."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        layer: Layer = LAYER_BY_NAME[provider_def["layer"]]
        own = {"id_field": layer.id_column, "time_field": layer.temporal, "include_extra_query_parameters": True}
        super().__init__(provider_def | own)
        self.layer = layer
        self.versions = Versions(Path(self.data) / "var")
        self.get_fields()

    def get_fields(self) -> dict[str, Any]:
        """Return the layer's columns as JSON Schema, in the contract's order."""
        self._fields = {column.name: schema_of(column) for column in self.layer.columns}
        return self._fields

    def query(
        self,
        offset: int = 0,
        limit: int = 10,
        resulttype: str = "results",
        bbox: Sequence[float] = (),
        datetime_: str | None = None,
        properties: Sequence[tuple[str, str]] = (),
        sortby: Sequence[dict[str, str]] = (),
        select_properties: Sequence[str] = (),
        skip_geometry: bool = False,
        q: str | None = None,
        filterq: Any = None,
        crs_transform_spec: Any = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Return the features that match, as GeoJSON, with an exact `numberMatched`.

        Raises
        ------
        ProviderInvalidQueryError
            A parameter is not supported, not known, or has a value that cannot be.
        ProviderItemNotFoundError
            `version=` names a version that is not there.
        """
        refused = {"sortby": sortby, "q": q, "filter": filterq, "crs": crs_transform_spec}
        for name, value in refused.items():
            if value:
                raise _bad(f"{name} is not supported")
        if resulttype not in ("results", "hits"):
            raise _bad(f"resulttype={resulttype}: expected results or hits")
        if offset >= 2**62:
            raise _bad(f"offset={offset}: too large")
        given = dict(properties)
        connection = self._connection(given.pop("version", None))
        missing = self._missing(connection)
        where = self._where(connection, bbox, datetime_, given, missing)
        matched = connection.execute(f'SELECT count(*) FROM "{self.layer.name}" {where.sql}', where.parameters)
        total = int(matched.fetchone()[0])
        answer = {"type": "FeatureCollection", "numberMatched": total, "numberReturned": 0, "features": []}
        if resulttype == "hits":
            return answer
        rows = connection.execute(self.page_sql(where, missing), (*where.parameters, limit, offset))
        features = [self._feature(row, select_properties, skip_geometry) for row in rows]
        return answer | {"numberReturned": len(features), "features": features}

    def get(self, identifier: str, **_: Any) -> dict[str, Any]:
        """Return one feature by its id. Raises ProviderItemNotFoundError."""
        connection = self._connection(PINNED_VERSION.get())
        row = connection.execute(self.item_sql(self._missing(connection)), (identifier,)).fetchone()
        if row is None:
            raise ProviderItemNotFoundError(user_msg=f"{self.layer.name} has no item {identifier!r}")
        return self._feature(row, (), False)

    def page_sql(self, where: Where, missing: Missing = frozenset()) -> str:
        """Return the statement of a page."""
        return f'SELECT {self._columns(missing)} FROM "{self.layer.name}" {where.sql} ORDER BY fid LIMIT ? OFFSET ?'

    def item_sql(self, missing: Missing = frozenset()) -> str:
        """Return the statement of one item."""
        return f'SELECT {self._columns(missing)} FROM "{self.layer.name}" WHERE "{self.layer.id_column}" = ?'

    def candidates_sql(self) -> str:
        """Return the statement of the R-tree's candidates of a box; the tree keeps 32-bit bounds, rounded outwards."""
        rtree = f'"rtree_{self.layer.name}_geom"'
        return (
            f"SELECT id, minx, miny, maxx, maxy FROM {rtree} WHERE maxx >= ? AND minx <= ? AND maxy >= ? AND miny <= ?"
        )

    def geometries_sql(self) -> str:
        """Return the statement of the geometries of given rows."""
        return f'SELECT fid, geom FROM "{self.layer.name}" WHERE fid IN (SELECT value FROM json_each(?))'

    def _columns(self, missing: Missing) -> str:
        return "geom, " + ", ".join(_sql(name, missing) for name in self.layer.names)

    def _missing(self, connection: sqlite3.Connection) -> Missing:
        """Return the columns that the version lacks. Raises ProviderItemNotFoundError where it lacks the layer."""
        there = {row[1] for row in connection.execute(f'PRAGMA table_info("{self.layer.name}")')}
        if not there:
            raise ProviderItemNotFoundError(user_msg=f"this version has no {self.layer.name}; it is an older one")
        return frozenset(self.layer.names) - there

    def _connection(self, version_id: str | None) -> sqlite3.Connection:
        """Return this thread's connection to a version's file: read-only, never locked, since a version stays."""
        try:
            version = self.versions.current() if version_id is None else self.versions.get(version_id)
        except NotFoundError as error:
            raise ProviderItemNotFoundError(user_msg=f"version={version_id}: there is no such version") from error
        except StoreError as error:
            raise ProviderConnectionError(user_msg=str(error)) from error
        if version is None:
            raise ProviderConnectionError(user_msg="this city has no published version; run `hexakota run`")
        held: dict[Path, sqlite3.Connection] = _local.__dict__.setdefault("connections", {})
        if version.layers not in held:
            while len(held) >= _KEPT_CONNECTIONS:
                held.pop(next(iter(held))).close()
            held[version.layers] = sqlite3.connect(f"{version.layers.as_uri()}?mode=ro&immutable=1", uri=True)
        return held[version.layers]

    def _where(
        self,
        connection: sqlite3.Connection,
        bbox: Sequence[float],
        datetime_: str | None,
        properties: dict[str, str],
        missing: Missing,
    ) -> Where:
        terms = [self._property(name, value, missing) for name, value in properties.items()]
        if datetime_ is not None:
            terms += self._instants(datetime_, missing)
        if bbox:
            fids = self._inside(connection, _boxes(bbox))
            terms.append(Where("fid IN (SELECT value FROM json_each(?))", (json.dumps(fids),)))
        sql = " AND ".join(term.sql for term in terms)
        return Where(f"WHERE {sql}" if sql else "", tuple(p for term in terms for p in term.parameters))

    def _inside(self, connection: sqlite3.Connection, boxes: Sequence[Box]) -> list[int]:
        """Return the rows whose geometry meets a box: those in the box by their bounds, the others by geometry."""
        inside: set[int] = set()
        for box in boxes:
            west, south, east, north = box
            rows = connection.execute(self.candidates_sql(), (west, east, south, north)).fetchall()
            sure = {r[0] for r in rows if west <= r[1] and south <= r[2] and r[3] <= east and r[4] <= north}
            unsure = [r[0] for r in rows if r[0] not in sure]
            edge = connection.execute(self.geometries_sql(), (json.dumps(unsure),)).fetchall()
            meets = shapely.intersects(_shape(box), shapely.from_wkb([_wkb(row[1]) for row in edge]))
            inside |= sure | {row[0] for row, yes in zip(edge, meets, strict=True) if yes}
        return sorted(inside)

    def _property(self, name: str, text: str, missing: Missing) -> Where:
        column = next((c for c in self.layer.columns if c.name == name), None)
        if column is None:
            raise _bad(f"{name} is neither a parameter nor a property of {self.layer.name}")
        return Where(f"{_sql(name, missing)} = ?", (_value(column, text),))

    def _instants(self, text: str, missing: Missing) -> list[Where]:
        """Return the condition of `datetime`; a feature without a time matches (Features Part 1, 7.15.4)."""
        begin, end = _interval(text)
        name = self.layer.temporal
        if name is None:
            return []
        column = _sql(name, missing)
        terms = [(f"{column} >= ?", begin), (f"{column} <= ?", end)]
        return [Where(f"({column} IS NULL OR {sql})", (value,)) for sql, value in terms if value is not None]

    def _feature(self, row: Sequence[Any], select: Sequence[str], skip_geometry: bool) -> dict[str, Any]:
        values = dict(zip(self.layer.names, row[1:], strict=True))
        chosen = {k: v for k, v in values.items() if k in select} if select else values
        geometry = None if skip_geometry else mapping(shapely.from_wkb(_wkb(row[0])))
        return {"type": "Feature", "id": values[self.layer.id_column], "geometry": geometry, "properties": chosen}


def _sql(name: str, missing: Missing) -> str:
    """Return a column in SQL; a quoted name that is no column would be read as a text."""
    return "NULL" if name in missing else f'"{name}"'


def _bad(message: str) -> ProviderInvalidQueryError:
    return ProviderInvalidQueryError(user_msg=message)


def _wkb(blob: bytes) -> bytes:
    """Return the WKB inside a GeoPackage geometry: after 8 bytes and the envelope (bits 1–3 of the flags)."""
    return blob[8 + _ENVELOPE_BYTES[(blob[3] >> 1) & 7] :]


def _boxes(bbox: Sequence[float]) -> list[Box]:
    if len(bbox) != 4:
        raise _bad("bbox: expected 4 numbers; heights are not supported")
    west, south, east, north = (float(value) for value in bbox)
    if not all(abs(value) < float("inf") for value in (west, south, east, north)):
        raise _bad("bbox: expected finite numbers")
    if south > north:
        raise _bad("bbox: the south lies north of the north")
    if west > east:  # across the antimeridian
        return [(west, south, 180.0, north), (-180.0, south, east, north)]
    return [(west, south, east, north)]


def _shape(box: Box) -> shapely.Geometry:
    """Return a box as a geometry; GEOS finds nothing on a polygon without area, so that is a line or a point."""
    west, south, east, north = box
    if west < east and south < north:
        return shapely.box(*box)
    ends = shapely.points([(west, south), (east, north)])
    return ends[0] if west == east and south == north else shapely.linestrings([(west, south), (east, north)])


_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DATE.pattern + r"[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})")


def _value(column: Column, text: str) -> str | int | float:
    """Return the text of a property filter as the column's type; Python's own readers take too much (nan, 1_0)."""
    try:
        if column.kind == "integer" and _INTEGER.fullmatch(text) and abs(int(text)) < 2**63:
            return int(text)
        if column.kind == "number" and _NUMBER.fullmatch(text) and isfinite(float(text)):
            return float(text)
        if column.kind == "datetime":
            return _stored(_instant(text))
    except (ValueError, OverflowError) as error:
        raise _bad(f"{column.name}={text}: expected a time, such as 2025-01-31T08:00:00Z") from error
    if column.kind in ("integer", "number"):
        raise _bad(f"{column.name}={text}: expected {column.kind}")
    return text


def _interval(text: str) -> tuple[str | None, str | None]:
    """Return the bounds of an instant or interval as stored, None where it is open; a date is its whole day, UTC."""
    parts = text.split("/")
    if len(parts) > 2 or parts in (["", ""], ["..", ".."], [".."], [""]):
        raise _bad(f"datetime={text}: expected a time, or an interval with at least one end")
    try:
        begin = None if parts[0] in ("", "..") else _moment(parts[0])
        end = None if parts[-1] in ("", "..") else _moment(parts[-1], end=True)
        if begin is not None and end is not None and begin > end:
            raise _bad(f"datetime={text}: it ends before it begins")
        return (None if begin is None else _stored(_up(begin)), None if end is None else _stored(_down(end)))
    except (ValueError, OverflowError) as error:
        raise _bad(f"datetime={text}: expected RFC 3339, such as 2025-01-31T08:00:00Z") from error


def _moment(text: str, end: bool = False) -> datetime:
    if _DATE.fullmatch(text) is None:
        return _instant(text)
    midnight = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return midnight + (timedelta(days=1, microseconds=-1) if end else timedelta())


def _instant(text: str) -> datetime:
    if _TIME.fullmatch(text) is None:
        raise ValueError("not RFC 3339")
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def _up(moment: datetime) -> datetime:
    return moment + timedelta(microseconds=-moment.microsecond % 1000)


def _down(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=moment.microsecond % 1000)


def _stored(moment: datetime) -> str:
    """Return a time as GDAL stores it in GeoPackage: UTC, milliseconds; what is finer than that equals nothing."""
    detail = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.replace(tzinfo=None).isoformat(timespec=detail) + "Z"
