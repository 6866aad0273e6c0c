"""The OpenAPI paths of tiles, with the operation ids of 20-057, and of styles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.openapi import failures
from services.site import Edition
from services.tilesets import MATRIX_SET
from spatial.store.levels import MAX_ZOOM
from spatial.store.tiles import CITY, MEDIA_TYPE, has_tiles

Schema = dict[str, Any]
_STRING: Schema = {"type": "string"}
_TAG = "tiles"
QML = "application/x-qgis-layer-settings"


def _query(name: str, description: str, schema: Schema) -> Schema:
    form = {"style": "form", "explode": False}
    return {"name": name, "in": "query", "description": description, "required": False, "schema": schema} | form


def _path(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "path", "description": description, "required": True, "schema": schema}


_MATRIX_SET = _path("tileMatrixSetId", "tile matrix set", {"type": "string", "enum": [MATRIX_SET]})
_ADDRESS = [
    _path("tileMatrix", "zoom", {"type": "string", "pattern": "^[0-9]+$", "example": str(MAX_ZOOM)}),
    _path("tileRow", "baris dari utara / row from the north", {"type": "integer", "minimum": 0}),
    _path("tileCol", "kolom / column", {"type": "integer", "minimum": 0}),
]
_LANG = _query("lang", "bahasa / language", {"type": "string", "enum": ["id", "en"]})
_VERSION = _query("version", "versi terbit / published version", _STRING)


def _format(*names: str) -> Schema:
    return _query("f", "bentuk / format", {"type": "string", "enum": list(names), "default": names[0]})


def tile_paths(edition: Edition) -> dict[str, Any]:
    """Return the path items by path."""
    names = list(edition.manifest["layers"])
    collection = _path("collectionId", "koleksi / collection", {"type": "string", "enum": names})
    array: Schema = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": names}}
    choice = _query("collections", "koleksi yang dipilih / collections to choose, the first first", array)
    matrix_sets = {
        "/tileMatrixSets": _json("Tile matrix sets", "getTileMatrixSetsList", [_format("json"), _LANG]),
        "/tileMatrixSets/{tileMatrixSetId}": _json(
            "Tile matrix set", "getTileMatrixSet", [_MATRIX_SET, _format("json"), _LANG]
        ),
    }
    city = _resource("/tiles", "dataset", [], [choice]) if has_tiles(edition.version.path, CITY) else {}
    return matrix_sets | city | _resource("/collections/{collectionId}/tiles", "collection", [collection], [])


def style_paths(edition: Edition) -> dict[str, Any]:
    """Return the path items of styles by path."""
    named = _path("styleId", "gaya / style", {"type": "string", "enum": ["hexakota"]})
    collection = _path(
        "collectionId", "koleksi / collection", {"type": "string", "enum": list(edition.manifest["layers"])}
    )
    owners: tuple[tuple[str, str, list[Schema], tuple[str, ...]], ...] = (
        ("", "dataset", [], ("mapbox",)),
        ("/collections/{collectionId}", "collection", [collection], ("mapbox", "qml")),
    )
    paths = {}
    for path, owner, before, kinds in owners:
        listed, one = [*before, _format("json"), _LANG, _VERSION], [*before, named, _format(*kinds), _LANG, _VERSION]
        paths[f"{path}/styles"] = _json("Gaya peta / map styles", f".{owner}.getStyles", listed)
        paths[f"{path}/styles/{{styleId}}"] = _style(owner, one, kinds)
    return paths


def _style(owner: str, parameters: Sequence[Schema], kinds: Sequence[str]) -> dict[str, Any]:
    media = {"mapbox": ("application/vnd.mapbox.style+json", "object"), "qml": (QML, "string")}
    content = {media[kind][0]: {"schema": {"type": media[kind][1]}} for kind in kinds}
    answers = {"200": {"description": "Gaya peta / map style", "content": content}}
    return _get("Gaya peta / map style", f".{owner}.getStyle", parameters, answers)


def _resource(path: str, owner: str, before: Sequence[Schema], more: Sequence[Schema]) -> dict[str, Any]:
    listed = [*before, _format("json"), _LANG, _VERSION, *more]
    one = [*before, _MATRIX_SET, _format("json", "tilejson"), _LANG, _VERSION, *more]
    tile = [*before, _MATRIX_SET, *_ADDRESS, _format("mvt"), _VERSION, *more]
    return {
        path: _json("Tile sets", f".{owner}.vector.getTileSetsList", listed),
        f"{path}/{{tileMatrixSetId}}": _json("Tile set; TileJSON", f".{owner}.vector.getTileSet", one),
        f"{path}/{{tileMatrixSetId}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}": _tile(owner, tile),
    }


def _json(summary: str, operation: str, parameters: Sequence[Schema]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return _get(summary, operation, parameters, {"200": {"description": summary, "content": content}})


def _tile(owner: str, parameters: Sequence[Schema]) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
    answers = {
        "200": {"description": "Ubin vektor / vector tile", "content": content},
        "204": {"description": "Kosong / empty"},
        "304": {"description": "Tidak berubah / not modified"},
    }
    return _get("Ubin vektor / vector tile", f".{owner}.vector.getTile", parameters, answers)


def _get(summary: str, operation: str, parameters: Sequence[Schema], answers: dict[str, Any]) -> dict[str, Any]:
    told = {"summary": summary, "tags": [_TAG], "operationId": operation, "parameters": list(parameters)}
    return {"get": told | {"responses": answers | failures()}}
