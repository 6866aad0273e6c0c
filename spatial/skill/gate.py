"""The skill gate: what must hold before a score may be called calibrated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from spatial.skill.blocks import (
    Bools,
    Codes,
    GateParameters,
    Interval,
    block_codes,
    blocked_interval,
    checked_labels,
    finite_scores,
    paired_difference,
    plain,
)

Reason = Literal[
    "better_than_baseline",
    "no_better_than_baseline",
    "no_better_than_chance",
    "suspected_leak",
    "too_few_labels",
    "too_few_blocks",
    "no_baseline",
]
REASONS: Mapping[Reason, tuple[str, str]] = {
    "better_than_baseline": ("lebih baik dari pembanding terbaik", "better than the best baseline"),
    "no_better_than_baseline": (
        "belum dikalibrasi: tidak terbukti lebih baik dari pembanding terbaik",
        "not calibrated: not shown to be better than the best baseline",
    ),
    "no_better_than_chance": (
        "belum dikalibrasi: tidak terbukti lebih baik dari tebakan acak",
        "not calibrated: not shown to be better than chance",
    ),
    "suspected_leak": (
        "belum dikalibrasi: AUC terlalu tinggi, diduga kebocoran sampai terbukti tidak",
        "not calibrated: AUC too high, suspected leak until shown otherwise",
    ),
    "too_few_labels": (
        "belum dikalibrasi: sel positif atau negatif terlalu sedikit",
        "not calibrated: too few positive or negative cells",
    ),
    "too_few_blocks": (
        "belum dikalibrasi: sel positif atau negatif berkumpul dalam terlalu sedikit blok",
        "not calibrated: the positive or the negative cells lie in too few blocks",
    ),
    "no_baseline": ("belum dikalibrasi: tidak ada pembanding", "not calibrated: there is no baseline to compare with"),
}


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline on the same cells: its AUC, and the score's AUC less its own."""

    name: str
    auc: Interval
    difference: Interval

    @property
    def beaten(self) -> bool:
        """Whether the score is better: the interval of the paired difference lies above 0."""
        return self.difference.above_zero


@dataclass(frozen=True, slots=True)
class Skill:
    """What the skill gate says of a score.

    `baseline` is the one with the highest AUC (ties to the first by name), None where there is none. `auc` is NaN where
    only one class is there.
    """

    auc: Interval
    n_positive: int
    n_negative: int
    n_positive_blocks: int
    baselines: tuple[Baseline, ...]
    baseline: Baseline | None
    calibrated: bool
    reason: Reason

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None, the reason comes with its texts."""
        indonesian, english = REASONS[self.reason]
        told = asdict(self) | {
            "baseline": None if self.baseline is None else self.baseline.name,
            "baselines": [asdict(b) | {"better": b.beaten} for b in self.baselines],
            "reason_id": indonesian,
            "reason_en": english,
        }
        return dict(plain(told))


def skill_gate(
    score: ArrayLike,
    label: ArrayLike,
    block: ArrayLike,
    baselines: Mapping[str, ArrayLike],
    parameters: GateParameters | None = None,
) -> Skill:
    """Judge a score against baselines on the same cells.

    Parameters
    ----------
    score, label, block : as of `blocked_interval`.
    baselines : (n,) each, higher meaning more likely positive (so the negative of an elevation).

    Returns
    -------
    Skill, calibrated where there are positives and blocks enough, the AUC is no suspected leak and its interval lies
    above 0.5, and the paired difference to the best baseline lies above 0. The best is chosen on these very cells,
    which favours it: the gate errs on the side of "not calibrated". It says nothing of
    probabilities: see `reliability`.

    Raises
    ------
    ContractError
        As `auc`, but one class only is a reason and no error.
    """
    parameters = parameters or GateParameters()
    s, y = finite_scores(score), checked_labels(label)
    codes = block_codes(block, len(y))
    if not y.any() or y.all():
        return unscored(y, codes, "too_few_labels")
    own = blocked_interval(s, y, codes, parameters=parameters)
    rivals = tuple(
        Baseline(
            name,
            blocked_interval(values, y, codes, parameters=parameters),
            paired_difference(s, values, y, codes, parameters),
        )
        for name, values in sorted(baselines.items())
    )
    best = max(rivals, key=lambda b: b.auc.value, default=None)
    reason = too_few(y, codes, parameters) or _reason(own, best, parameters)
    return Skill(own, *_counts(y, codes), rivals, best, reason == "better_than_baseline", reason)


def too_few(label: ArrayLike, block: ArrayLike, parameters: GateParameters) -> Reason | None:
    """Return why there are too few labels to judge any score by, None where there are enough."""
    y = checked_labels(label)
    codes = block_codes(block, len(y))
    if min(y.sum(), (~y).sum()) < parameters.min_positives:
        return "too_few_labels"
    blocks = min(len(np.unique(codes[y])), len(np.unique(codes[~y])))
    return "too_few_blocks" if blocks < parameters.min_blocks else None


def unscored(label: ArrayLike, block: ArrayLike, reason: Reason) -> Skill:
    """Return the skill of a score that could not be had, for a reason; its AUC is NaN."""
    y = checked_labels(label)
    codes = block_codes(block, len(y))
    nothing = Interval(math.nan, math.nan, math.nan, int(codes.max()) + 1, 0)
    return Skill(nothing, *_counts(y, codes), (), None, False, reason)


def _counts(y: Bools, codes: Codes) -> tuple[int, int, int]:
    return int(y.sum()), int((~y).sum()), len(np.unique(codes[y]))


def _reason(own: Interval, best: Baseline | None, parameters: GateParameters) -> Reason:
    if own.value > parameters.leak_auc:
        return "suspected_leak"
    if not own.low > 0.5:
        return "no_better_than_chance"
    if best is None:
        return "no_baseline"
    return "better_than_baseline" if best.beaten else "no_better_than_baseline"
