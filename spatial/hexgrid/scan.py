"""Scan statistics: is there a circle with more incidents than chance explains, and how surprising is it?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, vstack

from spatial.contracts.arrays import check_array
from spatial.errors import ContractError
from spatial.hexgrid.circles import SAME, best_of_centres, circles_around, highest_ratios

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Null = Literal["permutation", "poisson"]
_BLOCK = 4_000_000  # counts simulated at a time


@dataclass(frozen=True, slots=True)
class ScanParameters:
    """How circles are scanned.

    Attributes
    ----------
    max_population_share : largest share of the expected incidents in a circle. A tenth, as in the published analysis
        of leukaemia in New York State that the tests reproduce; Kulldorff (1997) allows a half, which asks whether
        one side of a city differs from the other.
    replicates : maps simulated under the null (Kulldorff 1997: 999).
    null : `permutation`: the counts change places among locations of about equal expectation, so that over-dispersed
        counts and bursts in single locations stay what they are, after Kulldorff, Huang & Konty (2009), whose
        significance holds whatever the distribution. `poisson`: the multinomial of Kulldorff (1997).
    stratum_cells : locations of about equal expectation that change places; those of equal expectation all do. Ours:
        more of them differ more in expectation, which costs power; below ten a stratum has little to permute.
    """

    max_population_share: float = 0.1
    replicates: int = 999
    null: Null = "permutation"
    stratum_cells: int = 10


@dataclass(frozen=True, eq=False, slots=True)
class Cluster:
    """A circle with more cases than expected.

    Attributes
    ----------
    centre : position of the location in its middle.
    members : (k,) positions of the locations inside, nearest first.
    radius : distance from the centre to the farthest member, in the unit of the coordinates.
    cases, expected : inside; `expected` on the scale where all locations sum to all cases.
    relative_risk : cases / expected inside over the same outside; infinite where there are no cases outside.
    log_likelihood_ratio : Kulldorff's statistic of the circle.
    p_value : by the Gumbel distribution fitted to the null's maxima (Abrams, Kulldorff & Kleinman 2010).
    p_monte_carlo : (1 + maxima at least as large) / (1 + replicates): exact, never below 1 / (1 + replicates).
    """

    centre: int
    members: Ints
    radius: float
    cases: int
    expected: float
    relative_risk: float
    log_likelihood_ratio: float
    p_value: float
    p_monte_carlo: float


def _null_maxima(
    points: Array,
    expected: Array,
    cases: Ints,
    strata: list[Ints],
    limit: float,
    reach: float,
    parameters: ScanParameters,
    seed: int,
) -> Array:
    """Return the largest ratio over all circles of each replicate; (replicates,)."""
    rng, total = np.random.default_rng(seed), int(cases.sum())
    block = max(_BLOCK // len(cases), 1)
    maps = []
    for done in range(0, parameters.replicates, block):
        count = min(block, parameters.replicates - done)
        if parameters.null == "poisson":
            drawn = rng.multinomial(total, expected / expected.sum(), size=count)
        else:
            drawn = _permuted(rng, cases, strata, count)
        maps.append(csr_array(drawn.astype(np.int32)))
    null: csc_array = vstack(maps).tocsc()
    return np.asarray(
        highest_ratios(
            points, expected, limit, reach, null.indptr, null.indices, null.data, float(total), parameters.replicates
        )
    )


def strata_of(expected: Array, size: int) -> list[Ints]:
    """Return the positions of groups of about `size` locations of about equal expectation; equals are never parted."""
    return groups(np.searchsorted(np.sort(expected)[size::size], expected * SAME, side="right"))


def groups(label: Ints) -> list[Ints]:
    """Return the positions of each label, by rising label."""
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(label[order])) + 1)


def strata_within(expected: Array, block: Ints, size: int) -> Ints:
    """Return the stratum of each location: of one block, and of about equal expectation; (n,) int64.

    Parameters
    ----------
    block : (n,) int64, at least 0, such as districts between which people report more or less. size : as in
        `ScanParameters.stratum_cells`.
    """
    label = np.zeros(len(expected), dtype=np.int64)
    done = 0
    for members in groups(block):
        for stratum in strata_of(expected[members], size):
            label[members[stratum]] = done
            done += 1
    return label


def expected_within(cases: Ints, expected: Array, block: Ints, prior_cases: float) -> Array:
    """Return expected cases by the rate of each location's block, drawn to the rate of all by so many cases; (n,)."""
    likely = expected * cases.sum() / expected.sum()
    seen, told = np.bincount(block, weights=cases), np.bincount(block, weights=likely)
    return np.asarray(likely * ((seen + prior_cases) / (told + prior_cases))[block], dtype=float)


