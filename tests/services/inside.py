"""A city's application asked within this process, without a server: for cities that are made up in a test."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette


def ask(app: Starlette, path: str, **parameters: Any) -> tuple[int, str, Any]:
    """Return status, media type and body (parsed where it is JSON) of a GET."""
    sent: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not told:
            await asyncio.Event().wait()  # the client stays, and says no more
        return told.pop()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": urlencode(parameters).encode(),
        "headers": [],
        "server": ("127.0.0.1", 80),
        "http_version": "1.1",
    }
    asyncio.run(app(scope, receive, send))
    headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    kind = headers.get("content-type", "")
    return sent[0]["status"], kind, json.loads(body) if "json" in kind else body
