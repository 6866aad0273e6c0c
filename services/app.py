"""Composition root of the server: pygeoapi's functions and our parts as one ASGI application."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pygeoapi
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services import editable, items, pages, transactions
from services.answers import defect, no_such_page, problem
from services.editing import Editing
from services.errors import http_status
from services.live import Live
from services.parameters import BadRequestError, check, negotiated
from services.parts import Page, Part
from services.site import Site
from spatial.config import load_place
from spatial.errors import HexakotaError, InputError
from spatial.store.opening import open_reports

PARTS: tuple[Part, ...] = (pages.PART, items.PART, transactions.PART)


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
    static = Path(pygeoapi.__file__).parent / "static"
    parts = PARTS if editing is None else (*PARTS, editable.PART)
    routes = [_route(site, page) for part in parts for page in part.pages]
    app = Starlette(
        routes=[*routes, Mount("/static", StaticFiles(directory=static))],
        exception_handlers={HTTPException: no_such_page, Exception: defect},
    )
    app.state.parts = parts
    app.state.live = None if editing is None else Live(open_reports(load_place(site.city)), editing)
    return app


def _route(site: Site, page: Page) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            asked = negotiated(request, page.formats)
            if page.parameters is not None:
                check(asked, page.parameters)
            return await page.handler(site.edition(), asked)
        except BadRequestError as error:
            return problem(error.status, "InvalidParameterValue", str(error))
        except HexakotaError as error:
            status = http_status(error)
            code = {400: "InvalidParameterValue", 404: "NotFound"}.get(status, "NoApplicableCode")
            return problem(status, code, str(error))

    return Route(page.path, endpoint, methods=list(page.methods))


def serve(city: Path, host: str, port: int, editing: Editing | None = None) -> None:
    """Serve a city until interrupted; print the landing page and the address for QGIS.

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
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens: who reads the printed address may ask at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = (error.strerror or str(error)).split(" (")[0]  # Python adds the address in brackets
        raise InputError(f"{host}:{port}", "--port", f"cannot listen: {why}", "name another host or port") from error
