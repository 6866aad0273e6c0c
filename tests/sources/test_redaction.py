"""Personal data in texts: each written form by example, what must stay, and that no generated number survives."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spatial.sources.redaction import redact

LABELS = ("[surel]", "[akun]", "[NIK]", "[telepon]", "[pelat]")

GOES = [
    # telephone: mobile
    ("hubungi 0812-3456-7890 budi@example.com", "hubungi [telepon] [surel]"),
    ("WA +62 812 3456 7890, terima kasih", "WA [telepon], terima kasih"),
    ("0812.3456.7890", "[telepon]"),
    ("wa 08123456789 ya", "wa [telepon] ya"),
    ("wa08123456789", "wa[telepon]"),
    ("RT 05.081234567890", "RT 05.[telepon]"),
    ("6281234567890", "[telepon]"),
    ("62 812-3456-789", "[telepon]"),
    ("+62 (0)812 3456 7890", "[telepon]"),
    ("0062 812 3456 7890", "[telepon]"),
    ("+62-812-3456-7890", "[telepon]"),
    ("0812 34 56 78 90", "[telepon]"),
    ("08 12 34 56 78 90", "[telepon]"),
    ("\u202a+62 812\u20113456\u20117890\u202c", "\u202a[telepon]"),
    ("0812\u00a03456\u00a07890", "[telepon]"),
    ("0812\u200b3456\u200b7890", "[telepon]"),
    ("０８１２３４５６７８９０", "[telepon]"),
    ("0️⃣8️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣9️⃣", "[telepon]"),
    ("0812 34 0813 4567 8901", "[telepon]"),
    ("hp 812 3456 7890", "hp [telepon]"),
    ("No. HP: 81234567890", "No. HP: [telepon]"),
    # telephone: landline, abroad
    ("telp 0411 872345 banjir", "telp [telepon] banjir"),
    ("(0380) 833123", "[telepon]"),
    ("Telp:(0380)833123", "Telp:[telepon]"),
    ("0380/833123 atau 021-5551234", "[telepon] atau [telepon]"),
    ("+62 380 833123", "[telepon]"),
    ("hub 833123", "hub [telepon]"),
    ("+60 12-345 6789", "[telepon]"),
    # e-mail, accounts
    ("budi.s+lapor@mail.go.id.", "[surel]."),
    ("budi (at) gmail.com", "[surel]"),
    ("surel budi@gmail", "surel [surel]"),
    ("tolong @pemkot_tarakan segera", "tolong [akun] segera"),
    ("surut banjir nya..@cempakabaru", "surut banjir nya..[akun]"),
    ("@@bob", "@[akun]"),
    ("a@b.c@dd", "[surel]"),
    ("IG: budi_s, terima kasih", "IG: [akun], terima kasih"),
    ("ig budi.santoso99", "ig [akun]"),
    ("FB: Budi Santoso di sini", "FB: [akun] di sini"),
    ("pin bb 7D3A12BC", "pin bb [akun]"),
    ("t.me/budi", "[akun]"),
    ("lihat https://wa.me/6281234567890?text=hai.", "lihat [akun]."),
    ("https://www.instagram.com/budi_s/", "[akun]"),
    ("foto: pic.twitter.com/AbC123", "foto: [akun]"),
    # national ids
    ("NIK 6473010101900001.", "NIK [NIK]."),
    ("6473 0101 0190 0001", "[NIK]"),
    ("647301 010190 0001", "[NIK]"),
    ("64.73.01.010190.0001", "[NIK]"),
    ("No. KK: 6473010101900001", "No. KK: [NIK]"),
    ("nik 647301-0101900-001", "nik [NIK]"),
    # licence plates
    ("motor DH 1234 AB parkir", "motor [pelat] parkir"),
    ("B1234XYZ", "[pelat]"),
    ("nopol dh 12 a", "nopol [pelat]"),
]

STAYS = [
    "",
    "banjir 50 cm di RT 05 sejak 20-02-2017 07:58",
    "lampu padam 11 titik, km 12,5",
    "KM 12+500 arah Bandara",
    "rt.004 / 03 kelurahan maphar",
    "RT13/RW01 No. 12A Blok B 12 RT 05",
    "Jl. D 12, Gg. 3 No. 0812",
    "RT 021 85225",
    "kode pos 85111",
    "Depan sdn 02.04.05 tegal alur",
    "jam 07.58 20-02-2017",
    "01-02-2017 08.30",
    "08-11-2017 12.30",
    "08.30 20-02-2017",
    "0812 20-02-2017",
    "0530 20-02-2017",
    "jam 0530 - 0615",
    "20-02-2017 21-02-2017",
    "2017-02-20T07:58:00Z",
    "Rp 62.812.345.678",
    "Rp6281234567890",
    "62.812.345.678 rupiah",
    "Rp. 1.250.000.000,-",
    "2 titik @5000",
    "harga 2@5000",
    "-6.175392, 106.827153",
    "-10.1772 123.6070",
    "-6.0812345678,106.0812345678",
    "-6.1753924000000001",
    "lat 0.0380833123",
    "laporan 1234567 dan 20170220-0812",
    "tiket JAKI-20170220123456",
    "sedalam 5-10 cm, 0,5 m, 1.5 m",
    "Blok A 2017 DI ujung jalan",
    "tiang P 1000 KVA dan T 1500 W",
    "polisi 110, PLN 123, pemadam 113",
    "https://petabencana.id/map?x=1",
    "ig padam",
    "banjir di line 2",
]


@pytest.mark.parametrize(("text", "public"), GOES)
def test_what_goes(text: str, public: str) -> None:
    assert redact(text) == public


@pytest.mark.parametrize("text", STAYS)
def test_what_stays(text: str) -> None:
    assert redact(text) == text


def test_no_text_stays_none() -> None:
    assert redact(None) is None


@st.composite
def telephones(draw: st.DrawFn) -> str:
    """A mobile or landline number in a written form: prefix, then digits in one or in groups of three to five."""
    digits = st.text(string.digits, min_size=7, max_size=8)
    gap = draw(st.sampled_from([" ", "-", ".", "–", "\u00a0", "\u2011", " - "]))
    if draw(st.booleans()):
        area = draw(st.sampled_from(["811", "812", "821", "838", "852", "857", "877", "881", "896"]))
        start = draw(st.sampled_from(["0", "+62", "+62 ", "62", "62 ", "0062 ", "+62-", "+62 (0)"])) + area
    else:
        area = draw(st.sampled_from(["380", "551", "21", "31", "411"]))
        start = draw(st.sampled_from(["0{}", "(0{})", "+62 {}", "+62-{}"])).format(area)
        gap = " " if start.startswith("(") else gap
    rest = draw(digits)
    if start.endswith(")") or draw(st.booleans()):
        cut = draw(st.integers(3, len(rest) - 3))
        return start + gap + rest[:cut] + gap + rest[cut:]
    return start + rest


SURROUNDING = st.text(st.sampled_from("abRTNoWkm 05.,:;/-()@!\n12") | st.characters(codec="utf-8"), max_size=30)


@given(SURROUNDING, telephones(), SURROUNDING)
def test_no_telephone_number_survives(before: str, number: str, after: str) -> None:
    public = redact(f"{before} {number} {after}")
    digits = re.sub(r"\D", "", number)
    assume(digits[-4:] not in re.sub(r"\D", "", f"{before}{after}"))
    assert number not in public
    assert digits[-4:] not in re.sub(r"[^0-9|]", "", public.replace("[telepon]", "|"))
    assert redact(public) == public


@given(SURROUNDING, st.from_regex(r"[1-9][0-9]{15}", fullmatch=True), st.sampled_from(["", " ", ".", "-"]), SURROUNDING)
def test_no_national_id_survives(before: str, digits: str, gap: str, after: str) -> None:
    for groups in ((16,), (4, 4, 4, 4), (6, 6, 4), (2, 2, 2, 6, 4)):
        cuts = [sum(groups[:i]) for i in range(len(groups) + 1)]
        written = gap.join(digits[a:b] for a, b in pairwise(cuts))
        assume(not re.match(r"\d\d[.-]\d\d[.-](19|20)\d\d", written))
        assert written not in redact(f"{before} {written} {after}")


@given(SURROUNDING, st.from_regex(r"[a-z][a-z0-9_]{2,9}", fullmatch=True), SURROUNDING)
def test_no_account_survives(before: str, name: str, after: str) -> None:
    assume(name not in before + after)
    for form in (f"@{name}", f"{name}@mail.id", f"IG: {name}", f"https://t.me/{name}", f"instagram.com/{name}"):
        assert name not in redact(f"{before} {form} {after}")


@given(st.text(max_size=60) | SURROUNDING)
def test_redacting_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Nd",), exclude_characters="@＠/:=[(")))
def test_a_text_without_digits_handles_and_links_is_untouched(text: str) -> None:
    assert redact(text) == text


@given(st.lists(st.sampled_from([text for text in STAYS if text]), min_size=1, max_size=4))
def test_what_stays_alone_stays_in_a_sentence(texts: list[str]) -> None:
    told = ", ".join(texts)
    assert redact(told) == told


def test_jakarta_loses_accounts_only(shared_data: Callable[[str], Path]) -> None:
    """All 1,204 texts were read: their handles were replaced by `@akun` before, two more use "@" for "at"."""
    file = shared_data("jakarta/reports_petabencana_2017.geojson")
    texts = [row["properties"]["text"] or "" for row in json.loads(file.read_text("utf-8"))["features"]]
    changed = [(text, redact(text)) for text in texts if redact(text) != text]
    assert len(texts) == 1204
    assert all(text.count("@") == public.count("[akun]") for text, public in changed)
    assert {text for text, _ in changed} == {text for text in texts if "@" in text}
    assert sum(re.sub(r"@akun\b", "[akun]", text) != public for text, public in changed) == 2
