"""Composition root of the server: pygeoapi's functions and our routes as one ASGI application."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pygeoapi
import pygeoapi.api as core
import uvicorn
from pygeoapi.api import APIRequest, itemtypes
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.errors import http_status
from services.features import PINNED_VERSION
from services.site import CRS84, Edition, Site
from spatial.errors import HexakotaError, NotFoundError
from spatial.registry import LAYER_BY_NAME
from spatial.store.versions import MAP_FILE

GEOJSON = "application/geo+json"
CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters",
)
COMMON = frozenset({"f", "lang"})
ITEMS = COMMON | {
    "bbox",
    "bbox-crs",
    "crs",
    "datetime",
    "limit",
    "offset",
    "resulttype",
    "properties",
    "skipGeometry",
    "version",
}
NOT_YET = ("sortby", "filter", "filter-lang", "filter-crs", "q", "profile")
_NOT_SERVED = ("/processes", "/jobs", "/tiling-schemes")
Handler = Callable[..., tuple[dict[str, str], int, Any]]


class BadRequestError(Exception):
    """A request that cannot be answered; its text names the parameter."""


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

    def route(path: str, handler: Callable[[Edition, Request], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return await handler(site.edition(), request)  # type: ignore[no-any-return]
            except BadRequestError as error:
                return _problem(400, "InvalidParameterValue", str(error))
            except HexakotaError as error:
                return _problem(http_status(error), "NoApplicableCode", str(error))

        return Route(path, endpoint, methods=["GET"])

    static = Path(pygeoapi.__file__).parent / "static"
    return Starlette(
        routes=[
            route("/", _landing),
            route("/conformance", _conformance),
            route("/openapi", _openapi),
            route("/map.png", _map),
            route("/collections", _collections),
            route("/collections/{name}", _collection),
            route("/collections/{name}/queryables", _queryables),
            route("/collections/{name}/schema", _schema),
            route("/collections/{name}/items", _items),
            route("/collections/{name}/items/{identifier:path}", _item),
            Mount("/static", StaticFiles(directory=static)),
        ]
    )


def serve(city: Path, host: str, port: int) -> None:
    """Serve a city until interrupted; print the landing page and the address for QGIS. Raises StoreError."""
    config = uvicorn.Config("", host=host, port=port, log_level="warning")
    socket = config.bind_socket()
    socket.listen(config.backlog)  # who reads the printed address may ask at once
    url = f"http://{host}:{socket.getsockname()[1]}"
    config.app = create_app(city, url)
    print(f"halaman awal / landing page: {url}/?f=html\npeta / map: {url}/map.png")
    print(f"QGIS: Layer ▸ Add Layer ▸ Add WFS / OGC API - Features Layer ▸ New ▸ URL: {url}", flush=True)
    uvicorn.Server(config).run(sockets=[socket])


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


def _check(request: Request, allowed: frozenset[str]) -> None:
    """Refuse parameters that are not known, not supported yet, or given twice; each is named."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name in NOT_YET:
            raise BadRequestError(f"{name}: not supported yet")
        if name not in allowed:
            raise BadRequestError(f"{name}: not a parameter here; expected one of {', '.join(sorted(allowed))}")
        if names.count(name) > 1:
            raise BadRequestError(f"{name}: given more than once")
    if request.query_params.get("f") not in (None, "json", "html", "csv"):
        raise BadRequestError(f"f={request.query_params['f']}: expected json or html; for items also csv")
    for name in ("crs", "bbox-crs"):
        if request.query_params.get(name, CRS84) != CRS84:
            raise BadRequestError(f"{name}: only {CRS84} is supported yet")


def _layer(edition: Edition, request: Request) -> str:
    name = str(request.path_params["name"])
    if name not in edition.manifest["layers"]:
        raise NotFoundError(f"there is no collection {name!r}")
    return name


async def _landing(edition: Edition, request: Request) -> Response:
    _check(request, COMMON)
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
    _check(request, COMMON)
    return _json({"conformsTo": list(CONFORMANCE)})


async def _openapi(edition: Edition, request: Request) -> Response:
    _check(request, COMMON)
    headers, status, content = await _ask(edition, request, core.openapi_)
    return _respond(headers, status, content, "application/vnd.oai.openapi+json;version=3.0")


async def _map(edition: Edition, request: Request) -> Response:
    _check(request, COMMON)
    return FileResponse(edition.version.path / MAP_FILE, media_type="image/png")


async def _collections(edition: Edition, request: Request) -> Response:
    _check(request, COMMON)
    headers, status, content = await _ask(edition, request, core.describe_collections)
    if _is_html(headers):
        return _respond(headers, status, content)
    page = orjson.loads(content)
    page["collections"] = [_described(edition, collection) for collection in page["collections"]]
    return _json(page)


async def _collection(edition: Edition, request: Request) -> Response:
    name = _layer(edition, request)
    _check(request, COMMON | {"version"})
    headers, status, content = await _ask(edition, request, core.describe_collections, name)
    if _is_html(headers):
        return _respond(headers, status, content)
    return _json(_described(edition, orjson.loads(content)))


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
    _check(request, COMMON)
    asked = await APIRequest.from_starlette(request, edition.api.locales)
    if asked.format == "html":
        return _respond(*await _ask(edition, request, html, name))
    url = f"{edition.api.get_collections_url()}/{name}/{kind}"
    return _json(edition.schema(name, url, kind == "queryables"), "application/schema+json")


async def _items(edition: Edition, request: Request) -> Response:
    """Answer a page. A request without `version=` gets the served one written in, so that its links stay on it."""
    name = _layer(edition, request)
    _check(request, ITEMS | frozenset(LAYER_BY_NAME[name].names))
    if "version" not in request.query_params:
        query = request.scope["query_string"] + b"&" * bool(request.scope["query_string"])
        scope = dict(request.scope) | {"query_string": query + f"version={edition.version.id}".encode()}
        request = Request(scope, request.receive)
    headers, status, content = await _ask(edition, request, itemtypes.get_collection_items, name)
    return _respond(headers, status, content, GEOJSON)


async def _item(edition: Edition, request: Request) -> Response:
    name = _layer(edition, request)
    _check(request, COMMON | {"crs", "version"})
    PINNED_VERSION.set(request.query_params.get("version"))
    identifier = str(request.path_params["identifier"])
    headers, status, content = await _ask(edition, request, itemtypes.get_collection_item, name, identifier)
    return _respond(headers, status, content, GEOJSON)
