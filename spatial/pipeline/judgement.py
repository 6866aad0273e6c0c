"""What the city's own past floods say of its scores: a fitted probability, and the skill of what is published."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from spatial.config import Settings
from spatial.flood.calibration import FEATURE_SIGNS, flood_probability
from spatial.hexgrid.grid import parents
from spatial.hexgrid.join import CityGrid, to_plane
from spatial.hexgrid.labels import label_cells, surroundings
from spatial.pipeline.inputs import Inputs
from spatial.skill import GateParameters, plain, skill_gate
from spatial.sources.areas import read_area

Array = NDArray[np.float64]
BASELINES = {"elevation_mean_m": -1.0, "hand_mean_m": -1.0, "gfi_mean": 1.0, "reports_flood": 1.0}
NO_LABELLED_CELL = "no_labelled_cell"
JUDGED = ("flood_score", "flood_susceptibility", "flood_evidence")


def judge(cells: gpd.GeoDataFrame, inputs: Inputs, settings: Settings) -> tuple[Array | None, dict[str, Any]]:
    """Return the flood probability of each cell and what the manifest says of skill.

    None and an empty dict where the city names no past flood. Where floods were named but too few, the probability is
    NaN throughout and the skill says why; where none lies in a cell with a score, it holds `NO_LABELLED_CELL` alone.

    Parameters
    ----------
    cells : with the columns of terrain, evidence and score.
    """
    if not inputs.truth:
        return None, {}
    label = _labels(inputs)
    label[cells["flood_score"].isna().to_numpy()] = np.nan
    unknown = np.full(len(cells), np.nan)
    if np.isnan(label).all():
        return unknown, {NO_LABELLED_CELL: True}
    block = parents(cells["cell"], max(0, inputs.grid.resolution - settings.calibration.block_resolution_offset))
    columns = {name: cells[name].to_numpy(float, na_value=np.nan) for name in cells if name in FEATURE_SIGNS}
    features = {name: values for name, values in columns.items() if len(np.unique(values[np.isfinite(values)])) > 1}
    rivals = {
        name: sign * cells[name].to_numpy(float, na_value=np.nan)
        for name, sign in BASELINES.items()
        if name in cells and cells[name].notna().any()
    }
    published = _published(cells, label, block, rivals, settings.calibration.gate())
    if not any(np.isfinite(values[np.isfinite(label)]).any() for values in features.values()):
        return unknown, published  # where floods were looked for, nothing is known that differs between cells
    found = flood_probability(features, FEATURE_SIGNS, label, block, rivals, settings.calibration)
    return found.probability, {"flood_probability": found.as_dict(), **published}


def _labels(inputs: Inputs) -> Array:
    """Return 1 for flooded cells, 0 for those where floods were looked for, NaN elsewhere."""
    grid = inputs.grid
    label = np.full(len(grid.cells), np.nan)
    for source, shapes in inputs.truth:
        plane = to_plane(shapes.to_numpy(), grid.crs)
        if source.looked_for is not None:
            polygon = to_plane(shapely.segmentize(read_area(source.looked_for), 1e-3), grid.crs)
        else:
            polygon = surroundings(grid.polygons, plane, source.buffer_m)
        label = np.fmax(label, _labelled(grid, plane, polygon))
    return label


def _labelled(grid: CityGrid, plane: NDArray[Any], polygon: Any) -> Array:
    if polygon.is_empty:
        return np.full(len(grid.cells), np.nan)
    return label_cells(grid.polygons, plane, polygon).as_float()


def _published(
    cells: gpd.GeoDataFrame, label: Array, block: NDArray[Any], rivals: dict[str, Array], gate: GateParameters
) -> dict[str, Any]:
    """Return the skill of the scores that need no labels, on the labelled cells."""
    used = np.isfinite(label)
    told = {}
    for name in JUDGED:
        values = cells[name].to_numpy(float, na_value=np.nan) if name in cells else np.full(len(cells), np.nan)
        if np.isfinite(values[used]).any():
            ranks = {n: np.nan_to_num(v, nan=-np.inf)[used] for n, v in rivals.items()}
            score = np.nan_to_num(values, nan=-np.inf)[used]
            told[name] = skill_gate(score, label[used], block[used], ranks, gate).as_dict()
    return dict(plain(told))
