"""Flood probability: planted truth, shuffled labels, leaks, signs that hold, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from spatial.errors import ContractError
from spatial.flood.calibration import (
    _MODELS,
    FEATURE_SIGNS,
    Calibration,
    CalibrationParameters,
    flood_probability,
)
from spatial.hexgrid.grid import cell_centres, cells_of_points, grid_disk, parents
from spatial.skill import auc

CELLS = grid_disk(cells_of_points([117.5], [-3.3], 9)[0], 20)
BLOCK = parents(CELLS, 7)
XY = cell_centres(CELLS)
XY = (XY - XY.mean(axis=0)) / XY.std(axis=0)
FEW = CalibrationParameters(n_resamples=300)


def waves(rng: np.random.Generator) -> np.ndarray:
    """A smooth field with a little noise on it, of spread about 1."""
    smooth = sum(np.cos(XY @ rng.normal(0.0, 2.0, 2) + rng.uniform(0.0, 6.28)) for _ in range(8)) / 2.0
    return np.asarray(smooth + rng.normal(0.0, 0.4, len(CELLS)))


def city(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return features, the true probability (logistic in ln HAND, depression and TWI; slope does nothing), labels."""
    rng = np.random.default_rng(seed)
    low, hollow, wet = waves(rng), waves(rng), waves(rng)
    features = {
        "hand_mean_m": np.exp(low + 1.0),
        "depression_depth_max_m": np.maximum(hollow, 0.0),
        "twi_mean": 8.0 + wet,
        "slope_mean_deg": np.exp(waves(rng)),
    }
    p = expit(-3.0 - 1.2 * low + 0.8 * np.maximum(hollow, 0.0) + 0.3 * wet)
    return features, p, (rng.random(len(p)) < p).astype(float)


def fitted(features: dict[str, np.ndarray], label: np.ndarray, **more: Any) -> Calibration:
    signs = FEATURE_SIGNS | more.pop("signs", {})
    baselines = {"slope": -features["slope_mean_deg"]}
    return flood_probability(features, signs, label, BLOCK, baselines, CalibrationParameters(n_resamples=300, **more))


@cache
def calibrated(seed: int) -> Calibration:
    features, _, label = city(seed)
    return fitted(features, label)


def test_planted_probabilities_are_found_and_come_true() -> None:
    bins, inside = 0, 0
    for seed in range(1, 5):
        _, p, label = city(seed)
        found = calibrated(seed)
        assert found.skill.calibrated, found.skill.reason
        # No score ranks better than the truth in the long run; the held-out fit comes near it.
        assert auc(p, label) - 0.06 < found.skill.auc.value < auc(p, label) + 0.02
        # A city of this size tells its prevalence within this much; the fit may not add to that.
        assert abs(found.probability.mean() - p.mean()) < 4 * np.sqrt(p.mean() * (1 - p.mean()) / len(p))
        assert np.sqrt(((found.probability - p) ** 2).mean()) < 0.6 * p.std()
        assert found.reliability is not None
        assert found.reliability.brier_skill.above_zero
        bins += len(found.reliability.bins)
        inside += sum(b.low <= b.predicted <= b.high for b in found.reliability.bins)
        assert found.importance["hand_mean_m"] == max(found.importance.values())
        assert abs(found.importance["slope_mean_deg"]) < 0.03
        assert found.leaks == ()
    assert inside >= binom.ppf(0.001, bins, 0.93)


def test_shuffled_labels_give_nothing() -> None:
    """Twelve shuffles: AUC 0.5 on average within its error, and the gate passes none of them."""
    features, _, label = city(1)
    found = [fitted(features, np.random.default_rng(seed).permutation(label), trees=20) for seed in range(12)]
    values = np.array([c.skill.auc.value for c in found])
    assert abs(values.mean() - 0.5) < 3 * values.std(ddof=1) / np.sqrt(len(values))
    assert values.std() < 0.05
    assert sum(c.skill.auc.low <= 0.5 <= c.skill.auc.high for c in found) >= 9
    assert not any(c.skill.calibrated for c in found)
    assert {c.skill.reason for c in found} <= {"no_better_than_chance", "no_better_than_baseline"}
    assert max(float(np.abs(c.probability - label.mean()).mean()) for c in found) < 0.05


def test_leaks_are_caught_and_named() -> None:
    features, _, label = city(1)
    noise = np.random.default_rng(4).normal(size=len(label))
    near = np.linalg.norm(XY[:, None] - XY[label == 1.0][None], axis=2).min(axis=1)
    copied = fitted(features | {"copied": label + 0.1 * noise}, label, signs={"copied": 1}, trees=20)
    assert (copied.skill.reason, copied.leaks) == ("suspected_leak", ("copied",))
    assert not copied.skill.calibrated
    near_truth = fitted(features | {"near": near}, label, signs={"near": -1}, trees=20)
    assert (near_truth.skill.reason, near_truth.leaks) == ("suspected_leak", ("near",))
    backwards = fitted(features | {"open": -label}, label, signs={"open": 0}, trees=20)
    assert (backwards.skill.reason, backwards.leaks) == ("suspected_leak", ("open",))


def test_a_feature_with_the_wrong_sign_cannot_help() -> None:
    features, _, label = city(1)
    told = fitted({n: features[n] for n in ("hand_mean_m", "slope_mean_deg")}, label, signs={"hand_mean_m": 1})
    assert told.skill.auc.value < 0.6 < calibrated(1).skill.auc.value


