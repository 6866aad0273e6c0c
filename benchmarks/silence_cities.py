"""Reporting rates and silence of the sample city, whose readiness to report is planted, and of Lisbon and Boston.

    python benchmarks/silence_cities.py ../shared/data

Incidents as the pipeline makes them (20 m, 14 days, default locations left out). Sample city: the rate of a kelurahan
is the mean of its cells by exposure; its rank is compared with the planted readiness (Spearman), beside two baselines:
incidents per exposure, and the share of incidents that were reported more than once. The street lights' repeats follow
that readiness; those of other categories were drawn among all incidents alike, which breaks the model. Lisbon and
Boston have no truth: what is printed is only for looking at.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from spatial.config import load_settings
from spatial.contracts import Silent
from spatial.hexgrid.grid import disk_matrix
from spatial.hexgrid.silence import reporting_silence
from spatial.pipeline.cells import add_roads_and_lamps, base_cells
from spatial.pipeline.compute import delivered
from spatial.pipeline.inputs import read_inputs
from spatial.pipeline.plane import to_city_plane
from spatial.pipeline.reports import place_reports
from spatial.sample import write_sample_city

Array = NDArray[np.float64]
LISBON = Path(__file__).parents[1] / "tests/cities/lisbon/city.toml"
TERRAIN = ("flood", "drainage")
BOSTON = """
[city]
name = "Boston"
resolution = 8
time_zone = "America/New_York"
attribution = ["City of Boston"]
[area]
hull_of = "reports"
[[reports]]
path = "{path}"
source = "boston_311"
[reports.columns]
report_id = "case_enquiry_id"
lon = "longitude"
lat = "latitude"
category = ["reason", "type"]
status = "case_status"
requested_datetime = "open_dt"
resolved_datetime = "closed_dt"
"""


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """A city's cells and its distinct incidents."""

    cells: pd.DataFrame
    incidents: pd.DataFrame

    def by_reports(self, categories: list[str]) -> Array:
        """Return incidents of some categories per cell by number of reports; (n, 4)."""
        mine = self.incidents[self.incidents["category"].isin(categories)]
        counts = np.zeros((len(self.cells), 4))
        np.add.at(counts, (mine["cell"].to_numpy(), np.minimum(mine["n_reports"].to_numpy(), 4) - 1), 1)
        return counts

    def exposure(self, column: str) -> Array:
        """Return a column of the cells; zeros where the city does not know it."""
        known = column in self.cells and self.cells[column].notna().all()
        return self.cells[column].to_numpy(float) if known else np.zeros(len(self.cells))


def read(folder: Path) -> Place:
    """Read a city and place its reports, as a run does."""
    settings = load_settings(folder)
    inputs = read_inputs(settings, Silent())
    plane = to_city_plane(inputs)
    placed = place_reports(delivered(inputs), inputs, plane.roads, settings)
    cells = base_cells(inputs, placed, settings)
    add_roads_and_lamps(cells, plane, inputs.grid)
    return Place(cells.drop(columns="geometry"), placed.incidents)


def look(place: Place, categories: list[str], column: str) -> pd.DataFrame:
    """Print what is found in a city; return the cells with `rate`, `exposure`, `incidents`, `repeated`, `silence`."""
    counts, exposure = place.by_reports(categories), place.exposure(column)
    start = time.process_time()
    found = reporting_silence(counts, exposure, disk_matrix(place.cells["cell"].tolist()))
    seconds, none = time.process_time() - start, (counts.sum(axis=1) == 0) & (exposure > 0)
    print(f"  {len(counts)} cells, {int(none.sum())} with exposure and no incident; {seconds:.1f} s of CPU")
    print(f"  incidents by reports {found.repeats_seen.astype(int)}, fitted {found.repeats_fitted.round(1)}")
    print(f"  {found.basis} {found.warnings}, Chao's upper bound {found.chao_high:.2f}")
    quantiles = np.nanquantile(found.reporting_rate, [0.05, 0.5, 0.95]).round(2)
    width, of_city = np.nanmean(found.high - found.low), found.city_high - found.city_low
    print(f"  rate, 5-50-95 % of cells {quantiles}; mean width {width:.2f}, of the city's {of_city:.2f}")
    if none.any():
        print(f"  silence without reports, 5-50-95 % {np.quantile(found.silence[none], [0.05, 0.5, 0.95]).round(2)}")
    return place.cells.assign(
        rate=found.reporting_rate,
        exposure=exposure,
        incidents=counts.sum(axis=1),
        repeated=counts[:, 1:].sum(axis=1),
        silence=found.silence,
    )


def sample(seed: int) -> None:
    """Print the ranks of a sample city's kelurahan against what was planted."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "city"
        write_sample_city(folder, seed)
        planted = json.loads((folder / "truth/summary.json").read_text("utf-8"))["reporting"]
        place = read(folder)
    lamps, other = ["street_light"], sorted(set(place.incidents["category"]) - {*TERRAIN, "street_light"})
    for name, categories, column in (
        ("street lights per lamp", lamps, "lamps_total"),
        ("other categories per road", other, "road_length_m"),
        ("both per road", lamps + other, "road_length_m"),
    ):
        print(f"sample city {seed}, {name}")
        cells = look(place, categories, column)
        cells = cells[cells["kelurahan"].notna() & (cells["exposure"] > 0)]
        groups = cells.assign(weighted=cells["rate"] * cells["exposure"]).groupby("kelurahan")
        sums = groups[["weighted", "exposure", "incidents", "repeated"]].sum()
        truth = sums.index.map(planted).to_numpy(float)
        ranks = {
            "rate": sums["weighted"] / sums["exposure"],
            "incidents per exposure": sums["incidents"] / sums["exposure"],
            "share repeated": sums["repeated"] / sums["incidents"].clip(lower=1),
        }
        told = ", ".join(f"{key} {spearmanr(value, truth).statistic:.2f}" for key, value in ranks.items())
        print(f"  Spearman with the planted readiness of {len(sums)} kelurahan: {told}", flush=True)


def real(data: Path) -> None:
    """Print what is found in Lisbon and in Boston."""
    texts = {
        "Lisbon": LISBON.read_text("utf-8").replace("../../../../shared/data", data.resolve().as_posix()),
        "Boston": BOSTON.format(path=(data / "boston_311/boston_311_2011_slim.parquet").resolve().as_posix()),
    }
    for name, text in texts.items():
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "city.toml").write_text(text, "utf-8")
            place = read(Path(scratch))
        categories = sorted(set(place.incidents["category"]) - set(TERRAIN))
        print(f"{name}, {', '.join(categories)}")
        cells = look(place, categories, "road_length_m")
        silent = cells[(cells["incidents"] == 0) & (cells["exposure"] > 0)].nlargest(3, "silence")
        print(silent[["cell", "exposure", "rate", "silence"]].round(3).to_string(index=False), flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="*", default=[101, 102, 103])
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        sample(seed)
    real(arguments.data)


if __name__ == "__main__":
    main()
