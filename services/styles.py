"""Styles of the map: MapLibre's for the city and for each collection, QGIS's (QML) for each collection.

Addresses and link relation as in the draft OGC API – Styles (20-009); its conformance classes are not declared.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from services.answers import json_response
from services.parts import Page, Part
from services.site import Edition
from services.tile_paths import QML, style_paths
from services.tiles import asked_for, set_name, version_of
from services.tilesets import REL, tile_json
from spatial.errors import NotFoundError
from spatial.registry import LAYER_BY_NAME
from spatial.store.maplibre import MEDIA_TYPE, style
from spatial.store.styles import qml
from spatial.store.tiles import CITY, has_tiles

STYLE = "hexakota"
"""Id of the one style that the city and each collection has."""

_PARAMETERS = frozenset({"f", "lang", "version"})


async def _styles(edition: Edition, request: Request) -> Response:
    """List the style; of a collection without features there is none but QGIS's."""
    version, name = version_of(edition, request), set_name(request)
    own = name != CITY
    sheets = [("mapbox", MEDIA_TYPE, "MapLibre")] if has_tiles(version.path, name) else []
    sheets += [("qml", QML, "QGIS")] if own else []
    path = f"{edition.api.base_url}/collections/{name}/styles" if own else f"{edition.api.base_url}/styles"
    links = [
        {"rel": "stylesheet", "type": media, "title": title, "href": f"{path}/{STYLE}?f={kind}"}
        for kind, media, title in sheets
    ]
    title = f"{LAYER_BY_NAME[name].title_id} / {LAYER_BY_NAME[name].title_en}" if own else "Peta kota / city map"
    own_link = {"rel": "self", "type": "application/json", "href": path}
    return json_response(
        {"default": STYLE, "styles": [{"id": STYLE, "title": title, "links": links}], "links": [own_link]}
    )


async def _style(edition: Edition, request: Request) -> Response:
    _check(request)
    asked = asked_for(edition, request)
    layers = [LAYER_BY_NAME[row["id"]] for row in asked.vector_layers]
    return json_response(style(asked.title, tile_json(asked), layers, asked.center), MEDIA_TYPE)


async def _collection_style(edition: Edition, request: Request) -> Response:
    _check(request)
    if request.query_params.get("f") != "qml":
        return await _style(edition, request)
    version_of(edition, request)
    return Response(qml(LAYER_BY_NAME[set_name(request)]), media_type=QML)


def _check(request: Request) -> None:
    name = request.path_params["style"]
    if name != STYLE:
        raise NotFoundError(f"there is no style {name!r}; there is {STYLE}")


def _link(path: str) -> dict[str, str]:
    return {"rel": f"{REL}/styles", "type": "application/json", "title": "Gaya peta / map styles", "href": path}


def _landing_links(edition: Edition) -> list[dict[str, str]]:
    return [_link(f"{edition.api.base_url}/styles")]


def _collection_links(edition: Edition, name: str) -> list[dict[str, str]]:
    return [_link(f"{edition.api.base_url}/collections/{name}/styles")]


PART = Part(
    pages=(
        Page("/styles", _styles, ("json",), _PARAMETERS),
        Page("/styles/{style}", _style, ("mapbox",), _PARAMETERS),
        Page("/collections/{name}/styles", _styles, ("json",), _PARAMETERS),
        Page("/collections/{name}/styles/{style}", _collection_style, ("mapbox", "qml"), _PARAMETERS),
    ),
    paths=style_paths,
    landing_links=_landing_links,
    collection_links=_collection_links,
)
