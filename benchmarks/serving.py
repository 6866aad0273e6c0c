"""CPU per request and latency of the served features beside tipg and stock pygeoapi, on the same hexagons.

    python -m venv peers
    peers/bin/pip install tipg pygeoapi sqlalchemy geoalchemy2 psycopg2-binary 'pygeofilter[sqlalchemy]' \\
        'uvicorn[standard]'
    python -m benchmarks.serving --peers peers/bin/python --features 50000

Every request has parameters and literals of its own, nothing is cached between requests, and the answers of all
servers are compared (ids and `numberMatched`) before anything is timed. CPU is that of the server and, where it asks
one, of the database. Needs PostgreSQL with PostGIS.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import geopandas as gpd
import h3
import numpy as np
import psycopg
import shapely

from spatial.contracts import HEXAGONS, Layer
from spatial.hexgrid.grid import cell_polygons
from spatial.store.tiles import FOLDER as TILES
from spatial.store.tiles import write_tiles
from spatial.store.versions import MANIFEST_FILE
from tests.postgis import binaries, running_postgis
from tests.services.handmade import publish
from tests.services.peers import Server, ask, free_port, peers, started

COLUMNS = """cell resolution kelurahan kecamatan reports_total reports_waste reports_street_light reports_flood
    incidents_flood exposure report_rate flood_gi_z road_length_m lamps_total elevation_mean_m hand_mean_m twi_mean
    flood_susceptibility flood_score flood_class""".split()  # noqa: SIM905
LAYER: Layer = replace(HEXAGONS, columns=tuple(c for c in HEXAGONS.columns if c.name in COLUMNS))
VILLAGES = 400
TICKS = os.sysconf("SC_CLK_TCK")


def hexagons(count: int) -> gpd.GeoDataFrame:
    """Return at least `count` cells around a point, as a disk, with random attributes, in the order of ids."""
    k = next(k for k in range(2000) if 3 * k * (k + 1) + 1 >= count)
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(-6.2, 106.8, 9), k))
    rng, n = np.random.default_rng(7), len(cells)
    values: dict[str, Any] = {"cell": cells, "resolution": np.full(n, 9)}
    values["kelurahan"] = [f"Kelurahan {i}" for i in rng.integers(0, VILLAGES, n)]
    values["kecamatan"] = [f"Kecamatan {i}" for i in rng.integers(0, 40, n)]
    for column in LAYER.columns:
        if column.name in values:
            continue
        if column.values:
            values[column.name] = rng.choice(column.values, n)
        elif column.kind == "integer":
            values[column.name] = rng.poisson(3, n)
        elif column.kind == "number":
            values[column.name] = rng.random(n).round(6) * (1.0 if column.maximum else 100.0)
        else:
            values[column.name] = "road_length"
    return gpd.GeoDataFrame(values, geometry=cell_polygons(np.asarray(cells)), crs="EPSG:4326")


Question = Callable[[Server, random.Random], str]


def _items(server: Server, **parameters: Any) -> str:
    return f"/collections/{server.collection}/items?f={server.form}&{urlencode(parameters)}"


def first_hundred(server: Server, rng: random.Random) -> str:
    """A page of 100."""
    return _items(server, limit=100, offset=rng.randrange(500))


def box(server: Server, rng: random.Random) -> str:
    """About 128 features."""
    x, y = 106.8 + rng.uniform(-0.2, 0.2), -6.2 + rng.uniform(-0.2, 0.2)
    return _items(server, limit=1000, bbox=f"{x:.6f},{y:.6f},{x + 0.034:.6f},{y + 0.034:.6f}")


def equal(server: Server, rng: random.Random) -> str:
    """One property."""
    return _items(server, limit=1000, kelurahan=f"Kelurahan {rng.randrange(VILLAGES)}")


def cql2(server: Server, rng: random.Random) -> str:
    """Three terms in CQL2 text."""
    a, b = rng.sample(range(VILLAGES), 2)
    text = (
        f"flood_score > {rng.random() / 2:.6f} AND reports_total >= {rng.randrange(3)} "
        f"AND kelurahan IN ('Kelurahan {a}','Kelurahan {b}')"
    )
    return _items(server, limit=1000, filter=text, **{"filter-lang": "cql2-text"})


def many(server: Server, rng: random.Random) -> str:
    """A page of 10,000."""
    return _items(server, limit=10_000, offset=rng.randrange(500))


CELLS: list[str] = []


def one(server: Server, rng: random.Random) -> str:
    """One item by its id."""
    return f"/collections/{server.collection}/items/{quote(rng.choice(CELLS))}?f={server.form}"


def tile(server: Server, rng: random.Random) -> str:
    """A vector tile at zoom 13."""
    x, y = 6524 + rng.randrange(6), 4234 + rng.randrange(6)
    return server.tile.format(c=server.collection, z=13, x=x, y=y)


QUESTIONS: dict[str, tuple[Question, int]] = {
    "limit=100": (first_hundred, 300),
    "bbox": (box, 300),
    "property": (equal, 300),
    "CQL2": (cql2, 300),
    "one item": (one, 500),
    "limit=10000": (many, 10),
    "MVT z13": (tile, 300),
}


def told(body: bytes) -> tuple[Any, list[str]]:
    """Return what an answer must share with the others': the number matched and the ids."""
    answer = json.loads(body)
    if answer["type"] == "Feature":
        return None, [str(answer["id"])]
    return answer.get("numberMatched"), sorted(str(feature["id"]) for feature in answer["features"])


