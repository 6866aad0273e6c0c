"""The catalogue: a record of every collection, as GeoJSON (OGC API Records), DCAT-AP JSON-LD and ISO 19139 XML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from services.answers import json_response
from services.catalogue.dcat import dataset
from services.catalogue.entries import entry_names, entry_of
from services.catalogue.iso import metadata
from services.catalogue.record import GEOJSON, RECORD_CORE, record
from services.crs import CRS84
from services.openapi import failures, query_parameter
from services.pages import edition_of, parts_of
from services.parameters import COMMON, format_of
from services.parts import Link, Page, Part
from services.site import Edition

_FORMATS = ("json", "dcat", "iso")


async def _metadata(edition: Edition, request: Request) -> Response:
    edition = await run_in_threadpool(edition_of, edition, request)
    entry = await run_in_threadpool(entry_of, edition, str(request.path_params["name"]), parts_of(request))
    kind = format_of(request)
    if kind == "iso":
        return Response(metadata(entry), media_type="application/xml")
    if kind == "dcat":
        return json_response(dataset(entry), "application/ld+json")
    return json_response(record(entry), GEOJSON)


async def _catalogue(edition: Edition, request: Request) -> Response:
    return json_response(await run_in_threadpool(_records, edition, parts_of(request)))


def _records(edition: Edition, parts: Sequence[Part]) -> dict[str, Any]:
    """Return all records as one catalogue that can be crawled (20-004, record collection)."""
    entries = [entry_of(edition, name, parts) for name in entry_names(edition)]
    identification = edition.api.config["metadata"]["identification"]
    here = f"{edition.api.base_url}/catalogue"
    return {
        "id": "catalogue",
        "type": "Collection",
        "itemType": "record",
        "conformsTo": [RECORD_CORE],
        "title": f"{identification['title']['id']}: katalog / catalogue",
        "description": f"{identification['description']['id']} / {identification['description']['en']}",
        "updated": max(entry.updated for entry in entries),
        "license": entries[0].licence[1],
        "attribution": "; ".join(entries[0].credits),
        "contacts": record(entries[0])["properties"]["contacts"],
        "extent": {"spatial": {"bbox": [edition.manifest["city"]["area"]["bbox"]], "crs": CRS84}},
        "recordsArrayName": "records",
        "records": [record(entry) for entry in entries],
        "links": [
            {"rel": "self", "type": "application/json", "title": "Dokumen ini / this document", "href": here},
            {
                "rel": "root",
                "type": "application/json",
                "title": "Halaman awal / landing",
                "href": edition.api.base_url,
            },
            *(
                {"rel": "item", "type": GEOJSON, "title": entry.title["id"], "href": f"{entry.address}/metadata?f=json"}
                for entry in entries
            ),
        ],
    }


def collection_links(edition: Edition, name: str) -> list[Link]:
    """Return the links from a collection to its metadata."""
    here = f"{edition.api.get_collections_url()}/{name}/metadata"
    kinds = (
        (GEOJSON, "Metadata (OGC API Records)", "json"),
        ("application/ld+json", "Metadata (DCAT-AP)", "dcat"),
        ("application/xml", "Metadata (ISO 19139)", "iso"),
    )
    return [{"rel": "describedby", "type": kind, "title": told, "href": f"{here}?f={f}"} for kind, told, f in kinds]


def _landing_links(edition: Edition) -> list[Link]:
    here = f"{edition.api.base_url}/catalogue"
    title = "Katalog / catalogue"
    rels = ("describedby", "http://www.opengis.net/def/rel/ogc/1.0/ogc-catalog")
    return [{"rel": rel, "type": "application/json", "title": title, "href": here} for rel in rels]


def _paths(edition: Edition) -> dict[str, Any]:
    lang = query_parameter("lang", "bahasa / language", {"type": "string", "enum": ["id", "en"]})
    version = query_parameter("version", "published version; default the served one", {"type": "string"})
    media = (GEOJSON, "application/ld+json", "application/xml")
    paths = {
        f"/collections/{name}/metadata": _operation(name, _FORMATS, media, [lang, version])
        for name in entry_names(edition)
    }
    return paths | {"/catalogue": _operation("catalogue", ("json",), ("application/json",), [lang])}


def _operation(
    name: str, formats: Sequence[str], media: Sequence[str], parameters: list[dict[str, Any]]
) -> dict[str, Any]:
    kind = query_parameter("f", "bentuk / format", {"type": "string", "enum": list(formats), "default": "json"})
    content = {key: {"schema": {"type": "string" if key.endswith("xml") else "object"}} for key in media}
    operation = {
        "summary": f"Metadata: {name}",
        "tags": [name],
        "operationId": f"get{name.title().replace('_', '')}Metadata",
        "parameters": [kind, *parameters],
        "responses": {"200": {"description": "OK", "content": content}} | failures(),
    }
    return {"get": operation}


PART = Part(
    pages=(
        Page("/catalogue", _catalogue, ("json",), COMMON),
        Page("/collections/{name}/metadata", _metadata, _FORMATS, COMMON | {"version"}),
    ),
    conformance=(RECORD_CORE,),
    paths=_paths,
    landing_links=_landing_links,
    collection_links=collection_links,
)
