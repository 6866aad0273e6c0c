"""What the columns of a table of points mean: reports or lamps, with evidence, content before names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from spatial.propose.model import FileProposal, Setting
from spatial.propose.places import place
from spatial.propose.values import SURE, Column, shown
from spatial.propose.when import propose_times, unread_times, without_offset
from spatial.sources.formats import RawTable
from spatial.sources.quarantine import clean
from spatial.sources.reports import IMPLICIT
from spatial.sources.taxonomy import Taxonomy

IDS = ("id", "report id", "service request id", "case id", "ticket id", "request id", "nomor", "no laporan", "no tiket",
       "id laporan", "nomor laporan", "kode laporan", "case enquiry id", "token", "caseid", "ticketid")  # fmt: skip
CATEGORIES = ("category", "kategori", "jenis", "jenis laporan", "type", "tipo", "service name", "issue type", "reason",
              "request type", "bidang", "topik", "area", "categoria", "klasifikasi", "masalah")  # fmt: skip
STATUSES = ("status", "state", "estado", "case status", "ticket status", "status laporan", "keadaan")
TEXTS = ("description", "deskripsi", "uraian", "keterangan", "isi", "isi laporan", "text", "teks", "laporan", "aduan",
         "issue description", "message", "descricao", "pesan", "keluhan")  # fmt: skip
DEPTHS = ("depth", "flood depth", "kedalaman", "tinggi air", "ketinggian air", "tinggi genangan")
SOURCES = ("source", "sumber", "kanal", "channel", "asal")
LAMPS = ("lamp id", "id lampu", "no lampu", "kode lampu", "panel id", "id panel", "kode panel", "no tiang", "watt")
_COMMON = 0.5  # share of rows with a known word from which content alone makes a column a category


def propose_points(path: Path, raw: RawTable, taxonomy: Taxonomy) -> FileProposal:
    """Return what a table of points is and what its columns mean.

    The order of rows and columns makes no difference. Nothing is taken for a category, a time or a status by its name
    alone: its values must be known words or readable times.
    """
    columns = [Column(str(n), raw.frame[n].astype(object)) for n in sorted(raw.frame.columns, key=str)]
    settings, evidence, questions, bounds = place(raw, columns)
    rows = f"{raw.rows_in:,} baris / rows, {len(columns)} kolom / columns"
    told = [rows, *evidence, *([f"{len(raw.bad):,} baris rusak / bad rows"] if raw.bad else [])]
    placed = {str(s.value) for s in settings if s.key.startswith("columns.")}
    rest = [c for c in columns if c.filled and c.name not in placed]
    category = _category(rest, taxonomy)
    times = propose_times(rest)
    if not any(s.active for s in category) and any(c.named(LAMPS) for c in rest) and not times:
        return _lamps(path, rest, settings, told, questions, bounds)
    found = [*settings, *_id(rest), *category, *_status(rest, taxonomy), *_prose(rest), *times, *_depth(rest)]
    found += [*_source(rest)]
    if not any(s.key in ("columns.category", "category") for s in found):
        found.append(_constant(rest, found, taxonomy))
        if not found[-1].active:
            questions.append("laporan warga, atau tabel lain? / citizens' reports, or another table?")
    questions += unread_times([c for c in rest if c.name not in {s.value for s in found}])
    questions += _taken_by_name(columns, found)
    told.append(_unused(columns, found))
    zoneless = without_offset(rest, found)
    return FileProposal(path, "reports", tuple(told), tuple(found), tuple(questions), bounds, None, zoneless)


def _known(taxonomy: Taxonomy) -> Callable[[str], bool]:
    return lambda text: taxonomy.category_of(text) is not None


def _category(columns: Sequence[Column], taxonomy: Taxonomy) -> list[Setting]:
    """Return the columns of category words, the most specific first; asks where words are unknown or columns differ."""
    able: list[tuple[Column, int, int]] = []
    for column in columns:
        if column.times or column.numeric > 0.5 or column.prose or len(column.pairs):
            continue
        if column.named(STATUSES) or column.named(SOURCES) or column.distinct > max(20, 0.3 * column.filled):
            continue
        words, rows = column.share(_known(taxonomy))
        least = 0.1 if column.named(CATEGORIES) == 2 else _COMMON
        if rows >= least * column.rows:
            able.append((column, words, rows))
    able.sort(key=lambda row: (-row[0].distinct, row[0].name))
    if not able:
        return []
    told = [f"`{c.name}`: {c.distinct} kata / words, {w} dikenal / known ({r:,}/{c.rows:,})" for c, w, r in able]
    named = [row for row in able if row[0].named(CATEGORIES)]
    able = named or able
    first, value = able[0][0], tuple(row[0].name for row in able)
    unknown = _unknown([c for c, _, _ in able], taxonomy)
    asks = [
        f"`{c.name}` dipilih dari isinya saja: benar? / chosen by its words alone: is it right?"
        for c, _, _ in able
        if not c.named(CATEGORIES)
    ]
    if unknown:
        asks.append(
            f"{sum(unknown.values()):,} baris tak dikenal menjadi `other`; tambahkan ke taksonomi? / rows without "
            f"a known word become `other`; add to a taxonomy? {shown(unknown)}"
        )
    if len(able) > 1 and (clash := _clashes([c for c, _, _ in able], taxonomy)):
        asks.append(
            f"{clash:,} baris: kolom tidak sepakat, `{first.name}` menang / rows where the columns disagree: it decides"
        )
    chosen = value if len(value) > 1 else value[0]
    return [Setting("columns.category", chosen, "; ".join(told), "; ".join(asks) or None)]


def _rows(columns: Sequence[Column]) -> Counter[tuple[str, ...]]:
    """Return combinations of the columns' texts ("" where empty) with their numbers of rows."""
    table = pd.DataFrame({c.name: c.values.map(lambda v: clean(str(v).strip())) for c in columns}).fillna("")
    return Counter(table.itertuples(index=False, name=None))


