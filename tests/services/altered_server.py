"""Run as a program: serve a city with tiles that are easily known again, and maps that load five features at most."""

from __future__ import annotations

import socket
import sys
from functools import partial
from pathlib import Path

import mapbox_vector_tile
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import services.maps
from services.app import create_app
from services.parts import Page, Part
from services.site import Edition, Site

TILES = "/collections/{name}/tiles/WebMercatorQuad"
LINK = {"rel": "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector", "type": "application/json", "href": "x"}


async def tile_json(edition: Edition, request: Request) -> Response:
    """The tile set of the flood zones, under another host's name as behind a proxy; other layers have none."""
    name = request.path_params["name"]
    if name != "flood_zones" or request.query_params["version"] != edition.version.id:
        return Response(status_code=404)
    template = f"https://gis.example/collections/{name}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f=mvt"
    return JSONResponse({"tiles": [template], "minzoom": 0, "maxzoom": 14})


async def tile(edition: Edition, request: Request) -> Response:
    """A tile that one high zone fills."""
    square = {"geometry": "POLYGON ((0 0, 4096 0, 4096 4096, 0 4096, 0 0))"}
    feature = square | {"properties": {"zone_id": "none", "severity": "high"}}
    body = mapbox_vector_tile.encode([{"name": "flood_zones", "features": [feature]}])
    return Response(body, media_type="application/vnd.mapbox-vector-tile")


def main(city: Path) -> None:
    """Serve until interrupted; print the address."""
    services.maps.LIMIT = 5
    part = Part(
        pages=(Page(TILES, tile_json), Page(TILES + "/{z}/{y}/{x}", tile)),
        collection_links=lambda edition, name: [LINK],
    )
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = create_app(city, url)
    app.state.parts = (*app.state.parts, part)
    edition = Site(city, url).edition()
    for page in part.pages:
        app.router.routes.insert(0, Route(page.path, partial(page.handler, edition)))
    print(url, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
