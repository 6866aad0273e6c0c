"""Features of a collection, answered from the published index: pages of items, and single items.

pygeoapi keeps the landing page and the descriptions of collections; of a page of 100 features its functions took
MEASURED of the CPU that it takes here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from services.crs import CRS84
from services.downloads import download, download_links
from services.formats import FILES, FORMATS
from services.jsonfg import jsonfg_of
from services.pages import layer_of
from services.parameters import FILTER_MEDIA, GEOJSON, ITEM, ITEMS, MediaTypeError, TooLargeError
from services.parts import Handler, Page, Part
from services.question import Question, page_of, question_of, serialised
from services.site import Edition
from services.view import View, links_of_item, links_of_page, view_of
from spatial.errors import NotFoundError
from spatial.query import CQL2_CONFORMANCE
from spatial.registry import LAYER_BY_NAME
from spatial.store.index import index_of

_MAX_BODY = 1_000_000  # bytes
_QUICK_ROWS, _QUICK_LIMIT = 100_000, 1000  # answered in a few ms: handing over to a thread would cost as much


@lru_cache(maxsize=64)
def _allowed(name: str) -> frozenset[str]:
    return ITEMS | frozenset(LAYER_BY_NAME[name].names)


async def _items(edition: Edition, request: Request) -> Response:
    """Answer a page of features."""
    if request.method == "POST":
        return await _posted(edition, request)
    view = view_of(edition, request, _allowed(layer_of(edition, request)))
    tag = f'W/"{view.tag()}"'  # weak, since `timeStamp` differs
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=view.headers(tag))
    return await _answer(view, tag, request.method == "HEAD")


async def _answer(view: View, tag: str | None, head: bool = False) -> Response:
    question = question_of(view.asked, view.layer, view.systems, view.posted, view.format in FILES)
    if view.format in FILES:
        return await download(view, question, tag, head)
    if _is_quick(view, question):
        return _page(view, question, tag)
    return await run_in_threadpool(_page, view, question, tag)


def _is_quick(view: View, question: Question) -> bool:
    """Tell a question that the event loop may answer itself."""
    plain = view.format == "json" and view.posted is None and "filter" not in view.asked and not question.sort
    small = view.rows <= _QUICK_ROWS and question.limit <= _QUICK_LIMIT
    return plain and small and question.crs == CRS84 and view.has_index


def _page(view: View, question: Question, tag: str | None) -> Response:
    index = index_of(view.version, view.layer)
    matched, rows = page_of(index, question)
    links, headers = links_of_page(view, question, matched), view.headers(tag, question.crs)
    if view.format == "jsonfg":
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
    if kind not in POSTED:
        raise MediaTypeError(f"Content-Type: {kind or 'none'}: expected {' or '.join(POSTED)}")
    return await POSTED[kind](edition, request)


async def _filtered(edition: Edition, request: Request) -> Response:
    """Answer the features that the body lets through, a filter in CQL2 JSON; other parameters stand in the address."""
    body = await body_of(request)
    view = view_of(edition, request, _allowed(layer_of(edition, request)), body)
    return await _answer(view, None)


# What may be posted to items, by media type: a transaction is one line here.
POSTED: dict[str, Handler] = dict.fromkeys(FILTER_MEDIA, _filtered)


async def body_of(request: Request) -> bytes:
    """Return the body of a request. Raises TooLargeError as soon as it is over 1 MB."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY:
            raise TooLargeError(f"body: expected at most {_MAX_BODY} bytes")
    return bytes(body)


async def _item(edition: Edition, request: Request) -> Response:
    """Answer one feature."""
    view = view_of(edition, request, ITEM)
    identifier = str(request.path_params["identifier"])
    question = question_of(view.asked, view.layer, view.systems)
    tag = f'"{view.tag(identifier)}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=view.headers(tag, question.crs))
    if view.format == "json" and view.has_index:
        return _one(view, question, identifier, tag)
    return await run_in_threadpool(_one, view, question, identifier, tag)


def _one(view: View, question: Question, identifier: str, tag: str) -> Response:
    index = index_of(view.version, view.layer)
    row = index.row(identifier)
    if row is None:
        raise NotFoundError(f"{view.layer.name} has no item {identifier!r}")
    (feature,) = serialised(index, np.array([row], dtype=np.int64), question)
    body = b'%b,"links":%b}' % (bytes(feature)[:-1], orjson.dumps(links_of_item(view, identifier)))
    headers = view.headers(tag, question.crs)
    return Response(body, headers=headers, media_type=GEOJSON)


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