def _unknown(columns: Sequence[Column], taxonomy: Taxonomy) -> dict[str, int]:
    found: Counter[str] = Counter()
    for texts, rows in _rows(columns).items():
        if not any(taxonomy.category_of(text) for text in texts if text):
            found[" / ".join(text for text in texts if text)] += rows
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _clashes(columns: Sequence[Column], taxonomy: Taxonomy) -> int:
    """Return the number of rows whose columns name two categories, `other` aside."""
    clash = 0
    for texts, rows in _rows(columns).items():
        named = {taxonomy.category_of(text) for text in texts if text} - {None, "other"}
        clash += rows * (len(named) > 1)
    return clash


def _constant(columns: Sequence[Column], found: Sequence[Setting], taxonomy: Taxonomy) -> Setting:
    """Ask for the one category of a file without category words; a column of flood depths speaks for `flood`."""
    votes: Counter[str] = Counter()
    for column in (c for c in columns if c.prose or c.named((*TEXTS, "title", "judul"))):
        for text, rows in column.counts.items():
            votes[taxonomy.category_of(text) or ""] += rows
    known = {name: n for name, n in sorted(votes.items()) if name}
    told = ", ".join(f"{name} {n:,}" for name, n in sorted(known.items(), key=lambda row: (-row[1], row[0]))) or "–"
    evidence = f"tanpa kolom kategori; kata dalam teks / no category column; words in the texts: {told}"
    ask = "semua laporan satu kategori ini? / are all reports of this one category?"
    likely = max(known, key=lambda name: (known[name], name), default="other")
    depth = next((s for s in found if s.key == "columns.depth_m"), None)
    if likely == "flood" and depth:
        return Setting("category", "flood", f"{evidence}; `{depth.value}` mengukur banjir / measures floods", ask)
    return Setting("category", likely, evidence, ask, active=False)


def _id(columns: Sequence[Column]) -> list[Setting]:
    named = [c for c in columns if c.named(IDS) and not c.times]
    able = [c for c in named if c.distinct >= SURE * c.filled and c.filled > 0.5 * c.rows]
    best = [c for c in able if c.named(IDS) == max(other.named(IDS) for other in able)]
    if not best:
        return []
    column = best[0]
    evidence = f"{column.distinct:,} berbeda dari / different of {column.rows:,}"
    if len(best) > 1:
        names = ", ".join(f"`{c.name}`" for c in best)
        return [Setting("columns.report_id", column.name, evidence, f"yang mana / which one? {names}", active=False)]
    if _counting(column):
        ask = "hanya nomor urut; tetap antar kiriman? / a row number; does it stay from delivery to delivery?"
        return [Setting("columns.report_id", column.name, evidence, ask, active=False)]
    gaps = column.rows - column.distinct
    doubt = None if column.named(IDS) == 2 else "ID laporan, bukan hal lain? / is it the report's id?"
    doubt = f"{gaps:,} baris kosong atau berulang / rows are empty or repeat" if gaps else doubt
    return [Setting("columns.report_id", column.name, evidence, doubt)]


def _counting(column: Column) -> bool:
    """Whether the values are 0…n-1 or 1…n."""
    n = column.numbers
    return len(n) == column.rows and n[0] in (0, 1) and n[-1] - n[0] == len(n) - 1


def _status(columns: Sequence[Column], taxonomy: Taxonomy) -> list[Setting]:
    able = []
    for column in columns:
        if column.distinct > max(20, 0.3 * column.filled):
            continue
        words, rows = column.share(lambda text: taxonomy.status_of(text) is not None)
        if rows >= (0.5 if column.named(STATUSES) == 2 else SURE) * column.filled:
            able.append((column.named(STATUSES), rows, column.name, words, column))
    if not able:
        return []
    able.sort(key=lambda row: (-row[0], -row[1], row[2]))
    _, rows, _, words, column = able[0]
    evidence = (
        f"{column.distinct} kata / words, {words} dikenal / known ({rows:,}/{column.rows:,}): {shown(column.counts)}"
    )
    unknown = {t: n for t, n in column.counts.items() if taxonomy.status_of(t) is None}
    doubt = None if column.named(STATUSES) else "dipilih dari isinya saja: benar? / chosen by its words alone: right?"
    doubt = f"kata status tak dikenal / unknown status words: {shown(unknown)}" if unknown else doubt
    if len(able) > 1 and able[1][0] == able[0][0]:
        names = ", ".join(f"`{row[2]}`" for row in able)
        return [Setting("columns.status", column.name, evidence, f"yang mana / which one? {names}", active=False)]
    return [Setting("columns.status", column.name, evidence, doubt)]


