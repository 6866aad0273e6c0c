"""The answers of the API as pages: a page shows the JSON document that the same address gives to programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.labels import reader_of
from services.maps import map_of
from services.messages import TEXTS
from services.parameters import COMMON, ITEMS, for_programs, language_of
from services.parts import Page
from services.ranking import ranking_context, ranking_query
from services.rendering import html_response
from services.shown import Context, Shown, View, forms_of, links_of
from services.site import Edition
from services.tables import Place, details_of, is_number, main_columns, rows_of, score_parts
from services.zone_stories import ZONE_LAYERS, calibration, story_of
from spatial.registry import LAYER_BY_NAME
from spatial.store.versions import Version, Versions

MOST_ROWS = 100
_NOT_FILTERS = COMMON | {"crs", "limit", "offset", "properties", "resulttype", "skipGeometry", "sortby", "version"}
_OF_TABLE = ("properties", "skipGeometry", "sortby")


async def shown(page: Page, edition: Edition, request: Request) -> Response:
    """Answer with a page: the handler's document through the view of its address. Raises as the handler does."""
    view = VIEWS.get(page.path, DOCUMENT)
    answer = await page.handler(edition, for_programs(request, _encoded(view.query(request))))
    if "json" not in (answer.media_type or ""):
        return answer
    document = orjson.loads(answer.body)
    if answer.status_code >= 400:
        return refused(request, edition, answer.status_code, document)
    manifest = _manifest(edition, request.query_params.get("version"))
    seen = Shown(edition, request, document, manifest, reader_of(language_of(request), manifest), page)
    return html_response(view.template, request, edition, answer.status_code, **view.context(seen))


def refused(request: Request, edition: Edition | None, status: int, told: Mapping[str, Any]) -> Response:
    """Answer a person with OGC's exception object as a page."""
    description = str(told.get("description", ""))
    return html_response("error.html", request, edition, status, code=int(status), description=description)


def _encoded(query: list[tuple[str, str]]) -> bytes:
    return urlencode([pair for pair in query if pair[0] != "f"]).encode()


def _manifest(edition: Edition, version: str | None) -> Mapping[str, Any]:
    if version is None or version == edition.version.id:
        return edition.manifest
    return _read(Versions(edition.version.path.parents[1]).get(version))


@lru_cache(maxsize=16)
def _read(version: Version) -> Mapping[str, Any]:
    return version.manifest


def _landing(seen: Shown) -> Context:
    manifest, city = seen.manifest, seen.manifest["city"]
    known = [name for name in ("reports", *ZONE_LAYERS, "hexagons") if name in manifest["layers"]]
    counts = [(seen.title(name), seen.reader.integer(manifest["layers"][name]["rows"]), name) for name in known]
    found = [name for name in ZONE_LAYERS if manifest["layers"].get(name, {}).get("rows")]
    return {
        "title": city["name"],
        "as_of": seen.reader.time(city["as_of"]) if city["as_of"] else None,
        "area": f"{seen.reader.number(city['area']['km2'])} km²",
        "counts": counts,
        "cards": list(_cards(seen)),
        "map": map_of(seen, found or ["hexagons"], city["area"]["bbox"]),
        "url": seen.edition.api.base_url,
        "links": links_of(seen, seen.document["links"]),
    }


def _collections(seen: Shown) -> Context:
    return {"title": TEXTS[seen.reader.lang].collections, "cards": list(_cards(seen)), "forms": forms_of(seen)}


def _coverage(seen: Shown) -> Context:
    told, reader = seen.document["hexakota"], seen.reader
    span = " – ".join(reader.number(told[key]) for key in ("minimum", "maximum") if told[key] is not None)
    texts = TEXTS[reader.lang]
    facts = [
        (texts.values, f"{span} {told['unit'] or ''}"),
        (texts.pixel_size, f"{reader.number(told['pixel_size_m'])} m"),
        (texts.vertical_datum, told["vertical_datum"] or texts.empty),
    ]
    return {
        "title": reader.of((told["title"]["id"], told["title"]["en"])),
        "name": seen.document["id"],
        "summary": reader.half(seen.document["description"]),
        "facts": facts,
        "links": links_of(seen, seen.document["links"]),
        "pinned": f"&version={seen.version}" if seen.version else "",
        "forms": forms_of(seen),
    }


def _cards(seen: Shown) -> Iterator[Context]:
    for name, resource in seen.edition.api.config["resources"].items():
        rows = seen.edition.manifest["layers"][name]["rows"]
        summary = resource["summary"][seen.reader.lang]
        count = f"{seen.reader.integer(rows)} {TEXTS[seen.reader.lang].features}"
        yield {"name": name, "title": seen.title(name), "summary": summary, "size": count}
    for raster in seen.document.get("collections", ()):
        if raster.get("itemType") == "coverage":
            title = raster["hexakota"]["title"][seen.reader.lang]
            yield {"name": raster["id"], "title": title, "summary": "", "size": TEXTS[seen.reader.lang].raster}


