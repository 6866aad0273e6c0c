"""Reporting rates and silence on simulated cities whose reporting is known.

    python benchmarks/silence.py                        # seeds from 2000 on, which were not looked at in development
    python benchmarks/silence.py --first 0 --seeds 8    # seeds of development
    python benchmarks/silence.py --only bursts hidden   # some of the rows

A simulated city has 480 cells on a hexagonal lattice, of gamma exposure (shape 2). Each city draws its own settings:
the middle cell's reporting rate 0.15 to 0.8, standard deviation of log lambda 0.4 to 1.1 and of log incidence 0.3 to
0.9, and of either a share of 0 to 1 that is smooth over some three cells; the rest is each cell's own. An incident's
reports are Poisson in the rows "alike"; in the first five their rate differs from incident to incident by a gamma
factor, of a variance that is drawn from 0 to 1 for each city. The other rows break an assumption, at 3 seen incidents
per cell. Printed are means over the cities: `covered`, share of cells whose true rate the 90 % interval holds, with its
standard error over cities; width of the interval over that of the prior (before any data) and over that of the city's
(before the cell's own data); bias; rank correlation with the truth; in cells without reports the mean `silence`, the
share that had an incident, and the Brier score of the first for the second beside that of the share alone; the share of
cities with a warning; and seconds of CPU.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array
from scipy.stats import spearmanr

from spatial.hexgrid.reporting import prior_interval
from spatial.hexgrid.silence import reporting_silence

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Generator = np.random.Generator
ROWS, COLUMNS = 24, 20
N = ROWS * COLUMNS


@dataclass(frozen=True, slots=True)
class World:
    """What a simulated city is like; ranges are drawn from anew for each city."""

    per_cell: float = 3.0
    rings: int = 1
    two_levels: bool = False  # a fifth of the cells reports an eighth as often, the others alike
    correlation: float = 0.0  # between log lambda and log incidence
    between_incidents: float | None = 0.0  # variance of the gamma factor of each incident's reports; None: 0 to 1
    categories: tuple[float, ...] = (1.0,)  # factors of lambda, in shares that differ between cells
    exposure_error: float = 0.0  # standard deviation of the log of the exposure that is told
    hide: Callable[[Ints, Generator], Ints] = lambda reports, rng: reports


def burst(reports: Ints, rng: Generator) -> Ints:
    """Return the reports of incidents of which 2 in 100 are spectacular: some 30 reports more."""
    return reports + rng.poisson(30.0, len(reports)) * (rng.random(len(reports)) < 0.02)


def merged(reports: Ints, rng: Generator) -> Ints:
    """Return the reports of a cell's incidents, of which one in ten is taken for another one."""
    seen = reports[reports > 0]
    into = np.where(rng.random(len(seen)) < 0.1, rng.integers(0, max(len(seen), 1), len(seen)), np.arange(len(seen)))
    return np.bincount(into, weights=seen, minlength=1).astype(np.int64)


def half_hidden(reports: Ints, rng: Generator) -> Ints:
    """Return the reports of incidents of whose repeats every second one is not told."""
    return np.asarray(np.minimum(reports, 1) + rng.binomial(np.maximum(reports - 1, 0), 0.5))


WORLDS: dict[str, World] = {
    "0.3 per cell": World(0.3, between_incidents=None),
    "1 per cell": World(1.0, between_incidents=None),
    "3 per cell": World(3.0, between_incidents=None),
    "10 per cell": World(10.0, between_incidents=None),
    "30 per cell": World(30.0, between_incidents=None),
    "0.3, alike": World(0.3),
    "1, alike": World(1.0),
    "3, alike": World(3.0),
    "10, alike": World(10.0),
    "30, alike": World(30.0),
    "two rings": World(rings=2),
    "two levels": World(two_levels=True),
    "incidents differ": World(between_incidents=1.0),
    "bursts": World(hide=burst),
    "categories": World(categories=(0.25, 1.0, 4.0)),
    "poor areas": World(correlation=-0.7),
    "keen areas": World(correlation=0.7),
    "exposure wrong": World(exposure_error=0.7),
    "merged": World(hide=merged),
    "half hidden": World(
        hide=lambda reports, rng: np.minimum(reports, 1) + rng.binomial(np.maximum(reports - 1, 0), 0.5)
    ),
    "at most two": World(hide=lambda reports, rng: np.minimum(reports, 2)),
    "hidden": World(hide=lambda reports, rng: np.minimum(reports, 1)),
}


@dataclass(frozen=True, eq=False, slots=True)
class Simulated:
    """A city: seen incidents by reports (n, 4), exposure, the true share reported, incidents that happened."""

    by_reports: Array
    exposure: Array
    rate: Array
    incidents: Ints


