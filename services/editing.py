"""Who may edit the live reports of a server: clients that bear a token, or, without one, this machine alone.

`hexakota serve CITY --editable` takes the token from the environment variable HEXAKOTA_TOKEN. A server without a token
is refused unless `--no-token` says so and the host is a loopback address; it then answers edits only to requests that
name a loopback host, so that no page that a browser on this machine shows can edit through a name of its own.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from services.refusals import RefusedError
from spatial.config import load_privacy
from spatial.errors import InputError

TOKEN = "HEXAKOTA_TOKEN"
SHORTEST = 16


@dataclass(frozen=True, slots=True)
class Editing:
    """The rule of an editable server: the token that an edit must bear, or None: edits come from this machine."""

    token: str | None = field(repr=False)

    def check(self, request: Request) -> None:
        """Let an edit pass. Raises RefusedError: 401 without the token, 403 from another machine."""
        if self.token is None:
            if not _is_loopback(request.url.hostname or ""):
                raise RefusedError(
                    403, f"Host: {request.url.netloc}: this server takes edits from its own machine only"
                )
            return
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.token.encode()):
            return
        challenge = 'Bearer realm="hexakota"' + (', error="invalid_token"' if given else "")
        raise RefusedError(
            401, "Authorization: expected Bearer and the server's token", {"WWW-Authenticate": challenge}
        )


def editing_of(city: Path, editable: bool, no_token: bool, host: str) -> Editing | None:
    """Return the rule of a server that is started with these options; None: it is read-only.

    Raises
    ------
    InputError
        There is no token where one is needed, it is too short, or the city withholds small counts.
    """
    if not editable:
        if no_token:
            raise InputError("hexakota serve", "--no-token", "it says nothing without --editable", "add it or leave it")
        return None
    if least := load_privacy(city).min_count:
        problem = f"the city withholds small counts (min_count = {least})"
        raise InputError(city, "privacy", problem, "live answers would show single reports: serve it read-only")
    token = os.environ.get(TOKEN, "")
    if no_token:
        if not _is_loopback(host):
            raise InputError("hexakota serve", "--no-token", f"{host} can be reached from elsewhere", f"set {TOKEN}")
        if token:
            raise InputError("hexakota serve", "--no-token", f"{TOKEN} is set too", "keep one of the two")
        return Editing(None)
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        found = f"{len(token)} characters" if token else "nothing"
        problem = f"expected {SHORTEST} or more plain characters, found {found}"
        raise InputError("hexakota serve", TOKEN, problem, "e.g. `openssl rand -hex 24`, or --no-token on 127.0.0.1")
    return Editing(token)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
