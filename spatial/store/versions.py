"""Immutable published versions of a city, in `var/versions/<id>`, and the name of the served one in `var/current`.

A version is built in a staging folder, flushed to disk, renamed into place, and only then named in `var/current`, which
is replaced in one step: a reader sees the old version or the new one, and a process killed at any point leaves the old
one served. Times of day live in `var/history.jsonl`, outside the versions.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spatial.errors import NotFoundError, StoreError

LAYERS_FILE = "layers.gpkg"
MANIFEST_FILE = "manifest.json"
MAP_FILE = "map.png"


@dataclass(frozen=True, slots=True)
class Version:
    """One published version: its id and its folder."""

    id: str
    path: Path

    @property
    def layers(self) -> Path:
        """The GeoPackage of the version's layers."""
        return self.path / LAYERS_FILE

    @property
    def cache(self) -> Path:
        """Folder of what later programs make for a version that was published without it; need not be there."""
        return self.path.parents[1] / "cache" / f"index-{self.id}"

    @property
    def manifest(self) -> dict[str, Any]:
        """The version's manifest, read from disk."""
        return dict(json.loads((self.path / MANIFEST_FILE).read_text("utf-8")))


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one city, kept under its `var` folder."""

    var: Path

    def served_id(self) -> str | None:
        """Return the id of the served version, or None where nothing was published."""
        try:
            with open(f"{self.var}/current", "rb", buffering=0) as pointer:
                return pointer.read(1000).decode("utf-8", "replace").strip()
        except FileNotFoundError:
            return None

    def current(self) -> Version | None:
        """Return the served version, or None where nothing was published. Raises StoreError if it is not whole."""
        served = self.served_id()
        if served is None:
            return None
        version = self._version(served)
        if version is None:
            raise StoreError(
                f"{self.var / 'current'}: names a version that is not there; run `hexakota rollback` or `run --force`"
            )
        return version

    def get(self, version_id: str) -> Version:
        """Return the version called `version_id`. Raises NotFoundError."""
        version = self._version(version_id)
        if version is None:
            raise NotFoundError(f"{self.var}: no version {version_id!r}; `hexakota versions` lists them")
        return version

    def has(self, version_id: str) -> bool:
        """Tell whether a version is there."""
        return self._version(version_id) is not None

    def _version(self, version_id: str) -> Version | None:
        path = self.var / "versions" / version_id
        plain = version_id and Path(version_id).name == version_id and not version_id.startswith(".")
        return Version(version_id, path) if plain and os.path.isfile(path / MANIFEST_FILE) else None

    def all(self) -> list[tuple[Version, str | None]]:
        """Return every whole version with the time of its publication, oldest first; None where a run was killed."""
        published = [row for row in self._history() if row["action"] in ("publish", "scenario")]
        times = {row["version"]: row["time"] for row in published}
        order = {row["version"]: position for position, row in enumerate(published)}
        found = [v for v in (self._version(p.name) for p in (self.var / "versions").glob("*")) if v]
        return [(v, times.get(v.id)) for v in sorted(found, key=lambda v: (order.get(v.id, len(order)), v.id))]

    def _history(self) -> list[dict[str, str]]:
        path = self.var / "history.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the city's lock. Raises StoreError where another process runs the same city."""
        self.var.mkdir(parents=True, exist_ok=True)
        with (self.var / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(f"{self.var}: another run of this city is under way; wait for it to end") from error
            yield

    def staging(self) -> Path:
        """Return a new, empty folder to build a version in; what an interrupted run left is removed. Needs the lock."""
        for left in (self.var / "versions").glob(".staging-*"):
            shutil.rmtree(left)
        path = self.var / "versions" / f".staging-{os.getpid()}"
        path.mkdir(parents=True)
        return path

    def publish(self, staged: Path, version_id: str) -> Version:
        """Move a staged folder into place as `version_id` and serve it.

        The id is a hash of all that makes a version, so a folder of that name that is there already holds the same
        content (an earlier run was killed before it was served); it is kept.
        """
        self._place(staged, version_id)
        return self.serve(version_id, "publish")

    def keep(self, staged: Path, version_id: str) -> Version:
        """Move a staged folder into place as `version_id` without serving it: a scenario."""
        self._place(staged, version_id)
        self._record("scenario", version_id)
        return self.get(version_id)

    def _place(self, staged: Path, version_id: str) -> None:
        target = self.var / "versions" / version_id
        for file in sorted(p for p in staged.rglob("*") if p.is_file()):
            _flush(file)
        if self._version(version_id) is None:
            os.replace(staged, target)
            _flush(target.parent)
        else:
            shutil.rmtree(staged)

    def serve(self, version_id: str, action: str = "rollback") -> Version:
        """Name `version_id` as the served version, in one atomic step.

        Raises NotFoundError where it is not there, StoreError where it is a scenario.
        """
        version = self.get(version_id)
        if "scenario" in version.manifest:
            raise StoreError(f"{version_id} is a scenario and never the served version; ask for it with version=")
        temporary = self.var / f".current-{os.getpid()}"
        temporary.write_text(version_id + "\n", "utf-8")
        _flush(temporary)
        os.replace(temporary, self.var / "current")
        _flush(self.var)
        self._record(action, version_id)
        return version

    def _record(self, action: str, version_id: str) -> None:
        row = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "action": action, "version": version_id}
        with (self.var / "history.jsonl").open("a", encoding="utf-8") as history:
            history.write(json.dumps(row) + "\n")

    def prune(self, keep: int) -> list[str]:
        """Delete all but the served version, the `keep` newest others and the `keep` newest scenarios.

        Return the ids that went.
        """
        served = self.current()
        others = [version for version, _ in self.all() if served is None or version.id != served.id]
        scenarios = [version for version in others if "scenario" in version.manifest]
        plain = [version for version in others if version not in scenarios]
        gone = [version for kind in (plain, scenarios) for version in kind[: max(len(kind) - keep, 0)]]
        for version in gone:
            going = self.var / "versions" / f".staging-{version.id}"  # in one step: no reader finds half of it
            os.replace(version.path, going)
            shutil.rmtree(going)
            shutil.rmtree(version.cache, ignore_errors=True)
        return [version.id for version in gone]


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
