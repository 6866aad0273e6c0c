"""`hexakota worker`: takes jobs from a city's queue, one at a time, each in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from spatial.errors import InputError

POLL_S = 0.5
PRUNE_S = 60.0


@click.command(
    epilog="\b\nContoh / examples:\n  hexakota worker kupang\n  hexakota worker kupang --until-empty",
)
@click.argument("city", type=click.Path(path_type=Path))
@click.option("--until-empty", is_flag=True, help="Berhenti bila antrean kosong / end once nothing waits.")
@click.option(
    "--lease",
    default=30.0,
    show_default=True,
    type=click.FloatRange(1, 3600),
    help="Detik tanpa kabar sampai pekerjaan diambil alih / seconds of silence until a job is taken over.",
)
@click.option("--parent", type=int, hidden=True)
def worker(city: Path, until_empty: bool, lease: float, parent: int | None) -> None:
    """Kerjakan antrean proses / run the jobs that the API queued, until interrupted; several may run beside each other.

    Pekerjaan dibatalkan seketika; yang terputus diulang sekali.

    A dismissed job is killed at once; one whose worker died is begun once more.
    """
    folder = city.parent if city.is_file() else city
    if not (folder / "city.toml").is_file():
        raise InputError(folder, "city", "holds no city.toml", "name the folder of a city")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    click.echo(f"pekerja siap / the worker is ready: {folder}")
    work(folder, stop, lease, until_empty, parent)


def work(city: Path, stop: threading.Event, lease_s: float, until_empty: bool, parent: int | None) -> None:
    """Take jobs until `stop` is set, the queue is empty (`until_empty`) or the process `parent` is gone.

    Raises
    ------
    StoreError
        The queue cannot be used.
    """
    from services.processes.running import LOST, run_job
    from spatial.store.jobs import JobQueue

    queue = JobQueue(city.resolve() / "var")
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    def stopped() -> bool:
        return stop.is_set() or (parent is not None and os.getppid() != parent)

    pruned = -PRUNE_S
    with _signed_on(city.resolve(), name, lease_s):
        while not stopped():
            queue.recover(LOST)
            if time.monotonic() - pruned > PRUNE_S:
                queue.prune()
                pruned = time.monotonic()
            job = queue.claim(name, lease_s)
            if job is not None:
                click.echo(f"{job.id} {job.process}: mulai / begins")
                run_job(queue, city.resolve(), job, "spawn", stopped, lease_s)
                click.echo(f"{job.id} {job.process}: berhenti / ends")
            elif until_empty:
                return
            else:
                stop.wait(POLL_S)


@contextmanager
def _signed_on(city: Path, name: str, lease_s: float) -> Iterator[None]:
    """Say in the queue that a worker is there, again and again, until the end of the block."""
    from spatial.store.jobs import JobQueue

    queue, over = JobQueue(city / "var"), threading.Event()

    def keep() -> None:
        while not over.is_set():
            queue.sign_on(name, lease_s)
            over.wait(lease_s / 3)

    queue.sign_on(name, lease_s)
    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        queue.sign_off(name)


@contextmanager
def attended(city: Path, with_worker: bool) -> Iterator[None]:
    """Run a worker beside a server, or say where none is there."""
    from spatial.store.jobs import JobQueue

    if not with_worker:
        if not JobQueue(city / "var").manned():
            click.echo(f"proses: tidak ada pekerja / processes: no worker is there; `hexakota worker {city}`")
        yield
        return
    command = [sys.executable, "-m", "services.cli", "worker", str(city), "--parent", str(os.getpid())]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
