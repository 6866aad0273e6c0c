"""Refusals of OGC API Processes, with the standard's types of exceptions (18-062r2, table 5 and clause 7.11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

_TYPES = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
NO_SUCH_PROCESS = f"{_TYPES}/no-such-process"
NO_SUCH_JOB = f"{_TYPES}/no-such-job"
RESULT_NOT_READY = f"{_TYPES}/result-not-ready"
INVALID = "InvalidParameterValue"


class ProcessError(Exception):
    """A request that is refused: HTTP status, type of the exception, and one line that says what was expected."""

    def __init__(self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.kind, self.detail, self.headers = status, kind, detail, dict(headers or {})
        super().__init__(detail)


def invalid(detail: str) -> ProcessError:
    """Return the refusal of a request whose content is at fault."""
    return ProcessError(400, INVALID, detail)


def exception(status: int, kind: str, detail: str) -> dict[str, Any]:
    """Return an exception as JSON values (RFC 7807), with the `code` and `description` of our other pages."""
    code = kind.rsplit("/", 1)[-1]
    return {"type": kind, "title": code, "status": status, "detail": detail, "code": code, "description": detail}


def refusal(error: ProcessError) -> Response:
    """Return the answer to a refused request."""
    body = orjson.dumps(exception(error.status, error.kind, error.detail))
    return Response(body, error.status, error.headers, media_type="application/json")
