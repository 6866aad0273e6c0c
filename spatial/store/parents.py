"""Cells of a coarser H3 resolution that stand for the cells of a city: one stated rule per column.

A parent tells only of the children that the layer holds; `cell_count` says how many. A column without a rule is not in
the tiles of hexagons at all: there are many cells, and each has fifty columns; the item has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from spatial.contracts import CLASSES, HEXAGONS, SCENARIO_CELLS, Layer
from spatial.hexgrid.grid import cell_polygons, parents

Rule = Literal["sum", "mean", "road_mean", "max", "min", "worst", "same"]
CELL_COUNT = "cell_count"

_BY_RULE: Mapping[str, Mapping[Rule, tuple[str, ...]]] = {
    HEXAGONS.name: {
        "sum": (
            *("reports_total", "reports_flood", "reports_drainage", "reports_street_light"),
            *("incidents_flood", "incidents_lighting", "road_length_m", "lamps_total"),
        ),
        "mean": ("elevation_mean_m", "flood_susceptibility", "flood_evidence", "silence"),  # by the area of the cell
        "road_mean": ("report_rate",),  # by the road length of the cell
        "max": ("flood_score", "lighting_score", "depression_depth_max_m"),
        "min": ("hand_min_m",),
        "worst": ("flood_class", "lighting_class"),  # of the children: it goes with the highest score
        "same": ("kelurahan", "kecamatan", "flood_emergence", "lighting_emergence"),  # where the children agree
    },
    SCENARIO_CELLS.name: {
        "sum": ("water_volume_m3", "road_water_length_m"),
        "max": ("water_share", "water_depth_max_m", "tide_share"),
    },
}
RULES: Mapping[str, Mapping[str, Rule]] = {
    layer: {name: rule for rule, names in rules.items() for name in names} for layer, rules in _BY_RULE.items()
}
"""The rule of each column of a layer of cells that its parents have."""


def parent_cells(layer: Layer, table: gpd.GeoDataFrame, resolution: int) -> gpd.GeoDataFrame:
    """Return the parents of a layer's cells, sorted by their index.

    Parameters
    ----------
    layer : one of those that RULES names.
    table : its features, CRS84; `cell` is the H3 index.
    resolution : of the parents, coarser than the cells'.

    Returns
    -------
    `cell`, `resolution` where the layer has it, `cell_count`, and the columns that have a rule; geometry is the H3
    polygon of the parent, CRS84.
    """
    rules = RULES[layer.name]
    parent = pd.Series(parents(table["cell"], resolution), index=table.index, name="cell")
    weight = {"mean": pd.Series(shapely.area(table.geometry.to_numpy()), index=table.index)}  # degrees²: one latitude
    if "road_mean" in rules.values():
        weight["road_mean"] = table["road_length_m"]
    columns = {name: _combined(table[name], parent, rule, weight.get(rule)) for name, rule in rules.items()}
    out = pd.DataFrame({CELL_COUNT: parent.groupby(parent).size()} | columns)
    if "resolution" in layer.names:
        out.insert(0, "resolution", resolution)
    order = [name for name in (*layer.names, CELL_COUNT) if name in out]
    return gpd.GeoDataFrame(out[order].reset_index(names="cell"), geometry=cell_polygons(out.index), crs="EPSG:4326")


def _combined(
    values: pd.Series[Any], parent: pd.Series[Any], rule: Rule, weight: pd.Series[Any] | None
) -> pd.Series[Any]:
    """Return one value per parent, in the order of the parents; null where no child has one."""
    if weight is not None:
        known = weight.astype(float).where(values.notna())
        total = (values.astype(float) * known).groupby(parent).sum(min_count=1)
        return total / known.groupby(parent).sum(min_count=1).replace(0.0, np.nan)
    if rule == "worst":
        rank = values.map({name: i for i, name in enumerate(CLASSES)}).astype(float).groupby(parent).max()
        return rank.map(dict(enumerate(CLASSES)))
    groups = values.groupby(parent)
    if rule == "same":
        return groups.first().where(groups.nunique(dropna=False) == 1)
    if rule == "sum":
        return groups.sum(min_count=1)
    return groups.max() if rule == "max" else groups.min()
