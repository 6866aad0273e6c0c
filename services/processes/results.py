"""The results of a job as a response (18-062r2, tables 11 and 12): raw, multipart, by reference, or one document."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import orjson
from starlette.responses import Response

from services.processes.documents import link
from services.processes.errors import NO_SUCH_JOB, ProcessError
from services.processes.model import JSON, Output, Process
from spatial.store.jobs import Job


def results(job: Job, process: Process, folder: Path, url: str, as_document: bool = False) -> Response:
    """Answer with what a successful job came to, in the way that its request asked for.

    Parameters
    ----------
    folder : of the job's files.
    url : of the server.
    as_document : the client wants JSON, whatever the request said.
    """
    modes: Mapping[str, str | None] = job.request["outputs"]
    produced = _produced(job)
    wanted = {name: modes[name] for name in modes if name in produced}
    here = f"{url}/jobs/{job.id}/results"
    if as_document or job.request["response"] == "document":
        return Response(orjson.dumps(document(job, process, folder, url)), media_type=JSON)
    if not wanted:
        return Response(None, 204)
    if all(mode == "reference" for mode in wanted.values()):
        links = [_header(process.output_by_name[name], f"{here}/{file_name(name, produced[name])}") for name in wanted]
        return Response(None, 204, {"Link": ", ".join(links)})
    parts = {name: _content(produced[name], folder) for name in wanted}
    if len(wanted) == 1:
        name = next(iter(wanted))
        return Response(parts[name], media_type=process.output_by_name[name].media_type)
    return _multipart(process, wanted, parts, {name: f"{here}/{file_name(name, produced[name])}" for name in wanted})


def document(job: Job, process: Process, folder: Path, url: str) -> dict[str, Any]:
    """Return the results as one JSON document (results.yaml): JSON by value, files as links unless asked by value."""
    modes: Mapping[str, str | None] = job.request["outputs"]
    told: dict[str, Any] = {}
    for name, one in _produced(job).items():
        if name not in modes:
            continue
        output = process.output_by_name[name]
        if modes[name] == "reference" or ("file" in one and modes[name] is None):
            href = f"{url}/jobs/{job.id}/results/{file_name(name, one)}"
            told[name] = link(name, href, f"{output.title.id} / {output.title.en}", output.media_type)
        else:
            told[name] = _inline(output, one, folder)
    return told


def one_file(job: Job, process: Process, folder: Path, name: str) -> Response:
    """Answer with one output by its file name. Raises ProcessError (404) where there is none of that name."""
    for output, one in _produced(job).items():
        if file_name(output, one) == name:
            return Response(_content(one, folder), media_type=process.output_by_name[output].media_type)
    raise ProcessError(404, NO_SUCH_JOB, f"job {job.id} has no result {name!r}")


def file_name(output: str, one: Mapping[str, Any]) -> str:
    """Return the name under which an output is found: of its file, or that of the output for JSON values."""
    return str(one.get("file", f"{output}.json"))


def _produced(job: Job) -> dict[str, Any]:
    return dict(job.outcome or {})


def _content(one: Mapping[str, Any], folder: Path) -> bytes:
    if "value" in one:
        return orjson.dumps(one["value"])
    return (folder / str(one["file"])).read_bytes()


def _inline(output: Output, one: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    if "value" in one:
        return {"value": one["value"], "mediaType": JSON}
    content = (folder / one["file"]).read_bytes()
    if output.media_type.startswith("text/"):
        return {"value": content.decode("utf-8-sig"), "mediaType": output.media_type}
    return {"value": base64.b64encode(content).decode(), "encoding": "base64", "mediaType": output.media_type}


def _header(output: Output, href: str) -> str:
    return f'<{href}>; rel="{output.name}"; type="{output.media_type}"'


def _multipart(
    process: Process, wanted: Mapping[str, str | None], parts: Mapping[str, bytes], hrefs: Mapping[str, str]
) -> Response:
    """Return a multipart/related answer (RFC 2387): a part per output, an empty one for what is asked by reference."""
    boundary = uuid.uuid4().hex
    body = b""
    for name, mode in wanted.items():
        head = Message()
        head["Content-Type"] = process.output_by_name[name].media_type
        head["Content-ID"] = f"<{name}>"
        if mode == "reference":
            head["Content-Location"] = hrefs[name]
        lines = "".join(f"{key}: {value}\r\n" for key, value in head.items())
        content = b"" if mode == "reference" else parts[name]
        body += f"--{boundary}\r\n{lines}\r\n".encode() + content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    first = process.output_by_name[next(iter(wanted))].media_type
    return Response(body, media_type=f'multipart/related; type="{first}"; boundary={boundary}')
