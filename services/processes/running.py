"""A job of the queue from its start to its end: in a child, with its lease renewed, and its subscriber told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from services.processes.callbacks import CallbackError, call
from services.processes.catalogue import PROCESS_BY_ID
from services.processes.child import Ended, Task, supervise
from services.processes.documents import status
from services.processes.errors import exception
from services.processes.results import document
from spatial.store.jobs import LEASE_S, Job, JobQueue

BEAT_S = 1.0
LOST = exception(500, "NoApplicableCode", "its worker stopped in the middle, and so did the one that began it again")


def run_job(
    queue: JobQueue,
    city: Path,
    job: Job,
    method: Literal["spawn", "forkserver"],
    stopped: Callable[[], bool] = lambda: False,
    lease_s: float = LEASE_S,
    limit_s: float | None = None,
) -> Ended:
    """Run a job that its worker has begun, and write its end into the queue.

    A job that was dismissed, or whose lease was lost, is killed and not written. Once `stopped` says so, it is killed
    and queued again.
    """
    beaten = time.monotonic()

    def wanted() -> bool:
        nonlocal beaten
        if stopped():
            return False
        if time.monotonic() - beaten < min(BEAT_S, lease_s / 4):
            return True
        beaten = time.monotonic()
        return queue.beat(job, lease_s)

    _tell_subscriber(queue, job, "inProgressUri")
    task = Task(city, job.process, job.request["inputs"], queue.staging(job))
    ended = supervise(task, method, wanted, lambda *said: queue.tell(job, *said), limit_s)
    if ended.outputs is not None:
        written = queue.finish(job, ended.outputs)
    elif ended.problem is not None:
        written = queue.fail(job, ended.problem)
    else:
        queue.release(job)  # does nothing where the job is not its worker's any more
        return ended
    if written:
        _tell_subscriber(queue, job, "successUri" if ended.outputs is not None else "failedUri")
    return ended if written else Ended()


def _tell_subscriber(queue: JobQueue, job: Job, name: str) -> None:
    """Call the subscriber where it wants to know; what goes wrong there is the log's, not the job's."""
    url = job.request["subscriber"].get(name)
    if url is None:
        return
    try:
        call(url, _news(queue, queue.get(job.id), name))
    except CallbackError as error:
        print(f"hexakota: subscriber.{name}: {error}", file=sys.stderr, flush=True)


def _news(queue: JobQueue, job: Job, name: str) -> Mapping[str, Any]:
    base_url = str(job.request["url"])
    if name == "successUri":
        return document(job, PROCESS_BY_ID[job.process], queue.results(job.id), base_url)
    return status(job, "id", base_url, manned=True)
