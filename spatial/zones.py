"""Zones, whatever their type: identity across versions, explanation, severity, priority.

A zone is what its members are: cells for flood, lamps or incidents for lighting. The previous version's zones come in
as a table; nothing here reads a store.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from spatial.errors import ContractError
from spatial.hexgrid.trend import mann_kendall_p

Members = frozenset[str]


@dataclass(frozen=True, slots=True)
class Identity:
    """A zone's lasting id and what happened to it since the previous version (one of contracts.CHANGES).

    `gained`, `lost`: members that it has more and less than under this id before; all are gained in a new zone.
    """

    zone_id: str
    change: str
    gained: int
    lost: int


@dataclass(frozen=True, slots=True)
class Part:
    """One additive part of a score: a stable key, its share of the score, and what it says in both languages."""

    key: str
    value: float
    label_id: str
    label_en: str


def founded_id(zone_type: str, founding_version: str, members: Members) -> str:
    """Return the id of a zone that is new in `founding_version`: 'flood-' or 'lighting-' and 12 hex digits."""
    text = "\n".join((zone_type, founding_version, min(members)))
    return f"{zone_type}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def identify(zone_type: str, zones: Sequence[Members], previous: pd.DataFrame, version: str) -> list[Identity]:
    """Give each zone its id: that of the previous zone it shares most members with, or a new one.

    Parameters
    ----------
    zones : the members of each zone; no member is in two zones.
    previous : columns `zone_id, member` of the previous version; empty for a first one.
    version : id of the version being made, which founds the new ids.

    Returns
    -------
    Identity per zone, in the order given; the order itself has no effect on the ids.

    Notes
    -----
    Pairs are taken by shared members, largest first, ties to the lowest old id and then the lowest new member; each id
    is inherited once. A zone that overlaps several old ones is `merged`; one whose old zone also lives on elsewhere is
    `split`.
    """
    if any(not members for members in zones):
        raise ContractError("a zone has no members")
    old = {str(zone): frozenset(group["member"]) for zone, group in previous.groupby("zone_id")}
    owner = {member: zone for zone, members in old.items() for member in members}
    shared = [Counter(owner[m] for m in members if m in owner) for members in zones]
    claims = Counter(zone for counts in shared for zone in counts)
    pairs = sorted((-n, zone, min(zones[i]), i) for i, counts in enumerate(shared) for zone, n in counts.items())
    inherited: dict[int, str] = {}
    for _, zone, _, i in pairs:
        if i not in inherited and zone not in inherited.values():
            inherited[i] = zone
    return [
        _identity(inherited.get(i), founded_id(zone_type, version, members), members, shared[i], claims, old)
        for i, members in enumerate(zones)
    ]


def _identity(
    kept: str | None,
    founded: str,
    members: Members,
    shared: Counter[str],
    claims: Counter[str],
    old: Mapping[str, Members],
) -> Identity:
    before = old.get(kept) if kept is not None else None
    then = before or frozenset()
    return Identity(kept or founded, _change(members, shared, claims, before), len(members - then), len(then - members))


def _change(members: Members, shared: Counter[str], claims: Counter[str], before: Members | None) -> str:
    if not shared:
        return "new"
    if len(shared) > 1:
        return "merged"
    if before is None or claims[next(iter(shared))] > 1:
        return "split"
    if members == before:
        return "unchanged"
    return "grown" if len(members) >= len(before) else "shrunk"


def parts_json(parts: Sequence[Part], score: float) -> str:
    """Return the parts as JSON `{key: value}`. Raises ContractError unless they sum to the score within 1e-9."""
    if abs(sum(part.value for part in parts) - score) > 1e-9:
        raise ContractError(f"the parts {parts} do not sum to the score {score}")
    return json.dumps({part.key: part.value for part in parts})


def sentence(parts: Sequence[Part], score: float, subject_id: str, subject_en: str) -> tuple[str, str]:
    """Return the explanation in Indonesian and English: the score and its parts, largest first, zero parts left out."""
    told = [p for p in sorted(parts, key=lambda p: (-p.value, p.key)) if p.value >= 0.005]
    text_id = f"{subject_id}: skor {_comma(score)}" + "".join(f"; {p.label_id} +{_comma(p.value)}" for p in told) + "."
    text_en = f"{subject_en}: score {score:.2f}" + "".join(f"; {p.label_en} +{p.value:.2f}" for p in told) + "."
    return text_id, text_en


def _comma(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")


def classify(scores: ArrayLike, breaks: tuple[float, float]) -> NDArray[np.object_]:
    """Return `low`, `medium` or `high` by the two breaks, None where the score is NaN; (n,) object array."""
    values = np.asarray(scores, float)
    names = np.array(["low", "medium", "high"], dtype=object)[np.searchsorted(breaks, values, side="right").clip(0, 2)]
    names[~np.isfinite(values)] = None
    return np.asarray(names, dtype=object)


def priority_rank(
    score: ArrayLike, road_length_m: ArrayLike, major_road_length_m: ArrayLike, n_incidents: ArrayLike, work: ArrayLike
) -> NDArray[np.int64]:
    """Rank zones, 1 first, by benefit per unit of work.

    Benefit is score × (1 + metres of road / 1000 + metres of major road / 1000, which thus count twice) × (1 + ln(1 +
    distinct incidents)); work is the caller's unit (km² for flood, lamps for lighting). Where road classes are not
    known their metres are NaN and count as zero. Ties keep the given order.
    """
    roads_km = (
        np.nan_to_num(np.asarray(road_length_m, float)) + np.nan_to_num(np.asarray(major_road_length_m, float))
    ) / 1000.0
    benefit = np.asarray(score, float) * (1.0 + roads_km) * (1.0 + np.log1p(np.asarray(n_incidents, float)))
    order = np.argsort(-benefit / np.asarray(work, float), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return rank


def as_multipolygon(shape: BaseGeometry) -> shapely.MultiPolygon:
    """Return a polygon or multipolygon as multipolygon."""
    return shapely.MultiPolygon([part for part in shapely.get_parts(shape) if isinstance(part, shapely.Polygon)])


def joined_names(names: Sequence[str | None]) -> str | None:
    """Return the distinct names, the most frequent first and ties by name, comma-joined; None if there is none."""
    counts: Mapping[str, int] = Counter(str(n) for n in names if n is not None and not pd.isna(n))
    return ", ".join(sorted(counts, key=lambda name: (-counts[name], name))) or None


def monthly_trend(times: pd.Series, as_of: pd.Timestamp | None, min_months: int = 6) -> str | None:
    """Return the Mann-Kendall trend of incidents per 30 days up to `as_of`: rising, steady (p ≥ 0.05) or falling.

    None where `as_of` is unknown, a time is missing, or the incidents span fewer than `min_months` periods.
    """
    if as_of is None or times.empty or times.isna().any():
        return None
    period = ((as_of - times).dt.days // 30).to_numpy()
    if period.max() + 1 < min_months:
        return None
    s, p = mann_kendall_p(np.bincount(period)[::-1])
    if p >= 0.05:
        return "steady"
    return "rising" if s > 0 else "falling"
