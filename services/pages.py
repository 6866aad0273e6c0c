"""What a city's API says of itself: landing page, conformance, OpenAPI, collections, schemas."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
import pygeoapi.api as core
from pygeoapi.api import API
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from services.answers import ask, json_response, leads_somewhere
from services.crs import CRS84, systems_of
from services.openapi import BINARY, LANG, OPENAPI, file_path, format_parameter, joined, page_path, served_document
from services.parameters import COMMON
from services.parts import Page, Part
from services.site import Edition, SchemaKind, configuration
from spatial.errors import NotFoundError
from spatial.query import FUNCTIONS
from spatial.store.versions import MAP_FILE, Version, Versions

SCHEMA = "application/schema+json"
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
    page = orjson.loads((await ask(edition, request, core.landing_page))[2])
    page["links"] = [
        link
        for link in filter(leads_somewhere, page["links"])
        if not any(part in link["rel"] or part in link["href"] for part in (*_NOT_SERVED, "TileMatrixSets"))
    ]
    page["links"] += [link for part in parts_of(request) for link in part.landing_links(edition)]
    page["hexakota"] = {key: edition.manifest[key] for key in ("version", "city", "left_out")}
    return json_response(page)


async def _conformance(edition: Edition, request: Request) -> Response:
    return json_response({"conformsTo": sorted({name for part in parts_of(request) for name in part.conformance})})


async def _openapi(edition: Edition, request: Request) -> Response:
    document = served_document(edition.api.openapi, edition.manifest["hexakota"], systems_of(edition.manifest["city"]))
    for part in parts_of(request):
        document["paths"] = joined(document["paths"], part.paths(edition))
    return json_response(document, OPENAPI)


async def _map(edition: Edition, request: Request) -> Response:
    return FileResponse(edition.version.path / MAP_FILE, media_type="image/png")


async def _collections(edition: Edition, request: Request) -> Response:
    page = orjson.loads((await ask(edition, request, core.describe_collections))[2])
    page["collections"] = [_described(edition, request, collection) for collection in page["collections"]]
    for part in parts_of(request):
        page["collections"] += await run_in_threadpool(part.collections, edition)
    return json_response(page)


async def _collection(edition: Edition, request: Request) -> Response:
    edition = await run_in_threadpool(edition_of, edition, request)
    name = layer_of(edition, request)
    described = orjson.loads((await ask(edition, request, core.describe_collections, name))[2])
    return json_response(pinned(_described(edition, request, described), request))


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
    return _earlier(edition, version)


@lru_cache(maxsize=8)
def _earlier(edition: Edition, version: Version) -> Edition:
    """Return an earlier version's edition; reading its configuration takes longer than the answer."""
    manifest = version.manifest
    city = version.path.parents[2]
    return Edition(version, manifest, API(configuration(city, edition.api.base_url, manifest), edition.api.openapi))


def pinned(document: dict[str, Any], request: Request) -> dict[str, Any]:
    """Write the `version=` that was asked for into the links to the same page and to its items."""
    version = request.query_params.get("version")
    for link in document["links"] if version else ():
        if link["rel"] in ("self", "alternate", "items", "enclosure"):
            link["href"] += f"{'&' if '?' in link['href'] else '?'}version={version}"
    return document


def _described(edition: Edition, request: Request, collection: dict[str, Any]) -> dict[str, Any]:
    """Add links, the extent, the attribution and what is not known to pygeoapi's description of a collection."""
    name = collection["id"]
    more = [_sortables_link(edition, name)]
    more += [link for part in parts_of(request) for link in part.collection_links(edition, name)]
    described = collection | {
        "links": [*(link for link in collection["links"] if leads_somewhere(link)), *more],
        "extent": edition.extent(name),
        "crs": list(systems_of(edition.manifest["city"])),
        "storageCrs": CRS84,
        "attribution": "; ".join(edition.manifest["city"]["attribution"]),
        "hexakota": edition.metadata(name),
    }
    for part in parts_of(request):
        described = part.described(edition, name, described)
    return described


def _sortables_link(edition: Edition, name: str) -> dict[str, str]:
    return {
        "rel": "http://www.opengis.net/def/rel/ogc/1.0/sortables",
        "type": SCHEMA,
        "title": "Sifat untuk mengurutkan / properties to sort by",
        "href": f"{edition.api.get_collections_url()}/{name}/sortables",
    }


async def _queryables(edition: Edition, request: Request) -> Response:
    return _schema_page(edition, request, "queryables")


async def _schema(edition: Edition, request: Request) -> Response:
    return _schema_page(edition, request, "schema")


async def _sortables(edition: Edition, request: Request) -> Response:
    return _schema_page(edition, request, "sortables")


async def _functions(edition: Edition, request: Request) -> Response:
    """List the functions of ours that a filter may call (Features Part 3, 8.3)."""
    rows = [
        {
            "name": function.name,
            "description": f"{function.description_id} / {function.description_en}",
            "arguments": [
                {
                    "title": argument.name,
                    "description": f"{argument.description_id} / {argument.description_en}",
                    "type": [argument.type],
                }
                for argument in function.arguments
            ],
            "returns": [function.returns],
        }
        for function in FUNCTIONS
    ]
    return json_response({"functions": rows})


def _schema_page(edition: Edition, request: Request, kind: SchemaKind) -> Response:
    name = layer_of(edition, request)
    url = f"{edition.api.get_collections_url()}/{name}/{kind}"
    schema = edition.schema(name, url, kind)
    for part in parts_of(request) if kind == "schema" else ():
        schema = part.schema(edition, name, schema)
    return json_response(schema, SCHEMA)


def _paths(edition: Edition) -> dict[str, Any]:
    """Return what pygeoapi's document does not tell of."""
    names = edition.manifest["layers"]
    functions = page_path("/functions", "Fungsi CQL2 / functions of CQL2", "server")
    paths = {f"/collections/{name}/sortables": f"Sifat untuk mengurutkan / sortables: {name}" for name in names}
    schemas = {path: page_path(path, told, path.split("/")[2], SCHEMA) for path, told in paths.items()}
    told = [format_parameter("png"), LANG]
    picture = file_path("/map.png", "Peta / map", "server", {"image/png": BINARY}, told)
    return schemas | {"/functions": functions, "/map.png": picture}


def _landing_links(edition: Edition) -> list[dict[str, str]]:
    base = edition.api.base_url
    functions = "http://www.opengis.net/def/rel/ogc/1.0/functions"
    return [
        {"rel": "preview", "type": "image/png", "title": "Peta / map", "href": f"{base}/map.png"},
        {"rel": functions, "type": "application/json", "title": "Fungsi / functions", "href": f"{base}/functions"},
    ]


PART = Part(
    pages=(
        Page("/", _landing),
        Page("/conformance", _conformance),
        Page("/openapi", _openapi),
        Page("/map.png", _map, ("png",)),
        Page("/collections", _collections),
        Page("/collections/{name}", _collection, parameters=COMMON | {"version"}),
        Page("/collections/{name}/queryables", _queryables),
        Page("/collections/{name}/schema", _schema),
        Page("/collections/{name}/sortables", _sortables, ("json",)),
        Page("/functions", _functions, ("json",)),
    ),
    conformance=(
        "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
        "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
        "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
        "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters",
        "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/schemas",  # Features Part 5 is Common Part 3
        "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/returnables-and-receivables",
        "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/queryables",
        "http://www.opengis.net/spec/ogcapi-common-3/1.0/conf/sortables",
        "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas",  # its name in drafts: QGIS looks for it
    ),
    paths=_paths,
    landing_links=_landing_links,
)
