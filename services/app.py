"""Composition root of the server: pygeoapi's functions and our parts as one ASGI application."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from services import (
    assets,
    catalogue,
    coverages,
    editable,
    items,
    pages,
    qgis,
    ranking,
    styles,
    tiles,
    transactions,
)
from services.answers import problem
from services.editing import Editing
from services.errors import http_status
from services.live import Live
from services.parameters import BadRequestError, check, negotiated, wants_html
from services.parts import Page, Part
from services.processes import pages as processes
from services.site import Edition, Site
from services.views import refused, shown
from services.worker import attended
from spatial.config import load_place
from spatial.errors import HexakotaError, InputError
from spatial.store.opening import open_reports

PARTS: tuple[Part, ...] = (
    coverages.PART,  # before the pages: its collections are rasters
    catalogue.PART,
    pages.PART,
    ranking.PART,
    tiles.PART,
    styles.PART,
    items.PART,
    transactions.PART,
    processes.PART,
    qgis.PART,
    assets.PART,
)


def create_app(city: Path, url: str, editing: Editing | None = None) -> Starlette:
    """Return the ASGI application that serves a city.

    Parameters
    ----------
    city : the city's folder, with a published version under `var`.
    url : address that clients use; every link starts with it.
    editing : who may edit reports; None: nobody.

    Raises
    ------
    StoreError
        Nothing is published, or what is published is not whole.
    """
    site = Site(city, url)
    site.edition()
    parts = PARTS if editing is None else (*PARTS, editable.PART)
    routes = [_route(site, page) for part in parts for page in part.pages]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _no_such_page, Exception: _defect})
    app.state.parts = parts
    app.state.root = urlsplit(site.url).path
    app.state.live = None if editing is None else Live(open_reports(load_place(site.city)), editing)
    return app


def _route(site: Site, page: Page) -> Route:
    async def endpoint(request: Request) -> Response:
        edition = None
        try:
            asked = negotiated(request, page.formats)
            if page.parameters is not None:
                check(asked, page.parameters)
            edition = site.edition()
            if "html" in page.formats and wants_html(asked):
                return await shown(page, edition, asked)
            return await page.handler(edition, asked)
        except BadRequestError as error:
            return _problem(request, edition, error.status, "InvalidParameterValue", str(error))
        except Exception as error:
            gone = None if edition is None else _gone(site, edition, request)
            if gone is not None:
                return _problem(request, None, *gone)
            if not isinstance(error, HexakotaError):
                raise
            status = http_status(error)
            code = {400: "InvalidParameterValue", 404: "NotFound"}.get(status, "NoApplicableCode")
            return _problem(request, edition, status, code, str(error))

    return Route(page.path, endpoint, methods=list(page.methods))


def _gone(site: Site, edition: Edition, request: Request) -> tuple[int, str, str] | None:
    """Return the problem of a request whose version `hexakota prune` deleted under it."""
    version = request.query_params.get("version")
    if version is not None and not site.versions.has(version):
        return 404, "NotFound", f"version={version}: there is no such version"
    if version is None and not site.versions.has(edition.version.id):
        return 503, "NoApplicableCode", f"version {edition.version.id} was deleted meanwhile; ask again"
    return None


def _problem(request: Request, edition: Edition | None, status: int, code: str, description: str) -> Response:
    """Answer with OGC's exception object, or with a page that says the same."""
    if wants_html(request):
        return refused(request, edition, status, {"description": description})
    return problem(status, code, description)


async def _no_such_page(request: Request, error: Exception) -> Response:
    """Answer for an address or a method that is not served."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    told = {404: f"there is no page {request.url.path}", 405: f"{request.method} is not supported here"}
    code = "NotFound" if status == 404 else "InvalidRequest"
    answer = _problem(request, None, status, code, told.get(status, str(error)))
    if status == 405:
        answer.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return answer


def _methods(request: Request) -> set[str]:
    """Return the methods of an address, which may stand in several routes."""
    routes = (route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE)
    return {method for route in routes for method in route.methods}


async def _defect(request: Request, error: Exception) -> Response:
    """Answer for what nobody expected; the server's log holds the traceback."""
    return _problem(request, None, 500, "NoApplicableCode", f"{type(error).__name__} in the server; its log says more")


def serve(city: Path, host: str, port: int, with_worker: bool = False, editing: Editing | None = None) -> None:
    """Serve a city until interrupted; print the landing page and the address for QGIS.

    `with_worker`: run a worker of the processes beside the server.

    The environment variable HEXAKOTA_URL is the address that clients use, where it is not `http://host:port` (behind a
    proxy, or on every interface): QGIS follows the links that start with it.

    Raises
    ------
    StoreError
        Nothing is published.
    InputError
        The host or the port cannot be had.
    """
    with _listening(host, port) as listening:
        here = f"[{host}]" if ":" in host else host
        url = os.environ.get("HEXAKOTA_URL") or f"http://{here}:{listening.getsockname()[1]}"
        app = create_app(city, url, editing)
        print(f"halaman awal / landing page: {url}/?f=html\npeta / map: {url}/map.png")
        print(f"QGIS: Layer ▸ Add Layer ▸ Add WFS / OGC API - Features Layer ▸ New ▸ URL: {url}", flush=True)
        with attended(city, with_worker):
            uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens: who reads the printed address may ask at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = (error.strerror or str(error)).split(" (")[0]  # Python adds the address in brackets
        raise InputError(f"{host}:{port}", "--port", f"cannot listen: {why}", "name another host or port") from error
