"""The servers that `benchmarks.serving` compares: how each is started, and how it spells what differs."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path

import psycopg


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, the processes whose CPU counts, and how it spells what differs."""

    name: str
    port: int
    pids: tuple[int, ...]
    form: str = "json"
    collection: str = "hexagons"
    tile: str = "/collections/{c}/tiles/WebMercatorQuad/{z}/{y}/{x}?f=mvt"
    skips: tuple[str, ...] = ()


def ask(connection: HTTPConnection, path: str) -> bytes:
    """Return the body of an answer. Raises RuntimeError on any status but 200."""
    connection.request("GET", path, headers={"Accept-Encoding": "identity"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status not in (200, 204):
        raise RuntimeError(f"{answer.status} {path}: {body[:300]!r}")
    return body


@contextmanager
def started(
    name: str, command: list[str], port: int, environment: dict[str, str], more: tuple[int, ...]
) -> Iterator[int]:
    """Run a server until the end of the block; yield its process id once it answers."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        try:
            for _ in range(600):
                if process.poll() is not None:
                    break
                try:
                    connection = HTTPConnection("127.0.0.1", port, timeout=60)
                    ask(connection, "/conformance?f=json")
                    yield process.pid
                    return
                except OSError:
                    time.sleep(0.1)
            log.seek(0)
            raise RuntimeError(f"{name} did not start: {log.read()[-2000:].decode()}")
        finally:
            process.terminate()
            process.wait(30)


def _uvicorn(python: str, app: str, port: int) -> list[str]:
    return [python, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning", "--no-access-log"]


def peers(python: str, database: str, folder: Path, stack: ExitStack) -> list[Server]:
    """Start tipg and stock pygeoapi on the table in PostGIS."""
    postmaster = (postmaster_of(database),)
    settings = {
        "DATABASE_URL": database,
        "TIPG_DB_SCHEMAS": '["bench"]',
        "TIPG_TABLE_CONFIG__bench_hexagons__pk": "cell",
    }
    tipg, stock = free_port(), free_port()
    pid = stack.enter_context(started("tipg", _uvicorn(python, "tipg.main:app", tipg), tipg, settings, ()))
    found = [Server("tipg", tipg, (pid, *postmaster), form="geojson", collection="bench.hexagons")]
    found[0] = replace(found[0], tile="/collections/{c}/tiles/WebMercatorQuad/{z}/{x}/{y}")
    config, openapi = folder / "pygeoapi.yml", folder / "openapi.json"
    config.write_text(STOCK.format(port=stock, **parts(database)), "utf-8")
    pygeoapi = {"PYGEOAPI_CONFIG": str(config), "PYGEOAPI_OPENAPI": str(openapi)}
    command = [
        str(Path(python).with_name("pygeoapi")),
        "openapi",
        "generate",
        str(config),
        "--output-file",
        str(openapi),
    ]
    subprocess.run(command, check=True, env=os.environ | pygeoapi, capture_output=True)
    run = _uvicorn(python, "pygeoapi.starlette_app:APP", stock)
    pid = stack.enter_context(started("pygeoapi", run, stock, pygeoapi, ()))
    return [*found, Server("pygeoapi", stock, (pid, *postmaster), skips=("MVT z13",))]


STOCK = """
server:
  bind: {{host: 127.0.0.1, port: {port}}}
  url: http://127.0.0.1:{port}
  mimetype: application/json; charset=UTF-8
  encoding: utf-8
  languages: [en]
  pretty_print: false
  limits: {{default_items: 1000, max_items: 10000}}
  map: {{url: "", attribution: ""}}
logging: {{level: CRITICAL}}
metadata:
  identification: {{title: t, description: d, keywords: [k], terms_of_service: t, url: "http://127.0.0.1:{port}"}}
  license: {{name: n, url: "http://127.0.0.1:{port}"}}
  provider: {{name: n, url: "http://127.0.0.1:{port}"}}
  contact: {{name: n}}
resources:
  hexagons:
    type: collection
    title: hexagons
    description: hexagons
    keywords: [k]
    extents: {{spatial: {{bbox: [-180, -90, 180, 90], crs: "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}}}}
    providers:
      - type: feature
        name: PostgreSQL
        data: {{host: 127.0.0.1, port: {database_port}, dbname: {name}, user: {user}, search_path: [bench, public]}}
        id_field: cell
        table: hexagons
        geom_field: geom
        storage_crs: "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
"""


def parts(database: str) -> dict[str, str]:
    """Return the parts of a database's address that pygeoapi's configuration asks for."""
    found = psycopg.conninfo.conninfo_to_dict(database)
    return {"database_port": str(found["port"]), "name": str(found["dbname"]), "user": str(found["user"])}


def postmaster_of(database: str) -> int:
    """Return the process id of PostgreSQL's first process."""
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        fields = Path(f"/proc/{row[0] if row else 0}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[1])


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
