"""Composition root of the server: pygeoapi's functions and our routes as one ASGI application."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pygeoapi
import pygeoapi.api as core
import uvicorn
from pygeoapi.api import API, APIRequest, itemtypes
from pygeoapi.util import render_j2_template
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.errors import http_status
from services.features import PINNED_VERSION
from services.openapi import served_document
from services.parameters import COMMON, FORMATS, GEOJSON, ITEMS, PARAMETERS, BadRequestError, check, negotiated
from services.site import CRS84, Edition, Site, configuration
from spatial.errors import HexakotaError, InputError, NotFoundError
from spatial.registry import LAYER_BY_NAME
from spatial.store.versions import MAP_FILE, Versions

CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters",
)
_NOT_SERVED = ("/processes", "/jobs", "/tiling-schemes")
Handler = Callable[..., tuple[dict[str, str], int, Any]]


def dumps(content: Any, pretty: bool = False) -> str:
    """Serialise for the client: in place of pygeoapi's to_json, which turns < and > inside values into entities."""
    if isinstance(content, dict) and "links" in content:
        content["links"] = [link for link in content["links"] if _leads_somewhere(link, content.get("numberMatched"))]
    return orjson.dumps(content, default=str, option=orjson.OPT_INDENT_2 if pretty else None).decode()


def _leads_somewhere(link: Mapping[str, str], matched: int | None) -> bool:
    """Tell the links that we serve: no JSON-LD, and no `next` to an empty page (pygeoapi writes it on a full page)."""
    offset = re.search(r"[?&]offset=(\d+)", link["href"]) if link["rel"] == "next" and matched is not None else None
    past_the_end = offset is not None and matched is not None and int(offset[1]) >= matched
    return link.get("type") != "application/ld+json" and not past_the_end


core.to_json = itemtypes.to_json = dumps


def create_app(city: Path, url: str) -> Starlette:
    """Return the ASGI application that serves a city.

    Parameters
    ----------
    city : the city's folder, with a published version under `var`.
    url : address that clients use; every link starts with it.

    Raises
    ------
    StoreError
        Nothing is published, or what is published is not whole.
    """
    site = Site(city, url)
    site.edition()

    def route(path: str, handler: Callable[[Edition, Request], Any], kind: str = "page") -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return await handler(site.edition(), negotiated(request, FORMATS[kind]))  # type: ignore[no-any-return]
            except BadRequestError as error:
                return _problem(400, "InvalidParameterValue", str(error))
            except HexakotaError as error:
                code = "NotFound" if isinstance(error, NotFoundError) else "NoApplicableCode"
                return _problem(http_status(error), code, str(error))

        return Route(path, endpoint, methods=["GET"])

    static = Path(pygeoapi.__file__).parent / "static"
    return Starlette(
        routes=[
            route("/", _landing),
            route("/conformance", _conformance),
            route("/openapi", _openapi),
            route("/map.png", _map),
            route("/collections", _collections),
            route("/collections/{name}", _collection, "collection"),
            route("/collections/{name}/queryables", _queryables),
            route("/collections/{name}/schema", _schema),
            route("/collections/{name}/items", _items, "items"),
            route("/collections/{name}/items/{identifier:path}", _item, "item"),
            Mount("/static", StaticFiles(directory=static)),
        ],
        exception_handlers={HTTPException: _no_such_page, Exception: _defect},
    )


