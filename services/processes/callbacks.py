"""Calls to the subscriber of a job (18-062r2, clause 12): only to hosts that the operator allows.

HEXAKOTA_SUBSCRIBER_HOSTS names them, separated by commas or spaces: `hook.example.org`, or `hook.example.org:8443` for
one port. A host whose address is private, loopback or otherwise not global is called only where that address, or
`localhost` for the loopback ones, is itself named. No redirect is followed.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import orjson

from services.processes.errors import invalid

HOSTS = "HEXAKOTA_SUBSCRIBER_HOSTS"
TIMEOUT_S = 10.0
_PORTS = {"http": 80, "https": 443}


class CallbackError(Exception):
    """A subscriber could not be told; says why."""


def allowed_hosts() -> frozenset[str]:
    """Return what the environment allows, lower case."""
    return frozenset(os.environ.get(HOSTS, "").lower().replace(",", " ").split())


def check_subscriber(subscriber: Mapping[str, str]) -> None:
    """Refuse addresses that are not allowed. Raises ProcessError (400) that names the host."""
    for name, url in subscriber.items():
        try:
            _parsed(url)
        except CallbackError as error:
            raise invalid(f"subscriber.{name}: {error}") from error


def call(url: str, document: object) -> int:
    """POST JSON to an allowed address; return the status. Raises CallbackError."""
    parsed = _parsed(url)
    host, port = str(parsed.hostname), parsed.port or _PORTS[parsed.scheme]
    address = _address(host, port)
    body = orjson.dumps(document)
    target = (parsed.path or "/") + (f"?{parsed.query}" if parsed.query else "")
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        plain = socket.create_connection((address, port), TIMEOUT_S)
        connection.sock = plain
        if parsed.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        connection.request("POST", target, body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise CallbackError(f"{host}: {error}") from error
    finally:
        connection.close()


def _parsed(url: str) -> SplitResult:
    try:
        parsed = urlsplit(url)
        port = parsed.port
    except ValueError as error:
        raise CallbackError("expected an address http(s)://host/…") from error
    if parsed.scheme not in _PORTS or not parsed.hostname or parsed.username is not None or parsed.fragment:
        raise CallbackError("expected an address http(s)://host/… without a user and a fragment")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise CallbackError("expected printable ASCII without spaces")
    host = parsed.hostname
    if not {host, f"{host}:{port or _PORTS[parsed.scheme]}"} & allowed_hosts():
        raise CallbackError(f"{host} may not be called; the operator allows hosts in {HOSTS}")
    return parsed


def _address(host: str, port: int) -> str:
    """Return an address of a host that may be called. Raises CallbackError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CallbackError(f"{host}: {error}") from error
    addresses = [str(row[4][0]) for row in found]
    for address in addresses:
        if not _may_be_called(ipaddress.ip_address(address.split("%")[0]), port):
            raise CallbackError(f"{host}: its address {address} is not public; {HOSTS} must name it")
    return addresses[0]


def _may_be_called(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> bool:
    if address.is_global and not address.is_multicast:
        return True
    names = {str(address)} | ({"localhost"} if address.is_loopback else set())
    return bool((names | {f"{name}:{port}" for name in names}) & allowed_hosts())
