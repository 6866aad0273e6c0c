"""Seconds and memory of the server while one client downloads a whole collection in each format.

    python -m benchmarks.downloads [features] [format ...]

The city is synthetic: small hexagons in rows. A server is started anew for each format; memory is that of its process,
read from /proc: VmHWM, which counts the pages of the memory-mapped index that were read, and the highest RssAnon, which
does not; `writer` is VmHWM of the process that writes the file. `pause` is the longest time that another request
(`/conformance`) took meanwhile.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import geopandas as gpd
import numpy as np
import shapely

from spatial.contracts import HEXAGONS
from spatial.store.index import index_of
from spatial.store.versions import Version
from tests.services import handmade

FORMATS = ("csv", "gpkg", "fgb", "parquet", "geojsonseq", "shp")


def hexagons(count: int) -> gpd.GeoDataFrame:
    """Return `count` hexagons of 0.001 degrees with a score and a text each."""
    rng = np.random.default_rng(1)
    angles = np.arange(6) * np.pi / 3
    centres = np.column_stack([np.arange(count) % 1000 * 0.002, np.arange(count) // 1000 * 0.002])
    corners = centres[:, None] + 0.001 * np.column_stack([np.cos(angles), np.sin(angles)])
    rows = {
        "cell": np.char.add("c", np.char.zfill(np.arange(count).astype(str), 8)),
        "resolution": np.full(count, 9),
        "flood_score": rng.random(count),
        "reports_total": rng.integers(0, 50, count),
    }
    return gpd.GeoDataFrame(rows, geometry=shapely.polygons(corners), crs="EPSG:4326")


@dataclass(slots=True)
class Seen:
    """The highest figures of a server's process: MiB, seconds."""

    hwm: float = 0.0
    anonymous: float = 0.0
    writer: float = 0.0
    pause: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)


def _children(pid: int) -> Iterator[float]:
    """Yield VmHWM of the processes that a process started, in MiB."""
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        for name in child.read_text("ascii").split():
            with suppress(OSError, KeyError):
                told = dict(line.split(":", 1) for line in Path(f"/proc/{name}/status").read_text("ascii").splitlines())
                yield int(told["VmHWM"].split()[0]) / 1024


def _watch(pid: int, url: str, seen: Seen) -> None:
    while not seen.done.wait(0.02):
        told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines())
        seen.hwm = int(told["VmHWM"].split()[0]) / 1024
        seen.writer = max([seen.writer, *_children(pid)])
        seen.anonymous = max(seen.anonymous, int(told["RssAnon"].split()[0]) / 1024)
        began = time.perf_counter()
        with urllib.request.urlopen(f"{url}/conformance") as answer:
            answer.read()
        seen.pause = max(seen.pause, time.perf_counter() - began)


@contextmanager
def _served(city: Path) -> Iterator[tuple[int, str]]:
    command = [sys.executable, "-m", "services.cli", "serve", str(city), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield process.pid, line.split(": ", 1)[1].split("/?f=html")[0]
        finally:
            process.terminate()


def measure(city: Path, form: str) -> str:
    """Return a line of the table for one format."""
    with _served(city) as (pid, url):
        with urllib.request.urlopen(f"{url}/collections/hexagons/items?limit=1") as answer:
            answer.read()
        seen, size = Seen(), 0
        watcher = threading.Thread(target=_watch, args=(pid, url, seen))
        watcher.start()
        began = time.perf_counter()
        with urllib.request.urlopen(f"{url}/collections/hexagons/items?f={form}", timeout=3600) as answer:
            while piece := answer.read(1 << 20):
                size += len(piece)
        seconds = time.perf_counter() - began
        seen.done.set()
        watcher.join()
    mib = size / 2**20
    memory = f"{seen.hwm:8.0f} {seen.anonymous:8.0f} {seen.writer:8.0f}"
    return f"{form:>10} {seconds:8.1f} {mib:8.1f} {memory} {seen.pause:8.2f}"


def _published(city: Path, count: int) -> Version:
    version = handmade.publish(city, layers=handmade.tables() | {HEXAGONS: hexagons(count)})
    index_of(version, HEXAGONS)  # as publication does
    return version


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with TemporaryDirectory() as folder:
        city = Path(folder)
        version = _published(city, count)
        index = next(city.rglob("hexagons.*arrow"))
        print(f"{count:,} hexagons, version {version.id}, index of {index.stat().st_size / 2**20:.0f} MiB")
        print("    format  seconds  MiB file  MiB VmHWM  MiB RssAnon  MiB writer  s pause")
        for form in sys.argv[2:] or FORMATS:
            print(measure(city, form), flush=True)


if __name__ == "__main__":
    main()
