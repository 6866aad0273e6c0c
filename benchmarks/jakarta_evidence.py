"""Flood evidence of Jakarta's reports of February 2017 against the floods of 2007 and a modelled depth.

    python benchmarks/jakarta_evidence.py ../shared/data/jakarta

Runs tests/cities/jakarta in a scratch folder. All its reports are about floods, so nothing can correct for who reports:
every figure is of uncorrected evidence. Nothing was chosen on these figures.

Units: RW, and kelurahan (its RW together). Truths: the RW flooded in 2007 (FLOODPRONE; RW without an entry are left
out; a kelurahan where half of its RW were), and HKV's depth grid, 50 m (a tenth of the unit's pixels deeper than 0.1 m
or 0.3 m). Predictors: reports per km² (the baseline), per km of road, and per km² of the unit and those that touch it;
the published evidence of the cells, mean by area, and what it would be with the city as prior; relative risk of the
unit's own incidents, with its area or its road as exposure and the city or the touching units as prior. With an area as
exposure a silent unit's risk falls with its size, so part of the last ones' AUC is size. AUC with ties halved, 95 %
intervals from 999 bootstraps of H3 parents (resolution 7, 5 km²), and the paired difference to reports per km². An AUC
of 0.5 is chance.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.sparse import csr_array
from sklearn.metrics import roc_auc_score

from spatial import pipeline
from spatial.hexgrid.statistics import local_relative_risk, relative_risk
from spatial.store.geopackage import read_layer

Array = NDArray[np.float64]
CITY = Path(__file__).parents[1] / "tests/cities/jakarta/city.toml"
BLOCK_RESOLUTION, DRAWS = 7, 999
FLOODED_SHARE, DEPTHS_M = 0.1, (0.1, 0.3)


def published(data: Path) -> dict[str, gpd.GeoDataFrame]:
    """Run the city; return its layers in metres."""
    with tempfile.TemporaryDirectory() as scratch:
        text = CITY.read_text("utf-8").replace("../../../../shared/data", data.parent.resolve().as_posix())
        (Path(scratch) / "city.toml").write_text(text, "utf-8")
        version = pipeline.run(Path(scratch)).version
        crs = version.manifest["city"]["crs"]
        return {name: read_layer(version.layers, name).to_crs(crs) for name in ("reports", "hexagons", "roads")}


def units(data: Path, crs: object) -> dict[str, gpd.GeoDataFrame]:
    """Return RW and kelurahan with `flooded` (1, 0, NaN unknown)."""
    rw = gpd.read_file(data / "rw_jakarta_osm2012.gpkg")
    rw["geometry"] = rw.make_valid()
    told = rw["FLOODPRONE"].str.upper()
    rw["flooded"] = told.map({"YES": 1.0, "NO": 0.0, "0": 0.0})
    kelurahan = rw.dissolve(["KEC_NAME", "KEL_NAME"], aggfunc={"flooded": "mean"}).reset_index()
    kelurahan["flooded"] = (kelurahan["flooded"] >= 0.5).astype(float).where(kelurahan["flooded"].notna())
    return {"RW": rw.to_crs(crs), "kelurahan": kelurahan.to_crs(crs)}


def deep_shares(table: gpd.GeoDataFrame, grid: Path) -> dict[float, Array]:
    """Return for each depth the share of the unit's pixels that are deeper, NaN where the grid has none."""
    with rasterio.open(grid) as source:
        depth = source.read(1, masked=True).filled(np.nan)
        shapes = zip(table.to_crs(source.crs).geometry, range(1, len(table) + 1), strict=True)
        zone = rasterize(shapes, depth.shape, transform=source.transform, dtype="int32")
    inside = (zone > 0) & np.isfinite(depth)
    pixels = np.bincount(zone[inside], minlength=len(table) + 1)[1:]
    deep = {d: np.bincount(zone[inside], depth[inside] > d, len(table) + 1)[1:] for d in DEPTHS_M}
    with np.errstate(invalid="ignore"):
        return {d: np.where(pixels > 0, count / pixels, np.nan) for d, count in deep.items()}


def points_in(table: gpd.GeoDataFrame, points: gpd.GeoDataFrame) -> Array:
    """Return the number of points in each unit."""
    _, unit = shapely.STRtree(table.geometry.to_numpy()).query(points.geometry.to_numpy(), "intersects")
    return np.bincount(unit, minlength=len(table)).astype(float)


def road_km(table: gpd.GeoDataFrame, roads: gpd.GeoDataFrame) -> Array:
    """Return the kilometres of road in each unit."""
    shapes, lines = table.geometry.to_numpy(), roads.geometry.to_numpy()
    line, unit = shapely.STRtree(shapes).query(lines, "intersects")
    length = shapely.length(shapely.intersection(lines[line], shapes[unit]))
    return np.bincount(unit, length, len(table)) / 1000.0


