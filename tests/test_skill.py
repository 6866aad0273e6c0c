"""Skill: AUC by hand, intervals against theory, folds, reliability, and what the gate lets through."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from spatial.errors import ContractError
from spatial.hexgrid.grid import cell_centres, cells_of_area, cells_of_points, parents
from spatial.skill import (
    REASONS,
    GateParameters,
    auc,
    blocked_folds,
    blocked_interval,
    paired_difference,
    reliability,
    resampled_auc,
    roc,
    skill_gate,
    wilson,
)

FEW = GateParameters(n_resamples=300)


def town(seed: int, blocks: int = 40, size: int = 25, shared: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return score, label and block of cells of which a block shares its luck: a score with skill and its noise."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(blocks), size)
    luck = rng.normal(0.0, shared, blocks)[block]
    score = rng.normal(0.0, 1.0, blocks)[block] + rng.normal(0.0, 0.5, len(block))
    label = rng.random(len(block)) < 1.0 / (1.0 + np.exp(1.5 - score - luck))
    return score, label, block


# --- AUC


def test_auc_with_ties_by_hand() -> None:
    """Positives 3, 2, 2 and negatives 2, 1, 4: pairs won 2, 1, 1; ties 0, 1, 1 halves; of 9."""
    assert auc([3, 2, 2, 2, 1, 4], [1, 1, 1, 0, 0, 0]) == pytest.approx((2 + 1.5 + 1.5) / 9)
    assert auc([1, 1, 1], [0, 1, 0]) == 0.5
    assert auc([-np.inf, 0.0], [0, 1]) == 1.0


cases = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: len({y for _, y in rows}) == 2
)


@settings(max_examples=200)
@given(cases)
def test_auc_is_mann_whitney_s_and_knows_only_order(rows: list[tuple[int, bool]]) -> None:
    score, label = np.array([s for s, _ in rows], float), np.array([y for _, y in rows])
    value = auc(score, label)
    won = score[label][:, None] - score[~label][None, :]
    assert value == pytest.approx(((won > 0) + (won == 0) / 2).mean())
    assert value == pytest.approx(roc_auc_score(label, score))
    assert value == pytest.approx(auc(np.exp(score), label))
    assert value + auc(-score, label) == pytest.approx(1.0)
    assert value + auc(score, ~label) == pytest.approx(1.0)
    false, true = roc(score, label)
    assert np.trapezoid(true, false) == pytest.approx(value)
    assert (false[0], true[0], false[-1], true[-1]) == (0.0, 0.0, 1.0, 1.0)


@settings(max_examples=50)
@given(cases, st.integers(0, 2**31))
def test_a_resample_is_the_auc_of_its_copied_cells(rows: list[tuple[int, bool]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    score, label = np.array([s for s, _ in rows], float), np.array([y for _, y in rows])
    block = rng.integers(0, 4, len(rows))
    weight = rng.integers(0, 3, (5, 4)).astype(float)
    for drawn, value in zip(weight, resampled_auc(score, label, block, weight), strict=True):
        cells = np.repeat(np.arange(len(rows)), drawn[block].astype(int))
        both = len(np.unique(label[cells])) == 2
        assert value == pytest.approx(roc_auc_score(label[cells], score[cells])) if both else np.isnan(value)


@pytest.mark.parametrize(
    ("score", "label", "message"),
    [
        ([1.0, np.nan], [0, 1], "score of shape (2,) holds 1 NaN: expected (n,) and none"),
        ([1.0, 2.0], [0, 2], "label of shape (2,): expected (n,) of 0 and 1, n > 0"),
        ([1.0, 2.0], [1, 1], "2 of 2 labels are positive: both classes are needed"),
        ([1.0], [0, 1], "score has shape (1,), label (2,)"),
        ([], [], "label of shape (0,): expected (n,) of 0 and 1, n > 0"),
    ],
)
def test_what_cannot_be_scored_is_refused(score: list[float], label: list[int], message: str) -> None:
    with pytest.raises(ContractError) as refused:
        auc(score, label)
    assert str(refused.value) == message


# --- intervals


def delong_error(score: np.ndarray, label: np.ndarray) -> float:
    """DeLong, DeLong & Clarke-Pearson (1988): the standard error of an AUC of independent cells."""
    won = score[label][:, None] - score[~label][None, :]
    kernel = (won > 0) + (won == 0) / 2
    of_positive, of_negative = kernel.mean(axis=1), kernel.mean(axis=0)
    return float(np.sqrt(of_positive.var(ddof=1) / len(of_positive) + of_negative.var(ddof=1) / len(of_negative)))


def test_of_independent_cells_the_interval_is_delong_s() -> None:
    score, label, _ = town(3, blocks=600, size=1)
    found = blocked_interval(score, label, np.arange(len(score)))
    half = norm.ppf(0.975) * delong_error(score, label)
    assert found.value == pytest.approx(roc_auc_score(label, score))
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    assert (found.n_blocks, found.redrawn) == (600, 0)


def test_blocked_intervals_cover_where_naive_ones_do_not() -> None:
    """150 towns of one law. The AUC of the law is that of a hundred times as many blocks."""
    truth = auc(*town(0, blocks=20_000)[:2])
    towns = 150
    blocked, naive = 0, 0
    for seed in range(1, towns + 1):
        score, label, block = town(seed)
        found = blocked_interval(score, label, block, parameters=FEW)
        blocked += found.low <= truth <= found.high
        alone = blocked_interval(score, label, np.arange(len(score)), parameters=FEW)
        naive += alone.low <= truth <= alone.high
    # Percentile intervals of 40 clusters are known to fall a few points short of 95 %: 90 % is asked for.
    assert blocked >= binom.ppf(0.001, towns, 0.90)
    assert naive < binom.ppf(0.001, towns, 0.95)


def test_order_names_and_seed() -> None:
    score, label, block = town(5)
    names = np.array([f"b{b:03d}" for b in block], dtype=object)
    mixed = np.random.default_rng(0).permutation(len(score))
    first = blocked_interval(score, label, block, parameters=FEW)
    assert blocked_interval(score[mixed], label[mixed], names[mixed], parameters=FEW) == first
    assert blocked_interval(score, label, block, parameters=GateParameters(n_resamples=300, seed=2)) != first


def test_resamples_of_one_class_are_drawn_again_and_counted() -> None:
    """Positives in one block of five: a resample misses it with probability (4/5)^5."""
    label = np.repeat([True, False, False, False, False], 4)
    found = blocked_interval(np.arange(20.0)[::-1], label, np.repeat(np.arange(5), 4))
    missed = 0.8**5
    expected = 2000 * missed / (1 - missed) + 2000 * 0.2**5 / (1 - missed)  # or draws nothing but it
    assert found.redrawn == pytest.approx(expected, rel=0.15)
    assert (found.low, found.value, found.high) == (1.0, 1.0, 1.0)
    alone = blocked_interval([0.0, 1.0], [0, 1], ["a", "a"])
    assert alone.value == 1.0
    assert np.isnan([alone.low, alone.high]).all()


def test_a_paired_difference_sees_what_two_intervals_cannot() -> None:
    """The same score with a little noise on it: the intervals overlap, the difference of the pair excludes 0."""
    score, label, block = town(8)
    worse = score + np.random.default_rng(1).normal(0.0, 1.0, len(score))
    both = [blocked_interval(s, label, block) for s in (score, worse)]
    difference = paired_difference(score, worse, label, block)
    assert both[0].low < both[1].high
    assert difference.value == pytest.approx(both[0].value - both[1].value)
    assert difference.above_zero
    back = paired_difference(worse, score, label, block)
    assert (back.low, back.high) == pytest.approx((-difference.high, -difference.low))
    same = paired_difference(score, np.exp(score), label, block)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    assert not same.above_zero


# --- folds


@settings(max_examples=100)
@given(st.integers(0, 2**31), st.integers(2, 6))
def test_folds_keep_blocks_whole_and_share_out_the_positives(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    block = rng.integers(0, 30, 300)
    label = rng.random(300) < 0.3
    fold = blocked_folds(block, label, k)
    assert set(fold) == set(range(k))
    assert all(len(set(fold[block == b])) == 1 for b in set(block))
    held = np.bincount(fold[label], minlength=k)
    assert held.max() - held.min() <= np.bincount(block[label]).max()
    mixed = rng.permutation(300)
    assert (blocked_folds(block[mixed], label[mixed], k) == fold[mixed]).all()


def test_folds_that_would_lack_positives_are_refused() -> None:
    with pytest.raises(ContractError, match="3 folds of 2 blocks with positives"):
        blocked_folds([1, 1, 2, 2, 3, 3], [1, 0, 1, 0, 0, 0], 3)


# --- reliability


def test_reliability_by_hand() -> None:
    """Four cells of 0.25 of which one floods, four of 0.75 of which two flood."""
    p, y = np.repeat([0.25, 0.75], 4), np.array([1, 0, 0, 0, 1, 1, 0, 0])
    found = reliability(p, y, np.arange(8), bins=2)
    assert [(b.predicted, b.observed, b.n) for b in found.bins] == [(0.25, 0.25, 4), (0.75, 0.5, 4)]
    brier = (0.75**2 + 3 * 0.25**2 + 2 * 0.25**2 + 2 * 0.75**2) / 8
    assert found.brier == pytest.approx(brier)
    assert found.brier_skill.value == pytest.approx(1 - brier / (3 / 8 * 5 / 8))
    assert found.calibration_error == pytest.approx(0.125)
    assert all(b.low <= b.observed <= b.high for b in found.bins)
    json.dumps(found.as_dict(), allow_nan=False)
    with pytest.raises(ContractError, match="expected 0…1"):
        reliability([0.25, 1.5], [0, 1], [0, 1])


def test_wilson_s_published_interval() -> None:
    """Newcombe (1998), table I: 81 of 263, and 0 of 20."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_true_probabilities_are_reliable_and_bent_ones_are_not() -> None:
    bins, inside, bent = 0, 0, 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        block = np.repeat(np.arange(60), 30)
        p = 1.0 / (1.0 + np.exp(2.0 - rng.normal(0.0, 1.0, 60)[block] - rng.normal(0.0, 1.0, 1800)))
        y = rng.random(1800) < p
        for said, counted in ((p, True), (np.sqrt(p), False)):
            found = reliability(said, y, block, parameters=FEW)
            hits = sum(b.low <= b.predicted <= b.high for b in found.bins)
            bins, inside, bent = bins + counted * len(found.bins), inside + counted * hits, bent + (not counted) * hits
    assert bins == 100
    assert inside >= binom.ppf(0.001, bins, 0.93)
    assert bent < bins / 2


