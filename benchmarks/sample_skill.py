"""Skill on the sample city: zones against planted truth, beside thresholded report density.

    python benchmarks/sample_skill.py            # seeds 1–5 choose the thresholds, seeds 101–110 are scored
    python benchmarks/sample_skill.py --tune     # seeds 1–5 only, with F1 by threshold of the flood score

Flood, by cell: a cell is flooded in truth when at least a tenth of it lies under 0.2 m of water or more in the planted
storm; predicted when it belongs to a flood zone. Baseline: flood reports in the cell, thresholded.

Lighting, by lamp, against two truths: every lamp that is dark at the last report, and the lamps of dark panels alone,
since a zone is a group of lamps and a single dark lamp makes none. Predicted when the lamp lies in a lighting zone.
Baselines, each with a threshold of its own per truth: street-light reports in the lamp's cell, within 40 m of the lamp,
and those of them that are still open.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree
from scipy.stats import t as student

from spatial import pipeline
from spatial.sample import write_sample_city
from spatial.store.geopackage import read_layer, read_members

TUNING, SCORING = range(1, 6), range(101, 111)
FLOODED_SHARE = 0.1
LAMP_RADIUS_M = 40.0
DENSITIES = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30)


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """One thing to predict in one city: its truth, our answer, and the densities of the baselines; arrays of n."""

    truth: np.ndarray
    ours: np.ndarray
    baselines: dict[str, np.ndarray]


def f1(predicted: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Return precision, recall and F1."""
    hit = float((predicted & truth).sum())
    precision = hit / max(float(predicted.sum()), 1.0)
    recall = hit / max(float(truth.sum()), 1.0)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-12)


def questions(seed: int, folder: Path) -> tuple[dict[str, Question], pd.DataFrame]:
    """Make and run the sample city of a seed; return its questions, and flood score beside truth for the cells."""
    write_sample_city(folder, seed)
    version = pipeline.run(folder).version
    crs = version.manifest["city"]["crs"]
    reports = read_layer(version.layers, "reports").to_crs(crs)
    reports = reports[~reports["quality"].fillna("").str.contains("outside_area")]
    cells = read_layer(version.layers, "hexagons").to_crs(crs)
    flood, table = flood_question(folder, cells, reports, set(read_members(version.layers)["member"]))
    zones = read_layer(version.layers, "lighting_zones").to_crs(crs).geometry.to_numpy()
    lighting = lighting_questions(folder, cells, reports[reports["category"] == "street_light"], zones)
    return {"flood, by cell": flood} | lighting, table


def flood_question(
    folder: Path, cells: gpd.GeoDataFrame, reports: gpd.GeoDataFrame, members: set[str]
) -> tuple[Question, pd.DataFrame]:
    """Return which cells with a score were flooded, and which of them belong to a zone."""
    city = gpd.read_file(folder / "data/boundary.geojson").to_crs(cells.crs).union_all()
    water = gpd.read_file(folder / "truth/flooded.geojson").to_crs(cells.crs).union_all()
    cells = cells[cells["flood_score"].notna()]
    inside = shapely.intersection(cells.geometry.to_numpy(), city)
    share = shapely.area(shapely.intersection(inside, water)) / np.maximum(shapely.area(inside), 1e-9)
    truth = share >= FLOODED_SHARE
    counts = per_cell(cells, reports[reports["category"] == "flood"])
    table = pd.DataFrame({"score": cells["flood_score"].to_numpy(float), "truth": truth})
    return Question(truth, cells["cell"].isin(members).to_numpy(), {"report density of the cell": counts}), table


def lighting_questions(
    folder: Path, cells: gpd.GeoDataFrame, reports: gpd.GeoDataFrame, zones: np.ndarray
) -> dict[str, Question]:
    """Return which lamps are dark, and which belong to a dark panel."""
    lamps = gpd.read_file(folder / "data/lampu.geojson").to_crs(cells.crs).set_index("lamp_id")
    truth = pd.read_csv(folder / "truth/lamps.csv", dtype={"lamp_id": str}).set_index("lamp_id").loc[lamps.index]
    points = lamps.geometry.to_numpy()
    in_zone = np.isin(np.arange(len(lamps)), shapely.STRtree(zones).query(points, predicate="intersects")[0])
    lamp, cell = shapely.STRtree(cells.geometry.to_numpy()).query(points, "intersects")
    own_cell = pd.Series(cell).groupby(lamp).min().reindex(range(len(lamps))).to_numpy(int)
    baselines = {
        "report density of the cell": per_cell(cells, reports)[own_cell],
        "report density within 40 m": near(points, reports),
        "open report density within 40 m": near(points, reports[reports["status"] != "closed"]),
    }
    dark = truth["failed"].to_numpy(bool)
    of_panels = dark & (truth["cause"] == "circuit").to_numpy()
    return {
        "every dark lamp": Question(dark, in_zone, baselines),
        "lamps of dark panels": Question(of_panels, in_zone, baselines),
    }


