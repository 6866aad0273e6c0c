"""What is usual in a city: how often single lamps are reported dark, who reports, how many lamps a panel feeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial.errors import ContractError

Array = NDArray[np.float64]
_AGE_EDGES = np.concatenate([[0.0], np.geomspace(0.25, 3650.0, 40)])  # days; each bin 1.28 times as wide as the last


@dataclass(frozen=True, slots=True)
class RateParameters:
    """What is assumed of a city before its data speak, and how much data it takes to change that.

    Attributes
    ----------
    single_share : share of lamps with an open report that no circuit explains: broken lamps and false reports. Ours:
        3 % of lamps broken, half of them reported, and a tenth of the reports false.
    single_lamps : weight of `single_share`, in lamps. Ours.
    single_days : mean age of such a report, days. Ours.
    single_reports : weight of that age, in reports. Ours.
    reporting_share : share of dark lamps that somebody reports sooner or later. Ours.
    min_incidents : fewer open incidents than this: `reporting_share` is not estimated. Ours.
    delay_days : mean wait from the trip to a lamp's first report, days. Ours: a week.
    panel_share : share of panels that are dark at any time: the prior odds of each. Ours: one or two trips a year that
        last a week or two are 2–6 % (in Chicago a dark block took five days once it was known).
    panel_sizes : components (weight, median lamps, standard deviation of the logarithm) of the lamps on a panel.
        Tarakan: one meter feeds 10–12 lamps; Kediri: median 67 a panel (both in design.md §4); the spread is ours.
    panels : weight of `panel_sizes`, in panels of the inventory. Ours.
    largest_panel : no panel feeds more lamps. Ours.
    """

    single_share: float = 0.0167
    single_lamps: float = 300.0
    single_days: float = 45.0
    single_reports: float = 10.0
    reporting_share: float = 0.5
    min_incidents: int = 30
    delay_days: float = 7.0
    panel_share: float = 0.04
    panel_sizes: tuple[tuple[float, float, float], ...] = ((0.5, 11.0, 0.3), (0.5, 67.0, 0.8))
    panels: float = 5.0
    largest_panel: int = 200


@dataclass(frozen=True, eq=False, slots=True)
class CityRates:
    """What is usual in one city; made by `city_rates`.

    Attributes
    ----------
    single_share, reporting_share, delay_days, panel_share : as in `RateParameters`, for this city.
    size_probability : (largest,) float64, sums to 1: share of panels that feed 1, 2, … lamps.
    age_edges_days : (m + 1,) float64, rising from 0. age_density : (m,) float64, a day: density of the ages of open
        reports of single lamps, constant in each bin; older ages count in the last bin.
    """

    single_share: float
    reporting_share: float
    delay_days: float
    panel_share: float
    size_probability: Array
    age_edges_days: Array
    age_density: Array

    @property
    def mean_size(self) -> float:
        """Return the mean number of lamps on a panel."""
        return float(self.size_probability @ np.arange(1, len(self.size_probability) + 1))


def city_rates(
    reported: Array,
    first_report_days: Array,
    single: Array,
    n_reports: NDArray[np.int64],
    panel_id: NDArray[Any],
    parameters: RateParameters,
) -> CityRates:
    """Return the rates of a city, from all its lamps.

    Parameters
    ----------
    reported : (n,) float64, 0–1: whether the lamp has an open report, or the probability of it.
    first_report_days : (n,) float64, days from the lamp's first open report to `as_of`; NaN where there is none.
    single : (n,) float64, 0–1: probability that no circuit explains the lamp's report. At first 0 for the lamps of
        zones and 1 for all others; then 1 - the circuit's probability.
    n_reports : (k,) int64, at least 1: reports of each open incident, duplicates included.
    panel_id : (n,) object, None where the inventory does not say.

    Raises
    ------
    ContractError : an array is not as said.

    Notes
    -----
    `delay_days` and `panel_share` stay as assumed: when a panel tripped is not in the data, and few panels are dark.
    """
    _check(reported, first_report_days, single, n_reports, panel_id)
    known = single * reported
    share = (known.sum() + parameters.single_lamps * parameters.single_share) / (single.sum() + parameters.single_lamps)
    timed = np.isfinite(first_report_days) & (known > 0)
    return CityRates(
        single_share=float(share),
        reporting_share=reporting_share(n_reports, parameters),
        delay_days=parameters.delay_days,
        panel_share=parameters.panel_share,
        size_probability=panel_sizes(panel_id, parameters),
        age_edges_days=_AGE_EDGES,
        age_density=_age_density(first_report_days[timed], known[timed], parameters),
    )


def reporting_share(n_reports: NDArray[np.int64], parameters: RateParameters) -> float:
    """Return the share of dark lamps that are reported, from how many open incidents have one and two reports.

    Unseen incidents are at least f1² / (2 f2) (Chao 1987, in its form f1 (f1 - 1) / (2 (f2 + 1)) that also holds for
    f2 = 0); so the share is an upper bound where some lamps are far from those who report.
    """
    if len(n_reports) < parameters.min_incidents:
        return parameters.reporting_share
    once, twice = int((n_reports == 1).sum()), int((n_reports == 2).sum())
    unseen = once * (once - 1) / (2.0 * (twice + 1))
    return float(np.clip(len(n_reports) / (len(n_reports) + unseen), 0.05, 0.95))


def panel_sizes(panel_id: NDArray[Any], parameters: RateParameters) -> Array:
    """Return the share of panels that feed 1, 2, … lamps: those of the inventory, blurred, and the assumed ones."""
    of_panels = np.unique(panel_id[[panel is not None for panel in panel_id]].astype(str), return_counts=True)[1]
    lamps = np.arange(1, parameters.largest_panel + 1)
    found = _log_normal(lamps, np.minimum(of_panels, parameters.largest_panel)[:, None], 0.15)
    assumed = [weight * _log_normal(lamps, median, spread) for weight, median, spread in parameters.panel_sizes]
    total = found.sum(axis=0) + parameters.panels * np.sum(assumed, axis=0)
    return np.asarray(total / total.sum(), dtype=float)


def _log_normal(lamps: NDArray[np.int64], median: Any, spread: float) -> Array:
    density = np.exp(-0.5 * (np.log(lamps / median) / spread) ** 2) / lamps
    return np.asarray(density / density.sum(axis=-1, keepdims=True), dtype=float)


def _age_density(days: Array, weight: Array, parameters: RateParameters) -> Array:
    """Return the density of ages: a histogram, smoothed over three bins, and an exponential as prior."""
    counts = np.histogram(np.clip(days, 0.0, _AGE_EDGES[-1]), _AGE_EDGES, weights=weight)[0]
    smooth = np.convolve(counts, [0.25, 0.5, 0.25])[1:-1]
    prior = -np.diff(np.exp(-_AGE_EDGES / parameters.single_days))
    mass = smooth + parameters.single_reports * np.maximum(prior, 1e-6)
    return np.asarray(mass / mass.sum() / np.diff(_AGE_EDGES), dtype=float)


def _check(
    reported: Array, first_report_days: Array, single: Array, n_reports: NDArray[np.int64], panel_id: NDArray[Any]
) -> None:
    shape = (len(reported),)
    for name, values in {"reported": reported, "single": single}.items():
        if values.dtype != np.float64 or values.shape != shape or not ((values >= 0) & (values <= 1)).all():
            raise ContractError(f"{name} must be float64 of {shape}, 0–1")
    if first_report_days.dtype != np.float64 or first_report_days.shape != shape or (first_report_days < 0).any():
        raise ContractError(f"first_report_days must be float64 of {shape}, at least 0 or NaN")
    if panel_id.dtype != object or panel_id.shape != shape:
        raise ContractError(f"panel_id must be object of {shape}")
    if n_reports.dtype != np.int64 or n_reports.ndim != 1 or (n_reports < 1).any():
        raise ContractError("n_reports must be int64 of one dimension, at least 1")
