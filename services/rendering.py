"""Pages as HTML: templates compiled once, every value escaped, nothing from another host, no script inside a page."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

import services
from services.assets import STAMP
from services.labels import reader_of
from services.messages import TEXTS
from services.parameters import LANGUAGES, language_of
from services.site import Edition
from spatial import __version__

COOKIE = "lang"
_YEAR_S = 365 * 24 * 3600
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(str(files(services))) / "html"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters["json"] = lambda value: orjson.dumps(value).decode()  # escaped like any other text
_TEMPLATES = {name: _ENVIRONMENT.get_template(name) for name in _ENVIRONMENT.list_templates(extensions=["html"])}


def html_response(
    template: str, request: Request, edition: Edition | None, status: int = 200, **context: Any
) -> Response:
    """Return a page.

    Parameters
    ----------
    template : a file of `services/html`.
    edition : None where the answer is about no published version, such as an address that is not served.
    context : values of the template; each is escaped.
    """
    lang = language_of(request)
    manifest = edition.manifest if edition else None
    frame = {
        "lang": lang,
        "t": TEXTS[lang],
        "reader": reader_of(lang, manifest),
        "root": request.app.state.root,
        "stamp": STAMP,
        "manifest": manifest,
        "release": __version__,
        "licence": edition.api.config["metadata"]["license"] if edition else None,
        "switch": {code: _with(request, COOKIE, code) for code in LANGUAGES},
    }
    body = _TEMPLATES[template].render(frame | context)
    response = Response(body, int(status), page_headers(edition), "text/html")
    if request.query_params.get(COOKIE) in LANGUAGES:
        response.set_cookie(COOKIE, lang, max_age=_YEAR_S, path=request.app.state.root or "/", samesite="lax")
    return response


def _with(request: Request, name: str, value: str) -> str:
    """Return the query of the request with one parameter set."""
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != name]
    return "?" + urlencode([*kept, (name, value)])


def page_headers(edition: Edition | None) -> Mapping[str, str]:
    """Return the headers of a page: it runs no script but ours, and asks no other host but the office's base map."""
    base = base_map(edition)
    elsewhere = "" if base is None else " " + "{0.scheme}://{0.netloc}".format(urlsplit(base["url"]))
    policy = (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; "
        f"img-src 'self' data: blob:{elsewhere}; connect-src 'self'{elsewhere}; worker-src 'self' blob:"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Vary": "Accept, Accept-Language, Cookie",
        "Cache-Control": "no-cache",
    }


def base_map(edition: Edition | None) -> dict[str, str] | None:
    """Return the XYZ base map that the office set in pygeoapi-config.yml, or None: then maps need no other host."""
    told: dict[str, str] = edition.api.config["server"].get("map", {}) if edition else {}
    return told if told.get("url", "").startswith(("http://", "https://")) else None
