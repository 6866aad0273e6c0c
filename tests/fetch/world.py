"""A small island on a real local server that speaks enough Nominatim, Overpass and byte ranges, and fails on demand."""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

WEST, SOUTH, EAST, NORTH = 117.52, 3.27, 117.58, 3.33
TILE = "Copernicus_DSM_COG_10_N03_00_E117_00_DEM"
PIXELS = 1200
PLACE = "Kota Tarakan, Indonesia"


def island(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Heights of a cone of 60 m whose shore lies some 4 km off the middle of the area; 0 is sea."""
    away = np.hypot(column - 0.55 * PIXELS, row - 0.70 * PIXELS) / (0.04 * PIXELS)
    return np.maximum(0.0, 60.0 * (1.0 - away))


def slope(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Heights of a plane that falls to the east: every catchment begins at the western edge."""
    return 500.0 - column / 4.0


@functools.cache
def tile(heights=island) -> bytes:
    """A GeoTIFF of one degree; the noise far away makes it several chunks large."""
    row, column = np.mgrid[0:PIXELS, 0:PIXELS].astype(float)
    values = heights(column, row)
    noise = np.random.default_rng(1).normal(0, 1, values.shape)
    values = np.where(row < PIXELS / 4, 50 + noise, values).astype(np.float32)
    profile = {"driver": "GTiff", "width": PIXELS, "height": PIXELS, "count": 1, "dtype": "float32"}
    place = {"crs": "EPSG:4326", "transform": from_origin(117.0, 4.0, 1 / PIXELS, 1 / PIXELS)}
    with MemoryFile() as memory:
        with memory.open(**profile, **place, tiled=True, blockxsize=256, blockysize=256) as file:
            file.write(values, 1)
        return bytes(memory.read())


def _ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def place() -> list[dict]:
    names = {"display_name": "Tarakan, Kalimantan Utara, Indonesia", "name": "Tarakan"}
    return [
        {
            **names,
            "place_id": 1,
            "licence": "ODbL",
            "osm_type": "relation",
            "osm_id": 77,
            "importance": 0.5,
            "lat": "3.3",
            "lon": "117.55",
            "class": "boundary",
            "type": "administrative",
            "place_rank": 12,
            "addresstype": "city",
            "boundingbox": [str(v) for v in (SOUTH, NORTH, WEST, EAST)],
            "geojson": {"type": "Polygon", "coordinates": [_ring(WEST, SOUTH, EAST, NORTH)]},
        }
    ]


class _Osm:
    """Elements of Overpass JSON."""

    def __init__(self) -> None:
        self.elements: list[dict] = []

    def node(self, lon: float, lat: float, **tags: str) -> int:
        number = len(self.elements) + 1
        self.elements.append({"type": "node", "id": number, "lat": lat, "lon": lon, **({"tags": tags} if tags else {})})
        return number

    def way(self, points: list[list[float]], **tags: str) -> int:
        nodes = [self.node(*p) for p in (points[:-1] if points[0] == points[-1] else points)]
        nodes += nodes[:1] if points[0] == points[-1] else []
        number = len(self.elements) + 1
        self.elements.append({"type": "way", "id": number, "nodes": nodes, "tags": tags})
        return number

    def relation(self, way: int, **tags: str) -> None:
        member = {"type": "way", "ref": way, "role": "outer"}
        number = len(self.elements) + 1
        self.elements.append({"type": "relation", "id": number, "members": [member], "tags": tags})


def elements(query: str) -> list[dict]:
    """What a query for the key that it names first gives."""
    osm = _Osm()
    key = re.search(r"\['(\w+)'", query)[1]
    if key == "highway":
        for i in range(5):
            lat = 3.28 + i / 100
            osm.way([[117.53, lat], [117.57, lat]], highway="residential", name=f"Jalan {i}", lit="yes")
        osm.way(_ring(117.54, 3.29, 117.541, 3.291), highway="pedestrian", area="yes")
        osm.node(117.55, 3.30, highway="street_lamp")
        osm.node(117.551, 3.30, highway="street_lamp")
        osm.node(117.552, 3.30, highway="crossing")
    elif key == "waterway":
        osm.way([[117.55, 3.30], [117.60, 3.30]], waterway="stream", name="Sungai Uji")
    elif key == "building":
        osm.way(_ring(117.55, 3.30, 117.5502, 3.3002), building="yes")
    elif key == "amenity":
        osm.way(_ring(117.55, 3.30, 117.5502, 3.3002), amenity="school", name="SDN 1")
        osm.node(117.56, 3.31, amenity="clinic", name="Puskesmas")
    elif key == "admin_level":
        middle = (WEST + EAST) / 2
        common = {"type": "boundary", "boundary": "administrative"}
        for i, (west, east) in enumerate(((WEST, middle), (middle, EAST), (EAST, EAST + 0.06))):
            number = osm.way(_ring(west, SOUTH, east, NORTH))
            kode = {"ref:kemendagri": f"65.71.01.100{i}"} if i != 1 else {}
            osm.relation(number, admin_level="7", name=f"Kelurahan {i}", **kode, **common)
        osm.relation(osm.way(_ring(WEST, SOUTH, EAST, NORTH)), admin_level="6", name="Tarakan Uji", **common)
    return osm.elements


@dataclass
class World:
    """The server's state: what it was asked, and the faults that the next requests meet.

    A fault is (part of the path, kind): drop, busy (429 with Retry-After), truncate, cut (whole, but half of the JSON),
    html, remark, error (500), hang
    (until `awake`). It is used once, by the first request whose path holds the part.
    """

    url: str = ""
    asked: list[str] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    tiles: dict[str, bytes] = field(default_factory=lambda: {TILE: tile()}, repr=False)
    retry_after: str = "0"
    ranges: bool = True
    awake: threading.Event = field(default_factory=threading.Event)

    def fault(self, path: str) -> str | None:
        for entry in self.faults:
            if entry[0] in path:
                self.faults.remove(entry)
                return entry[1]
        return None


class _Handler(BaseHTTPRequestHandler):
    world: World

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._handle(parse_qs(urlsplit(self.path).query))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._handle(parse_qs(self.rfile.read(length).decode()))

    def _handle(self, query: dict[str, list[str]]) -> None:
        path = urlsplit(self.path).path
        self.world.asked.append(path)
        fault = self.world.fault(path)
        if path == "/search":
            known = query.get("q") == [PLACE]
            self._send(fault, 200, json.dumps(place() if known else []).encode(), "application/json")
        elif path == "/api/interpreter":
            answer: dict = {"version": 0.6, "elements": elements(query["data"][0])}
            if fault == "remark":
                answer["remark"] = 'runtime error: Query timed out in "query" at line 1'
                answer["elements"] = answer["elements"][:1]
            self._send(fault, 200, json.dumps(answer).encode(), "application/json")
        else:
            self._tile(path, fault)

    def _tile(self, path: str, fault: str | None) -> None:
        content = self.world.tiles.get(path.split("/")[1])
        if content is None:
            return self._send(fault, 404, b"<Error/>", "application/xml")
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if span is None or not self.world.ranges:
            return self._send(fault, 200, content, "image/tiff")
        first, last = int(span[1]), min(int(span[2]), len(content) - 1)
        more = {"Content-Range": f"bytes {first}-{last}/{len(content)}", "ETag": f'"{len(content)}"'}
        return self._send(fault, 206, content[first : last + 1], "image/tiff", **more)

    def _send(self, fault: str | None, code: int, body: bytes, kind: str, **more: str) -> None:
        if fault == "hang":
            self.world.awake.wait(60)
            fault = "drop"
        if fault == "drop":
            self.close_connection = True
            return
        if fault == "busy":
            code, body, more = 429, b"busy", {"Retry-After": self.world.retry_after}
        elif fault == "error":
            code, body, more = 500, b"error", {}
        elif fault == "html":
            body, kind = b"<html><body>Please log in</body></html>", "text/html"
        elif fault == "cut":
            body = body[: len(body) // 2]
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "truncate" else body)


@contextmanager
def serving(world: World) -> Iterator[World]:
    """Run the server on the loopback."""
    handler = type("Handler", (_Handler,), {"world": world})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        world.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield world
        finally:
            server.shutdown()
            thread.join()
