"""Where a city's downloaded files come from: `data/provenance.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from spatial.errors import InputError
from spatial.sources.download import replace

FILE_NAME = "data/provenance.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one file: the address it came from, its licence, when it was received (ISO 8601 UTC), its SHA-256."""

    source: str
    licence: str
    retrieved: str
    sha256: str


def read_provenance(folder: Path) -> dict[str, Origin]:
    """Return the origins of a city's files by their path relative to the city; empty where nothing was downloaded.

    Raises
    ------
    InputError
        The file is there and cannot be read.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return {}
    try:
        return {name: Origin(**row) for name, row in json.loads(path.read_text("utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as error:
        hint = "delete it, and run `hexakota fetch` again"
        raise InputError(path, "file", "is not what `hexakota fetch` writes", hint) from error


def origin(folder: Path, name: str, digest: str) -> dict[str, str | None]:
    """Return `source`, `licence` and `retrieved` of a file for the manifest; null where it is not as it was fetched."""
    found = read_provenance(folder).get(name)
    if found is None or found.sha256 != digest:
        return {"source": None, "licence": None, "retrieved": None}
    return {"source": found.source, "licence": found.licence, "retrieved": found.retrieved}


def write_provenance(folder: Path, rows: dict[str, Origin]) -> None:
    """Write the origins of a city's files."""
    text = json.dumps({name: asdict(rows[name]) for name in sorted(rows)}, indent=2, ensure_ascii=False)
    replace(folder / FILE_NAME, f"{text}\n".encode())


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    return sha256(path.read_bytes()).hexdigest()
