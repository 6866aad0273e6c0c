"""OGC API Features Part 4 (OGC 20-002, draft) on `reports`: create, replace, update, delete, with optimistic locking.

Only a server that `hexakota serve CITY --editable` started makes edits (`services.editing` says who may); any other
answers 405. An edit goes into the live tables at once and wins over the files from then on; the next `hexakota run`
publishes it. On an editable server `reports` are answered from the live tables, unless `version=` asks for a published
version, so that clients read what they wrote.

Rules that the standard leaves open
-----------------------------------
- An id that a client proposes (`id` or `report_id`) is taken where it is plain and new; else the server makes one, and
  `Location` tells it. The id of a deleted report is not new. PUT makes no report: 404.
- Properties are checked by the contract of `reports`; an unknown one is refused. Columns that follow from a run may be
  sent back as they were read, but not changed. `links` and `bbox` of a feature are what the server wrote, and passed
  over.
- PATCH takes a JSON Merge Patch of the feature (`{"properties": {...}, "geometry": {...}}`, as QGIS sends it) or of its
  properties alone (`{"status": "closed"}`, as the draft's schema has it).
- `Content-Crs` names the CRS of the body's geometry, one of the collection's; without it CRS84.
- An entity tag begins with the number of the report's last change, which is what `If-Match` compares; the rest tells
  representations of the same state apart (version, CRS, format). Without `If-Match` an edit is made whatever came
  before. `If-Unmodified-Since` is refused, since edits carry no time.
- `Prefer: return=representation` gets the report back; `handling=lenient` is as strict as `handling=strict`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from services.answers import problem
from services.bodies import body_of
from services.crs import CRS84, crs_of
from services.live import Live, live_of
from services.pages import layer_of
from services.parameters import GEOJSON, BadRequestError
from services.parts import Handler, Page, Part
from services.refusals import RefusedError
from services.site import Edition
from services.view import View, links_of_item, view_of
from spatial.contracts import REPORTS
from spatial.errors import BusyError, InputError, NotFoundError, StoreError
from spatial.sources.submitted import (
    Place,
    check_derived,
    merged_values,
    new_values,
    read_place,
    read_properties,
    replaced_values,
    typed_back,
    usable_id,
)
from spatial.store.edits import Editing, LiveReport

MERGE_PATCH = "application/merge-patch+json"
PATCHES = (MERGE_PATCH, GEOJSON)
_MEMBERS = ("type", "id", "geometry", "properties", "links", "bbox")
_OF_ITEMS = "GET, HEAD, OPTIONS, POST"
_OF_ITEM = "GET, HEAD, OPTIONS, PUT, PATCH, DELETE"
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_RETRY_S = 5


@dataclass(frozen=True, eq=False, slots=True)
class _Edit:
    """One edit that is allowed: the request's headers, what it sends, and where it goes."""

    view: View
    live: Live
    headers: Mapping[str, str]
    feature: Mapping[str, Any]

    @property
    def edition(self) -> Edition:
        """The served version."""
        return self.view.edition


def _answered(handler: Handler) -> Handler:
    """Return the handler with its refusals answered, as far as they need headers."""

    async def answer(edition: Edition, request: Request) -> Response:
        try:
            return await handler(edition, request)
        except RefusedError as error:
            refused = problem(error.status, "InvalidRequest", str(error))
            refused.headers.update(error.headers)
        except BusyError as error:
            refused = problem(503, "NoApplicableCode", str(error))
            refused.headers["Retry-After"] = str(_RETRY_S)
        except BadRequestError as error:
            refused = _invalid(request, error.status, str(error))
        except InputError as error:
            refused = _invalid(request, 400, f"{error.field}: {error.problem}; {error.hint}")
        return refused

    return answer


def _invalid(request: Request, status: int, text: str) -> Response:
    """Answer a body that is refused; a client that prefers strict handling is told that it got it."""
    refused = problem(status, "InvalidParameterValue", text)
    if "handling=strict" in _preferences(request.headers):
        refused.headers["Preference-Applied"] = "handling=strict"
    return refused


def _preferences(headers: Mapping[str, str]) -> set[str]:
    return {part.strip().replace(" ", "").lower() for part in re.split("[,;]", headers.get("prefer", ""))}


def _editable(edition: Edition, request: Request) -> Live:
    """Return the live reports that a request may edit. Raises RefusedError: 405 where it cannot be, 401 or 403."""
    live, name = live_of(edition, request), layer_of(edition, request)
    if live is None or name != REPORTS.name:
        why = f"{name} is published, and only reports can be edited"
        if live is None:
            why = "this server is read-only; `hexakota serve CITY --editable` lets clients edit reports"
        raise RefusedError(405, f"{request.method}: {why}", {"Allow": "GET, HEAD, OPTIONS"})
    live.editing.check(request)
    return live


