"""False hot spots: how often Gi* with false-discovery control calls any cell on maps that have no hot spot.

    python benchmarks/gi_null.py [MAPS]

547 cells; incidents at random by exposure: Poisson, over-dispersed (negative binomial of shape 1) or with bursts (one
cell in fifty has ten times as many again). Exposure equal, lognormal (sigma 1), falling from a centre (e^-3 at the
rim), or half of the cells without any ("coast"). Share of maps with any q <= 0.05, to be at most 0.05 within the
binomial error that is printed; and of cells with p <= 0.01.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spatial.hexgrid.grid import cell_centres, cells_of_points, disk_matrix, grid_disk
from spatial.hexgrid.hotspots import HotSpotParameters, HotSpots, hot_spots

Array = NDArray[np.float64]
RINGS, LEVEL = 13, 0.05
EXPECTED = 0.5, 2.0, 5.0, 20.0, 100.0  # incidents per neighbourhood, mean
CLOSED, PERMUTED = HotSpotParameters(closed_form_from=0.0), HotSpotParameters(permutations=19_999)


def poisson(mean: Array, rng: np.random.Generator) -> Array:
    """Return counts of independent incidents."""
    return rng.poisson(mean).astype(float)


def dispersed(mean: Array, rng: np.random.Generator) -> Array:
    """Return counts whose cells have different rates, unrelated to their neighbours'."""
    return rng.poisson(mean * rng.gamma(1.0, 1.0, len(mean))).astype(float)


def bursts(mean: Array, rng: np.random.Generator) -> Array:
    """Return counts with bursts of duplicates in single cells."""
    burst = (rng.random(len(mean)) < 0.02) & (mean > 0)
    return (rng.poisson(mean) + burst * rng.poisson(10.0 * mean)).astype(float)


def exposures(cells: list[str]) -> dict[str, Callable[[np.random.Generator], Array]]:
    """Return ways to place exposure."""
    centres = cell_centres(cells)
    offset = centres - centres.mean(axis=0)
    radius = np.hypot(*offset.T) / np.hypot(*offset.T).max()
    return {
        "equal": lambda rng: np.ones(len(cells)),
        "lognormal": lambda rng: np.exp(rng.normal(0.0, 1.0, len(cells))),
        "centre": lambda rng: np.exp(-3.0 * radius),
        "coast": lambda rng: (offset[:, 0] > 0).astype(float),
    }


def called(found: HotSpots) -> tuple[float, float]:
    """Return whether any cell is called, and the share of cells with p <= 0.01."""
    return float(np.nanmin(found.q, initial=1.0) <= LEVEL), float(np.nanmean(found.p <= 0.01))


def main(maps: int) -> None:
    """Print one Markdown table."""
    cells = grid_disk(cells_of_points([117.5], [-3.3], 9)[0], RINGS)
    disk: csr_array = disk_matrix(cells, 1)
    limit = LEVEL + 2.0 * np.sqrt(LEVEL * (1 - LEVEL) / maps)
    print(f"{len(cells)} cells, {maps} maps a row; 0.05 within two standard errors is at most {limit:.3f}\n")
    print("| exposure | incidents | expected | any q <= 0.05: closed form | permutation | p <= 0.01: closed | perm. |")
    print("|---|---|---|---|---|---|---|")
    for name, place in exposures(cells).items():
        for draw in (poisson, dispersed, bursts):
            for expected in EXPECTED:
                rows = []
                for seed in range(maps):
                    rng = np.random.default_rng([seed, int(10 * expected)])
                    exposure = place(rng)
                    mean = exposure * expected / (disk @ exposure)[exposure > 0].mean()
                    counts = draw(mean, rng)
                    both = (hot_spots(counts, exposure, disk, one, seed) for one in (CLOSED, PERMUTED))
                    rows.append([value for found in both for value in called(found)])
                closed, p_closed, permuted, p_permuted = np.mean(rows, axis=0)
                print(
                    f"| {name} | {draw.__name__} | {expected:g} | {closed:.3f} | {permuted:.3f} "
                    f"| {p_closed:.4f} | {p_permuted:.4f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
