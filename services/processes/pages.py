"""Pages of OGC API Processes 1.0 (18-062r2): processes, their execution, jobs and results."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import orjson
import shapely
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from services.answers import json_response
from services.parameters import COMMON
from services.parts import Handler, Link, Page, Part
from services.processes import documents
from services.processes.access import authorise
from services.processes.asking import MAX_BODY_BYTES, Asked, asked_of
from services.processes.callbacks import check_subscriber
from services.processes.catalogue import PROCESS_BY_ID, PROCESSES, process_of
from services.processes.errors import NO_SUCH_JOB, RESULT_NOT_READY, ProcessError, invalid, refusal
from services.processes.listing import DEFAULT_LIMIT, FILTERS, MAX_LIMIT, filtered, number
from services.processes.model import Process
from services.processes.openapi import paths
from services.processes.results import one_file, results
from services.processes.running import LOST, run_job
from services.site import Edition
from spatial.errors import NotFoundError
from spatial.registry import LAYER_BY_NAME
from spatial.store.geopackage import read_layer
from spatial.store.jobs import Job, JobQueue, NewJob, QueueFullError

MAX_WAITING = 20
AT_ONCE = 4
SYNC_LIMIT_S = 60.0
_SPEC = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf"
_SLOTS = threading.BoundedSemaphore(AT_ONCE)


def _told(handler: Handler) -> Handler:
    """Answer with the exception where a handler refuses."""

    @wraps(handler)
    async def answered(edition: Edition, request: Request) -> Response:
        try:
            return await handler(edition, request)
        except ProcessError as error:
            return refusal(error)

    return answered


def _language(request: Request) -> str:
    return request.query_params.get("lang") or request.headers["accept-language"]


def _city(edition: Edition) -> Path:
    return edition.version.path.parents[2]


def _queue(edition: Edition) -> JobQueue:
    return JobQueue(_city(edition) / "var")


@_told
async def _processes(edition: Edition, request: Request) -> Response:
    language, url = _language(request), edition.api.base_url
    limit, offset = _page(request, 10_000)
    shown = PROCESSES[offset : offset + limit]
    links = documents.page_links(f"{url}/processes", request.query_params.multi_items(), offset, limit, len(PROCESSES))
    return json_response({"processes": [documents.summary(p, language, url) for p in shown], "links": links})


@_told
async def _process(edition: Edition, request: Request) -> Response:
    process = process_of(request.path_params["process"])
    return json_response(documents.description(process, _language(request), edition.api.base_url))


@_told
async def _execute(edition: Edition, request: Request) -> Response:
    process, url = process_of(request.path_params["process"]), edition.api.base_url
    if process.guarded:
        authorise(request, url, process.id)
    asked = await run_in_threadpool(_checked, edition, process, await _body(request))
    later = any(part.split(";")[0].strip().lower() == "respond-async" for part in _preferences(request))
    if asked.subscriber and process.quick and not later:
        raise invalid("subscriber: only with `Prefer: respond-async`; a client that waits needs no call")
    if process.quick and not later:
        return await run_in_threadpool(_answer_now, edition, process, _new(process, asked, url))
    job, manned = await run_in_threadpool(_submit, _queue(edition), _new(process, asked, url))
    answer = json_response(documents.status(job, _language(request), url, manned), status=201)
    answer.headers["Location"] = f"{url}/jobs/{job.id}"
    if later:
        answer.headers["Preference-Applied"] = "respond-async"
    return answer


def _preferences(request: Request) -> list[str]:
    return ",".join(request.headers.getlist("prefer")).split(",")


async def _body(request: Request) -> bytes:
    """Return the body. Raises ProcessError where it is not JSON (a form of another site's page, say) or too long."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise ProcessError(415, "UnsupportedMediaType", "expected Content-Type: application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ProcessError(413, "ContentTooLarge", f"the body is longer than {MAX_BODY_BYTES:,} bytes")
    return body


def _checked(edition: Edition, process: Process, body: bytes) -> Asked:
    asked = asked_of(process, body, edition.api.base_url, lambda name, one: _feature(edition, name, one))
    process.check(_city(edition), asked.inputs)
    check_subscriber(asked.subscriber)
    return asked


def _feature(edition: Edition, name: str, identifier: str) -> Any:
    """Return the geometry of a feature of the served version. Raises ProcessError."""
    layer = LAYER_BY_NAME.get(name)
    if layer is None or not layer.geometry.endswith("Polygon") or name not in edition.manifest["layers"]:
        raise invalid(f"inputs: there is no collection of polygons called {name!r}")
    table = read_layer(edition.version.layers, name)
    rows = table[table[layer.id_column] == identifier]
    if rows.empty:
        raise invalid(f"inputs: {name} has no feature {identifier!r}")
    return orjson.loads(shapely.to_geojson(rows.geometry.iloc[0]))


def _new(process: Process, asked: Asked, url: str) -> NewJob:
    request = {
        "inputs": asked.inputs,
        "outputs": asked.outputs,
        "response": asked.response,
        "subscriber": asked.subscriber,
        "url": url,
    }
    return NewJob(process.id, request, process.lane, process.serial)


def _submit(queue: JobQueue, new: NewJob) -> tuple[Job, bool]:
    try:
        return queue.submit(new, MAX_WAITING), queue.manned()
    except QueueFullError as error:
        raise ProcessError(429, "TooManyRequests", f"{new.process}: {error}", {"Retry-After": "30"}) from error


def _answer_now(edition: Edition, process: Process, new: NewJob) -> Response:
    """Run a job while its client waits, and answer with its results."""
    if not _SLOTS.acquire(blocking=False):
        detail = f"{process.id}: {AT_ONCE} run already; try again, or ask with `Prefer: respond-async`"
        raise ProcessError(429, "TooManyRequests", detail, {"Retry-After": "5"})
    try:
        queue, url = _queue(edition), edition.api.base_url
        job = queue.start(new, f"server-{os.getpid()}")
        ended = run_job(queue, _city(edition), job, "forkserver", limit_s=SYNC_LIMIT_S)
        queue.prune()
    finally:
        _SLOTS.release()
    if ended.problem is not None:
        raise _failure(ended.problem)
    if ended.outputs is None:
        raise ProcessError(409, "Dismissed", f"job {job.id} was dismissed while it ran")
    answer = results(queue.get(job.id), process, queue.results(job.id), url)
    answer.headers.append("Link", f'<{url}/jobs/{job.id}>; rel="monitor"; type="application/json"')
    return answer


def _failure(problem: Any) -> ProcessError:
    return ProcessError(problem["status"], problem["type"], problem["detail"])


@_told
async def _jobs(edition: Edition, request: Request) -> Response:
    limit, offset = _page(request, MAX_LIMIT)
    queue, url = _queue(edition), edition.api.base_url
    jobs, manned = await run_in_threadpool(_looked, queue, queue.all)
    found = filtered(jobs, request.query_params, datetime.now(UTC))
    told = [documents.status(job, _language(request), url, manned) for job in found[offset : offset + limit]]
    links = documents.page_links(f"{url}/jobs", request.query_params.multi_items(), offset, limit, len(found))
    return json_response({"jobs": told, "links": links, "numberMatched": len(found), "numberReturned": len(told)})


def _page(request: Request, most: int) -> tuple[int, int]:
    query = request.query_params
    return number(query, "limit", DEFAULT_LIMIT, 1, most), number(query, "offset", 0, 0)


def _looked[T](queue: JobQueue, look: Callable[[], T]) -> tuple[T, bool]:
    """Look into the queue after what lost its worker was put right; tell whether a worker is there. Raises as told."""
    queue.recover(LOST)
    try:
        return look(), queue.manned()
    except NotFoundError as error:
        raise ProcessError(404, NO_SUCH_JOB, str(error)) from error


async def _one(edition: Edition, request: Request, whole: bool = False) -> tuple[Job, bool]:
    queue, job_id = _queue(edition), str(request.path_params["job"])
    return await run_in_threadpool(_looked, queue, lambda: queue.get(job_id, whole))


@_told
async def _job(edition: Edition, request: Request) -> Response:
    job, manned = await _one(edition, request)
    return json_response(documents.status(job, _language(request), edition.api.base_url, manned))


@_told
async def _dismiss(edition: Edition, request: Request) -> Response:
    job, manned = await _one(edition, request)
    if job.process not in PROCESS_BY_ID or PROCESS_BY_ID[job.process].guarded:
        authorise(request, edition.api.base_url, f"job {job.id} of {job.process}")
    queue = _queue(edition)
    gone, _ = await run_in_threadpool(_looked, queue, lambda: queue.dismiss(job.id))
    return json_response(documents.status(gone, _language(request), edition.api.base_url, manned))


def _done(job: Job) -> Process:
    """Return the process of a job that has results. Raises ProcessError: not ready, failed, dismissed."""
    if job.status == "failed" and job.outcome is not None:
        raise _failure(job.outcome)
    if job.status != "successful":
        raise ProcessError(404, RESULT_NOT_READY, f"job {job.id} is {job.status}")
    return process_of(job.process)


@_told
async def _results(edition: Edition, request: Request) -> Response:
    job, _ = await _one(edition, request, whole=True)
    folder, as_document = _queue(edition).results(job.id), "f" in request.query_params
    return await run_in_threadpool(results, job, _done(job), folder, edition.api.base_url, as_document)


@_told
async def _result(edition: Edition, request: Request) -> Response:
    job, _ = await _one(edition, request, whole=True)
    name = str(request.path_params["name"])
    return await run_in_threadpool(one_file, job, _done(job), _queue(edition).results(job.id), name)


def _landing_links(edition: Edition) -> list[Link]:
    url = edition.api.base_url
    return [
        documents.link(f"{documents.REL}/processes", f"{url}/processes", "Proses / processes"),
        documents.link(f"{documents.REL}/job-list", f"{url}/jobs", "Pekerjaan / jobs"),
    ]


_JSON = ("json",)
_PAGED: frozenset[str] = COMMON | {"limit", "offset"}
PART = Part(
    pages=(
        Page("/processes", _processes, _JSON, _PAGED),
        Page("/processes/{process}", _process, _JSON),
        Page("/processes/{process}/execution", _execute, _JSON, methods=("POST",)),
        Page("/jobs", _jobs, _JSON, COMMON | FILTERS),
        Page("/jobs/{job}", _job, _JSON),
        Page("/jobs/{job}", _dismiss, _JSON, methods=("DELETE",)),
        Page("/jobs/{job}/results", _results, _JSON),
        Page("/jobs/{job}/results/{name}", _result, _JSON),
    ),
    conformance=tuple(
        f"{_SPEC}/{name}" for name in ("core", "ogc-process-description", "json", "oas30", "job-list", "dismiss")
    ),
    paths=paths,
    landing_links=_landing_links,
)
