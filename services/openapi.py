"""The OpenAPI document: pygeoapi's, cut down to what is served, with nothing that must be fetched from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.crs import CRS84
from services.formats import FILES, FORMATS
from services.parameters import COMMON, FILTER_MEDIA, ITEM, ITEMS, PAGE_FORMATS
from services.question import DEFAULT_LIMIT, FILTER_LANGUAGES, MAX_LIMIT
from spatial.registry import LAYER_BY_NAME

Schema = dict[str, Any]


def query_parameter(name: str, description: str, schema: Schema) -> Schema:
    """Return a query parameter as the OpenAPI document describes it."""
    return {"name": name, "in": "query", "description": description, "required": False, "schema": schema} | _FORM


_FORM = {"style": "form", "explode": False}
_STRING: Schema = {"type": "string"}
_STRINGS: Schema = {"type": "array", "items": {"type": "string"}}
_FILTER: Schema = {"oneOf": [{"type": "object"}, {"type": "boolean"}]}
_FEATURE_ID = {"name": "featureId", "in": "path", "required": True, "description": "id", "schema": _STRING}
_DESCRIBED: Mapping[str, tuple[str, Schema]] = {
    "lang": ("bahasa / language of titles and descriptions", {"type": "string", "enum": ["id", "en"]}),
    "bbox": (
        "west, south, east, north in degrees, CRS84, or in the axis order of bbox-crs; west > east crosses the "
        "antimeridian; heights (the third and the sixth of 6 numbers) decide nothing, since no feature has one",
        {
            "type": "array",
            "items": {"type": "number"},
            "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
        },
    ),
    "datetime": (
        "RFC 3339 time, or interval with / and .. as open end; features without a time match",
        {"type": "string"},
    ),
    "filter": ("which features: an expression in CQL2", {"type": "string"}),
    "filter-lang": (
        "language of filter",
        {"type": "string", "enum": list(FILTER_LANGUAGES), "default": FILTER_LANGUAGES[0]},
    ),
    "sortby": ("properties to sort by, + or nothing before one that rises, - before one that falls", _STRINGS),
    "limit": (
        f"features of a page; {DEFAULT_LIMIT} by default, more than {MAX_LIMIT} is taken as {MAX_LIMIT}; of a file "
        f"(f={', '.join(FILES)}) any number, by default all",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},  # QGIS pages by it
    ),
    "offset": ("features to leave out at the start", {"type": "integer", "minimum": 0, "default": 0}),
    "resulttype": ("hits: only their number", {"type": "string", "enum": ["results", "hits"], "default": "results"}),
    "properties": ("properties to return, comma-separated", _STRINGS),
    "skipGeometry": ("leave geometry out", {"type": "boolean", "default": False}),
    "version": ("published version to answer from; default the served one", {"type": "string"}),
}
LANG = query_parameter("lang", *_DESCRIBED["lang"])
_CRS = {"crs": "of the answer", "bbox-crs": "of bbox", "filter-crs": "of the geometries in filter"}
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
_MEDIA = {
    "Features": "application/geo+json",
    "Feature": "application/geo+json",
    "Schema": "application/schema+json",
} | {"OpenAPI": OPENAPI}
_ERRORS = {"400": "InvalidParameter", "404": "NotFound", "500": "ServerError", "503": "NotPublished"}
_BODY_ERRORS = {"413": "BodyTooLarge", "415": "UnsupportedMediaType"}
_UNCHANGED = {"304": {"description": "If-None-Match names what the answer still is"}}
HTML: Schema = {"text/html": {"schema": _STRING}}
"""Content of a page, or of what a person is told in place of one."""
BINARY: Schema = {"type": "string", "format": "binary"}
_EXCEPTION: Schema = {
    "type": "object",
    "required": ["code"],
    "properties": {"code": {"type": "string"}, "description": {"type": "string"}},
}


_PARAMETERS: Mapping[str, Collection[str]] = {"page": COMMON, "collection": COMMON | {"version"}} | {
    "items": ITEMS,
    "item": ITEM,
}
_FORMATS: Mapping[str, Collection[str]] = {"items": tuple(FORMATS)}


def served_document(document: Mapping[str, Any], release: str, systems: Sequence[str]) -> dict[str, Any]:
    """Return the OpenAPI document of what is served.

    Parameters
    ----------
    document : pygeoapi's own, which also tells of parameters and methods that we refuse.
    release : Hexakota's version.
    systems : addresses of the coordinate reference systems of the collections.
    """
    paths = {}
    for path, operations in document["paths"].items():
        kind = _kind(path)
        kept = {key: operations["get"][key] for key in ("summary", "description", "tags", "operationId")}
        told = [_FEATURE_ID] if kind == "item" else []
        formats = _FORMATS.get(kind, PAGE_FORMATS)
        told += [_parameter(name, formats, systems) for name in sorted(_PARAMETERS[kind])]
        told += _filters(path.split("/")[2]) if kind == "items" else []
        paths[path] = {"get": kept | {"parameters": told, "responses": _responses(path, kind)}}
        if kind == "items":
            paths[path]["post"] = _post(kept, told, path)
    return {
        "openapi": document["openapi"],
        "info": document["info"] | {"version": release},
        "servers": document["servers"],
        "tags": document["tags"],
        "paths": paths,
        "components": {"schemas": {"exception": _EXCEPTION}, "responses": _error_responses()},
    }


def joined(document: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with another one added: objects are joined, lists follow each other, other values give way."""
    result = dict(document)
    for key, value in more.items():
        held = result.get(key)
        if isinstance(held, dict) and isinstance(value, Mapping):
            result[key] = joined(held, value)
        else:
            result[key] = [*held, *value] if isinstance(held, list) and isinstance(value, list) else value
    return result


