"""Values as people read them: labels of enumerations, numbers, units and times, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from services.site import SYNTHETIC
from spatial.contracts import CATEGORY_LABELS, Column
from spatial.flood.zones import PART_LABELS as FLOOD_PARTS
from spatial.lighting.zones import PART_LABELS as LIGHTING_PARTS
from spatial.quality.page import FLAG_LABELS
from spatial.store.styles import SEVERITY_LABELS

Pair = tuple[str, str]


def _split(label: str) -> Pair:
    indonesian, _, english = label.partition(" / ")
    return indonesian, english


VALUE_LABELS: Mapping[str, Pair] = {
    **CATEGORY_LABELS,
    **FLAG_LABELS,
    **{name: _split(label) for name, label in SEVERITY_LABELS.items()},
    "lighting": ("PJU", "street lighting"),
    "source": ("dari sumber", "from the source"),
    "constant": ("ditetapkan untuk seluruh berkas", "set for the whole file"),
    "text": ("dari teks laporan", "from the report's text"),
    "none": ("tidak ada", "none"),
    "open": ("terbuka", "open"),
    "closed": ("selesai", "closed"),
    "rising": ("naik", "rising"),
    "steady": ("tetap", "steady"),
    "falling": ("turun", "falling"),
    "circuit": ("satu panel", "one circuit"),
    "independent": ("lampu sendiri-sendiri", "single lamps"),
    "unknown": ("belum jelas", "unknown"),
    "lamp": ("satu lampu", "one lamp"),
    "new": ("baru", "new"),
    "grown": ("meluas", "grown"),
    "shrunk": ("menyusut", "shrunk"),
    "split": ("terpecah", "split"),
    "merged": ("tergabung", "merged"),
    "unchanged": ("tetap", "unchanged"),
    "background_reports": ("laporan kategori lain", "reports of other categories"),
    "road_length_m": ("panjang jalan", "road length"),
    "lit_road_length_m": ("panjang jalan berlampu", "lit road length"),
    "lamps": ("jumlah lampu", "lamps"),
    "wired": ("jaringan listrik", "wired"),
    "solar": ("tenaga surya", "solar"),
    "inventory": ("inventaris", "inventory"),
    "osm": ("OpenStreetMap", "OpenStreetMap"),
    "inferred": ("diduga dari jarak lampu", "inferred from lamp spacing"),
    "network": ("jaringan jalan", "road network"),
    "plane": ("garis lurus", "straight line"),
    "consecutive": ("berturut-turut", "consecutive"),
    "intensifying": ("menguat", "intensifying"),
    "persistent": ("menetap", "persistent"),
    "diminishing": ("melemah", "diminishing"),
    "sporadic": ("sesekali", "sporadic"),
    "oscillating": ("berganti-ganti", "oscillating"),
    "historical": ("dulu saja", "historical"),
    "no_pattern": ("tanpa pola", "no pattern"),
}
PART_LABELS: Mapping[str, Pair] = {
    **FLOOD_PARTS,
    **LIGHTING_PARTS,
    "open_incidents": ("laporan PJU terbuka di atas rata-rata kota", "open lighting reports above the city's rate"),
    "flood": ("banjir", "flood"),
    "lighting": ("PJU", "street lights"),
    "prior": ("dugaan awal", "prior"),
    "contiguity": ("berurutan sepanjang jalan", "contiguity along the road"),
    "onset": ("padam bersamaan", "dark at the same time"),
    "size": ("jumlah lampu", "number of lamps"),
    "panel": ("panel menurut inventaris", "panel by the inventory"),
}
UNITS: Mapping[str, Pair] = {
    "km2": ("km²", "km²"),
    "m2": ("m²", "m²"),
    "m3": ("m³", "m³"),
    "deg": ("°", "°"),
    "day": ("hari", "days"),
    "reports per km of road": ("laporan per km jalan", "reports per km of road"),
}
_MONTHS: Mapping[str, tuple[str, ...]] = {
    "id": ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
_COLD = (" (titik dingin)", " (cold spot)")
_TO_INDONESIAN = str.maketrans(",.", ".,")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: the language (`id` or `en`) and the time zone that times are told in."""

    lang: str
    zone: ZoneInfo

    def of(self, pair: Pair) -> str:
        """Return the text of the reader's language."""
        return pair[self.lang != "id"]

    def half(self, text: str) -> str:
        """Return the reader's half of a text such as `Peta / map`; all of a text that is no such pair."""
        halves = text.replace(SYNTHETIC, "").split(" / ")
        return self.of((halves[0], halves[1])) if len(halves) == 2 else " / ".join(halves)

    def value(self, name: str) -> str:
        """Return the label of an enumeration's value, or the value itself where it has none."""
        if name.endswith("_cold"):
            return self.value(name.removesuffix("_cold")) + self.of(_COLD)
        return self.of(VALUE_LABELS.get(name, (name, name)))

    def part(self, key: str) -> str:
        """Return the label of a part of a score."""
        return self.of(PART_LABELS.get(key, (key, key)))

    def title(self, column: Column) -> str:
        """Return a column's title."""
        return self.of((column.title_id, column.title_en))

    def unit(self, column: Column) -> str:
        """Return a column's unit, empty where it has none."""
        return self.of(UNITS.get(column.unit, (column.unit, column.unit))) if column.unit else ""

    def integer(self, value: float) -> str:
        """Return a whole number with its thousands marked."""
        return self._local(f"{value:,.0f}")

    def bound(self, value: float) -> str:
        """Return a bound of a class or a range as it was written, such as 0.2."""
        return self._local(f"{value:g}")

    def number(self, value: float) -> str:
        """Return a number with about three digits that matter; what is tiny is told as below 0.001."""
        size = abs(value)
        if size == 0:
            return "0"
        if 0 < size < 0.001:
            return self._local(f"{'< ' if value > 0 else '> −'}0.001")
        return self._local(f"{value:,.{3 if size < 1 else 2 if size < 10 else 1 if size < 1000 else 0}f}")

    def share(self, value: float) -> str:
        """Return a number from 0 to 1; what is nearly 1 is not told as 1."""
        return self._local("> 0.999") if 0.9995 <= value < 1 else self.number(value)

    def time(self, text: str) -> str:
        """Return an RFC 3339 time in the reader's zone, such as `9 Des 2024 12:47 WITA`."""
        return _time(text, self.lang, self.zone)

    def formatter(self, column: Column) -> Callable[[Any], str]:
        """Return the function that tells a column's values, null excepted."""
        if column.kind == "integer":
            return self.integer
        if column.kind == "number":
            return self.share if (column.minimum, column.maximum) == (0.0, 1.0) else self.number
        if column.kind == "datetime":
            return self.time
        if column.name == "quality":
            return lambda flags: ", ".join(self.value(flag) for flag in flags.split(","))
        return self.value if column.values else str

    def _local(self, text: str) -> str:
        return text.translate(_TO_INDONESIAN) if self.lang == "id" else text


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def reader_of(lang: str, manifest: Mapping[str, Any] | None) -> Reader:
    """Return the reader of a city's pages; times are told in the city's zone, or UTC where the version names none."""
    return Reader(lang, _zone(manifest["city"].get("time_zone") or "UTC" if manifest else "UTC"))


def _time(text: str, lang: str, zone: ZoneInfo) -> str:
    moment = datetime.fromisoformat(text).astimezone(zone)
    return f"{moment.day} {_MONTHS[lang][moment.month - 1]} {moment.year} {moment:%H:%M} {moment.tzname()}"
