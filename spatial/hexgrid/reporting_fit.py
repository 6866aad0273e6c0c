"""What a city's reports say about what its cells share: points of the posterior of `reporting.City`, with weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import norm, qmc

from spatial.hexgrid.reporting import PRIOR, Array, Cells, City, given_block, likelihood

Ints = NDArray[np.int64]
Scores = Callable[[Array], Array]
DIMENSIONS = len(PRIOR)
FIT_CELLS = (
    1000  # cells in the blocks that the city is learnt from: more add time, and hardly anything to the intervals
)
TRIED, KEPT = 128, 40  # points of the posterior that are weighted, and draws from these: a draw costs a whole city
WIDER = 1.3  # than the normal approximation: points are drawn from it, and weighted
_STEP, _LONGEST, _ENOUGH, _ROUNDS = 0.05, 1.5, 0.02, 15


@dataclass(frozen=True, eq=False, slots=True)
class Cities:
    """Points of the posterior and their weights, which sum to 1."""

    points: tuple[City, ...]
    weights: Array


def fit_city(cells: Cells, neighbours: csr_array) -> Cities:
    """Return the posterior of what the cells share.

    Parameters
    ----------
    neighbours : (n, n) 0/1, without the diagonal.

    Notes
    -----
    Cells are parted into blocks that do not overlap, each a cell with those of its neighbours that are free; blocks are
    independent given the city. The mode is found by scoring, the information being the sum of the blocks' squared
    scores (Berndt, Hall, Hall & Hausman 1974); quasi-random normal points around it are weighted by the posterior, and
    drawn from at equal steps of the weights' sum.
    """
    rows, starts = _blocks(cells, neighbours)
    chosen, crude = cells.take(rows), cells.log_crude_rate()

    def log_blocks(point: Array) -> Array:
        return _log_blocks(chosen, starts, City.at(point, crude))

    points, weights = weighted_points(log_blocks)
    return Cities(tuple(City.at(point, crude) for point in points), weights)


def weighted_points(log_blocks: Scores) -> tuple[Array, Array]:
    """Return points (m, 8) of a posterior whose prior is standard normal, and their weights, which sum to 1.

    `log_blocks` gives the log likelihoods of independent blocks at a point of 8 coordinates.
    """
    mode, information = _mode(log_blocks)
    root = WIDER * np.linalg.cholesky(np.linalg.inv(information))
    drawn = norm.ppf(qmc.Sobol(DIMENSIONS, rng=np.random.default_rng(0)).random(TRIED))
    points = mode + drawn @ root.T
    log_weight = np.array([_target(log_blocks(point), point) for point in points]) + 0.5 * (drawn**2).sum(axis=1)
    reached = np.cumsum(np.exp(log_weight - log_weight.max()))
    draws = np.searchsorted(reached / reached[-1], (np.arange(KEPT) + 0.5) / KEPT)
    kept, times = np.unique(draws, return_counts=True)
    return points[kept], times / KEPT


def _blocks(cells: Cells, neighbours: csr_array) -> tuple[Ints, Ints]:
    """Return the cells of the blocks, block by block, and where each begins; evenly chosen where there are too many."""
    told = (cells.exposure > 0) | (cells.incidents > 0)
    label = np.where(told, -1, -2)
    for cell in np.flatnonzero(told):
        if label[cell] == -1:
            near = neighbours.indices[neighbours.indptr[cell] : neighbours.indptr[cell + 1]]
            label[near[label[near] == -1]] = cell
            label[cell] = cell
    names, sizes = np.unique(label[label >= 0], return_counts=True)
    count = max(int(len(names) * min(1.0, FIT_CELLS / sizes.sum())), 1)
    names = names[np.linspace(0, len(names) - 1, count).round().astype(np.int64)]
    rows = np.flatnonzero(np.isin(label, names))
    rows = rows[np.argsort(label[rows], kind="stable")]
    return rows, np.flatnonzero(np.diff(label[rows], prepend=-1))


def _log_blocks(cells: Cells, starts: Ints, city: City) -> Array:
    """Return the log likelihood of each block."""
    table, scale = likelihood(cells, city)
    joint = np.add.reduceat(given_block(table, city), starts, axis=0)
    top = joint.max(axis=(1, 2), keepdims=True)
    total = (np.exp(joint - top) * city.block_prior()).sum(axis=(1, 2), dtype=float)
    return np.asarray(np.log(np.maximum(total, 1e-300)) + top[:, 0, 0] + np.add.reduceat(scale, starts), dtype=float)


def _target(log_blocks: Array, point: Array) -> float:
    return float(log_blocks.sum() - 0.5 * point @ point)


def _mode(log_blocks: Scores) -> tuple[Array, Array]:
    """Return the posterior's mode and the information there."""
    point = np.zeros(DIMENSIONS)
    value = log_blocks(point)
    for _ in range(_ROUNDS):
        steps = _STEP * np.eye(DIMENSIONS)
        scores = np.stack([log_blocks(point + step) - value for step in steps], axis=1) / _STEP
        information = scores.T @ scores + np.eye(DIMENSIONS)
        move = np.linalg.solve(information, scores.sum(axis=0) - point)
        move *= min(1.0, _LONGEST / max(float(np.abs(move).max()), 1e-9))
        before = _target(value, point)
        for halving in range(5):
            tried = point + move * 0.5**halving
            there = log_blocks(tried)
            if _target(there, tried) > before:
                break
        gain = _target(there, tried) - before
        if gain > 0:
            point, value = tried, there
        if gain < _ENOUGH:
            break
    return point, information
