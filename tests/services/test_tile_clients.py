"""Real clients of the tiles: QGIS draws a vector tile layer, MapLibre draws the served style in a headless browser."""

from __future__ import annotations

import base64
import json
import queue
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from spatial.contracts import HEXAGONS
from spatial.store.styles import look
from tests.services.test_clients import qgis, run_qgis

__all__ = ["qgis"]
CHROMIUM = ("chromium", "--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader")
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/maplibre-gl.css">
<style>html, body {{ margin: 0 }} #map {{ width: 500px; height: 500px }}</style><div id="map"></div>
<script src="/maplibre-gl.js"></script><script>
const errors = [];
const map = new maplibregl.Map({{container: "map", style: "{style}", fadeDuration: 0, attributionControl: false,
                                 canvasContextAttributes: {{preserveDrawingBuffer: true}}}});
map.on("error", e => errors.push(e.error && e.error.message));
map.on("load", () => map.setZoom({zoom}));
map.on("idle", () => {{
  if (map.getZoom() !== {zoom}) return;
  const seen = {{}};
  for (const f of map.queryRenderedFeatures()) (seen[f.layer.id] ??= new Set()).add(f.id ?? f.properties.category);
  const counts = Object.fromEntries(Object.entries(seen).map(([name, ids]) => [name, ids.size]));
  const body = JSON.stringify({{errors, seen: counts, picture: map.getCanvas().toDataURL("image/png")}});
  fetch("/seen", {{method: "POST", body}});
}});
</script>"""


@pytest.mark.parametrize("path", ["/collections/hexagons/tiles", "/tiles"])
def test_qgis_draws_a_vector_tile_layer(qgis, url: str, store, tmp_path: Path, path: str) -> None:
    template = f"{url}{path}/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f=mvt"
    source = f"type=xyz&url={quote(template, safe=':/{}')}&zmin=0&zmax=14"
    box = [str(v) for v in store["hexagons"].total_bounds]
    script = Path(__file__).with_name("qgis_tiles.py")
    result = run_qgis(str(script), source, *box, str(tmp_path / "tiles.png"))
    assert result.returncode == 0, result.stderr[-2000:]
    seen = json.loads(result.stdout.splitlines()[-1])
    assert (seen["valid"], seen["max"]) == (True, 14)
    assert seen["drawn"] > 0.5  # the cells cover most of their box


class Pages:
    """A server with one page that has a map of a style; what it does not have comes from `url`: one origin for all."""

    def __init__(self, url: str) -> None:
        assets = Path(find_spec("maplibre").submodule_search_locations[0]) / "srcjs"
        kinds = {"maplibre-gl.js": "text/javascript", "maplibre-gl.css": "text/css"}
        self.pages = {f"/{name}": ((assets / name).read_bytes(), kind) for name, kind in kinds.items()}
        self.url, self.seen = url, queue.Queue[dict]()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.here = f"http://127.0.0.1:{self.server.server_port}"

    def show(self, style: str, zoom: float, profile: Path) -> dict:
        """Open the page in a browser; return what it drew, the picture as bytes of a PNG."""
        self.pages["/page"] = PAGE.format(style=style, zoom=zoom).encode(), "text/html"
        command = [*CHROMIUM, "--enable-unsafe-swiftshader", f"--user-data-dir={profile}", f"{self.here}/page"]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            seen = self.seen.get(timeout=90)
        finally:
            browser.terminate()
            browser.wait(30)
        return seen | {"picture": base64.b64decode(seen["picture"].split(",")[1])}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                own = pages.pages.get(self.path)
                self._answer(*((200, own[1], own[0]) if own else pages.fetched(self.path)))

            def do_POST(self) -> None:
                pages.seen.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._answer(200, "text/plain", b"")

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *message: object) -> None: ...

        return Handler

    def fetched(self, path: str) -> tuple[int, str, bytes]:
        """Return what the server of tiles answers, its address replaced by this one."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as response:
                body = response.read().replace(self.url.encode(), self.here.encode())
                return response.status, response.headers.get("Content-Type", ""), body
        except urllib.error.HTTPError as error:
            with error:
                return error.code, "application/json", error.read()


@pytest.fixture
def pages(url: str) -> Iterator[Pages]:
    if shutil.which("chromium") is None:
        pytest.skip("no chromium; `make test-system` installs it")
    pages = Pages(url)
    thread = threading.Thread(target=pages.server.serve_forever, daemon=True)
    thread.start()
    yield pages
    pages.server.shutdown()
    pages.server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("style", "zoom", "layers"),
    [
        ("/styles/hexakota", 12.5, {"hexagons", "flood_zones", "roads", "reports", "lighting_faults"}),
        ("/collections/hexagons/styles/hexakota", 9, {"hexagons"}),
    ],
)
def test_maplibre_draws_the_served_style(store, pages: Pages, tmp_path: Path, style: str, zoom: float, layers) -> None:
    told = pages.show(style, zoom, tmp_path / "profile")
    assert told["errors"] == []
    assert layers <= set(told["seen"])
    if zoom > 12:
        assert told["seen"]["hexagons"] == store["hexagons"]["flood_score"].notna().sum()
        assert told["seen"]["flood_zones"] == len(store["flood_zones"])
    (tmp_path / "map.png").write_bytes(told["picture"])
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(tmp_path / "map.png") as source:
        pixels = source.read()[:3].reshape(3, -1).T.astype(int)
    assert ((pixels[:, 2] - pixels[:, 0]) > 60).mean() > 0.0005  # blue cells or zones on a ground that is not
    if layers == {"hexagons"}:
        ground, opacity = np.array([0xF7, 0xF5, 0xF0]), look(HEXAGONS).alpha / 255
        steps = [np.array(colour) * opacity + ground * (1 - opacity) for _, _, colour in look(HEXAGONS).steps]
        assert sum((np.abs(pixels - step).max(axis=1) <= 3).any() for step in steps) >= 2