def per_cell(cells: gpd.GeoDataFrame, reports: gpd.GeoDataFrame) -> np.ndarray:
    """Return the number of reports in each cell."""
    return np.asarray(cells["cell"].map(reports["cell"].value_counts()).fillna(0))


def near(points: np.ndarray, reports: gpd.GeoDataFrame) -> np.ndarray:
    """Return the number of reports within `LAMP_RADIUS_M` of each point."""
    tree = cKDTree(shapely.get_coordinates(reports.geometry.to_numpy()))
    found = tree.query_ball_point(shapely.get_coordinates(points), LAMP_RADIUS_M)
    return np.array([len(positions) for positions in found])


def chosen(cities: Sequence[dict[str, Question]]) -> dict[tuple[str, str], int]:
    """Return for every question and baseline the density with the best mean F1."""

    def mean(question: str, baseline: str, density: int) -> float:
        asked = [city[question] for city in cities]
        return float(np.mean([f1(q.baselines[baseline] >= density, q.truth)[2] for q in asked]))

    return {
        (question, baseline): max(DENSITIES, key=lambda d: mean(question, baseline, d))
        for question in cities[0]
        for baseline in cities[0][question].baselines
    }


def scores(cities: Sequence[dict[str, Question]], thresholds: dict[tuple[str, str], int]) -> pd.DataFrame:
    """Return one row per city, question and method: precision, recall, F1."""
    rows = []
    for number, city in enumerate(cities):
        for question, asked in city.items():
            rows.append((number, question, "zones", *f1(asked.ours, asked.truth)))
            for baseline, counts in asked.baselines.items():
                predicted = counts >= thresholds[question, baseline]
                rows.append((number, question, baseline, *f1(predicted, asked.truth)))
    return pd.DataFrame(rows, columns=["city", "question", "method", "precision", "recall", "f1"])


def paired(rows: pd.DataFrame) -> str:
    """Return the mean difference of F1 to every baseline, with its 95 % t interval over the cities."""
    lines = []
    for question, group in rows.groupby("question", sort=False):
        wide = group.pivot(index="city", columns="method", values="f1")
        for baseline in group["method"].drop_duplicates().drop(group.index[0]):
            d = wide["zones"] - wide[baseline]
            half = student.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
            interval = f"{d.mean() - half:+.3f} to {d.mean() + half:+.3f}"
            lines.append(f"{question}: F1 of zones less {baseline}: {d.mean():+.3f} (95 %: {interval})")
    return "\n".join(lines)


def sweep(tables: Sequence[pd.DataFrame]) -> str:
    """Return the mean precision, recall and F1 of cells by threshold of the flood score."""
    rows = {
        step: np.mean([f1((t["score"] >= step).to_numpy(), t["truth"].to_numpy()) for t in tables], axis=0)
        for step in np.round(np.arange(0.2, 0.65, 0.05), 2)
    }
    return pd.DataFrame.from_dict(rows, "index", columns=["precision", "recall", "f1"]).round(3).to_string()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true", help="seeds 1-5 only")
    parser.add_argument("--json", type=Path, help="also write the rows as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tuning, tables = zip(*(questions(seed, Path(scratch) / str(seed)) for seed in TUNING), strict=True)
        scored = tuning
        if not options.tune:
            scored, _ = zip(*(questions(seed, Path(scratch) / str(seed)) for seed in SCORING), strict=True)
    thresholds = chosen(tuning)
    rows = scores(scored, thresholds)
    if options.tune:
        print(f"flood score, by threshold:\n{sweep(tables)}\n")
    print("densities chosen on seeds 1-5: " + "; ".join(f"{q}, {b}: {d}" for (q, b), d in thresholds.items()))
    means = rows.groupby(["question", "method"], sort=False)[["precision", "recall", "f1"]].mean()
    print(means.round(3).to_string(), paired(rows), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(rows.to_dict("records"), indent=1))


if __name__ == "__main__":
    main()
