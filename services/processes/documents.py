"""Processes, jobs and results as the documents of OGC API Processes 1.0 (18-062r2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import spatial
from services.processes.model import JSON, Input, Output, Process
from spatial.store.jobs import Job

REL = "http://www.opengis.net/def/rel/ogc/1.0"
_WAITING = {
    True: ("menunggu giliran", "waits for its turn"),
    False: (
        "menunggu pekerja; jalankan `hexakota worker` di server",
        "waits for a worker; run `hexakota worker` on the server",
    ),
}
_STATES = {
    "running": ("berjalan", "runs"),
    "successful": ("selesai", "done"),
    "failed": ("gagal", "failed"),
    "dismissed": ("dibatalkan", "dismissed"),
}
Link = dict[str, str]


def link(rel: str, href: str, title: str, media_type: str = JSON) -> Link:
    """Return a link."""
    return {"rel": rel, "type": media_type, "title": title, "href": href}


def summary(process: Process, language: str, url: str) -> dict[str, Any]:
    """Return a process as the list has it; `url` is of the server."""
    here = f"{url}/processes/{process.id}"
    return {
        "id": process.id,
        "title": process.title.of(language),
        "description": process.description.of(language),
        "version": spatial.__version__,
        "jobControlOptions": [*(["sync-execute"] * process.quick), "async-execute", "dismiss"],
        "outputTransmission": ["value", "reference"],
        "links": [link("self", here, process.title.of(language))],
    }


def description(process: Process, language: str, url: str) -> dict[str, Any]:
    """Return a process with its inputs and outputs."""
    more = [
        link(f"{REL}/execute", f"{url}/processes/{process.id}/execution", "POST"),
        link(f"{REL}/job-list", f"{url}/jobs?processID={process.id}", "Pekerjaan / jobs"),
        link("up", f"{url}/processes", "Proses / processes"),
    ]
    told = summary(process, language, url)
    return told | {
        "links": [*told["links"], *more],
        "inputs": {one.name: _input(one, language) for one in process.inputs},
        "outputs": {one.name: _output(one, language) for one in process.outputs},
    }


def _input(one: Input, language: str) -> dict[str, Any]:
    schema = dict(one.schema) | ({"x-ogc-unit": one.unit} if one.unit else {})
    described = {"title": one.title.of(language), "description": one.title.of(language), "schema": schema}
    return described | {"minOccurs": int(one.required), "maxOccurs": 1}


def _output(one: Output, language: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "contentMediaType": JSON}
    if one.media_type != JSON:
        schema = {"type": "string", "contentMediaType": one.media_type}
        schema |= {} if one.media_type.startswith("text/") else {"contentEncoding": "base64"}
    return {"title": one.title.of(language), "description": one.title.of(language), "schema": schema}


def status(job: Job, language: str, url: str, manned: bool) -> dict[str, Any]:
    """Return the status of a job; `manned`: a worker is there."""
    here = f"{url}/jobs/{job.id}"
    links = [link("self", here, job.process), link("up", f"{url}/jobs", "Pekerjaan / jobs")]
    if job.status in ("successful", "failed"):
        rel = "results" if job.status == "successful" else "exceptions"
        links.append(link(f"{REL}/{rel}", f"{here}/results?f=json", "Hasil / results"))
    told = {
        "processID": job.process,
        "type": "process",
        "jobID": job.id,
        "status": job.status,
        "message": message(job, language, manned),
        "progress": job.progress,
        "created": _time(job.created),
        "started": _time(job.started),
        "finished": _time(job.finished),
        "updated": _time(job.updated),
        "links": links,
    }
    return {name: value for name, value in told.items() if value is not None}


def message(job: Job, language: str, manned: bool) -> str:
    """Return what a job does, in a language; of a failed one, the reason."""
    if job.status == "failed" and job.outcome is not None:
        return str(job.outcome["detail"])
    own = job.message_en if language == "en" else job.message_id
    if job.status == "accepted":
        waits = _WAITING[manned][language == "en"]
        return f"{own}; {waits}" if own else waits
    return own or _STATES[job.status][language == "en"]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def page_links(url: str, query: Sequence[tuple[str, str]], offset: int, limit: int, total: int) -> list[Link]:
    """Return `self`, and `prev` and `next` where there is more."""

    def at(position: int) -> str:
        rest = [(name, value) for name, value in query if name != "offset"]
        return f"{url}?{urlencode([*rest, ('offset', str(position))])}"

    links = [link("self", f"{url}?{urlencode(query)}" if query else url, "Halaman ini / this page")]
    if offset + limit < total:
        links.append(link("next", at(offset + limit), "Berikutnya / next"))
    if offset > 0:
        links.append(link("prev", at(max(offset - limit, 0)), "Sebelumnya / previous"))
    return links
