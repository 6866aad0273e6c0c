"""OSM PBF files: whether one is whole, and tags from GDAL's `other_tags`.

GDAL's driver reads the features (the fastest of those measured). The framing is walked here first, so that a file that
is cut off is called that before any feature is read.
Format: https://wiki.openstreetmap.org/wiki/PBF_Format
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from spatial.errors import InputError

_MAX_HEADER, _MAX_BLOB = 64 * 1024, 32 * 1024 * 1024


def check_whole(path: Path) -> int:
    """Return the number of blobs of a PBF file after walking their framing to the last byte.

    Only lengths are checked; a file cut exactly between two blobs cannot be told from a whole one.

    Raises
    ------
    InputError
        The file is no PBF, or ends within a blob.
    """
    blobs, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            header = _header(path, file)
            kind = bytes(header.get(1, b""))
            if blobs == 0 and kind != b"OSMHeader":
                raise _not_pbf(path)
            length = header.get(3)
            if not isinstance(length, int) or length > _MAX_BLOB:
                raise _not_pbf(path)
            if file.tell() + length > size:
                raise _cut(path, size)
            file.seek(length, 1)
            blobs += 1
    return blobs


def _header(path: Path, file: BinaryIO) -> dict[int, int | bytes]:
    """Return the fields of the BlobHeader at the file's position: 1 its type (bytes), 3 the size of the blob."""
    start = file.read(4)
    length = int.from_bytes(start, "big")
    if length > _MAX_HEADER or (len(start) == 4 and length == 0):
        raise _not_pbf(path)
    header = file.read(length)
    if len(start) < 4 or len(header) < length:
        raise _cut(path, path.stat().st_size)
    try:
        return dict(_fields(header))
    except (IndexError, ValueError) as error:
        raise _not_pbf(path) from error


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a protocol-buffer message of varints and byte strings."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value, at = _varint(message, at)
        if key & 7 == 0:
            yield key >> 3, value
        elif key & 7 == 2:
            yield key >> 3, message[at : at + value]
            at += value
        else:
            raise ValueError(f"wire type {key & 7}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _not_pbf(path: Path) -> InputError:
    return InputError(path, "file", "is not OSM PBF", "deliver an .osm.pbf file")


def _cut(path: Path, size: int) -> InputError:
    return InputError(path, "file", f"is cut off: it ends within a blob, after {size} bytes", "deliver it again")


def tag(other_tags: str | None, key: str) -> str | None:
    """Return the value of a tag in GDAL's `other_tags` (hstore text), None where it is not there."""
    if not isinstance(other_tags, str):
        return None
    match = re.search(rf'(?:^|,)"{re.escape(key)}"=>"((?:[^"\\]|\\.)*)"', other_tags)
    return re.sub(r"\\(.)", r"\1", match[1]) if match else None
