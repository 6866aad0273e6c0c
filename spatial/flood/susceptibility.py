"""Flood susceptibility from terrain, and the flood score that joins it with the evidence of reports.

The index is a stated physical one, not a fitted model: a weighted mean of three memberships per pixel, averaged over
the cell, so that its parts add up exactly. It is neither risk nor probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from spatial.flood.terrain import Terrain

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SusceptibilityParameters:
    """The index and the score.

    Attributes
    ----------
    water_ratio : the stream's water as many times higher than the ground above the stream gives the membership 1, as
        many times lower 0; it is linear in the logarithm between (the GFI, Samela et al. 2017).
    twi_low, twi_high : TWI at which its membership is 0 and 1: a hillside's, and a channel's on flat ground.
    channel_reach_m : the highest TWI within this distance counts, since the channels of a DEM of 30 m lie some pixels
        beside the real ones and their water leaves the banks.
    depression_full_m : depression depth, beyond the elevation's own error, from which its membership is 1.
    weight_stream, weight_wetness, weight_depression : weights of the index; rescaled to sum to 1. Stated, not fitted.
    weight_evidence : weight of the reports' evidence in the score; the index has the rest.
    """

    water_ratio: float = 10.0
    twi_low: float = 10.0
    twi_high: float = 20.0
    channel_reach_m: float = 200.0
    depression_full_m: float = 1.0
    weight_stream: float = 0.4
    weight_wetness: float = 0.3
    weight_depression: float = 0.3
    weight_evidence: float = 0.3

    def weights(self) -> Mapping[str, float]:
        """Return the weights of the index by part, summing to 1."""
        raw = {"stream": self.weight_stream, "wetness": self.weight_wetness, "depression": self.weight_depression}
        return {name: value / sum(raw.values()) for name, value in raw.items()}


def memberships(
    terrain: Terrain, gfi: Array, pixel_size_m: float, error_m: float, parameters: SusceptibilityParameters
) -> dict[str, Array]:
    """Return the weighted memberships of each pixel, by part; (rows, columns) each, NaN outside and in the sea.

    Parameters
    ----------
    gfi : (rows, columns) geomorphic flood index of the pixels, as `flow_path_gfi` returns it.
    error_m : standard deviation of the elevation's error, metres: so much of a depression's depth does not count.
    """
    land = np.isfinite(terrain.elevation) & ~terrain.sea
    gathered = highest_within(np.where(land, terrain.twi, -np.inf), parameters.channel_reach_m / pixel_size_m)
    span = np.log(parameters.water_ratio)
    raw = {
        "stream": (gfi + span) / (2.0 * span),
        "wetness": (gathered - parameters.twi_low) / (parameters.twi_high - parameters.twi_low),
        "depression": (terrain.depression_depth - error_m) / parameters.depression_full_m,
    }
    weights = parameters.weights()
    return {
        name: np.where(land, weights[name] * np.clip(value, 0.0, 1.0).astype(np.float64), np.nan)
        for name, value in raw.items()
    }


def disk(radius: float) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie within `radius` pixels of the middle one, as a square bool array."""
    across = np.arange(-int(radius), int(radius) + 1)
    return np.asarray(np.hypot.outer(across, across) <= radius, dtype=bool)


def highest_within(values: NDArray[np.floating[Any]], radius: float) -> NDArray[np.floating[Any]]:
    """Return the highest value within `radius` pixels of each; (rows, columns) floats without NaN.

    Row by row of the disk: time grows with the radius, not with its square, which matters below 10 m.
    """
    reach = disk(radius)
    highest = values.copy()
    for away, across in enumerate(reach[len(reach) // 2 :].sum(axis=1)):
        along = maximum_filter1d(values, int(across), axis=1, mode="nearest")
        rows = len(values) - away
        if rows > 0:
            np.maximum(highest[away:], along[:rows], out=highest[away:])
            np.maximum(highest[:rows], along[away:], out=highest[:rows])
    return highest


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
