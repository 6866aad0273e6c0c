"""A new version is published again and again while clients read: nothing fails, and no answer mixes two versions.

HEXAKOTA_PUBLICATIONS=100 publishes so often however long it takes; without it, as often as fits some seconds.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import re
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from spatial import pipeline
from spatial.registry import LAYER_BY_NAME
from spatial.store.geopackage import read_layer
from spatial.store.versions import Version, Versions
from tests.services.running import get, served

CLIENTS = 6
PATIENCE_S = 15
WANTED = os.environ.get("HEXAKOTA_PUBLICATIONS")
LAYERS = ("reports", "hexagons", "roads", "flood_zones")
TILE = (14, 8342, 13539)  # zoom, row, column of the city's middle


@dataclass(frozen=True)
class Content:
    """What every version with this content answers, as its files have it."""

    version: Version
    ids: dict[str, list[str]]
    raster: str
    tile: bytes


def _content(version: Version) -> Content:
    ids = {name: sorted(read_layer(version.layers, name)[LAYER_BY_NAME[name].id_column]) for name in LAYERS}
    zoom, row, col = TILE
    with closing(sqlite3.connect(version.path / "tiles/city.mbtiles")) as connection:
        question = "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_row = ? AND tile_column = ?"
        (tile,) = connection.execute(question, (zoom, 2**zoom - 1 - row, col)).fetchone()
    return Content(version, ids, _digest(version.path / "rasters/hand.tif"), tile)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def contents(city: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Content]:
    """Three versions of the small city: as it is, with a flood more, and with a street without lamps."""
    folder = Path(shutil.copytree(city, tmp_path_factory.mktemp("contents") / "city"))
    found = [_content(Versions(folder / "var").current())]
    for index in range(2):
        with (folder / "reports.csv").open("a", encoding="utf-8") as file:
            for row in range(10 + index):
                place = f"{117.5085 + 0.0001 * row},{-3.311 - 0.0002 * index}"
                file.write(f"more{index}{row},{place},Banjir,air,menunggu,2025-06-0{1 + index} 07:00,\n")
        found.append(_content(pipeline.run(folder).version))
    assert len({len(one.ids["reports"]) for one in found}) == len({one.tile for one in found}) == 3
    return found


def _publish(store: Versions, content: Content, version_id: str) -> None:
    """Publish a content under another id: the same files, and a manifest that says so."""
    with store.locked():
        staged = store.staging()
        shutil.copytree(content.version.path, staged, dirs_exist_ok=True)
        manifest = content.version.manifest | {"version": version_id}
        (staged / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        store.publish(staged, version_id)


@dataclass
class Client:
    """One client that asks until it is told to stop; `failed` says what went wrong."""

    url: str
    seed: int
    content_of: Callable[[str], Content]
    stop: threading.Event
    done: Counter[str] = field(default_factory=Counter)
    versions: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    def run(self) -> None:
        dice = random.Random(self.seed)
        tasks = (self.walk, self.page, self.tile, self.coverage, self.ranking, self.collection)
        with closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)) as connection:
            self.connection = connection
            while not self.stop.is_set():
                task = dice.choice(tasks)
                try:
                    task(dice)
                    self.done[task.__name__] += 1
                except Exception as error:
                    self.failed.append(f"{task.__name__}: {error!r}")

    def ask(self, address: str) -> tuple[Any, bytes]:
        self.connection.request("GET", address.removeprefix(self.url))
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (address, answer.status, body[:200])
        self.done["requests"] += 1
        return answer.headers, body

    def known(self, version: str) -> Content:
        self.versions.add(version)
        return self.content_of(version)

    def walk(self, dice: random.Random) -> None:
        """Page through a collection: every page says the same version, and together they are all of it."""
        name, limit = dice.choice(LAYERS), dice.choice((7, 20, 50))
        address: str | None = f"/collections/{name}/items?limit={limit}&skipGeometry=true"
        seen, ids = set[str](), list[str]()
        while address:
            page = json.loads(self.ask(address)[1])
            seen |= set(re.findall(r"version=([0-9a-f]{16})", json.dumps(page["links"])))
            ids += [feature["id"] for feature in page["features"]]
            address = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
            assert len(seen) == 1, (name, seen)
            assert page["numberMatched"] == len(self.known(next(iter(seen))).ids[name])
        assert ids == self.known(seen.pop()).ids[name]

    def page(self, dice: random.Random) -> None:
        """A page for people shows one version's rows."""
        text = self.ask("/collections/reports/items?f=html")[1].decode()
        (version,) = set(re.findall(r"version=([0-9a-f]{16})", text))
        rows = dict.fromkeys(re.findall(r"/collections/reports/items/([^\"?]+)", text))
        assert [row.replace("%3A", ":") for row in rows] == self.known(version).ids["reports"][: len(rows)]
        assert len(rows) == 100

    def tile(self, dice: random.Random) -> None:
        """A tile is that of the version that its tag names."""
        self.connection.request(
            "GET", "/tiles/WebMercatorQuad/{}/{}/{}".format(*TILE), headers={"Accept-Encoding": "gzip"}
        )
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body[:200])
        assert body == self.known(answer.headers["etag"].strip('"').split("-")[0]).tile

    def coverage(self, dice: random.Random) -> None:
        """A raster is that of the version that its name tells."""
        headers, body = self.ask("/collections/hand/coverage?f=tif")
        (version,) = re.findall(r"hand_([0-9a-f]{16})\.tif", headers["content-disposition"])
        assert hashlib.sha256(body).hexdigest() == self.known(version).raster

    def ranking(self, dice: random.Random) -> None:
        """The ranked list holds the zones of its version."""
        told = json.loads(self.ask("/ranking")[1])
        zones = {zone["zone_id"] for group in told["kelurahan"] for zone in group["flood_zones"]}
        assert sorted(zones) == self.known(told["version"]).ids["flood_zones"]

    def collection(self, dice: random.Random) -> None:
        """A description counts the rows of the version that it names."""
        name = dice.choice(LAYERS)
        told = json.loads(self.ask(f"/collections/{name}")[1])["hexakota"]
        assert told["rows"] == len(self.known(told["version"]).ids[name])


