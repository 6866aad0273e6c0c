"""One tripped panel, or lamps that failed on their own? Scored where the truth was planted.

    python benchmarks/circuits.py                  # simulated cities 201–300, sample cities 101–110
    python benchmarks/circuits.py --tune           # simulated cities 1–100, sample cities 1–5: these chose the defaults
    python benchmarks/circuits.py --cities 5       # fewer of each

The simulated city shares no code with the model and differs from it in most of its assumptions: streets with side
streets; lamps of both kinds mixed; panels of 6 to 160 lamps, some that take in a side street; the share of lamps that
is reported differs from city to city (0.2–0.8) and from street to street; delays are log-normal, not exponential;
repeated and false reports; single lamps that fail more often in old streets; in half of the cities a storm that breaks
single lamps of one quarter on one day; repairs that nobody records. Zones are groups of three reported lamps or more
within 2.5 spacings of each other as the crow flies (scikit-learn's DBSCAN); neighbours likewise.

A zone's truth is the cause of most of its reported lamps that are dark. Printed: precision where the probability's
threshold gives recall 0.8 and 0.9 of circuits; the share of zones of independent failures, and of independently dark
lamps, that are called a circuit; the probability in bins beside the share that is a circuit (Wilson's 95 % interval),
log-loss and Brier score, before and after tempering; and the adjusted Rand index of inferred against planted panels
over the zones' dark lamps, with and without the inventory's panels.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from scipy.special import expit
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from spatial.lighting.circuits import Cause, CircuitParameters, ZoneEvidence, cause_of_zone, lamps_around
from spatial.lighting.rates import CityRates, RateParameters, city_rates
from spatial.sample import write_sample_city

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
TUNING, SCORING = range(1, 101), range(201, 301)
SAMPLE_TUNING, SAMPLE_SCORING = range(1, 6), range(101, 111)
LINK_SPACINGS = 2.5


@dataclass(frozen=True, eq=False, slots=True)
class Town:
    """Lamps, what is reported of them, and the truth: `fault` numbers the trip or single failure, -1 where it burns."""

    xy: Array
    lamp_id: NDArray[np.object_]
    wired: Bools
    panel: Ints
    listed: Bools
    fault: Ints
    tripped: Bools
    reported: Array
    days: Array
    n_reports: Ints


# The simulator. It knows nothing of the model.


def _streets(rng: np.random.Generator) -> tuple[Array, Ints]:
    """Return lamps in order along streets, some with side streets, and the street of each."""
    points, street = [], []
    for number in range(int(rng.integers(25, 45))):
        start, angle = rng.uniform(0, 6000, 2), rng.uniform(0, 2 * np.pi)
        spacing = rng.uniform(20, 40)
        heading = angle + np.cumsum(rng.normal(0, 0.05, int(rng.integers(15, 120))))
        main = start + np.cumsum(spacing * np.column_stack([np.cos(heading), np.sin(heading)]), axis=0)
        points.append(main)
        street.append(np.full(len(main), number))
        if rng.random() < 0.5:
            at, turn = int(rng.integers(3, len(main) - 3)), heading[0] + np.pi / 2
            steps = np.arange(1, int(rng.integers(5, 30)))[:, None]
            side = main[at] + spacing * steps * [np.cos(turn), np.sin(turn)]
            points.append(side)
            street.append(np.full(len(side), number))
    return np.concatenate(points), np.concatenate(street)


def _panels(xy: Array, street: Ints, rng: np.random.Generator) -> Ints:
    """Return the panel of each lamp: pieces of a street of 6 to 160 lamps, or of a street with its side street."""
    panel, number, kind = np.empty(len(xy), np.int64), 0, rng.random()
    for s in np.unique(street):
        lamps = np.flatnonzero(street == s)
        if rng.random() < 0.3:  # fed from the middle: the nearest as the crow flies hang together
            lamps = lamps[np.argsort(np.hypot(*(xy[lamps] - xy[lamps[0]]).T), kind="stable")]
        while len(lamps):
            large = rng.random() < kind
            size = int(np.clip(rng.lognormal(np.log(60), 0.6), 10, 160) if large else rng.integers(6, 16))
            panel[lamps[:size]], lamps, number = number, lamps[size:], number + 1
    return panel


def _failures(town: Town, street: Ints, rng: np.random.Generator) -> tuple[Ints, Bools, Array]:
    """Return for each lamp its fault (-1: burns), whether a panel tripped, and days since."""
    n, panels = len(town.xy), int(town.panel.max()) + 1
    old = rng.gamma(0.7, 1 / 0.7, int(street.max()) + 1)[street]
    broken = rng.random(n) < rng.uniform(0.02, 0.08) * old
    days = rng.exponential(rng.uniform(20, 60), n)
    if rng.random() < 0.5:
        hit = np.hypot(*(town.xy - town.xy[rng.integers(n)]).T) < rng.uniform(300, 1200)
        hit &= rng.random(n) < rng.uniform(0.05, 0.3)
        days[hit] = rng.uniform(1, 40) + rng.uniform(0, 0.5, int(hit.sum()))
        broken |= hit
    fault = np.where(broken, np.arange(n), -1)
    out = np.isin(town.panel, np.flatnonzero(rng.random(panels) < rng.uniform(0.01, 0.05)))
    tripped = out & town.wired
    since = rng.uniform(1, 60, panels)[town.panel]
    return np.where(tripped, n + town.panel, fault), tripped, np.where(tripped, since, days)


def _told(town: Town, street: Ints, since: Array, rng: np.random.Generator) -> tuple[Array, Array, Ints]:
    """Return who is reported (0/1), the age of the first report, and reports per open incident."""
    n = len(town.xy)
    eager = np.clip(rng.uniform(0.2, 0.8) * rng.gamma(4.0, 0.25, int(street.max()) + 1), 0.02, 0.97)[street]
    count = rng.poisson(-np.log1p(-eager))
    median, spread = rng.uniform(2, 10), rng.uniform(0.5, 1.2)
    first = np.full(n, -np.inf)
    kept = np.zeros(n, np.int64)
    for lamp in np.flatnonzero((town.fault >= 0) & (count > 0)):
        age = since[lamp] - rng.lognormal(np.log(median), spread, count[lamp])
        kept[lamp] = (age > 0).sum() + rng.poisson(0.3) * bool((age > 0).any())
        first[lamp] = age.max()
    stale = np.flatnonzero((kept == 0) & (rng.random(n) < 0.003))  # mended, and nobody said so; or never dark
    kept[stale], first[stale] = 1, rng.uniform(0, 120, len(stale))
    return (kept > 0).astype(float), np.where(kept > 0, first, np.nan), kept[kept > 0]


def simulated(seed: int) -> Town:
    """Return a simulated town."""
    rng = np.random.default_rng(seed)
    xy, street = _streets(rng)
    n = len(xy)
    solar_street = rng.random(int(street.max()) + 1) < rng.uniform(0, 0.4)
    wired = ~(solar_street[street] | (rng.random(n) < rng.choice([0.0, 0.1])))
    panel = _panels(xy, street, rng)
    listed = (rng.random(int(panel.max()) + 1) < rng.choice([0.0, 0.6]))[panel] & wired
    names = np.array([f"L{i:05d}" for i in rng.permutation(n)], dtype=object)
    nothing = np.zeros(n)
    town = Town(xy, names, wired, panel, listed, np.full(n, -1), wired, nothing, nothing, panel)
    fault, tripped, since = _failures(town, street, rng)
    town = replace(town, fault=fault, tripped=tripped)
    reported, days, n_reports = _told(town, street, since, rng)
    return replace(town, reported=reported, days=days, n_reports=n_reports)


def sample(seed: int) -> Town:
    """Return the product's sample city of a seed, as its pipeline would see it: open reports, snapped within 30 m."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "city"
        write_sample_city(folder, seed)
        lamps = gpd.read_file(folder / "data/lampu.geojson")
        truth = pd.read_csv(folder / "truth/lamps.csv", dtype={"lamp_id": str}).set_index("lamp_id")
        about = pd.read_csv(folder / "truth/reports.csv")
        told = pd.read_csv(folder / "data/laporan.csv").merge(about, left_on="id", right_on="report_id")
    truth = truth.loc[lamps["lamp_id"]]
    lamps = lamps.to_crs(lamps.estimate_utm_crs())
    xy = lamps.get_coordinates().to_numpy()
    lit = (told["category"] == "street_light") & (told["status"] != "selesai")
    told = told[lit & ~told["kind"].isin(["wrong_row", "default_point"])].copy()
    time = pd.to_datetime(told["waktu"])
    days = ((pd.Timestamp("2024-12-31 23:59:59") - time).dt.total_seconds() / 86400).to_numpy()
    points = gpd.GeoSeries(gpd.points_from_xy(told["bujur"].astype(float), told["lintang"].astype(float)), crs=4326)
    distance, lamp = cKDTree(xy).query(points.to_crs(lamps.crs).get_coordinates().to_numpy())
    lamp, days = lamp[distance <= 30], days[distance <= 30]
    first = np.full(len(xy), -np.inf)
    np.maximum.at(first, lamp, days)
    count = np.bincount(lamp, minlength=len(xy))
    panel = pd.factorize(truth["panel_id"])[0].astype(np.int64)
    tripped = (truth["cause"] == "circuit").to_numpy()
    fault = np.where(truth["failed"].to_numpy(bool), np.where(tripped, len(xy) + panel, np.arange(len(xy))), -1)
    stale = mended_trips(about, told, list(lamps["lamp_id"]))
    fault, tripped = np.where(stale >= 0, 2 * len(xy) + stale, fault), tripped | (stale >= 0)
    listed = lamps["panel_id"].notna().to_numpy()
    wired, names = np.ones(len(xy), dtype=bool), lamps["lamp_id"].to_numpy(object)
    seen, age = (count > 0).astype(float), np.where(count > 0, first, np.nan)
    return Town(xy, names, wired, panel, listed, fault, tripped, seen, age, count[count > 0])


