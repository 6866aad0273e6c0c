"""How good a score is: AUC with intervals from spatial blocks, paired baselines, reliability, and the skill gate.

Cells near each other are alike, so cells drawn one by one pretend to more evidence than there is. Everything here draws
whole blocks (H3 parents), with replacement, and reports percentile intervals (Davison & Hinkley 1997, §3.8; blocks
in space: Lahiri 2003, ch. 12). With few blocks such an interval is too narrow (Cameron, Gelbach & Miller 2008):
the gate asks for a number of them. Arrays in, values out; nothing is read or drawn.
"""

from spatial.skill.blocks import (
    GateParameters,
    Interval,
    Statistic,
    auc,
    blocked_folds,
    blocked_interval,
    paired_difference,
    plain,
    resampled_auc,
    roc,
)
from spatial.skill.gate import REASONS, Baseline, Reason, Skill, skill_gate, too_few, unscored
from spatial.skill.reliability import Reliability, ReliabilityBin, reliability, resampled_brier, wilson

__all__ = [
    "REASONS",
    "Baseline",
    "GateParameters",
    "Interval",
    "Reason",
    "Reliability",
    "ReliabilityBin",
    "Skill",
    "Statistic",
    "auc",
    "blocked_folds",
    "blocked_interval",
    "paired_difference",
    "plain",
    "reliability",
    "resampled_auc",
    "resampled_brier",
    "roc",
    "skill_gate",
    "too_few",
    "unscored",
    "wilson",
]
