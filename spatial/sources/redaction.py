"""Personal data taken out of texts: telephone numbers, e-mail addresses, accounts, national ids, licence plates.

What is looked for are written forms, not meanings: names, street addresses, bank accounts and numbers that are spelt
out ("nol delapan satu") are not recognised. Forms of numbers: Indonesia's.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

_DATE = r"(?:0?[1-9]|[12]\d|3[01])[-./](?:0?[1-9]|1[0-2])[-./](?:19|20)\d\d(?!\d)"
_MORE = rf"(?:[ .()/-]{{1,3}}(?!{_DATE}|\d{{1,2}}:\d\d))?\d"  # a digit, perhaps of the next group, of no date or time
_AFTER_DECIMAL = r"(?<!\d)(?<!\d[.,])"  # no digits of a fraction
# not the digits of a coordinate: signed, or an Indonesian longitude
_AFTER_COORDINATE = r"(?<!\d)(?<!-\d[.,])(?<!-\d\d[.,])(?<!9[5-9][.,])(?<!1[0-4]\d[.,])"
_MOBILE = r"8(?:1[1-9]|2[1-378]|3[1-38]|5[1-9]|68|7[7-9]|8[1-9]|9[5-9])"  # prefixes in use: 0811 … 0899
_REST = rf"(?:\d{{6,10}}(?!\d)|(?:{_MORE}){{6,10}}(?!\d))"  # written in one, else in groups
_ABROAD = r"(?:\+|(?<!\d)00)[ .()/-]{0,3}62[ .()/-]{0,3}(?:0[ .()/-]{0,3})?"
_LANDLINE = rf"0(?:(?:2[124]|[36]1)(?:{_MORE}){{7,8}}|[2-9]\d\d(?:{_MORE}){{5,8}})(?!\d)"  # 021 022 024 031 061, 0380
_NAME = r"[^\W\d][\w.]*\w"
_SITES = (
    "t.me", "telegram.me", "wa.me", "chat.whatsapp.com", "api.whatsapp.com", "instagram.com", "facebook.com", "fb.com",
    "fb.me", "twitter.com", "x.com", "t.co", "tiktok.com", "threads.net", "linkedin.com", "line.me", "path.com",
)  # fmt: skip
_SITE = "|".join(re.escape(site) for site in _SITES)
_REGIONS = (
    "A AA AB AD AE AG B BA BB BD BE BG BH BK BL BM BN BP D DA DB DC DD DE DG DH DK DL DM DN DP DR DS DT DW E EA EB ED "
    "F G H K KB KH KT KU L M N P PA PB PG PS R S T W Z"
).replace(" ", "|")
_NO_SUFFIX = (
    "RT RW KM M MM CM KG W KW KWH KVA VA V HA L LT NO JL GG WIB WITA WIT AM PM PK DI KE DAN YG ADA SD TGL THN JAM BLN "
    "UNIT DARI HARI"
).replace(" ", "|")
_SUFFIX = rf"(?!(?:{_NO_SUFFIX})\b)[A-Z]{{1,3}}\b"
_CALL = (
    r"\b(?:no(?:mor|mer)?\b[. ]*)?(?:hp|wa|whats ?app|tel(?:p|pon|epon|e?phone)?|tlp|phone|sms|hub(?:ungi)?|kontak)\b"
    r"[\W_]{0,4}(?:(?:no(?:mor|mer)?|ke|di)\b[\W_]{0,3})?"
)
_CARD = r"(?:\bnik|\bktp|\bkk|kartu keluarga)\b[\W_]{0,4}(?:no\w{0,3}\b[\W_]{0,3})?"
_PLATE = r"\b(?:nopol|no\.? ?pol(?:isi)?|plat(?: no(?:mor)?)?)\b[\W_]{0,3}"
_AMOUNT_BEFORE = re.compile(r"(?:\brp|\bidr|\$)[. ]{0,2}$", re.IGNORECASE)
_AMOUNT_AFTER = re.compile(r" ?(?:rupiah|,-)", re.IGNORECASE)

Keep = Callable[[str, int, int], bool]
"""Whether a find in a text, from start to end, is no personal data after all."""


def _never(text: str, start: int, end: int) -> bool:
    return False


def _amount(text: str, start: int, end: int) -> bool:
    """An amount of rupiah by the words around it."""
    return bool(_AMOUNT_BEFORE.search(text, max(0, start - 6), start) or _AMOUNT_AFTER.match(text, end))


def _mixed(text: str, start: int, end: int) -> bool:
    """Pairs of digits with several kinds of separator, or beginning with a date: two dates, not one id."""
    found = text[start:end]
    return len(set(re.sub(r"\d", "", found))) > 1 or bool(re.match(_DATE, found))


@dataclass(frozen=True, slots=True)
class _Form:
    """A written form: what replaces it, its pattern, and what speaks against a find."""

    label: str
    pattern: re.Pattern[str]
    keep: Keep = _never


def _form(label: str, pattern: str, keep: Keep = _never, *, after: str = "", case: bool = False) -> _Form:
    """Return a form that is looked for at every character; `after` must stand before it and stays in the text."""
    return _Form(label, re.compile(f"(?={after}({pattern}))", re.NOFLAG if case else re.IGNORECASE), keep)


_FORMS = (
    _form("[surel]", r"(?<![\w+-])[\w+-]+(?:\.[\w+-]+)*(?:@| ?[(\[] ?at ?[)\]] ?)[\w-]*[^\W\d][\w-]*(?:\.[\w-]+)*"),
    _form("[akun]", rf"(?:https?://)?(?<![\w-])(?:[\w-]+\.)*(?:{_SITE})/[^\s<>\"']*[\w/=&%-]"),
    _form("[akun]", r"@(?=[\w.]*[^\W\d])\w(?:[\w.]*\w)?"),
    _form("[akun]", _NAME, after=r"\b(?:ig|insta(?:gram)?|twitter|tiktok|telegram|threads|line id|id line) ?[:=] ?@?"),
    _form("[akun]", rf"(?=\w*[._\d]\w){_NAME}", after=r"\b(?:ig|instagram|twitter|tiktok) "),
    _form("[akun]", rf"{_NAME}(?: [A-Z]\w+){{0,3}}", after=r"\b(?i:fb|facebook) ?[:=] ?", case=True),
    _form("[akun]", r"(?=[0-9a-f]*\d)[0-9a-f]{8}\b", after=r"\b(?:pin(?: ?bbm?)?|bbm) ?[:=]? ?"),
    _form("[NIK]", rf"{_AFTER_DECIMAL}\d{{16}}(?!\d)"),
    _form("[NIK]", rf"{_AFTER_DECIMAL}\d\d(?:[ .-]?\d\d){{7}}(?!\d)", _mixed),
    _form("[NIK]", r"\d(?:[ .-]{0,2}\d){9,19}", after=_CARD),
    _form("[telepon]", rf"{_ABROAD}[2-9](?:\d{{7,12}}(?!\d)|(?:{_MORE}){{7,12}}(?!\d))"),
    _form("[telepon]", rf"{_AFTER_COORDINATE}62[ .()/-]{{0,3}}{_MOBILE}{_REST}", _amount),
    _form("[telepon]", rf"{_AFTER_DECIMAL}62(?:[2-9]\d{{7,10}}|[ -][2-9]\d{{1,2}}[ -]\d{{5,8}})(?!\d)", _amount),
    _form("[telepon]", rf"{_AFTER_COORDINATE}0[ -]?{_MOBILE}{_REST}"),
    _form("[telepon]", rf"{_AFTER_DECIMAL}08(?P<gap>[ -])\d\d(?:(?P=gap)\d\d){{3,5}}(?!\d)"),
    _form("[telepon]", rf"{_AFTER_DECIMAL}\(?{_LANDLINE}"),
    _form("[telepon]", r"\d(?:[ .()/-]{0,3}\d){5,13}(?!\d)", after=_CALL),
    _form("[telepon]", r"\+[1-9](?:[ ()-]{0,2}\d){7,14}(?!\d)"),
    _form("[pelat]", rf"\b(?:{_REGIONS})[ .-]?[1-9]\d{{3}}[ .-]?{_SUFFIX}", case=True),
    _form("[pelat]", rf"\b(?:{_REGIONS})[ .-]?[1-9]\d{{0,3}}(?:[ .-]?{_SUFFIX})?(?!\w)", after=_PLATE),
)
_SUSPECT = re.compile(
    rf"\d{{2}}|\d[ .()/-]+\d|@|\bat ?[)\]]|\b(?:{_SITE})/|\b(?:ig|insta|instagram|twitter|tiktok|telegram|threads|"
    r"line|fb|facebook|pin|bbm)\b",
    re.IGNORECASE,
)


def _plain_characters() -> dict[str, str]:
    """Map every digit, dash and space to its ASCII one and what is invisible to nothing, as in copied numbers."""
    plain = {"＠": "@", "＋": "+", "\ufe0f": "", "\u20e3": ""}  # the last two make a digit a keycap
    for character in map(chr, range(sys.maxunicode + 1)):
        kind = unicodedata.category(character)
        if kind == "Nd":
            plain[character] = str(unicodedata.decimal(character))
        elif kind in ("Pd", "Zs", "Cc", "Zl", "Zp", "Cf"):
            plain[character] = {"Pd": "-", "Cf": ""}.get(kind, " ")
    return plain


_PLAIN = _plain_characters()


def holds_personal_data(text: str) -> bool:
    """Tell whether `redact` would change the text."""
    return redact(text) != text


def redact_column(texts: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of texts redacted, nulls kept; each distinct text is looked at once."""
    public = {text: redact(str(text)) for text in texts.dropna().unique()}
    changed = {text: told for text, told in public.items() if told != text}
    return texts.where(~texts.isin(list(changed)), texts.map(changed)) if changed else texts


