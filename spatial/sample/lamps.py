"""Street lamps on panels, and a year of failures and repairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from spatial.sample.frame import Bools, Floats, Ints
from spatial.sample.town import Street

SMALLEST_PANEL, LARGEST_PANEL = 8, 14
_NEVER = np.datetime64("2262-01-01", "s")


@dataclass(frozen=True, eq=False, slots=True)
class Lamps:
    """All lamps, in order along their streets, panel by panel.

    Attributes
    ----------
    x, y : (n,) plane, metres. street : (n,) index into the streets. panel : (n,) int.
    listed : (n,) bool, whether the inventory names the lamp's panel.
    """

    x: Floats
    y: Floats
    street: Ints
    panel: Ints
    listed: Bools

    @property
    def ids(self) -> list[str]:
        """Ids of the lamps."""
        return [f"PJU-{i + 1:05d}" for i in range(len(self.x))]


def panel_name(panel: int) -> str:
    """Return the id of a panel."""
    return f"PNL-{panel + 1:03d}"


def place_lamps(streets: list[Street], listed_share: float, rng: np.random.Generator) -> Lamps:
    """Return lamps 25–40 m apart along lit streets, 8–14 neighbours on a panel; shorter streets get none."""
    parts: list[tuple[Floats, Floats, Ints, Ints]] = []
    panels = 0
    for number, street in enumerate(streets):
        spacing, side = rng.uniform(27.0, 38.0), rng.choice([-1.0, 1.0])
        count = _fitting(int((street.line.length - 12.0) / spacing) + 1) if street.lit else 0
        if count == 0:
            continue
        along = 6.0 + spacing * np.arange(count) + rng.uniform(-1.0, 1.0, count)
        x, y = _beside(street, along, side * rng.uniform(3.0, 5.0))
        sizes = _panel_sizes(count)
        parts.append((x, y, np.full(count, number), panels + np.repeat(np.arange(len(sizes)), sizes)))
        panels += len(sizes)
    x, y, street_of, panel = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Lamps(x, y, street_of, panel, (rng.random(panels) < listed_share)[panel])


def _fitting(count: int) -> int:
    """Return the most lamps, at most `count`, that panels of 8–14 can hold."""
    if count < SMALLEST_PANEL:
        return 0
    return min(count, count // SMALLEST_PANEL * LARGEST_PANEL)


def _panel_sizes(count: int) -> list[int]:
    fewest, most = -(-count // LARGEST_PANEL), count // SMALLEST_PANEL
    panels = min(max(round(count / 11), fewest), most)
    return [len(part) for part in np.array_split(np.arange(count), panels)]


def _beside(street: Street, along: Floats, offset: float) -> tuple[Floats, Floats]:
    here = shapely.get_coordinates(shapely.line_interpolate_point(street.line, along))
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(street.line, along + 1.0))
    behind = shapely.get_coordinates(shapely.line_interpolate_point(street.line, np.maximum(along - 1.0, 0.0)))
    direction = ahead - behind
    direction /= np.hypot(direction[:, 0], direction[:, 1])[:, None]
    return here[:, 0] - offset * direction[:, 1], here[:, 1] + offset * direction[:, 0]


def fail_lamps(lamps: Lamps, year: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return a year of outages of single lamps, ordered by start.

    Columns: lamp (int), start, end (datetime64[s], local; end far in the future where it still lasts), cause
    ("circuit" or "independent"), recorded (bool: whether the repair is told to those who reported), outage (int: the
    number of the failure; lamps of one panel that trip together share it).

    Ten to fifteen panels and about 3 % of the lamps are still dark at the end of the year.
    """
    begin, over = (np.datetime64(f"{y}-01-01", "s") for y in (year, year + 1))
    panels = int(lamps.panel.max()) + 1
    dark = rng.choice(panels, int(rng.integers(10, 16)), replace=False)
    tripped = rng.choice(np.setdiff1d(np.arange(panels), dark), min(45, panels // 4), replace=False)
    broken = np.flatnonzero(rng.random(len(lamps.x)) < 0.03)
    mended = np.flatnonzero(rng.random(len(lamps.x)) < 0.12)
    spells = [
        _Spell("circuit", dark, over - _days(rng.uniform(2, 60, len(dark))), np.full(len(dark), _NEVER)),
        _passing("circuit", tripped, begin, over, 12.0, rng),
        _Spell(
            "independent",
            broken,
            over - _days(np.clip(rng.exponential(45, len(broken)), 1, 150)),
            np.full(len(broken), _NEVER),
        ),
        _passing("independent", mended, begin, over, 16.0, rng),
    ]
    table = _by_lamp(spells, lamps)
    table["recorded"] = np.repeat(rng.random(int(table["outage"].max()) + 1) > 0.05, np.bincount(table["outage"]))
    return _without_overlaps(table)


@dataclass(frozen=True, eq=False, slots=True)
class _Spell:
    cause: str
    units: Ints
    start: np.ndarray[tuple[int], np.dtype[np.datetime64]]
    end: np.ndarray[tuple[int], np.dtype[np.datetime64]]


def _days(days: Floats) -> np.ndarray[tuple[int], np.dtype[np.timedelta64]]:
    return np.asarray(days * 86400.0).astype("timedelta64[s]")


def _passing(
    cause: str, units: Ints, begin: np.datetime64, over: np.datetime64, mean_days: float, rng: np.random.Generator
) -> _Spell:
    """Return outages that end within the year: they last 2 to 60 days, `mean_days` or a little more on average."""
    lasts = np.clip(2.0 + rng.exponential(mean_days, len(units)), 2.0, 60.0)
    length = float((over - begin) / np.timedelta64(86400, "s"))
    start = begin + _days(rng.uniform(0.0, 1.0, len(units)) * (length - 1.0 - lasts))
    return _Spell(cause, units, start, start + _days(lasts))


def _by_lamp(spells: list[_Spell], lamps: Lamps) -> pd.DataFrame:
    rows = []
    for spell in spells:
        for unit, start, end in zip(spell.units, spell.start, spell.end, strict=True):
            members = np.flatnonzero(lamps.panel == unit) if spell.cause == "circuit" else [int(unit)]
            rows.append([(lamp, start, end, spell.cause) for lamp in members])
    flat = [(*row, number) for number, group in enumerate(rows) for row in group]
    table = pd.DataFrame(flat, columns=["lamp", "start", "end", "cause", "outage"])
    return table.astype({"start": "datetime64[s]", "end": "datetime64[s]", "lamp": "int64"})


def _without_overlaps(table: pd.DataFrame) -> pd.DataFrame:
    """Drop a single lamp's outage that runs into another outage of the same lamp."""
    ordered = table.sort_values(["cause", "start"], kind="stable")
    taken: dict[int, list[tuple[np.datetime64, np.datetime64]]] = {}
    keep: list[bool] = []
    for lamp, start, end in zip(ordered["lamp"], ordered["start"].to_numpy(), ordered["end"].to_numpy(), strict=True):
        earlier = taken.setdefault(int(lamp), [])
        keep.append(all(end < other_start or start > other_end for other_start, other_end in earlier))
        if keep[-1]:
            earlier.append((start, end))
    return ordered[keep].sort_values(["start", "lamp"], kind="stable").reset_index(drop=True)
