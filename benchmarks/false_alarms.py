"""How often chance alone is called significant, and how often a planted outage is: zones of lighting and of floods.

    python benchmarks/false_alarms.py                # 200 cities a row
    python benchmarks/false_alarms.py --cities 20

Lighting. Cities of 3 by 3 km whose streets, some 120 m apart, carry a lamp every 30 m, 8 to 14 neighbours on a panel;
4 % of the lamps are dark and told of by chance: evenly, by a propensity that differs from lamp to lamp (gamma of shape
0.3) or between squares (lognormal, sigma 0.8, of 1 km or of 500 m). Each is told of once, or in bursts: half of them
3.5 times on average, each report 8 m off in either axis; reports within 20 m merged as in a run, or not merged;
snapped to the fewest lamps within 20 m, or to the nearest within 30 m. The scan knows nothing of the propensity, or the
district, or a background: other reports, 2 or 0.2 a lamp, that know the same propensity. Zones are DBSCAN clusters of
dark lamps within three spacings, at least three. Printed: share of cities with any zone of p ≤ 0.05.

Power. The same cities with dark panels planted, of whose lamps a share is told of: how often a planted panel lies in a
zone, how often in one of p ≤ 0.05, and how many zones without a planted lamp have p ≤ 0.05.

Floods. Cities of 6 by 6 km in cells 350 m apart: incidents by exposure (`even`), a propensity that differs from cell to
cell (`cells`, gamma of shape 0.5), `bursts` of two and four in a cell, `districts` of 1.5 km; zones are touching cells
that hold incidents of a DBSCAN cluster (250 m, at least three), p as `hexakota run` gives it. `districts, background`
is corrected by another category's reports, which know the same propensity; in `districts, known` cells change places
within their district, which `hexakota run` does not do.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from scipy.stats import binom

from spatial.hexgrid.clusters import connected_cells, dbscan
from spatial.hexgrid.scan import ScanParameters, expected_within, strata_within, zone_p_values
from spatial.lighting.lamps import snap, spacing_m
from spatial.lighting.significance import SignificanceParameters, fewest_lamps, lighting_zone_p_values, reporting_habit
from spatial.sources.cleaning import CleaningParameters, duplicates

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
ALPHA = 0.05
DARK_SHARE = 0.04
CLEANING = CleaningParameters()


@dataclass(frozen=True, slots=True)
class Kind:
    """What a city's reports are like, and what the scan is told.

    `square_m`: side of the districts, 0 for none; `lamps`: propensity from lamp to lamp; `known`: the scan knows the
    districts; `others`: it knows so many other reports a lamp.
    """

    square_m: float = 0.0
    lamps: bool = False
    burst: str = "once"
    nearest: bool = False
    known: bool = False
    others: float = 0.0


KINDS = {
    "even": Kind(),
    "from lamp to lamp": Kind(lamps=True),
    "districts of 1 km": Kind(1000.0),
    "districts of 1 km, 2 other reports a lamp": Kind(1000.0, others=2.0),
    "districts of 1 km, 0.2 other reports a lamp": Kind(1000.0, others=0.2),
    "districts of 1 km, known": Kind(1000.0, known=True),
    "districts of 500 m": Kind(500.0),
    "districts of 500 m, 2 other reports a lamp": Kind(500.0, others=2.0),
    "districts of 500 m, 0.2 other reports a lamp": Kind(500.0, others=0.2),
    "districts of 500 m, known": Kind(500.0, known=True),
    "bursts, nearest lamp": Kind(burst="merged", nearest=True),
    "bursts": Kind(burst="merged"),
    "unmerged bursts, nearest lamp": Kind(burst="unmerged", nearest=True),
    "unmerged bursts": Kind(burst="unmerged"),
    "districts of 1 km, known, bursts": Kind(1000.0, burst="merged", known=True),
}


@dataclass(frozen=True, eq=False, slots=True)
class City:
    """Lamps of a city: (n, 2) metres, and the panel of each."""

    lamps: Array
    panel: Ints


def city(rng: np.random.Generator, side_m: float = 3000.0) -> City:
    """Return lamps along a grid of streets, in order along each, with their panels."""
    lamps, panels, first = [], [], 0
    for axis in (0, 1):
        for across in np.arange(60.0, side_m, 120.0) + rng.uniform(-25, 25, int(side_m // 120)):
            along = np.arange(rng.uniform(5, 30), side_m, 30.0)
            along += rng.uniform(-2, 2, len(along))
            street = np.column_stack([along, across + rng.uniform(-1, 1, len(along))])
            lamps.append(street[:, ::-1] if axis else street)
            sizes = rng.integers(8, 15, len(along) // 8 + 1)
            panel = np.repeat(np.arange(len(sizes)), sizes)[: len(along)] + first
            panels.append(panel)
            first = int(panel.max()) + 1
    return City(np.concatenate(lamps), np.concatenate(panels))


def districts(points: Array, rng: np.random.Generator, side_m: float, sigma: float = 0.8) -> tuple[Ints, Array]:
    """Return the square of each point and its propensity, lognormal between squares of a side."""
    column, row = np.floor(points / side_m + rng.uniform(0, 1, 2)).astype(np.int64).T
    district = np.asarray(row * (column.max() + 1) + column, dtype=np.int64)
    return district, np.exp(rng.normal(-(sigma**2) / 2, sigma, district.max() + 1))[district]


def propensity(where: City, kind: Kind, rng: np.random.Generator) -> tuple[Ints, Array]:
    """Return the district of each lamp and how readily it is told of."""
    n = len(where.lamps)
    if kind.square_m:
        return districts(where.lamps, rng, kind.square_m)
    return np.zeros(n, dtype=np.int64), rng.gamma(0.3, 1 / 0.3, n) if kind.lamps else np.ones(n)


def background(where: City, keen: Array, per_lamp: float, rng: np.random.Generator) -> Array:
    """Return how readily people report, as told by other reports, so many a lamp, each beside a lamp."""
    other = np.repeat(where.lamps, rng.poisson(per_lamp * keen / keen.mean()), axis=0)
    return reporting_habit(other, where.lamps)


def told_of(where: City, out: NDArray[np.bool_], kind: Kind, rng: np.random.Generator) -> Ints:
    """Return which lamps the reports about those that are out make dark; (n,) 0 or 1."""
    if kind.burst == "once":
        return out.astype(np.int64)
    many = np.where(rng.random(out.sum()) < 0.5, 1, 1 + rng.geometric(0.4, out.sum()))
    reports = np.repeat(where.lamps[out], many, axis=0)
    reports = reports + rng.normal(0.0, 8.0, reports.shape)
    if kind.burst == "merged":
        same = ["street_light"] * len(reports)
        first = duplicates(reports, same, np.zeros(len(reports)), [f"{i:06d}" for i in range(len(reports))], CLEANING)
        reports = reports[np.unique(first)]
    met = (
        snap(reports, where.lamps, 30.0)
        if kind.nearest
        else fewest_lamps(reports, where.lamps, CLEANING.duplicate_distance_m)
    )
    dark = np.zeros(len(where.lamps), dtype=np.int64)
    dark[met[met >= 0]] = 1
    return dark


def zones_of(where: City, dark: Ints) -> Ints:
    """Return the zone of each lamp, -1 for none: DBSCAN of the dark lamps, as `spatial.lighting.outages` draws it."""
    zone = np.full(len(dark), -1, dtype=np.int64)
    shining = np.flatnonzero(dark)
    zone[shining] = dbscan(where.lamps[shining], 3.0 * spacing_m(where.lamps, 30.0), 3)
    return zone


def judged(
    where: City, kind: Kind, tripped: NDArray[np.bool_], rng: np.random.Generator, replicates: int, seed: int
) -> tuple[Ints, Array]:
    """Return the zone of each lamp and the p of each zone; `tripped` lamps are told of beside those by chance."""
    district, keen = propensity(where, kind, rng)
    out = rng.random(len(keen)) < np.minimum(DARK_SHARE * keen / keen.mean(), 0.9)
    dark = told_of(where, out | tripped, kind, rng)
    zone = zones_of(where, dark)
    expected = background(where, keen, kind.others, rng) if kind.others else np.ones(len(dark))
    told = district if kind.known else np.zeros(len(dark), dtype=np.int64)
    parameters = SignificanceParameters(replicates=replicates)
    return zone, lighting_zone_p_values(dark, expected, where.lamps, zone, told, parameters, seed)


def lighting_p(kind: Kind, seed: int, replicates: int, side_m: float = 3000.0) -> Array:
    """Return the p of each zone of a city in which nothing but chance, reporting and bursts are at work."""
    rng = np.random.default_rng([seed, 1])
    where = city(rng, side_m)
    return judged(where, kind, np.zeros(len(where.lamps), dtype=bool), rng, replicates, seed)[1]


def allowed(cities: int, level: float = 0.99) -> int:
    """Return how many of so many cities may be called with a probability of `level`, if each is with ALPHA."""
    return int(binom.ppf(level, cities, ALPHA))


def false_alarms(cities: int, replicates: int) -> None:
    """Print the share of cities with any zone called, by kind."""
    print(f"\n## Lighting: cities with any zone of p ≤ 0.05; at most {allowed(cities) / cities:.1%} may be (99 %)\n")
    print("| city | zones | called |\n|---|---|---|")
    for name, kind in KINDS.items():
        p = [lighting_p(kind, seed, replicates) for seed in range(cities)]
        called = sum((city_p <= ALPHA).any() for city_p in p)
        print(f"| {name} | {np.mean([len(city_p) for city_p in p]):.0f} | {called / cities:.1%} |", flush=True)


def power_of(kind: Kind, planted: int, told: float, seed: int, replicates: int) -> tuple[int, int, int]:
    """Return, of planted panels, how many lie in a zone and in a significant one; and false significant zones."""
    rng = np.random.default_rng([seed, 2])
    where = city(rng)
    panels = rng.choice(where.panel.max() + 1, planted, replace=False)
    in_panel = np.isin(where.panel, panels)
    zone, p = judged(where, kind, in_panel & (rng.random(len(in_panel)) < told), rng, replicates, seed)
    over = [np.unique(zone[(where.panel == panel) & (zone >= 0)]) for panel in panels]
    false = np.setdiff1d(np.flatnonzero(p <= ALPHA), zone[in_panel])
    return sum(len(z) > 0 for z in over), sum(bool((p[z] <= ALPHA).any()) for z in over), len(false)


def power(cities: int, replicates: int) -> None:
    """Print how often planted panels are found significant."""
    print("\n## Lighting: planted dark panels of 8–14 lamps\n")
    print("| city | planted | told of | in a zone | in one of p ≤ 0.05 | other zones of p ≤ 0.05, a city |")
    print("|---|---|---|---|---|---|")
    for name in ("even", "districts of 1 km, known", "bursts", "bursts, nearest lamp"):
        for planted, told in ((1, 1.0), (5, 1.0), (15, 1.0), (5, 0.6), (5, 0.3)):
            rows = [power_of(KINDS[name], planted, told, seed, replicates) for seed in range(cities)]
            held, found, false = np.sum(rows, axis=0)
            n = planted * cities
            row = f"| {name} | {planted} | {told:.0%} | {held / n:.0%} | {found / n:.0%} | {false / cities:.2f} |"
            print(row, flush=True)


def flood_p(kind: str, seed: int, parameters: ScanParameters) -> Array:
    """Return the p of each flood zone of a city in which nothing but chance, reporting and bursts are at work."""
    rng = np.random.default_rng([seed, 3])
    y, x = np.mgrid[:20, :17].astype(float)
    cells = np.column_stack([(x + 0.5 * (y % 2)).ravel(), (y * np.sqrt(0.75)).ravel()]) * 350.0
    roads = rng.gamma(4.0, 1.0, len(cells)) + 0.1
    district, keen = districts(cells, rng, 1500.0)
    keen = keen if kind.startswith("districts") else np.ones(len(cells))
    keen = rng.gamma(0.5, 2.0, len(cells)) if kind == "cells" else keen
    likely = 0.9 * len(cells) * roads * keen / (roads * keen).sum()
    told = ((1, 0.4), (2, 0.3), (4, 0.3)) if kind == "bursts" else ((1, 1.0),)
    counts = np.sum([m * rng.poisson(likely * share / m) for m, share in told], axis=0)
    background = kind == "districts, background"
    exposure = np.asarray(rng.poisson(10.0 * likely) + 0.1 if background else roads, dtype=float)
    of_point = np.repeat(np.arange(len(cells)), counts)
    points = cells[of_point] + rng.uniform(-150, 150, (len(of_point), 2))
    seeds = np.zeros(len(cells), dtype=bool)
    seeds[of_point[dbscan(points, 250.0, 3) >= 0]] = True
    tree = cKDTree(cells)
    touching = csr_array(tree.sparse_distance_matrix(tree, 360.0, output_type="coo_matrix"))
    stratum = None
    if kind == "districts, known":
        exposure = expected_within(counts, exposure, district, 10.0)
        stratum = strata_within(roads, district, parameters.stratum_cells)
    return zone_p_values(counts, exposure, cells, connected_cells(seeds, touching), parameters, seed, stratum)


def flood_alarms(cities: int) -> None:
    """Print the share of cities with any flood zone called, by kind."""
    print("\n## Floods: cities with any zone of p ≤ 0.05\n\n| city | zones | called |\n|---|---|---|")
    for kind in ("even", "cells", "bursts", "districts", "districts, background", "districts, known"):
        p = [flood_p(kind, seed, ScanParameters()) for seed in range(cities)]
        called = sum((city_p <= ALPHA).any() for city_p in p)
        print(f"| {kind} | {np.mean([len(city_p) for city_p in p]):.0f} | {called / cities:.1%} |", flush=True)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cities", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=199)
    arguments = parser.parse_args()
    print("# False alarms\n\nPrinted by `python benchmarks/false_alarms.py`:", end=" ")
    print(f"{arguments.cities} cities, {arguments.replicates} replicates.", flush=True)
    false_alarms(arguments.cities, arguments.replicates)
    flood_alarms(arguments.cities)
    power(max(arguments.cities // 4, 1), arguments.replicates)


if __name__ == "__main__":
    main()