@lru_cache(maxsize=200_000)  # a run reads the same text several times, at some 0.5 ms each
def redact(text: str | None) -> str | None:
    """Return the text with each find replaced by what it was; None stays None.

    [surel] e-mail · [akun] handle, social-media link or name · [NIK] id of a person or family card: 16 digits, also in
    groups of even length · [telepon] telephone number · [pelat] licence plate: capitals, a region's code, four digits
    and a suffix ("DH 1234 AB"); fewer digits only after "nopol" or "plat", so that house numbers stay.

    Every find of every form goes, also where finds overlap; a text without finds is returned as it is. Applied until
    nothing is found, so redacting twice changes nothing.
    """
    while text is not None:
        redacted = _once(text)
        if redacted == text:
            break
        text = redacted
    return text


def _once(text: str) -> str:
    plain, places = _plain(text)
    if _SUSPECT.search(plain) is None:
        return text
    parts, done = [], 0
    for start, end, label in _merged(sorted(_finds(plain))):
        parts += [text[done : places[start]], label]
        done = places[end] if end < len(places) else len(text)
    return "".join([*parts, text[done:]])


def _plain(text: str) -> tuple[str, Sequence[int]]:
    """Return the text in plain characters and the place of each of them in the text."""
    if text.isascii() and text.isprintable():
        return text, range(len(text))
    plain = [_PLAIN.get(character, character) for character in text]
    return "".join(plain), [place for place, character in enumerate(plain) if character]


def _finds(plain: str) -> Iterator[tuple[int, int, int]]:
    for index, form in enumerate(_FORMS):
        for match in form.pattern.finditer(plain):
            start, end = match.span(1)
            if not form.keep(plain, start, end):
                yield start, end, index


def _merged(finds: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, str]]:
    """Join finds that overlap; the label is that of the form that comes first in `_FORMS`."""
    while finds:
        start, end, form = finds.pop(0)
        while finds and finds[0][0] < end:
            _, other_end, other = finds.pop(0)
            end, form = max(end, other_end), min(form, other)
        yield start, end, _FORMS[form].label
