"""How likely is what is known of each lamp if its circuit is dark, over the same if it is not?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from scipy.special import logsumexp
from scipy.stats import beta, gamma

from spatial.errors import ContractError
from spatial.lighting.rates import CityRates

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_STEPS = np.array([0.05, 0.15, 0.4, 1.0, 2.5])  # behind each report, in delays: where the trip's age is looked at


@dataclass(frozen=True, slots=True)
class CircuitParameters:
    """How the cause of a zone is decided.

    Attributes
    ----------
    least_probability : a cause is named from this probability; between it and its complement the cause is unknown.
        Ours: three to one.
    reporting_spread : weight, in lamps, of the city's reporting share: Beta(share * weight, (1 - share) * weight) for
        the lamps of one circuit; infinite: no spread. Ours: streets differ.
    single_shape : shape of the gamma distribution by which the share of reported single lamps differs from zone to
        zone. Ours: 1, as for counts whose rates differ as much as they are large.
    single_factors : multiples of the city's share that are looked at; one factor: no spread.
    delay_factors : multiples of the city's delay that are looked at, equally likely. Ours.
    oldest_days : no circuit is dark for longer. Ours.
    burst_share : probability that single lamps around a zone failed together, as in a storm or a bad batch. Ours: a
        storm or two a year that break lamps of one quarter.
    burst_failed : shares of the lamps that fail in such a burst, equally likely. Ours.
    tempering : the log-odds are multiplied by it: below 1 where they claim too much. Fitted by logistic regression on
        simulated cities whose delays, streets and panels are not those of the model (`benchmarks/circuits.py --tune`).
    """

    least_probability: float = 0.75
    reporting_spread: float = 4.0
    single_shape: float = 1.0
    single_factors: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    delay_factors: tuple[float, ...] = (0.4, 1.0, 2.5)
    oldest_days: float = 365.0
    burst_share: float = 0.005
    burst_failed: tuple[float, ...] = (0.05, 0.1, 0.2)
    tempering: float = 0.65

    def __post_init__(self) -> None:
        if not 0.5 < self.least_probability < 1 or self.tempering <= 0:
            raise ContractError("least_probability must be above 0.5 and below 1, tempering above 0")


@dataclass(frozen=True, eq=False, slots=True)
class ZoneEvidence:
    """What is known of the lamps in and around one zone; `circuits.lamps_around` says which.

    Attributes
    ----------
    lamp_id : (n,) object, strings, each once.
    distance_m : (n, n) symmetric sparse matrix of distances along the network between neighbouring lamps, metres.
    in_zone : (n,) bool: the zone's own lamps. A circuit is its cause if it feeds more than one of them.
    reported : (n,) float64, 0–1: probability that an open report is of this lamp.
    first_report_days : (n,) float64, days from the first open report to `as_of`; NaN where there is none or no time.
    wired : (n,) bool; False: solar. Unknown counts as wired.
    panel_id : (n,) object: strings, None where the inventory does not say.
    lamps_known : whether the lamps are in an inventory or on a map, not inferred along the road.

    Raises
    ------
    ContractError : an array is not as said.
    """

    lamp_id: NDArray[Any]
    distance_m: csr_array
    in_zone: Bools
    reported: Array
    first_report_days: Array
    wired: Bools
    panel_id: NDArray[Any]
    lamps_known: bool = True

    def __post_init__(self) -> None:
        n = len(self.lamp_id)
        kinds = {"lamp_id": object, "panel_id": object, "reported": float, "first_report_days": float}
        for name, kind in (kinds | {"in_zone": bool, "wired": bool}).items():
            values = getattr(self, name)
            if values.dtype != np.dtype(kind) or values.shape != (n,):
                raise ContractError(f"{name} is {values.dtype} of {values.shape}, expected {np.dtype(kind)} of {(n,)}")
        if len(set(self.lamp_id)) != n:
            raise ContractError("lamp_id holds an id twice")
        if not ((self.reported >= 0) & (self.reported <= 1)).all():
            raise ContractError("reported must be 0–1")
        if (self.first_report_days < 0).any() or np.isinf(self.first_report_days).any():
            raise ContractError("first_report_days must be at least 0, or NaN")
        if not issparse(self.distance_m) or self.distance_m.shape != (n, n):
            raise ContractError(f"distance_m must be a sparse matrix of {(n, n)}")
        if (self.distance_m.data < 0).any() or (n and abs(self.distance_m - self.distance_m.T).max() > 1e-6):
            raise ContractError("distance_m must be symmetric and at least 0")

    @property
    def reported_in_zone(self) -> Array:
        """Return `reported` of the zone's own lamps, 0 of all others; (n,)."""
        return np.where(self.in_zone, self.reported, 0.0)

    def ordered(self, order: Ints) -> ZoneEvidence:
        """Return the evidence with its lamps in another order."""
        return ZoneEvidence(
            self.lamp_id[order],
            csr_array(csr_array(self.distance_m)[order][:, order]),
            self.in_zone[order],
            self.reported[order],
            self.first_report_days[order],
            self.wired[order],
            self.panel_id[order],
            self.lamps_known,
        )


