"""Answers as Starlette sends them: JSON, what pygeoapi returned, and problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pygeoapi.api as core
from pygeoapi.api import APIRequest, itemtypes
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from services.site import Edition

Function = Callable[..., tuple[dict[str, str], int, Any]]


def dumps(content: Any, pretty: bool = False) -> str:
    """Serialise for the client: in place of pygeoapi's to_json, which turns < and > inside values into entities."""
    return orjson.dumps(content, default=str, option=orjson.OPT_INDENT_2 if pretty else None).decode()


core.to_json = itemtypes.to_json = dumps


def leads_somewhere(link: Mapping[str, str]) -> bool:
    """Tell the links that we serve: pygeoapi also writes ones to features as JSON-LD."""
    return "f=jsonld" not in link["href"]


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
