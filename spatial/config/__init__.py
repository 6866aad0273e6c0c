"""`city.toml` as typed, frozen settings, composed of the parameter dataclasses that live beside their methods.

An unknown key, a wrong type or an impossible value is refused with the file, the key, and the nearest valid name.
"""

from __future__ import annotations

import tomllib
import typing
from pathlib import Path
from typing import Any

from spatial.config.checks import check
from spatial.config.model import FILE_NAME, Area, City, ElevationParameters, Settings, parameters
from spatial.config.reader import Reader
from spatial.errors import InputError
from spatial.sources.privacy import PrivacyParameters
from spatial.store.place import Place, StoreParameters, place_of

__all__ = [
    "FILE_NAME",
    "Area",
    "City",
    "ElevationParameters",
    "Settings",
    "load_place",
    "load_privacy",
    "load_settings",
    "parameters",
]


def load_settings(city: Path) -> Settings:
    """Read a city's settings.

    Parameters
    ----------
    city : the city's folder, or its `city.toml`.

    Raises
    ------
    InputError
        The file is missing or not TOML, a key is unknown (the nearest valid one is named), a value has the wrong type
        or cannot be, or an input file is missing.
    """
    path, raw = _read(city)
    settings = Reader(path).build(Settings, raw, "", {"folder": path.parent})
    check(path, settings)
    return typing.cast(Settings, settings)


def load_place(city: Path) -> Place:
    """Read only where a city's tables are, whatever else its `city.toml` says. Raises InputError as `load_settings`."""
    path, raw = _read(city)
    reader = Reader(path)
    named = reader.build(City, raw.get("city", {}), "city", {})
    return place_of(path.parent / "var", named.name, reader.build(StoreParameters, raw.get("store", {}), "store", {}))


def load_privacy(city: Path) -> PrivacyParameters:
    """Read only whether a city withholds small counts. Raises InputError as `load_settings`."""
    path, raw = _read(city)
    withheld: PrivacyParameters = Reader(path).build(PrivacyParameters, raw.get("privacy", {}), "privacy", {})
    return withheld


def _read(city: Path) -> tuple[Path, dict[str, Any]]:
    path = (city if city.suffix == ".toml" else city / FILE_NAME).absolute()
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(path, "file", "not found", "`hexakota init DIR` writes a commented one") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, "file", f"not valid TOML ({error})", "correct that line") from error
    return path, raw
