"""Flood skill on the sample city, seeds 101-110, against the planted flood: AUC, reliability, shuffled labels, a leak.

    python benchmarks/flood_skill.py

Each city is run with its planted flood as `[[flood_labels]]`, looked for inside its boundary. Susceptibility, evidence
and score do not see the labels; `flood_probability` is judged on blocks that its fit has not seen. Intervals per city
come from resampled blocks (H3 parents two levels up), those of the means from the ten cities (t, 95 %).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.stats import t as student

from spatial import pipeline
from spatial.flood.calibration import FEATURE_SIGNS, Calibration, flood_probability
from spatial.hexgrid.grid import parents
from spatial.hexgrid.labels import label_cells
from spatial.sample import write_sample_city
from spatial.store.geopackage import read_layer

SEEDS = range(101, 111)
SCORES = ("flood_score", "flood_susceptibility", "flood_evidence", "flood_probability")
LABELS = """
[[flood_labels]]
path = "truth/flooded.geojson"
looked_for = "data/boundary.geojson"
"""


def run(seed: int, folder: Path) -> tuple[dict[str, Any], gpd.GeoDataFrame]:
    """Make and run the sample city of a seed with labels; return the manifest's skill, and its cells in the plane."""
    write_sample_city(folder, seed)
    with (folder / "city.toml").open("a", encoding="utf-8") as settings:
        settings.write(LABELS)
    version = pipeline.run(folder).version
    cells = read_layer(version.layers, "hexagons").to_crs(version.manifest["city"]["crs"])
    return version.manifest["skill"], cells


def refit(cells: gpd.GeoDataFrame, folder: Path, rng: np.random.Generator | None) -> Calibration:
    """Fit again: with shuffled labels where a generator is given, else with a copy of the label among the features."""
    flooded, city = (
        gpd.read_file(folder / name).to_crs(cells.crs).geometry
        for name in ("truth/flooded.geojson", "data/boundary.geojson")
    )
    label = label_cells(cells.geometry.to_numpy(), flooded.to_numpy(), city.union_all()).as_float()
    label[cells["flood_score"].isna()] = np.nan
    features = {n: cells[n].to_numpy(float) for n in FEATURE_SIGNS if n in cells and cells[n].notna().any()}
    signs = dict(FEATURE_SIGNS)
    if rng is None:
        features["copy_of_the_label"], signs["copy_of_the_label"] = np.nan_to_num(label), 1
    else:
        known = np.flatnonzero(np.isfinite(label))
        label[known] = rng.permutation(label[known])
    hand = {"hand_mean_m": -cells["hand_mean_m"].to_numpy(float)}
    return flood_probability(features, signs, label, parents(cells["cell"], 7), hand)


def interval(values: Iterable[float]) -> str:
    """Return a mean with its 95 % t interval over the cities."""
    v = np.array(list(values))
    half = student.ppf(0.975, len(v) - 1) * v.std(ddof=1) / np.sqrt(len(v))
    return f"{v.mean():+.3f} ({v.mean() - half:+.3f} to {v.mean() + half:+.3f})"


def main() -> None:
    """Print the tables."""
    rows, within, bins = [], 0, 0
    shuffled, refused, leaks = [], 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        for seed in SEEDS:
            folder = Path(scratch) / str(seed)
            skill, cells = run(seed, folder)
            own = {n: skill[n]["skill"] if n == "flood_probability" else skill[n] for n in SCORES}
            hand = next(b for b in own["flood_score"]["baselines"] if b["name"] == "hand_mean_m")
            row: dict[str, Any] = {"seed": seed, "hand": hand["auc"]["value"]}
            for name in SCORES:
                auc = own[name]["auc"]
                row[name] = auc["value"]
                row[f"{name} interval"] = f"{auc['low']:.3f}-{auc['high']:.3f}"
            row["score calibrated"] = own["flood_score"]["calibrated"]
            rows.append(row)
            for part in skill["flood_probability"]["reliability"]["bins"]:
                bins += 1
                within += part["low"] <= part["predicted"] <= part["high"]
            noise = refit(cells, folder, np.random.default_rng(seed))
            shuffled.append(noise.skill.auc.value)
            refused += not noise.skill.calibrated
            leaks += "copy_of_the_label" in refit(cells, folder, None).leaks
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    for other in ("flood_susceptibility", "flood_evidence", "flood_probability", "hand"):
        print(f"AUC of flood_score less {other}: {interval(table['flood_score'] - table[other])}")
    print(f"flood_probability: {within} of {bins} bins hold the mean prediction within their observed interval")
    print(f"shuffled labels: mean AUC {interval(shuffled)}, {refused} of {len(shuffled)} refused by the gate")
    print(f"a copy of the label among the features: named as a leak in {leaks} of {len(shuffled)} cities")


if __name__ == "__main__":
    main()