def _post(kept: Schema, told: list[Schema], path: str) -> Schema:
    """Return the operation of a filter in CQL2 JSON in the body, with the other parameters in the address."""
    own = {"summary": f"{kept['summary']} (CQL2 JSON)", "operationId": f"{kept['operationId']}.filter"}
    body = {media: {"schema": _FILTER} for media in FILTER_MEDIA}
    responses = _responses(path, "items") | failures(_BODY_ERRORS)
    del responses["304"]
    return (
        kept
        | own
        | {
            "parameters": [parameter for parameter in told if parameter["name"] not in ("filter", "filter-lang")],
            "requestBody": {"required": True, "content": body},
            "responses": responses,
        }
    )


def page_path(path: str, summary: str, tag: str, media_type: str = "application/json") -> dict[str, Any]:
    """Return the path item of a page that takes `f` and `lang` only and is JSON."""
    told = [_parameter(name, ("json",), ()) for name in sorted(COMMON)]
    return file_path(path, summary, tag, {media_type: {"type": "object"}}, told)


def file_path(
    path: str, summary: str, tag: str, media: Mapping[str, Schema], parameters: Sequence[Schema]
) -> dict[str, Any]:
    """Return the path item of what is fetched as it is. `media`: schema by media type."""
    content = {name: {"schema": schema} for name, schema in media.items()}
    responses = {"200": {"description": summary, "content": content}} | failures()
    name = re.sub(r"[{}]", "", path.strip("/")).replace("/", ".")
    told = {"summary": summary, "tags": [tag], "operationId": name, "parameters": list(parameters)}
    return {"get": told | {"responses": responses}}


def format_parameter(*names: str) -> Schema:
    """Return the parameter `f` of a page; the first format is its default."""
    return query_parameter("f", "bentuk / format", {"type": "string", "enum": list(names), "default": names[0]})


def _kind(path: str) -> str:
    if path.endswith("/{featureId}"):
        return "item"
    if path.endswith("/items"):
        return "items"
    return "collection" if path.startswith("/collections/") and path.count("/") == 2 else "page"


def _parameter(name: str, formats: Collection[str], systems: Sequence[str]) -> Schema:
    if name == "f":
        return query_parameter(name, "bentuk / format", {"type": "string", "enum": sorted(formats), "default": "json"})
    if name in _CRS:
        schema = {"type": "string", "format": "uri", "enum": list(systems), "default": CRS84}
        return query_parameter(name, f"coordinate reference system {_CRS[name]}", schema)
    return query_parameter(name, *_DESCRIBED[name])


def _filters(layer: str) -> list[Schema]:
    """Return a parameter for every property: features whose property equals the value."""
    kinds = {"integer": "integer", "number": "number"}
    return [
        query_parameter(c.name, f"{c.title_id} / {c.title_en}", {"type": kinds.get(c.kind, "string")})
        for c in LAYER_BY_NAME[layer].columns
        if c.name not in _DESCRIBED
    ]


def _responses(path: str, kind: str) -> dict[str, Any]:
    names = {"item": "Feature", "items": "Features"}
    name = "Schema" if path.endswith(("/schema", "/queryables")) else names.get(kind, "Document")
    name = "OpenAPI" if path == "/openapi" else name
    content = {_MEDIA.get(name, "application/json"): {"schema": {"type": "object"}}} | HTML
    if kind == "items":
        binary = {"schema": {"type": "string", "format": "binary"}}
        content |= {form.media: binary for name, form in FORMATS.items() if name in FILES}
        content[FORMATS["jsonfg"].media] = content[FORMATS["json"].media]
    answers: dict[str, Any] = {"200": {"description": name, "content": content}}
    return answers | (_UNCHANGED if kind in names else {}) | failures()


def failures(errors: Mapping[str, str] = _ERRORS) -> dict[str, Any]:
    """Return the responses that any page may give instead of its own."""
    return {status: {"$ref": f"#/components/responses/{error}"} for status, error in errors.items()}


def _error_responses() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/exception"}}} | HTML
    return {name: {"description": name, "content": content} for name in (_ERRORS | _BODY_ERRORS).values()}
