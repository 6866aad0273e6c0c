"""Conditional permutations of Gi* beside esda's, in one run: 50,000 cells, 999 draws, p-values compared first.

    python benchmarks/gi_permutations.py

esda runs with numba and without keeping its simulations, in one process and in two; the faster counts. Its weights are
made beforehand, and both have compiled. Medians of paired runs.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spatial.hexgrid.grid import cells_of_points, disk_matrix, grid_disk
from spatial.hexgrid.hotspots import HotSpotParameters
from spatial.hexgrid.permutations import conditional_tails
from spatial.hexgrid.statistics import getis_ord_gi_star

Array = NDArray[np.float64]
RINGS, DRAWS, RUNS = 129, 999, 3  # 3 k (k + 1) + 1 = 50,311 cells


def esda_upper(values: Array, weights: object, jobs: int) -> Array:
    """Return esda's p-values for an excess."""
    from esda import G_Local

    peer = G_Local(
        values,
        weights,
        transform="B",
        permutations=DRAWS,
        star=True,
        keep_simulations=False,
        n_jobs=jobs,
        seed=1,
        alternative="greater",
    )
    return np.asarray(peer.p_sim, dtype=float)


def peer_weights(disk: csr_array) -> object:
    """Return the same neighbours as libpysal's weights."""
    from libpysal.weights import W

    near = {i: disk.indices[disk.indptr[i] : disk.indptr[i + 1]].tolist() for i in range(disk.shape[0])}
    return W(near, silence_warnings=True)


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def gate(ours: Array, theirs: Array) -> None:
    """Stop unless every cell's p-values are within five standard errors of both."""
    p = (ours + theirs) / 2
    score = (np.abs(ours - theirs) - 1.0 / DRAWS) / np.sqrt(2 * p * (1 - p) / DRAWS + 1e-12)
    difference = np.abs(np.sort(ours) - np.sort(theirs)).max()
    print(f"p-values: largest difference of a cell {score.max():.2f} standard errors, of the sorted {difference:.4f}")
    if score.max() > 5.0:
        raise SystemExit("p-values differ from esda's")


def main() -> None:
    """Print the gate and the ratio."""
    warnings.simplefilter("ignore")
    disk = disk_matrix(grid_disk(cells_of_points([117.5], [-3.3], 9)[0], RINGS), 1)
    values = np.random.default_rng(1).gamma(0.5, size=disk.shape[0])
    weights = peer_weights(disk)
    gate(conditional_tails(values, disk, DRAWS, 1).upper, esda_upper(values, weights, 1))
    esda_upper(values, weights, 2)
    pairs = [
        (
            seconds(lambda: conditional_tails(values, disk, DRAWS, 1)),
            seconds(lambda: esda_upper(values, weights, 1)),
            seconds(lambda: esda_upper(values, weights, 2)),
        )
        for _ in range(RUNS)
    ]
    ours, one, two = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(min(one, two) / ours for ours, one, two in pairs)
    print(f"{disk.shape[0]} cells, {DRAWS} draws: ours {ours:.3f} s, one thread; esda {one:.2f} s in one process, ")
    print(f"{two:.2f} s in two; the faster is {ratio:.0f}x ours")
    many = HotSpotParameters().permutations
    print(f"ours, {many} draws: {seconds(lambda: conditional_tails(values, disk, many, 1)):.2f} s")
    print(f"closed form: {seconds(lambda: getis_ord_gi_star(values, disk)):.4f} s")


if __name__ == "__main__":
    main()
