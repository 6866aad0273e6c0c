"""Personal data taken out of published texts: e-mail addresses, national ids, telephone numbers, handles.

The live table keeps the text as delivered. Names and addresses in free text are not recognised.
"""

from __future__ import annotations

import re

_PATTERNS = (
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[surel]"),
    (re.compile(r"(?<!\d)\d{16}(?!\d)"), "[NIK]"),
    (re.compile(r"(?<!\w)(?:\+?62|0)(?:[ .()-]*\d){8,12}(?!\d)"), "[telepon]"),
    (re.compile(r"(?<![\w@])@\w{2,}"), "[akun]"),
)


def redact(text: str | None) -> str | None:
    """Return the text with each find replaced by what it was: [surel], [NIK], [telepon], [akun]; None stays None.

    National ids (NIK) are 16 digits; telephone numbers begin with 0, 62 or +62 and have 9 to 13 digits (Indonesia).
    """
    if text is None:
        return None
    for pattern, label in _PATTERNS:
        text = pattern.sub(label, text)
    return text