# --- the gate


def test_the_gate_names_its_reason() -> None:
    score, label, block = town(2)
    noise = np.random.default_rng(3).normal(size=len(score))
    good = skill_gate(score, label, block, {"noise": noise, "constant": np.zeros(len(score))}, FEW)
    assert (good.calibrated, good.reason) == (True, "better_than_baseline")
    assert {b.name: b.beaten for b in good.baselines} == {"noise": True, "constant": True}
    assert (good.n_positive, good.n_negative) == (label.sum(), (~label).sum())
    assert skill_gate(score, label, block, {}, FEW).reason == "no_baseline"
    assert skill_gate(score, label, block, {"itself": score, "noise": noise}, FEW).reason == "no_better_than_baseline"
    assert skill_gate(noise, label, block, {"constant": np.zeros(len(score))}, FEW).reason == "no_better_than_chance"
    assert skill_gate(label + 0.1 * noise, label, block, {"noise": noise}, FEW).reason == "suspected_leak"
    few = np.zeros(len(label), bool)
    few[:20] = True
    assert skill_gate(score, few, block, {"noise": noise}, FEW).reason == "too_few_blocks"
    assert skill_gate(score, few & (np.arange(len(few)) < 19), block, {"noise": noise}, FEW).reason == "too_few_labels"
    none = skill_gate(score, np.zeros(len(label)), block, {"noise": noise}, FEW)
    assert (none.reason, none.as_dict()["auc"]["value"]) == ("too_few_labels", None)
    assert all("belum dikalibrasi" in REASONS[r][0] for r in REASONS if r != "better_than_baseline")


