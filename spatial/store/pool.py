"""Connections that are kept for later and used by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Close it."""


class Pool[C: Closable]:
    """Connections made as they are needed; there are as many as were ever used at once."""

    def __init__(self, make: Callable[[], C], is_usable: Callable[[C], bool]) -> None:
        """Keep connections that `make` makes for as long as `is_usable` says."""
        self._make, self._is_usable = make, is_usable
        self._idle: list[C] = []
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[C]:
        """Take a connection that nobody else uses meanwhile."""
        connection = self._take() or self._make()
        try:
            yield connection
        finally:
            with self._lock:
                self._idle.append(connection)

    def _take(self) -> C | None:
        """Return a kept connection that is still good; close those that are not."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if self._is_usable(connection):
                return connection
            connection.close()

    def close(self) -> None:
        """Close the connections that nobody uses now."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