def mended_trips(about: pd.DataFrame, told: pd.DataFrame, lamp_ids: list[str]) -> Ints:
    """Return for each lamp the trip that its open report is about although it was mended and nobody recorded it, or -1.

    Reports are about a trip where reports of several lamps name one outage.
    """
    names = about["true_incident"].str.extract(r"^pju-(?P<lamp>.+)-(?P<outage>\d+)$").dropna()
    several = names.groupby("outage")["lamp"].nunique()
    open_ = told["true_incident"].str.extract(r"^pju-(?P<lamp>.+)-(?P<outage>\d+)$").dropna()
    open_ = open_[open_["outage"].map(several) > 1].drop_duplicates("lamp").set_index("lamp")
    return np.asarray(open_["outage"].astype(int).reindex(lamp_ids, fill_value=-1), dtype=np.int64)


# The product, on a town.


def spacing_of(xy: Array) -> float:
    """Return the median distance to the nearest lamp, metres."""
    return float(np.median(cKDTree(xy).query(xy, k=2)[0][:, 1]))


def neighbours(xy: Array) -> csr_array:
    """Return the distances between lamps within `LINK_SPACINGS`, as the crow flies."""
    tree = cKDTree(xy)
    return csr_array(tree.sparse_distance_matrix(tree, LINK_SPACINGS * spacing_of(xy), output_type="coo_matrix"))


