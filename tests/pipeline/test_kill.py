"""SIGKILL during a run: at every stage's border and inside every write. The served version stays whole."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spatial import pipeline
from tests.pipeline.tiny import write_tiny_city

STAGES = (
    "reports",
    "roads",
    "elevation",
    "live",
    "grid",
    "terrain",
    "flood",
    "lighting",
    "write",
    "tiles",
    "publish",
    "done",
)
# what the driver patches, and the call at which it kills: inside the write, with half of it done
WRITES = (
    ("spatial.store.live", "LiveTables.upsert"),
    ("spatial.store.live", "LiveTables.replace_quarantine"),
    ("spatial.store.geopackage", "_write_layer"),
    ("spatial.store.geopackage", "_write_members"),
    ("spatial.store.geopackage", "write_styles"),
    ("spatial.charts", "zone_map"),
)
DRIVER = """
import importlib, json, os, signal, sys, threading
from pathlib import Path
from spatial import pipeline
from spatial.contracts import Silent


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Border(Silent):
    def __init__(self, kind, name, call):
        self.kind, self.name, self.call = kind, name, call

    def stage(self, stage, title):
        if self.kind == "stage" and stage == self.name:
            die()
        if self.kind == "timer" and stage == self.name:
            threading.Timer(self.call / 1000, die).start()


def patch(module, name, call, when):
    owner = importlib.import_module(module)
    *path, attribute = name.split(".")
    for step in path:
        owner = getattr(owner, step)
    original, calls = getattr(owner, attribute), [0]

    def dying(*arguments, **keywords):
        calls[0] += 1
        if calls[0] == call and when == "before":
            die()
        result = original(*arguments, **keywords)
        if calls[0] == call:
            die()
        return result

    for holder in list(sys.modules.values()):
        if getattr(holder, attribute, None) is original:
            setattr(holder, attribute, dying)
    setattr(owner, attribute, dying)


for line in sys.stdin:
    kind, module, name, call, when, city = json.loads(line)
    child = os.fork()
    if child == 0:
        if kind == "call":
            patch(module, name, call, when)
        pipeline.run(Path(city), Border(kind, name, call), force=True)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def killed() -> Iterator[Callable[..., None]]:
    """Run a city in a child of a process that has imported everything, and see it killed where it should be."""
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def kill(city: Path, kind: str, module: str, name: str, call: int = 1, when: str = "after") -> None:
        driver.stdin.write(json.dumps([kind, module, name, call, when, str(city)]) + "\n")
        driver.stdin.flush()
        status = driver.stdout.readline().strip()
        assert status == "-9", f"{module} {name} {call}: was not reached, exit status {status}"

    yield kill
    driver.stdin.close()
    driver.stdout.close()
    driver.wait(60)


def state(city: Path) -> tuple[str, dict[str, str]]:
    """The served version's id and the hash of each of its files."""
    served = (city / "var/current").read_text().strip()
    folder = city / "var/versions" / served
    return served, {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def whole(city: Path) -> None:
    served, _ = state(city)
    folder = city / "var/versions" / served
    manifest = json.loads((folder / "manifest.json").read_text())
    with sqlite3.connect(f"file:{folder / 'layers.gpkg'}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for name, layer in manifest["layers"].items():
            assert connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] == layer["rows"]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    city = write_tiny_city(tmp_path_factory.mktemp("kill") / "city")
    pipeline.run(city)
    return city


@pytest.fixture
def city(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "city"))


def test_at_every_stages_border(city: Path, killed: Callable[..., None]) -> None:
    before = state(city)
    for stage in STAGES[:-1]:
        killed(city, "stage", "-", stage)
        assert state(city) == before, stage
        whole(city)
    recovers(city)


def recovers(city: Path) -> None:
    outcome = pipeline.run(city, force=True)
    assert outcome.published
    whole(city)
    assert not list((city / "var/versions").glob(".staging-*"))


def test_inside_every_write(city: Path, killed: Callable[..., None]) -> None:
    before = state(city)
    for module, name in WRITES:
        for when in ("before", "after"):
            killed(city, "call", module, name, 1, when)
            assert state(city) == before, name
    whole(city)
    recovers(city)


def test_in_the_middle_of_the_writes(city: Path, killed: Callable[..., None]) -> None:
    """A timer that starts with the stage: wherever GDAL, SQLite or the disk is then, the old version stays whole."""
    old, files = state(city)
    for stage, milliseconds in (("live", 1), ("live", 4), ("write", 5), ("write", 20), ("write", 60), ("write", 150)):
        killed(city, "timer", "-", stage, milliseconds)
        served, now = state(city)
        assert (served, now) == (old, files) or served != old
        whole(city)
    recovers(city)


def test_during_publication(city: Path, killed: Callable[..., None]) -> None:
    """Seven places inside `publish`: the old version is served until the pointer is replaced, then the new one."""
    old, files = state(city)
    flush, n = ("spatial.store.versions", "_flush"), len(files)  # every file is flushed, then folders and pointer
    places = [(*flush, 1), (*flush, n), ("os", "replace", 1), (*flush, n + 1), (*flush, n + 2), ("os", "replace", 2)]
    for module, name, call in [*places, (*flush, n + 3)]:
        killed(city, "call", module, name, call)
        served, now = state(city)
        whole(city)
        if served == old:
            assert now == files
    recovers(city)
