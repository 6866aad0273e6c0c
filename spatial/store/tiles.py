"""Vector tiles of a version: one MBTiles file per layer that has features, and `city.mbtiles` of them all.

`levels` decides what is drawn at which zoom, `cutting` cuts it. The same layers give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd

from spatial.contracts import Column, Layer, checked
from spatial.errors import NotFoundError
from spatial.store.cutting import COUNTS, cut, tile_columns
from spatial.store.levels import MAX_ZOOM, MIN_ZOOM, Level, levels
from spatial.store.mbtiles import Address, Piece, TileSet, deflated, open_tiles, read_tiles, write_mbtiles

FOLDER = "tiles"
CITY = "city"
"""Name of the tile set of all layers."""

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"


def write_tiles(
    folder: Path, tables: Mapping[Layer, gpd.GeoDataFrame], city: Mapping[str, Any], base: Path | None = None
) -> dict[str, Any]:
    """Write the tile sets of a version.

    Parameters
    ----------
    folder : to create, in the version's folder.
    tables : a table per layer, CRS84; those without features get no tile set.
    city : the manifest's entry: `name`, `synthetic`, `attribution`.
    base : folder with the tile sets of another version; those of layers that `tables` does not name are taken over.

    Returns
    -------
    What the manifest says: `min_zoom`, `max_zoom`, and of each tile set its `file`, `bytes` and `sha256`.

    Raises
    ------
    ContractError
        A table breaks its layer's contract.
    StoreError
        tippecanoe is missing or fails.
    """
    folder.mkdir()
    rows = {layer: checked(layer, table).sort_values(layer.id_column) for layer, table in tables.items() if len(table)}
    drawn = {layer: levels(layer, table) for layer, table in rows.items()}
    tiles = cut(drawn, folder)
    told = {layer.name: _metadata(layer, drawn[layer], city) for layer in rows}
    for carried in _others(base, {CITY, *(layer.name for layer in tables)}):
        tiles[carried.path.stem] = {address: deflated(tile) for address, tile in read_tiles(carried.path)}
        told[carried.path.stem] = dict(carried.metadata)
    whole: dict[Address, list[Piece]] = defaultdict(list)
    for name in sorted(tiles):
        write_mbtiles(folder / f"{name}.mbtiles", {a: [piece] for a, piece in tiles[name].items()}, told[name])
        for address, piece in tiles[name].items():
            whole[address].append(piece)
    if whole:
        write_mbtiles(folder / f"{CITY}.mbtiles", whole, _joined([told[name] for name in sorted(tiles)], city))
    sets = {path.stem: _described(path) for path in sorted(folder.glob("*.mbtiles"))}
    return {"min_zoom": MIN_ZOOM, "max_zoom": MAX_ZOOM, "sets": sets}


def tile_set(version: Path, name: str = CITY) -> TileSet:
    """Return the tile set of a layer, or of all, in a version's folder. Raises NotFoundError, which says why."""
    path = version / FOLDER / f"{name}.mbtiles"
    if path.is_file():
        return open_tiles(path)
    if not path.parent.is_dir():
        raise NotFoundError(
            f"version {version.name} has no tiles: an earlier release published it; `hexakota run --force` makes them"
        )
    raise NotFoundError(f"{name} has no tiles in version {version.name}: it has no features there")


def has_tiles(version: Path, name: str) -> bool:
    """Tell whether a version's folder has the tile set of a layer, or of all."""
    return (version / FOLDER / f"{name}.mbtiles").is_file()


def _others(base: Path | None, named: Iterable[str]) -> list[TileSet]:
    paths = () if base is None else sorted(base.glob("*.mbtiles"))
    return [open_tiles(path) for path in paths if path.stem not in named]


def _metadata(layer: Layer, drawn: Sequence[Level], city: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the tile set of a layer says of itself, by MBTiles' names."""
    whole = drawn[-1].first
    title = f"{layer.title_id} / {layer.title_en}"
    told = f"{title}. Setiap fitur ada mulai zoom {whole} / every feature is there from zoom {whole} on."
    counts = {name: text for name, text in COUNTS.items() if any(name in level.table for level in drawn)}
    vector = {
        "id": layer.name,
        "description": told,
        "minzoom": drawn[0].first,
        "maxzoom": MAX_ZOOM,
        "fields": {c.name: _labelled(c) for c in tile_columns(layer)} | counts,
    }
    west, south, east, north = (float(v) for v in drawn[-1].table.total_bounds)
    return _common(title, told, (west, south, east, north), [vector], city)


def _labelled(column: Column) -> str:
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.title_id} / {column.title_en}{unit}"


def _joined(sets: Sequence[Mapping[str, Any]], city: Mapping[str, Any]) -> dict[str, Any]:
    boxes = [[float(v) for v in told["bounds"].split(",")] for told in sets]
    west, south, east, north = zip(*boxes, strict=True)
    vectors = [vector for told in sets for vector in told["json"]["vector_layers"]]
    box = (min(west), min(south), max(east), max(north))
    return _common("semua layer / all layers", "; ".join(v["description"] for v in vectors), box, vectors, city)


def _common(
    title: str,
    told: str,
    box: tuple[float, float, float, float],
    vectors: list[dict[str, Any]],
    city: Mapping[str, Any],
) -> dict[str, Any]:
    first = min(vector["minzoom"] for vector in vectors)
    synthetic = "[SINTETIS / SYNTHETIC] " if city["synthetic"] else ""
    return {
        "name": f"{synthetic}{city['name']}: {title}",
        "description": told,
        "attribution": "; ".join(city["attribution"]),
        "format": "pbf",
        "type": "overlay",
        "version": "1",
        "minzoom": str(first),
        "maxzoom": str(MAX_ZOOM),
        "bounds": ",".join(f"{v:.7f}" for v in box),
        "json": {"vector_layers": vectors},
    }


def _described(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {
        "file": f"{FOLDER}/{path.name}",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