def panel_names(town: Town) -> NDArray[np.object_]:
    """Return the inventory's panel of each lamp, None where it has none."""
    return np.array([f"P{p}" if listed else None for p, listed in zip(town.panel, town.listed, strict=True)], object)


@dataclass(frozen=True, eq=False, slots=True)
class Judged:
    """A zone, its truth and its cause; `lamps`: its reported lamps, `members`: the circuit's; positions in the city."""

    lamps: Ints
    circuit: bool
    cause: Cause
    members: Ints


def judged(town: Town, rates: RateParameters, parameters: CircuitParameters, with_panels: bool) -> list[Judged]:
    """Return the zones of a town with their causes."""
    spacing, near = spacing_of(town.xy), neighbours(town.xy)
    panel_id = panel_names(town) if with_panels else np.full(len(town.xy), None, dtype=object)
    dark = np.flatnonzero(town.reported > 0)
    labels = DBSCAN(eps=LINK_SPACINGS * spacing, min_samples=3).fit_predict(town.xy[dark])
    zones = np.full(len(town.xy), -1, dtype=np.int64)
    zones[dark] = labels
    usual = city_rates(town.reported, town.days, (zones < 0).astype(float), town.n_reports, panel_id, rates)
    return [
        _judge(town, number, zones, near, panel_id, spacing, usual, parameters)
        for number in range(labels.max(initial=-1) + 1)
    ]


def _judge(
    town: Town,
    number: int,
    zones: Ints,
    near: csr_array,
    panel_id: NDArray[np.object_],
    spacing: float,
    rates: CityRates,
    parameters: CircuitParameters,
) -> Judged:
    zone = np.flatnonzero(zones == number)
    lamps = lamps_around(zone, near, panel_id, 12 * spacing)
    evidence = ZoneEvidence(
        town.lamp_id[lamps],
        near[lamps][:, lamps],
        zones[lamps] == number,
        town.reported[lamps],
        town.days[lamps],
        town.wired[lamps],
        panel_id[lamps],
    )
    cause = cause_of_zone(evidence, rates, parameters)
    really = town.tripped[zone][town.fault[zone] >= 0]
    return Judged(zone, bool(really.mean() > 0.5) if len(really) else False, cause, lamps[cause.members])


# Scores.


