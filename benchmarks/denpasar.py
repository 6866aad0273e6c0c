"""Denpasar, 10 September 2025: the susceptibility without labels against 42 places that were flooded.

    python benchmarks/denpasar.py

Needs ../shared/data. Positives are the points labelled Denpasar; background is the land of the elevation inside their
convex hull, buffered by 1 km. Every parameter is the program's default: none was set with these points. AUC with ties
averaged, by pixel and by cell of resolution 9, intervals from resampled blocks (H3 parents of resolution 7), paired
differences on the same resamples; then once more without the ground whose catchment is cut by the elevation's edge.
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from scipy.ndimage import distance_transform_edt

from spatial.config import load_settings
from spatial.contracts import Silent
from spatial.flood.terrain import TerrainParameters, analyse
from spatial.hexgrid.grid import cells_of_points, parents
from spatial.pipeline.ground import Ground, study_ground
from spatial.pipeline.inputs import read_inputs
from spatial.skill import Skill, skill_gate

CITY = Path(__file__).parents[1] / "tests/cities/denpasar"
POINTS = Path(__file__).parents[2] / "shared/data/denpasar/flood_points.geojson"
Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


def rasters(ground: Ground) -> tuple[Array, dict[str, Array]]:
    """Return the susceptibility and the baselines, higher meaning more prone; (rows, columns) each, NaN in the sea."""
    terrain, size = ground.terrain, ground.elevation.pixel_size_m
    five = analyse(ground.elevation.values, size, TerrainParameters(stream_threshold_km2=5.0))
    far = distance_transform_edt(~(five.drainage & ~five.sea)) * size
    baselines = {
        "elevation": -terrain.elevation,
        "HAND, 1 km²": -terrain.hand,
        "HAND, 5 km²": -five.hand,
        "distance to stream, 5 km²": -far,
        "TWI": terrain.twi,
        "GFI (BNPB), 1 km²": ground.gfi,
    }
    return ground.susceptibility, {k: np.where(terrain.sea, np.nan, v).astype(float) for k, v in baselines.items()}


def told(name: str, skill: Skill) -> pd.DataFrame:
    """Return one table: AUC with its interval, and the paired difference to every baseline."""
    rows = [(name, "susceptibility", skill.auc.value, skill.auc.low, skill.auc.high, "")]
    for b in skill.baselines:
        d = b.difference
        rows.append(
            (name, b.name, b.auc.value, b.auc.low, b.auc.high, f"{d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})")
        )
    return pd.DataFrame(rows, columns=["by", "index", "AUC", "low", "high", "susceptibility less this"])


def score(
    name: str, ours: Array, baselines: dict[str, Array], label: Bools, block: NDArray[np.object_]
) -> pd.DataFrame:
    """Judge what is known of ours; an unknown baseline counts as its lowest."""
    known = np.isfinite(ours)
    rivals = {k: np.where(np.isfinite(v), v, np.nanmin(v) - 1.0)[known] for k, v in baselines.items()}
    skill = skill_gate(ours[known], label[known], block[known], rivals)
    return told(f"{name}: {skill.n_positive} of {int(known.sum())}", skill)


def main() -> None:
    """Print the tables."""
    settings = load_settings(CITY)
    ground = study_ground(read_inputs(settings, Silent()), settings, Silent())
    if ground is None:
        raise SystemExit("no elevation")
    raster = ground.elevation
    points = gpd.read_file(POINTS)
    points = points[points["field_3"] == "Denpasar"].to_crs(raster.crs)
    hull = shapely.convex_hull(shapely.union_all(points.geometry.to_numpy())).buffer(1000.0)
    inside = geometry_mask([hull], raster.values.shape, raster.transform, invert=True)
    row, column = np.nonzero(inside & np.isfinite(raster.values) & ~ground.terrain.sea)
    centres = gpd.GeoSeries.from_xy(*(raster.transform * (column + 0.5, row + 0.5)), crs=raster.crs).to_crs("EPSG:4326")
    of_pixel = cells_of_points(centres.x, centres.y, 9)
    degrees = points.to_crs("EPSG:4326").geometry
    of_point = cells_of_points(degrees.x, degrees.y, 9)
    at = np.floor(np.column_stack(~raster.transform * (points.geometry.x, points.geometry.y))).astype(int)
    susceptibility, baselines = rasters(ground)
    cells = pd.Index(of_pixel).unique()
    for note, whole in (
        ("all ground", np.ones(raster.values.shape, bool)),
        ("without ground whose catchment is cut", ~ground.terrain.edge_fed),
    ):

        def at_points(values: Array, whole: Bools = whole) -> Array:
            kept = np.where(whole, values, np.nan)
            return np.concatenate([kept[at[:, 1], at[:, 0]], kept[row, column]])

        def by_cell(values: Array, whole: Bools = whole) -> Array:
            kept = pd.Series(np.where(whole, values, np.nan)[row, column])
            return np.asarray(kept.groupby(of_pixel).mean().reindex(cells), dtype=float)

        tables = [
            score(name, of(susceptibility), {k: of(v) for k, v in baselines.items()}, label, parents(where, 7))
            for name, of, label, where in (
                ("point", at_points, np.arange(len(at) + len(row)) < len(at), np.concatenate([of_point, of_pixel])),
                ("cell", by_cell, np.isin(cells, of_point), cells.to_numpy()),
            )
        ]
        print(f"\n{note}\n{pd.concat(tables).round(3).to_string(index=False)}")


if __name__ == "__main__":
    main()
