"""A real server in a process of its own, on a free loopback port, and the least of an HTTP client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode


@contextmanager
def served(city: Path, port: int = 0, *options: str, **environment: str) -> Iterator[str]:
    """Run `hexakota serve` with more options and environment variables, and yield the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "serve", str(city), "--port", str(port), *options],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        line = process.stdout.readline()
        if "/?f=html" not in line:
            raise RuntimeError(f"the server did not start: {line}{process.communicate(timeout=30)[0]}")
        yield line.split(": ", 1)[1].split("/?f=html")[0]
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def get(url: str, **parameters: Any) -> tuple[int, str, Any]:
    """Return status, media type and body (parsed where it is JSON)."""
    address = f"{url}?{urlencode(parameters)}" if parameters else url
    try:
        with urllib.request.urlopen(address, timeout=60) as response:
            status, kind, body = response.status, response.headers["Content-Type"], response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, kind, body = error.code, error.headers["Content-Type"], error.read()
    return status, kind, json.loads(body) if "json" in kind and "json-seq" not in kind else body
