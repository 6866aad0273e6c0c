"""Depth of water told in a text: "50-70cm", "1,5 meter", "selutut", "waist-deep" → metres.

The lexicon is depth_words.toml: each word with its depth and where that comes from.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

SHIPPED = Path(__file__).with_name("depth_words.toml")
MAX_DEPTH_M = 5.0
MAX_TEXT = 4000  # characters that are read
LOOK_BACK = 60  # characters before a depth in which a word can change its meaning
_NUMBER = r"(?<!\d)(?<!\d[.,])[0-9]{1,3}(?:[.,][0-9]{1,2})?(?![.,]?[0-9])"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Compiled patterns of the lexicon, and the metres of its words."""

    numbers: re.Pattern[str]
    words: re.Pattern[str]
    metres: Mapping[str, float]
    centimetres: frozenset[str]
    bound: re.Pattern[str]
    receded: re.Pattern[str]
    left: re.Pattern[str]
    water: re.Pattern[str]
    other_before: re.Pattern[str]
    other_after: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Told:
    """A depth that a text tells: metres, and where it stands."""

    metres: float
    start: int
    end: int


def depth_m(text: str | None) -> float | None:
    """Return the depth of water that a text tells, in metres, 0–5; None where it tells none.

    Numbers with a unit of length go before parts of the body ("sebetis, 40 cm" is 0.4); a range gives its mean; of
    several numbers, or several parts of the body, the deepest counts. "Tidak sampai selutut" (not to the knee), "kurang
    dari 50 cm" are bounds and give half of it; "lebih dari", "hampir" (more than, almost) change nothing. Water that
    "sudah surut" (has receded) has no depth. Over 5 m nothing is believed. The first 4,000 characters are read.

    Notes
    -----
    Not a depth: numbers without a unit, kilometres, millimetres (of rain), lengths along a street, widths, heights of
    walls; a level at a gate or gauge, which counts from the gauge's zero. Metres need a word for water in their
    sentence. Only Indonesian (with the Javanese and Jakartan words in the lexicon) and English are read. It is what
    people write, not what was measured, and irony is not recognised.
    """
    if not text:
        return None
    lexicon, told = _lexicon(), _fold(text[:MAX_TEXT])
    for found in (_numbers(told, lexicon), _words(told, lexicon)):
        depths = [
            depth.metres / (2.0 if _bounded(told, depth.start, lexicon) else 1.0)
            for depth in found
            if depth.metres <= MAX_DEPTH_M and not _gone(told, depth.start, lexicon)
        ]
        if depths:
            return max(depths)
    return None


def depths_m(texts: pd.Series[Any]) -> pd.Series[float]:
    """Return `depth_m` of each text, float64, NaN where it tells none or is null; the index is the texts'."""
    known = {text: depth_m(str(text)) for text in texts.dropna().unique()}
    return texts.map(known).astype("float64")


def _fold(text: str) -> str:
    """Return lower case without accents, dashes and fractions in one form; sentences still end in signs."""
    halves = re.sub(r"(?:([0-9]{1,2}) ?)?½", lambda m: f"{m[1] or 0},5", text)
    plain = unicodedata.normalize("NFKD", halves).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"(?<![\d/])1/2(?=\s*m)", "0,5", plain.replace("’", "'"))
    return re.sub(r"\s+", " ", re.sub(r"[‐-―−~]", "-", plain))


def _numbers(text: str, lexicon: Lexicon) -> Iterable[_Told]:
    for match in lexicon.numbers.finditer(text):
        unit = match["unit"]
        if unit is None:
            yield _Told(lexicon.metres[match[0]], match.start(), match.end())
            continue
        scale = 0.01 if unit in lexicon.centimetres else 1.0
        high = lexicon.metres[match["words"]] if match["words"] else _value(match["high"]) * scale
        if _is_depth(text, match, scale == 1.0, lexicon):
            yield _Told(_mean(match["low"], match["first"], high, scale, lexicon), match.start(), match.end())


def _mean(low: str | None, unit: str | None, high: float, scale: float, lexicon: Lexicon) -> float:
    """Return the mean of a range, whose lower end may have a unit of its own or be in centimetres unsaid ("70-1 m")."""
    if low is None:
        return high
    own = scale if unit is None else 0.01 if unit in lexicon.centimetres else 1.0
    bottom = _value(low) * own
    if unit is None and bottom > high and scale == 1.0:
        bottom = _value(low) * 0.01
    return (bottom + high) / 2.0


def _value(number: str) -> float:
    return float(number.replace(",", "."))


def _words(text: str, lexicon: Lexicon) -> Iterable[_Told]:
    for match in lexicon.words.finditer(text):
        name = next(group for group in match.groups() if group is not None)
        start = match.start(match.lastindex or 0)
        yield _Told(lexicon.metres[_key(name)], start, match.end())


