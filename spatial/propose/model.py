"""What a proposal is made of: settings with their evidence, and what a person is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

Value = str | int | float | tuple[str, ...] | tuple[float, ...]
KINDS = ("reports", "roads", "elevation", "lamps", "admin_areas", "boundary", "unknown")


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of `city.toml`.

    Parameters
    ----------
    key : its name; "columns.lon" stands in the file's `columns` table.
    value : the proposed value.
    evidence : what in the data speaks for it, one line, Indonesian / English.
    question : what a person has to decide or confirm; None where the data leave no doubt.
    active : False: written as a comment, so that nothing is decided in silence.
    """

    key: str
    value: Value
    evidence: str
    question: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class FileProposal:
    """What one file is (one of `KINDS`), why, its settings, and questions that belong to no single line."""

    path: Path
    kind: str
    evidence: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    questions: tuple[str, ...] = ()
    bounds: tuple[float, float, float, float] | None = None  # west, south, east, north of nearly all of it, CRS84
    pixel_size_m: float | None = None
    zoneless: tuple[str, ...] = ()  # time columns that carry no offset, with counts

    def value(self, key: str) -> Value | None:
        """Return what is proposed for a key and active, else None."""
        return next((s.value for s in self.settings if s.key == key and s.active), None)

    def asked(self) -> dict[str, str]:
        """Return key → question of the settings that a person is asked about."""
        return {s.key: s.question for s in self.settings if s.question}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A whole `city.toml` as proposed: tables `[city]` and `[area]`, and a table for each file."""

    city: tuple[Setting, ...]
    area: tuple[Setting, ...]
    files: tuple[FileProposal, ...]

    def questions(self) -> list[tuple[str, str]]:
        """Return (where, question) of all that a person is asked, in the order of the file."""
        found = [(f"[{table}] {s.key}", s.question) for table, rows in self._tables() for s in rows if s.question]
        for file in self.files:
            found += [(f"{file.path.name}: {key}", question) for key, question in file.asked().items()]
            found += [(file.path.name, question) for question in file.questions]
        return found

    def _tables(self) -> tuple[tuple[str, tuple[Setting, ...]], ...]:
        return (("city", self.city), ("area", self.area))
