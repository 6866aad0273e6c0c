"""Vector tiles read back by other libraries, for tests: `mapbox-vector-tile` decodes, pyproj projects."""

from __future__ import annotations

import gzip
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import shapely
import shapely.affinity
from pyproj import Transformer
from shapely.geometry import shape

WORLD_M = 2 * 20037508.342789244
TO_METRES = Transformer.from_crs("OGC:CRS84", "EPSG:3857", always_xy=True)


def stored(path: Path, zoom: int) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
    """Yield (row from the north, column) and the decoded layers of each tile of an MBTiles file at a zoom."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT tile_row, tile_column, tile_data FROM tiles WHERE zoom_level = ?", (zoom,)
        ).fetchall()
    for tms_row, column, data in rows:
        yield (2**zoom - 1 - tms_row, column), decoded(gzip.decompress(data))


def decoded(tile: bytes) -> dict[str, Any]:
    """Decode a tile, y from the north."""
    return mapbox_vector_tile.decode(tile, default_options={"y_coord_down": True})


def unit_m(zoom: int) -> float:
    """Side of a unit of the 4096-grid of a tile, in metres of EPSG:3857."""
    return WORLD_M / 2**zoom / 4096


def features(path: Path, layer: str, key: str, zoom: int) -> dict[str, tuple[dict[str, Any], Any]]:
    """Return attributes and the geometry in EPSG:3857, put together from its pieces without the tiles' buffers."""
    pieces: dict[str, list[Any]] = defaultdict(list)
    attributes: dict[str, dict[str, Any]] = {}
    for (row, column), layers in stored(path, zoom):
        assert set(layers) <= {layer}
        for feature in layers.get(layer, {"features": []})["features"]:
            identifier = feature["properties"][key]
            assert attributes.setdefault(identifier, feature["properties"]) == feature["properties"]
            pieces[identifier].append(_placed(shape(feature["geometry"]), row, column))
    unit = unit_m(zoom)
    place = lambda xy: xy * [unit, -unit] + [-WORLD_M / 2, WORLD_M / 2]  # noqa: E731
    whole = {name: shapely.union_all(parts, grid_size=1e-3) for name, parts in pieces.items()}
    return {name: (attributes[name], shapely.transform(whole[name], place)) for name in pieces}


def _placed(geometry: Any, row: int, column: int) -> Any:
    """Return a piece of a feature in units of the whole matrix, without the tile's buffer."""
    own = shapely.make_valid(geometry).intersection(shapely.box(0, 0, 4096, 4096))
    return shapely.affinity.translate(own, column * 4096, row * 4096)


def counted(path: Path, layer: str, zoom: int) -> list[dict[str, Any]]:
    """Return the attributes of the points at a zoom, each once: those in a tile's buffer are the next tile's."""
    return [
        feature["properties"]
        for _, layers in stored(path, zoom)
        for feature in layers.get(layer, {"features": []})["features"]
        for x, y in [feature["geometry"]["coordinates"]]
        if 0 <= x < 4096 and 0 <= y < 4096
    ]
