"""What is asked of an evaluation, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd

from spatial.contracts import FLOOD_ZONES, HEXAGONS, LIGHTING_ZONES, Layer
from spatial.flood.calibration import FEATURE_SIGNS
from spatial.hexgrid.labels import AREA_SHARE
from spatial.skill import GateParameters, Reliability, Skill, plain

HULL = "hull"
SCORED: Mapping[str, tuple[Layer, str]] = {
    "hexagons": (HEXAGONS, "flood_score"),
    "flood_zones": (FLOOD_ZONES, "score"),
    "lighting_zones": (LIGHTING_ZONES, "score"),
}
"""The layers that can be scored, and their score by default."""
PROBABILITIES = ("flood_probability",)
NOT_A_PROBABILITY: Mapping[str, str] = {
    "id": "bukan peluang, jadi tanpa kurva keandalan",
    "en": "no probability, so no reliability curve",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be scored against what.

    Attributes
    ----------
    truth : a vector file of points or polygons; `truth_layer` names one of several layers.
    layer, score : a key of `SCORED` and a number column of it; of zones, a cell has that of the zone that covers it.
    version : id of a version; the served one by default.
    background : a file of polygons, or `hull+km`: the convex hull of the truth, so many kilometres wider.
    min_share : share of a cell that truth polygons must cover.
    gate : of the intervals and of the skill gate.
    """

    truth: Path
    truth_layer: str | None = None
    layer: str = "hexagons"
    score: str | None = None
    version: str | None = None
    background: str = f"{HULL}+1"
    min_share: float = AREA_SHARE
    gate: GateParameters = field(default_factory=GateParameters)

    @property
    def column(self) -> str:
        """The column that is scored."""
        return self.score or (SCORED[self.layer][1] if self.layer in SCORED else "score")

    @property
    def sign(self) -> int:
        """1 where more of the column means more likely positive, -1 where less does: a HAND, an elevation."""
        return FEATURE_SIGNS.get(self.column, 1) if self.layer == HEXAGONS.name else 1

    @property
    def probable(self) -> bool:
        """Whether the score is a probability, so that its reliability can be drawn."""
        return self.layer == HEXAGONS.name and self.column in PROBABILITIES


@dataclass(frozen=True, eq=False, slots=True)
class Evaluated:
    """What came out.

    Attributes
    ----------
    cells : background and positive cells in the UTM zone: `cell, score, positive, block`, and a column per baseline in
        which more means more likely positive. NaN where the layer knows nothing; it ranks lowest.
    truth : its shapes in the UTM zone; polygon : where the background comes from.
    told : plain values for `evaluation.json`.
    """

    question: Question
    cells: gpd.GeoDataFrame
    truth: gpd.GeoSeries
    polygon: gpd.GeoSeries
    skill: Skill
    reliability: Reliability | None
    told: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return what `evaluation.json` holds."""
        result = {
            **self.told,
            "skill": self.skill.as_dict(),
            "reliability": None if self.reliability is None else self.reliability.as_dict(),
        }
        return dict(plain(result))