def _prose(columns: Sequence[Column]) -> list[Setting]:
    able = [c for c in columns if c.prose and not c.named(STATUSES)]
    named = [c for c in able if c.named(TEXTS)]
    best = [c for c in named if c.named(TEXTS) == max(other.named(TEXTS) for other in named)]
    if len(best) == 1:
        counts = f"teks / text: {best[0].filled:,} terisi / filled, {best[0].distinct:,} berbeda / different"
        return [Setting("columns.description", best[0].name, counts)]
    if best:
        names = ", ".join(f"`{c.name}`" for c in best)
        return [Setting("columns.description", best[0].name, "", f"yang mana / which one? {names}", active=False)]
    return []


def _depth(columns: Sequence[Column]) -> list[Setting]:
    able = [c for c in columns if c.named(DEPTHS) and c.numeric >= SURE and c.numbers[0] >= 0]
    if len(able) != 1:
        ask = f"kedalaman yang mana? / which depth? {', '.join(f'`{c.name}`' for c in able)}"
        return [Setting("columns.depth_m", able[0].name, "", ask, active=False)] if able else []
    column = able[0]
    evidence = f"{column.filled:,} angka / numbers, {column.numbers[0]:g} … {column.numbers[-1]:g}"
    unit = next((u for u in ("cm", "m") if column.key.split()[-1] == u), None)
    if unit and not (unit == "m" and column.numbers[-1] > 20):
        return [
            Setting("depth_unit", unit, f"nama kolom / the name `{column.name}`, {evidence}"),
            Setting("columns.depth_m", column.name, evidence),
        ]
    ask = "satuan kedalaman: m atau cm? / unit of depth: m or cm?"
    likely = "cm" if column.numbers[-1] > 20 else "m"
    return [
        Setting("depth_unit", likely, evidence, ask, active=False),
        Setting("columns.depth_m", column.name, evidence, ask, active=False),
    ]


def _source(columns: Sequence[Column]) -> list[Setting]:
    """Ask whether a column tells sources apart: it becomes part of every id, so it is never taken by itself."""
    able = [c for c in columns if c.named(SOURCES) == 2 and 1 < c.distinct <= 30]
    ask = "sumber per baris, atau hanya saluran? / a source per row, or just a channel?"
    return [Setting("columns.source", c.name, shown(c.counts), ask, active=False) for c in able[:1]]


def _lamps(
    path: Path,
    columns: Sequence[Column],
    settings: Sequence[Setting],
    told: Sequence[str],
    questions: Sequence[str],
    bounds: tuple[float, float, float, float] | None,
) -> FileProposal:
    found = list(settings)
    for key, words in (("lamp_id", LAMPS[:4]), ("panel_id", LAMPS[4:7])):
        able = [c for c in columns if c.named(words)]
        whole = key == "panel_id" or (len(able) == 1 and able[0].distinct == able[0].rows)
        if able:
            doubt = None if len(able) == 1 and whole else "satu per lampu? / is it one per lamp?"
            counts = f"{able[0].distinct:,} berbeda dari / different of {able[0].rows:,}"
            found.append(Setting(f"columns.{key}", able[0].name, counts, doubt, active=doubt is None))
    ask = "lampu jalan, bukan laporan? / street lamps, not reports?"
    return FileProposal(path, "lamps", tuple(told), tuple(found), (*questions, ask), bounds)


def _taken_by_name(columns: Sequence[Column], found: Sequence[Setting]) -> list[str]:
    """Ask about columns that the reader takes because they have a contract column's name, unsupported by content."""
    active = {s.key.removeprefix("columns.") for s in found if s.active} | {"lon", "lat"}
    return [
        f"kolom `{c.name}` akan dibaca karena namanya, walau isinya tidak mendukung / the column is read for its name "
        f"although its values do not speak for it: {shown(c.counts, 3)}"
        for c in columns
        if c.name in IMPLICIT and c.name not in active and c.filled
    ]


def _unused(columns: Sequence[Column], found: Sequence[Setting]) -> str:
    used: set[str] = set()
    for setting in found:
        if setting.key.startswith("columns.") and not isinstance(setting.value, int | float):
            used |= {setting.value} if isinstance(setting.value, str) else {str(v) for v in setting.value}
    rest = ", ".join(f"`{c.name}`" for c in columns if c.name not in used) or "–"
    return f"kolom tak dipakai / columns not used: {rest}"