async def _read(edition: Edition, request: Request, kinds: tuple[str, ...]) -> _Edit:
    """Read an edit. Raises RefusedError, BadRequestError."""
    live = _editable(edition, request)
    view = replace(view_of(edition, request, frozenset({"lang"})), asked={}, format="json")
    if request.method == "DELETE":
        return _Edit(view, live, request.headers, {})
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    if not kind.strip():
        raise BadRequestError(f"Content-Type: missing; expected {' or '.join(kinds)}")
    if kind.strip().lower() not in kinds or parameters.strip().lower() not in ("", "charset=utf-8"):
        header = {"POST": "Accept-Post", "PATCH": "Accept-Patch"}.get(request.method)
        told = f"Content-Type: {kind.strip()}{parameters}: expected {' or '.join(kinds)}, in UTF-8"
        raise RefusedError(415, told, {header: ", ".join(kinds)} if header else {})
    return _Edit(view, live, request.headers, _feature(await body_of(request), request.method == "PATCH"))


def _feature(body: bytes, is_patch: bool) -> dict[str, Any]:
    """Return a feature, or a patch of one, with no member but those of `_MEMBERS`."""
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"body: expected JSON (RFC 8259, no NaN): {error}") from error
    if not isinstance(sent, dict):
        raise BadRequestError("body: expected a JSON object")
    if is_patch and not sent.keys() <= set(_MEMBERS):
        flat = {name: value for name, value in sent.items() if name not in _MEMBERS}
        nested = sent.get("properties", {})
        if not isinstance(nested, dict) or nested.keys() & flat.keys():
            raise BadRequestError("properties: expected an object, and each property once")
        sent = {name: value for name, value in sent.items() if name in _MEMBERS} | {"properties": nested | flat}
    for name in sent:
        if name not in _MEMBERS:
            raise BadRequestError(f"{name}: not a member of a feature here; expected {', '.join(_MEMBERS)}")
    if sent.get("type", "Feature" if is_patch else None) != "Feature":
        raise BadRequestError(f"type={sent.get('type')!r:.100}: expected Feature")
    return sent


def _properties(edit: _Edit) -> dict[str, Any]:
    """Return the properties of a whole feature; null is none (RFC 7946, 3.2). Raises InputError."""
    sent = edit.feature.get("properties")
    return {} if sent is None else read_properties(sent)


def _place(edit: _Edit) -> Place:
    """Return the place that a feature is at. Raises InputError, BadRequestError."""
    named = edit.headers.get("content-crs", CRS84).strip().removeprefix("<").removesuffix(">")
    if named not in edit.view.systems:
        raise BadRequestError(f"Content-Crs: {named}: expected {' or '.join(edit.view.systems)}")
    west, south, east, north = edit.edition.manifest["city"]["area"]["bbox"]
    return read_place(edit.feature.get("geometry"), crs_of(named), (west, south, east, north))


@_answered
async def create(edition: Edition, request: Request) -> Response:
    """Answer a POST of a feature to the items of a collection: 201 with its address."""
    edit = await _read(edition, request, (GEOJSON,))
    return await run_in_threadpool(_created, edit)


def _created(edit: _Edit) -> Response:
    given = _properties(edit)
    place = _place(edit)
    proposed = {
        value for value in (edit.feature.get("id"), given.pop("report_id", None)) if isinstance(value, str | int)
    }
    if len(proposed) > 1:
        raise BadRequestError(f"id: {sorted(map(str, proposed))}: expected one id, or none")
    check_derived(given, {"category_basis": "source"})
    with edit.live.store.editing() as transaction:
        report_id = usable_id(next(iter(proposed), None))
        if report_id is None or not transaction.is_new(report_id):
            report_id = f"api-{secrets.token_hex(10)}"
        transaction.put(LiveReport(new_values(report_id, given, place), *place[:2]))
        made = transaction.get(report_id)
    return _made(edit, made, 201)


@_answered
async def _item(edition: Edition, request: Request) -> Response:
    """Answer PUT, PATCH, DELETE and OPTIONS on one item."""
    if request.method == "OPTIONS":
        return _options(edition, request, {"Allow": _OF_ITEM, "Accept-Patch": ", ".join(PATCHES)})
    kinds = PATCHES if request.method == "PATCH" else (GEOJSON,)
    edit = await _read(edition, request, kinds)
    return await run_in_threadpool(_EDITS[request.method], edit, str(request.path_params["identifier"]))


def _replaced(edit: _Edit, report_id: str) -> Response:
    given = _properties(edit)
    place = _place(edit)

    def change(held: LiveReport) -> LiveReport:
        stays = typed_back((held.lon, held.lat), place)
        at = (held.lon, held.lat, held.values["decimals"]) if stays else place
        return LiveReport(replaced_values(held.values, given, at), *at[:2])

    return _changed(edit, report_id, given, change)


