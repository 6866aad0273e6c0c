"""The report of `hexakota check`: tables on the terminal, and the page beside the city."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spatial.errors import InputError
from spatial.quality import Checked
from spatial.quality.model import LEVELS, Finding, Quality
from spatial.quality.page import FAULT_LABELS, FLAG_LABELS, page

_COLOURS = {"problem": "red", "warning": "yellow", "note": "green"}
_MOST = 8
_SUFFIXES = (".html", ".htm")


def check_target(path: Path) -> None:
    """Refuse a page that could overwrite an input. Raises InputError."""
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(path, "--html", "is not named .html", "name a page, for example check.html")
    if not path.absolute().parent.is_dir():
        raise InputError(path, "--html", "its folder does not exist", "make the folder first")


def write_page(checked: Checked, path: Path) -> None:
    """Write the page whole or not at all. Raises InputError where it cannot be written."""
    staged = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        staged.write_text(page(checked), "utf-8", newline="\n")
        staged.replace(path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise InputError(path, "--html", f"cannot be written ({error.strerror})", "name another place") from error


def show(quality: Quality, console: Console) -> None:
    """Print the report: the verdict first, then what the results will lack, then input by input."""
    synthetic = " [SINTETIS / SYNTHETIC]" if quality.synthetic else ""
    verdict = quality.verdict
    console.print(f"\n{quality.name}{synthetic}", markup=False, style="bold")
    _line(console, verdict, f"{verdict.id} / {verdict.en}", "bold ")
    for finding in quality.findings:
        _line(console, finding, f"{LEVELS[finding.level][0]}: {finding.id} / {finding.en}")
    console.print("\nYang akan kurang pada hasil / what the results will lack", style="bold")
    for row in quality.left_out:
        console.print(f"! {row.id} / {row.en}", markup=False, highlight=False, soft_wrap=True)
    for cost in quality.costs:
        if cost.gap:
            names = "; ".join(f"{layer}: {', '.join(columns)}" for layer, columns in cost.columns)
            console.print(f"∅ {cost.id} / {cost.en}: {names}", markup=False, highlight=False, soft_wrap=True)
    for table in (_inputs(quality), _refused(quality), _reports(quality), _roads(quality), _elevation(quality)):
        if table is not None:
            console.print()
            console.print(table)


def _line(console: Console, finding: Finding, text: str, style: str = "") -> None:
    sign = {"problem": "✗", "warning": "!", "note": "✓" if style else "·"}[finding.level]
    colour = _COLOURS[finding.level] if finding.level != "note" or style else ""
    console.print(f"{sign} {text}", markup=False, highlight=False, soft_wrap=True, style=f"{style}{colour}".strip())


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _table(title: str, first: str, *rest: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first, overflow="fold")
    for name in rest:
        table.add_column(name, justify="right")
    return table


def _inputs(quality: Quality) -> Table:
    table = _table(
        "Masukan / inputs",
        "berkas / file",
        "masuk\nin",
        "dipakai\nused",
        "karantina\nquarantined",
        "dilewati\nleft out",
    )
    for file in quality.files:
        counts = (file.rows_in, file.used, file.quarantined, file.excluded if file.rows_in is not None else None)
        table.add_row(f"{file.kind}: {escape(file.path)}", *map(_number, counts))
    return table


def _refused(quality: Quality) -> Table | None:
    if not quality.refused:
        return None
    table = Table("sebab / reason", title="Karantina / quarantine", title_justify="left", title_style="bold")
    table.add_column("baris / rows", justify="right")
    table.add_column("contoh: berkas, baris, kolom, nilai / example: file, row, field, value", overflow="fold")
    for row in quality.refused:
        first = row.examples[0]
        example = f"{row.file}, {first.row}, {first.field}: {first.value or '(kosong / empty)'}"
        table.add_row(f"{row.id} / {row.en}", _number(row.rows), escape(example))
    return table


def _reports(quality: Quality) -> Table | None:
    found = quality.reports
    if found is None:
        return None
    table = _table("Laporan / reports", "apa / what", "jumlah / number")
    table.add_row("laporan / reports", _number(found.reports))
    table.add_row("dihitung / counted", _number(found.counted))
    table.add_row("kejadian / incidents", _number(found.incidents))
    if found.times.first is not None:
        table.add_row(
            f"waktu setempat / local time: {found.times.first} – {found.times.last}", _number(found.times.known)
        )
        table.add_row("per jam / by hour 00–23: " + _bars(found.times.hours), "")
        table.add_row("per bulan / by month: " + _bars([n for _, n in found.times.months]), "")
    for flag, count in found.flags.items():
        if count:
            table.add_row(" / ".join(FLAG_LABELS[flag]), _number(count))
    for place in found.busy[:_MOST]:
        decision = "tidak dihitung / not counted" if place.default else "dihitung / counted"
        text = f"  {place.lon:.6f}, {place.lat:.6f}, {decision}: {place.example_id} {place.example[:60]}"
        table.add_row(escape(text), _number(place.reports))
    for category, count in found.guessed:
        table.add_row(f"kategori dari teks / category from the text: {category}", _number(count))
    for doubt in found.doubtful[:_MOST]:
        text = f"  tidak jelas / not clear: {doubt.report_id} {doubt.category}? {doubt.text[:60]}"
        table.add_row(escape(text), f"{doubt.confidence:.2f}")
    for word, count in found.unmapped[:_MOST]:
        table.add_row(f"kata tak dikenal / unmapped word: {escape(word)}", _number(count))
    if len(found.unmapped) > _MOST:
        table.add_row(f"… {len(found.unmapped) - _MOST} kata lagi, lihat halaman / more words, see the page", "")
    return table


def _bars(counts: tuple[int, ...] | list[int]) -> str:
    """Return counts as a line of bars, at most the last 60."""
    most = max([*counts, 1])
    return "".join("▁▂▃▄▅▆▇█"[min(7, count * 8 // most)] if count else " " for count in counts[-60:])


def _roads(quality: Quality) -> Table | None:
    found = quality.roads
    if found is None:
        return None
    table = _table("Jalan / roads", "apa / what", "jumlah / number")
    table.add_row("ruas / lines", _number(found.roads))
    table.add_row("km", f"{found.km:,.0f}")
    table.add_row("sel dengan jalan / cells with a road", f"{found.cell_share:.0%}")
    table.add_row("tanpa kelas / without a class", _number(found.without_class))
    return table


def _elevation(quality: Quality) -> Table | None:
    found = quality.elevation
    if found is None:
        return None
    facts = found.facts
    table = _table("Elevasi / elevation", "apa / what", "nilai / value")
    table.add_row("terendah … tertinggi / lowest … highest", f"{facts.minimum_m:.1f} … {facts.maximum_m:.1f} m")
    table.add_row("piksel / pixel", f"{facts.pixel_size_m:g} m")
    table.add_row("wilayah dengan nilai / of the area has a value", f"{1 - facts.nodata_share_in_area:.2%}")
    table.add_row(
        "datum vertikal / vertical datum", ", ".join(facts.vertical_datums) or "tidak dinyatakan / not stated"
    )
    for kind, label in FAULT_LABELS.items():
        places = found.of(kind)
        if places:
            worst = places[0]
            text = f"{' / '.join(label)}, terbesar di / largest at {worst.lon:.5f}, {worst.lat:.5f}"
            table.add_row(text, _number(len(places)))
    return table
