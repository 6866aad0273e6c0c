"""What a city's API says of itself: landing page, conformance, OpenAPI, collections, schemas."""

from __future__ import annotations

from typing import Any

import orjson
import pygeoapi.api as core
from pygeoapi.api import API, APIRequest, itemtypes
from pygeoapi.util import render_j2_template
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from services.answers import Function, ask, is_html, json_response, leads_somewhere, respond
from services.openapi import served_document
from services.parameters import COMMON
from services.parts import Page, Part
from services.site import Edition, configuration
from spatial.errors import NotFoundError
from spatial.store.versions import MAP_FILE, Versions

_NOT_SERVED = ("/processes", "/jobs", "/tiling-schemes")


def parts_of(request: Request) -> tuple[Part, ...]:
    """Return the parts that the application was composed of."""
    parts: tuple[Part, ...] = request.app.state.parts
    return parts


def layer_of(edition: Edition, request: Request) -> str:
    """Return the layer that the address names. Raises NotFoundError."""
    name = str(request.path_params["name"])
    if name not in edition.manifest["layers"]:
        raise NotFoundError(f"there is no collection {name!r}")
    return name


async def _landing(edition: Edition, request: Request) -> Response:
    headers, status, content = await ask(edition, request, core.landing_page)
    if is_html(headers):
        return respond(headers, status, content)
    page = orjson.loads(content)
    page["links"] = [
        link
        for link in page["links"]
        if not any(part in link["rel"] or part in link["href"] for part in (*_NOT_SERVED, "TileMatrixSets"))
    ]
    page["links"] += [link for part in parts_of(request) for link in part.landing_links(edition)]
    page["hexakota"] = {key: edition.manifest[key] for key in ("version", "city", "left_out")}
    return json_response(page)


async def _conformance(edition: Edition, request: Request) -> Response:
    asked = await APIRequest.from_starlette(request, edition.api.locales)
    content = {"conformsTo": sorted({name for part in parts_of(request) for name in part.conformance})}
    if asked.format != "html":
        return json_response(content)
    templates = edition.api.config["server"]["templates"]
    page = render_j2_template(edition.api.tpl_config, templates, "conformance.html", content, asked.locale)
    return Response(page, media_type="text/html")


async def _openapi(edition: Edition, request: Request) -> Response:
    headers, status, content = await ask(edition, request, core.openapi_)
    if is_html(headers):
        return respond(headers, status, content)
    document = served_document(edition.api.openapi, edition.manifest["hexakota"])
    for part in parts_of(request):
        document["paths"] |= part.paths(edition)
    return json_response(document, "application/vnd.oai.openapi+json;version=3.0")


async def _map(edition: Edition, request: Request) -> Response:
    return FileResponse(edition.version.path / MAP_FILE, media_type="image/png")


async def _collections(edition: Edition, request: Request) -> Response:
    headers, status, content = await ask(edition, request, core.describe_collections)
    if is_html(headers):
        return respond(headers, status, content)
    page = orjson.loads(content)
    page["collections"] = [_described(edition, request, collection) for collection in page["collections"]]
    for part in parts_of(request):
        page["collections"] += await run_in_threadpool(part.collections, edition)
    return json_response(page)


async def _collection(edition: Edition, request: Request) -> Response:
    edition = await run_in_threadpool(edition_of, edition, request)
    name = layer_of(edition, request)
    headers, status, content = await ask(edition, request, core.describe_collections, name)
    if is_html(headers):
        return respond(headers, status, content)
    return json_response(pinned(_described(edition, request, orjson.loads(content)), request))


def edition_of(edition: Edition, request: Request) -> Edition:
    """Return the edition that `version=` names, or the served one. Raises NotFoundError."""
    wanted = request.query_params.get("version", edition.version.id)
    if wanted == edition.version.id:
        return edition
    versions = Versions(edition.version.path.parents[1])
    try:
        version = versions.get(wanted)
    except NotFoundError as error:
        raise NotFoundError(f"version={wanted}: there is no such version") from error
    config = configuration(versions.var.parent, edition.api.base_url, version.manifest)
    return Edition(version, version.manifest, API(config, edition.api.openapi))


def pinned(document: dict[str, Any], request: Request) -> dict[str, Any]:
    """Write the `version=` that was asked for into the links to the same page and to its items."""
    version = request.query_params.get("version")
    for link in document["links"] if version else ():
        if link["rel"] in ("self", "alternate", "items"):
            link["href"] += f"{'&' if '?' in link['href'] else '?'}version={version}"
    return document


def _described(edition: Edition, request: Request, collection: dict[str, Any]) -> dict[str, Any]:
    """Add links, the extent, the attribution and what is not known to pygeoapi's description of a collection."""
    name = collection["id"]
    more = [link for part in parts_of(request) for link in part.collection_links(edition, name)]
    return collection | {
        "links": [*(link for link in collection["links"] if leads_somewhere(link)), *more],
        "extent": edition.extent(name),
        "attribution": "; ".join(edition.manifest["city"]["attribution"]),
        "hexakota": edition.metadata(name),
    }


async def _queryables(edition: Edition, request: Request) -> Response:
    return await _schema_page(edition, request, itemtypes.get_collection_queryables, "queryables")


async def _schema(edition: Edition, request: Request) -> Response:
    return await _schema_page(edition, request, core.get_collection_schema, "schema")


async def _schema_page(edition: Edition, request: Request, html: Function, kind: str) -> Response:
    name = layer_of(edition, request)
    asked = await APIRequest.from_starlette(request, edition.api.locales)
    if asked.format == "html":
        return respond(*await ask(edition, request, html, name))
    url = f"{edition.api.get_collections_url()}/{name}/{kind}"
    return json_response(edition.schema(name, url, kind == "queryables"), "application/schema+json")


def _landing_links(edition: Edition) -> list[dict[str, str]]:
    return [{"rel": "preview", "type": "image/png", "title": "Peta / map", "href": f"{edition.api.base_url}/map.png"}]


PART = Part(
    pages=(
        Page("/", _landing),
        Page("/conformance", _conformance),
        Page("/openapi", _openapi),
        Page("/map.png", _map),
        Page("/collections", _collections),
        Page("/collections/{name}", _collection, parameters=COMMON | {"version"}),
        Page("/collections/{name}/queryables", _queryables),
        Page("/collections/{name}/schema", _schema),
    ),
    conformance=(
        "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
        "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
        "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
        "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters",
    ),
    landing_links=_landing_links,
)