def agree(servers: list[Server], question: Question, ordered: bool) -> int:
    """Ask every server the same ten questions; raise AssertionError where answers differ; return the features seen."""
    seen = 0
    for seed in range(10):
        answers = {}
        for server in servers:
            connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
            answers[server.name] = told(ask(connection, question(server, random.Random(seed))))
            connection.close()
        first = answers[servers[0].name]
        seen += len(first[1])
        for name, answer in answers.items():
            same = answer == first if ordered else answer[0] == first[0] and len(answer[1]) == len(first[1])
            if not same:
                raise AssertionError(
                    f"{name}: {answer[0]} of {len(answer[1])}, {servers[0].name}: {first[0]} of {len(first[1])}"
                )
    return seen


def cpu_s(pids: tuple[int, ...]) -> float:
    """Return the CPU seconds of processes, their children and the children that have ended."""
    total = 0
    for pid in _families(pids):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        total += sum(int(value) for value in fields[11:15])
    return total / TICKS


def _families(pids: tuple[int, ...]) -> Iterator[int]:
    for pid in pids:
        yield pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        yield from _families(tuple(map(int, children)))


def cost_ms(server: Server, question: Question, requests: int) -> float:
    """Return the CPU of a request, ms, of `requests` in a row on one connection."""
    rng = random.Random(11)
    connection = HTTPConnection("127.0.0.1", server.port, timeout=300)
    ask(connection, question(server, rng))
    before = cpu_s(server.pids)
    for _ in range(requests):
        ask(connection, question(server, rng))
    spent = cpu_s(server.pids) - before
    connection.close()
    return spent * 1000 / requests


