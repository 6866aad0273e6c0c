"""The OpenAPI document: pygeoapi's, cut down to what is served, with nothing that must be fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from services.parameters import COMMON, ITEM, ITEMS, PAGE_FORMATS
from services.site import CRS84
from spatial.registry import LAYER_BY_NAME

Schema = dict[str, Any]


def query(name: str, description: str, schema: Schema) -> Schema:
    """Return a parameter of the query."""
    return {"name": name, "in": "query", "description": description, "required": False, "schema": schema} | _FORM


_FORM = {"style": "form", "explode": False}
_STRING: Schema = {"type": "string"}
_FEATURE_ID = {"name": "featureId", "in": "path", "required": True, "description": "id", "schema": _STRING}
_DESCRIBED: Mapping[str, tuple[str, Schema]] = {
    "lang": ("bahasa / language of titles and descriptions", {"type": "string", "enum": ["id", "en"]}),
    "bbox": (
        "west, south, east, north in degrees, CRS84; west > east crosses the antimeridian",
        {"type": "array", "minItems": 4, "maxItems": 4, "items": {"type": "number"}},
    ),
    "datetime": (
        "RFC 3339 time, or interval with / and .. as open end; features without a time match",
        {"type": "string"},
    ),
    "offset": ("features to leave out at the start", {"type": "integer", "minimum": 0, "default": 0}),
    "resulttype": ("hits: only their number", {"type": "string", "enum": ["results", "hits"], "default": "results"}),
    "properties": ("properties to return, comma-separated", {"type": "array", "items": {"type": "string"}}),
    "skipGeometry": ("leave geometry out", {"type": "boolean", "default": False}),
    "version": ("published version to answer from; default the served one", {"type": "string"}),
}
_MEDIA = {"Features": "application/geo+json", "Feature": "application/geo+json", "Schema": "application/schema+json"}
_ERRORS = {"400": "InvalidParameter", "404": "NotFound", "500": "ServerError"}
_EXCEPTION: Schema = {
    "type": "object",
    "required": ["code"],
    "properties": {"code": {"type": "string"}, "description": {"type": "string"}},
}


_PARAMETERS: Mapping[str, Collection[str]] = {"page": COMMON, "collection": COMMON | {"version"}} | {
    "items": ITEMS,
    "item": ITEM,
}
_FORMATS: Mapping[str, Collection[str]] = {"items": (*PAGE_FORMATS, "csv")}


def served_document(document: Mapping[str, Any], release: str) -> dict[str, Any]:
    """Return the OpenAPI document of what is served.

    Parameters
    ----------
    document : pygeoapi's own, which also tells of POST, sortby and free parameters that we refuse.
    release : Hexakota's version.
    """
    paths = {}
    for path, operations in document["paths"].items():
        kind = _kind(path)
        kept = {key: operations["get"][key] for key in ("summary", "description", "tags", "operationId")}
        limits = [p for p in operations["get"].get("parameters", ()) if p.get("name") == "limit"]
        told = [_FEATURE_ID] if kind == "item" else []
        formats = _FORMATS.get(kind, PAGE_FORMATS)
        told += [_parameter(name, formats) for name in sorted(_PARAMETERS[kind]) if name != "limit"]
        told += limits + (_filters(path.split("/")[2]) if kind == "items" else [])
        paths[path] = {"get": kept | {"parameters": told, "responses": _responses(path, kind)}}
    paths["/map.png"] = {"get": {"summary": "Peta / map", "tags": ["server"], "responses": _picture()}}
    return {
        "openapi": document["openapi"],
        "info": document["info"] | {"version": release},
        "servers": document["servers"],
        "tags": document["tags"],
        "paths": paths,
        "components": {"schemas": {"exception": _EXCEPTION}, "responses": _error_responses()},
    }


def _kind(path: str) -> str:
    if path.endswith("/{featureId}"):
        return "item"
    if path.endswith("/items"):
        return "items"
    return "collection" if path.startswith("/collections/") and path.count("/") == 2 else "page"


def _parameter(name: str, formats: Collection[str]) -> Schema:
    if name == "f":
        return query(name, "bentuk / format", {"type": "string", "enum": sorted(formats), "default": "json"})
    if name in ("crs", "bbox-crs"):
        return query(name, "only CRS84", {"type": "string", "format": "uri", "enum": [CRS84]})
    return query(name, *_DESCRIBED[name])


def _filters(layer: str) -> list[Schema]:
    """Return a parameter for every property: features whose property equals the value."""
    kinds = {"integer": "integer", "number": "number"}
    return [
        query(c.name, f"{c.title_id} / {c.title_en}", {"type": kinds.get(c.kind, "string")})
        for c in LAYER_BY_NAME[layer].columns
        if c.name not in _DESCRIBED
    ]


def _responses(path: str, kind: str) -> dict[str, Any]:
    names = {"item": "Feature", "items": "Features"}
    name = "Schema" if path.endswith(("/schema", "/queryables")) else names.get(kind, "Document")
    content = {_MEDIA.get(name, "application/json"): {"schema": {"type": "object"}}}
    return {"200": {"description": name, "content": content}} | failures()


def failures() -> dict[str, Any]:
    """Return the responses that any page may give instead of its own."""
    return {status: {"$ref": f"#/components/responses/{error}"} for status, error in _ERRORS.items()}


def _error_responses() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/exception"}}}
    return {name: {"description": name, "content": content} for name in _ERRORS.values()}


def _picture() -> dict[str, Any]:
    schema = {"type": "string", "format": "binary"}
    return {"200": {"description": "PNG", "content": {"image/png": {"schema": schema}}}}
