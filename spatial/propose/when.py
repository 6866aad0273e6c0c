"""Which columns hold the times of a report, how they are written, and whether they carry a zone."""

from __future__ import annotations

from collections.abc import Sequence

from spatial.propose.model import Setting
from spatial.propose.values import SURE, Column, TimeForm, shown

ROLES = {
    "requested_datetime": (
        "requested datetime", "created at", "created", "opened", "open", "open dt", "reported", "submitted",
        "lapor", "dibuat", "masuk", "abertura", "creation", "requested",
    ),
    "updated_datetime": ("updated datetime", "updated", "update", "modified", "diperbarui", "diubah", "ubah"),
    "resolved_datetime": (
        "resolved datetime", "closed at", "closed", "closed dt", "close", "resolved", "selesai", "ditutup", "completed",
        "fecho",
    ),
}  # fmt: skip
# Names that mean the time of the report only where they are all of the name: "tanggal", not "tanggal lahir".
WHOLE = ("tanggal", "waktu", "tgl", "date", "datetime", "timestamp", "tanggal lapor", "waktu lapor", "tgl lapor")


def _fit(column: Column, role: str) -> int:
    return max(column.named(ROLES[role]), 2 * (role == "requested_datetime" and column.named(WHOLE) == 2))


def propose_times(columns: Sequence[Column]) -> list[Setting]:
    """Return the settings of the time columns: by content times, by name and order in time what they are of."""
    able = [(c, c.times) for c in columns]
    found = [(column, form) for column, form in able if form is not None]
    if not found:
        return []
    roles = {role: _named(role, [column for column, _ in found]) for role in ROLES}
    settings = [_role(role, columns_) for role, columns_ in roles.items() if columns_]
    settings = _ordered(settings, {column.name: column for column, _ in found})
    if not roles["requested_datetime"]:
        names = ", ".join(f"`{column.name}`" for column, _ in found)
        ask = f"waktu lapor yang mana? / which is the time of the report? {names}"
        settings.append(Setting("columns.requested_datetime", found[0][0].name, _told(*found[0]), ask, active=False))
    used = [(column, form) for column, form in found if any(column.name == s.value for s in settings)]
    return [*_formats(used), *settings]


def _named(role: str, columns: Sequence[Column]) -> list[Column]:
    """Return the columns named for a role, best named only; a name that fits a later role better is not for this."""
    fits = []
    for column in columns:
        scores = {other: _fit(column, other) for other in ROLES}
        if scores[role] and scores[role] == max(scores.values()):
            later = [r for r in list(ROLES)[list(ROLES).index(role) + 1 :] if scores[r] == scores[role]]
            if not later:
                fits.append((scores[role], column))
    return [column for score, column in fits if score == max(s for s, _ in fits)]


def _role(role: str, columns: Sequence[Column]) -> Setting:
    column = columns[0]
    form = column.times
    evidence = _told(column, form) if form else ""
    if len(columns) > 1:
        names = ", ".join(f"`{c.name}`" for c in columns)
        return Setting(f"columns.{role}", column.name, evidence, f"yang mana / which one? {names}", active=False)
    return Setting(f"columns.{role}", column.name, evidence)


def _told(column: Column, form: TimeForm) -> str:
    read = round(form.read * column.filled)
    return f"{read:,} dari / of {column.filled:,} adalah waktu / are times, {_offsets(form)}"


def _offsets(form: TimeForm) -> str:
    if form.offsets == 0:
        return "tanpa zona / no offset"
    if form.offsets == 1:
        return "dengan zona / with an offset"
    return f"{form.offsets:.0%} dengan zona / with an offset"


def _ordered(settings: list[Setting], columns: dict[str, Column]) -> list[Setting]:
    """Ask about a later time that comes before the report's in more than 5 of 100 rows."""
    first = next((s for s in settings if s.key == "columns.requested_datetime" and s.active), None)
    if first is None:
        return settings
    start = columns[str(first.value)].moments()
    checked = []
    for setting in settings:
        end = columns[str(setting.value)].moments().reindex(start.index)
        both = start.notna() & end.notna()
        early = int((end[both] < start[both]).sum())
        if setting is not first and early:
            told = f"{setting.evidence}; {early:,} sebelum / before `{first.value}`"
            if setting.key == "columns.resolved_datetime":
                told += " (dikarantina / will be quarantined)"
            many = early > (1 - SURE) / 2 * both.sum()
            ask = "waktu terbalik? / are the times the wrong way round?" if many else None
            setting = Setting(setting.key, setting.value, told, ask or setting.question, setting.active and not many)
        checked.append(setting)
    return checked


def _formats(used: Sequence[tuple[Column, TimeForm]]) -> list[Setting]:
    """Return `time_format`; asked where day and month could change places, or columns are written differently."""
    forms = sorted({form.time_format for _, form in used if form.time_format})
    if not forms:
        return []
    rivals = sorted({form.rival for _, form in used if form.rival})
    sure = sorted({form.time_format for _, form in used if form.time_format and not form.rival})
    names = ", ".join(f"`{column.name}` {next(iter(column.counts))}" for column, _ in used)
    if len(sure) == 1 and set(forms) | set(rivals) <= {sure[0], *rivals}:
        return [Setting("time_format", sure[0], f"hanya begini semuanya terbaca / only so are all read: {names}")]
    choices = " | ".join(sorted({*forms, *rivals}))
    ask = f"urutan hari dan bulan? / which order of day and month? {choices}"
    return [Setting("time_format", forms[0], names, ask, active=False)]


def without_offset(columns: Sequence[Column], settings: Sequence[Setting]) -> tuple[str, ...]:
    """Return what of the proposed time columns needs a time zone: name and counts, a line each."""
    used = {s.value for s in settings if s.key.endswith("_datetime")}
    chosen = [(c, c.times) for c in columns if c.name in used]
    return tuple(f"`{c.name}`: {_told(c, form)}" for c, form in chosen if form and form.offsets < 1)


def unread_times(columns: Sequence[Column]) -> list[str]:
    """Return questions about columns that are named for a time and hold none that can be read."""
    named = [c for c in columns if c.times is None and any(_fit(c, role) for role in ROLES)]
    return [
        f"kolom `{c.name}`: waktu yang tak terbaca? / times that cannot be read? {shown(c.counts, 2)}"
        for c in named
        if c.filled and c.share(lambda text: sum(sign.isdigit() for sign in text) >= 4)[1] >= SURE * c.filled
    ]