def _collection(seen: Shown) -> Context:
    layer, told, reader = seen.layer, seen.document["hexakota"], seen.reader
    columns = {column.name: column for column in layer.columns}
    nulls = [(reader.title(columns[k]), why[reader.lang]) for k, why in told["null_because"].items() if k in columns]
    times = (seen.document["extent"].get("temporal") or {"interval": [[None, None]]})["interval"][0]
    box = seen.document["extent"]["spatial"]["bbox"][0]
    return {
        "title": seen.title(layer.name),
        "name": layer.name,
        "summary": seen.edition.api.config["resources"][layer.name]["summary"][reader.lang],
        "rows": reader.integer(told["rows"]),
        "times": [reader.time(time) for time in times if time],
        "datum": told["vertical_datum"],
        "notes": [note[reader.lang] for note in told["notes"]],
        "nulls": nulls,
        "calibration": calibration(seen.manifest, reader) if layer.name in ("hexagons", "flood_zones") else None,
        "map": map_of(seen, [layer.name], box),
        "links": links_of(seen, seen.document["links"]),
        "pinned": f"?version={seen.version}" if seen.version else "",
        "forms": forms_of(seen),
        "is_zone": layer.name in ZONE_LAYERS,
    }


def _schema(seen: Shown) -> Context:
    reader, layer = seen.reader, seen.layer
    texts = TEXTS[reader.lang]
    rows = []
    for column in layer.columns:
        if column.name in seen.document["properties"]:
            values = [(value, reader.value(value)) for value in column.values or ()]
            bounds = [reader.bound(bound) for bound in (column.minimum, column.maximum) if bound is not None]
            span = f"≥ {bounds[0]}" if len(bounds) == 1 else " – ".join(bounds)
            rows.append((column.name, reader.title(column), column.kind, reader.unit(column), span, values))
    kind = str(seen.page.path).rpartition("/")[2]
    title = getattr(texts, kind)
    return {"title": title, "collection": seen.title(layer.name), "name": layer.name, "rows": rows} | {
        "forms": forms_of(seen)
    }


def _items_query(request: Request) -> list[tuple[str, str]]:
    """Return the query of a table: at most 100 rows, the first columns, no geometry, no filter that was left empty."""
    layer = LAYER_BY_NAME.get(request.path_params["name"])
    enumerated = {column.name for column in layer.columns if column.values} if layer else set()
    query = [(k, _at_most(v) if k == "limit" else v) for k, v in request.query_params.multi_items()]
    own = {"limit": str(MOST_ROWS), "skipGeometry": "true"}
    if layer:
        own["properties"] = ",".join(main_columns(layer))
        own |= {"sortby": "priority_rank"} if "sortby" in ITEMS and "priority_rank" in layer.names else {}
    kept = [(k, v) for k, v in query if v or k not in enumerated]
    return [*kept, *((k, v) for k, v in own.items() if k not in dict(query))]


def _at_most(limit: str) -> str:
    return str(min(int(limit), MOST_ROWS)) if re.fullmatch("[0-9]{1,9}", limit) else limit


def _items(seen: Shown) -> Context:
    layer, reader, params = seen.layer, seen.reader, seen.request.query_params
    named = params.get("properties", "").split(",") if "properties" in params else main_columns(layer)
    columns = [column for column in layer.columns if column.name in named and column.name != layer.id_column]
    columns.sort(key=lambda column: list(named).index(column.name))
    features = seen.document["features"]
    chosen = [column for column in layer.columns if column.values and column.name in main_columns(layer)]
    filters = [pair for pair in params.multi_items() if pair[0] not in _NOT_FILTERS and pair[1]]
    own = {column.name for column in chosen} | {"f", "offset", "limit"}
    return {
        "title": seen.title(layer.name),
        "name": layer.name,
        "columns": [(reader.title(c), reader.unit(c), is_number(c)) for c in columns],
        "id_title": reader.title(layer.columns[0]),
        "rows": rows_of(features, columns, reader, Place(seen.root, layer.name, seen.version)),
        "matched": reader.integer(seen.document["numberMatched"]),
        "first": reader.integer(int(params.get("offset", 0)) + 1),
        "last": reader.integer(int(params.get("offset", 0)) + len(features)),
        "filters": filters,
        "choices": [
            (c.name, reader.title(c), params.get(c.name, ""), [(v, reader.value(v)) for v in c.values or ()])
            for c in chosen
        ],
        "kept": [pair for pair in params.multi_items() if pair[0] not in own],
        "next": _page_link(seen, "next"),
        "previous": _page_link(seen, "prev"),
        "map": map_of(seen, [layer.name], None, urlencode(filters)),
        "forms": forms_of(seen, "offset", "limit"),
    }


