"""Edits that are refused: status, sentence, and the headers that tell a client what it may do instead."""

from __future__ import annotations

from collections.abc import Mapping

from services.parameters import BadRequestError


class RefusedError(BadRequestError):
    """An edit that is not made."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.headers = status, dict(headers or {})
        super().__init__(text)
