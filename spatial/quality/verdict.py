"""From what was counted to findings: what is a problem, what a warning, in both languages. Limits stand here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spatial.quality.ground_checks import ElevationChecks, RoadChecks
from spatial.quality.model import Finding, InputFile, Level
from spatial.quality.report_checks import ReportChecks

REFUSED_PROBLEM, REFUSED_WARNING = 0.2, 0.01
OUTSIDE_PROBLEM, OUTSIDE_WARNING = 0.2, 0.01
UNMAPPED_PROBLEM, UNMAPPED_WARNING = 0.5, 0.05
DOUBTFUL_PROBLEM, DOUBTFUL_WARNING = 0.5, 0.05
ROUNDED_WARNING, UNTIMED_WARNING, MIDNIGHT_WARNING, NIGHT_WARNING = 0.1, 0.1, 0.2, 0.25
NODATA_PROBLEM, NODATA_WARNING = 0.1, 0.001
ROADLESS_WARNING, CLASSLESS_WARNING = 0.5, 0.05
LOWEST_M, HIGHEST_M, BELOW_ZERO_WARNING = -100.0, 5200.0, 0.05


def findings(
    files: Sequence[InputFile],
    reports: ReportChecks | None,
    roads: RoadChecks | None,
    elevation: ElevationChecks | None,
) -> tuple[Finding, ...]:
    """Return what to put right and what to know, problems first."""
    found = [*_of_files(files)]
    if reports is None and elevation is None:
        found.append(
            Finding(
                "problem",
                "nothing_to_score",
                "Tidak ada laporan dan tidak ada elevasi: tidak ada yang bisa dinilai.",
                "Neither reports nor elevation: there is nothing to score.",
            )
        )
    found += [] if reports is None else [*_of_reports(reports), *_of_guesses(reports), *_of_times(reports)]
    found += [] if roads is None else [*_of_roads(roads)]
    found += [] if elevation is None else [*_of_elevation(elevation), *_of_heights(elevation)]
    order = ("problem", "warning", "note")
    return tuple(sorted(found, key=lambda f: order.index(f.level)))


def _level(share: float, warning: float, problem: float) -> Level:
    return "problem" if share >= problem else "warning" if share >= warning else "note"


def _of_files(files: Sequence[InputFile]) -> Iterator[Finding]:
    for file in files:
        share, n = file.refused_share, file.quarantined or 0
        if n:
            yield Finding(
                _level(share, REFUSED_WARNING, REFUSED_PROBLEM),
                "quarantined",
                f"{file.path}: {n:,} dari {file.rows_in:,} baris ({share:.1%}) dikarantina.",
                f"{file.path}: {n:,} of {file.rows_in:,} rows ({share:.1%}) are quarantined.",
            )


def _of_reports(found: ReportChecks) -> Iterator[Finding]:
    n = found.reports or 1
    outside, rounded = found.flags["outside_area"], found.flags["location_rounded"]
    if outside:
        share = outside / n
        yield Finding(
            _level(share, OUTSIDE_WARNING, OUTSIDE_PROBLEM),
            "outside_area",
            f"{outside:,} laporan ({share:.1%}) di luar wilayah: disimpan, tidak dihitung.",
            f"{outside:,} reports ({share:.1%}) lie outside the area: stored, not counted.",
        )
    if found.defaults:
        held = sum(place.reports for place in found.defaults)
        yield Finding(
            "warning",
            "default_location",
            f"{held:,} laporan di {len(found.defaults)} lokasi bawaan geocoder: disimpan, tidak dihitung.",
            f"{held:,} reports on {len(found.defaults)} default location(s) of a geocoder: stored, not counted.",
        )
    if rounded / n >= ROUNDED_WARNING:
        yield Finding(
            "warning",
            "location_rounded",
            f"{rounded:,} laporan ({rounded / n:.1%}) berkoordinat bulat (≤ 4 desimal, sekitar 11 m).",
            f"{rounded:,} reports ({rounded / n:.1%}) have rounded coordinates (4 decimals or fewer, some 11 m).",
        )
    if found.flags["duplicate"]:
        yield Finding(
            "note",
            "duplicate",
            f"{found.flags['duplicate']:,} laporan berulang: {found.incidents:,} kejadian dari "
            f"{found.counted:,} laporan yang dihitung.",
            f"{found.flags['duplicate']:,} reports repeat another: {found.incidents:,} incidents in "
            f"{found.counted:,} counted reports.",
        )
    words = sum(count for word, count in found.unmapped if not word.startswith("status:"))
    if words:
        yield Finding(
            _level(words / n, UNMAPPED_WARNING, UNMAPPED_PROBLEM),
            "unmapped",
            f"{words:,} laporan ({words / n:.1%}) berkategori tak dikenal: masuk 'other'. Tulis katanya di taksonomi.",
            f"{words:,} reports ({words / n:.1%}) have an unknown category word and count as 'other'. "
            "Put the words into the taxonomy.",
        )


def _of_guesses(found: ReportChecks) -> Iterator[Finding]:
    n = found.reports or 1
    taken, doubtful = sum(count for _, count in found.guessed), len(found.doubtful)
    if taken:
        yield Finding(
            "note",
            "category_guessed",
            f"{taken:,} laporan ({taken / n:.1%}) berkategori tebakan dari teksnya.",
            f"The category of {taken:,} reports ({taken / n:.1%}) is guessed from their text.",
        )
    if doubtful:
        yield Finding(
            _level(doubtful / n, DOUBTFUL_WARNING, DOUBTFUL_PROBLEM),
            "category_doubtful",
            f"{doubtful:,} laporan ({doubtful / n:.1%}) teksnya tidak cukup jelas: masuk 'other', lihat daftarnya. "
            "Tambahkan contoh dari kota ini ([text_category]).",
            f"The text of {doubtful:,} reports ({doubtful / n:.1%}) is not clear enough: they count as 'other', see "
            "the list. Add examples of this city ([text_category]).",
        )


def _of_times(found: ReportChecks) -> Iterator[Finding]:
    times, n = found.times, found.reports or 1
    if times.unknown / n >= UNTIMED_WARNING:
        yield Finding(
            "warning",
            "time_unknown",
            f"{times.unknown:,} laporan ({times.unknown / n:.1%}) tanpa waktu.",
            f"{times.unknown:,} reports ({times.unknown / n:.1%}) carry no time.",
        )
    if times.known and times.midnight / times.known >= MIDNIGHT_WARNING:
        share = times.midnight / times.known
        yield Finding(
            "warning",
            "midnight",
            f"{share:.0%} laporan tepat pukul 00:00: tampaknya hanya tanggal.",
            f"{share:.0%} of the reports are at exactly 00:00: they seem to carry a date only.",
        )
    if times.known >= 100 and times.night_share >= NIGHT_WARNING:
        yield Finding(
            "warning",
            "night",
            f"{times.night_share:.0%} laporan dibuat pukul 00–05 setempat: periksa time_zone.",
            f"{times.night_share:.0%} of the reports were made from 00 to 05 local time: check time_zone.",
        )


def _of_roads(found: RoadChecks) -> Iterator[Finding]:
    if found.roads == 0:
        yield Finding(
            "problem", "roads_elsewhere", "Tidak ada jalan di dalam wilayah.", "No road lies within the area."
        )
        return
    if 1 - found.cell_share >= ROADLESS_WARNING:
        yield Finding(
            "warning",
            "cells_without_road",
            f"{1 - found.cell_share:.0%} sel tanpa jalan: periksa apakah data jalan mencakup seluruh wilayah.",
            f"{1 - found.cell_share:.0%} of the cells hold no road: check that the roads cover the whole area.",
        )
    if found.km and found.without_class_km / found.km >= CLASSLESS_WARNING:
        share = found.without_class_km / found.km
        yield Finding(
            "warning",
            "roads_without_class",
            f"{found.without_class:,} ruas jalan ({share:.0%} panjangnya) tanpa kelas.",
            f"{found.without_class:,} roads ({share:.0%} of their length) carry no class.",
        )
    if found.outside:
        yield Finding(
            "note",
            "roads_outside",
            f"{found.outside:,} ruas jalan di luar wilayah tidak dipakai.",
            f"{found.outside:,} roads outside the area are not used.",
        )


def _of_elevation(found: ElevationChecks) -> Iterator[Finding]:
    facts, share = found.facts, found.facts.nodata_share_in_area
    if facts.minimum_m < LOWEST_M or facts.maximum_m > HIGHEST_M:
        yield Finding(
            "problem",
            "height_range",
            f"Elevasi {facts.minimum_m:,.0f} sampai {facts.maximum_m:,.0f} m mustahil: "
            "periksa satuan dan nilai nodata.",
            f"Heights from {facts.minimum_m:,.0f} to {facts.maximum_m:,.0f} m cannot be: check unit and nodata value.",
        )
    if share:
        yield Finding(
            _level(share, NODATA_WARNING, NODATA_PROBLEM),
            "nodata",
            f"{share:.2%} wilayah tanpa nilai elevasi, di {len(found.of('hole'))} lubang.",
            f"{share:.2%} of the area has no elevation, in {len(found.of('hole'))} hole(s).",
        )
    if not facts.vertical_datums:
        yield Finding(
            "warning",
            "no_datum",
            "Datum vertikal elevasi tidak dinyatakan (vertical_datum): tinggi tidak bisa dibandingkan dengan pasang.",
            "The elevation's vertical datum is not stated (vertical_datum): heights cannot be compared with tides.",
        )
    if len(facts.vertical_datums) > 1:
        told = ", ".join(facts.vertical_datums)
        yield Finding(
            "warning", "mixed_datums", f"Datum vertikal bercampur: {told}.", f"Vertical datums are mixed: {told}."
        )
    if found.below_zero_share >= BELOW_ZERO_WARNING:
        yield Finding(
            "warning",
            "below_zero",
            f"{found.below_zero_share:.0%} wilayah di bawah 0 m: laut, tanah rendah, atau datum lain?",
            f"{found.below_zero_share:.0%} of the area is below 0 m: sea, low land, or another datum?",
        )


def _of_heights(found: ElevationChecks) -> Iterator[Finding]:
    told = (
        ("spike", "lonjakan", "spike(s)", "di atas", "above"),
        ("pit", "lubang dalam", "pit(s)", "di bawah", "below"),
    )
    for kind, indonesian, english, where_id, where_en in told:
        places = [place for place in found.faults if place.fault.kind == kind]
        if places:
            worst = places[0].fault.off_m
            yield Finding(
                "warning",
                f"{kind}s",
                f"{len(places)} {indonesian} elevasi, terparah {worst:.0f} m {where_id} sekitarnya.",
                f"{len(places)} {english} in the elevation, the worst {worst:.0f} m {where_en} its surroundings.",
            )
    flats = found.of("flat")
    if flats:
        km2 = sum(place.fault.area_km2 for place in flats)
        yield Finding(
            "note",
            "flats",
            f"{len(flats)} permukaan rata (danau, tambak, atau elevasi bulat), {km2:.2f} km²: arah aliran di sana "
            "tidak diketahui.",
            f"{len(flats)} flat surface(s) (lakes, ponds, or heights in whole metres), {km2:.2f} km²: the flow across "
            "them is not known.",
        )
