"""What `check` finds: plain values for the terminal and the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spatial.quality.ground_checks import ElevationChecks, RoadChecks
from spatial.quality.report_checks import ReportChecks

Level = Literal["problem", "warning", "note"]
LEVELS: dict[Level, tuple[str, str]] = {
    "problem": ("masalah", "problem"),
    "warning": ("peringatan", "warning"),
    "note": ("catatan", "note"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know, in both languages: a problem should be put right before a run, a warning should be looked at.

    `code` is stable; tests and scripts may ask for it.
    """

    level: Level
    code: str
    id: str
    en: str


@dataclass(frozen=True, slots=True)
class BadExample:
    """A row that was refused: its number in the file, the field at fault and its value."""

    row: int
    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows of one file refused for one reason (a key of `quarantine.REASONS`, with its texts)."""

    file: str
    reason: str
    id: str
    en: str
    rows: int
    examples: tuple[BadExample, ...]


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input: rows in = used + quarantined + left out (roads that are none yet); None where it has no rows."""

    kind: str
    path: str
    rows_in: int | None
    used: int | None
    quarantined: int | None
    excluded: int

    @property
    def refused_share(self) -> float:
        """Share of the rows that were refused, 0–1."""
        return (self.quarantined or 0) / self.rows_in if self.rows_in else 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a gap costs: the published columns that will be empty throughout, by layer, and why.

    `gap`: the city's inputs are the reason; else no city has these columns yet, or there is nothing to say in them.
    """

    gap: bool
    id: str
    en: str
    columns: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """All that `check` finds in a city's inputs.

    `left_out` and `costs` are what a run would say; `results`: features that each layer would have.
    """

    name: str
    synthetic: bool
    area_km2: float
    area_basis: str
    resolution: int
    cells: int
    time_zone: str
    files: tuple[InputFile, ...]
    refused: tuple[Refused, ...]
    reports: ReportChecks | None
    roads: RoadChecks | None
    lamps: int | None
    elevation: ElevationChecks | None
    left_out: tuple[Finding, ...]
    costs: tuple[Cost, ...]
    results: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]
    attribution: tuple[str, ...]

    @property
    def verdict(self) -> Finding:
        """Whether the city is fit to run: ready, ready with warnings, or not before its problems are put right."""
        problems, warnings = (sum(f.level == level for f in self.findings) for level in ("problem", "warning"))
        if problems:
            return Finding(
                "problem",
                "not_fit",
                f"BELUM LAYAK: perbaiki {problems} masalah dulu",
                f"NOT FIT YET: put {problems} problem{'s' * (problems > 1)} right first",
            )
        if warnings:
            return Finding(
                "warning",
                "fit_with_warnings",
                f"LAYAK DIJALANKAN, dengan {warnings} peringatan",
                f"FIT TO RUN, with {warnings} warning{'s' * (warnings > 1)}",
            )
        return Finding("note", "fit", "LAYAK DIJALANKAN", "FIT TO RUN")