@pytest.mark.parametrize("model", sorted(_MODELS))
@settings(max_examples=10)
@given(st.integers(0, 2**31), st.floats(0.01, 5.0))
def test_more_of_a_feature_never_works_against_its_sign(model: str, seed: int, step: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 3))
    sign = rng.choice([-1, 1], 3)
    y = rng.random(200) < expit(x @ rng.normal(size=3) - 1.0)
    x[rng.random(x.shape) < 0.1] = np.nan
    with threadpool_limits(limits=1):
        predict = _MODELS[model](x, sign, y | (np.arange(200) == 0), CalibrationParameters(trees=10, min_cells_leaf=5))
        at = np.nan_to_num(x)
        for feature in range(3):
            moved = at.copy()
            moved[:, feature] += step
            assert (sign[feature] * (predict(moved) - predict(at)) >= -1e-9).all()


def test_unknown_features_and_cells_outside_the_polygon() -> None:
    features, _, label = city(2)
    features = {name: values.copy() for name, values in features.items()}
    features["twi_mean"][::7] = np.nan
    for values in features.values():
        values[:10] = np.nan
    features["elevation_mean_m"] = np.full(len(label), 3.0)
    label[XY[:, 0] > 1.0] = np.nan
    found = fitted(features, label, trees=20)
    assert np.isnan(found.probability[:10]).all()
    assert np.isfinite(found.probability[10:]).all()
    assert (np.isfinite(found.out_of_fold) == (np.isfinite(label) & (np.arange(len(label)) >= 10))).all()
    assert "elevation_mean_m" not in found.features
    assert found.skill.n_positive + found.skill.n_negative == np.isfinite(found.out_of_fold).sum()
    assert found.prevalence == pytest.approx(label[np.isfinite(found.out_of_fold)].mean())


def test_order_does_not_matter_and_the_manifest_can_hold_it() -> None:
    features, _, label = city(3)
    mixed = np.random.default_rng(0).permutation(len(label))
    again = flood_probability(
        {n: v[mixed] for n, v in features.items()},
        FEATURE_SIGNS,
        label[mixed],
        BLOCK[mixed],
        {"slope": -features["slope_mean_deg"][mixed]},
        FEW,
    )
    assert again.probability == pytest.approx(calibrated(3).probability[mixed], abs=1e-4)
    told = json.loads(json.dumps(calibrated(3).as_dict(), allow_nan=False))
    assert told["skill"]["baseline"] == "slope"
    assert told["labelled_cells"] == len(CELLS)
    assert set(told["importance_auc"]) == set(features)
    assert told["parameters"]["folds"] == 5


def test_too_few_labels_fit_nothing_and_say_why() -> None:
    features, _, label = city(2)
    few = np.where(np.cumsum(label) <= 19, label, 0.0)
    found = fitted(features, few)
    assert (found.model, found.skill.reason, found.reliability) == ("none", "too_few_labels", None)
    assert np.isnan(found.probability).all()
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["skill"]["auc"]["value"] is None
    together = (BLOCK[0] == BLOCK).astype(float)
    assert fitted(features, together).skill.reason == "too_few_blocks"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": {}}, "no features"),
        ({"features": {"rain": np.zeros(4)}}, "no sign for features ['rain']"),
        ({"features": {"twi_mean": np.array([0, 1, 2, np.inf])}}, "features ['twi_mean'] are infinite"),
        ({"features": {"twi_mean": np.ones(4)}}, "every feature is constant"),
        ({"features": {"twi_mean": np.ones(4), "hand_mean_m": np.ones(3)}}, "features have shapes [(3,), (4,)]"),
        ({"label": np.array([0, 1, 2, 0])}, "label holds something else than 0, 1 and NaN"),
        ({"label": np.full(4, np.nan)}, "no labelled cell has a known feature"),
        ({"block": np.array(["a", "b"])}, "block has shape (2,), expected (4,)"),
        ({"baselines": {"b": np.zeros(3)}}, "b has shape (3,), expected (4,)"),
        ({"parameters": CalibrationParameters(folds=2)}, "folds is 2, expected 3 at least"),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    given_: dict[str, Any] = {
        "features": {"twi_mean": np.arange(4.0)},
        "signs": FEATURE_SIGNS,
        "label": np.array([0.0, 1.0, 0.0, np.nan]),
        "block": np.array(["a", "a", "b", "b"]),
        "baselines": {},
    }
    with pytest.raises(ContractError) as refused:
        flood_probability(**(given_ | change))
    assert str(refused.value) == message


def test_denpasar_s_flood_is_judged_and_its_figure_said(shared_data: Callable[[str], Path]) -> None:
    """Places that flooded in 2025, elevation and slope of a real DEM: judged against elevation, whatever it says."""
    points = gpd.read_file(shared_data("denpasar/flood_points.geojson"))
    with rasterio.open(shared_data("denpasar/dem_denpasar.tif")) as source:
        middle = cells_of_points([115.22], [-8.66], 9)[0]
        cells = grid_disk(middle, 22)
        centres = cell_centres(cells)
        height = np.array([v[0] for v in source.sample(centres)], float)
        around = np.array([[v[0] for v in source.sample(centres + d)] for d in ((0.002, 0), (0, 0.002))], float)
    flooded = set(cells_of_points(points.geometry.x, points.geometry.y, 9))
    label = np.where(height > 0, np.array([float(c in flooded) for c in cells]), np.nan)
    features = {"elevation_mean_m": height, "slope_mean_deg": np.abs(around - height).mean(axis=0)}
    found = flood_probability(
        features, FEATURE_SIGNS, label, parents(cells, 7), {"elevation": -height}, CalibrationParameters()
    )
    assert found.skill.n_positive >= 30
    assert found.skill.auc.low < found.skill.auc.value < found.skill.auc.high < 0.95
    assert found.skill.reason in ("no_better_than_baseline", "no_better_than_chance", "better_than_baseline")
    assert found.skill.calibrated == found.skill.baselines[0].beaten
