"""A proposal as a commented `city.toml`, and as lines for the terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from spatial.propose.model import FileProposal, Proposal, Setting, Value

ASK = "# TANYA / ASK: "
_HEAD = """\
# Usulan dari isi berkas; periksa buktinya / proposed from what the files hold; check the evidence.
# Yang belum pasti ditandai / what is not certain is marked: TANYA / ASK. Semua kunci / all keys: docs/city-toml.md
"""


def as_toml(proposal: Proposal, folder: Path) -> str:
    """Return a `city.toml` for `folder`: each line below its evidence, doubtful ones commented out.

    Files are named relative to `folder`.
    """
    lines = [_HEAD]
    for table, settings in (("city", proposal.city), ("area", proposal.area)):
        lines += ["", f"[{table}]", *_block(settings, folder)]
    for file in proposal.files:
        if file.kind != "boundary":
            lines += ["", *_file(file, folder)]
    return "\n".join(lines) + "\n"


def as_lines(proposal: Proposal) -> Iterator[str]:
    """Yield what a person reads on the terminal: each file's kind, settings and evidence; the questions at the end."""
    for table, settings in (("city", proposal.city), ("area", proposal.area)):
        yield f"[{table}]"
        yield from (_spoken(setting) for setting in settings)
    for file in proposal.files:
        yield f"{file.path.name}: {file.kind}"
        yield from (f"    {text}" for text in file.evidence)
        yield from (_spoken(setting) for setting in file.settings)
    questions = proposal.questions()
    yield f"TANYA / ASK ({len(questions)}):" if questions else "Tidak ada pertanyaan / no questions."
    yield from (f"  {i}. {where}: {question}" for i, (where, question) in enumerate(questions, 1))


def _spoken(setting: Setting) -> str:
    sign = "?" if setting.question else " "
    value = f"{setting.key} = {_value(setting.value)}"
    return f"  {sign} {value if setting.active else f'({value})'}  {_plain(setting.evidence)}".rstrip()


def _file(file: FileProposal, folder: Path) -> Iterator[str]:
    known = file.kind != "unknown"
    sign = "" if known else "# "
    yield from (f"# {_plain(text)}" for text in (f"{file.path.name}: {file.kind}", *file.evidence))
    yield from (f"{ASK}{_plain(text)}" for text in file.questions)
    yield f"{sign}[[{file.kind if known else 'reports | roads | elevation | lamps | admin_areas'}]]"
    yield f"{sign}path = {_value(_relative(file.path, folder))}"
    yield from _block([s for s in file.settings if not s.key.startswith("columns.")], folder)
    columns = [s for s in file.settings if s.key.startswith("columns.")]
    if columns:
        yield f"{sign}[{file.kind}.columns]"
        yield from _block(columns, folder)


def _block(settings: tuple[Setting, ...] | list[Setting], folder: Path) -> Iterator[str]:
    for setting in settings:
        if setting.evidence:
            yield f"# {_plain(setting.evidence)}"
        if setting.question:
            yield f"{ASK}{_plain(setting.question)}"
        value = _relative(Path(str(setting.value)), folder) if setting.key == "file" else setting.value
        yield f"{'' if setting.active else '# '}{setting.key.removeprefix('columns.')} = {_value(value)}"


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()


def _value(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, str):  # a JSON string is a TOML basic string, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return repr(value)


def _plain(text: str) -> str:
    """Return `text` on one line without control characters: it may hold what a file delivered."""
    return "".join(c if c.isprintable() else " " for c in text)