def _permuted(rng: np.random.Generator, cases: Ints, strata: list[Ints], count: int) -> Ints:
    maps = np.tile(cases, (count, 1))
    for stratum in strata:
        maps[:, stratum] = rng.permuted(maps[:, stratum], axis=1)
    return maps


def gumbel_p(ratio: Array, maxima: Array) -> Array:
    """Return how often the null's maximum reaches each ratio, by a Gumbel distribution fitted by moments.

    Parameters
    ----------
    ratio : (k,) log-likelihood ratios. maxima : (replicates,) largest ratio of each replicate.

    Source: Abrams, Kulldorff & Kleinman (2010). It resolves values below 1 / replicates by extrapolation. Maxima that
    do not vary give 0 or 1.
    """
    scale = max(float(maxima.std(ddof=1)) * np.sqrt(6.0) / np.pi, 1e-12)
    z = (np.asarray(ratio, float) - (maxima.mean() - np.euler_gamma * scale)) / scale
    return np.asarray(-np.expm1(-np.exp(-np.clip(z, -50.0, 700.0))), dtype=float)


def monte_carlo_p(ratio: Array, maxima: Array) -> Array:
    """Return (1 + maxima at least as large) / (1 + replicates) of each ratio; (k,), never 0 (Dwass 1957)."""
    reached = len(maxima) - np.searchsorted(np.sort(maxima), np.asarray(ratio, float) / SAME, side="left")
    return np.asarray((1.0 + reached) / (1.0 + len(maxima)), dtype=float)


def scan(cases: Ints, expected: Array, centres: Array, parameters: ScanParameters, seed: int) -> tuple[Cluster, ...]:
    """Scan all circles around all locations for an excess of cases (Kulldorff 1997).

    Parameters
    ----------
    cases : (n,) int64, at least 0.
    expected : (n,) float64, at least 0; any scale (a population will do): rescaled to the sum of the cases.
    centres : (n, 2) float64 in a plane: distances are Euclidean. Metres, unless the caller wants otherwise.
    seed : of the replicates.

    Returns
    -------
    The most likely cluster, then secondary ones that share no location with those before, by falling ratio: of each
    location only its best circle counts. Their p-values are against the maximum of all circles, conservative for
    secondary ones. Empty where no circle has an excess.

    Raises
    ------
    ContractError : an array or a parameter is not as said, or cases lie where nothing is expected.

    Notes
    -----
    It looks for excess alone, in circles alone, in space alone. Time and memory: the circles of a location hold at
    most `max_population_share` of what is expected; each is looked at once, for all replicates together.
    """
    _check(cases, expected, centres, parameters)
    if (cases[expected == 0] > 0).any():
        raise ContractError("cases lie in locations where nothing is expected")
    if cases.sum() == 0:
        return ()
    known = np.flatnonzero(expected > 0)
    counts, points = cases[known], np.ascontiguousarray(centres[known])
    total = float(counts.sum())
    share = expected[known] * (total / expected[known].sum())
    limit = parameters.max_population_share * total * SAME
    best, size = best_of_centres(points, share, limit, np.inf, counts, np.zeros(len(known), dtype=np.int64), total)
    strata = strata_of(share, parameters.stratum_cells)
    maxima = _null_maxima(points, share, counts, strata, limit, np.inf, parameters, seed)
    found: list[Cluster] = []
    taken = np.zeros(len(known), dtype=bool)
    for centre in np.argsort(-best, kind="stable"):
        if best[centre] <= 0:
            break
        members = circles_around(int(centre), points, share, limit, np.inf)[0][: size[centre]]
        if not taken[members].any():
            taken[members] = True
            cluster = _cluster(int(centre), members, counts, share, points, float(best[centre]), maxima)
            found.append(replace(cluster, centre=int(known[centre]), members=known[members]))
    return tuple(found)


def _cluster(
    centre: int, members: Ints, cases: Ints, expected: Array, centres: Array, ratio: float, maxima: Array
) -> Cluster:
    inside, likely, total = int(cases[members].sum()), float(expected[members].sum()), int(cases.sum())
    outside = (total - inside) / (total - likely)
    return Cluster(
        centre=centre,
        members=members,
        radius=float(np.hypot(*(centres[members[-1]] - centres[centre]))),
        cases=inside,
        expected=likely,
        relative_risk=inside / likely / outside if outside > 0 else float("inf"),
        log_likelihood_ratio=ratio,
        p_value=float(gumbel_p(np.array([ratio]), maxima)[0]),
        p_monte_carlo=float(monte_carlo_p(np.array([ratio]), maxima)[0]),
    )


