"""How reports are cleaned, and which lie on a default location, as a flag on the report. Nothing is dropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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
    duplicate_distance_m, duplicate_days : a report of the same category this near in space and time to the first of
        an incident is of that incident, where either has no text; where both have one, their odds decide too. Ours:
        20 m is the error of a phone's position at both ends; two weeks is within the usual time to repair.
    duplicate_text_distance_m : reach of like texts of floods, which spread. Ours: a street or housing complex is named
        alike on both of its ends, and beyond 100 m that is seldom one water.
    duplicate_probability : probability from which two reports with texts are of one incident; 0.5 makes the fewest
        mistakes where both kinds cost the same.
    duplicate_common_share : words in more than this share of a category's reports (and in more than ten of them) tell
        the matter, not the place, and are not compared. Ours.
    duplicate_odds_base, duplicate_odds_distance, duplicate_odds_time, duplicate_odds_likeness : log-odds of one
        incident: base - distance * ln(1 + m / 10) - time * ln(1 + hours) + likeness * cosine of the texts (0-1).
        Fitted on half of the labelled pairs of Jakarta's flood reports (`benchmarks/duplicates.py`), rounded. In
        logarithms, since pairs at most three days apart were seen and a slope per day cannot be carried to two weeks.
    """

    default_min_reports: int = 25
    default_radius_m: float = 500.0
    default_factor: float = 5.0
    default_p: float = 1e-6
    duplicate_distance_m: float = 20.0
    duplicate_days: float = 14.0
    duplicate_text_distance_m: float = 100.0
    duplicate_probability: float = 0.5
    duplicate_common_share: float = 0.05
    duplicate_odds_base: float = 2.1
    duplicate_odds_distance: float = 1.7
    duplicate_odds_time: float = 0.35
    duplicate_odds_likeness: float = 8.1


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
