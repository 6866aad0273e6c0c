"""Flood probability where places that flooded are known: a monotone model, cross-validated in spatial blocks.

Two models stand for choice, both told which way each feature must work: a ridge logistic regression with signed
coefficients, for few positives, and shallow gradient boosting with monotone constraints, for many. The whole
procedure (choice, recalibration, fit) is repeated inside every outer fold (nested cross-validation, Varma & Simon
2006), so that the published skill is that of the procedure on blocks that it has not seen. Random folds are never used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from spatial.errors import ContractError
from spatial.skill import (
    GateParameters,
    Reliability,
    Skill,
    auc,
    blocked_folds,
    plain,
    reliability,
    skill_gate,
    too_few,
    unscored,
)

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Predictor = Callable[[Array], Array]
"""Features (m, f) -> log-odds (m,)."""
Sign = Literal[-1, 0, 1]

FEATURE_SIGNS: Mapping[str, Sign] = {
    "hand_mean_m": -1,
    "hand_min_m": -1,
    "elevation_mean_m": -1,
    "elevation_min_m": -1,
    "slope_mean_deg": -1,
    "twi_mean": 1,
    "depression_depth_max_m": 1,
    "depression_frequency": 1,
    "gfi_mean": 1,
    "flood_susceptibility": 1,
    "flood_evidence": 1,
}
"""Which way the known features work: 1 where more of it means more flooding, -1 where less. 0 would leave it open."""
_EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class CalibrationParameters:
    """How labels become a flood probability.

    Attributes
    ----------
    folds : outer and inner folds of whole blocks, 3 at least; 5 to 10 are usual (Hastie, Tibshirani & Friedman 2009,
        §7.10).
    block_resolution_offset : blocks are the H3 parents so many levels up: at 9, parents at 7 of some 5 km² and 2.4 km
        across, longer than the range over which flooded places hang together in a town (Roberts et al. 2017 ask for
        blocks beyond the range of dependence).
    ridge : penalty on the squared coefficients of standardised features (scikit-learn's default, C = 1).
    trees, tree_depth, learning_rate, min_cells_leaf : the boosting, kept shallow so that features hardly interact
        (Hastie et al. 2009, §10.11–10.12).
    min_positives, min_blocks, leak_auc, interval, n_resamples, seed : as of `GateParameters`.
    """

    folds: int = 5
    block_resolution_offset: int = 2
    ridge: float = 1.0
    trees: int = 60
    tree_depth: int = 2
    learning_rate: float = 0.1
    min_cells_leaf: int = 20
    min_positives: int = 20
    min_blocks: int = 10
    leak_auc: float = 0.9
    interval: float = 0.95
    n_resamples: int = 2000
    seed: int = 1

    def gate(self) -> GateParameters:
        """Return the parameters of the skill gate."""
        return GateParameters(
            self.min_positives, self.min_blocks, self.leak_auc, self.interval, self.n_resamples, self.seed
        )


@dataclass(frozen=True, eq=False, slots=True)
class Calibration:
    """A flood probability and what it is worth.

    Attributes
    ----------
    probability : (n,) 0–1, per cell the probability of being labelled, at the prevalence of the labelled cells; NaN
        where no feature is known, and everywhere where there were too few labels to fit.
    out_of_fold : (n,) 0–1, of labelled cells, from a fit that had not seen their block; NaN elsewhere.
    skill : of the out-of-fold log-odds; `skill.calibrated` decides how the layer is marked.
    reliability : of `out_of_fold`, None where nothing was fitted.
    model : "logistic" or "boosting", "none" where nothing was fitted.
    prevalence : share of the labelled cells that are positive.
    importance : by how much the out-of-fold AUC falls when a feature is shuffled within its fold.
    leaks : features that are suspected to hold the label: those that alone reach the leak's AUC; where the fit does
        and none of them alone, the one of most importance.
    """

    probability: Array
    out_of_fold: Array
    skill: Skill
    reliability: Reliability | None
    model: str
    prevalence: float
    features: Mapping[str, Sign]
    importance: Mapping[str, float]
    leaks: tuple[str, ...]
    parameters: CalibrationParameters

    def as_dict(self) -> dict[str, Any]:
        """Return what the manifest holds: plain values, None for NaN."""
        told = {
            "model": self.model,
            "labelled_cells": self.skill.n_positive + self.skill.n_negative,
            "prevalence": self.prevalence,
            "features": dict(self.features),
            "importance_auc": dict(self.importance),
            "suspected_leaks": list(self.leaks),
            "skill": self.skill.as_dict(),
            "reliability": None if self.reliability is None else self.reliability.as_dict(),
            "parameters": asdict(self.parameters),
        }
        return dict(plain(told))


def flood_probability(
    features: Mapping[str, Array],
    signs: Mapping[str, Sign],
    label: ArrayLike,
    block: ArrayLike,
    baselines: Mapping[str, Array],
    parameters: CalibrationParameters | None = None,
) -> Calibration:
    """Fit a flood probability to labelled cells.

    Parameters
    ----------
    features : (n,) floats per name, any unit, NaN where unknown; a feature that is constant is left out.
    signs : per feature 1, -1 or 0 (see `FEATURE_SIGNS`).
    label : (n,) floats, 1 where the cell flooded, 0 for background, NaN outside the polygon in which floods were
        looked for. The probability is that of a label in that polygon, not of a flood in a year.
    block : (n,) the H3 parent of each cell.
    baselines : (n,) floats per name, higher meaning more likely flooded; NaN counts as lowest.

    Notes
    -----
    A labelled cell without any known feature is left out of the fit and of the skill. Fold by fold the log-odds are
    taken relative to the training cells' prevalence before they are ranked together: else a fold with more positives
    would be ranked lower for that alone, and pure noise would fall below an AUC of 0.5. It does not correct labels that
    were collected where people report.

    Raises
    ------
    ContractError
        Shapes that differ, infinite features, a label that is neither 0, 1 nor NaN, no labelled cell, a feature without
        a sign, fewer than 3 folds.
    """
    parameters = parameters or CalibrationParameters()
    names, x, sign = _design(features, signs)
    y, blocks = np.asarray(label, dtype=np.float64), np.asarray(block)
    _check(x, y, blocks, baselines, parameters)
    if not (np.isfinite(y) & np.isfinite(x).any(axis=1)).any():
        raise ContractError("no labelled cell has a known feature")
    return _calibrated(names, x, sign, y, blocks, baselines, parameters)


def _calibrated(
    names: list[str],
    x: Array,
    sign: NDArray[np.int64],
    y: Array,
    blocks: NDArray[Any],
    baselines: Mapping[str, Array],
    parameters: CalibrationParameters,
) -> Calibration:
    known = np.isfinite(x).any(axis=1)
    used = np.isfinite(y) & known
    told, of_block = y[used] == 1.0, blocks[used]
    empty = np.full(len(y), np.nan)
    reason = too_few(told, of_block, parameters.gate())
    kept = dict(zip(names, map(_as_sign, sign), strict=True))
    if reason is not None:
        refused = unscored(told, of_block, reason)
        return Calibration(empty, empty, refused, None, "none", float(told.mean()), kept, {}, (), parameters)
    fit = _Fit(x[used], sign, told, of_block, parameters)
    probability, out_of_fold = empty.copy(), empty.copy()
    with threadpool_limits(limits=1):  # so small a fit waits for its threads, and one gives the same bytes anywhere
        out_of_fold[used], ranking, importance = fit.cross_validated()
        model, predict = fit.whole()
        probability[known] = expit(predict(x[known]))
    rivals = {name: np.where(np.isnan(v), -np.inf, v)[used] for name, v in baselines.items()}
    skill = skill_gate(ranking, told, of_block, rivals, parameters.gate())
    drops = dict(zip(names, importance.tolist(), strict=True))
    return Calibration(
        probability,
        out_of_fold,
        skill,
        reliability(out_of_fold[used], told, of_block, parameters=parameters.gate()),
        model,
        float(told.mean()),
        kept,
        drops,
        _leaks(drops, x[used], sign, told, parameters.leak_auc) if skill.reason == "suspected_leak" else (),
        parameters,
    )


def _design(features: Mapping[str, Array], signs: Mapping[str, Sign]) -> tuple[list[str], Array, NDArray[np.int64]]:
    """Return the features that vary, in the order of their names, as (n, f), and their signs."""
    lost = sorted(set(features) - set(signs))
    if lost or not features:
        raise ContractError(f"no sign for features {lost}" if lost else "no features")
    shapes = {np.shape(v) for v in features.values()}
    if len(shapes) > 1:
        raise ContractError(f"features have shapes {sorted(shapes)}")
    columns = {name: np.asarray(features[name], dtype=np.float64) for name in sorted(features)}
    infinite = [name for name, v in columns.items() if np.isinf(v).any()]
    if infinite:
        raise ContractError(f"features {infinite} are infinite")
    names = [name for name, v in columns.items() if len(np.unique(v[~np.isnan(v)])) > 1]
    if not names:
        raise ContractError("every feature is constant")
    sign = np.array([signs[name] for name in names], dtype=np.int64)
    if not np.isin(sign, (-1, 0, 1)).all():
        raise ContractError(f"signs are {sign.tolist()}, expected -1, 0 or 1")
    return names, np.column_stack([columns[name] for name in names]), sign


def _as_sign(value: Any) -> Sign:
    return 1 if value > 0 else -1 if value < 0 else 0


def _check(
    x: Array, y: Array, block: NDArray[Any], baselines: Mapping[str, Array], parameters: CalibrationParameters
) -> None:
    shapes = {"label": y.shape, "block": block.shape} | {name: np.shape(v) for name, v in baselines.items()}
    for name, shape in shapes.items():
        if shape != (len(x),):
            raise ContractError(f"{name} has shape {shape}, expected {(len(x),)}")
    if not np.isin(y[~np.isnan(y)], (0.0, 1.0)).all():
        raise ContractError("label holds something else than 0, 1 and NaN")
    if parameters.folds < 3:
        raise ContractError(f"folds is {parameters.folds}, expected 3 at least")


@dataclass(frozen=True, eq=False, slots=True)
class _Fit:
    """The procedure on labelled cells: x (m, f), sign (f,), y (m,) and block (m,)."""

    x: Array
    sign: NDArray[np.int64]
    y: Bools
    block: NDArray[Any]
    parameters: CalibrationParameters

    def cross_validated(self) -> tuple[Array, Array, Array]:
        """Return per cell the held-out probability and ranking, and per feature the AUC lost by shuffling it."""
        fold = blocked_folds(self.block, self.y, self.parameters.folds)
        rng = np.random.default_rng(self.parameters.seed)
        odds, base = np.empty(len(self.y)), np.empty(len(self.y))
        shuffled = np.empty((len(self.sign), len(self.y)))
        for f in range(self.parameters.folds):
            held, rest = fold == f, fold != f
            inner = _Fit(self.x[rest], self.sign, self.y[rest], self.block[rest], self.parameters)
            _, predict = inner.whole()
            odds[held], base[held] = predict(self.x[held]), _base(self.y[rest])
            for feature in range(len(self.sign)):
                mixed = self.x[held].copy()
                rng.shuffle(mixed[:, feature])
                shuffled[feature, held] = predict(mixed)
        lost = auc(odds - base, self.y) - np.array([auc(row - base, self.y) for row in shuffled])
        return expit(odds), odds - base, lost

    def whole(self) -> tuple[str, Predictor]:
        """Return the model with the least held-out log loss, fitted to all cells and recalibrated, and its name.

        Recalibration is Platt's (1999): a line through the held-out log-odds, its slope not below 0.
        """
        parts = len(np.unique(self.block[self.y]))
        fold = blocked_folds(self.block, self.y, min(self.parameters.folds, parts))
        best: tuple[float, str, float, float] | None = None
        for name, fitted in _MODELS.items():
            odds = np.empty(len(self.y))
            for f in np.unique(fold):
                rest = fold != f
                odds[~rest] = fitted(self.x[rest], self.sign, self.y[rest], self.parameters)(self.x[~rest])
            loss, shift, slope = _platt(odds, self.y)
            if best is None or loss < best[0]:
                best = loss, name, shift, slope
        assert best is not None  # there is a model
        _, name, shift, slope = best
        predict = _MODELS[name](self.x, self.sign, self.y, self.parameters)
        return name, lambda x: shift + slope * predict(x)


def _base(y: Bools) -> float:
    """Return the log-odds of the labels' rate, finite."""
    return float(logit(np.clip(y.mean(), _EDGE, 1.0 - _EDGE)))


def _platt(odds: Array, y: Bools) -> tuple[float, float, float]:
    """Return the least log loss of shift + slope · odds, and that line; slope ≥ 0."""
    found = minimize(
        lambda line: _log_loss(line[0] + line[1] * odds, y, np.column_stack([np.ones(len(y)), odds])),
        np.array([0.0, 1.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None), (0.0, None)],
    )
    return float(found.fun), float(found.x[0]), float(found.x[1])


def _log_loss(odds: Array, y: Bools, x: Array) -> tuple[float, Array]:
    """Return the mean log loss of log-odds, and its gradient by the coefficients of x."""
    return float(np.mean(np.logaddexp(0.0, odds) - y * odds)), x.T @ (expit(odds) - y) / len(y)


def _logistic(x: Array, sign: NDArray[np.int64], y: Bools, parameters: CalibrationParameters) -> Predictor:
    """Fit the signed ridge regression; unknown features count as the training median.

    Features are cut at the training cells' 1st and 99th percentile, so that a hill does not set the scale of HAND.
    """
    seen = [column[np.isfinite(column)] for column in x.T]
    low, middle, high = (np.array([np.quantile(c, q) if len(c) else 0.0 for c in seen]) for q in (0.01, 0.5, 0.99))

    def cut(raw: Array) -> Array:
        return np.clip(np.where(np.isnan(raw), middle, raw), low, high)

    spread = np.maximum(cut(x).std(axis=0), _EDGE)
    scaled = np.column_stack([np.ones(len(x)), (cut(x) - middle) / spread])
    weight = np.append(0.0, np.full(len(sign), parameters.ridge)) / len(y)

    def loss(beta: Array) -> tuple[float, Array]:
        value, slope = _log_loss(scaled @ beta, y, scaled)
        return value + float(weight @ beta**2) / 2.0, slope + weight * beta

    bounds = [(None, None), *((0.0 if s > 0 else None, 0.0 if s < 0 else None) for s in sign)]
    start = np.append(_base(y), np.zeros(len(sign)))
    beta = np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x)
    return lambda raw: np.asarray(beta[0] + ((cut(raw) - middle) / spread) @ beta[1:])


