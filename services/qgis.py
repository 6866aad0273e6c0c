"""For QGIS: a ready project whose layers point at this server."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from pyproj import CRS
from starlette.requests import Request
from starlette.responses import Response

from services.openapi import BINARY, LANG, file_path
from services.parts import Link, Page, Part
from services.qgis_project import Sheet, project
from services.site import SYNTHETIC, Edition
from spatial.registry import LAYER_BY_NAME

QGS, QGZ = "application/x-qgis-project", "application/x-qgis-project+zip"
_FIXED = (2000, 1, 1, 0, 0, 0)  # the same project, the same bytes


async def _project(edition: Edition, request: Request) -> Response:
    content = _written(edition, request)
    return Response(content, media_type=QGS, headers=_saved_as("hexakota.qgs"))


async def _zipped(edition: Edition, request: Request) -> Response:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("hexakota.qgs", _FIXED), _written(edition, request))
    return Response(target.getvalue(), media_type=QGZ, headers=_saved_as("hexakota.qgz"))


def _saved_as(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _written(edition: Edition, request: Request) -> bytes:
    """Return the project of the layers that have features; QGIS cannot tell the type of an empty one."""
    lang = "en" if request.headers["accept-language"] == "en" else "id"
    lang = request.query_params.get("lang", lang)
    city: dict[str, Any] = edition.manifest["city"]
    told = edition.manifest["layers"]
    layers = {LAYER_BY_NAME[name]: tuple(layer["bbox"]) for name, layer in told.items() if layer["rows"]}
    west, south, east, north = zip(*layers.values(), city["area"]["bbox"], strict=True)
    mark = SYNTHETIC if city["synthetic"] else ""
    as_of = (city["as_of"] or "–")[:10]
    sheet = Sheet(
        f"{mark}{city['name']}",
        edition.api.base_url,
        CRS(city.get("crs", "EPSG:3857")),
        (min(west), min(south), max(east), max(north)),
        f"Hexakota, versi / version {edition.version.id}, data {as_of}",
        "; ".join(city["attribution"]),
    )
    return project(sheet, layers, lang)


def _links(edition: Edition) -> list[Link]:
    href = f"{edition.api.base_url}/qgis/project.qgs"
    return [{"rel": "enclosure", "type": QGS, "title": "Proyek QGIS / QGIS project", "href": href}]


def _paths(edition: Edition) -> dict[str, Any]:
    told, title = (("/qgis/project.qgs", QGS), ("/qgis/project.qgz", QGZ)), "Proyek QGIS / QGIS project"
    return {path: file_path(path, title, "server", {media: BINARY}, [LANG]) for path, media in told}


PART = Part(
    pages=(
        Page("/qgis/project.qgs", _project, ("qgs",), parameters=frozenset({"lang"})),
        Page("/qgis/project.qgz", _zipped, ("qgz",), parameters=frozenset({"lang"})),
    ),
    paths=_paths,
    landing_links=_links,
)