def test_publishing_under_load_fails_no_request_and_mixes_no_versions(contents: list[Content], tmp_path: Path) -> None:
    store, published = Versions(tmp_path / "city/var"), {}

    def publish(index: int) -> None:
        version_id = f"{index + 1:016x}"
        published[version_id] = contents[index % len(contents)]
        _publish(store, published[version_id], version_id)

    publish(0)
    stop, end = threading.Event(), time.monotonic() + PATIENCE_S
    with served(tmp_path / "city") as url:
        clients = [Client(url, seed, published.__getitem__, stop) for seed in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        try:
            for index in range(1, int(WANTED or 100)):
                if WANTED is None and time.monotonic() > end:
                    break
                publish(index)
                time.sleep(0.05)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert get(f"{url}/ranking")[2]["version"] == max(published)
    assert [failure for client in clients for failure in client.failed] == []
    done, seen = sum((client.done for client in clients), Counter()), set.union(*(c.versions for c in clients))
    print(f"{len(published)} versions, {len(seen)} of them seen, {dict(done)}")
    assert len(seen) >= min(len(published), 10)
    assert all(done[task] for task in ("walk", "page", "tile", "coverage", "ranking", "collection"))
    for version_id, content in published.items():
        _assert_unchanged(content.version.path, store.get(version_id).path)


def _assert_unchanged(original: Path, path: Path) -> None:
    """The files of a version are, byte for byte, those that were published; none came, none went."""
    files = {file.relative_to(original) for file in original.rglob("*") if file.is_file()}
    assert {file.relative_to(path) for file in path.rglob("*") if file.is_file()} == files
    for name in files - {Path("manifest.json")}:
        assert (path / name).read_bytes() == (original / name).read_bytes(), name


def test_a_version_that_is_pruned_under_its_readers_is_a_clear_404(contents: list[Content], tmp_path: Path) -> None:
    """Right answers before, a 404 that names the version after, nothing else between."""
    store = Versions(tmp_path / "city/var")
    old, new = "0000000000000001", "0000000000000002"
    _publish(store, contents[0], old)
    _publish(store, contents[1], new)
    paths = (
        "/collections/reports/items?limit=7&offset=14",
        "/collections/roads/items?f=html",
        "/collections/reports",
        "/collections/hand/coverage?f=tif&scale-factor=2",
        "/tiles/WebMercatorQuad/{}/{}/{}?f=mvt".format(*TILE),
        "/ranking?f=html",
        "/ranking?",
        "/collections/hexagons/metadata?f=iso",
    )
    with served(tmp_path / "city") as url:
        first = {path: _answer(url, path, old)[1] for path in paths[:3]}  # the others are opened while it goes
        answers: dict[str, list[tuple[int, bytes]]] = {path: [] for path in paths}
        stop = threading.Event()

        def read(path: str) -> None:
            while not stop.is_set():
                answers[path].append(_answer(url, path, old))

        threads = [threading.Thread(target=read, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert store.prune(0) == [old]
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join()
        assert get(f"{url}/collections/reports/items", limit=1)[2]["numberMatched"] == len(contents[1].ids["reports"])
    for path, found in answers.items():
        statuses = [status for status, _ in found]
        assert statuses == sorted(statuses), path
        assert set(statuses) == {200, 404}, (path, set(statuses))
        assert all(b"version=" + old.encode() in body for status, body in found if status == 404), path
        same = {_stable(body) for status, body in found if status == 200}
        if path not in DESCRIBING:  # a description made while its version goes may miss the link to its tiles
            assert len(same) == 1, path
            assert path not in first or same == {_stable(first[path])}


DESCRIBING = ("/collections/reports", "/collections/hexagons/metadata?f=iso")


def _answer(url: str, path: str, version: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        connection.request("GET", f"{path}{'&' if '?' in path else '?'}version={version}")
        answer = connection.getresponse()
        return answer.status, answer.read()


def _stable(body: bytes) -> bytes:
    return re.sub(rb'"timeStamp":"[^"]*"', b"", body)
