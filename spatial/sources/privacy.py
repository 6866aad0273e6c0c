"""Small counts withheld: reports are released for good, in whole batches, and only released ones are ever published.

A batch holds `min_count` reports of distinct incidents, of one category, in one anchor cell. Whatever is published is
made of batches, so two versions, or one city at two resolutions, differ by whole batches and by nothing smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial.errors import ContractError

Array = NDArray[np.float64]
LEDGER = ("report_id", "cell", "category", "batch", "day")


@dataclass(frozen=True, slots=True)
class PrivacyParameters:
    """Table `[privacy]`: which small counts are withheld.

    Attributes
    ----------
    min_count : reports in a batch; 0: nothing is withheld (ours: whether a city's counts need it is the city's to say;
        3 to 10 are usual for published tables).
    resolution : H3 resolution of the anchor cells, which the city's cells may not be finer than (ours: that of a city's
        cells by default, about 0.1 km²).
    """

    min_count: int = 0
    resolution: int = 9


def no_releases() -> pd.DataFrame:
    """Return the ledger of a city that has released nothing yet."""
    texts = pd.DataFrame({name: pd.Series(dtype=object) for name in LEDGER})
    return texts.astype({"batch": "int64", "day": "datetime64[ms, UTC]"})


def distinct(candidates: pd.DataFrame, released: pd.DataFrame, within_m: float, within_days: float) -> pd.DataFrame:
    """Return the candidates that tell of an incident of their own, by time, then by id, those without a time last.

    Parameters
    ----------
    candidates : `report_id, cell, category, time` (UTC, NaT where unknown) and `x, y` in metres.
    released : reports that are released already: `category, time, x, y`.
    within_m, within_days : reach of one incident; reports without a time are compared in space alone.

    Notes
    -----
    A candidate is passed over if a released report of its category, or a candidate of its anchor cell that is taken
    before it, is within reach. Duplicates as the analysis finds them (`cleaning.duplicates`) would not do: who is the
    first of an incident there depends on reports that are withheld.
    """
    ordered = candidates.sort_values(["time", "report_id"], na_position="last", ignore_index=True)
    days = [_days(table["time"]) for table in (ordered, released)]
    places = [table[["x", "y"]].to_numpy(float) for table in (ordered, released)]
    kept = np.zeros(len(ordered), dtype=bool)
    for category, rows in ordered.groupby("category", sort=True).indices.items():
        before = np.flatnonzero(released["category"] == category)
        told = _near(places[0][rows], days[0][rows], places[1][before], days[1][before], within_m, within_days)
        near = _near(places[0][rows], days[0][rows], places[0][rows], days[0][rows], within_m, within_days)
        cell = ordered["cell"].to_numpy(dtype=object)[rows]
        for i, row in enumerate(rows):
            kept[row] = not told[i] and not any(j < i and kept[rows[j]] and cell[j] == cell[i] for j in near[i])
    return ordered[kept]


def _days(times: pd.Series[pd.Timestamp]) -> Array:
    days = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    return np.asarray(days, dtype=float)


def _near(
    points_m: Array, days: Array, others_m: Array, other_days: Array, within_m: float, within_days: float
) -> list[list[int]]:
    """Return for each point the positions of the others within reach of it."""
    if len(points_m) == 0 or len(others_m) == 0:
        return [[] for _ in points_m]
    found = cKDTree(others_m).query_ball_point(points_m, within_m)
    return [
        [j for j in near if abs(a - other_days[j]) <= within_days or (np.isnan(a) and np.isnan(other_days[j]))]
        for a, near in zip(days, found, strict=True)
    ]


def new_batches(candidates: pd.DataFrame, ledger: pd.DataFrame, min_count: int) -> pd.DataFrame:
    """Return the batches that can be released now, as rows to append to the ledger.

    Parameters
    ----------
    candidates : `report_id, cell, category, time` (UTC, NaT where unknown) of usable reports, as `distinct` leaves
        them, in any order; those that the ledger holds are passed over.
    ledger : what was released before, columns `LEDGER`; it is only ever appended to.
    min_count : reports in a batch, 2 or more.

    Returns
    -------
    DataFrame with the columns `LEDGER`. In each anchor cell and category the candidates are taken by time, then by id,
    those without a time last, as many as make whole batches; the rest waits. `batch` counts on from the ledger's;
    `day` is the mean of the batch's times cut to the day (UTC), NaT where a time is missing: no report's own.

    Raises
    ------
    ContractError
        `min_count` is below 2.
    """
    if min_count < 2:
        raise ContractError(f"min_count is {min_count}, expected 2 or more")
    bucket = ["cell", "category"]
    waiting = candidates[~candidates["report_id"].isin(ledger["report_id"])]
    waiting = waiting.sort_values([*bucket, "time", "report_id"], na_position="last")
    rank = waiting.groupby(bucket).cumcount()
    size = waiting.groupby(bucket)["report_id"].transform("size")
    whole = waiting[rank < size - size % min_count].copy()
    before = ledger.groupby(bucket)["batch"].max().add(1)
    first = before.reindex(pd.MultiIndex.from_frame(whole[bucket])).fillna(0).to_numpy(np.int64)
    whole["batch"] = first + rank.loc[whole.index].to_numpy(np.int64) // min_count
    times = whole.groupby([*bucket, "batch"])["time"]
    day = times.transform("mean").dt.floor("D")
    whole["day"] = day.where(times.transform("count") == min_count)
    return whole[list(LEDGER)].reset_index(drop=True)


def published(ledger: pd.DataFrame, stored: pd.Series[str]) -> pd.DataFrame:
    """Return the ledger's rows of the batches of which a report is still `stored`: a batch stays or goes as a whole."""
    here = ledger["report_id"].isin(stored)
    kept = here.groupby([ledger[name] for name in ("cell", "category", "batch")]).transform("any")
    return ledger[kept.to_numpy(dtype=bool)]


def whole_batches(open_: pd.Series[bool], cell: pd.Series[str], min_count: int) -> pd.Series[bool]:
    """Return which of the open reports count in cells: of each anchor cell's as many as make whole multiples, in order.

    Released reports close one by one; their open ones alone would be a small count again.
    """
    rank = open_.groupby(cell).cumsum()
    total = open_.groupby(cell).transform("sum")
    return open_ & (rank <= total - total % min_count)
