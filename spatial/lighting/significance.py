"""Is a lighting zone more than chance? A scan of circles of lamps for an excess of dark ones. Arrays in the plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial.contracts.arrays import check_array
from spatial.errors import ContractError
from spatial.hexgrid.scan import ScanParameters, expected_within, groups, strata_within, zone_p_values

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SignificanceParameters:
    """How the excess of dark lamps is judged. The defaults are ours, for the reasons given.

    Attributes
    ----------
    max_radius_m : largest circle. Half the length of street that a panel of a dozen lamps feeds; what is larger shows
        in its parts.
    block_lamps, block_dark : within a block the dark lamps change places. The city is halved until blocks hold less
        than twice either number. More lamps than any panel feeds; enough dark lamps that a block has a rate of its own.
    prior_dark : a block's rate of dark lamps is drawn to the city's as if by so many more dark lamps.
    stratum_lamps : within a block, so many lamps of about equal expectation change places; equals always do.
    min_dark : with fewer dark lamps in the city, no p-value is given.
    replicates : permutations (Kulldorff 1997: 999).
    """

    max_radius_m: float = 200.0
    block_lamps: int = 400
    block_dark: int = 20
    prior_dark: float = 10.0
    stratum_lamps: int = 40
    min_dark: int = 10
    replicates: int = 999


def lighting_zone_p_values(
    dark: Ints,
    expected: Array,
    lamps_m: Array,
    zone_of_lamp: Ints,
    district: Ints,
    parameters: SignificanceParameters,
    seed: int,
) -> Array:
    """Return the p-value of each zone: are there more dark lamps about it than lamps and reporting explain?

    Parameters
    ----------
    dark : (n,) int64, 1 for a lamp with an open incident, else 0. Incidents that meet no lamp are not counted.
    expected : (n,) float64, at least 0, any scale: ones, or how readily people report about each lamp
        (`reporting_habit`). Lamps of expectation 0 are left out.
    lamps_m : (n, 2) float64, metres, all lamps of the city: of an inventory, of OSM, or inferred along the roads.
        Without any, all distinct incidents of all categories may stand for them, the lighting ones being `dark`: then
        the question is whether lighting is a larger share of what is reported here than elsewhere.
    zone_of_lamp : (n,) int64, -1 for none; the dark lamps of a zone have its number.
    district : (n,) int64, at least 0: where people may report, or lamps fail, more or less than elsewhere (kelurahan).
        Zeros where that is not known.
    seed : of the permutations.

    Returns
    -------
    (zones,) float64 in (0, 1], none below 1 / (1 + replicates); all NaN where the city has less than `min_dark` dark
    lamps.

    Raises
    ------
    ContractError : an array or a parameter is not as said.

    Notes
    -----
    The statistic and its argument are those of `spatial.hexgrid.scan.zone_p_values`: the largest ratio of the circles
    that are centred in the zone and have at least half of their dark lamps in it is never above the largest of all
    circles, so it does not matter how the zone was drawn, along roads or with the same incidents; the chance that any
    zone of a city has p ≤ α under the null is at most α.

    The null: within a block of neighbouring lamps of one district, the dark ones change places. So a district that
    reports more, or whose lamps are worse, is not called; the price is that an outage which leaves most of a block
    dark is not seen as such. Blocks are halved by their own sums alone, so that every permutation within blocks
    gives the same blocks, and the test stays exact (given lamps of equal expectation). It does not hold where the
    propensity to report changes sharply within a block for a reason that neither `district` nor `expected` knows:
    see benchmarks/false_alarms.py for how often such cities are called.

    Each dark lamp counts one, however often it is told of. Reports of one lamp that are snapped to its neighbours make
    a cluster where there is none: snap by `snapping.fewest_lamps`.

    It does not use the time of the outage, nor that circuits run along streets. Chance neighbours are judged at the
    city's scale: three dark lamps in a row are often p = 1 in a city with many dark lamps.
    """
    _check(dark, expected, lamps_m, zone_of_lamp, district, parameters)
    cases = np.where(expected > 0, dark, 0)
    if cases.sum() < parameters.min_dark:
        return np.full(int(zone_of_lamp.max(initial=-1)) + 1, np.nan)
    block = blocks(lamps_m, cases, district, parameters.block_lamps, parameters.block_dark)
    return zone_p_values(
        cases,
        expected_within(cases, expected, block, parameters.prior_dark),
        lamps_m,
        zone_of_lamp,
        ScanParameters(max_population_share=0.5, replicates=parameters.replicates),
        seed,
        strata_within(expected, block, parameters.stratum_lamps),
        parameters.max_radius_m,
    )


def reporting_habit(reports_m: Array, lamps_m: Array, within_m: float = 250.0, prior_reports: float = 5.0) -> Array:
    """Return how readily people report about each lamp, about 1 on average: the `expected` of the p-values.

    Parameters
    ----------
    reports_m : (m, 2) metres, distinct incidents of other categories (target-group background, Phillips et al. 2009).
    lamps_m : (n, 2) metres.
    within_m : incidents and lamps this near a lamp are counted. Ours: some dozens of lamps, smaller than a kelurahan.
    prior_reports : incidents as of the whole city that are added to those near by, so that few are not taken for none.

    Returns
    -------
    (n,) float64, above 0: incidents per lamp near by over those of the city; ones where there is no incident.
    """
    if len(lamps_m) == 0 or len(reports_m) == 0:
        return np.ones(len(lamps_m))
    lamps, reports = cKDTree(lamps_m), cKDTree(reports_m)
    told = reports.query_ball_point(lamps_m, within_m, return_length=True)
    likely = lamps.query_ball_point(lamps_m, within_m, return_length=True) * (len(reports_m) / len(lamps_m))
    return np.asarray((told + prior_reports) / (likely + prior_reports), dtype=float)


def blocks(points_m: Array, cases: Ints, district: Ints, min_points: int, min_cases: int) -> Ints:
    """Return the block of each point; (n,) int64.

    Each district is one to begin with, and a block is halved at the median of its longer side while it holds at least
    twice `min_points` and `min_cases`. That looks at sums of whole blocks only, so moving cases within the final blocks
    would have given the same ones.
    """
    label = np.zeros(len(points_m), dtype=np.int64)
    waiting, done = groups(district), 0
    while waiting:
        block = waiting.pop()
        if len(block) < 2 * min_points or cases[block].sum() < 2 * min_cases:
            label[block] = done
            done += 1
            continue
        x, y = points_m[block].T
        order = np.lexsort((y, x) if np.ptp(x) >= np.ptp(y) else (x, y))
        waiting += np.array_split(block[order], 2)
    return label


def _check(
    dark: Ints, expected: Array, lamps: Array, zone: Ints, district: Ints, parameters: SignificanceParameters
) -> None:
    n = len(dark)
    check_array("dark", dark, np.int64, (n,))
    check_array("expected", expected, np.float64, (n,))
    check_array("lamps_m", lamps, np.float64, (n, 2))
    check_array("zone_of_lamp", zone, np.int64, (n,))
    check_array("district", district, np.int64, (n,))
    if (district < 0).any():
        raise ContractError("district holds negative numbers")
    if not np.isin(dark, (0, 1)).all():
        raise ContractError("dark must be 0 or 1")
    if not (np.isfinite(expected).all() and (expected >= 0).all()):
        raise ContractError("expected must be finite and at least 0")
    if not np.isfinite(lamps).all():
        raise ContractError("lamps_m must be finite")
    if not (parameters.max_radius_m > 0 and parameters.prior_dark > 0):
        raise ContractError("max_radius_m and prior_dark must be above 0")
    if min(parameters.block_lamps, parameters.block_dark, parameters.min_dark) < 1 or parameters.replicates < 2:
        raise ContractError("block_lamps, block_dark and min_dark must be at least 1, replicates at least 2")
    if parameters.stratum_lamps < 2:
        raise ContractError("stratum_lamps must be at least 2")
