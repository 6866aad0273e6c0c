"""Downloads: addresses, retries with back-off, and a cache of finished chunks that are checked before they are used.

Outbound HTTP is made here, in `osm.py` and in `glo30.py`, only by functions named `download_*`, which only
`hexakota init --place` and `hexakota fetch` call.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from spatial.contracts import Progress
from spatial.errors import DownloadError

AGENT = "hexakota (city flood and lighting zones)"
OSM_LICENCE = "ODbL-1.0"
GLO30_LICENCE = "Copernicus DEM GLO-30 licence"
OSM_ATTRIBUTION = "© OpenStreetMap contributors, ODbL 1.0"
GLO30_ATTRIBUTION = (
    "© DLR e.V. 2010–2014 and © Airbus Defence and Space GmbH 2014–2018, provided under COPERNICUS by the European "
    "Union and ESA; all rights reserved"
)
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_MOST_WAIT_S = 120.0
_BROKEN = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Table `[mirrors]`: where `init --place` and `fetch` ask. An office can name its own copies.

    `nominatim` answers `/search`, `overpass` answers `/interpreter`; under `glo30` lie the tiles of the Copernicus
    GLO-30 elevation, in a folder each, on a server that answers byte ranges.
    """

    nominatim: str = "https://nominatim.openstreetmap.org"
    overpass: str = "https://overpass-api.de/api"
    glo30: str = "https://copernicus-dem-30m.s3.amazonaws.com"


@dataclass(frozen=True, slots=True)
class FetchParameters:
    """Table `[fetch]`: how patiently, and how far.

    `attempts` at one chunk; the first wait is `wait_s` and doubles, unless the server names one (`max_wait_s` is the
    longest that is accepted); `timeout_s` without an answer is a failure. `query_km2`: larger areas are asked in
    pieces. `buffer_m`: OpenStreetMap is asked this far beyond the area, so that the cells at its rim are whole.
    `elevation_limit_m`: elevation is fetched at most this far beyond the area.
    """

    attempts: int = 6
    wait_s: float = 5.0
    max_wait_s: float = 300.0
    timeout_s: float = 180.0
    query_km2: float = 200.0
    buffer_m: float = 500.0
    elevation_limit_m: float = 20000.0


class AgainError(Exception):
    """An answer that a later attempt may better; `wait_s` is what the server asked for, seconds, or None."""

    def __init__(self, problem: str, wait_s: float | None = None) -> None:
        self.problem, self.wait_s = problem, wait_s
        super().__init__(problem)


@dataclass(slots=True)
class Attempts:
    """Repeats what fails in passing, and counts the answers that were received."""

    parameters: FetchParameters
    progress: Progress
    requests: int = 0
    failures: int = field(default=0, init=False)

    def repeat[T](self, url: str, action: Callable[[], T]) -> T:
        """Return what `action` returns; repeat it after a broken connection or an `AgainError`.

        Raises
        ------
        DownloadError
            `attempts` failures in a row, or a server that asks for a longer wait than `max_wait_s`.
        """
        self.failures = 0
        while True:
            try:
                return action()
            except AgainError as error:
                problem, asked = error.problem, error.wait_s
            except _BROKEN as error:
                problem, asked = _words(error), None
            self.failures += 1
            self._wait(url, problem, asked)

    def received(self) -> None:
        """Count a good answer: the next failure is the first in a row again."""
        self.failures = 0

    def _wait(self, url: str, problem: str, asked: float | None) -> None:
        most = self.parameters
        if self.failures >= most.attempts:
            raise DownloadError(url, f"{problem} ({self.failures} ×)", "try later, or name a mirror under [mirrors]")
        if asked is not None and asked > most.max_wait_s:
            raise DownloadError(url, f"{problem}; the server asks to wait {asked:.0f} s", "run the command again then")
        wait = asked if asked is not None else min(most.wait_s * 2.0 ** (self.failures - 1), _MOST_WAIT_S)
        self.progress.note(f"{problem}: {url}; menunggu / waiting {wait:.0f} s")
        time.sleep(wait)


def _words(error: Exception) -> str:
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "the answer cannot be decompressed"
    text = str(error)
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "IncompleteRead" in text:
        return "the answer was cut off"
    if "resolve" in text.lower() or "getaddrinfo" in text:
        return "the server's name is not known (no internet?)"
    return "the connection was refused" if "refused" in text else "the connection broke"


def check_status(response: requests.Response) -> None:
    """Refuse an answer by its status.

    Raises
    ------
    AgainError
        429, a time-out or an error of the server, with what `Retry-After` asks for.
    DownloadError
        Any other status that is not a success.
    """
    code = response.status_code
    if code in _BUSY or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise AgainError(f"HTTP {code} {response.reason}", _retry_after(response))
    if not response.ok:
        raise DownloadError(
            response.url.split("?")[0], f"HTTP {code} {response.reason}", "check the address under [mirrors]"
        )


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds of `Retry-After`, which holds seconds or a date; None without one, or with nonsense in it."""
    text = response.headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


class Cache:
    """Finished chunks in a folder. Beside each lies `<name>.meta`: JSON with `sha256`, `retrieved` and what is added.

    A chunk without it, or whose bytes do not match it, is not finished: it is deleted and asked for again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> tuple[bytes, dict[str, Any]] | None:
        """Return a chunk's bytes and its metadata; None where it is missing or not whole."""
        path = self.folder / name
        try:
            content, meta = path.read_bytes(), json.loads(_meta(path).read_text("utf-8"))
            whole = isinstance(meta, dict) and meta.get("sha256") == _sha256(content)
        except (FileNotFoundError, ValueError):
            whole = False
        if whole:
            return content, meta
        path.unlink(missing_ok=True)
        _meta(path).unlink(missing_ok=True)
        return None

    def write(self, name: str, content: bytes, **more: Any) -> dict[str, Any]:
        """Keep a chunk; the metadata is written last. Returns it."""
        path = self.folder / name
        replace(path, content)
        return self._seal(path, content, more)

    def forget(self, pattern: str = "**/*") -> None:
        """Delete the chunks that match a pattern."""
        for path in list(self.folder.glob(pattern)):
            if path.is_file():
                path.unlink()

    def check(self, pattern: str) -> None:
        """Delete what is not whole among the chunks that match a pattern."""
        for path in list(self.folder.glob(pattern)):
            self.read(path.relative_to(self.folder).as_posix())

    def seal(self, pattern: str, **more: Any) -> None:
        """Take the files that match a pattern and have no metadata yet for finished chunks."""
        for path in list(self.folder.glob(pattern)):
            if not _meta(path).exists():
                self._seal(path, path.read_bytes(), more)

    def retrieved(self, pattern: str) -> str:
        """Return when the latest of the chunks that match a pattern was received, ISO 8601 UTC; "" without any."""
        texts = [_meta(path).read_text("utf-8") for path in self.folder.glob(pattern) if _meta(path).exists()]
        return max((str(json.loads(text)["retrieved"]) for text in texts), default="")

    def _seal(self, path: Path, content: bytes, more: Mapping[str, Any]) -> dict[str, Any]:
        meta = {"sha256": _sha256(content), "retrieved": now(), **more}
        replace(_meta(path), json.dumps(meta, sort_keys=True).encode())
        return meta


def _meta(path: Path) -> Path:
    return path.with_name(path.name + ".meta")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def now() -> str:
    """Return the time, ISO 8601 UTC to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: under a temporary name first, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
