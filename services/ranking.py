"""The list of zones per kelurahan in order of priority, to be printed and taken along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from services.answers import json_response
from services.features import FeatureProvider
from services.openapi import failures, query_parameter
from services.pages import edition_of
from services.parameters import COMMON
from services.parts import Link, Page, Part
from services.shown import Context, Shown, forms_of
from services.site import Edition
from services.zone_stories import ZONE_LAYERS, calibration, story_of
from spatial.registry import LAYER_BY_NAME

_MOST_ZONES = 10_000  # of a type
_PARAMETERS = COMMON | {"kelurahan", "version"}

Zone = dict[str, Any]


async def _ranking(edition: Edition, request: Request) -> Response:
    asked = await run_in_threadpool(edition_of, edition, request)
    zones = await run_in_threadpool(_zones, asked)
    names = sorted({name for rows in zones.values() for zone in rows for name in _kelurahan(zone)}, key=_last_if_none)
    wanted = request.query_params.get("kelurahan")
    groups = [_group(name, zones) for name in names if wanted in (None, name)]
    base = edition.api.base_url
    return json_response(
        {
            "title": "Daftar prioritas per kelurahan / priority list per kelurahan",
            "version": asked.version.id,
            "names": [name for name in names if name],
            "kelurahan": groups,
            "links": [
                {"rel": "collection", "type": "application/json", "title": name, "href": f"{base}/collections/{name}"}
                for name in ZONE_LAYERS
            ],
        }
    )


def _zones(edition: Edition) -> Mapping[str, list[Zone]]:
    """Return the zones of each type by rank."""
    city, given = edition.version.path.parents[2], [("version", edition.version.id)]
    found: dict[str, list[Zone]] = {}
    for name in ZONE_LAYERS:
        provider = FeatureProvider({"name": name, "type": "feature", "data": str(city), "layer": name})
        there = name in edition.manifest["layers"]
        page = provider.query(limit=_MOST_ZONES, properties=given, skip_geometry=True) if there else {"features": []}
        zones = [feature["properties"] for feature in page["features"]]
        found[name] = sorted(zones, key=lambda zone: (zone["priority_rank"] or _MOST_ZONES, zone["zone_id"]))
    return found


def _kelurahan(zone: Zone) -> Iterator[str | None]:
    yield from zone["kelurahan"].split(", ") if zone["kelurahan"] else (None,)


def _last_if_none(name: str | None) -> tuple[bool, str]:
    return name is None, name or ""


def _group(name: str | None, zones: Mapping[str, list[Zone]]) -> dict[str, Any]:
    own = {layer: [zone for zone in rows if name in _kelurahan(zone)] for layer, rows in zones.items()}
    return {"name": name} | own


def ranking_query(request: Request) -> list[tuple[str, str]]:
    """Return the query of the page: the choice `all` of its form is no kelurahan."""
    return [pair for pair in request.query_params.multi_items() if pair != ("kelurahan", "")]


def ranking_context(seen: Shown) -> Context:
    """Return what the printed list tells: a sheet per kelurahan, a table of both types of zone."""
    sheets = []
    for group in seen.document["kelurahan"]:
        kinds = []
        for name in ZONE_LAYERS:
            stories = [story_of(LAYER_BY_NAME[name], zone, seen.manifest, seen.reader) for zone in group[name]]
            kinds.append((name, seen.title(name), stories))
        sheets.append((group["name"], kinds))
    city = seen.manifest["city"]
    return {
        "sheets": sheets,
        "calibration": calibration(seen.manifest, seen.reader),
        "names": seen.document["names"],
        "chosen": seen.request.query_params.get("kelurahan", ""),
        "as_of": seen.reader.time(city["as_of"]) if city["as_of"] else None,
        "pinned": f"?version={seen.version}" if seen.version else "",
        "version": seen.version,
        "notes": [note[seen.reader.lang] for note in seen.manifest["layers"][ZONE_LAYERS[0]]["notes"]],
        "forms": forms_of(seen),
    }


def _paths(edition: Edition) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}, "text/html": {"schema": {"type": "string"}}}
    told: dict[str, tuple[str, dict[str, Any]]] = {
        "f": ("bentuk / format", {"type": "string", "enum": ["json", "html"], "default": "json"}),
        "kelurahan": ("only this kelurahan", {"type": "string"}),
        "lang": ("bahasa / language", {"type": "string", "enum": ["id", "en"]}),
        "version": ("published version to answer from; default the served one", {"type": "string"}),
    }
    get = {
        "summary": "Daftar prioritas per kelurahan / priority list per kelurahan",
        "operationId": "getRanking",
        "tags": ["server"],
        "parameters": [query_parameter(name, *row) for name, row in told.items()],
        "responses": {"200": {"description": "Zones per kelurahan, by rank", "content": content}} | failures(),
    }
    return {"/ranking": {"get": get}}


def _links(edition: Edition) -> list[Link]:
    title = "Daftar prioritas per kelurahan / priority list per kelurahan"
    return [{"rel": "related", "type": "text/html", "title": title, "href": f"{edition.api.base_url}/ranking?f=html"}]


PART = Part(pages=(Page("/ranking", _ranking, parameters=_PARAMETERS),), paths=_paths, landing_links=_links)
