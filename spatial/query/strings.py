"""Strings of a question: folding of case and accents, and LIKE in bounded time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from itertools import groupby

_MARKS = re.compile("[\u0300-\u036f]")
_RUN = None  # stands for % among the characters of a pattern
_ONE = ""  # stands for _


def fold_case(text: str) -> str:
    """Return the full case folding of Unicode (CASEI): each character's own, whatever stands beside it."""
    return text.casefold()


def case_foldings() -> tuple[str, str, dict[str, str]]:
    """Return CASEI as a table, for engines that have no full case folding (PostgreSQL 15: translate, then replace).

    Returns
    -------
    Characters that fold to one; what they fold to, in the same order; and those that fold to several.
    """
    folded = {chr(code): chr(code).casefold() for code in range(0x110000) if not 0xD800 <= code < 0xE000}
    changed = {char: to for char, to in folded.items() if to != char}
    single = {char: to for char, to in changed.items() if len(to) == 1}
    return "".join(single), "".join(single.values()), {c: to for c, to in changed.items() if len(to) > 1}


def fold_accents(text: str) -> str:
    """Return a text without its accents (ACCENTI): NFD, without U+0300 to U+036F, NFC."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))


def collapsed(pattern: str) -> str:
    """Return a LIKE pattern with one % for each run of them."""
    return "".join(_written(part) for part in _parts(pattern))


def like_matcher(pattern: str) -> Callable[[str], bool]:
    """Return the test of a LIKE pattern, of at most len(text) * len(pattern) steps.

    Each piece between two % is sought leftmost and never moved again (an atomic group), which is enough: a later
    place of one piece leaves less room for the rest.
    """
    parts = _parts(pattern)
    pieces = [list(group) for run, group in groupby(parts, lambda part: part is _RUN) if not run]
    plain = "".join(part or "" for part in parts)
    if len(pieces) <= 1 and _ONE not in parts and parts.count(_RUN) == len(parts) - len(plain):
        starts, ends = parts[:1] != [_RUN], parts[-1:] != [_RUN]
        if not starts and not ends:
            return lambda text: plain in text
        if starts and ends:
            return lambda text: text == plain
        return (lambda text: text.startswith(plain)) if starts else (lambda text: text.endswith(plain))
    found = re.compile(_expression(parts), re.DOTALL).fullmatch
    return lambda text: found(text) is not None


def prefix_of(pattern: str) -> str:
    """Return what every match of a pattern starts with."""
    parts = _parts(pattern)
    stop = next((index for index, part in enumerate(parts) if not part), len(parts))
    return "".join(part or "" for part in parts[:stop])


def _parts(pattern: str) -> list[str | None]:
    """Return the characters of a pattern, `_RUN` for a run of %, `_ONE` for a _."""
    parts: list[str | None] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            parts.append(next(characters, "\\"))
        elif character != "%":
            parts.append(_ONE if character == "_" else character)
        elif parts[-1:] != [_RUN]:
            parts.append(_RUN)
    return parts


def _written(part: str | None) -> str:
    if part is _RUN:
        return "%"
    return "_" if part == _ONE else f"\\{part}" if part in ("%", "_", "\\") else part


def _expression(parts: list[str | None]) -> str:
    pieces: list[str] = [""]
    for part in parts:
        if part is _RUN:
            pieces.append("")
        else:
            pieces[-1] += "." if part == _ONE else re.escape(part)
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + (f".*{last}" if last else ".*")
