"""Rows of different files that bear the same id: one counts, the others go to quarantine. Nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from spatial.sources.quarantine import BadRow, quarantine_table


def without_repeats[Table: Any](tables: Mapping[str, Table], field: str, key: str, last_wins: bool) -> dict[str, Table]:
    """Return the tables of several files with each id once.

    Parameters
    ----------
    tables : per file a frozen table of a source, with `quarantine` and the GeoDataFrame `field`.
    key : the id's column.
    last_wins : a later file replaces a row of an earlier one (deliveries of reports); else the first file's row stays.
    """
    seen: set[str] = set()
    result: dict[str, Table] = {}
    for name in reversed(list(tables)) if last_wins else list(tables):
        table = tables[name]
        rows: gpd.GeoDataFrame = getattr(table, field)
        repeats = rows[key].isin(seen).to_numpy(dtype=bool)
        seen |= set(rows[key])
        result[name] = _moved(
            table, field, key, rows, repeats, name, "superseded" if last_wins else "id_of_another_file"
        )
    return {name: result[name] for name in tables}


def _moved[Table: Any](
    table: Table, field: str, key: str, rows: gpd.GeoDataFrame, repeats: Any, name: str, reason: str
) -> Table:
    """Move the repeated rows of one table to its quarantine, and lower `rows_used` where the table counts it."""
    if not repeats.any():
        return table
    bad = [
        BadRow(int(index) if isinstance(index, int) else 0, key, reason, row[key], {k: str(v) for k, v in row.items()})
        for index, row in zip(rows.index[repeats].tolist(), rows[repeats].to_dict("records"), strict=True)
    ]
    changes: dict[str, Any] = {
        field: rows[~repeats],
        "quarantine": pd.concat([table.quarantine, quarantine_table(Path(name), bad)], ignore_index=True),
    }
    if hasattr(table, "rows_used"):
        changes["rows_used"] = table.rows_used - len(bad)
    if hasattr(table, "unknown"):
        changes["unknown"] = table.unknown[~repeats]
    return replace(table, **changes)