def zone_p_values(
    cases: Ints,
    expected: Array,
    centres_m: Array,
    zone_of_cell: Ints,
    parameters: ScanParameters,
    seed: int,
    stratum: Ints | None = None,
    max_radius_m: float = np.inf,
) -> Array:
    """Return the p-value of each zone: is there an excess of cases in circles that are about this zone?

    Parameters
    ----------
    cases : (n,) int64 distinct incidents. expected : (n,) float64, any scale. centres_m : (n, 2) float64, metres.
    zone_of_cell : (n,) int64, -1 for none. seed : of the replicates.
    stratum : (n,) int64, at least 0: cells of one number change places under the permutation null, instead of those of
        about equal expectation. It may depend on the cases only through their sums by stratum.
    max_radius_m : no circle is larger.

    Returns
    -------
    (zones,) in (0, 1]; 1 where no circle about the zone has an excess.

    Raises
    ------
    ContractError : an array or a parameter is not as said.

    Notes
    -----
    A zone's statistic is the largest ratio among the scanned circles whose centre lies in it and at least half of
    whose cases do. Such a circle is a member of the scanned family, so under the null it reaches a value no more often
    than the maximum over all circles does, however the zone was chosen: also with help of the same incidents. So the
    chance that any zone of the city has p ≤ α is at most α. A zone's own ratio would not do: its shape is not among
    the circles. The larger of the Monte Carlo and the Gumbel p is given, so none is below 1 / (1 + replicates).

    What the null says: cells of about equal expectation are exchangeable. It allows any spread of counts and bursts
    in single cells; it does not allow for neighbours that are alike for another reason than flooding, nor for the
    error of `expected`. It is exact where expectations in a stratum are equal, else approximate. The p of a circle is
    no p of every cell in the zone, and one cell alone with many cases is hardly ever significant: a burst there cannot
    be told from repetition. Cells where nothing is expected are left out.
    """
    _check(cases, expected, centres_m, parameters)
    check_array("zone_of_cell", zone_of_cell, np.int64, cases.shape)
    if stratum is not None:
        check_array("stratum", stratum, np.int64, cases.shape)
    if not max_radius_m > 0:
        raise ContractError(f"max_radius_m is {max_radius_m}, expected above 0")
    p = np.ones(int(zone_of_cell.max(initial=-1)) + 1)
    known = expected > 0
    cases, points, zones = cases[known], np.ascontiguousarray(centres_m[known]), zone_of_cell[known]
    total = float(cases.sum())
    if total == 0 or not (zones >= 0).any():
        return p
    share = expected[known] * (total / expected[known].sum())
    limit = parameters.max_population_share * total * SAME
    best = best_of_centres(points, share, limit, max_radius_m, cases, zones, total)[0]
    ratio = np.zeros(len(p))
    np.maximum.at(ratio, zones[zones >= 0], best[zones >= 0])
    strata = strata_of(share, parameters.stratum_cells) if stratum is None else groups(stratum[known])
    maxima = _null_maxima(points, share, cases, strata, limit, max_radius_m, parameters, seed)
    return np.where(ratio > 0, np.maximum(gumbel_p(ratio, maxima), monte_carlo_p(ratio, maxima)), 1.0)


def _check(cases: Ints, expected: Array, centres: Array, parameters: ScanParameters) -> None:
    n = len(cases)
    check_array("cases", cases, np.int64, (n,))
    check_array("expected", expected, np.float64, (n,))
    check_array("centres", centres, np.float64, (n, 2))
    if (cases < 0).any():
        raise ContractError("cases holds negative counts")
    if not (np.isfinite(expected).all() and (expected >= 0).all() and expected.sum() > 0):
        raise ContractError("expected must be finite, at least 0 and not all 0")
    if not np.isfinite(centres).all():
        raise ContractError("centres must be finite")
    if not 0 < parameters.max_population_share <= 0.5:
        raise ContractError(f"max_population_share is {parameters.max_population_share}, expected above 0, to 0.5")
    if parameters.replicates < 2 or parameters.stratum_cells < 2:
        raise ContractError("replicates and stratum_cells must be at least 2")
    if parameters.null not in ("permutation", "poisson"):
        raise ContractError(f"null is {parameters.null!r}, expected 'permutation' or 'poisson'")
