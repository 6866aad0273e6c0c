"""The pictures of an evaluation: ROC, reliability where the score is a probability, a map."""

from __future__ import annotations

from spatial.charts import Curve, evaluation_map, reliability_chart, roc_chart
from spatial.evaluate.cells import ranked
from spatial.evaluate.model import Evaluated
from spatial.skill import Interval, roc

BASELINE_LABELS = {
    "elevation_mean_m": "elevasi / elevation",
    "hand_mean_m": "HAND",
    "stream_distance_m": "jarak ke alur / distance to streams",
    "waterway_distance_m": "jarak ke sungai / distance to waterways",
    "reports_flood": "laporan banjir / flood reports",
    "reports_street_light": "laporan PJU / street-light reports",
    "lamps_total": "lampu / lamps",
    "road_length_m": "jalan / roads",
}


RELIABILITY = "reliability.png"


def pictures(evaluated: Evaluated) -> dict[str, bytes]:
    """Return the PNGs by file name: `roc.png`, `map.png`, and `reliability.png` for a probability."""
    question, skill, told = evaluated.question, evaluated.skill, evaluated.told
    title = f"{told['city']}{' [SINTETIS / SYNTHETIC]' if told['synthetic'] else ''}\n"
    title += f"{question.layer}.{question.column} – {told['truth']['file']}"
    drawn = {
        "roc.png": roc_chart(
            _roc(evaluated, "score", _label(question.column, skill.auc)),
            [_roc(evaluated, b.name, _label(BASELINE_LABELS[b.name], b.auc)) for b in skill.baselines],
            title,
        ),
        "map.png": evaluation_map(
            evaluated.cells.assign(score=told["score_sign"] * evaluated.cells["score"]),
            question.column,
            evaluated.polygon,
            evaluated.truth,
            title,
        ),
    }
    if evaluated.reliability is not None:
        bins = evaluated.reliability.bins
        drawn[RELIABILITY] = reliability_chart(
            [b.predicted for b in bins],
            [b.observed for b in bins],
            [(b.low, b.high) for b in bins],
            [b.n for b in bins],
            title,
        )
    return drawn


def _roc(evaluated: Evaluated, column: str, label: str) -> Curve:
    return Curve(*roc(ranked(evaluated.cells[column]), evaluated.cells["positive"]), label)


def _label(name: str, found: Interval) -> str:
    return f"{name}: {found.value:.3f} ({found.low:.3f}–{found.high:.3f})"
