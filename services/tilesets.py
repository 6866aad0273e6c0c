"""What the API says of its vector tiles: the tile matrix set, tile sets, TileJSON, and their OpenAPI paths.

OGC Two Dimensional Tile Matrix Set and Tile Set Metadata 2.0 (17-083r4); OGC API – Tiles – Part 1 1.0 (20-057).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from services.crs import CRS84
from spatial.contracts import Layer
from spatial.registry import LAYER_BY_NAME
from spatial.store.cutting import tile_columns
from spatial.store.mbtiles import TileSet
from spatial.store.tiles import MEDIA_TYPE

MATRIX_SET = "WebMercatorQuad"
MATRIX_SET_URI = f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{MATRIX_SET}"
WEB_MERCATOR = "http://www.opengis.net/def/crs/EPSG/0/3857"
REL = "http://www.opengis.net/def/rel/ogc/1.0"
_LAST_MATRIX = 24
_CITY_ZOOM = 12  # at which a city fills a screen
_HALF_M = math.pi * 6378137.0  # from the middle of the map to its edge
_PIXEL_M = 0.00028  # the standard's rendering pixel
_DIMENSIONS = {"Point": 0, "LineString": 1, "MultiLineString": 1, "Polygon": 2, "MultiPolygon": 2}

Link = dict[str, Any]


def matrix_set(url: str) -> dict[str, Any]:
    """Return the definition of WebMercatorQuad (17-083r4, Annex D.1), computed. `url`: base of the API."""
    return {
        "id": MATRIX_SET,
        "title": "Google Maps Compatible for the World",
        "uri": MATRIX_SET_URI,
        "crs": WEB_MERCATOR,
        "orderedAxes": ["X", "Y"],
        "boundingBox": {"lowerLeft": [-_HALF_M, -_HALF_M], "upperRight": [_HALF_M, _HALF_M], "crs": WEB_MERCATOR},
        "wellKnownScaleSet": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
        "tileMatrices": [_matrix(zoom) for zoom in range(_LAST_MATRIX + 1)],
        "links": [_link(f"{url}/tileMatrixSets/{MATRIX_SET}", "self", "application/json", MATRIX_SET)],
    }


def _matrix(zoom: int) -> dict[str, Any]:
    cell_m = 2 * _HALF_M / 256 / 2**zoom
    return {
        "id": str(zoom),
        "scaleDenominator": cell_m / _PIXEL_M,
        "cellSize": cell_m,
        "cornerOfOrigin": "topLeft",
        "pointOfOrigin": [-_HALF_M, _HALF_M],
        "tileWidth": 256,
        "tileHeight": 256,
        "matrixWidth": 2**zoom,
        "matrixHeight": 2**zoom,
    }


def matrix_sets(url: str) -> dict[str, Any]:
    """Return the list of tile matrix sets: one."""
    whole = matrix_set(url)
    listed = {key: whole[key] for key in ("id", "title", "uri", "crs")}
    links = [_link(f"{url}/tileMatrixSets/{MATRIX_SET}", "self", "application/json", MATRIX_SET)]
    return {
        "tileMatrixSets": [listed | {"links": links}],
        "links": [_link(f"{url}/tileMatrixSets", "self", "application/json", "Tile matrix sets")],
    }


@dataclass(frozen=True, slots=True)
class Asked:
    """A tile set as it was asked for.

    Attributes
    ----------
    url : base of the API.
    version : id of the version whose tiles they are; it is written into every link to tiles.
    pinned : `version` was given.
    tiles : what is served.
    layers : names of the collections in it.
    collection : name of the collection that it belongs to; None: the city's.
    chosen : `collections` was given.
    center : longitude and latitude of the middle of the city.
    """

    url: str
    version: str
    pinned: bool
    tiles: TileSet
    layers: tuple[str, ...]
    collection: str | None
    chosen: bool
    center: tuple[float, float]

    @property
    def home(self) -> str:
        """Address of the API, or of the collection that the tile set belongs to."""
        return self.url if self.collection is None else f"{self.url}/collections/{self.collection}"

    @property
    def path(self) -> str:
        """Address of the list of tile sets."""
        return f"{self.home}/tiles"

    def told(self, path: str, kind: str = "", version: bool = False) -> str:
        """Return an address in the list of tile sets, with the choice and the version where they were asked for."""
        values = {"f": kind} if kind else {}
        values |= {"version": self.version} if version or self.pinned else {}
        values |= {"collections": ",".join(self.layers)} if self.chosen else {}
        query = "&".join(f"{key}={quote(value, safe=',')}" for key, value in values.items())
        return f"{self.path}{path}{'?' if query else ''}{query}"

    @property
    def title(self) -> str:
        """Title in both languages, with the city's name."""
        return str(self.tiles.metadata["name"])

    @property
    def bounds(self) -> list[float]:
        """West, south, east, north in degrees, CRS84."""
        return [float(v) for v in self.tiles.metadata["bounds"].split(",")]

    @property
    def vector_layers(self) -> list[dict[str, Any]]:
        """TileJSON's `vector_layers`, in the order of the collections."""
        known = {row["id"]: row for row in self.tiles.metadata["json"]["vector_layers"]}
        return [known[name] for name in self.layers if name in known]


