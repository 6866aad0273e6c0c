"""Dataclasses from TOML values, every key and type checked."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from spatial.errors import ContractError, InputError


class Reader:
    """Builds dataclasses from TOML values, checking every key and type."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def build(self, kind: type[Any], raw: Any, key: str, given: Mapping[str, Any]) -> Any:
        """Return a `kind` of a table; `given` holds the fields that no key sets. Raises InputError."""
        if not isinstance(raw, dict):
            raise self._wrong(key, raw, "a table")
        fields = {f.name: f for f in dataclasses.fields(kind) if f.metadata.get("key", True)}
        for name in raw:
            if name not in fields:
                raise self._unknown(key, name, list(fields))
        hints = typing.get_type_hints(kind)
        values = {name: self.value(hints[name], raw[name], f"{key}.{name}".lstrip(".")) for name in raw}
        missing = [
            n
            for n, f in fields.items()
            if n not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        ]
        if missing:
            raise InputError(self.path, f"{key}.{missing[0]}".lstrip("."), "missing", "add it")
        try:
            return kind(**given, **values)
        except ContractError as error:
            raise InputError(self.path, key, str(error), "see docs/city-toml.md") from error

    def value(self, hint: Any, raw: Any, key: str) -> Any:
        """Return a value as its type hint asks for it. Raises InputError."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            return self._union([a for a in arguments if a is not type(None)], raw, key)
        if origin is Literal:
            if raw not in arguments:
                raise self._wrong(key, raw, "one of " + ", ".join(map(repr, arguments)))
            return raw
        if origin is tuple:
            return self._tuple(arguments, raw, key)
        if dataclasses.is_dataclass(hint):
            return self.build(typing.cast(type[Any], hint), raw, key, {})
        if origin is not None and issubclass(origin, Mapping):
            if not isinstance(raw, dict):
                raise self._wrong(key, raw, "a table")
            return {name: self.value(arguments[1], item, f"{key}.{name}") for name, item in raw.items()}
        return self._plain(hint, raw, key)

    def _union(self, choices: list[Any], raw: Any, key: str) -> Any:
        if isinstance(raw, list):
            choices = [c for c in choices if typing.get_origin(c) is tuple] or choices
        else:
            choices = [c for c in choices if typing.get_origin(c) is not tuple] or choices
        return self.value(choices[0], raw, key)

    def _tuple(self, arguments: tuple[Any, ...], raw: Any, key: str) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise self._wrong(key, raw, "a list")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(self.value(arguments[0], item, f"{key}[{i}]") for i, item in enumerate(raw))
        if len(raw) != len(arguments):
            raise self._wrong(key, raw, f"a list of {len(arguments)} values")
        return tuple(self.value(a, item, f"{key}[{i}]") for i, (a, item) in enumerate(zip(arguments, raw, strict=True)))

    def _plain(self, hint: Any, raw: Any, key: str) -> Any:
        if hint is Path and isinstance(raw, str):
            return (self.path.parent / raw).resolve()
        if hint is float and isinstance(raw, (int, float)) and not isinstance(raw, bool):
            return float(raw)
        if hint is datetime and isinstance(raw, datetime):
            if raw.tzinfo is None:
                raise self._wrong(key, raw, "a time with an offset, such as 2025-01-31T00:00:00Z")
            return raw.astimezone(UTC)
        if hint in (int, bool, str) and type(raw) is hint:
            return raw
        raise self._wrong(key, raw, getattr(hint, "__name__", str(hint)))

    def _wrong(self, key: str, raw: Any, expected: str) -> InputError:
        shown = "what is written" if key.startswith("store") else repr(raw)  # it may hold a password
        return InputError(self.path, key, f"{shown} is not {expected}", "correct the value")

    def _unknown(self, key: str, name: str, valid: list[str]) -> InputError:
        near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
        where = f"[{key}]" if key else "the file"
        hint = f"did you mean {near[0]!r}?" if near else f"valid names are {', '.join(valid)}"
        return InputError(self.path, f"{key}.{name}".lstrip("."), f"unknown key in {where}", hint)
