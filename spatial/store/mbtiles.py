"""Vector tiles in MBTiles 1.3 files: written so that equal tiles give equal bytes, read by one look-up.

A tile is kept gzipped. Rows are those of WebMercatorQuad, from north to south; MBTiles counts them from the south.
"""

from __future__ import annotations

import gzip
import json
import math
import sqlite3
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from spatial.errors import NotFoundError

Address = tuple[int, int, int]
"""Zoom (tile matrix), row from the north, column."""

_HEADER = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))  # of gzip: deflate, no flags, no time, no system
_LAST_BLOCK = b"\x03\x00"  # of deflate: an empty one
_MOST_NORTH = 85.0511287798066  # latitude of the upper edge of WebMercatorQuad
_MOST_OPEN = 64  # files a thread keeps open
_SCHEMA = """
CREATE TABLE metadata (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB);
CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row);
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Rows and columns, both inclusive, between which a tile set lies at one zoom; not every tile has content."""

    min_row: int
    max_row: int
    min_col: int
    max_col: int

    def hold(self, row: int, col: int) -> bool:
        """Tell whether a tile lies within."""
        return self.min_row <= row <= self.max_row and self.min_col <= col <= self.max_col


@dataclass(frozen=True, slots=True)
class TileSet:
    """An MBTiles file: what it says of itself, and its tiles.

    Attributes
    ----------
    metadata : MBTiles' own; `json` is parsed and holds `vector_layers`.
    limits : by zoom.
    """

    path: Path
    metadata: Mapping[str, Any]
    limits: Mapping[int, Limits]

    def tile(self, address: Address) -> bytes | None:
        """Return a tile, gzipped, or None where there is none."""
        zoom, row, col = address
        found = _CONNECTIONS.of(self.path).execute(
            "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
            (zoom, col, 2**zoom - 1 - row),
        )
        data = found.fetchone()
        return None if data is None else bytes(data[0])


class _Connections(threading.local):
    """Read-only connections of one thread; the least used is closed when there are too many."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, sqlite3.Connection] = OrderedDict()

    def of(self, path: Path) -> sqlite3.Connection:
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        while len(self._open) >= _MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        self._open[path] = _read_only(path)
        return self._open[path]


_CONNECTIONS = _Connections()


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)


@lru_cache(maxsize=256)
def open_tiles(path: Path) -> TileSet:
    """Return the tile set of an MBTiles file that never changes. Raises NotFoundError."""
    if not path.is_file():
        raise NotFoundError(f"{path}: no such MBTiles file")
    with closing(_read_only(path)) as connection:
        metadata: dict[str, Any] = dict(connection.execute("SELECT name, value FROM metadata"))
        rows = connection.execute(
            "SELECT zoom_level, min(tile_row), max(tile_row), min(tile_column), max(tile_column) "
            "FROM tiles GROUP BY zoom_level ORDER BY zoom_level"
        ).fetchall()
    found = {z: Limits(2**z - 1 - high, 2**z - 1 - low, left, right) for z, low, high, left, right in rows}
    box = [float(v) for v in metadata["bounds"].split(",")]
    zooms = range(int(metadata["minzoom"]), int(metadata["maxzoom"]) + 1)
    limits = {z: _around(_of_box(box, z), found.get(z)) for z in zooms}
    return TileSet(path, metadata | {"json": json.loads(metadata["json"])}, limits)


def _of_box(box: Sequence[float], zoom: int) -> Limits:
    """Return the tiles that a box (west, south, east, north; degrees, CRS84) meets."""
    west, south, east, north = box
    return Limits(_row(north, zoom), _row(south, zoom), _column(west, zoom), _column(east, zoom))


def _row(lat: float, zoom: int) -> int:
    northing = math.asinh(math.tan(math.radians(min(max(lat, -_MOST_NORTH), _MOST_NORTH)))) / math.pi
    return _within(math.floor((1 - northing) / 2 * 2**zoom), zoom)


def _column(lon: float, zoom: int) -> int:
    return _within(math.floor((lon + 180) / 360 * 2**zoom), zoom)


def _within(number: int, zoom: int) -> int:
    last: int = 2**zoom - 1
    return min(max(number, 0), last)


def _around(one: Limits, other: Limits | None) -> Limits:
    if other is None:
        return one
    return Limits(
        min(one.min_row, other.min_row),
        max(one.max_row, other.max_row),
        min(one.min_col, other.min_col),
        max(one.max_col, other.max_col),
    )


def read_tiles(path: Path) -> Iterator[tuple[Address, bytes]]:
    """Yield every tile of an MBTiles file, unpacked (they may lie there either way), by zoom, column and row."""
    with closing(_read_only(path)) as connection:
        rows = connection.execute(
            "SELECT zoom_level, tile_row, tile_column, tile_data FROM tiles "
            "ORDER BY zoom_level, tile_column, tile_row DESC"
        )
        for zoom, row, col, data in rows:
            packed = data[:2] == _HEADER[:2]
            yield (zoom, 2**zoom - 1 - row, col), gzip.decompress(data) if packed else data


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a tile that one layer makes: as it is, and as deflate blocks of which none is the last."""

    plain: bytes
    blocks: bytes


def deflated(plain: bytes) -> Piece:
    """Return a piece of a tile with its deflate blocks, which end on a whole byte: they can follow each other."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Piece(plain, packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH))


def gzipped(pieces: Sequence[Piece]) -> bytes:
    """Return pieces that follow each other as one gzip member (RFC 1952) without a time; nothing is packed again."""
    checksum = length = 0
    for piece in pieces:
        checksum, length = zlib.crc32(piece.plain, checksum), length + len(piece.plain)
    blocks = b"".join(piece.blocks for piece in pieces)
    return _HEADER + blocks + _LAST_BLOCK + struct.pack("<II", checksum, length & 0xFFFFFFFF)


def write_mbtiles(path: Path, tiles: Mapping[Address, Sequence[Piece]], metadata: Mapping[str, Any]) -> None:
    """Write a new MBTiles file.

    Parameters
    ----------
    tiles : the pieces of each tile.
    metadata : by MBTiles' names; a value that is not text is written as JSON.
    """
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
        connection.executemany("INSERT INTO metadata VALUES (?, ?)", sorted(texts.items()))
        ordered = sorted(tiles, key=lambda address: (address[0], address[2], address[1]))
        connection.executemany(
            "INSERT INTO tiles VALUES (?, ?, ?, ?)",
            ((z, col, 2**z - 1 - row, gzipped(tiles[z, row, col])) for z, row, col in ordered),
        )


def layers_of(tile: bytes) -> dict[str, bytes]:
    """Cut an unpacked vector tile into its layers; joined in any order, the pieces are a vector tile again.

    A tile is a sequence of `layers` (field 3), a layer's `name` is its field 1 (Mapbox Vector Tile 2.1, §4.1).
    """
    pieces: dict[str, bytes] = {}
    position = 0
    while position < len(tile):
        start = position
        length, body = _varint(tile, position + 1)
        position = body + length
        pieces[_name(tile, body, position)] = tile[start:position]
    return pieces


def _name(tile: bytes, position: int, end: int) -> str:
    while position < end:
        key, position = _varint(tile, position)
        number, position = _varint(tile, position)  # a varint's value, or the length of what follows
        if key == 0x0A:
            return tile[position : position + number].decode()
        position += number if key & 7 == 2 else 0
    return ""


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
