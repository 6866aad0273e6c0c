"""The paths of processes and jobs in the OpenAPI document, with no remote reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.openapi import HTML
from services.processes.catalogue import PROCESSES
from services.processes.model import JSON, Process
from services.site import Edition
from spatial.store.jobs import JOB_STATUSES

Schema = dict[str, Any]
_STRING: Schema = {"type": "string"}
_OBJECT: Schema = {"type": "object"}
_EXCEPTION: Schema = {
    "type": "object",
    "required": ["type", "code"],
    "properties": {"type": _STRING, "title": _STRING, "status": {"type": "integer"}, "detail": _STRING}
    | {"code": _STRING, "description": _STRING},
}
_LINKS: Schema = {"type": "array", "items": {"type": "object", "required": ["href"]}}
_STATUS_INFO: Schema = {
    "type": "object",
    "required": ["processID", "type", "jobID", "status", "links"],
    "properties": {
        "processID": _STRING,
        "type": {"type": "string", "enum": ["process"]},
        "jobID": _STRING,
        "status": {"type": "string", "enum": list(JOB_STATUSES)},
        "message": _STRING,
        "progress": {"type": "integer", "minimum": 0, "maximum": 100},
        "links": _LINKS,
    }
    | {name: {"type": "string", "format": "date-time"} for name in ("created", "started", "finished", "updated")},
}


def _query(name: str, description: str, schema: Schema) -> Schema:
    told = {"name": name, "in": "query", "description": description, "required": False, "schema": schema}
    return told | {"style": "form", "explode": False}


_LIST: Schema = {"type": "array", "items": _STRING}
_LANG = _query("lang", "bahasa / language", {"type": "string", "enum": ["id", "en"]})
_F = _query("f", "bentuk / format", {"type": "string", "enum": ["json"], "default": "json"})
_OFFSET = _query("offset", "to leave out at the start", {"type": "integer", "minimum": 0, "default": 0})
_JOB = {"name": "jobId", "in": "path", "required": True, "description": "id", "schema": _STRING}
_NAME = {"name": "name", "in": "path", "required": True, "description": "file", "schema": _STRING}
_FILTERS = [
    _query("type", "type of job", {"type": "array", "items": {"type": "string", "enum": ["process"]}}),
    _query("processID", "of these processes", _LIST),
    _query("status", "in these states", {"type": "array", "items": {"type": "string", "enum": list(JOB_STATUSES)}}),
    _query("datetime", "created then: RFC 3339 time, or interval with / and .. as open end", _STRING),
    _query("minDuration", "at least so many seconds", {"type": "integer", "minimum": 0}),
    _query("maxDuration", "at most so many seconds", {"type": "integer", "minimum": 0}),
]


def _limit(most: int) -> Schema:
    return _query("limit", "at most so many", {"type": "integer", "minimum": 1, "maximum": most, "default": 10})


def paths(edition: Edition) -> dict[str, Any]:
    """Return the path items of processes and jobs."""
    listed: Schema = {"type": "object", "required": ["processes", "links"]}
    jobs: Schema = {"type": "object", "required": ["jobs", "links"]}
    jobs |= {"properties": {"jobs": {"type": "array", "items": _STATUS_INFO}, "links": _LINKS}}
    told = {
        "/processes": {"get": _operation("getProcesses", [_F, _LANG, _limit(10_000), _OFFSET], listed, "400")},
        "/jobs": {"get": _operation("getJobs", [_F, _LANG, _limit(1000), _OFFSET, *_FILTERS], jobs, "400")},
        "/jobs/{jobId}": {
            "get": _operation("getStatus", [_JOB, _F, _LANG], _STATUS_INFO, "400", "404"),
            "delete": _operation("dismiss", [_JOB, _F, _LANG], _STATUS_INFO, "400", "401", "403", "404"),
        },
        "/jobs/{jobId}/results": {"get": _results("getResults", [_JOB, _F, _LANG])},
        "/jobs/{jobId}/results/{name}": {"get": _results("getResult", [_JOB, _NAME, _F, _LANG])},
    }
    for process in PROCESSES:
        own = process.id.title().replace("-", "")
        here = f"/processes/{process.id}"
        told[here] = {"get": _operation(f"describe{own}", [_F, _LANG], _OBJECT, "400")}
        told[f"{here}/execution"] = {"post": _execution(f"execute{own}", process)}
    return told


def _operation(name: str, parameters: list[Schema], schema: Schema, *errors: str) -> Schema:
    answers = {"200": {"description": name, "content": {JSON: {"schema": schema}}}}
    return {
        "operationId": name,
        "summary": name,
        "tags": ["processes"],
        "parameters": parameters,
        "responses": answers | _errors(*errors, "500", "503"),
    }


def _errors(*statuses: str) -> dict[str, Any]:
    content = {JSON: {"schema": _EXCEPTION}} | HTML
    return {status: {"description": "exception", "content": content} for status in statuses}


def _results(name: str, parameters: list[Schema]) -> Schema:
    binary: Schema = {"type": "string", "format": "binary"}
    kinds = {"text/csv": _STRING, "image/png": binary, "multipart/related": binary}
    told = _operation(name, parameters, _OBJECT, "400", "404")
    told["responses"]["200"]["content"] |= {kind: {"schema": schema} for kind, schema in kinds.items()}
    told["responses"]["204"] = {"description": "by reference: Link headers"}
    return told


def _execution(name: str, process: Process) -> Schema:
    told = _results(name, [_F, _LANG])
    created = {"description": "a job", "content": {JSON: {"schema": _STATUS_INFO}}}
    created |= {"headers": {"Location": {"schema": _STRING}}}
    statuses = ("400", "404", "409", "413", "415", "429", *(("401", "403") if process.guarded else ()))
    told["responses"] |= {"201": created} | _errors(*statuses)
    if not process.quick:
        del told["responses"]["200"], told["responses"]["204"]
    return told | {"requestBody": {"required": True, "content": {JSON: {"schema": _request(process)}}}}


def _request(process: Process) -> Schema:
    modes: Mapping[str, Any] = {"transmissionMode": {"type": "string", "enum": ["value", "reference"]}}
    outputs = {one.name: {"type": "object", "properties": dict(modes)} for one in process.outputs}
    uris = {name: {"type": "string", "format": "uri"} for name in ("successUri", "inProgressUri", "failedUri")}
    return {
        "type": "object",
        "properties": {
            "inputs": _plain(process.input_schema),
            "outputs": {"type": "object", "properties": outputs, "additionalProperties": False},
            "response": {"type": "string", "enum": ["raw", "document"], "default": "raw"},
            "subscriber": {"type": "object", "properties": uris, "required": ["successUri"]},
        },
        "additionalProperties": False,
    } | ({"required": ["inputs"]} if any(one.required for one in process.inputs) else {})


def _plain(schema: Any) -> Any:
    """Return a JSON Schema as OpenAPI 3.0 has it: one type, nullable."""
    if isinstance(schema, dict):
        told = {name: _plain(value) for name, value in schema.items() if (name, value) != ("required", [])}
        if isinstance(told.get("type"), list):
            told |= {"type": told["type"][0], "nullable": True}
        return told
    return [_plain(one) for one in schema] if isinstance(schema, list) else schema
