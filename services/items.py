"""Features of a collection: pages of items, and single items."""

from __future__ import annotations

import orjson
from pygeoapi.api import itemtypes
from starlette.requests import Request
from starlette.responses import Response

from services.answers import ask, dumps, is_html, respond
from services.features import PINNED_VERSION
from services.pages import layer_of, pinned
from services.parameters import GEOJSON, ITEM, ITEMS, PAGE_FORMATS, check
from services.parts import Page, Part
from services.site import Edition
from spatial.registry import LAYER_BY_NAME


async def _items(edition: Edition, request: Request) -> Response:
    """Answer a page. A request without `version=` gets the served one written in, so that its links stay on it."""
    name = layer_of(edition, request)
    check(request, ITEMS | frozenset(LAYER_BY_NAME[name].names))
    if "version" not in request.query_params:
        query = request.scope["query_string"] + b"&" * bool(request.scope["query_string"])
        scope = dict(request.scope) | {"query_string": query + f"version={edition.version.id}".encode()}
        request = Request(scope, request.receive)
    headers, status, content = await ask(edition, request, itemtypes.get_collection_items, name)
    return respond(headers, status, content, GEOJSON)


async def _item(edition: Edition, request: Request) -> Response:
    name = layer_of(edition, request)
    PINNED_VERSION.set(request.query_params.get("version"))
    identifier = str(request.path_params["identifier"])
    headers, status, content = await ask(edition, request, itemtypes.get_collection_item, name, identifier)
    if status == 200 and not is_html(headers):
        content = dumps(pinned(orjson.loads(content), request))
    return respond(headers, status, content, GEOJSON)


PART = Part(
    pages=(
        Page("/collections/{name}/items", _items, (*PAGE_FORMATS, "csv"), None),
        Page("/collections/{name}/items/{identifier:path}", _item, parameters=ITEM),
    ),
    conformance=(
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    ),
)
