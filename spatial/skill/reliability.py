"""Whether probabilities come true: a reliability curve with intervals, the Brier score and its skill."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from spatial.errors import ContractError
from spatial.skill.blocks import (
    Array,
    Bools,
    Codes,
    GateParameters,
    Interval,
    block_codes,
    bootstrap,
    checked_scores,
    draws,
    plain,
)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Cells of like probability: the mean predicted, the observed rate with its interval, how many."""

    predicted: float
    observed: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability curve, and what it sums up to.

    `brier`: mean squared error of the probabilities (Brier 1950); `brier_skill`: 1 - brier / that of the prevalence;
    `calibration_error`: mean |predicted - observed| over the bins, by cells (Naeini, Cooper & Hauskrecht 2015).
    """

    bins: tuple[ReliabilityBin, ...]
    brier: float
    brier_skill: Interval
    calibration_error: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dict(plain(asdict(self)))


def reliability(
    probability: ArrayLike,
    label: ArrayLike,
    block: ArrayLike,
    bins: int = 10,
    parameters: GateParameters | None = None,
) -> Reliability:
    """Return how far probabilities come true.

    Parameters
    ----------
    probability : (n,) floats, 0–1.
    label, block : as of `blocked_interval`.
    bins : bins of equally many cells at most; equal probabilities stay together.

    Notes
    -----
    A bin's interval is the wider of Wilson's (1927), which alone says something of a bin with no positive, and the
    blocked percentile interval, which alone knows that cells of a block are alike.

    Raises
    ------
    ContractError
        As `auc`; a probability outside 0–1.
    """
    p, y = checked_scores(probability, label)
    if p.min() < 0.0 or p.max() > 1.0:
        raise ContractError(f"probability is {p.min():g}…{p.max():g}, expected 0…1")
    parameters = parameters or GateParameters()
    codes = block_codes(block, len(p))
    edges = np.unique(np.quantile(p, np.linspace(0.0, 1.0, bins + 1)[1:-1], method="higher"))
    of_cell = np.unique(np.searchsorted(edges, p, "right"), return_inverse=True)[1].ravel()
    weight, _ = draws(y, codes, int(codes.max()) + 1, parameters)
    found = tuple(_bin(p, y, codes, of_cell == b, weight, parameters.interval) for b in range(of_cell.max() + 1))
    error = sum(b.n * abs(b.predicted - b.observed) for b in found) / len(p)
    skill = bootstrap(lambda w: resampled_brier(p, y, codes, w), y, codes, parameters)
    return Reliability(found, float(((p - y) ** 2).mean()), skill, float(error))


def _bin(p: Array, y: Bools, codes: Codes, inside: Bools, weight: Array, level: float) -> ReliabilityBin:
    n, hits = int(inside.sum()), int(y[inside].sum())
    cells = weight @ np.bincount(codes[inside], minlength=weight.shape[1])
    drawn = (weight @ np.bincount(codes[inside], weights=y[inside], minlength=weight.shape[1]))[cells > 0]
    low, high = wilson(hits, n, level)
    if len(drawn) and weight.shape[1] > 1:
        tail = (1.0 - level) / 2.0
        blocked = np.quantile(drawn / cells[cells > 0], [tail, 1.0 - tail])
        low, high = min(low, float(blocked[0])), max(high, float(blocked[1]))
    return ReliabilityBin(float(p[inside].mean()), hits / n, low, high, n)


def wilson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (Wilson 1927); n > 0."""
    z = float(norm.ppf((1.0 + level) / 2.0))
    middle = (hits + z * z / 2.0) / (n + z * z)
    half = z * math.sqrt(hits * (n - hits) / n + z * z / 4.0) / (n + z * z)
    return max(0.0, middle - half), min(1.0, middle + half)


def resampled_brier(score: Array, label: Bools, block: Codes, weight: Array) -> Array:
    """Return the Brier skill of each resample, against its own prevalence; a `Statistic`. `score` in 0–1."""
    size = weight.shape[1]
    n, hits = np.bincount(block, minlength=size), np.bincount(block, weights=label, minlength=size)
    loss = np.bincount(block, weights=(score - label) ** 2, minlength=size)
    rate = (weight @ hits) / (weight @ n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1.0 - (weight @ loss) / (weight @ n) / (rate * (1.0 - rate)))