@dataclass(frozen=True, eq=False, slots=True)
class Grid:
    """The nodes of what is not known: the local share of single lamps, the delay, who reports, the trip's age.

    Attributes
    ----------
    factor : (n, g) float64, above 0: each lamp's likelihood ratio at each node.
    weight : (g,) float64, sums to 1: the nodes' probabilities before any circuit is considered.
    """

    factor: Array
    weight: Array


def grid_of(
    zone: ZoneEvidence, rates: CityRates, parameters: CircuitParameters, timed: bool, burst: bool = False
) -> Grid:
    """Return every lamp's likelihood ratio at every node; `timed`: with the ages of the reports.

    Under a dark circuit of age a, a lamp is reported by now with probability p (1 - exp(-a / t)), at exponential
    delays of mean t, or as a single lamp with probability b, whichever came first; else as a single lamp alone.
    `burst`: the same where but a share of the lamps failed together, so that p is that much smaller.
    """
    days = zone.first_report_days if timed else np.full(len(zone.lamp_id), np.nan)
    single, log_single = _single_nodes(rates, parameters)
    delay = np.asarray(parameters.delay_factors) * rates.delay_days
    share = _reporting_nodes(rates.reporting_share, parameters.reporting_spread)
    if burst:
        share = rates.reporting_share * np.asarray(parameters.burst_failed)
    age, age_weight = _age_nodes(days[np.isfinite(days) & (zone.reported > 0)], rates.delay_days, parameters)
    if_single = zone.reported[:, None] * single + (1 - zone.reported[:, None]) * (1 - single)
    log_single = log_single + np.log(if_single).sum(axis=0)
    single_weight = np.exp(log_single - logsumexp(log_single))
    b, t, p, a = single[:, None, None, None], delay[:, None, None], share[:, None], age
    shape = (len(single), len(delay), len(share), len(age))
    factor = np.empty((len(days), *shape))
    by_now = p * -np.expm1(-a / t)
    for lamp, (w, day) in enumerate(zip(zone.reported, days, strict=True)):
        if_dark = (1 - w) * (1 - b) * (1 - by_now)
        if w > 0:
            if_dark = if_dark + w * (b + by_now - b * by_now if np.isnan(day) else _seen(day, b, t, p, a, rates))
        factor[lamp] = if_dark / if_single[lamp][:, None, None, None]
    weight = single_weight[:, None, None, None] / (len(delay) * len(share)) * age_weight
    return Grid(factor.reshape(len(days), -1), np.broadcast_to(weight, shape).ravel().copy())


def _seen(day: float, b: Array, t: Array, p: Array, a: Array, rates: CityRates) -> Array:
    """Return the density of a first report of this age under a dark circuit, over that of ages of single lamps."""
    edges, density = rates.age_edges_days, rates.age_density
    here = int(np.clip(np.searchsorted(edges, day, side="right") - 1, 0, len(density) - 1))
    older_single = float((density * np.clip(edges[1:] - np.maximum(edges[:-1], day), 0.0, None)).sum())
    since = np.maximum(a - day, 0.0)
    told = np.exp(-since / t)
    first = np.where(a > day, p / t * told, 0.0) * (1 - b * older_single) / density[here]
    return np.asarray(first + b * (1 - p * (1 - told)))


def _single_nodes(rates: CityRates, parameters: CircuitParameters) -> tuple[Array, Array]:
    """Return the shares of reported single lamps that are looked at, and their log weights (not normalised)."""
    factors = np.asarray(parameters.single_factors)
    single = np.clip(rates.single_share * factors, 1e-6, 0.5)
    edges = np.concatenate([[0.0], np.sqrt(factors[1:] * factors[:-1]), [np.inf]])
    mass = np.diff(gamma.cdf(edges, parameters.single_shape, scale=1 / parameters.single_shape))
    return single, np.log(np.maximum(mass, 1e-12))


def _reporting_nodes(share: float, spread: float) -> Array:
    """Return equally likely reporting shares."""
    if np.isinf(spread):
        return np.array([share])
    nodes = beta.ppf((np.arange(5) + 0.5) / 5, share * spread, (1 - share) * spread)
    return np.asarray(np.clip(nodes, 0.02, 0.99))


def _age_nodes(days: Array, delay_days: float, parameters: CircuitParameters) -> tuple[Array, Array]:
    """Return ages of the trip, log-uniform from a quarter of a day, and their weights; dense behind each report."""
    ends = np.geomspace(0.25, parameters.oldest_days, 31)
    reports = np.unique(days)
    if len(reports) > 24:
        reports = np.quantile(reports, np.linspace(0, 1, 24))
    near = (reports[:, None] + np.concatenate([[0.0], _STEPS * delay_days])).ravel()
    ends = np.unique(np.concatenate([ends, near[(near > ends[0]) & (near < ends[-1])]]))
    return np.sqrt(ends[1:] * ends[:-1]), np.diff(np.log(ends)) / np.log(ends[-1] / ends[0])
