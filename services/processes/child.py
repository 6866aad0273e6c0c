"""One job in a process of its own: it can be killed at once, its memory goes back, and it ends with whoever started it.

A worker spawns a fresh interpreter for each job. The server, which answers quick processes while the client waits, has
them forked by a fork server that has loaded what they need.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from services.errors import http_status
from services.processes.catalogue import PROCESS_BY_ID
from services.processes.errors import INVALID, exception
from spatial.errors import HexakotaError, InputError

POLL_S = 0.1
PRELOADED = ("services.processes.child", "spatial.summarise", "services.plan", "rich.progress", "click")
TOOK_TOO_LONG = "took longer than {:g} s; ask for it with `Prefer: respond-async`"


@dataclass(frozen=True, slots=True)
class Task:
    """What a child does: a process by its id, on a city, with inputs, writing files into a folder that it makes."""

    city: Path
    process: str
    inputs: Mapping[str, Any]
    folder: Path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a task ended: its outputs, or the problem as an exception; both None where it was killed because unwanted."""

    outputs: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = None


def supervise(
    task: Task,
    method: Literal["spawn", "forkserver"],
    wanted: Callable[[], bool],
    tell: Callable[[int, str, str], object],
    limit_s: float | None = None,
) -> Ended:
    """Run a task in a child and wait for it.

    Parameters
    ----------
    wanted : asked every `POLL_S`; the child is killed once it says no.
    tell : called with the progress, 0–100, and what is done, in Indonesian and in English.
    limit_s : the child is killed after so many seconds.
    """
    context = get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(list(PRELOADED))
    ours, theirs = context.Pipe()
    child = context.Process(target=_main, args=(theirs, task), daemon=True)  # type: ignore[attr-defined]
    child.start()
    theirs.close()
    deadline = None if limit_s is None else time.monotonic() + limit_s
    try:
        while True:
            if not wanted():
                return Ended()
            if deadline is not None and time.monotonic() > deadline:
                detail = f"{task.process} {TOOK_TOO_LONG.format(limit_s)}"
                return Ended(problem=exception(503, "TimeLimitExceeded", detail))
            if ours.poll(POLL_S):
                said = ours.recv()
                if isinstance(said, Ended):
                    return said
                tell(*said)
    except EOFError:
        child.join()
        detail = f"{task.process}: its process ended by itself (exit status {child.exitcode}); memory may be short"
        return Ended(problem=exception(500, "NoApplicableCode", detail))
    finally:
        child.kill()
        child.join()
        child.close()
        ours.close()


class _Reporter:
    """A `Progress` that sends each stage to the parent, with the share of the stages that are behind it."""

    def __init__(self, connection: Connection, stages: int) -> None:
        self.connection, self.stages, self.seen = connection, stages, list[str]()

    def stage(self, name: str, title: str) -> None:
        if name not in self.seen:
            self.seen.append(name)
        indonesian, _, english = title.partition(" / ")
        progress = min(100 * (len(self.seen) - 1) // self.stages, 99)
        self.connection.send((progress, indonesian, english or indonesian))

    def note(self, text: str) -> None:
        print(f"• {text}", file=sys.stderr, flush=True)


def _main(connection: Connection, task: Task) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_end_with_parent, args=(connection,), daemon=True).start()
    process = PROCESS_BY_ID[task.process]
    try:
        outputs = process.execute(task.city, task.inputs, _Reporter(connection, process.stages), task.folder)
        connection.send(Ended(outputs=outputs))
    except HexakotaError as error:
        kind = INVALID if isinstance(error, InputError) else "NoApplicableCode"
        connection.send(Ended(problem=exception(int(http_status(error)), kind, _public(str(error), task))))
    except Exception as error:
        traceback.print_exc()
        detail = f"{type(error).__name__} in {task.process}; the log of the worker says more"
        connection.send(Ended(problem=exception(500, "NoApplicableCode", detail)))


def _end_with_parent(connection: Connection) -> None:
    """Wait for the end of the other side: nobody sends to a child."""
    try:
        connection.recv()
    except (EOFError, OSError):
        os._exit(1)


def _public(text: str, task: Task) -> str:
    """Return an error's text without the server's folders."""
    for folder, name in ((task.folder, "inputs"), (task.city.resolve(), task.city.name), (task.city, task.city.name)):
        text = text.replace(f"{folder}", name)
    return text
