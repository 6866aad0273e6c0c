"""Lighting on the sample city, from reports to repair visits, against its planted truth.

    python benchmarks/lighting_skill.py                  # seeds 101-110
    python benchmarks/lighting_skill.py --seeds 1 2 3    # of development

Per city, then pooled or as mean over the cities with the least and the largest:

- snapping: share of open, genuine street-light reports whose lamp is the planted one, and of those with a stated
  probability of 0.5 and more; what was stated on average;
- dark lamps: precision, recall and F1 of the lamps that the faults name as reported, and of those they name as dark,
  against every lamp that is dark at the last report. A lamp that nobody reported and that failed alone cannot be found;
- zones: share of zones with a lamp of a dark panel; share of dark panels with at least three reported lamps (and of
  all dark panels) that have a zone;
- cause: zones of a circuit (two lamps or more whose open reports are about one trip, dark still or mended without
  anybody having recorded it: the reports look the same) against zones of single lamps, by `cause_probability` of a
  circuit: precision where recall is 0.8 and 0.9, zones of single lamps called a circuit, and dark lamps that failed
  alone but stand on a circuit;
- panels: adjusted Rand of the panels of circuit faults against the planted ones, over their reported lamps;
- visits: open reports, planned visits, and those expected where a circuit turns out to be single lamps.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from spatial import pipeline
from spatial.lighting.repairs import RepairParameters
from spatial.plan import plan
from spatial.sample import write_sample_city
from spatial.store.geopackage import read_layer, read_members


@dataclass(frozen=True, eq=False, slots=True)
class City:
    """A published sample city and its truth: lamps by id, what each report is about."""

    folder: Path
    zones: gpd.GeoDataFrame
    faults: gpd.GeoDataFrame
    reports: gpd.GeoDataFrame
    members: pd.DataFrame
    lamps: pd.DataFrame
    about: pd.DataFrame


def city(seed: int, folder: Path) -> City:
    """Make and run the sample city of a seed."""
    write_sample_city(folder, seed)
    version = pipeline.run(folder).version
    zones, faults, reports = (
        read_layer(version.layers, name) for name in ("lighting_zones", "lighting_faults", "reports")
    )
    members = read_members(version.layers)
    lamps = pd.read_csv(folder / "truth/lamps.csv", dtype={"lamp_id": str}).set_index("lamp_id")
    lamps["failed"] = lamps["failed"].astype(str).str.lower().eq("true")
    about = pd.read_csv(folder / "truth/reports.csv", dtype=str).set_index("report_id")
    return City(folder, zones, faults, reports, members[members["zone_id"].isin(zones["zone_id"])], lamps, about)


def snapping(one: City) -> dict[str, float]:
    """Return how often an open report's lamp is the right one."""
    told = one.reports.dropna(subset="lamp_id").copy()
    told["about"] = one.about["true_incident"].reindex(told["report_id"].str.split(":").str[-1]).to_numpy()
    told["true"] = told["about"].str.extract(r"^pju-(.+)-\d+$")[0]
    told = told[told["true"].notna()]
    right = (told["lamp_id"] == told["true"]).to_numpy()
    sure = told["lamp_probability"].to_numpy(float) >= 0.5
    return {
        "reports": len(told),
        "right": float(right.mean()),
        "stated": float(told["lamp_probability"].mean()),
        "sure": float(sure.mean()),
        "right where sure": float(right[sure].mean()),
    }


def f1(named: set[str], truth: set[str]) -> tuple[float, float, float]:
    """Return precision, recall and F1."""
    hit = len(named & truth)
    precision, recall = hit / max(len(named), 1), hit / max(len(truth), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-12)


def dark_lamps(one: City) -> dict[str, float]:
    """Return how well the faults name the dark lamps."""
    truth = set(one.lamps.index[one.lamps["failed"]])
    reported = {lamp for ids in one.faults["lamp_ids"] for lamp in ids.split(",")}
    on_panels = one.lamps.index[one.lamps["panel_id"].isin(set(circuits(one)["panel_id"]))]
    names = ("precision", "recall", "F1")
    return dict(zip([f"reported: {n}" for n in names], f1(reported, truth), strict=True)) | dict(
        zip([f"with listed panels: {n}" for n in names], f1(reported | set(on_panels), truth), strict=True)
    )


def circuits(one: City) -> gpd.GeoDataFrame:
    """Return the faults that are circuits."""
    return one.faults[one.faults["kind"] == "circuit"]


def zone_table(one: City) -> pd.DataFrame:
    """Return, per zone, how many of its lamps are dark by a circuit and how many alone, and what was said of it."""
    told = one.members.merge(one.lamps, left_on="member", right_index=True, how="left")
    told["circuit"] = told["failed"].eq(True) & told["cause"].eq("circuit")
    table = told.groupby("zone_id").agg(circuit=("circuit", "sum"), lamps=("member", "size"))
    table["trip"] = trips(one)["lamps"].reindex(table.index).fillna(0)
    said = one.zones.set_index("zone_id")
    p = said["cause_probability"].where(said["cause"] != "independent", 1 - said["cause_probability"])
    return table.join(pd.DataFrame({"p": p, "cause": said["cause"]}))