def serve(city: Path, host: str, port: int) -> None:
    """Serve a city until interrupted; print the landing page and the address for QGIS.

    The environment variable HEXAKOTA_URL is the address that clients use, where it is not `http://host:port` (behind a
    proxy, or on every interface): QGIS follows the links that start with it.

    Raises
    ------
    StoreError
        Nothing is published.
    InputError
        The host or the port cannot be had.
    """
    with _listening(host, port) as listening:
        here = f"[{host}]" if ":" in host else host
        url = os.environ.get("HEXAKOTA_URL") or f"http://{here}:{listening.getsockname()[1]}"
        app = create_app(city, url)
        print(f"halaman awal / landing page: {url}/?f=html\npeta / map: {url}/map.png")
        print(f"QGIS: Layer ▸ Add Layer ▸ Add WFS / OGC API - Features Layer ▸ New ▸ URL: {url}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens: who reads the printed address may ask at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = (error.strerror or str(error)).split(" (")[0]  # Python adds the address in brackets
        raise InputError(f"{host}:{port}", "--port", f"cannot listen: {why}", "name another host or port") from error


async def _ask(
    edition: Edition, request: Request, handler: Handler, *arguments: str
) -> tuple[dict[str, str], int, Any]:
    """Call a function of pygeoapi in a thread."""
    asked = await APIRequest.from_starlette(request, edition.api.locales)
    return await run_in_threadpool(handler, edition.api, asked, *arguments)


def _respond(headers: Mapping[str, str], status: int, content: Any, media_type: str | None = None) -> Response:
    kept = {key: value for key, value in headers.items() if key.lower() not in ("content-type", "content-encoding")}
    is_json = status == 200 and headers["Content-Type"].startswith("application/json")
    return Response(content, status, kept, media_type if media_type and is_json else headers["Content-Type"])


def _problem(status: int, code: str, description: str) -> Response:
    body = {"code": code, "type": code, "description": description}
    return Response(orjson.dumps(body), int(status), media_type="application/json")


def _json(content: Any, media_type: str = "application/json") -> Response:
    return Response(dumps(content), media_type=media_type)


async def _no_such_page(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    told = {404: f"there is no page {request.url.path}", 405: f"{request.method} is not supported; use GET"}
    return _problem(status, "NotFound" if status == 404 else "InvalidRequest", told.get(status, str(error)))


async def _defect(request: Request, error: Exception) -> Response:
    """Answer for what nobody expected; the server's log holds the traceback."""
    return _problem(500, "NoApplicableCode", f"{type(error).__name__} in the server; its log says more")


def _layer(edition: Edition, request: Request) -> str:
    name = str(request.path_params["name"])
    if name not in edition.manifest["layers"]:
        raise NotFoundError(f"there is no collection {name!r}")
    return name


async def _landing(edition: Edition, request: Request) -> Response:
    check(request, COMMON)
    headers, status, content = await _ask(edition, request, core.landing_page)
    if _is_html(headers):
        return _respond(headers, status, content)
    page = orjson.loads(content)
    page["links"] = [
        link
        for link in page["links"]
        if not any(part in link["rel"] or part in link["href"] for part in (*_NOT_SERVED, "TileMatrixSets"))
    ]
    page["links"].append(
        {"rel": "preview", "type": "image/png", "title": "Peta / map", "href": f"{edition.api.base_url}/map.png"}
    )
    page["hexakota"] = {key: edition.manifest[key] for key in ("version", "city", "left_out")}
    return _json(page)


def _is_html(headers: Mapping[str, str]) -> bool:
    return headers["Content-Type"].startswith("text/html")


async def _conformance(edition: Edition, request: Request) -> Response:
    check(request, COMMON)
    asked = await APIRequest.from_starlette(request, edition.api.locales)
    content = {"conformsTo": list(CONFORMANCE)}
    if asked.format != "html":
        return _json(content)
    templates = edition.api.config["server"]["templates"]
    page = render_j2_template(edition.api.tpl_config, templates, "conformance.html", content, asked.locale)
    return Response(page, media_type="text/html")


async def _openapi(edition: Edition, request: Request) -> Response:
    check(request, COMMON)
    headers, status, content = await _ask(edition, request, core.openapi_)
    if _is_html(headers):
        return _respond(headers, status, content)
    document = served_document(edition.api.openapi, PARAMETERS, FORMATS, edition.manifest["hexakota"], CRS84)
    return _json(document, "application/vnd.oai.openapi+json;version=3.0")


async def _map(edition: Edition, request: Request) -> Response:
    check(request, COMMON)
    return FileResponse(edition.version.path / MAP_FILE, media_type="image/png")


async def _collections(edition: Edition, request: Request) -> Response:
    check(request, COMMON)
    headers, status, content = await _ask(edition, request, core.describe_collections)
    if _is_html(headers):
        return _respond(headers, status, content)
    page = orjson.loads(content)
    page["collections"] = [_described(edition, collection) for collection in page["collections"]]
    return _json(page)


async def _collection(edition: Edition, request: Request) -> Response:
    check(request, PARAMETERS["collection"])
    edition = await run_in_threadpool(_edition_of, edition, request)
    name = _layer(edition, request)
    headers, status, content = await _ask(edition, request, core.describe_collections, name)
    if _is_html(headers):
        return _respond(headers, status, content)
    return _json(_pinned(_described(edition, orjson.loads(content)), request))


def _edition_of(edition: Edition, request: Request) -> Edition:
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


def _pinned(document: dict[str, Any], request: Request) -> dict[str, Any]:
    """Write the `version=` that was asked for into the links to the same page and to its items."""
    version = request.query_params.get("version")
    for link in document["links"] if version else ():
        if link["rel"] in ("self", "alternate", "items"):
            link["href"] += f"{'&' if '?' in link['href'] else '?'}version={version}"
    return document


def _described(edition: Edition, collection: dict[str, Any]) -> dict[str, Any]:
    """Add the extent, the attribution and what is not known to pygeoapi's description of a collection."""
    name = collection["id"]
    return collection | {
        "links": [link for link in collection["links"] if _leads_somewhere(link, None)],
        "extent": edition.extent(name),
        "attribution": "; ".join(edition.manifest["city"]["attribution"]),
        "hexakota": edition.metadata(name),
    }


async def _queryables(edition: Edition, request: Request) -> Response:
    return await _schema_page(edition, request, itemtypes.get_collection_queryables, "queryables")


async def _schema(edition: Edition, request: Request) -> Response:
    return await _schema_page(edition, request, core.get_collection_schema, "schema")


async def _schema_page(edition: Edition, request: Request, html: Handler, kind: str) -> Response:
    name = _layer(edition, request)
    check(request, COMMON)
    asked = await APIRequest.from_starlette(request, edition.api.locales)
    if asked.format == "html":
        return _respond(*await _ask(edition, request, html, name))
    url = f"{edition.api.get_collections_url()}/{name}/{kind}"
    return _json(edition.schema(name, url, kind == "queryables"), "application/schema+json")


async def _items(edition: Edition, request: Request) -> Response:
    """Answer a page. A request without `version=` gets the served one written in, so that its links stay on it."""
    name = _layer(edition, request)
    check(request, ITEMS | frozenset(LAYER_BY_NAME[name].names))
    if "version" not in request.query_params:
        query = request.scope["query_string"] + b"&" * bool(request.scope["query_string"])
        scope = dict(request.scope) | {"query_string": query + f"version={edition.version.id}".encode()}
        request = Request(scope, request.receive)
    headers, status, content = await _ask(edition, request, itemtypes.get_collection_items, name)
    return _respond(headers, status, content, GEOJSON)


async def _item(edition: Edition, request: Request) -> Response:
    name = _layer(edition, request)
    check(request, PARAMETERS["item"])
    PINNED_VERSION.set(request.query_params.get("version"))
    identifier = str(request.path_params["identifier"])
    headers, status, content = await _ask(edition, request, itemtypes.get_collection_item, name, identifier)
    if status == 200 and not _is_html(headers):
        content = dumps(_pinned(orjson.loads(content), request))
    return _respond(headers, status, content, GEOJSON)