def _is_depth(text: str, match: re.Match[str], is_metres: bool, lexicon: Lexicon) -> bool:
    before, after = text[max(0, match.start() - LOOK_BACK) : match.start()], text[match.end() : match.end() + LOOK_BACK]
    if lexicon.other_before.search(before) or lexicon.other_after.match(after):
        return False
    sentence = re.split(r"[!?;]|\.(?!\d)", text[: match.start()])[-1] + re.split(r"[!?;]|\.(?!\d)", after)[0]
    return not is_metres or lexicon.water.search(f" {sentence} ") is not None


def _bounded(text: str, start: int, lexicon: Lexicon) -> bool:
    return lexicon.bound.search(text[max(0, start - LOOK_BACK) : start]) is not None


def _gone(text: str, start: int, lexicon: Lexicon) -> bool:
    """Tell whether the water is said to be gone, with nothing said to be left between that and the depth."""
    gone = lexicon.receded.search(text)
    return gone is not None and (gone.end() > start or lexicon.left.search(text, gone.end(), start) is None)


@cache
def _lexicon() -> Lexicon:
    content = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    grammar, amounts, units = content["grammar"], content["amounts"], content["units"]
    metres = {_key(w): p["depth_m"] for p in content["body"].values() for w in (*p["id"], *p["en"])}
    metres |= {_key(w): p["depth_m"] for p in content["phrase"] for w in p["words"]}
    metres |= amounts["metres"] | amounts["whole"]
    bound, filler = _any(grammar["bound"]), _any([*grammar["filler"], *grammar["reach_id"], *grammar["reach_en"]])
    before = _any(grammar["other_before"])
    streets = "".join(rf"(?<!\b{word}[ .])(?<!\b{word}\. )" for word in grammar["street"])
    ground = _any(grammar["ground_after"])
    return Lexicon(
        numbers=_number_pattern(grammar, amounts, units),
        words=_word_pattern(content),
        metres=metres,
        centimetres=frozenset(units["centimetres"]),
        bound=re.compile(rf"\b{bound} (?:(?:{filler}|{_any(grammar['owner_en'])}) )*(?:se|sak)?[ -]*$"),
        receded=re.compile(rf"\b{_any(grammar['receded'])}\b"),
        left=re.compile(rf"\b{_any(grammar['left'])}\b"),
        water=re.compile(rf"\b{_any(grammar['water'])}"),
        other_before=re.compile(rf"{streets}\b{before}\b(?:[^\w.!?;]*\w+){{0,2}}[^\w.!?;]*$"),
        other_after=re.compile(rf"[ ,]*{_any(grammar['other_after'])}\b(?! {ground}\b)"),
    )


def _number_pattern(grammar: Any, amounts: Any, units: Any) -> re.Pattern[str]:
    unit = _any([*units["centimetres"], *units["metres"]])
    end = r"(?!\w|/(?:s|det|dtk|jam)\b| ?[23]\b)"
    between = rf" ?{_any(grammar['range'])} ?"
    digits = rf"(?:(?P<low>{_NUMBER}) ?(?P<first>{unit}\b)?{between})?(?P<high>{_NUMBER})(?:-?an)?[ -]?"
    words = rf"\b(?P<words>{_any(amounts['metres'])}) (?={_any(units['metres'])}\b)"
    whole = rf"\b{_any(amounts['whole'])}\b"
    return re.compile(rf"(?:{whole})|(?:{digits}|{words})(?P<unit>{unit}){end}")


def _word_pattern(content: Any) -> re.Pattern[str]:
    """Return the pattern of parts of the body tied to the water, and of whole phrases; one group holds the word."""
    grammar, parts = content["grammar"], content["body"].values()
    own = _any((w for p in parts for w in p["id"]), r"[ -]?")
    english = _any((w for p in parts for w in p["en"]), r"[ -]?")
    phrases = _any(w for p in content["phrase"] for w in p["words"])
    reach, height = _any(grammar["reach_en"]), _any(grammar["height_en"])
    return re.compile(
        rf"\b(?:se|sak)[ -]*({own})\b"
        rf"|\b{_any(grammar['reach_id'])} (?:se[ -]?)?({own})\b"
        rf"|\b({english})[ -]?{height}\b"
        rf"|\b{reach} (?:{_any(grammar['owner_en'])} )*({english})\b"
        rf"|\b({phrases})\b"
    )


def _any(words: Iterable[str], gap: str = " ") -> str:
    """Return a group that matches any of the words, the longest first."""
    longest = sorted(set(words), key=lambda word: (-len(word), word))
    return "(?:" + "|".join(re.escape(word).replace(r"\ ", gap) for word in longest) + ")"


def _key(word: str) -> str:
    return re.sub(r"[ -]", "", word)
