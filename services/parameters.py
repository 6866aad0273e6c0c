"""What a request may ask: its parameters, their fixed values, its format and its language; all else is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator

from starlette.requests import Request

from services.site import CRS84

GEOJSON = "application/geo+json"
COMMON = frozenset({"f", "lang"})
ITEMS = frozenset(
    "bbox bbox-crs crs datetime f lang limit offset properties resulttype skipGeometry version".split()  # noqa: SIM905
)
ITEM = COMMON | {"crs", "version"}
PAGE_FORMATS = ("json", "html")
_ACCEPT = (
    {"text/html": "html", "text/csv": "csv"}
    | dict.fromkeys(("application/json", GEOJSON), "json")
    | {
        "image/tiff": "tif",
        "image/png": "png",
        "application/prs.coverage+json": "covjson",
        "application/ld+json": "dcat",
        "application/xml": "iso",
    }
)
_SENT = {kind: media.encode() for media, kind in reversed(_ACCEPT.items())} | {"json": b"application/json"}
_LANGUAGES = ("id", "en")
_VALUES = {"lang": _LANGUAGES, "crs": (CRS84,), "bbox-crs": (CRS84,)} | {
    "resulttype": ("results", "hits"),
    "skipGeometry": ("true", "false"),
}
NOT_YET = ("sortby", "filter", "filter-lang", "filter-crs", "q", "profile")


class BadRequestError(Exception):
    """A request that cannot be answered; its text names the parameter."""


def _ranked(header: str) -> Iterator[str]:
    """Yield the values of a header such as Accept, the preferred first; those with weight 0 are not wanted."""
    ranked = []
    for index, part in enumerate(header.split(",")):
        value, *options = (piece.strip().lower() for piece in part.split(";"))
        weight = next((option[2:] for option in options if option.startswith("q=")), "1")
        if re.fullmatch(r"[01](\.[0-9]*)?", weight) and float(weight) > 0:
            ranked.append((-float(weight), index, value))
    yield from (value for _, _, value in sorted(ranked))


def negotiated(request: Request, formats: tuple[str, ...]) -> Request:
    """Return the request with one format and one language in its headers, both ours.

    pygeoapi takes any media type it knows from Accept (JSON-LD, PNG) and divides by a weight of 0.
    """
    named = request.query_params.get("f")
    if named is not None and named not in formats:
        raise BadRequestError(f"f={named}: expected one of {', '.join(formats)}")
    default = {"*/*": formats[0]}
    wanted = ((default | _ACCEPT).get(value) for value in _ranked(request.headers.get("accept", "")))
    kind = next((value for value in wanted if value in formats), formats[0])
    languages = (value[:2] for value in _ranked(request.headers.get("accept-language", "")))
    language = next((value for value in languages if value in _LANGUAGES), _LANGUAGES[0])
    headers = [row for row in request.scope["headers"] if row[0] not in (b"accept", b"accept-language")]
    headers += [(b"accept", _SENT[kind]), (b"accept-language", language.encode())]
    return Request(dict(request.scope) | {"headers": headers}, request.receive)


def format_of(request: Request, formats: tuple[str, ...]) -> str:
    """Return the format of a request that was negotiated over these formats: `f`, else that of Accept."""
    named = request.query_params.get("f")
    return named or next(kind for kind in formats if _SENT[kind].decode() == request.headers["accept"])


def check(request: Request, allowed: frozenset[str]) -> None:
    """Refuse parameters that are unknown, not supported yet, given twice or of a value that cannot be; name each."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name in NOT_YET:
            raise BadRequestError(f"{name}: not supported yet")
        if name not in allowed:
            raise BadRequestError(f"{name}: not a parameter here; expected one of {', '.join(sorted(allowed))}")
        if names.count(name) > 1:
            raise BadRequestError(f"{name}: given more than once")
    for name, values in _VALUES.items():
        if request.query_params.get(name, values[0]) not in values:
            raise BadRequestError(f"{name}={request.query_params[name]}: expected {' or '.join(values)}")
