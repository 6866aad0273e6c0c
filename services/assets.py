"""The style sheet, the script and MapLibre, from the installed packages: nothing comes from another host."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

import services
from services.openapi import Schema, file_path, query_parameter
from services.parts import Page, Part
from services.site import Edition
from spatial.errors import NotFoundError

_TYPES = {".css": "text/css", ".js": "text/javascript"}


def _assets() -> Mapping[str, Path]:
    """Return the files by name. `maplibre` is found, never imported: its import speaks to the log."""
    spec = find_spec("maplibre")
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise ModuleNotFoundError("the package `maplibre` is not installed: maps need it; install requirements.lock")
    theirs = [Path(places[0]) / "srcjs" / name for name in ("maplibre-gl.js", "maplibre-gl.css")]
    ours = [Path(str(files(services))) / "html" / name for name in ("hexakota.css", "hexakota.js")]
    return {path.name: path for path in (*theirs, *ours)}


ASSETS = _assets()
STAMP = hashlib.sha256(b"\0".join(path.read_bytes() for path in ASSETS.values())).hexdigest()[:12]
"""Part of every asset's address, `?v=`, so that a browser may keep it for good."""


async def _asset(edition: Edition, request: Request) -> Response:
    name = str(request.path_params["asset"])
    if name not in ASSETS:
        raise NotFoundError(f"there is no page {request.url.path}")
    age = "public, max-age=31536000, immutable" if request.query_params.get("v") == STAMP else "no-cache"
    headers = {"Cache-Control": age, "X-Content-Type-Options": "nosniff"}
    path = ASSETS[name]
    return await run_in_threadpool(FileResponse, path, headers=headers, media_type=_TYPES[path.suffix])


def _paths(edition: Edition) -> dict[str, Any]:
    one: Schema = {"name": "asset", "in": "path", "required": True, "description": "file"}
    one |= {"schema": {"type": "string", "enum": list(ASSETS)}}
    stamp = query_parameter("v", "makes the answer one to keep for good", {"type": "string"})
    media = {media: {"type": "string"} for media in _TYPES.values()}
    return {
        "/assets/{asset}": file_path(
            "/assets/{asset}", "Berkas halaman / files of the pages", "server", media, [one, stamp]
        )
    }


PART = Part(
    pages=(Page("/assets/{asset}", _asset, formats=("file",), parameters=frozenset({"v"})),),
    paths=_paths,
)
