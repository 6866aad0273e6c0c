"""Vector tiles: what publication costs, how large the tiles are by zoom, and the CPU that a request takes.

    python -m benchmarks.tiles [--cells 50000] [--requests 3000] [CITY]

Without CITY, the layers are made here: cells with every number filled, and reports in them. With CITY (a folder with a
published version), its layers. The request is answered by the whole application, called as the ASGI server calls it, in
this process; each asks for another tile. A server's own share (HTTP) is not in the figure.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from services.app import create_app
from spatial.contracts import CATEGORIES, HEXAGONS, REPORTS, Layer
from spatial.hexgrid.grid import cell_polygons, cells_of_area
from spatial.registry import LAYERS
from spatial.store.geopackage import read_layer
from spatial.store.tiles import CITY, write_tiles
from spatial.store.versions import Versions

ABOUT = {"name": "benchmark", "synthetic": True, "attribution": []}
TIPG_MS = 7.0  # CPU of a tile at zoom 13 by tipg 1.6, as measured on the same kind of machine


def made(count: int) -> dict[Layer, gpd.GeoDataFrame]:
    """Return `count` cells of resolution 9 and as many reports."""
    rng = np.random.default_rng(1)
    side = (count * 0.105) ** 0.5 / 111 * 1.02
    cells = cells_of_area(shapely.box(117.0, -3.0, 117.0 + side, -3.0 + side), 9)[:count]
    rows: dict[str, Any] = {"cell": cells, "resolution": 9}
    for column in HEXAGONS.columns[2:]:
        if column.values is not None:
            rows[column.name] = rng.choice(np.array(column.values, dtype=object), len(cells))
        elif column.kind == "integer":
            rows[column.name] = rng.integers(0, 20, len(cells))
        elif column.kind == "number":
            rows[column.name] = rng.uniform(0, 1, len(cells))
        elif column.name in ("kelurahan", "kecamatan", "area_id"):
            rows[column.name] = rng.choice(np.array([f"Wilayah {i}" for i in range(60)], dtype=object), len(cells))
    points = shapely.points(rng.uniform((117.0, -3.0), (117.0 + side, -3.0 + side), (count, 2)))
    reports = {
        "report_id": [f"r{i:06d}" for i in range(count)],
        "source": "benchmark",
        "category": rng.choice(np.array(CATEGORIES, dtype=object), count),
        "description": [f"jalan tergenang di depan rumah nomor {i}" for i in range(count)],
    }
    return {
        HEXAGONS: gpd.GeoDataFrame(rows, geometry=cell_polygons(cells), crs="EPSG:4326"),
        REPORTS: gpd.GeoDataFrame(reports, geometry=points, crs="EPSG:4326"),
    }


def publication(tables: Mapping[Layer, gpd.GeoDataFrame], folder: Path) -> None:
    """Print the time that the tiles take, and their size by zoom."""
    features = sum(len(table) for table in tables.values())
    start, cpu = time.perf_counter(), time.process_time()
    told = write_tiles(folder, tables, ABOUT)
    wall, own = time.perf_counter() - start, time.process_time() - cpu
    size = sum(row["bytes"] for row in told["sets"].values())
    print(f"{features} features: {wall:.1f} s ({own:.1f} s of it here, the rest tippecanoe), {size / 1e6:.1f} MB")
    print(f"{'zoom':>5} {'tiles':>6} {'kB gzipped':>11} {'largest kB':>11}   (all layers)")
    with closing(sqlite3.connect(folder / f"{CITY}.mbtiles")) as connection:
        rows = connection.execute(
            "SELECT zoom_level, count(*), sum(length(tile_data)), max(length(tile_data)) FROM tiles GROUP BY 1"
        )
        for zoom, count, total, largest in rows:
            print(f"{zoom:>5} {count:>6} {total / 1e3:>11.1f} {largest / 1e3:>11.1f}")


def addresses(path: Path, zoom: int, wanted: int) -> list[str]:
    """Return the addresses of tiles at a zoom in a shuffled order, again and again as needed."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT tile_row, tile_column FROM tiles WHERE zoom_level = ? ORDER BY 1, 2", (zoom,)
        ).fetchall()
    order = np.random.default_rng(2).permutation(np.resize(np.arange(len(rows)), max(wanted, len(rows))))[:wanted]
    return [f"/tiles/WebMercatorQuad/{zoom}/{2**zoom - 1 - rows[i][0]}/{rows[i][1]}" for i in order]


async def answered(app: Any, path: str, query: bytes) -> int:
    """Ask for a path as the ASGI server does; return the bytes of the body."""
    size = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal size
        if message["type"] == "http.response.start" and message["status"] not in (200, 204):
            raise RuntimeError(f"{path}: {message['status']}")
        size += len(message.get("body", b""))

    headers = [(b"host", b"127.0.0.1"), (b"accept", b"*/*"), (b"accept-encoding", b"gzip")]
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "root_path": "",
    }
    scope |= {"raw_path": path.encode(), "query_string": query, "headers": headers, "app": app}
    scope |= {"server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1)}
    await app(scope, receive, send)
    return size


def requests(city: Path, count: int) -> None:
    """Print the CPU that a tile takes, pinned to a version or not, at three zooms."""
    app = create_app(city, "http://127.0.0.1:5000")
    version = Versions(city / "var").current()
    if version is None:
        raise SystemExit(f"{city}: nothing is published")
    for zoom in (11, 13, 14):
        paths = addresses(version.path / "tiles" / f"{CITY}.mbtiles", zoom, count)
        for name, query in (("", b"f=mvt"), (", version=", f"f=mvt&version={version.id}".encode())):

            async def every(paths: list[str] = paths, query: bytes = query) -> int:
                return sum([await answered(app, path, query) for path in paths])

            asyncio.run(every())
            start = time.process_time()
            size = asyncio.run(every())
            each = (time.process_time() - start) / len(paths) * 1e3
            print(
                f"zoom {zoom}{name}: {each:.3f} ms CPU a tile, {size / len(paths) / 1e3:.1f} kB; "
                f"{each / TIPG_MS:.3f} of tipg's {TIPG_MS:g} ms"
            )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("city", nargs="?", type=Path)
    parser.add_argument("--cells", type=int, default=50_000)
    parser.add_argument("--requests", type=int, default=3000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.city is None:
            publication(made(asked.cells), Path(folder) / "tiles")
            return
        version = Versions(asked.city / "var").current()
        if version is None:
            raise SystemExit(f"{asked.city}: nothing is published")
        publication({layer: read_layer(version.layers, layer.name) for layer in LAYERS}, Path(folder) / "tiles")
    requests(asked.city, asked.requests)


if __name__ == "__main__":
    main()
