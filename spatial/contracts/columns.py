"""Makers of columns, and the columns that several layers share."""

from __future__ import annotations

from typing import Any

from spatial.contracts.model import Column


def text(name: str, title_id: str, title_en: str, **more: Any) -> Column:
    """Return a column of strings."""
    return Column(name, "string", title_id, title_en, **more)


def count(name: str, title_id: str, title_en: str, **more: Any) -> Column:
    """Return a column of whole numbers from 0 up."""
    return Column(name, "integer", title_id, title_en, minimum=0, **more)


def number(name: str, title_id: str, title_en: str, unit: str | None = None, **more: Any) -> Column:
    """Return a column of numbers."""
    return Column(name, "number", title_id, title_en, unit=unit, **more)


def share(name: str, title_id: str, title_en: str) -> Column:
    """Return a column of numbers from 0 to 1."""
    return number(name, title_id, title_en, minimum=0.0, maximum=1.0)


def length_m(name: str, title_id: str, title_en: str) -> Column:
    """Return a column of metres from 0 up."""
    return number(name, title_id, title_en, "m", minimum=0.0)


def time(name: str, title_id: str, title_en: str) -> Column:
    """Return a column of times, UTC."""
    return Column(name, "datetime", title_id, title_en)


KELURAHAN = text("kelurahan", "Kelurahan", "Kelurahan (urban village)")
KECAMATAN = text("kecamatan", "Kecamatan", "Kecamatan (district)")
AREA_ID = text("area_id", "Kode wilayah (Kemendagri)", "Area code (Kemendagri)")
EXPLANATION = (
    Column("explanation_parts", "json", "Bagian skor", "Parts of the score"),
    text("explanation_id", "Penjelasan", "Explanation (Indonesian)"),
    text("explanation_en", "Penjelasan (Inggris)", "Explanation (English)"),
)
RAIN_TO_FILL = number(
    "rain_to_fill_mm", "Hujan pengisi cekungan terdalam", "Rain to fill the deepest depression", "mm", minimum=0.0
)