def wilson(hits: float, total: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    if total == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return float(middle - half), float(middle + half)


def precision_at(probability: Array, truth: Bools, recall: float) -> tuple[float, float, float]:
    """Return precision at the highest threshold that reaches the recall, and its Wilson interval."""
    threshold = np.sort(probability[truth])[::-1][int(np.ceil(recall * truth.sum())) - 1]
    taken = probability >= threshold
    hits = float(truth[taken].sum())
    return hits / float(taken.sum()), *wilson(hits, float(taken.sum()))


def rand_index(town: Town, zones: list[Judged]) -> float:
    """Return the adjusted Rand index of inferred against planted faults, over the zones' lamps that are dark."""
    lamps = np.concatenate([z.lamps for z in zones])
    lamps = lamps[town.fault[lamps] >= 0]
    group = {int(lamp): f"alone {lamp}" for lamp in lamps}
    for number, zone in enumerate(zones):
        group |= {int(lamp): f"panel {zone.cause.panel_id} {number}" for lamp in zone.members if int(lamp) in group}
    return float(adjusted_rand_score(town.fault[lamps], [group[int(lamp)] for lamp in lamps]))


def report(name: str, towns: list[Town], found: list[list[Judged]]) -> None:
    """Print the figures."""
    zones = [zone for city in found for zone in city]
    p = np.array([zone.cause.circuit_probability for zone in zones])
    truth = np.array([zone.circuit for zone in zones])
    named = np.array([zone.cause.cause for zone in zones])
    print(f"\n{name}: {len(zones)} zones, {truth.sum()} of a circuit")
    for recall in (0.8, 0.9):
        precision, low, high = precision_at(p, truth, recall)
        print(f"  precision at recall {recall:.1f}: {precision:.3f} ({low:.3f}–{high:.3f})")
    false = (named == "circuit") & ~truth
    low, high = wilson(float(false.sum()), float((~truth).sum()))
    print(f"  zones of independent failures called a circuit: {false.sum()} of {(~truth).sum()} ({low:.3f}–{high:.3f})")
    print(
        f"  circuits called so {np.mean(named[truth] == 'circuit'):.3f},"
        f" unknown {np.mean(named[truth] == 'unknown'):.3f};"
        f" independent called so {np.mean(named[~truth] == 'independent'):.3f}"
    )
    lamps, blamed = _blamed(towns, found)
    low, high = wilson(blamed, lamps)
    print(f"  reported lamps dark on their own, put on a circuit: {blamed} of {lamps} ({low:.3f}–{high:.3f})")
    _reliability("as published", p, truth)
    log_odds = np.array([sum(zone.cause.log_odds.values()) for zone in zones])
    _reliability("before tempering", expit(log_odds / CircuitParameters().tempering), truth)
    scores = [rand_index(town, city) for town, city in zip(towns, found, strict=True) if city]
    print(f"  adjusted Rand, mean over cities: {np.mean(scores):.3f} (least {np.min(scores):.3f})")


def _reliability(name: str, p: Array, truth: Bools) -> None:
    q = np.clip(p, 1e-6, 1 - 1e-6)
    loss = -np.mean(np.where(truth, np.log(q), np.log(1 - q)))
    print(f"  {name}: log-loss {loss:.3f}, Brier {np.mean((p - truth) ** 2):.3f}")
    for low, high in pairwise([0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]):
        inside = (p >= low) & ((p < high) | (high == 1.0))
        if inside.any():
            band = wilson(float(truth[inside].sum()), float(inside.sum()))
            held = "" if band[0] <= p[inside].mean() <= band[1] else ", outside"
            share = f"{truth[inside].mean():.3f} ({band[0]:.3f}–{band[1]:.3f})"
            print(f"    said {p[inside].mean():.3f}: circuits {share} of {inside.sum()}{held}")


def _blamed(towns: list[Town], found: list[list[Judged]]) -> tuple[int, int]:
    lamps = blamed = 0
    for town, city in zip(towns, found, strict=True):
        own = np.flatnonzero((town.fault >= 0) & ~town.tripped & (town.reported > 0))
        members = np.concatenate([*(zone.members for zone in city), np.empty(0, np.int64)])
        lamps, blamed = lamps + len(own), blamed + int(np.isin(own, members).sum())
    return lamps, blamed


def cities(draw: Callable[[int], Town], seeds: range, count: int | None) -> Iterator[Town]:
    """Yield the towns of the first `count` seeds."""
    for seed in list(seeds)[:count]:
        yield draw(seed)


def main() -> None:
    """Print the figures of simulated and sample cities."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--cities", type=int)
    told = parser.parse_args()
    plan = {
        "simulated": (simulated, TUNING if told.tune else SCORING),
        "sample": (sample, SAMPLE_TUNING if told.tune else SAMPLE_SCORING),
    }
    for name, (draw, seeds) in plan.items():
        towns = list(cities(draw, seeds, told.cities))
        for with_panels in (False, True):
            found = [judged(town, RateParameters(), CircuitParameters(), with_panels) for town in towns]
            report(f"{name}, {'with' if with_panels else 'without'} the inventory's panels", towns, found)


if __name__ == "__main__":
    main()
