"""The account of a file's rows while they are checked: which are refused, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from spatial.sources.quarantine import BadRow, as_json, quarantine_table
from spatial.sources.raw import RawTable


@dataclass(frozen=True, eq=False, slots=True)
class Ledger:
    """Collects refused rows of one `RawTable`; the first reason of a row counts."""

    path: Path
    raw: RawTable
    reasons: dict[int, tuple[str, str, Any]] = field(default_factory=dict)

    def refuse(self, mask: pd.Series[bool], column: str, reason: str, values: pd.Series[Any]) -> None:
        """Refuse rows where `mask` holds: the file's `column` is at fault, `reason` of `REASONS`, `values` theirs."""
        for row in mask.index[mask.to_numpy(dtype=bool, na_value=False)]:
            self.reasons.setdefault(int(row), (column, reason, values[row]))

    def refuse_repeats(self, ids: pd.Series[Any], column: str) -> None:
        """Refuse rows whose id a row before them holds, unless that one is refused itself."""
        good = ids.drop(index=list(self.reasons))
        repeats = good[good.duplicated()]
        if repeats.empty:
            return
        firsts = good[~good.duplicated()]
        first = dict(zip(firsts, firsts.index, strict=True))
        rows = self.rows([*repeats.index, *(first[value] for value in repeats)])
        pairs = zip(repeats.index, repeats, strict=True)
        alike = [as_json(rows[row]) == as_json(rows[first[value]]) for row, value in pairs]
        same = pd.Series(alike, index=repeats.index, dtype=bool)
        self.refuse(same, column, "repeated_id", repeats)
        self.refuse(~same, column, "conflicting_id", repeats)

    def kept(self) -> pd.Index[Any]:
        """Return the rows that are not refused, in order."""
        return self.raw.frame.index.drop(list(self.reasons))

    def rows(self, numbers: list[Any]) -> dict[int, Mapping[str, Any]]:
        """Return whole rows as delivered, by row number, the place of their geometry as `geometry`."""
        frame = self.raw.frame.loc[numbers].astype(object)
        rows = [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]
        if self.raw.points is not None:
            places = self.raw.points.loc[numbers].to_numpy().tolist()
            rows = [row | {"geometry": place} for row, place in zip(rows, places, strict=True)]
        return dict(zip((int(n) for n in numbers), rows, strict=True))

    def table(self, ids: pd.Series[Any]) -> pd.DataFrame:
        """Return the quarantine of the file, the unreadable rows of `raw` included; `ids` of the readable rows."""
        rows = self.rows(list(self.reasons))
        bad = [
            BadRow(row, column, reason, value, rows[row], None if ids[row] is None else str(ids[row]))
            for row, (column, reason, value) in self.reasons.items()
        ]
        return quarantine_table(self.path, [*self.raw.bad, *bad])
