"""One request for features of a collection: what it asks of which version, and the links and headers of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import quote, urlencode

from starlette.requests import Request

from services.crs import CRS84, systems_of
from services.formats import FORMATS
from services.pages import layer_of
from services.parameters import check, format_of, language_of
from services.question import Question
from services.site import Edition
from spatial.contracts import Layer
from spatial.errors import NotFoundError
from spatial.registry import LAYER_BY_NAME
from spatial.store.index import FOLDER
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
    """

    edition: Edition
    version: Version
    layer: Layer
    asked: Mapping[str, str]
    format: str
    language: str
    posted: bytes | None = None

    @property
    def systems(self) -> tuple[str, ...]:
        """Addresses of the systems that the collection is served in."""
        return systems_of(self.edition.manifest["city"])

    @property
    def rows(self) -> int:
        """Number of the layer's features, in the served version."""
        return int(self.edition.manifest["layers"][self.layer.name]["rows"])

    @property
    def has_index(self) -> bool:
        """Whether the version was published with its index."""
        return (self.version.path / FOLDER).is_dir()

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
        """Return a digest of the version and of what is asked, whatever the order of the parameters."""
        parts = (self.version.id, self.layer.name, identifier, self.format, self.language, sorted(self.asked.items()))
        return blake2b(repr(parts).encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()

    def headers(self, tag: str | None, crs: str = CRS84) -> dict[str, str]:
        """Return the headers of an answer; it stays what it is for good where the request named the version."""
        cache = "public, max-age=31536000, immutable" if "version" in self.asked else "no-cache"
        headers = {"Content-Crs": f"<{crs}>", "Content-Language": self.language, "Vary": "Accept, Accept-Language"}
        return headers if tag is None else headers | {"ETag": tag, "Cache-Control": cache}


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
    check(request, allowed)
    asked = dict(request.query_params)
    wanted = asked.get("version", edition.version.id)
    version = edition.version if wanted == edition.version.id else _version(edition, wanted)
    return View(edition, version, layer, asked, format_of(request), language_of(request), posted)


def _version(edition: Edition, wanted: str) -> Version:
    try:
        return Versions(edition.version.path.parents[1]).get(wanted)
    except NotFoundError as error:
        raise NotFoundError(f"version={wanted}: there is no such version") from error


def links_of_page(view: View, question: Question, matched: int) -> list[Link]:
    """Return the links of a page; they repeat the question and stay on its version."""
    kept = {name: value for name, value in view.asked.items() if name not in ("f", "offset")}
    kept |= {"version": view.version.id}
    links, turns = [], _turns(question, matched)
    filtered = kept if view.posted is None else kept | _filter(view.posted)
    address = f"{view.collection}/items?{urlencode(filtered, quote_via=quote)}"
    if len(address) < _LONGEST_ADDRESS or view.posted is None:
        here = f"&offset={question.offset}" if question.offset else ""
        links = [_link(view, name, f"{address}&f={name}{here}") for name in _FORMS]
        more: Link = {}
    else:  # the same body goes to the next page
        address = f"{view.collection}/items?{urlencode(kept, quote_via=quote)}"
        more = {"method": "POST"}
    for rel, offset in turns.items():
        title, href = _TURNED[view.language][rel], f"{address}&f={view.format}&offset={offset}"
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