def test_the_gate_compares_with_the_best_baseline_and_can_be_written() -> None:
    score, label, block = town(2)
    found = skill_gate(score, label, block, {"near": score + 0.01, "far": -score}, FEW)
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert told["baseline"] == "near"
    assert told["reason_en"].startswith("not calibrated")
    assert told["calibrated"] is False
    assert [b["name"] for b in told["baselines"]] == ["far", "near"]
    assert told["baselines"][0]["better"] is True


def test_pure_noise_rarely_passes() -> None:
    """100 scores without skill against baselines without skill: "calibrated" at most as often as its interval errs."""
    passed = 0
    for seed in range(100):
        _, label, block = town(seed)
        rng = np.random.default_rng([seed, 1])
        mine, other = (rng.normal(size=40)[block] + rng.normal(size=len(block)) for _ in range(2))
        passed += skill_gate(mine, label, block, {"other": other}, FEW).calibrated
    assert passed <= binom.ppf(0.999, 100, 0.05)


def test_denpasar_points_lie_low_but_their_blocks_say_less_than_their_cells(
    shared_data: Callable[[str], Path],
) -> None:
    """Real points: cells of the hull that hold one, scored by southing; the blocked interval is the wider one."""
    points = gpd.read_file(shared_data("denpasar/flood_points.geojson"))
    cells = cells_of_area(points.union_all().convex_hull, 9)
    flooded = set(cells_of_points(points.geometry.x, points.geometry.y, 9))
    label = np.array([cell in flooded for cell in cells])
    assert 30 <= label.sum() <= len(points)
    south = -cell_centres(cells)[:, 1]
    wide = blocked_interval(south, label, parents(cells, 7))
    narrow = blocked_interval(south, label, cells)
    assert wide.value == pytest.approx(roc_auc_score(label, south))
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
