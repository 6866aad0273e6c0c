"""OGC API – Tiles: vector tiles that were cut at publication, of each collection and of the whole city.

A tile is one look-up in an MBTiles file, on the server's own thread, and goes out gzipped as it lies there to clients
that accept it. One without content is a 204, one outside the tile set's limits a 404 (20-057, /req/core/tc-error).
"""

from __future__ import annotations

import gzip
import re
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

from services.answers import json_response
from services.parameters import BadRequestError
from services.parts import Page, Part
from services.site import Edition
from services.tile_paths import tile_paths
from services.tilesets import (
    MATRIX_SET,
    REL,
    Asked,
    matrix_set,
    matrix_sets,
    tile_json,
    tile_set_metadata,
    tile_sets,
    tileset_links,
)
from spatial.errors import NotFoundError
from spatial.registry import LAYER_BY_NAME
from spatial.store.mbtiles import Address
from spatial.store.tiles import CITY, MEDIA_TYPE, has_tiles, tile_set
from spatial.store.versions import Version, Versions

_SETS = frozenset({"f", "lang", "version"})
_TILE = frozenset({"f", "version"})
_CHOICE = frozenset({"collections"})
_SPEC = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf"
_CLASSES = (
    "core",
    "tileset",
    "tilesets-list",
    "dataset-tilesets",
    "geodata-tilesets",
    "collections-selection",
    "mvt",
    "oas30",
)
_DIGITS = 10
_FOREVER = "public, max-age=31536000, immutable"


async def _matrix_sets(edition: Edition, request: Request) -> Response:
    return json_response(matrix_sets(edition.api.base_url))


async def _matrix_set(edition: Edition, request: Request) -> Response:
    _check_matrix_set(request)
    return json_response(matrix_set(edition.api.base_url))


async def _tile_sets(edition: Edition, request: Request) -> Response:
    return json_response(tile_sets(asked_for(edition, request)))


async def _tile_set(edition: Edition, request: Request) -> Response:
    _check_matrix_set(request)
    asked = asked_for(edition, request)
    if request.query_params.get("f") == "tilejson":
        return json_response(tile_json(asked))
    return json_response(tile_set_metadata(asked))


async def _tile(edition: Edition, request: Request) -> Response:
    _check_matrix_set(request)
    version, name, address = version_of(edition, request), set_name(request), _address(request)
    limits = tile_set(version.path, name).limits.get(address[0])
    if limits is None or not limits.hold(*address[1:]):
        told = "/".join(map(str, address))
        raise NotFoundError(f"tileMatrix/tileRow/tileCol {told}: outside the limits that the tile set states")
    names = _chosen(edition, request) or (name,)
    packed = len(names) == 1 and _takes_gzip(request.headers.get("accept-encoding", ""))
    tag = "-".join((version.id, *names, *map(str, address), "gzip" if packed else "plain"))
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": _FOREVER if "version" in request.query_params else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    pieces = _pieces(version, names, address)
    if not pieces:
        return Response(None, 204, headers)
    if packed:
        return Response(pieces[0], 200, headers | {"Content-Encoding": "gzip"}, MEDIA_TYPE)
    return Response(b"".join(map(gzip.decompress, pieces)), 200, headers, MEDIA_TYPE)


def _pieces(version: Version, names: tuple[str, ...], address: Address) -> list[bytes]:
    """Return the gzipped tiles of some collections, the first first: unpacked and joined, they are one tile."""
    found = (tile_set(version.path, name).tile(address) for name in names if has_tiles(version.path, name))
    return [data for data in found if data is not None]


@lru_cache(maxsize=256)
def _takes_gzip(accepted: str) -> bool:
    """Tell whether a client that sends this Accept-Encoding takes gzip."""
    for part in accepted.lower().split(","):
        coding, *options = (piece.strip() for piece in part.split(";"))
        if coding in ("gzip", "*"):
            return not any(re.fullmatch(r"q=0(\.0*)?", option) for option in options)
    return False


def _address(request: Request) -> Address:
    """Return zoom, row and column of a request; raises BadRequestError where one is no number."""
    texts = [str(request.path_params[key]) for key in ("z", "row", "col")]
    for name, text in zip(("tileMatrix", "tileRow", "tileCol"), texts, strict=True):
        if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
            raise BadRequestError(f"{name}={text}: expected a whole number from 0 up")
    zoom, row, col = map(int, texts)
    return zoom, row, col


