"""Flood susceptibility from terrain, and the flood score that joins it with the evidence of reports.

The index is a stated physical one, not a fitted model: a weighted mean of three memberships per pixel, averaged over
the cell, so that its parts add up exactly. It is neither risk nor probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial.flood.terrain import Terrain

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SusceptibilityParameters:
    """The index and the score.

    Attributes
    ----------
    hand_dry_m : HAND from which its membership is 0; it falls from 1 at 0 m (Nobre et al. 2011: flooded land lies
        within some 5 m of its drainage, 15 m is out of reach).
    depression_full_m : depression depth from which its membership is 1.
    twi_low, twi_high : TWI at which its membership is 0 and 1.
    weight_hand, weight_depression, weight_twi : weights of the index; rescaled to sum to 1.
    weight_evidence : weight of the reports' evidence in the score; the index has the rest.
    """

    hand_dry_m: float = 10.0
    depression_full_m: float = 1.0
    twi_low: float = 6.0
    twi_high: float = 12.0
    weight_hand: float = 0.6
    weight_depression: float = 0.3
    weight_twi: float = 0.1
    weight_evidence: float = 0.3

    def weights(self) -> Mapping[str, float]:
        """Return the weights of the index by part, summing to 1."""
        raw = {"hand": self.weight_hand, "depression": self.weight_depression, "twi": self.weight_twi}
        return {name: value / sum(raw.values()) for name, value in raw.items()}


def memberships(terrain: Terrain, parameters: SusceptibilityParameters) -> dict[str, Array]:
    """Return the weighted memberships of each pixel, by part; (rows, columns) each, NaN outside and in the sea.

    HAND is unknown where the flow leaves the elevation before it meets drainage; its part is then 0, which the layer's
    notes say with the share of pixels it concerns.
    """
    land = np.isfinite(terrain.elevation) & ~terrain.sea
    raw = {
        "hand": 1.0 - np.nan_to_num(terrain.hand, nan=np.inf) / parameters.hand_dry_m,
        "depression": terrain.depression_depth / parameters.depression_full_m,
        "twi": (terrain.twi - parameters.twi_low) / (parameters.twi_high - parameters.twi_low),
    }
    weights = parameters.weights()
    return {
        name: np.where(land, weights[name] * np.clip(value, 0.0, 1.0).astype(np.float64), np.nan)
        for name, value in raw.items()
    }


def score_parts(
    susceptibility: Mapping[str, Array] | None, evidence: Array | None, parameters: SusceptibilityParameters
) -> dict[str, Array]:
    """Return the additive parts of the flood score per cell; (n,) each, in 0–1, summing to the score.

    Parameters
    ----------
    susceptibility : the index's parts per cell (their sum is the susceptibility), None without elevation.
    evidence : evidence per cell, 0–1, None without reports.

    Notes
    -----
    Where one of the two is missing for the city the other has the whole weight. Where a cell has no terrain (all sea or
    nodata) its terrain parts are NaN, and so is its score.
    """
    share = {(True, True): parameters.weight_evidence, (True, False): 0.0, (False, True): 1.0}.get(
        (susceptibility is not None, evidence is not None), float("nan")
    )
    parts = {name: (1.0 - share) * value for name, value in (susceptibility or {}).items()}
    if evidence is not None:
        parts["evidence"] = share * evidence
    return parts
