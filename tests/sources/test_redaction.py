"""Personal data in texts: each kind by example, and what must stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial.sources.redaction import redact


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("hubungi 0812-3456-7890 budi@example.com", "hubungi [telepon] [surel]"),
        ("WA +62 812 3456 7890, terima kasih", "WA [telepon], terima kasih"),
        ("NIK 6473010101900001.", "NIK [NIK]."),
        ("tolong @pemkot_tarakan segera", "tolong [akun] segera"),
        ("telp 0411 872345 banjir", "telp [telepon] banjir"),
        ("banjir 50 cm di RT 05 sejak 20-02-2017 07:58", "banjir 50 cm di RT 05 sejak 20-02-2017 07:58"),
        ("lampu padam 11 titik, km 12,5", "lampu padam 11 titik, km 12,5"),
        (None, None),
    ],
)
def test_what_goes_and_what_stays(text: str | None, public: str | None) -> None:
    assert redact(text) == public


@given(st.text(max_size=40), st.from_regex(r"08[0-9]{9,10}", fullmatch=True), st.text(max_size=40))
def test_a_mobile_number_never_stays(before: str, number: str, after: str) -> None:
    assert number not in redact(f"{before} {number} {after}")
    assert redact(redact(f"{before} {number}")) == redact(f"{before} {number}")