def cell_mean(table: gpd.GeoDataFrame, cells: gpd.GeoDataFrame, column: str) -> Array:
    """Return the mean of a column of the cells, weighted by their area in each unit."""
    shapes, hexagons = table.geometry.to_numpy(), cells.geometry.to_numpy()
    unit, cell = shapely.STRtree(hexagons).query(shapes, "intersects")
    area = shapely.area(shapely.intersection(shapes[unit], hexagons[cell]))
    total = np.bincount(unit, area * cells[column].to_numpy(float)[cell], len(table))
    return total / np.maximum(np.bincount(unit, area, len(table)), 1e-9)


def touching(table: gpd.GeoDataFrame) -> csr_array:
    """Return the 0/1 matrix of units that lie within a metre of each other, themselves included."""
    shapes = table.geometry.to_numpy()
    a, b = shapely.STRtree(shapes).query(shapes, "dwithin", 1.0)
    return csr_array((np.ones(len(a)), (a, b)), shape=(len(table), len(table)))


def predictors(table: gpd.GeoDataFrame, layers: dict[str, gpd.GeoDataFrame]) -> dict[str, Array]:
    """Return what is compared, by name; the baseline first."""
    reports, cells = layers["reports"], layers["hexagons"]
    rate = relative_risk(cells["incidents_flood"], cells["exposure"]).mean
    cells = cells.assign(city=1.0 - 1.0 / np.maximum(rate, 1.0))
    first = reports[reports["report_id"] == reports["incident_id"]]
    every, incidents = points_in(table, reports), points_in(table, first)
    km2, km, near = table.area.to_numpy() / 1e6, road_km(table, layers["roads"]), touching(table)
    return {
        "reports per km2": every / km2,
        "reports per km of road": every / np.maximum(km, 0.1),
        "reports per km2, touching": (near @ every) / (near @ km2),
        "evidence of the cells": cell_mean(table, cells, "flood_evidence"),
        "the same, city as prior": cell_mean(table, cells, "city"),
        "relative risk, area, city": relative_risk(incidents, km2).mean,
        "relative risk, area, neighbours": local_relative_risk(incidents, km2, near).mean,
        "relative risk, road, city": relative_risk(incidents, km).mean,
        "relative risk, road, neighbours": local_relative_risk(incidents, km, near).mean,
    }


def blocks(table: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """Return the number of each unit's block."""
    points = table.representative_point().to_crs("EPSG:4326")
    names = [h3.latlng_to_cell(p.y, p.x, BLOCK_RESOLUTION) for p in points]
    return np.asarray(pd.factorize(pd.Series(names))[0], dtype=np.int64)


def compare(truth: Array, guesses: dict[str, Array], block: NDArray[np.int64]) -> pd.DataFrame:
    """Return AUC and its difference to the first guess, each with its interval."""
    known = np.flatnonzero(np.isfinite(truth))
    members = [known[block[known] == b] for b in np.unique(block[known])]
    rng, draws = np.random.default_rng(1), []
    for _ in range(DRAWS):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        draws.append([roc_auc_score(truth[rows], guess[rows]) for guess in guesses.values()])
    scores = np.array([roc_auc_score(truth[known], guess[known]) for guess in guesses.values()])
    sample = np.array(draws)
    table = pd.DataFrame({"auc": scores}, index=list(guesses))
    table["auc_low"], table["auc_high"] = np.percentile(sample, [2.5, 97.5], axis=0)
    table["gain"] = scores - scores[0]
    table["gain_low"], table["gain_high"] = np.percentile(sample - sample[:, :1], [2.5, 97.5], axis=0)
    return table


def main() -> None:
    """Print the tables."""
    data = Path(sys.argv[1])
    layers = published(data)
    print("evidence is corrected by: " + ", ".join(layers["hexagons"]["exposure_basis"].unique()))
    for name, table in units(data, layers["reports"].crs).items():
        guesses, block = predictors(table, layers), blocks(table)
        shares = deep_shares(table, data / "hkv_flood_depth_current.tif")
        truths = {"flooded in 2007": table["flooded"].to_numpy(float)} | {
            f"a tenth deeper than {d} m": np.where(np.isnan(s), np.nan, s >= FLOODED_SHARE) for d, s in shares.items()
        }
        for question, truth in truths.items():
            known, silent = np.isfinite(truth), float((guesses["reports per km2"] == 0).mean())
            counts = f"{int(np.nansum(truth))} of {int(known.sum())}, {len(np.unique(block[known]))} blocks"
            print(f"\n{name}, {question}: {counts}; without a report: {silent:.0%}")
            print(compare(truth, guesses, block).round(3).to_string())


if __name__ == "__main__":
    main()
