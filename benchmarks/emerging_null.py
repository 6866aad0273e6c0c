"""False emerging hot spots: how often any bin is called hot in cities without hot spots, whose exposure is uneven.

    python benchmarks/emerging_null.py [CITIES]

127 cells, 13 months of 30 days, lognormal exposure (sigma 1). Incidents are Poisson ("poisson"); with a wet half-year
of ten times as many ("season"); over-dispersed anew each month ("monthly") or for good ("static"), by a gamma factor
of shape 1; or with bursts ("bursts", one bin in fifty has ten times as many again). Share of cities with any bin hot
at q <= 0.10, to be at most 0.10 within the binomial error that is printed; and of cells with any class.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from spatial.contracts.enumerations import NO_PATTERN
from spatial.hexgrid.emerging import Emergence, EmergingParameters, emerging_hot_spots
from spatial.hexgrid.grid import cells_of_points, disk_matrix, grid_disk

Array = NDArray[np.float64]
PARAMETERS, MONTHS = EmergingParameters(permutations=19_999), 13
DISK = disk_matrix(grid_disk(cells_of_points([117.5], [-3.3], 9)[0], 6), 1)
CELLS = DISK.shape[0]


def factors(kind: str, rng: np.random.Generator) -> Array:
    """Return what the rate of each cell and month is multiplied by; (CELLS, MONTHS), or broadcasts to it."""
    if kind == "season":
        return np.concatenate([np.full((1, 7), 0.2), np.full((1, 6), 2.0)], axis=1)
    if kind == "monthly":
        return np.asarray(rng.gamma(1.0, 1.0, (CELLS, MONTHS)), dtype=float)
    if kind == "static":
        return np.asarray(rng.gamma(1.0, 1.0, (CELLS, 1)), dtype=float)
    if kind == "bursts":
        return np.where(rng.random((CELLS, MONTHS)) < 0.02, 11.0, 1.0)
    return np.ones((1, 1))


def city(kind: str, mean: float, seed: int) -> Emergence:
    """Return the classes of one city."""
    rng = np.random.default_rng([seed, int(10 * mean)])
    exposure = np.exp(rng.normal(size=CELLS))
    rate = np.broadcast_to(mean * exposure[:, None] * factors(kind, rng), (CELLS, MONTHS))
    counts = rng.poisson(rate)
    cell, month = np.nonzero(counts)
    often = counts[cell, month]
    age = (MONTHS - 1 - np.repeat(month, often)) * PARAMETERS.step_days + 3.0
    return emerging_hot_spots(np.repeat(cell, often), age, 390.0, exposure, DISK, PARAMETERS, seed)


def main(cities: int) -> None:
    """Print one Markdown table."""
    print(f"{cities} cities a row; 0.10 within two standard errors is at most {0.1 + 0.6 / np.sqrt(cities):.3f}\n")
    print("| incidents | a cell and month | cities with any hot bin | cells with a class |\n|---|---|---|---|")
    for kind in ("poisson", "season", "monthly", "static", "bursts"):
        for mean in (0.1, 1.0, 10.0):
            found = [city(kind, mean, seed) for seed in range(cities)]
            hot = np.mean([((one.q <= PARAMETERS.level) & (one.z > 0)).any() for one in found])
            classed = np.mean([np.mean([name not in (None, NO_PATTERN) for name in one.classes]) for one in found])
            print(f"| {kind} | {mean:g} | {hot:.3f} | {classed:.4f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
