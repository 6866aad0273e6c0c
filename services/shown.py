"""A document of the API on its way to a page: who asked, in which language, and what a page may link to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from services.labels import Reader
from services.parts import Page
from services.site import SYNTHETIC, Edition
from spatial.contracts import Layer
from spatial.registry import LAYER_BY_NAME

Context = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A document to be shown, and who asked for it."""

    edition: Edition
    request: Request
    document: Any
    manifest: Mapping[str, Any]
    reader: Reader
    page: Page

    @property
    def root(self) -> str:
        """Path that every address on this host starts with."""
        return str(self.request.app.state.root)

    @property
    def layer(self) -> Layer:
        """The layer that the address names."""
        return LAYER_BY_NAME[self.request.path_params["name"]]

    @property
    def version(self) -> str | None:
        """The `version=` that was asked for."""
        return self.request.query_params.get("version")

    def title(self, name: str) -> str:
        """Return a collection's title."""
        resource = self.edition.api.config["resources"][name]
        return str(resource["title"][self.reader.lang]).removeprefix(SYNTHETIC)

    def local(self, href: str) -> str | None:
        """Return an address of this server as a path, another host's whole, and None for what no page may lead to."""
        base = self.edition.api.base_url
        if href == base or href.startswith((f"{base}/", f"{base}?")):
            return self.root + (href.removeprefix(base) or "/")
        return href if href.startswith(("http://", "https://", "/", "?")) else None


@dataclass(frozen=True, slots=True)
class View:
    """How the documents of an address are shown.

    Attributes
    ----------
    template : file of `services/html`.
    context : values of the template.
    query : what the page asks its own address for in place of the person's query.
    """

    template: str
    context: Callable[[Shown], Context]
    query: Callable[[Request], list[tuple[str, str]]] = lambda request: request.query_params.multi_items()


def links_of(seen: Shown, links: list[Mapping[str, Any]]) -> list[Context]:
    """Return the links of a document that a person can follow, once each."""
    found: dict[str, Context] = {}
    for link in links if isinstance(links, list) else ():
        href = seen.local(str(link.get("href", "")))
        title = link.get("title")
        if isinstance(title, dict):
            title = title.get(seen.reader.lang)
        rel = str(link.get("rel", "")).rpartition("/")[2]
        if href and "{" not in href and rel not in ("self", "alternate"):
            told = {
                "href": href,
                "title": seen.reader.half(str(title or rel)),
                "rel": rel,
                "type": str(link.get("type", "")),
            }
            found.setdefault(href, told)
    return list(found.values())


def forms_of(seen: Shown, *dropped: str) -> list[tuple[str, str]]:
    """Return the other formats of the address, each with the query that asks for it."""
    kept = [pair for pair in seen.request.query_params.multi_items() if pair[0] not in ("f", "lang", *dropped)]
    return [(form, "?" + urlencode([*kept, ("f", form)])) for form in seen.page.formats if form != "html"]
