"""What `check` tells of reports: when they were made, their flags, default locations, the words not understood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd

from spatial.contracts import QUALITY_FLAGS

BUSY = 50
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Times:
    """When reports were made, in the city's time zone.

    `hours`: reports per hour of day, 24 numbers; `months`: (YYYY-MM, reports), every month from first to last;
    `unknown`: reports without a time; `midnight`: reports at exactly 00:00:00; `first`, `last`: local time as text.
    """

    hours: tuple[int, ...]
    months: tuple[tuple[str, int], ...]
    unknown: int
    midnight: int
    first: str | None
    last: str | None

    @property
    def known(self) -> int:
        """Reports with a time."""
        return sum(self.hours)

    @property
    def night_share(self) -> float:
        """Share of the reports with a time of day that were made from 00:01 to 04:59 local time; 0–1."""
        timed = self.known - self.midnight
        return (sum(self.hours[:5]) - self.midnight) / timed if timed else 0.0


@dataclass(frozen=True, slots=True)
class BusyPlace:
    """A coordinate that holds many reports: degrees, count, the decision on it, and one report of it.

    `default`: its surroundings do not explain so many, so it is a geocoder's default and not counted.
    """

    lon: float
    lat: float
    reports: int
    default: bool
    categories: tuple[tuple[str, int], ...]
    example_id: str
    example: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A report whose text was not clear enough for a category: the likeliest one, its probability, 0–1, and the text.

    The text is without personal data.
    """

    report_id: str
    category: str
    confidence: float
    text: str


@dataclass(frozen=True, slots=True)
class ReportChecks:
    """Reports of all files: `counted` are inside the area and not on a default location.

    `examples`: per flag the ids of some reports that carry it. `busy`: every default location, and every coordinate
    with more than `BUSY` reports, with the decision on it.
    """

    reports: int
    counted: int
    incidents: int
    categories: tuple[tuple[str, int], ...]
    times: Times
    flags: Mapping[str, int]
    examples: Mapping[str, tuple[str, ...]]
    busy: tuple[BusyPlace, ...]
    unmapped: tuple[tuple[str, int], ...]
    guessed: tuple[tuple[str, int], ...]
    doubtful: tuple[Doubtful, ...]

    @property
    def defaults(self) -> tuple[BusyPlace, ...]:
        """The default locations among the busy places."""
        return tuple(place for place in self.busy if place.default)


def check_reports(
    reports: gpd.GeoDataFrame,
    counted: int,
    incidents: int,
    unmapped: Mapping[str, int],
    doubtful: pd.DataFrame,
    time_zone: str,
) -> ReportChecks:
    """Look at placed reports (CRS84 points, the contract's columns; `time_zone` is an IANA name).

    `doubtful`: reports whose guessed category was not taken, columns of `Doubtful`.
    """
    flags = Counter(flag for told in reports["quality"].dropna() for flag in told.split(","))
    return ReportChecks(
        len(reports),
        counted,
        incidents,
        tuple(Counter(reports["category"]).most_common()),
        times_of(reports["requested_datetime"], time_zone),
        {name: flags.get(name, 0) for name in QUALITY_FLAGS},
        {name: tuple(reports.loc[flagged(reports, name), "report_id"].head(EXAMPLES)) for name in QUALITY_FLAGS},
        tuple(_busy(reports)),
        tuple(sorted(unmapped.items(), key=lambda row: (-row[1], row[0]))),
        tuple(Counter(reports.loc[reports["category_basis"] == "text", "category"]).most_common()),
        tuple(Doubtful(*row) for row in doubtful.itertuples(index=False, name=None)),
    )


def times_of(moments: pd.Series[pd.Timestamp], time_zone: str) -> Times:
    """Count reports by local hour and month; `moments` are UTC, NaT where unknown."""
    local = moments.dropna().dt.tz_convert(ZoneInfo(time_zone))
    hours = np.bincount(local.dt.hour.to_numpy(dtype=np.int64), minlength=24) if len(local) else np.zeros(24, int)
    if local.empty:
        return Times(tuple(hours.tolist()), (), len(moments), 0, None, None)
    naive = local.dt.tz_localize(None)
    by_month = naive.dt.to_period("M").value_counts()
    span = pd.period_range(by_month.index.min(), by_month.index.max(), freq="M")
    months = tuple((str(month), int(by_month.get(month, 0))) for month in span)
    midnight = int((naive == naive.dt.normalize()).sum())
    first, last = (moment.strftime("%Y-%m-%d %H:%M") for moment in (naive.min(), naive.max()))
    return Times(tuple(hours.tolist()), months, int(moments.isna().sum()), midnight, first, last)


def flagged(reports: gpd.GeoDataFrame, flag: str) -> pd.Series[bool]:
    """Tell which reports carry a flag of `QUALITY_FLAGS`."""
    told = reports["quality"].fillna("")
    return pd.Series([flag in flags.split(",") for flags in told], index=reports.index, dtype=bool)


def _busy(reports: gpd.GeoDataFrame) -> list[BusyPlace]:
    default = flagged(reports, "default_location")
    number = reports.groupby(["x", "y"])["report_id"].transform("size")
    places = []
    for _, group in reports[default | (number > BUSY)].groupby(["x", "y"], sort=True):
        first = group.iloc[0]
        text = "" if pd.isna(first["description"]) else str(first["description"])
        counts = tuple(Counter(group["category"]).most_common())
        point, unexplained = first.geometry, bool(default[group.index].any())
        places.append(BusyPlace(point.x, point.y, len(group), unexplained, counts, str(first["report_id"]), text))
    return sorted(places, key=lambda place: (-place.reports, place.lon, place.lat))
