"""Who may start, and cancel, the processes that change or load the server.

One rule. Where HEXAKOTA_TOKEN is set, a request carries it: `Authorization: Bearer <token>`. Where it is not, the
request comes from this machine: the address that the server gives to clients, the request's `Host` and the client's own
address are loopback, and no proxy says that it forwards. The other processes are open.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from urllib.parse import urlsplit

from starlette.requests import Request

from services.processes.errors import ProcessError

TOKEN = "HEXAKOTA_TOKEN"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def authorise(request: Request, base_url: str, what: str) -> None:
    """Refuse a request that may not do `what`. Raises ProcessError (401 or 403)."""
    token = os.environ.get(TOKEN)
    if token:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
            detail = f"{what}: this server wants its token; send `Authorization: Bearer …`"
            raise ProcessError(401, "Unauthorized", detail, {"WWW-Authenticate": 'Bearer realm="hexakota"'})
        return
    client = request.client.host if request.client else ""
    hosts = (_host(base_url), _host(f"http://{request.headers.get('host', '')}"), client)
    if not all(is_loopback(host) for host in hosts) or any(name in request.headers for name in _FORWARDED):
        raise ProcessError(403, "Forbidden", f"{what}: only from the server's own machine; set {TOKEN} to open it")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine by its name or its address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
