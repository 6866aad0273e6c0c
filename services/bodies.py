"""Bodies of requests."""

from __future__ import annotations

from starlette.requests import Request

from services.parameters import TooLargeError

MAX_BODY = 1_000_000  # bytes


async def body_of(request: Request) -> bytes:
    """Return the body of a request. Raises TooLargeError as soon as it is over 1 MB."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise TooLargeError(f"body: expected at most {MAX_BODY} bytes")
    return bytes(body)
