"""Answers as Starlette sends them: JSON, what pygeoapi returned, and problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pygeoapi.api as core
from pygeoapi.api import APIRequest, itemtypes
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.site import Edition

Function = Callable[..., tuple[dict[str, str], int, Any]]


def dumps(content: Any, pretty: bool = False) -> str:
    """Serialise for the client: in place of pygeoapi's to_json, which turns < and > inside values into entities."""
    if isinstance(content, dict) and "links" in content:
        content["links"] = [link for link in content["links"] if leads_somewhere(link, content.get("numberMatched"))]
    return orjson.dumps(content, default=str, option=orjson.OPT_INDENT_2 if pretty else None).decode()


core.to_json = itemtypes.to_json = dumps


def leads_somewhere(link: Mapping[str, str], matched: int | None = None) -> bool:
    """Tell the links that we serve: no JSON-LD, and no `next` to an empty page (pygeoapi writes it on a full page)."""
    offset = re.search(r"[?&]offset=(\d+)", link["href"]) if link["rel"] == "next" and matched is not None else None
    past_the_end = offset is not None and matched is not None and int(offset[1]) >= matched
    return "f=jsonld" not in link["href"] and not past_the_end


def json_response(content: Any, media_type: str = "application/json", status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(dumps(content), status, media_type=media_type)


def problem(status: int, code: str, description: str) -> Response:
    """Answer with OGC's exception object."""
    body = {"code": code, "type": code, "description": description}
    return Response(orjson.dumps(body), int(status), media_type="application/json")


async def ask(edition: Edition, request: Request, function: Function, *names: str) -> tuple[dict[str, str], int, Any]:
    """Call a function of pygeoapi in a thread."""
    asked = await APIRequest.from_starlette(request, edition.api.locales)
    return await run_in_threadpool(function, edition.api, asked, *names)


def respond(headers: Mapping[str, str], status: int, content: Any, media_type: str | None = None) -> Response:
    """Send on what pygeoapi answered, JSON as `media_type`."""
    kept = {key: value for key, value in headers.items() if key.lower() not in ("content-type", "content-encoding")}
    is_json = status == 200 and headers["Content-Type"].startswith("application/json")
    return Response(content, status, kept, media_type if media_type and is_json else headers["Content-Type"])


def is_html(headers: Mapping[str, str]) -> bool:
    """Tell whether pygeoapi answered with a page."""
    return headers["Content-Type"].startswith("text/html")


async def no_such_page(request: Request, error: Exception) -> Response:
    """Answer for an address or a method that is not served."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    told = {404: f"there is no page {request.url.path}", 405: f"{request.method} is not supported here"}
    return problem(status, "NotFound" if status == 404 else "InvalidRequest", told.get(status, str(error)))


async def defect(request: Request, error: Exception) -> Response:
    """Answer for what nobody expected; the server's log holds the traceback."""
    return problem(500, "NoApplicableCode", f"{type(error).__name__} in the server; its log says more")
