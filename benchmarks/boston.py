"""Lighting zones of Boston: what becomes of its busiest coordinates, and whether zones stay put.

    python benchmarks/boston.py [--city tests/cities/boston]

Three tables: every coordinate with more than 50 reports and the decision on it; the zones with the rule of default
locations and without; and the adjusted Rand index between the zones of the run and those of runs on coordinates that
were moved by 10 m. Reports are moved either coordinate by coordinate (what rounding does: reports of one address stay
together) or one by one. Compared are the open street-light reports that are in a zone in either run; a report in no
zone is a group of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from sklearn.metrics import adjusted_rand_score

from spatial.config import Settings, load_settings
from spatial.contracts import HEXAGONS, LIGHTING_ZONES, Silent
from spatial.pipeline.compute import compute, delivered, no_members
from spatial.pipeline.inputs import Inputs, read_inputs

BUSY = 50
MOVED_M = 10.0
SEEDS = range(1, 6)


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Run:
    """Placed reports (`report_id, x, y, category, quality, incident_id`), zones, cells, each report's zone or ''."""

    reports: gpd.GeoDataFrame
    zones: gpd.GeoDataFrame
    zone_of_report: pd.Series[str]
    cells: gpd.GeoDataFrame


def run(settings: Settings, inputs: Inputs, snapshot: gpd.GeoDataFrame) -> Run:
    """Compute the city; `zone_of_report` is indexed by report id."""
    work = compute(settings, inputs, snapshot, no_members(), "v", Silent())
    reports = work.placed.reports
    zones = work.result.layers[LIGHTING_ZONES]
    shapes = zones.to_crs(inputs.grid.crs).geometry.to_numpy()
    lit = reports[(reports["category"] == "street_light") & reports["is_open"] & work.placed.usable]
    zone_of_member = work.result.members.set_index("member")["zone_id"]
    own = lit["incident_id"].map(zone_of_member[zone_of_member.str.startswith("lighting-")]).fillna("")
    assert len(shapes) == zone_of_member.str.startswith("lighting-").groupby(zone_of_member).first().sum()
    return Run(reports, zones, pd.Series(own.to_numpy(), index=lit["report_id"]), work.result.layers[HEXAGONS])


def busy_coordinates(reports: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return coordinates with more than `BUSY` reports: count, street lights, the nearest other one, the decision."""
    places = reports.groupby(["x", "y"], as_index=False).agg(
        reports=("report_id", "size"),
        street_lights=("category", lambda words: int((words == "street_light").sum())),
        default=("quality", lambda flags: bool(flags.fillna("").str.contains("default_location").any())),
    )
    busy = places[places["reports"] > BUSY].sort_values("reports", ascending=False, ignore_index=True)
    xy = busy[["x", "y"]].to_numpy(float)
    apart = np.hypot(*(xy[:, None, :] - xy[None, :, :]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.nan)
    busy["metres_to_next"] = np.nanmin(apart, axis=1) if len(busy) > 1 else np.nan
    busy["decision"] = np.where(busy["default"], "default location: not counted", "counted")
    return pd.DataFrame(busy.drop(columns="default"))


def moved(snapshot: gpd.GeoDataFrame, crs: object, seed: int, together: bool) -> gpd.GeoDataFrame:
    """Return the reports `MOVED_M` away in random directions, those of one coordinate together or one by one."""
    plane = shapely.get_coordinates(snapshot.to_crs(crs).geometry.to_numpy())
    places, place = np.unique(plane, axis=0, return_inverse=True)
    angle = np.random.default_rng(seed).uniform(0.0, 2.0 * np.pi, len(places) if together else len(plane))
    turn = angle[place.ravel()] if together else angle
    points = plane + MOVED_M * np.column_stack([np.cos(turn), np.sin(turn)])
    geometry = gpd.GeoSeries(gpd.points_from_xy(*points.T), index=snapshot.index, crs=crs).to_crs(snapshot.crs)
    return snapshot.set_geometry(geometry)


def agreement(one: pd.Series[str], other: pd.Series[str]) -> float:
    """Return the adjusted Rand index of two zonings of reports, over those in a zone in either."""
    both = pd.concat([one, other], axis=1, join="inner", keys=["one", "other"])
    both = both[(both != "").any(axis=1)]
    alone = pd.Series([f"alone {i}" for i in range(len(both))], index=both.index)
    return float(
        adjusted_rand_score(
            both["one"].where(both["one"] != "", alone), both["other"].where(both["other"] != "", alone)
        )
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--city", type=Path, default=Path(__file__).parents[1] / "tests/cities/boston")
    settings = load_settings(parser.parse_args().city)
    inputs = read_inputs(settings, Silent())
    snapshot = delivered(inputs)
    base = run(settings, inputs, snapshot)
    busy = busy_coordinates(base.reports)
    print(f"coordinates with more than {BUSY} reports:\n{busy.to_string(index=False)}\n")
    off = dataclasses.replace(settings.cleaning, default_min_reports=len(snapshot) + 1)
    without = run(dataclasses.replace(settings, cleaning=off), inputs, snapshot)
    halls = [shapely.Point(x, y) for x, y in zip(busy["x"], busy["y"], strict=True)]
    at_them = base.reports[["x", "y"]].apply(tuple, axis=1).isin(set(zip(busy["x"], busy["y"], strict=True)))
    for name, result in (("with the rule", base), ("without it", without)):
        shapes = result.zones.to_crs(inputs.grid.crs).geometry.to_numpy()
        there = [int(shapely.dwithin(shapes, hall, 250.0).sum()) for hall in halls]
        print(
            f"{name}: {len(shapes)} zones, {int(result.zones['n_incidents'].sum())} incidents and "
            f"{int(result.zones['n_reports'].sum())} reports in them; zones within 250 m of those coordinates: {there}"
        )
        own = result.cells[result.cells["cell"].isin(base.reports.loc[at_them, "cell"])]
        shown = ["reports_total", "reports_street_light", "incidents_lighting", "lighting_score", "lighting_gi_q"]
        print(f"  their cells: {own[shown].round(3).to_dict('records')}")
    default = base.reports["quality"].fillna("").str.contains("default_location")
    kept = snapshot[~snapshot["report_id"].isin(base.reports.loc[default, "report_id"])]
    for together, how in ((True, "coordinate by coordinate"), (False, "one by one, without the default locations")):
        start = snapshot if together else kept
        found = [
            agreement(
                base.zone_of_report, run(settings, inputs, moved(start, inputs.grid.crs, seed, together)).zone_of_report
            )
            for seed in SEEDS
        ]
        print(
            f"adjusted Rand, moved {MOVED_M:g} m {how}: {np.median(found):.3f} ({min(found):.3f} to {max(found):.3f})"
        )


if __name__ == "__main__":
    main()
