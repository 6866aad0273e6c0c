"""One request for features of a collection: what it asks of which version, and the links and headers of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import quote, urlencode

from starlette.requests import Request

from services.crs import CRS84, systems_of
from services.formats import FORMATS
from services.live import Live, live_of
from services.pages import layer_of
from services.parameters import check, format_of, language_of
from services.question import Question
from services.site import Edition
from spatial import __version__
from spatial.contracts import REPORTS, Layer
from spatial.errors import NotFoundError
from spatial.registry import LAYER_BY_NAME
from spatial.store.indexing import form_of
from spatial.store.versions import Version, Versions

Link = dict[str, str]
_THIS = {"id": "Dokumen ini sebagai", "en": "This document as"}
_FORMS = ("json", "html", "jsonfg", "csv")  # that a page has links to; the collection has those to every file
_TURNED = {"id": {"prev": "Sebelumnya", "next": "Berikutnya"}, "en": {"prev": "Previous", "next": "Next"}}
_ROOT = {"id": "Halaman awal", "en": "Landing page"}
_LONGEST_ADDRESS = 8000


@dataclass(frozen=True, slots=True)
class View:
    """One request for features.

    Attributes
    ----------
    asked : its query parameters.
    format, language : as negotiated.
    posted : a filter in CQL2 JSON from its body; None where it had none.
    live : the live features that answer it; None: those of the version.
    """

    edition: Edition
    version: Version
    layer: Layer
    asked: Mapping[str, str]
    format: str
    language: str
    posted: bytes | None = None
    live: Live | None = None

    @property
    def systems(self) -> tuple[str, ...]:
        """Addresses of the systems that the collection is served in."""
        return systems_of(self.edition.manifest["city"])

    @property
    def rows(self) -> int:
        """Number of the layer's features, in the served version."""
        return int(self.edition.manifest["layers"][self.layer.name]["rows"])

    @property
    def collection(self) -> str:
        """Address of the collection."""
        return f"{self.edition.api.base_url}/collections/{self.layer.name}"

    @property
    def title(self) -> str:
        """Title of the collection in the reader's language."""
        title: str = self.edition.api.config["resources"][self.layer.name]["title"][self.language]
        return title

    def tag(self, identifier: str = "") -> str:
        """Return a digest of all that makes the answer: what is asked, in any order, the version and this release."""
        asked = (self.collection, identifier, self.format, self.language, sorted(self.asked.items()))
        parts = (self.version.id, __version__, _form(self.layer.name), asked)
        return blake2b(repr(parts).encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()

    def headers(self, tag: str | None, crs: str = CRS84) -> dict[str, str]:
        """Return the headers of an answer; where the request named the version, only a new release changes it."""
        cache = "public, max-age=86400, immutable" if "version" in self.asked else "no-cache"
        headers = {"Content-Crs": f"<{crs}>", "Content-Language": self.language, "Vary": "Accept, Accept-Language"}
        if self.live is not None:
            return headers | {"Cache-Control": "no-store"} | ({} if tag is None else {"ETag": tag})
        return headers if tag is None else headers | {"ETag": tag, "Cache-Control": cache}


@lru_cache(maxsize=64)
def _form(name: str) -> str:
    return form_of(LAYER_BY_NAME[name])


def view_of(edition: Edition, request: Request, allowed: frozenset[str], posted: bytes | None = None) -> View:
    """Read who asks for what.

    Raises
    ------
    BadRequestError
        A parameter is not one of those allowed, or given twice.
    NotFoundError
        There is no such collection or version.
    """
    layer = LAYER_BY_NAME[layer_of(edition, request)]
    live = live_of(edition, request) if layer == REPORTS and "version" not in request.query_params else None
    check(request, allowed if live is None or "offset" not in allowed else allowed | {"after"})
    asked = dict(request.query_params)
    wanted = asked.get("version", edition.version.id)
    version = edition.version if wanted == edition.version.id else _version(edition, wanted)
    return View(edition, version, layer, asked, format_of(request), language_of(request), posted, live)


def _version(edition: Edition, wanted: str) -> Version:
    try:
        return Versions(edition.version.path.parents[1]).get(wanted)
    except NotFoundError as error:
        raise NotFoundError(f"version={wanted}: there is no such version") from error


def links_of_page(view: View, question: Question, matched: int, following: str | None = None) -> list[Link]:
    """Return the links of a page; they repeat the question and stay on its version.

    Pages of live features go on after the last feature of this one, which `following` tells, None at the end.
    """
    kept = {name: value for name, value in view.asked.items() if name not in ("f", "offset", "after")}
    links: list[Link] = []
    if view.live is None:
        kept |= {"version": view.version.id}
        turns = {rel: f"offset={offset}" for rel, offset in _turns(question, matched).items()}
    else:
        turns = {} if following is None else {"next": f"after={following}"}
    filtered = kept if view.posted is None else kept | _filter(view.posted)
    address = f"{view.collection}/items?{urlencode(filtered, quote_via=quote)}"
    if len(address) < _LONGEST_ADDRESS or view.posted is None:
        here = f"&offset={question.offset}" if question.offset else ""
        here += f"&after={quote(view.asked['after'], safe='')}" if "after" in view.asked else ""
        links = [_link(view, name, f"{address}&f={name}{here}") for name in _FORMS]
        more: Link = {}
    else:  # the same body goes to the next page
        address = f"{view.collection}/items?{urlencode(kept, quote_via=quote)}"
        more = {"method": "POST"}
    for rel, turn in turns.items():
        title, href = _TURNED[view.language][rel], f"{address}&f={view.format}&{turn}"
        links.append({"rel": rel, "type": FORMATS[view.format].media, "title": title, "href": href} | more)
    return [*links, _collection(view)]


def _filter(posted: bytes) -> dict[str, str]:
    return {"filter": posted.decode("utf-8", "replace"), "filter-lang": "cql2-json"}


def _turns(question: Question, matched: int) -> dict[str, int]:
    """Return the offsets of the page before and of the page after, where there are such."""
    turns = {"prev": max(0, question.offset - question.limit)} if question.offset else {}
    following = question.offset + question.limit
    return turns | ({"next": following} if following < matched and not question.hits else {})


def links_of_item(view: View, identifier: str) -> list[Link]:
    """Return the links of one feature."""
    base, title = view.edition.api.base_url, _ROOT[view.language]
    address = f"{view.collection}/items/{quote(identifier, safe='')}"
    kept = {name: value for name, value in view.asked.items() if name != "f"}
    more = f"&{urlencode(kept, quote_via=quote)}" if kept else ""
    return [
        {"rel": "root", "type": "application/json", "title": title, "href": f"{base}/?f=json"},
        {"rel": "root", "type": "text/html", "title": title, "href": f"{base}/?f=html"},
        *(_link(view, name, f"{address}?f={name}{more}") for name in ("json", "html")),
        _collection(view),
    ]


def _link(view: View, name: str, href: str) -> Link:
    rel, title = "self" if name == view.format else "alternate", f"{_THIS[view.language]} {FORMATS[name].title}"
    return {"rel": rel, "type": FORMATS[name].media, "title": title, "href": href}


def _collection(view: View) -> Link:
    return {"rel": "collection", "type": "application/json", "title": view.title, "href": view.collection}
