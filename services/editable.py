"""What an editable server says besides: the classes and operations of Part 4, that `reports` are live, their schema."""

from __future__ import annotations

from typing import Any

from services.features import schema_of
from services.openapi import Schema
from services.parameters import GEOJSON
from services.parts import Part
from services.site import Edition
from services.transactions import PATCHES
from spatial.contracts import REPORTS
from spatial.sources.submitted import DERIVED

READ_ONLY = frozenset((*DERIVED, "category_basis"))
_CLASSES = (
    "create-replace-delete",
    "update",
    "optimistic-locking-etags",
    "return-resource-representation-in-response",
    "handling",
)
_PART4, _COMMON5 = (
    f"http://www.opengis.net/spec/{name}/1.0/conf/" for name in ("ogcapi-features-4", "ogcapi-common-5")
)
_PROBLEM = {"application/json": {"schema": {"$ref": "#/components/schemas/exception"}}}
_REFUSALS = {
    "400": "a value cannot be; the text names it",
    "401": "no token, or another one",
    "403": "not from this machine",
    "404": "there is no such report",
    "412": "the report was changed since it was read",
    "413": "the body is too large",
    "415": "another media type is expected",
    "503": "another process writes; try again",
}
_TAGGED = {"ETag": {"schema": {"type": "string"}}}


def _described(edition: Edition, name: str, collection: dict[str, Any]) -> dict[str, Any]:
    """Say that reports are live, and which version the columns that follow from a run are of."""
    if name != REPORTS.name:
        return collection
    version = edition.version.id
    told = {
        "id": f"Data langsung: tanpa version= jawaban mengikuti perubahan saat itu juga. Kolom turunan dari versi "
        f"{version}; kosong bila tempat, kategori, atau waktu laporan berubah sejak itu.",
        "en": f"Live: without version= answers follow edits at once. Columns that follow from a run are of version "
        f"{version}, and null where a report's place, category or time has changed since.",
    }
    about = {"live": {"derived_from": version, "derived": list(DERIVED), "note": told}}
    text = f"{collection['description']} {told['id']} / {told['en']}"
    return collection | {"description": text, "hexakota": collection["hexakota"] | about}


def _schema(edition: Edition, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Mark what clients cannot write, and that other properties are refused (Features Part 5)."""
    if name != REPORTS.name:
        return schema
    marked = {
        key: told | ({"readOnly": True} if key in READ_ONLY else {}) for key, told in schema["properties"].items()
    }
    return schema | {"properties": marked, "additionalProperties": False}


def _paths(edition: Edition) -> dict[str, Any]:
    """Return the operations of Part 4, to be joined to those that are there."""
    items = f"/collections/{REPORTS.name}/items"
    after = {"name": "after", "in": "query", "description": "token of a next link", "schema": {"type": "string"}}
    created = {"description": "made", "headers": _TAGGED | {"Location": {"schema": {"type": "string"}}}}
    post = {
        "requestBody": {"content": {GEOJSON: {"schema": _feature(whole=True)}}},
        "responses": {"201": created} | _refused("400", "401", "403", "413", "415", "503"),
        "parameters": [_header("Content-Crs"), _header("Prefer")],
    }
    return {
        items: {"get": {"parameters": [after]}, "post": post},
        f"{items}/{{featureId}}": {
            "put": _operation("put", "replace", {GEOJSON: {"schema": _feature(whole=True)}}),
            "patch": _operation("patch", "update", {kind: {"schema": _feature(whole=False)} for kind in PATCHES}),
            "delete": _operation("delete", "delete", None),
        },
    }


def _operation(method: str, told: str, content: dict[str, Any] | None) -> Schema:
    identifier = {"name": "featureId", "in": "path", "required": True, "schema": {"type": "string"}}
    headers = [_header(name) for name in ("If-Match", "If-None-Match")]
    body: Schema = {}
    done = {"204": {"description": f"{told}d"} | ({} if content is None else {"headers": _TAGGED})}
    if content is not None:
        body = {"requestBody": {"required": True, "content": content}}
        headers += [_header(name) for name in ("Content-Crs", "Prefer")]
        feature = {GEOJSON: {"schema": {"type": "object"}}}
        done["200"] = {"description": f"{told}d, as Prefer asked", "headers": _TAGGED, "content": feature}
    return body | {
        "summary": f"{told} a report",
        "operationId": f"{method}.{REPORTS.name}",
        "tags": [REPORTS.name],
        "parameters": [identifier, *headers],
        "responses": done | _refused(*_REFUSALS),
    }


def _refused(*statuses: str) -> Schema:
    return {status: {"description": _REFUSALS[status], "content": _PROBLEM} for status in statuses}


def _header(name: str) -> Schema:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}


def _feature(whole: bool) -> Schema:
    """Return the schema of a feature that is sent; of a patch no member is required."""
    own = {c.name: schema_of(c) | {"nullable": True} for c in REPORTS.columns if c.name not in READ_ONLY}
    pair = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    point = {
        "type": "object",
        "required": ["type", "coordinates"],
        "properties": {"type": {"type": "string", "enum": ["Point"]}, "coordinates": pair},
    }
    properties = {"type": "object", "properties": own} | ({"required": ["category"]} if whole else {})
    return {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["Feature"]},
            "id": {"type": "string"},
            "geometry": point,
            "properties": properties,
        },
    } | ({"required": ["type", "geometry", "properties"]} if whole else {})


PART = Part(
    pages=(),
    conformance=(
        f"{_PART4}features",
        *(f"{_PART4}{name}" for name in _CLASSES),
        *(f"{_COMMON5}{name}" for name in _CLASSES),  # what newer drafts of Part 4 call the same classes
    ),
    paths=_paths,
    described=_described,
    schema=_schema,
)