def lattice(rings: int) -> csr_array:
    """Return the 0/1 matrix of the cells within some rings of each cell of a hexagonal lattice."""
    row, column = np.divmod(np.arange(N), COLUMNS)
    slanted = column - (row - row % 2) // 2
    across, down = slanted[:, None] - slanted, row[:, None] - row
    return csr_array(((abs(across) + abs(down) + abs(across + down)) // 2 <= rings).astype(float))


def field(rng: Generator) -> Array:
    """Return a standard normal field, of which a random share is smooth."""
    smooth = gaussian_filter(rng.normal(size=(ROWS, COLUMNS)), 1.5, mode="wrap").ravel()
    share = rng.random()
    return np.asarray(np.sqrt(share) * smooth / smooth.std() + np.sqrt(1.0 - share) * rng.normal(size=N))


def simulate(world: World, seed: int) -> Simulated:
    """Return a city."""
    rng = np.random.default_rng(seed)
    told = rng.gamma(2.0, 1.0, N) + 0.02
    exposure = told * np.exp(world.exposure_error * rng.normal(size=N))
    middle, spread, spread_of_incidence = rng.uniform(0.15, 0.8), rng.uniform(0.4, 1.1), rng.uniform(0.3, 0.9)
    reporting, own = field(rng), field(rng)
    rate = np.exp(spread * reporting)
    if world.two_levels:
        rate = np.where(rng.random(N) < 0.2, 0.125, 1.0)
    rate = rate * -np.log1p(-middle)
    r = world.correlation
    incidence = np.exp(spread_of_incidence * (r * reporting + np.sqrt(1.0 - r**2) * own))
    factors = np.array(world.categories)
    shares = rng.dirichlet(np.full(len(factors), 3.0), N)
    w = rng.random() if world.between_incidents is None else world.between_incidents
    reported = _reported(rate[:, None] * factors, w)
    truth = (shares * reported).sum(axis=1)
    incidence *= world.per_cell * N / (incidence * exposure * truth).sum()
    incidents = rng.poisson(incidence * exposure)
    by_reports = np.zeros((N, 4))
    for cell, count in enumerate(incidents):
        factor = factors[rng.choice(len(factors), count, p=shares[cell])] * (rng.gamma(1 / w, w, count) if w else 1.0)
        reports = world.hide(rng.poisson(rate[cell] * factor), rng)
        by_reports[cell] = np.bincount(np.minimum(reports[reports > 0], 4), minlength=5)[1:]
    return Simulated(by_reports, told, truth, incidents)


def _reported(rate: Array, w: float) -> Array:
    return np.asarray(-np.expm1(-np.log1p(w * rate) / w) if w else -np.expm1(-rate), dtype=float)


def score(city: Simulated, neighbours: csr_array) -> dict[str, float]:
    """Return the figures of one city."""
    start = time.process_time()
    found = reporting_silence(city.by_reports, city.exposure, neighbours)
    width, none = found.high - found.low, city.by_reports.sum(axis=1) == 0
    prior_low, prior_high = prior_interval()
    something, silent = (city.incidents > 0)[none], found.silence[none]
    return {
        "incidents": city.by_reports.sum(),
        "repeated": city.by_reports[:, 1:].sum(),
        "covered": ((found.low <= city.rate) & (city.rate <= found.high)).mean(),
        "of prior": width.mean() / (prior_high - prior_low),
        "of city": width.mean() / (found.city_high - found.city_low),
        "bias": (found.reporting_rate - city.rate).mean(),
        "rank": spearmanr(found.reporting_rate, city.rate).statistic,
        "silence": silent.mean() if none.any() else np.nan,
        "true": something.mean() if none.any() else np.nan,
        "brier": ((silent - something) ** 2).mean() if none.any() else np.nan,
        "of share": something.mean() * (1 - something.mean()) if none.any() else np.nan,
        "warned": len(found.warnings) > 0,
        "seconds": time.process_time() - start,
    }


def simulated(names: list[str], first: int, seeds: int) -> None:
    """Print the table of the simulated cities, row by row."""
    near = {1: lattice(1), 2: lattice(2)}
    for number, name in enumerate(names):
        world = WORLDS[name]
        table = pd.DataFrame([score(simulate(world, first + s), near[world.rings]) for s in range(seeds)])
        row = table.astype(float).mean().to_frame(name).T
        row.insert(3, "±", table["covered"].std() / np.sqrt(seeds))
        print(row.round(3).to_string(header=number == 0, col_space=8), flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    arguments = parser.parse_args()
    simulated(arguments.only, arguments.first, arguments.seeds)


if __name__ == "__main__":
    main()
