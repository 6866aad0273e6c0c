"""AUC, its interval from resampled blocks, paired differences, and folds that keep blocks whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from spatial.errors import ContractError

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]
Statistic = Callable[[Array, Bools, Codes, Array], Array]
"""score (n,), label (n,), block (n,) in 0…B-1, weight (r, B): times that each block was drawn -> value (r,)."""
_CHUNK = 4_000_000


@dataclass(frozen=True, slots=True)
class GateParameters:
    """When a score counts as calibrated, and how its intervals are drawn.

    Attributes
    ----------
    min_positives : fewer positive, or fewer negative, cells than this: not calibrated. Some 20 are for a first look at
        a score's discrimination (Riley et al. 2020 ask for more for calibration).
    min_blocks : the positives, and the negatives, must lie in at least so many blocks; percentile intervals from fewer
        clusters are too narrow (Cameron, Gelbach & Miller 2008).
    leak_auc : a blocked AUC above this is a suspected leak (design of record, §4).
    interval : mass of the intervals.
    n_resamples : bootstrap samples; 2,000 settle a 95 % percentile bound (Davison & Hinkley 1997, §5.2.3).
    seed : of the bootstrap.
    """

    min_positives: int = 20
    min_blocks: int = 10
    leak_auc: float = 0.9
    interval: float = 0.95
    n_resamples: int = 2000
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its blocked percentile interval; the bounds are NaN where there are fewer than two blocks.

    `redrawn`: resamples that held one class only and were drawn again.
    """

    value: float
    low: float
    high: float
    n_blocks: int
    redrawn: int

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0.0


def plain(value: Any) -> Any:
    """Return a value of dicts, lists and numbers with None for every NaN, as JSON wants it."""
    if isinstance(value, Mapping):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def auc(score: ArrayLike, label: ArrayLike) -> float:
    """Return the area under the ROC curve: P(positive scores above negative) + ½ P(tie) (Hanley & McNeil 1982).

    Parameters
    ----------
    score : (n,) floats, higher means more likely positive; NaN is refused, ±inf is a score like any other.
    label : (n,) bools, or 0 and 1; both must be there.

    Raises
    ------
    ContractError
        Shapes that differ, a NaN, a label that is neither 0 nor 1, one class only.
    """
    s, y = checked_scores(score, label)
    return float(resampled_auc(s, y, np.zeros(len(s), dtype=np.int64), np.ones((1, 1)))[0])


def roc(score: ArrayLike, label: ArrayLike) -> tuple[Array, Array]:
    """Return the false and the true positive rates of every threshold, from (0, 0) to (1, 1); `auc` is its area.

    Raises
    ------
    ContractError
        As `auc`.
    """
    s, y = checked_scores(score, label)
    order = np.argsort(-s, kind="stable")
    last = np.append(np.flatnonzero(s[order][1:] != s[order][:-1]), len(s) - 1)  # of each run of ties
    true, false = np.cumsum(y[order])[last], np.cumsum(~y[order])[last]
    return np.append(0.0, false / (~y).sum()), np.append(0.0, true / y.sum())


