"""Features of a collection, answered from the published index: pages of items, and single items.

pygeoapi keeps the landing page and the descriptions of collections. Its functions over the GeoPackage took 9.7 ms of
CPU for a page of 100 hexagons of 50,000 and 438 ms for one of 10,000, where this takes 0.5 and 21 ms (two busy cores).
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from services import transactions
from services.bodies import body_of
from services.crs import CRS84
from services.downloads import download, download_links
from services.formats import FILES, FORMATS
from services.jsonfg import jsonfg_of
from services.keyset import after_of, page_after
from services.live import Live
from services.pages import layer_of
from services.parameters import FILTER_MEDIA, GEOJSON, ITEM, ITEMS, BadRequestError, MediaTypeError
from services.parts import Handler, Page, Part
from services.question import Question, page_of, question_of, serialised
from services.site import Edition
from services.view import View, links_of_item, links_of_page, view_of
from spatial.errors import NotFoundError
from spatial.query import CQL2_CONFORMANCE
from spatial.registry import LAYER_BY_NAME
from spatial.store.index import LayerIndex, index_of, is_open
from spatial.store.overlaid import OverlaidIndex

_QUICK_ROWS, _QUICK_LIMIT = 100_000, 1000  # answered in a few ms: handing over to a thread would cost as much


@lru_cache(maxsize=64)
def _allowed(name: str) -> frozenset[str]:
    return ITEMS | frozenset(LAYER_BY_NAME[name].names)


async def _items(edition: Edition, request: Request) -> Response:
    """Answer a page of features."""
    if request.method == "POST":
        return await _posted(edition, request)
    view = view_of(edition, request, _allowed(layer_of(edition, request)))
    tag = None if view.live else f'W/"{view.tag()}"'  # weak, since `timeStamp` differs
    if tag is not None and tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=view.headers(tag))
    return await _answer(view, tag, request.method == "HEAD")


async def _answer(view: View, tag: str | None, head: bool = False) -> Response:
    asked = {name: value for name, value in view.asked.items() if name != "after"}
    question = question_of(asked, view.layer, view.systems, view.posted, view.format in FILES)
    if view.format in FILES or (view.format == "jsonfg" and view.live is not None):
        if view.live is not None:
            raise BadRequestError(
                f"f={view.format}: these reports are live; add version={view.version.id} for the published ones"
            )
        return await download(view, question, tag, head)
    if _is_quick(view, question):
        return _page(view, question, tag)
    return await run_in_threadpool(_page, view, question, tag)


def _is_quick(view: View, question: Question) -> bool:
    """Tell a question that the event loop may answer itself."""
    plain = (
        view.format == "json"
        and view.posted is None
        and view.live is None
        and "filter" not in view.asked
        and not question.sort
    )
    small = view.rows <= _QUICK_ROWS and question.limit <= _QUICK_LIMIT
    return plain and small and question.crs == CRS84 and is_open(view.version, view.layer)


def _page(view: View, question: Question, tag: str | None) -> Response:
    index: LayerIndex | OverlaidIndex
    if view.live is None:
        index, following = index_of(view.version, view.layer), None
        matched, rows = page_of(index, question)
    else:
        index = view.live.table(view.edition)
        matched, rows, following = page_after(index, question, after_of(view.asked))
    links, headers = links_of_page(view, question, matched, following), view.headers(tag, question.crs)
    if view.format == "jsonfg" and isinstance(index, LayerIndex):
        body = orjson.dumps(jsonfg_of(view, question, index, matched, rows, links))
        return Response(body, headers=headers, media_type=FORMATS["jsonfg"].media)
    parts = serialised(index, rows, question) or [b""]
    about = {"links": links, "timeStamp": datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"}
    head = b'{"type":"FeatureCollection","numberMatched":%d,"numberReturned":%d,"features":[' % (matched, len(rows))
    parts[0] = b"%b%b" % (head, parts[0])
    parts[-1] = b"%b],%b" % (parts[-1], orjson.dumps(about)[1:])
    return Response(b",".join(parts), headers=headers, media_type=GEOJSON)


async def _posted(edition: Edition, request: Request) -> Response:
    """Answer a POST by the media type of its body."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if not kind:
        raise BadRequestError(f"Content-Type: missing; expected {' or '.join(POSTED)}")
    if kind not in POSTED:
        raise MediaTypeError(f"Content-Type: {kind or 'none'}: expected {' or '.join(POSTED)}")
    return await POSTED[kind](edition, request)


async def _filtered(edition: Edition, request: Request) -> Response:
    """Answer the features that the body lets through, a filter in CQL2 JSON; other parameters stand in the address."""
    body = await body_of(request)
    view = view_of(edition, request, _allowed(layer_of(edition, request)), body)
    return await _answer(view, None)


# What may be posted to items, by media type: a transaction is one line here.
POSTED: dict[str, Handler] = dict.fromkeys(FILTER_MEDIA, _filtered) | {GEOJSON: transactions.create}


async def _item(edition: Edition, request: Request) -> Response:
    """Answer one feature."""
    view = view_of(edition, request, ITEM)
    identifier = str(request.path_params["identifier"])
    question = question_of(view.asked, view.layer, view.systems)
    known = request.headers.get("if-none-match", "")
    if view.live is not None:
        return await run_in_threadpool(_live_one, view, view.live, question, identifier, known)
    tag = f'"{view.tag(identifier)}"'
    if tag in known:
        return Response(status_code=304, headers=view.headers(tag, question.crs))
    if view.format == "json" and is_open(view.version, view.layer):
        return _one(view, question, identifier, tag, index_of(view.version, view.layer))
    return await run_in_threadpool(lambda: _one(view, question, identifier, tag, index_of(view.version, view.layer)))


def _live_one(view: View, live: Live, question: Question, identifier: str, known: str) -> Response:
    report = live.store.get(identifier)
    if report is None:
        raise _no_item(view, identifier)
    tag = transactions.tag_of(view, report)
    if tag in known:
        return Response(status_code=304, headers=view.headers(tag, question.crs))
    return _one(view, question, identifier, tag, live.index_with(view.edition, report))


def _one(view: View, question: Question, identifier: str, tag: str, index: LayerIndex) -> Response:
    row = index.row(identifier)
    if row is None:
        raise _no_item(view, identifier)
    (feature,) = serialised(index, np.array([row], dtype=np.int64), question)
    body = b'%b,"links":%b}' % (bytes(feature)[:-1], orjson.dumps(links_of_item(view, identifier)))
    headers = view.headers(tag, question.crs)
    return Response(body, headers=headers, media_type=GEOJSON)


def _no_item(view: View, identifier: str) -> NotFoundError:
    return NotFoundError(f"{view.layer.name} has no item {identifier!r:.100}")


PART = Part(
    pages=(
        Page("/collections/{name}/items", _items, tuple(FORMATS), None, ("GET", "POST")),
        Page("/collections/{name}/items/{identifier:path}", _item, parameters=None),
    ),
    conformance=(
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
        "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
        "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
        "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
        *CQL2_CONFORMANCE,
    ),
    collection_links=download_links,
)