def _boosting(x: Array, sign: NDArray[np.int64], y: Bools, parameters: CalibrationParameters) -> Predictor:
    """Fit the boosting; where all training cells are alike it says their rate."""
    if y.all():
        return lambda raw: np.full(len(raw), _base(y))
    model = HistGradientBoostingClassifier(
        max_iter=parameters.trees,
        max_depth=parameters.tree_depth,
        learning_rate=parameters.learning_rate,
        min_samples_leaf=parameters.min_cells_leaf,
        monotonic_cst=sign.tolist(),
        early_stopping=False,
        random_state=parameters.seed,
    ).fit(x, y)
    return lambda raw: logit(np.clip(model.predict_proba(raw)[:, 1], _EDGE, 1.0 - _EDGE))


_MODELS: Mapping[str, Callable[[Array, NDArray[np.int64], Bools, CalibrationParameters], Predictor]] = {
    "logistic": _logistic,
    "boosting": _boosting,
}


def _leaks(
    importance: Mapping[str, float], x: Array, sign: NDArray[np.int64], y: Bools, limit: float
) -> tuple[str, ...]:
    """Return the features whose AUC alone is above `limit`; where there are none, the most important one."""
    alone = {}
    for name, column, s in zip(importance, x.T, sign, strict=True):
        known = auc(np.where(np.isnan(column), -np.inf, column * (s or 1)), y)
        alone[name] = known if s else max(known, 1.0 - known)
    found = tuple(name for name, value in alone.items() if value > limit)
    return found or (max(importance, key=lambda name: importance[name]),)
