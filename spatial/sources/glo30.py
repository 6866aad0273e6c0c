"""Copernicus GLO-30 elevation: the window of each degree's tile, read by byte ranges, as one GeoTIFF.

A tile is a cloud-optimised GeoTIFF. rasterio reads it through `_RemoteFile`, which asks for chunks of `CHUNK` bytes and
keeps them in the cache, so that what was read once is not asked for again.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.merge
import requests
from pyproj import CRS, Transformer
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader, MemoryFile
from shapely.geometry import MultiPolygon, Polygon

from spatial.errors import DownloadError
from spatial.sources.download import AGENT, AgainError, Attempts, Cache, Mirrors, check_status, replace

CHUNK = 1 << 20
VERTICAL_DATUM = "EGM2008"
_CRS = "EPSG:9518"  # WGS 84 longitude and latitude with EGM2008 height
_ROOM_DEG = 0.003
_TOTAL = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class Elevation:
    """What `download_elevation` wrote: `tiles` read, `sea` tiles that do not exist, `margin_m`, `whole`, `retrieved`.

    `whole`: no catchment that drains through the area touches the edge of the elevation any more.
    """

    tiles: tuple[str, ...]
    sea: tuple[str, ...]
    margin_m: float
    whole: bool
    retrieved: str


def tile_name(west: int, south: int) -> str:
    """Return the name of the tile whose south-west corner is at whole degrees."""
    ns, ew = "N" if south >= 0 else "S", "E" if west >= 0 else "W"
    return f"Copernicus_DSM_COG_10_{ns}{abs(south):02d}_00_{ew}{abs(west):03d}_00_DEM"


def download_elevation(
    area_utm: Polygon | MultiPolygon,
    crs_utm: CRS,
    margin_m: float,
    path: Path,
    touches_edge: Callable[[Path, float], bool],
    mirrors: Mirrors,
    attempts: Attempts,
    cache: Cache,
) -> Elevation:
    """Write the elevation of an area and its surroundings as one GeoTIFF: float32 metres, WGS 84, EGM2008 heights.

    The margin starts at `margin_m` and doubles while `touches_edge(path, margin_m)` says that the area's catchments
    touch the edge, up to the limit of the parameters. A tile that the server does not have (404) is open sea, and 0 as
    the sea is in the others.

    Raises
    ------
    DownloadError
        No usable answer after all attempts, no byte ranges, a file that is not a GeoTIFF or changed while it was read,
        or not one tile.
    """
    limit = max(margin_m, attempts.parameters.elevation_limit_m)
    while True:
        made = _download_window(area_utm, crs_utm, margin_m, path, mirrors, attempts, cache)
        touching = touches_edge(path, margin_m)
        if not touching or margin_m >= limit:
            return Elevation(*made, margin_m, not touching, cache.retrieved("glo30/*/*"))
        margin_m = min(limit, margin_m * 2)
        attempts.progress.note(
            f"Daerah tangkapan menyentuh tepi elevasi; diperluas ke / catchments touch the edge; widened to "
            f"{margin_m / 1000:g} km"
        )


def _download_window(
    area_utm: Polygon | MultiPolygon,
    crs_utm: CRS,
    margin_m: float,
    path: Path,
    mirrors: Mirrors,
    attempts: Attempts,
    cache: Cache,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the window; return the tiles that were read and those that are sea."""
    left, bottom, right, top = area_utm.buffer(margin_m, join_style="mitre").bounds
    to_degrees = Transformer.from_crs(crs_utm, "OGC:CRS84", always_xy=True)
    west, south, east, north = to_degrees.transform_bounds(left, bottom, right, top)
    bounds = (west - _ROOM_DEG, south - _ROOM_DEG, east + _ROOM_DEG, north + _ROOM_DEG)
    names = [
        tile_name(x, y)
        for y in range(math.floor(bounds[1]), math.floor(bounds[3]) + 1)
        for x in range(math.floor(bounds[0]), math.floor(bounds[2]) + 1)
    ]
    base = mirrors.glo30.rstrip("/")
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"), ExitStack() as stack:
        found: dict[str, DatasetReader] = {}
        files: list[_RemoteFile] = []
        for number, name in enumerate(names, 1):
            attempts.progress.stage("elevation", f"Elevasi / elevation: {name} ({number}/{len(names)})")
            file = _RemoteFile(f"{base}/{name}/{name}.tif", f"glo30/{name}", attempts, cache)
            if not file.exists():
                attempts.progress.note(f"{name}: tidak ada, laut lepas / not there, open sea (0 m)")
                continue
            files.append(file)
            with _blamed(file):
                found[name] = stack.enter_context(rasterio.open(file.name, driver="GTiff", opener=file.opened))
        if not found:
            raise DownloadError(base, f"has none of {', '.join(names)}", "check `glo30` under [mirrors] and the area")
        with _blamed(*files):
            tiles = list(found.values())
            values, transform = rasterio.merge.merge(tiles, bounds=_on_grid(bounds, tiles[0]), nodata=np.nan)
    values = np.where(np.isfinite(values), values, np.float32(0.0)).astype(np.float32)
    replace(path, _geotiff(values[0], transform))
    return tuple(found), tuple(name for name in names if name not in found)


def _on_grid(bounds: tuple[float, float, float, float], tile: DatasetReader) -> tuple[float, float, float, float]:
    """Return bounds widened to the edges of a tile's pixels: values are taken over as they are, none is resampled."""
    step_x, step_y, left, top = tile.transform.a, -tile.transform.e, tile.transform.c, tile.transform.f
    west, south, east, north = bounds
    return (
        left + math.floor((west - left) / step_x) * step_x,
        top - math.ceil((top - south) / step_y) * step_y,
        left + math.ceil((east - left) / step_x) * step_x,
        top - math.floor((top - north) / step_y) * step_y,
    )


