"""What reports are about: default locations, duplicates and incidents, as flags on the reports. Nothing is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import poisson

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CleaningParameters:
    """How reports become incidents.

    Attributes
    ----------
    default_min_reports : fewer reports than this on one coordinate are never called a default location.
    default_radius_m : neighbourhood that must explain the reports on a coordinate.
    default_factor : how many times the neighbourhood's reports per coordinate still count as explained.
    default_p : Poisson tail below which a coordinate's reports are not explained.
    duplicate_distance_m, duplicate_days : a report of the same category this near in space and time to an earlier one
        is of the same incident. Reports without a time are compared in space alone.
    """

    default_min_reports: int = 25
    default_radius_m: float = 500.0
    default_factor: float = 5.0
    default_p: float = 1e-6
    duplicate_distance_m: float = 20.0
    duplicate_days: float = 14.0


def default_locations(points_m: Array, parameters: CleaningParameters) -> NDArray[np.bool_]:
    """Return which points lie on a geocoder's default coordinate; (n,) bool.

    A coordinate is a default when it holds at least `default_min_reports`, and so many reports are improbable (Poisson
    tail below `default_p`) at `default_factor` times the mean number per distinct coordinate around it, itself left
    out (1 where nothing is around).
    """
    if len(points_m) == 0:
        return np.zeros(0, dtype=bool)
    places, inverse, count = np.unique(points_m, axis=0, return_inverse=True, return_counts=True)
    suspects = np.flatnonzero(count >= parameters.default_min_reports)
    tree = cKDTree(places)
    default = np.zeros(len(places), dtype=bool)
    for place in suspects:
        around = [i for i in tree.query_ball_point(places[place], parameters.default_radius_m) if i != place]
        around_mean = float(count[around].mean()) if around else 1.0
        expected = parameters.default_factor * max(around_mean, 1.0)
        default[place] = poisson.sf(count[place] - 1, expected) < parameters.default_p
    return np.asarray(default[inverse.ravel()], dtype=bool)


def duplicates(
    points_m: Array, category: Sequence[str], time_days: Array, order: Sequence[str], parameters: CleaningParameters
) -> NDArray[np.int64]:
    """Return for each report the position of the report that first told of its incident (itself if it is the first).

    Parameters
    ----------
    points_m : (n, 2) metres.
    category : (n,) a report is a duplicate only within its category.
    time_days : (n,) days since any epoch; NaN where unknown.
    order : (n,) report ids; reports are taken by time, then by id, so the input's order has no effect.

    Notes
    -----
    Each report joins the nearest first report within reach, else it is the first of a new incident; chains of nearby
    reports therefore do not grow into one. Texts are not compared.
    """
    first = np.arange(len(points_m), dtype=np.int64)
    frame = pd.DataFrame({"category": list(category), "time": time_days, "id": list(order)})
    for _, group in frame.sort_values(["time", "id"], na_position="last").groupby("category", sort=True):
        index = group.index.to_numpy()
        first[index] = index[_leaders(points_m[index], group["time"].to_numpy(float), parameters)]
    return first


def _leaders(points_m: Array, time: Array, parameters: CleaningParameters) -> NDArray[np.int64]:
    tree = cKDTree(points_m)
    leader = np.full(len(points_m), -1, dtype=np.int64)
    for i, near in enumerate(tree.query_ball_point(points_m, parameters.duplicate_distance_m)):
        old = [j for j in near if j < i and leader[j] == j and _same_time(time[i], time[j], parameters.duplicate_days)]
        distances = [float(np.hypot(*(points_m[i] - points_m[j]))) for j in old]
        leader[i] = old[int(np.argmin(distances))] if old else i
    return leader


def _same_time(a: float, b: float, within_days: float) -> bool:
    return bool(np.isnan(a) and np.isnan(b)) or abs(a - b) <= within_days