def tile_sets(asked: Asked) -> dict[str, Any]:
    """Return the list of tile sets of a collection or of the city: one."""
    listed = _identity(asked) | {"links": [_self(asked), _scheme(asked)]}
    return {"tilesets": [listed], "links": [_link(asked.told(""), "self", "application/json", "")]}


def tile_set_metadata(asked: Asked) -> dict[str, Any]:
    """Return the metadata of a tile set (17-083r4, Annex A, tileSet.json)."""
    west, south, east, north = asked.bounds
    return _identity(asked) | {
        "description": asked.tiles.metadata["description"],
        "version": asked.version,
        "attribution": asked.tiles.metadata["attribution"],
        "mediaTypes": [MEDIA_TYPE],
        "boundingBox": {"lowerLeft": [west, south], "upperRight": [east, north], "crs": CRS84},
        "centerPoint": {"coordinates": list(asked.center), "crs": CRS84, "tileMatrix": str(_CITY_ZOOM)},
        "tileMatrixSetLimits": [
            {
                "tileMatrix": str(zoom),
                "minTileRow": limits.min_row,
                "maxTileRow": limits.max_row,
                "minTileCol": limits.min_col,
                "maxTileCol": limits.max_col,
            }
            for zoom, limits in asked.tiles.limits.items()
        ],
        "layers": [_layer(asked, row) for row in asked.vector_layers],
        "links": [
            _self(asked),
            _scheme(asked),
            _link(asked.told(f"/{MATRIX_SET}", "tilejson"), "alternate", "application/json", "TileJSON"),
            _link(_template(asked, "{tileMatrix}/{tileRow}/{tileCol}"), "item", MEDIA_TYPE, "MVT")
            | {"templated": True},
        ],
    }


def tile_json(asked: Asked) -> dict[str, Any]:
    """Return the TileJSON 3.0 document of a tile set."""
    metadata = asked.tiles.metadata
    return {
        "tilejson": "3.0.0",
        "tiles": [_template(asked, "{z}/{y}/{x}")],
        "vector_layers": asked.vector_layers,
        "name": asked.title,
        "description": metadata["description"],
        "attribution": asked.tiles.metadata["attribution"],
        "version": "1.0.0",
        "scheme": "xyz",
        "bounds": asked.bounds,
        "center": [*asked.center, _CITY_ZOOM],
        "minzoom": int(metadata["minzoom"]),
        "maxzoom": int(metadata["maxzoom"]),
    }


def _identity(asked: Asked) -> dict[str, Any]:
    return {
        "title": asked.title,
        "dataType": "vector",
        "crs": WEB_MERCATOR,
        "tileMatrixSetURI": MATRIX_SET_URI,
    }


def _template(asked: Asked, address: str) -> str:
    return asked.told(f"/{MATRIX_SET}/{address}", "mvt", version=True)


def _self(asked: Asked) -> Link:
    return _link(asked.told(f"/{MATRIX_SET}"), "self", "application/json", asked.title)


def _scheme(asked: Asked) -> Link:
    url = f"{asked.url}/tileMatrixSets/{MATRIX_SET}"
    return _link(url, f"{REL}/tiling-scheme", "application/json", MATRIX_SET)


def _link(href: str, rel: str, media: str, title: str) -> Link:
    return {"href": href, "rel": rel, "type": media} | ({"title": title} if title else {})


def _layer(asked: Asked, vector: Mapping[str, Any]) -> dict[str, Any]:
    layer: Layer = LAYER_BY_NAME[vector["id"]]
    kinds = {"integer": "integer", "number": "number"}
    return {
        "id": layer.name,
        "title": f"{layer.title_id} / {layer.title_en}",
        "description": vector["description"],
        "dataType": "vector",
        "geometryDimension": _DIMENSIONS[layer.geometry],
        "minTileMatrix": str(vector["minzoom"]),
        "maxTileMatrix": str(vector["maxzoom"]),
        "propertiesSchema": {
            "type": "object",
            "properties": {
                c.name: {"title": vector["fields"][c.name], "type": kinds.get(c.kind, "string")}
                for c in tile_columns(layer)
                if c.name in vector["fields"]
            },
        },
        "links": [_link(f"{asked.url}/collections/{layer.name}", f"{REL}/geodata", "application/json", layer.title_en)],
    }


def tileset_links(url: str, name: str | None) -> list[dict[str, str]]:
    """Return the link of the landing page, or of a collection, to its tile sets."""
    path = f"{url}/tiles" if name is None else f"{url}/collections/{name}/tiles"
    title = "Ubin vektor / vector tiles"
    return [{"rel": f"{REL}/tilesets-vector", "type": "application/json", "title": title, "href": path}]
