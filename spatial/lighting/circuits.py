"""Is a group of dark lamps one tripped panel, or several lamps that failed on their own?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.special import expit, logsumexp

from spatial.lighting.circuit_model import CircuitParameters, Grid, ZoneEvidence, grid_of
from spatial.lighting.rates import CityRates
from spatial.lighting.runs import Runs, Tree, mass_of_lamps, runs_of, shortest_tree

__all__ = ["Cause", "CircuitParameters", "ZoneEvidence", "cause_of_zone", "lamps_around"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_LEAST = float(np.log(1e-12))  # odds below this are this, so that parts stay finite
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False, slots=True)
class Cause:
    """What probably put a zone out.

    Attributes
    ----------
    cause : "circuit", "independent" or "unknown" (CAUSES of `contracts`).
    cause_probability : of the named cause; of a circuit where it is unknown.
    circuit_probability : of a circuit that feeds more than one of the zone's reported lamps.
    panel_id : of the inventory, else "inferred:" and the lowest lamp id; None where the cause is no circuit.
    members : positions of the lamps on that circuit, reported or not, rising; empty where the cause is no circuit.
    log_odds : `prior`, `contiguity`, `size`, `onset`, `panel`, that sum to the log-odds of a circuit.
    """

    cause: str
    cause_probability: float
    circuit_probability: float
    panel_id: str | None
    members: Ints
    log_odds: dict[str, float]


@dataclass(frozen=True, eq=False, slots=True)
class _Family:
    """The runs of the lamps that can hang on an inferred circuit: `kept` are they and the solar ones."""

    member: Bools
    kept: Ints
    tree: Tree


def cause_of_zone(evidence: ZoneEvidence, rates: CityRates, parameters: CircuitParameters) -> Cause:
    """Return the cause of one zone.

    Notes
    -----
    If a circuit is dark, all wired lamps of a run, or of a panel of the inventory, went dark together some days ago;
    each is reported with the same probability, after an exponential delay. If not, each lamp is reported at the
    city's rate for single lamps, at an age drawn from the city's. Reports of single lamps go on within a dark run:
    whichever came first is seen. The odds are the sum, over all runs with more than one reported lamp, of the run's
    prior odds times its likelihood ratio, averaged over when it tripped, who reports, the delay, and how far the
    neighbourhood departs from the city's rate (its posterior given all lamps here). Prior odds of a run: the share of
    panels that are dark, times the panels that these lamps make, times the probability of its size, shared by the
    runs of that size.

    A run is the way between two lamps along the shortest tree through them, or where the tree branches also all lamps
    within some distance of one. One circuit a zone: two neighbouring panels that tripped are one long run, or the
    likelier of the two. Solar lamps are never members; runs pass them by.

    The parts of the log-odds are what each kind of evidence adds to those before it: `contiguity` who is reported
    and who is not, any size of a run being as likely; `size` the lamps per panel; `onset` the ages of the reports;
    `panel` which lamps the inventory puts on one panel.
    """
    order = np.argsort(evidence.lamp_id.astype(str), kind="stable")
    zone = evidence.ordered(order)
    otherwise = [_log_otherwise(zone, rates, parameters, timed) for timed in (False, True)]
    timed, untimed = (grid_of(zone, rates, parameters, timed) for timed in (True, False))
    every = _family(zone, zone.wired)
    by_reports, by_times = _runs(zone, every, untimed, rates), _runs(zone, every, timed, rates)
    odds = [
        _log_prior(every, rates),
        _log_sum(_log_mass(every, by_reports, rates, sized=False)) - otherwise[0],
        _log_sum(_log_mass(every, by_reports, rates)) - otherwise[0],
        _log_sum(_log_mass(every, by_times, rates)) - otherwise[1],
    ]
    nameless = np.array([panel is None for panel in zone.panel_id], dtype=bool)
    if not nameless.all():
        every = _family(zone, zone.wired & nameless)
        by_times = _runs(zone, every, timed, rates)
    log_mass = _log_mass(every, by_times, rates)
    listed = _listed(zone, timed, rates)
    odds.append(_log_sum([_log_sum(log_mass), *listed.values()]) - otherwise[1])
    parts = parameters.tempering * np.diff(odds, prepend=0.0)
    panel_id, members = _circuit(zone, every, log_mass, listed)
    log_odds = dict(zip(("prior", "contiguity", "size", "onset", "panel"), parts.tolist(), strict=True))
    return _decided(zone, panel_id, np.sort(order[members]), log_odds, parameters)


def _log_otherwise(zone: ZoneEvidence, rates: CityRates, parameters: CircuitParameters, timed: bool) -> float:
    """Return the log-likelihood without a circuit, over that of failures each on its own: some may come in a burst."""
    grid = grid_of(zone, rates, parameters, timed, burst=True)
    burst = logsumexp(np.log(grid.factor).sum(axis=0), b=grid.weight)
    share = parameters.burst_share
    return float(np.logaddexp(np.log1p(-share), np.log(share) + burst)) if share > 0 else 0.0


def _decided(
    zone: ZoneEvidence, panel_id: str | None, members: Ints, log_odds: dict[str, float], parameters: CircuitParameters
) -> Cause:
    probability = float(expit(sum(log_odds.values())))
    timed = np.isfinite(zone.first_report_days) & (zone.reported_in_zone > 0)
    enough = zone.reported_in_zone.sum() > 1.0 and (zone.lamps_known or bool(timed.any()))
    if enough and probability >= parameters.least_probability:
        return Cause("circuit", probability, probability, panel_id, members, log_odds)
    if enough and probability <= 1.0 - parameters.least_probability:
        return Cause("independent", 1.0 - probability, probability, None, _NONE, log_odds)
    return Cause("unknown", probability, probability, None, _NONE, log_odds)


def _family(zone: ZoneEvidence, member: Bools) -> _Family:
    kept = np.flatnonzero(member | ~zone.wired)
    return _Family(member[kept], kept, shortest_tree(csr_array(zone.distance_m[kept][:, kept])))


def _runs(zone: ZoneEvidence, family: _Family, grid: Grid, rates: CityRates) -> Runs:
    kept, most = family.kept, len(rates.size_probability)
    return runs_of(family.tree, grid.factor[kept], grid.weight, family.member, zone.reported_in_zone[kept], most)


def _log_prior(family: _Family, rates: CityRates) -> float:
    """Return the log of how many dark panels these lamps are expected to hang on."""
    return float(np.log(max(rates.panel_share * family.member.sum() / rates.mean_size, 1e-12)))


def _log_mass(family: _Family, runs: Runs, rates: CityRates, sized: bool = True) -> Array:
    """Return the log of each run's prior odds times its ratio; -inf for runs with no more than one reported lamp."""
    count = np.bincount(runs.size.ravel(), minlength=len(rates.size_probability) + 1)[1:].astype(float)
    share = np.where(count > 0, rates.size_probability, 0.0) if sized else count
    each = share / np.maximum(count, 1.0) / max(share.sum(), 1e-300)
    held = (runs.size > 0) & (runs.reported > 1.0)
    with np.errstate(divide="ignore"):
        log_each = np.log(np.concatenate([[0.0], each]))[runs.size]
    return np.where(held, _log_prior(family, rates) + log_each + runs.log_ratio, -np.inf)


