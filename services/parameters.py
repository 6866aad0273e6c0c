"""What a request may ask: its parameters, their fixed values, its format and its language; all else is refused."""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.requests import Request

GEOJSON = "application/geo+json"
COMMON = frozenset({"f", "lang"})
_OF_ITEMS = (
    "bbox bbox-crs crs datetime filter filter-crs filter-lang limit offset properties resulttype skipGeometry sortby "
)
ITEMS = COMMON | {"version", *_OF_ITEMS.split()}
ITEM = COMMON | {"crs", "version"}
FILTER_MEDIA = ("application/cql2+json", "application/query-cql-json", "application/json")
PAGE_FORMATS = ("json", "html")
_ACCEPT = {"text/html": "html", "text/csv": "csv"} | dict.fromkeys(("application/json", GEOJSON, "*/*"), "json")
_SENT = {"html": b"text/html", "csv": b"text/csv", "json": b"application/json"}
_LANGUAGES = ("id", "en")


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
    named, spoken = request.query_params.get("f"), request.query_params.get("lang")
    if named is not None and named not in formats:
        raise BadRequestError(f"f={named}: expected one of {', '.join(formats)}")
    wanted = (_ACCEPT.get(value) for value in _ranked(request.headers.get("accept", "")))
    kind = next((value for value in wanted if value in formats), "json")
    languages = (value[:2] for value in _ranked(request.headers.get("accept-language", "")))
    language = next((value for value in languages if value in _LANGUAGES), _LANGUAGES[0])
    headers = [row for row in request.scope["headers"] if row[0] not in (b"accept", b"accept-language")]
    headers += [(b"accept", _SENT[kind]), (b"accept-language", language.encode())]
    own = {"headers": headers, _FORMAT: named or kind, _LANGUAGE: spoken if spoken in _LANGUAGES else language}
    return Request(dict(request.scope) | own, request.receive)


_FORMAT, _LANGUAGE = "hexakota.format", "hexakota.language"


def format_of(request: Request) -> str:
    """Return the format of a negotiated request, as `f` names it."""
    return str(request.scope[_FORMAT])


def language_of(request: Request) -> str:
    """Return the language of a negotiated request: id or en."""
    return str(request.scope[_LANGUAGE])


def check(request: Request, allowed: frozenset[str]) -> None:
    """Refuse parameters that are unknown or given twice, and a language that is not ours; name each."""
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in allowed:
            raise BadRequestError(f"{name}: not a parameter here; expected one of {', '.join(sorted(allowed))}")
        if name in seen:
            raise BadRequestError(f"{name}: given more than once")
        seen.add(name)
    spoken = request.query_params.get("lang", _LANGUAGES[0])
    if spoken not in _LANGUAGES:
        raise BadRequestError(f"lang={spoken}: expected {' or '.join(_LANGUAGES)}")
