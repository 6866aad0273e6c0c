"""Evidence of flooding from citizens' reports: how far a cell's flood incidents exceed what its reporting explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import sparray

from spatial.hexgrid.statistics import local_relative_risk, relative_risk

Array = NDArray[np.float64]
Correction = Literal["background", "exposure", "none"]
Prior = Literal["neighbours", "city"]
NOT_BACKGROUND = ("flood", "drainage")


@dataclass(frozen=True, slots=True)
class EvidenceParameters:
    """How reports become evidence.

    Attributes
    ----------
    correction : what reporting is corrected by: `background` (reports of other categories, Phillips 2009), `exposure`
        (metres of road) or `none`.
    min_background_reports : fewer reports of other categories than this in the city: no correction, and said so.
    prior : what a cell is shrunk towards where it has few reports: its `neighbours` (Marshall 1991, local form), since
        floods do not stop at a cell's edge, or the whole `city`.
    window_days, half_life_days : incidents older than the window before `as_of` do not count; the others count
        2^(-age / half-life). An incident without a time counts in full.
    min_incidents : with fewer distinct flood incidents in the city the evidence is published but has no weight in the
        score, where there is elevation to lead it.
    interval : mass of the published interval.

    Notes
    -----
    Depth has no weight: who tells one depends on the app more than on the water (in Jakarta all of one source, none of
    the other), weights that are not counts spoil the interval, and on the sample city weights of depth / 0.3 m between
    0.5 and 2 gain nothing (seeds 1-5: AUC -0.001 +- 0.005). Depth is published beside the evidence.
    """

    correction: Correction = "background"
    min_background_reports: int = 100
    prior: Prior = "neighbours"
    window_days: float = 1095.0
    half_life_days: float = 730.0
    min_incidents: int = 30
    interval: float = 0.9


@dataclass(frozen=True, eq=False, slots=True)
class Evidence:
    """Evidence per cell, 0–1, its interval, and the exposure it was corrected by (`basis` in EXPOSURE_BASES)."""

    value: Array
    low: Array
    high: Array
    exposure: Array
    basis: str


def recency_weights(times: pd.Series, as_of: pd.Timestamp | None, parameters: EvidenceParameters) -> Array:
    """Return the weight of each incident, 0–1; (n,). `times` are UTC, NaT where unknown."""
    if as_of is None:
        return np.ones(len(times))
    age = ((as_of - times).dt.total_seconds() / 86400.0).to_numpy(dtype=float)
    weight = np.where(age > parameters.window_days, 0.0, 2.0 ** (-np.maximum(age, 0.0) / parameters.half_life_days))
    return np.where(np.isnan(age), 1.0, weight)


def flood_evidence(
    incidents: Array,
    background: Array,
    road_length_m: Array | None,
    neighbours: sparray,
    parameters: EvidenceParameters,
) -> Evidence:
    """Return the evidence of each cell.

    Parameters
    ----------
    incidents : (n,) distinct flood incidents per cell, weighted by recency.
    background : (n,) reports of categories other than flood and drainage.
    road_length_m : (n,) metres of road, or None where the city has no roads.
    neighbours : (n, n) sparse 0/1 matrix of the grid disk of one step; the background is averaged over it, and
        one report is added, so that a cell where nobody reports keeps some expectation; the disk without the cell
        itself is its prior.

    Returns
    -------
    Evidence: the attributable fraction max(0, 1 - 1 / RR) of each cell's relative risk RR: the share of its expected
    reports that is in excess of the city's rate. 0 at or below the city's rate, towards 1 far above it.

    Notes
    -----
    RR is the gamma-Poisson posterior mean (see `local_relative_risk`, `relative_risk`). Corrected by background or by
    exposure, never by both. Counts that are weighted by recency vary less than the model thinks: the interval is then
    wider than it says.
    """
    exposure, basis = _exposure(background, road_length_m, neighbours, parameters)
    if parameters.prior == "neighbours":
        risk = local_relative_risk(incidents, exposure, neighbours, parameters.interval)
    else:
        risk = relative_risk(incidents, exposure, parameters.interval)
    if not np.isfinite(risk.shape):
        zero = np.zeros(len(incidents))
        return Evidence(zero, zero, np.ones(len(incidents)), exposure, basis)
    return Evidence(_excess(risk.mean), _excess(risk.low), _excess(risk.high), exposure, basis)


def _excess(ratio: Array) -> Array:
    return 1.0 - 1.0 / np.maximum(ratio, 1.0)


def _exposure(
    background: Array, road_length_m: Array | None, neighbours: sparray, parameters: EvidenceParameters
) -> tuple[Array, str]:
    if parameters.correction == "background" and background.sum() >= parameters.min_background_reports:
        size = np.asarray(neighbours.sum(axis=1)).ravel()
        local = (neighbours @ background) / size
        return local + 1.0, "background_reports"
    if parameters.correction == "exposure" and road_length_m is not None:
        return road_length_m, "road_length_m"
    return np.ones(len(background)), "none"
