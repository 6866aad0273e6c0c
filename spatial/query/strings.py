"""Strings of a question: folding of case and accents, and LIKE in bounded time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import groupby, repeat
from operator import contains

import numpy as np
from numpy.typing import NDArray

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
    """Return a text without its accents (ACCENTI): NFD, without U+0300 to U+036F, NFC; and ø is o, as `BARRED` says."""
    if text.isascii():
        return text
    bare = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))
    return bare.translate(BARRED)


def _barred() -> dict[int, str]:
    """Return the Latin letters whose stroke, bar or hook Unicode does not take apart, and the letter under it."""
    letters: dict[int, str] = {}
    for code in range(0xC0, 0x250):
        kind, _, letter = unicodedata.name(chr(code)).partition(" LETTER ")
        base = letter.partition(" WITH ")[0]
        if kind in _LATIN and len(base) == 1 and letter != base and not unicodedata.decomposition(chr(code)):
            letters[code] = base if kind == _LATIN[0] else base.lower()
    return letters


_LATIN = ("LATIN CAPITAL", "LATIN SMALL")
BARRED = _barred()


def collapsed(pattern: str) -> str:
    """Return a LIKE pattern with one % for each run of them."""
    return "".join(_written(part) for part in _parts(pattern))


def like_matcher(pattern: str) -> Callable[[str], bool]:
    """Return the test of a LIKE pattern, of at most len(text) * len(pattern) steps.

    Each piece between two % is sought leftmost and never moved again (an atomic group), which is enough: a later
    place of one piece leaves less room for the rest.
    """
    found = _compiled(_parts(pattern))
    return lambda text: found(text) is not None


def like_flags(pattern: str, words: Sequence[str]) -> NDArray[np.bool_]:
    """Return (n,) which words match a LIKE pattern; the regular expression sees only those with its longest piece."""
    parts = _parts(pattern)
    if parts == [_RUN]:
        return np.ones(len(words), dtype=bool)
    pieces = ["".join(map(str, group)) for letters, group in groupby(parts, bool) if letters]
    piece = max(pieces, key=len, default="")
    flags = np.fromiter(map(contains, words, repeat(piece)), dtype=bool, count=len(words))
    if parts != [_RUN, *piece, _RUN]:
        found = _compiled(parts)
        rows = np.flatnonzero(flags)
        flags[rows] = [found(words[row]) is not None for row in rows.tolist()]
    return flags


def prefix_of(pattern: str) -> tuple[str, bool]:
    """Return what every match of a pattern starts with, and whether that is enough."""
    parts = _parts(pattern)
    stop = next((index for index, part in enumerate(parts) if not part), len(parts))
    return "".join(map(str, parts[:stop])), parts[stop:] == [_RUN]


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


def _compiled(parts: list[str | None]) -> Callable[[str], re.Match[str] | None]:
    pieces: list[str] = [""]
    for part in parts:
        if part is _RUN:
            pieces.append("")
        else:
            pieces[-1] += "." if part == _ONE else re.escape(part)
    if len(pieces) == 3 and not pieces[0] and not pieces[2]:
        return re.compile(pieces[1], re.DOTALL).search
    first, *rest = pieces
    *middle, last = rest or [""]
    expression = first + "".join(f"(?>.*?{piece})" for piece in middle) + (f".*{last}" if rest else "")
    return re.compile(expression, re.DOTALL).fullmatch
