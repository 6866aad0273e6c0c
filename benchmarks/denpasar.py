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


def score(name: str, ours: Array, baselines: dict[str, Array], label: NDArray[np.bool_], block: Array) -> pd.DataFrame:
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
    for cut in (False, True):
        whole = ~ground.terrain.edge_fed if cut else np.ones(raster.values.shape, bool)
        note = "without ground whose catchment is cut" if cut else "all ground"

        def at_points(values: Array, whole: NDArray[np.bool_] = whole) -> Array:
            kept = np.where(whole, values, np.nan)
            return np.concatenate([kept[at[:, 1], at[:, 0]], kept[row, column]])

        label = np.arange(len(at) + len(row)) < len(at)
        block = parents(np.concatenate([of_point, of_pixel]), 7)
        by_point = score(
            "point", at_points(susceptibility), {k: at_points(v) for k, v in baselines.items()}, label, block
        )
        cells = pd.Index(of_pixel).unique()

        def by_cell(values: Array, whole: NDArray[np.bool_] = whole, cells: pd.Index = cells) -> Array:
            kept = np.where(whole, values, np.nan)[row, column]
            return pd.Series(kept).groupby(of_pixel).mean().reindex(cells).to_numpy(float)

        flooded = np.isin(cells, of_point)
        table = score(
            "cell", by_cell(susceptibility), {k: by_cell(v) for k, v in baselines.items()}, flooded, parents(cells, 7)
        )
        print(f"\n{note}\n{pd.concat([by_point, table]).round(3).to_string(index=False)}")


if __name__ == "__main__":
    main()