def latency_ms(server: Server, question: Question, requests: int) -> tuple[float, float]:
    """Return the median and the 99th percentile of the time of a request, ms, of eight clients at once."""

    def client(seed: int) -> list[float]:
        rng, times = random.Random(seed), []
        connection = HTTPConnection("127.0.0.1", server.port, timeout=300)
        for _ in range(max(requests // 8, 2)):
            path, started = question(server, rng), time.perf_counter()
            ask(connection, path)
            times.append((time.perf_counter() - started) * 1000)
        return times

    with ThreadPoolExecutor(8) as pool:
        times = [t for own in pool.map(client, range(100, 108)) for t in own]
    return float(np.median(times)), float(np.percentile(times, 99))


def load(database: str, table: gpd.GeoDataFrame) -> None:
    """Put the cells into PostGIS with the indexes that an office would make: id, geometry, and the filtered column."""
    engine = psycopg.connect(database, autocommit=True)
    kinds = {"integer": "bigint", "number": "double precision"}
    columns = ", ".join(f'"{c.name}" {kinds.get(c.kind, "text")}' for c in LAYER.columns)
    engine.execute("CREATE SCHEMA bench")
    engine.execute("SET search_path TO bench, public")
    engine.execute(f"CREATE TABLE hexagons ({columns}, geom geometry(Polygon, 4326))")
    with engine.cursor().copy(f"COPY hexagons ({', '.join(LAYER.names)}, geom) FROM STDIN") as copy:
        shapes = shapely.to_wkb(table.geometry.to_numpy(), hex=True, include_srid=True)
        for row in zip(*(table[name].tolist() for name in LAYER.names), shapes, strict=True):
            copy.write_row(row)
    engine.execute("SELECT UpdateGeometrySRID('hexagons', 'geom', 4326)")
    engine.execute("ALTER TABLE hexagons ADD PRIMARY KEY (cell)")
    engine.execute("CREATE INDEX ON hexagons USING gist (geom)")
    engine.execute("CREATE INDEX ON hexagons (kelurahan)")
    engine.execute("VACUUM ANALYZE hexagons")
    engine.close()


def ours(city: Path, stack: ExitStack) -> Server:
    """Start `hexakota serve` on the published cells."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving", "--serve", str(city), "--port", str(port)]
    pid = stack.enter_context(started("hexakota", command, port, {}, ()))
    return Server("hexakota", port, (pid,))


def serve(city: Path, port: int) -> None:
    """Serve a city whose hexagons have the 20 columns of the comparison."""
    from spatial import registry

    registry.LAYER_BY_NAME["hexagons"] = LAYER
    from services.app import serve as serve_city

    serve_city(city, "127.0.0.1", port)


def compare(servers: list[Server]) -> None:
    """Print, for every question, the CPU of a request and its time at concurrency 8, and the ratio to tipg."""
    print(f"{'':14}" + "".join(f"{s.name:>34}" for s in servers))
    for name, (question, requests) in QUESTIONS.items():
        asked = [server for server in servers if name not in server.skips]
        if name != "MVT z13":
            agree(asked, question, ordered=False)
        costs = {server.name: cost_ms(server, question, requests) for server in asked}
        times = {server.name: latency_ms(server, question, requests) for server in asked}
        cells = []
        for server in servers:
            if server.name not in costs:
                cells.append(f"{'–':>34}")
                continue
            cost, (median, high) = costs[server.name], times[server.name]
            ratio = cost / costs.get("tipg", cost)
            cells.append(f"{cost:9.2f} ms {ratio:6.3f}× {median:6.1f}/{high:6.1f}")
        print(f"{name:14}" + "".join(f"{cell:>34}" for cell in cells), flush=True)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="Python of the environment with tipg and pygeoapi")
    parser.add_argument("--features", type=int, default=50_000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve, asked.port)
        return
    table = hexagons(asked.features)
    CELLS.extend(table["cell"])
    print(f"{len(table):,} hexagons × {len(LAYER.columns)} attributes")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        version = publish(Path(folder) / "city", layers={LAYER: table})
        manifest = version.manifest
        manifest["tiles"] = write_tiles(version.path / TILES, {HEXAGONS: table}, manifest["city"])
        (version.path / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")
        servers = []
        if asked.peers:
            found = binaries()
            if found is None:
                raise SystemExit("no PostgreSQL with PostGIS here")
            database = stack.enter_context(running_postgis(found))
            load(database, table)
            servers = peers(asked.peers, database, Path(folder), stack)
        compare([*servers, ours(Path(folder) / "city", stack)])


if __name__ == "__main__":
    main()
