"""Files that a command writes into a folder of its own, each whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from spatial.errors import InputError


def check_folder(path: Path, city: Path) -> None:
    """Refuse a folder that holds inputs or versions, or that is a file. Raises InputError."""
    if path.exists() and not path.is_dir():
        raise InputError(path, "--out", "is a file", "name a folder")
    for kept in (city / "data", city / "var"):
        if path.resolve().is_relative_to(kept.resolve()):
            raise InputError(path, "--out", f"lies in {kept}, which is not written to", "name another folder")


def write_files(files: Mapping[str, bytes], folder: Path) -> list[Path]:
    """Write files into a folder, which is made; return their paths. Raises InputError where they cannot be."""
    staged = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            staged = folder / f".{name}.{os.getpid()}.part"
            staged.write_bytes(content)
            staged.replace(folder / name)
    except OSError as error:
        if staged != folder:
            staged.unlink(missing_ok=True)
        raise InputError(folder, "--out", f"cannot be written ({error.strerror})", "name another place") from error
    return [folder / name for name in files]
