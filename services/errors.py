"""The one table from Hexakota's errors to HTTP status and exit code."""

from __future__ import annotations

from http import HTTPStatus

from spatial.errors import (
    ContractError,
    DownloadError,
    HexakotaError,
    InputError,
    NotFoundError,
    QueryError,
    StoreError,
)

STATUS: tuple[tuple[type[HexakotaError], HTTPStatus, int], ...] = (
    (InputError, HTTPStatus.BAD_REQUEST, 2),
    (QueryError, HTTPStatus.BAD_REQUEST, 2),
    (DownloadError, HTTPStatus.BAD_GATEWAY, 2),
    (NotFoundError, HTTPStatus.NOT_FOUND, 2),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE, 2),
    (ContractError, HTTPStatus.INTERNAL_SERVER_ERROR, 1),
    (HexakotaError, HTTPStatus.INTERNAL_SERVER_ERROR, 1),
)


def exit_status(error: HexakotaError) -> int:
    """Return the exit status of the command line for an error."""
    return next(code for kind, _, code in STATUS if isinstance(error, kind))


def http_status(error: HexakotaError) -> HTTPStatus:
    """Return the HTTP status for an error."""
    return next(status for kind, status, _ in STATUS if isinstance(error, kind))