def _page_link(seen: Shown, rel: str) -> str | None:
    href = next((link["href"] for link in seen.document["links"] if link["rel"] == rel), None)
    if href is None:
        return None
    ours = {"f", *(name for name in _OF_TABLE if name not in seen.request.query_params)}
    kept = [pair for pair in parse_qsl(href.partition("?")[2], keep_blank_values=True) if pair[0] not in ours]
    return "?" + urlencode(kept)


def _item(seen: Shown) -> Context:
    layer, properties = seen.layer, seen.document["properties"]
    reasons = seen.manifest["layers"][layer.name]["null_because"]
    place = Place(seen.root, layer.name, seen.version)
    identifier = str(seen.document["id"])
    parts = score_parts(properties.get("explanation_parts"), seen.reader)
    address = Place(seen.root, layer.name, seen.manifest["version"]).of(identifier)
    return {
        "title": identifier,
        "collection": seen.title(layer.name),
        "name": layer.name,
        "story": story_of(layer, properties, seen.manifest, seen.reader) if layer.name in ZONE_LAYERS else None,
        "where": properties.get("kelurahan"),
        "why": properties.get(f"explanation_{seen.reader.lang}"),
        "scores": [(label, value, seen.reader.share(value)) for label, value in parts],
        "severity_title": next((seen.reader.title(c) for c in layer.columns if c.name == "severity"), ""),
        "details": details_of(layer, properties, reasons, seen.reader, place, seen.manifest["layers"]),
        "calibration": calibration(seen.manifest, seen.reader) if layer.name == "hexagons" else None,
        "map": map_of(seen, [layer.name], None, feature=f"{address}&f=json"),
        "pinned": f"?version={seen.version}" if seen.version else "",
        "forms": forms_of(seen),
    }


def _openapi(seen: Shown) -> Context:
    texts, operations = TEXTS[seen.reader.lang], dict[str, list[Context]]()
    for path, methods in seen.document["paths"].items():
        for method, operation in methods.items():
            if method in ("get", "post", "put", "patch", "delete"):
                told = [p for p in operation.get("parameters", ()) if "$ref" not in p]
                summary = _summary(path, texts) or seen.reader.half(operation.get("summary", ""))
                one = {"method": method.upper(), "path": path, "summary": summary, "told": told}
                one["try"] = seen.root + path if method == "get" and "{" not in path else None
                one["as_json"] = any("json" in p["schema"].get("enum", ()) for p in told if p["name"] == "f")
                operations.setdefault((operation.get("tags") or ["server"])[0], []).append(one)
    titles = {name: seen.title(name) for name in seen.edition.api.config["resources"]}
    return {
        "title": texts.api,
        "operations": operations,
        "titles": titles,
        "url": seen.edition.api.base_url,
        "forms": forms_of(seen),
    }


def _summary(path: str, texts: SimpleNamespace) -> str | None:
    """Return what a path of a collection gives; pygeoapi tells it in one language."""
    if not path.startswith("/collections/"):
        return None
    told: dict[str, str] = {
        "items": texts.features,
        "{featureId}": texts.one_feature,
        "schema": texts.schema,
        "queryables": texts.queryables,
        "sortables": texts.sortables,
    }
    return str(texts.about_data) if path.count("/") == 2 else told.get(path.rpartition("/")[2])


def _document(seen: Shown) -> Context:
    document = seen.document if isinstance(seen.document, dict) else {"": seen.document}
    told = {key: value for key, value in document.items() if key not in ("links", "title", "description")}
    title = document.get("title") or document.get("id") or seen.request.url.path
    return {
        "title": title if isinstance(title, str) else seen.request.url.path,
        "description": str(document.get("description") or ""),
        "told": told,
        "links": links_of(seen, document.get("links", [])),
        "local": seen.local,
        "forms": forms_of(seen),
    }


DOCUMENT = View("document.html", _document)
VIEWS: Mapping[str, View] = {
    "/": View("landing.html", _landing),
    "/collections": View("collections.html", _collections),
    "/collections/{name}": View("collection.html", _collection),
    "/collections/{name:coverage}": View("coverage.html", _coverage),
    "/collections/{name}/queryables": View("schema.html", _schema),
    "/collections/{name}/sortables": View("schema.html", _schema),
    "/collections/{name}/schema": View("schema.html", _schema),
    "/collections/{name}/items": View("items.html", _items, _items_query),
    "/collections/{name}/items/{identifier:path}": View("item.html", _item),
    "/openapi": View("openapi.html", _openapi),
    "/ranking": View("ranking.html", ranking_context, ranking_query),
}
"""The views of addresses; every other one is shown as a document."""