def resampled_auc(score: Array, label: Bools, block: Codes, weight: Array) -> Array:
    """Return the AUC of each resample of blocks; a `Statistic`. NaN where a resample has one class only.

    Negatives are counted between and at the distinct scores of the positives, per block; a resample is then a product
    with its weights, so the cost depends on the number of positives rather than of cells.
    """
    steps, tied = np.unique(score[label], return_inverse=True)
    rival = score[~label]
    between = np.searchsorted(steps, rival, "left") + np.searchsorted(steps, rival, "right")
    shape = (2 * len(steps) + 1, weight.shape[1])
    positive = csr_array((np.ones(len(tied)), (2 * tied.ravel() + 1, block[label])), shape=shape)
    negative = csr_array((np.ones(len(rival)), (between, block[~label])), shape=shape)
    found = np.empty(len(weight))
    size = max(1, _CHUNK // shape[0])
    for start in range(0, len(weight), size):
        drawn = weight[start : start + size].T
        p, q = positive @ drawn, negative @ drawn
        below = np.cumsum(q, axis=0) - q / 2.0
        with np.errstate(invalid="ignore"):
            found[start : start + size] = (p * below).sum(axis=0) / (p.sum(axis=0) * q.sum(axis=0))
    return found


def blocked_interval(
    score: ArrayLike,
    label: ArrayLike,
    block: ArrayLike,
    statistic: Statistic = resampled_auc,
    parameters: GateParameters | None = None,
) -> Interval:
    """Return a statistic and its percentile interval over resampled blocks.

    Parameters
    ----------
    score, label : as of `auc`.
    block : (n,) strings or ints, the block of each cell (its H3 parent).
    statistic : AUC by default.
    parameters : `interval`, `n_resamples` and `seed` are used.

    Notes
    -----
    The order of the cells does not matter. A resample without positives or without negatives is drawn again; that
    narrows the interval where positives lie in very few blocks, which is why the gate asks for more of them.

    Raises
    ------
    ContractError
        As `auc`.
    """
    s, y = checked_scores(score, label)
    codes = block_codes(block, len(s))
    return bootstrap(lambda weight: statistic(s, y, codes, weight), y, codes, parameters or GateParameters())


def paired_difference(
    score_a: ArrayLike,
    score_b: ArrayLike,
    label: ArrayLike,
    block: ArrayLike,
    parameters: GateParameters | None = None,
) -> Interval:
    """Return AUC(a) - AUC(b) on the same cells and the same resamples; a is better only where `above_zero`.

    Raises
    ------
    ContractError
        As `auc`.
    """
    a, y = checked_scores(score_a, label)
    b, _ = checked_scores(score_b, label)
    codes = block_codes(block, len(a))
    return bootstrap(
        lambda weight: resampled_auc(a, y, codes, weight) - resampled_auc(b, y, codes, weight),
        y,
        codes,
        parameters or GateParameters(),
    )


def bootstrap(statistic: Callable[[Array], Array], label: Bools, codes: Codes, parameters: GateParameters) -> Interval:
    """Return a statistic of block weights (r, B) -> (r,), and its percentile interval; checked arguments."""
    n_blocks = int(codes.max()) + 1
    value = float(statistic(np.ones((1, n_blocks)))[0])
    if n_blocks < 2:
        return Interval(value, math.nan, math.nan, n_blocks, 0)
    weight, redrawn = draws(label, codes, n_blocks, parameters)
    tail = (1.0 - parameters.interval) / 2.0
    low, high = np.quantile(statistic(weight), [tail, 1.0 - tail])
    return Interval(value, float(low), float(high), n_blocks, redrawn)


def draws(label: Bools, codes: Codes, n_blocks: int, parameters: GateParameters) -> tuple[Array, int]:
    """Return how often each resample drew each block, (n_resamples, n_blocks), and how many were drawn again."""
    rng = np.random.default_rng(parameters.seed)
    chance = np.full(n_blocks, 1.0 / n_blocks)
    positive = np.bincount(codes[label], minlength=n_blocks)
    negative = np.bincount(codes[~label], minlength=n_blocks)
    weight = rng.multinomial(n_blocks, chance, size=parameters.n_resamples).astype(float)
    redrawn = 0
    while len(bad := np.flatnonzero((weight @ positive == 0) | (weight @ negative == 0))):
        weight[bad] = rng.multinomial(n_blocks, chance, size=len(bad))
        redrawn += len(bad)
    return weight, redrawn


def blocked_folds(block: ArrayLike, label: ArrayLike, k: int) -> Codes:
    """Return the fold of each cell, 0…k-1, such that a block lies in one fold whole; (n,) int64.

    Blocks are dealt out by falling number of positives, then of cells, then by name, each to the fold that holds the
    fewest positives so far, then the fewest cells: deterministic, whatever the order of the cells.

    Raises
    ------
    ContractError
        k below 2; fewer than k blocks hold a positive, so that a fold would have none.
    """
    y = checked_labels(label)
    codes = block_codes(block, len(y))
    size, positive = np.bincount(codes), np.bincount(codes, weights=y).astype(np.int64)
    if k < 2 or int((positive > 0).sum()) < k:
        raise ContractError(f"{k} folds of {int((positive > 0).sum())} blocks with positives: at least 2, at most that")
    fold_of_block = np.empty(len(size), dtype=np.int64)
    totals = [(0, 0, fold) for fold in range(k)]
    for b in np.lexsort((np.arange(len(size)), -size, -positive)):
        held, cells, fold = min(totals)
        fold_of_block[b] = fold
        totals[fold] = (held + int(positive[b]), cells + int(size[b]), fold)
    return fold_of_block[codes]


def checked_scores(score: ArrayLike, label: ArrayLike) -> tuple[Array, Bools]:
    """Return scores and labels of one shape, both classes there. Raises ContractError."""
    s, y = finite_scores(score), checked_labels(label)
    if s.shape != y.shape:
        raise ContractError(f"score has shape {s.shape}, label {y.shape}")
    if not y.any() or y.all():
        raise ContractError(f"{int(y.sum())} of {len(y)} labels are positive: both classes are needed")
    return s, y


def finite_scores(score: ArrayLike) -> Array:
    """Return (n,) floats without NaN. Raises ContractError."""
    s = np.asarray(score, dtype=np.float64)
    if s.ndim != 1 or np.isnan(s).any():
        raise ContractError(f"score of shape {s.shape} holds {int(np.isnan(s).sum())} NaN: expected (n,) and none")
    return s


def checked_labels(label: ArrayLike) -> Bools:
    """Return (n,) bools, n > 0. Raises ContractError."""
    raw = np.asarray(label)
    if raw.ndim != 1 or not len(raw) or not np.isin(raw, (0, 1)).all():
        raise ContractError(f"label of shape {raw.shape}: expected (n,) of 0 and 1, n > 0")
    return raw.astype(bool)


def block_codes(block: ArrayLike, n: int) -> Codes:
    """Return blocks as 0…B-1 in the order of their names, so that the order of the cells does not matter."""
    raw = np.asarray(block)
    if raw.shape != (n,):
        raise ContractError(f"block has shape {raw.shape}, expected {(n,)}")
    return np.asarray(np.unique(raw.astype(str) if raw.dtype == object else raw, return_inverse=True)[1], np.int64)