def trips(one: City) -> pd.DataFrame:
    """Return, per zone, the most lamps whose open reports are about one trip, dark still or mended unrecorded."""
    told = one.reports.dropna(subset="lamp_id").copy()
    about = one.about["true_incident"].reindex(told["report_id"].str.split(":").str[-1])
    told[["true", "outage"]] = about.str.extract(r"^pju-(.+)-(\d+)$").to_numpy()
    told = told.merge(one.members, left_on="lamp_id", right_on="member").dropna(subset="outage")
    per_trip = told.groupby(["zone_id", "outage"])["true"].nunique()
    return pd.DataFrame({"lamps": per_trip.groupby("zone_id").max()})


def panels_found(one: City) -> dict[str, float]:
    """Return the share of dark panels that have a zone: of those with at least three reported lamps, and of all."""
    dark = one.lamps[one.lamps["failed"] & (one.lamps["cause"] == "circuit")]
    reported = {lamp for ids in one.faults["lamp_ids"] for lamp in ids.split(",")}
    per_panel = dark.assign(reported=dark.index.isin(reported)).groupby("panel_id")["reported"].sum()
    found = set(dark.loc[dark.index.isin(one.members["member"]), "panel_id"])
    enough = per_panel.index[per_panel >= 3]
    return {
        "dark panels": len(per_panel),
        "with a zone": len(found) / max(len(per_panel), 1),
        "of those with 3 reported lamps": float(np.mean([panel in found for panel in enough])) if len(enough) else 1.0,
    }


def panel_rand(one: City) -> float:
    """Return the adjusted Rand index of circuit faults and planted panels over their reported lamps."""
    rows = [(lamp, row.fault_id) for row in circuits(one).itertuples() for lamp in str(row.lamp_ids).split(",")]
    table = pd.DataFrame(rows, columns=["lamp", "fault"])
    return float(adjusted_rand_score(one.lamps["panel_id"].reindex(table["lamp"]), table["fault"]))


def precision_at(p: np.ndarray, truth: np.ndarray, recall: float) -> float:
    """Return the precision at the highest threshold that keeps the recall."""
    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(truth[order])
    at = int(np.argmax(hits >= recall * truth.sum()))
    return float(hits[at] / (at + 1))


def show(name: str, rows: list[dict[str, float]]) -> None:
    """Print the mean of each figure over the cities, its least and its largest."""
    table = pd.DataFrame(rows)
    told = "; ".join(f"{c} {table[c].mean():.3f} ({table[c].min():.3f}-{table[c].max():.3f})" for c in table)
    print(f"{name}: {told}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(101, 111)))
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as scratch:
        cities = [city(seed, Path(scratch) / str(seed)) for seed in seeds]
        visits = []
        for one in cities:
            made = plan(one.folder, RepairParameters())
            saved = 1 - made.expected_visits / max(made.reports, 1)
            visits.append(
                {"reports": made.reports, "visits": len(made.visits), "expected": made.expected_visits, "saved": saved}
            )
    show("snapping", [snapping(one) for one in cities])
    show("dark lamps", [dark_lamps(one) for one in cities])
    show("panels", [panels_found(one) | {"adjusted Rand": panel_rand(one)} for one in cities])
    show("visits", visits)
    zones = pd.concat([zone_table(one) for one in cities])
    truth, p = (zones["trip"] >= 2).to_numpy(), zones["p"].to_numpy(float)
    alone = ~truth
    print(
        f"zones: {len(zones)}, with a lamp of a dark panel {(zones['circuit'] > 0).mean():.3f}, "
        f"about one trip, dark still or mended unrecorded, {truth.mean():.3f}"
    )
    print(
        f"cause: {truth.sum()} zones of a circuit; precision at recall 0.8 {precision_at(p, truth, 0.8):.3f}, "
        f"at 0.9 {precision_at(p, truth, 0.9):.3f}; zones of single lamps called a circuit "
        f"{int((zones['cause'].eq('circuit').to_numpy() & alone).sum())} of {alone.sum()}"
    )
    blamed = total = 0
    for one in cities:
        single = set(one.lamps.index[one.lamps["failed"] & (one.lamps["cause"] == "independent")])
        told = {lamp for ids in one.faults["lamp_ids"] for lamp in ids.split(",")}
        on = {lamp for ids in circuits(one)["lamp_ids"] for lamp in ids.split(",")}
        blamed, total = blamed + len(single & on), total + len(single & told)
    print(f"reported lamps that failed alone and were put on a circuit: {blamed} of {total}")


if __name__ == "__main__":
    main()