def _merged(edit: _Edit, report_id: str) -> Response:
    given = read_properties(edit.feature.get("properties", {}))
    place = _place(edit) if "geometry" in edit.feature else None

    def change(held: LiveReport) -> LiveReport:
        at = place or (held.lon, held.lat, held.values["decimals"])
        return LiveReport(merged_values(held.values, given, at), *at[:2])

    return _changed(edit, report_id, given, change)


def _changed(
    edit: _Edit, report_id: str, given: Mapping[str, Any], change: Callable[[LiveReport], LiveReport]
) -> Response:
    """Make a change in one transaction with its precondition and its checks against what is held."""
    if edit.feature.get("id", report_id) != report_id:
        raise BadRequestError(f"id={edit.feature['id']!r:.100}: expected {report_id}, or leave it out")
    published = edit.live.published(edit.edition, report_id)
    with edit.live.store.editing() as transaction:
        held = _held(transaction, edit, report_id)
        check_derived(given, edit.live.answer(edit.edition, held), published)
        transaction.put(change(held))
        made = transaction.get(report_id)
    return _made(edit, made, 204)


def _deleted(edit: _Edit, report_id: str) -> Response:
    with edit.live.store.editing() as transaction:
        _held(transaction, edit, report_id)
        transaction.delete(report_id)
    return Response(status_code=204)


_EDITS: Mapping[str, Callable[[_Edit, str], Response]] = {"PUT": _replaced, "PATCH": _merged, "DELETE": _deleted}


def _held(transaction: Editing, edit: _Edit, report_id: str) -> LiveReport:
    """Return the report that is to be changed. Raises NotFoundError, RefusedError (412)."""
    held = transaction.get(report_id)
    if held is None:
        raise NotFoundError(f"reports has no item {report_id!r}")
    wanted, unwanted = edit.headers.get("if-match"), edit.headers.get("if-none-match")
    if wanted is not None and not _matches(wanted, held.revision):
        raise RefusedError(412, f"If-Match: {wanted:.100}: the report was changed since; read it again")
    if unwanted is not None and _matches(unwanted, held.revision):
        raise RefusedError(412, f"If-None-Match: {unwanted:.100}: there is such a report")
    if wanted is None and "if-unmodified-since" in edit.headers:
        raise RefusedError(412, "If-Unmodified-Since: edits carry no time here; send If-Match with the ETag")
    return held


def _matches(header: str, revision: int) -> bool:
    """Tell whether an entity tag of the header is a strong one of the report's present state (RFC 9110, 13.1.1)."""
    if header.strip() == "*":
        return True
    return any(not weak and tag.partition(".")[0] == str(revision) for weak, tag in _TAG.findall(header))


def tag_of(view: View, report: LiveReport) -> str:
    """Return the entity tag of a live report's representation."""
    return f'"{report.revision}.{view.tag(report.report_id)}"'


def _made(edit: _Edit, report: LiveReport | None, status: int) -> Response:
    """Answer an edit that was made, with the report as this edit left it."""
    if report is None:
        raise StoreError("reports: an edit was not kept")
    address = f"{edit.view.collection}/items/{quote(report.report_id, safe=':~')}"
    headers = {"ETag": tag_of(edit.view, report), "Cache-Control": "no-store"}
    headers |= {"Location": address} if status == 201 else {}
    if "return=representation" not in _preferences(edit.headers):
        return Response(status_code=status, headers=headers)
    feature = {
        "type": "Feature",
        "id": report.report_id,
        "geometry": {"type": "Point", "coordinates": [report.lon, report.lat]},
        "properties": edit.live.answer(edit.edition, report),
        "links": links_of_item(edit.view, report.report_id),
    }
    headers |= {"Preference-Applied": "return=representation", "Content-Location": address, "Content-Crs": f"<{CRS84}>"}
    return Response(orjson.dumps(feature), 200 if status == 204 else status, headers, GEOJSON)


@_answered
async def _items_options(edition: Edition, request: Request) -> Response:
    return _options(edition, request, {"Allow": _OF_ITEMS, "Accept-Post": GEOJSON})


def _options(edition: Edition, request: Request, headers: Mapping[str, str]) -> Response:
    """Answer OPTIONS. Where nothing can be edited POST is left out: to QGIS it says that features can be added."""
    if layer_of(edition, request) != REPORTS.name or live_of(edition, request) is None:
        headers = {"Allow": "GET, HEAD, OPTIONS"}
    return Response(status_code=200, headers=headers)


PART = Part(
    pages=(
        Page("/collections/{name}/items", _items_options, methods=("OPTIONS",)),
        Page(
            "/collections/{name}/items/{identifier:path}",
            _item,
            parameters=None,
            methods=("PUT", "PATCH", "DELETE", "OPTIONS"),
        ),
    ),
)
