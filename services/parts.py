"""What a part of the API is: its pages, and what it adds to conformance, the OpenAPI document and the links.

A part is one module with a `PART`; `services.app` lists the parts. A new kind of page is one module and one line there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.parameters import COMMON, PAGE_FORMATS
from services.site import Edition

Link = dict[str, str]
Handler = Callable[[Edition, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One address of the API.

    Attributes
    ----------
    path : as Starlette writes it, such as `/collections/{name}/items`.
    handler : answers a request from an edition; raises BadRequestError or a HexakotaError, never returns a problem.
    formats : values of `f`, the default first.
    parameters : names of the query parameters; any other is refused. None: the handler checks them itself.
    methods : besides HEAD, which goes with GET.
    """

    path: str
    handler: Handler
    formats: tuple[str, ...] = PAGE_FORMATS
    parameters: frozenset[str] | None = COMMON
    methods: tuple[str, ...] = ("GET",)


def no_paths(edition: Edition) -> dict[str, Any]:
    """Add nothing to the OpenAPI document."""
    return {}


def no_links(edition: Edition) -> list[Link]:
    """Add no link to the landing page."""
    return []


def no_collection_links(edition: Edition, name: str) -> list[Link]:
    """Add no link to a collection."""
    return []


def no_collections(edition: Edition) -> list[dict[str, Any]]:
    """Add no collection."""
    return []


def as_it_is(edition: Edition, name: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return a document of a collection as it is."""
    return document


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the API.

    Attributes
    ----------
    pages : its addresses.
    conformance : classes that it implements whole.
    paths : its path items in the OpenAPI document, by path; operations are added to those that others have there.
    landing_links : its links on the landing page.
    collection_links : its links in the description of a collection.
    collections : descriptions of the collections that are its own, for the list of all.
    described : a collection's description with what the part changes in it.
    schema : the JSON Schema of a collection's features with what the part changes in it.
    """

    pages: tuple[Page, ...]
    conformance: tuple[str, ...] = ()
    paths: Callable[[Edition], dict[str, Any]] = no_paths
    landing_links: Callable[[Edition], list[Link]] = no_links
    collection_links: Callable[[Edition, str], list[Link]] = no_collection_links
    collections: Callable[[Edition], list[dict[str, Any]]] = no_collections
    described: Callable[[Edition, str, dict[str, Any]], dict[str, Any]] = as_it_is
    schema: Callable[[Edition, str, dict[str, Any]], dict[str, Any]] = as_it_is