def _check_matrix_set(request: Request) -> None:
    name = request.path_params["matrix_set"]
    if name != MATRIX_SET:
        raise NotFoundError(f"there is no tile matrix set {name!r} here; there is {MATRIX_SET}")


def set_name(request: Request) -> str:
    """Return the collection that the address names, or the tile set of all. Raises NotFoundError."""
    name = str(request.path_params.get("name", CITY))
    if (name != CITY and name not in LAYER_BY_NAME) or request.path_params.get("name") == CITY:
        raise NotFoundError(f"there is no collection {name!r}")
    return name


def _chosen(edition: Edition, request: Request) -> tuple[str, ...] | None:
    """Return what `collections` names, by id or by address; None where it was not given. Raises BadRequestError."""
    text = request.query_params.get("collections")
    if text is None:
        return None
    names = tuple(part.removeprefix(f"{edition.api.base_url}/collections/") for part in text.split(","))
    for name in names:
        if name not in LAYER_BY_NAME:
            raise BadRequestError(f"collections={text}: {name!r} is none; expected {', '.join(LAYER_BY_NAME)}")
    if len(set(names)) < len(names):
        raise BadRequestError(f"collections={text}: one is named twice")
    return names


def version_of(edition: Edition, request: Request) -> Version:
    """Return the version that `version=` names, or the served one. Raises NotFoundError."""
    wanted = request.query_params.get("version", edition.version.id)
    if wanted == edition.version.id:
        return edition.version
    try:
        return Versions(edition.version.path.parents[1]).get(wanted)
    except NotFoundError as error:
        raise NotFoundError(f"version={wanted}: there is no such version") from error


def asked_for(edition: Edition, request: Request) -> Asked:
    """Return the tile set that a request asks for. Raises NotFoundError, BadRequestError."""
    version, name = version_of(edition, request), set_name(request)
    tiles = tile_set(version.path, name)
    chosen = _chosen(edition, request)
    west, south, east, north = edition.manifest["city"]["area"]["bbox"]
    return Asked(
        url=edition.api.base_url,
        version=version.id,
        pinned="version" in request.query_params,
        tiles=tiles,
        layers=chosen or tuple(row["id"] for row in tiles.metadata["json"]["vector_layers"]),
        collection=None if name == CITY else name,
        chosen=chosen is not None,
        center=((west + east) / 2, (south + north) / 2),
    )


def _landing_links(edition: Edition) -> list[dict[str, str]]:
    url = edition.api.base_url
    schemes = {"rel": f"{REL}/tiling-schemes", "type": "application/json", "title": "Tile matrix sets"}
    own = tileset_links(url, None) if has_tiles(edition.version.path, CITY) else []
    return [*own, schemes | {"href": f"{url}/tileMatrixSets"}]


def _collection_links(edition: Edition, name: str) -> list[dict[str, str]]:
    return tileset_links(edition.api.base_url, name) if has_tiles(edition.version.path, name) else []


PART = Part(
    pages=(
        Page("/tileMatrixSets", _matrix_sets, ("json",)),
        Page("/tileMatrixSets/{matrix_set}", _matrix_set, ("json",)),
        Page("/tiles", _tile_sets, ("json",), _SETS | _CHOICE),
        Page("/tiles/{matrix_set}", _tile_set, ("json", "tilejson"), _SETS | _CHOICE),
        Page("/tiles/{matrix_set}/{z}/{row}/{col}", _tile, ("mvt",), _TILE | _CHOICE),
        Page("/collections/{name}/tiles", _tile_sets, ("json",), _SETS),
        Page("/collections/{name}/tiles/{matrix_set}", _tile_set, ("json", "tilejson"), _SETS),
        Page("/collections/{name}/tiles/{matrix_set}/{z}/{row}/{col}", _tile, ("mvt",), _TILE),
    ),
    conformance=(
        "http://www.opengis.net/spec/tms/2.0/conf/tilematrixset",
        "http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixset",
        "http://www.opengis.net/spec/tms/2.0/conf/tilesetmetadata",
        "http://www.opengis.net/spec/tms/2.0/conf/json-tilesetmetadata",
        *(f"{_SPEC}/{name}" for name in _CLASSES),
    ),
    paths=tile_paths,
    landing_links=_landing_links,
    collection_links=_collection_links,
)