def _log_sum(logs: Array | list[float]) -> float:
    return float(np.logaddexp(logsumexp(logs), _LEAST)) if np.size(logs) else _LEAST


def _listed(zone: ZoneEvidence, grid: Grid, rates: CityRates) -> dict[str, float]:
    """Return the log-odds of each panel of the inventory with more than one reported lamp."""
    found = {}
    for panel in sorted({panel for panel in zone.panel_id if panel is not None}):
        lamps = _on(zone, panel)
        if zone.reported_in_zone[lamps].sum() > 1.0:
            log_ratio = logsumexp(np.log(grid.factor[lamps]).sum(axis=0), b=grid.weight)
            found[panel] = float(np.log(rates.panel_share) + log_ratio)
    return found


def _on(zone: ZoneEvidence, panel: str) -> Ints:
    return np.flatnonzero(zone.wired & (zone.panel_id == panel))


def _circuit(zone: ZoneEvidence, family: _Family, log_mass: Array, listed: dict[str, float]) -> tuple[str | None, Ints]:
    """Return the id and the lamps of the likeliest circuit: a panel of the inventory, or the inferred ones together.

    Members of the inferred one are the lamps that more likely than not are on it, if one is dark.
    """
    total = logsumexp(log_mass) if log_mass.size else -np.inf
    best = max(listed, key=lambda panel: listed[panel], default=None)
    if best is not None and listed[best] >= total:
        return best, _on(zone, best)
    if not np.isfinite(total):
        return None, _NONE
    share = np.where(family.member, mass_of_lamps(family.tree, np.exp(log_mass - total)), 0.0)
    members = family.kept[share >= min(0.5, share.max())]
    return f"inferred:{zone.lamp_id[members[0]]}", members


def lamps_around(zone: Ints, distance_m: csr_array, panel_id: NDArray[Any], reach_m: float) -> Ints:
    """Return the positions of the lamps that `ZoneEvidence` wants for a zone, rising.

    Parameters
    ----------
    zone : (k,) int64 positions of the zone's lamps.
    distance_m : (n, n) symmetric sparse matrix of distances between neighbouring lamps of the city, metres.
    panel_id : (n,) object, None where unknown: all lamps of the panels of the zone's lamps are included.
    reach_m : lamps this far along the network, metres; ten spacings or more.
    """
    near = np.isfinite(dijkstra(distance_m, directed=False, indices=zone, limit=reach_m, min_only=True))
    panels = {panel for panel in panel_id[zone] if panel is not None}
    return np.flatnonzero(near | np.array([panel in panels for panel in panel_id], dtype=bool))
