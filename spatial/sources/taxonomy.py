"""What the words of reports mean: category and status, from the shipped taxonomy.toml and a city's own words."""

from __future__ import annotations

import difflib
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatial.contracts import CATEGORIES, STATUSES
from spatial.errors import InputError

SHIPPED = Path(__file__).with_name("taxonomy.toml")
_CONTAINED = ("id", "en", "pt", "words")
_TARGETS: Mapping[str, tuple[str, ...]] = {"categories": CATEGORIES, "statuses": STATUSES}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Folded phrases and what they mean: `whole` matches a whole text; `contained` also within it, longest first."""

    whole: Mapping[str, str]
    contained: tuple[tuple[str, str], ...]

    def meaning_of(self, text: str) -> str | None:
        """Return what the folded `text` means: the whole text first, then the longest phrase in it; else None."""
        if text in self.whole:
            return self.whole[text]
        padded = f" {text} "
        return next((meaning for phrase, meaning in self.contained if f" {phrase} " in padded), None)


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Categories and statuses of words, in general and for single sources, as `load_taxonomy` builds them."""

    categories: Vocabulary
    statuses: Mapping[str, str]
    source_categories: Mapping[str, Vocabulary]
    source_statuses: Mapping[str, Mapping[str, str]]

    def category_of(self, text: str, source: str | None = None) -> str | None:
        """Return the category (one of `contracts.CATEGORIES`) of a text, None where no word of it is known.

        Case, accents, punctuation and runs of spaces do not matter. The whole text is looked up first, then the longest
        phrase that stands in it between word borders. Words of `source` come before the general ones.
        """
        return self.source_categories.get(source or "", self.categories).meaning_of(fold(text))

    def status_of(self, text: str, source: str | None = None) -> str | None:
        """Return "open" or "closed" for a status text, None where unknown; only whole texts match."""
        return self.source_statuses.get(source or "", self.statuses).get(fold(text))


def fold(text: str) -> str:
    """Return `text` in lower case without accents, every run of other signs than letters and digits as one space."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in plain).split())


@dataclass(frozen=True, slots=True)
class _Word:
    source: str
    table: str
    phrase: str
    meaning: str
    contained: bool


def load_taxonomy(*extra: Path) -> Taxonomy:
    """Return the shipped taxonomy with the words of the `extra` files; where they disagree, the later file wins.

    Raises
    ------
    InputError
        A file is missing or not TOML, has an unknown table, category, status or key, a word that is not a text, or the
        same phrase with two meanings.
    """
    words: dict[tuple[str, str, str], _Word] = {}
    for path in (SHIPPED, *extra):
        words |= _file_words(path)
    sources = {word.source for word in words.values() if word.source}
    return Taxonomy(
        _vocabulary(words.values(), ""),
        _whole(words.values(), "statuses", ""),
        {name: _vocabulary(words.values(), name) for name in sources},
        {name: _whole(words.values(), "statuses", name) for name in sources},
    )


def _vocabulary(words: Iterable[_Word], source: str) -> Vocabulary:
    listed = list(words)
    whole = _whole(listed, "categories", source)
    inside = {w.phrase for w in listed if w.table == "categories" and w.contained and w.source in ("", source)}
    return Vocabulary(whole, tuple((p, whole[p]) for p in sorted(inside, key=lambda p: (-len(p), p))))


def _whole(words: Iterable[_Word], table: str, source: str) -> dict[str, str]:
    listed = [word for word in words if word.table == table]
    general = {word.phrase: word.meaning for word in listed if not word.source}
    return general | {word.phrase: word.meaning for word in listed if source and word.source == source}


def _file_words(path: Path) -> dict[tuple[str, str, str], _Word]:
    found: dict[tuple[str, str, str], _Word] = {}
    for word in _words(path, _load(path)):
        key = (word.source, word.table, word.phrase)
        if key in found and found[key].meaning != word.meaning:
            raise InputError(
                path,
                f"{word.table}.{word.meaning}",
                f"'{word.phrase}' also means {found[key].meaning}",
                "give each phrase one meaning",
            )
        found[key] = word
    return found


def _load(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, "file", f"cannot be read ({error.strerror})", "check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, "file", f"is not valid TOML ({error})", "see the shipped taxonomy.toml") from error


def _words(path: Path, content: Mapping[str, Any], source: str = "") -> Iterator[_Word]:
    tables = (*_TARGETS, "sources") if not source else tuple(_TARGETS)
    for table, entries in content.items():
        _known(path, table, tables)
        if table == "sources":
            for name, inner in _table(path, table, entries).items():
                yield from _words(path, _table(path, name, inner), name)
            continue
        for meaning, lists in _table(path, table, entries).items():
            _known(path, meaning, _TARGETS[table])
            yield from _listed(path, source, table, meaning, _table(path, meaning, lists))


def _listed(path: Path, source: str, table: str, meaning: str, lists: Mapping[str, Any]) -> Iterator[_Word]:
    for key, phrases in lists.items():
        _known(path, key, ("exact", *_CONTAINED))
        if not isinstance(phrases, list) or not all(isinstance(p, str) and fold(p) for p in phrases):
            raise InputError(path, f"{table}.{meaning}.{key}", "is not a list of words", f'write {key} = ["word"]')
        for phrase in phrases:
            yield _Word(source, table, fold(phrase), meaning, key in _CONTAINED)


def _table(path: Path, key: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(path, key, "is not a table", "see the shipped taxonomy.toml")
    return value


def _known(path: Path, key: str, valid: tuple[str, ...]) -> None:
    if key not in valid:
        nearest = difflib.get_close_matches(key, valid, 1, cutoff=0.0)[0]
        raise InputError(path, key, "is not known", f"did you mean {nearest}? Known are {', '.join(valid)}")