def _geotiff(values: Any, transform: Any) -> bytes:
    profile = {
        "driver": "GTiff",
        "count": 1,
        "dtype": "float32",
        "crs": _CRS,
        "transform": transform,
        "nodata": math.nan,
        "compress": "deflate",
    }
    with MemoryFile() as memory:
        with memory.open(height=values.shape[0], width=values.shape[1], **profile) as file:
            file.write(values, 1)
            file.set_band_unit(1, "metre")
            file.update_tags(VERTICAL_DATUM=VERTICAL_DATUM)
        return bytes(memory.read())


@contextmanager
def _blamed(*files: _RemoteFile) -> Iterator[None]:
    """Say what went wrong with a download, where GDAL only says that it cannot read."""
    problem: Exception | None = None
    try:
        yield
    except (RasterioError, OSError) as error:
        problem = error
    for file in files:
        if file.failure is not None:
            raise file.failure from problem
    if problem is not None:
        names = ", ".join(file.url for file in files)
        for file in files:
            file.forget()
        raise DownloadError(names, "is not a GeoTIFF that can be read", "check `glo30` under [mirrors]") from problem


class _RemoteFile:
    """A file on a server, read in chunks. `failure` is what stopped a read; GDAL swallows exceptions."""

    def __init__(self, url: str, folder: str, attempts: Attempts, cache: Cache) -> None:
        self.url, self.folder, self.attempts, self.cache = url, folder, attempts, cache
        self.name = url.rsplit("/", 1)[1]
        self.failure: BaseException | None = None
        self.size = 0
        self.etag: str | None = None
        self.chunks: dict[int, bytes] = {}

    def opened(self, path: str, mode: str = "rb") -> _Handle:
        """Return the file opened once more; GDAL asks for files beside it too, which there are not."""
        if path.rsplit("/", 1)[-1] != self.name:
            raise FileNotFoundError(path)
        return _Handle(self)

    def exists(self) -> bool:
        """Return whether the server has the file. Raises DownloadError."""
        kept = self.cache.read(f"{self.folder}/sea")
        if kept is not None and kept[1].get("url") == self.url:
            return False
        return self._chunk(0) is not None

    def forget(self) -> None:
        """Delete the file's chunks from the cache."""
        self.cache.forget(f"{self.folder}/*")

    def part(self, first: int, end: int) -> bytes:
        """Return bytes `first` to before `end`; none after a failure, which GDAL then takes for a broken file."""
        end = min(end, self.size)
        parts = []
        for number in range(first // CHUNK, -(-end // CHUNK)):
            try:
                chunk = b"" if self.failure else self._chunk(number) or b""
            except BaseException as error:  # raised again by `_blamed`: GDAL would lose it
                self.failure = error
                return b""
            start = number * CHUNK
            parts.append(chunk[max(0, first - start) : end - start])
        return b"".join(parts)

    def _chunk(self, number: int) -> bytes | None:
        """Return a chunk; None where the server has no such file."""
        if number in self.chunks:
            return self.chunks[number]
        name = f"{self.folder}/{number}"
        kept = self.cache.read(name)
        if kept is not None and kept[1].get("url") == self.url:
            content, meta = kept
        else:
            answer = self.attempts.repeat(self.url, lambda: self._download_range(number))
            if answer is None:
                self.cache.write(f"{self.folder}/sea", b"", url=self.url)
                return None
            content, facts = answer
            meta = self.cache.write(name, content, url=self.url, **facts)
        if self.size and (meta["size"], meta["etag"]) != (self.size, self.etag):
            self.forget()
            raise DownloadError(self.url, "changed on the server while it was read", "run the command again")
        self.size, self.etag = meta["size"], meta["etag"]
        self.chunks[number] = content
        return content

    def _download_range(self, number: int) -> tuple[bytes, dict[str, Any]] | None:
        first = number * CHUNK
        headers = {"Range": f"bytes={first}-{first + CHUNK - 1}", "User-Agent": AGENT, "Accept-Encoding": "identity"}
        response = requests.get(self.url, headers=headers, timeout=self.attempts.parameters.timeout_s, stream=True)
        with response:
            if response.status_code == HTTPStatus.NOT_FOUND:
                self.attempts.requests += 1
                return None
            check_status(response)
            if response.status_code != HTTPStatus.PARTIAL_CONTENT:
                raise DownloadError(self.url, "the server does not answer byte ranges", "name another `glo30` mirror")
            span = _TOTAL.fullmatch(response.headers.get("Content-Range", ""))
            content = response.content
        if span is None or int(span[1]) != first or len(content) != int(span[2]) - first + 1:
            raise AgainError("the answer is not the part that was asked for")
        if number == 0 and content[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            kind = response.headers.get("Content-Type", "something")
            raise AgainError(f"the answer is not a GeoTIFF ({kind})")
        self.attempts.received()
        self.attempts.requests += 1
        return content, {"size": int(span[3]), "etag": response.headers.get("ETag")}


class _Handle(io.RawIOBase):
    """A place in a `_RemoteFile`, for GDAL."""

    def __init__(self, file: _RemoteFile) -> None:
        super().__init__()
        self.file, self.place = file, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place in the file, bytes."""
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the file."""
        self.place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.file.size}[whence]
        return self.place

    def read(self, size: int = -1) -> bytes:
        """Read from the place on; less at the end of the file."""
        content = self.file.part(self.place, self.file.size if size < 0 else self.place + size)
        self.place += len(content)
        return content
