"""What a request may ask: its parameters, their fixed values, its format and its language; all else is refused."""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.requests import Request

from services.formats import FORMATS

GEOJSON = FORMATS["json"].media
COMMON = frozenset({"f", "lang"})
_OF_ITEMS = (
    "bbox bbox-crs crs datetime filter filter-crs filter-lang limit offset properties resulttype skipGeometry sortby "
)
ITEMS = COMMON | {"version", *_OF_ITEMS.split()}
ITEM = COMMON | {"crs", "version"}
FILTER_MEDIA = ("application/cql2+json", "application/query-cql-json", "application/json")
PAGE_FORMATS = ("json", "html")
_ACCEPT = {form.media: name for name, form in FORMATS.items()}
_ACCEPT |= {
    "application/json": "json",
    "application/fg+json": "jsonfg",
    "image/tiff": "tif",
    "image/png": "png",
    "application/prs.coverage+json": "covjson",
    "application/ld+json": "dcat",
    "application/xml": "iso",
}
_SENT = {kind: media.encode() for media, kind in _ACCEPT.items()} | {"json": b"application/json"}
LANGUAGES = ("id", "en")
_FORMAT, _LANGUAGE = "hexakota.format", "hexakota.language"


class BadRequestError(Exception):
    """A request that cannot be answered; its text names the parameter."""

    status = 400


class TooLargeError(BadRequestError):
    """A body that is too long."""

    status = 413


class MediaTypeError(BadRequestError):
    """A body of a media type that is not taken."""

    status = 415


@lru_cache(maxsize=512)
def _ranked(header: str) -> tuple[str, ...]:
    """Return the values of a header such as Accept, the preferred first; those with weight 0 are not wanted."""
    ranked = []
    for index, part in enumerate(header.split(",")):
        value, *options = (piece.strip().lower() for piece in part.split(";"))
        weight = next((option[2:] for option in options if option.startswith("q=")), "1")
        if re.fullmatch(r"[01](\.[0-9]*)?", weight) and float(weight) > 0:
            ranked.append((-float(weight), index, value))
    return tuple(value for _, _, value in sorted(ranked))


def negotiated(request: Request, formats: tuple[str, ...]) -> Request:
    """Return the request with one format and one language in its headers, both ours; its scope holds them too.

    pygeoapi takes any media type it knows from Accept (JSON-LD, PNG) and divides by a weight of 0.
    """
    named = request.query_params.get("f")
    if named is not None and named not in formats:
        raise BadRequestError(f"f={named}: expected one of {', '.join(formats)}")
    default = {"*/*": formats[0]}
    wanted = ((default | _ACCEPT).get(value) for value in _ranked(request.headers.get("accept", "")))
    kind = next((value for value in wanted if value in formats), formats[0])
    language = language_of(request)
    headers = [row for row in request.scope["headers"] if row[0] not in (b"accept", b"accept-language")]
    headers += [(b"accept", _SENT.get(kind, b"*/*")), (b"accept-language", language.encode())]
    own = {"headers": headers, _FORMAT: named or kind, _LANGUAGE: language}
    return Request(dict(request.scope) | own, request.receive)


def format_of(request: Request) -> str:
    """Return the format of a negotiated request, as `f` names it."""
    return str(request.scope[_FORMAT])


def language_of(request: Request) -> str:
    """Return `id` or `en`: `lang=` wins, then the cookie `lang`, then Accept-Language; Indonesian otherwise."""
    known = request.scope.get(_LANGUAGE)
    if known is not None:
        return str(known)
    named = (request.query_params.get("lang"), request.cookies.get("lang"))
    preferred = (value[:2] for value in _ranked(request.headers.get("accept-language", "")))
    return next((value for value in (*named, *preferred) if value in LANGUAGES), LANGUAGES[0])


def wants_html(request: Request) -> bool:
    """Tell whether a page for people is asked for: `f=html`, or an Accept that prefers it where `f` is not given."""
    if request.method not in ("GET", "HEAD"):
        return False
    known = (_ACCEPT[value] for value in _ranked(request.headers.get("accept", "")) if value in _ACCEPT)
    return str(request.query_params.get("f", next(known, "json"))) == "html"


def for_programs(request: Request, query: bytes) -> Request:
    """Return a page's request as a program would send it, with another query.

    A condition on the page's own ETag is no matter of the data's.
    """
    dropped = (b"accept", b"if-none-match", b"if-modified-since")
    headers = [row for row in request.scope["headers"] if row[0] not in dropped]
    own = {"headers": [*headers, (b"accept", b"application/json")], "query_string": query, _FORMAT: "json"}
    return Request(dict(request.scope) | own, request.receive)


def check(request: Request, allowed: frozenset[str]) -> None:
    """Refuse parameters that are unknown or given twice, and a language that is not ours; name each."""
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in allowed:
            raise BadRequestError(f"{name}: not a parameter here; expected one of {', '.join(sorted(allowed))}")
        if name in seen:
            raise BadRequestError(f"{name}: given more than once")
        seen.add(name)
    spoken = request.query_params.get("lang", LANGUAGES[0])
    if spoken not in LANGUAGES:
        raise BadRequestError(f"lang={spoken}: expected {' or '.join(LANGUAGES)}")
