"""A real PostgreSQL with PostGIS as a process of the tests: its own data folder, a free loopback port, no fsync."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

DATABASE, ROLE = "hexakota", "hexakota"
NO_PASSWORD = "host all all 127.0.0.1/32 trust\n"
PASSWORD = f'host all "{ROLE}_guarded" 127.0.0.1/32 scram-sha-256\n'
_PR_SET_PDEATHSIG = 1
_CREATE = (
    "CREATE DATABASE {} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'id-ID'"  # a sorts before B, as in offices
)
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_connections=60")


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL that has PostGIS, or None."""
    folders = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True)
    return next((folder for folder in folders if _has_postgis(folder)), None)


def _has_postgis(folder: Path) -> bool:
    if not all((folder / name).exists() for name in ("postgres", "initdb")):
        return False
    config = folder / "pg_config"
    shared = subprocess.run([config, "--sharedir"], capture_output=True, text=True) if config.exists() else None
    places = [Path("/usr/share/postgresql") / folder.parent.name]
    places += [] if shared is None or shared.returncode else [Path(shared.stdout.strip())]
    return any((place / "extension/postgis.control").exists() for place in places)


def _unprivileged() -> dict[str, Any]:
    """Return how to start a process that refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def running_postgis(binaries: Path) -> Iterator[str]:
    """Start a server with a database that has PostGIS and a role that owns nothing else; yield its address."""
    folder = Path(tempfile.mkdtemp(prefix="hexakota-postgis-"))
    who = _unprivileged()
    if who:
        os.chown(folder, who["user"], who["group"])
    try:
        subprocess.run(
            [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            check=True, capture_output=True, cwd=folder, **who,
        )  # fmt: skip
        (folder / "data/pg_hba.conf").write_text(PASSWORD + NO_PASSWORD, "utf-8")
        port = _free_port()
        process = _start(binaries, folder, port, who)
        try:
            _make_database(f"postgresql://postgres@127.0.0.1:{port}", process)
            yield f"postgresql://{ROLE}@127.0.0.1:{port}/{DATABASE}"
        finally:
            process.send_signal(signal.SIGINT)  # SIGTERM would wait for a client that a failed test left
            process.wait(60)
    finally:
        shutil.rmtree(folder)


def _start(binaries: Path, folder: Path, port: int, who: dict[str, Any]) -> subprocess.Popen[bytes]:
    options = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *FAST]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", *(word for option in options for word in ("-c", option))],
            stdout=log, stderr=subprocess.STDOUT, cwd=folder, preexec_fn=_end_with_the_tests, **who,
        )  # fmt: skip


def _end_with_the_tests() -> None:
    """Let Linux end the server where the tests are killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_database(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server = psycopg.connect(f"{url}/postgres", autocommit=True)
            break
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    with server:
        server.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(ROLE)))
        server.execute(SQL("CREATE ROLE {} LOGIN PASSWORD 'the right one'").format(Identifier(f"{ROLE}_guarded")))
        server.execute(SQL(_CREATE).format(Identifier(DATABASE)))
        server.execute(SQL("GRANT CREATE ON DATABASE {} TO {}").format(Identifier(DATABASE), Identifier(ROLE)))
    with psycopg.connect(f"{url}/{DATABASE}", autocommit=True) as database:
        database.execute("CREATE EXTENSION postgis")
