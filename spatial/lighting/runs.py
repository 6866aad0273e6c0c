"""Runs of lamps along the network: which lamps could hang on one circuit, and how likely each such run is dark."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_BLOCK = 1024  # nodes at a time: the products of a zone stay in the cache


@dataclass(frozen=True, eq=False, slots=True)
class Tree:
    """The shortest tree through the lamps, seen from each of them.

    Attributes
    ----------
    order : (n, n) int64: the lamps by tree distance from the row's lamp, which is first; -1 behind the last reachable.
    previous : (n, n) int64: the lamp before the column's on the way from the row's lamp; -1 where there is none.
    distance_m : (n, n) float64, metres along the tree; infinite where there is no way.
    branching : whether some lamp has more than two neighbours.
    """

    order: Ints
    previous: Ints
    distance_m: Array
    branching: bool


@dataclass(frozen=True, eq=False, slots=True)
class Runs:
    """All runs: ways between two lamps, and in a branching tree also all lamps within some distance of one.

    Attributes
    ----------
    log_ratio : (2, n, n) float64: of the way from the row's to the column's lamp (where the column is not below the
        row), and of the lamps around the row's up to the column-th of its order. Log of the weighted mean over the
        grid of the product of the lamps' factors.
    size : (2, n, n) int64: wired lamps of the run; 0 where there is no such run.
    reported : (2, n, n) float64: reported lamps in it.
    """

    log_ratio: Array
    size: Ints
    reported: Array


def shortest_tree(distance_m: csr_array) -> Tree:
    """Return the minimum spanning tree (forest) of a symmetric (n, n) matrix of distances between neighbours, metres.

    Lamps in one place are taken for 1 cm apart. Ties go to the lamps that come first.
    """
    apart = csr_array(distance_m, copy=True)
    apart.data = np.maximum(apart.data, 0.01)
    tree = minimum_spanning_tree(apart)
    distance, previous = dijkstra(tree, directed=False, return_predecessors=True)
    order = np.argsort(np.round(distance, 6), axis=1, kind="stable").astype(np.int64)
    order[~np.isfinite(np.take_along_axis(distance, order, axis=1))] = -1
    degree = np.bincount(np.concatenate(tree.nonzero()), minlength=len(order))
    return Tree(order, np.maximum(previous, -1).astype(np.int64), distance, bool((degree > 2).any()))


@numba.njit(cache=True, fastmath={"reassoc"})
def _multiplied(state: Array, one: int, two: int, factor: Array, lamp: int, weight: Array) -> float:  # pragma: no cover
    """Put row `one` of the state times the lamp's factors into row `two`; return its weighted sum."""
    total = 0.0
    for g in range(len(weight)):
        product = state[one, g] * factor[lamp, g]
        state[two, g] = product
        total += product * weight[g]
    return total


@numba.njit(cache=True)
def _ways(
    factor: Array, weight: Array, member: Bools, reported: Array, order: Ints, previous: Ints, most: int
) -> tuple[Array, Ints, Array]:  # pragma: no cover
    n, grid = factor.shape
    ratio, size, seen = np.zeros((n, n)), np.zeros((n, n), np.int64), np.zeros((n, n))
    state = np.empty((n + 1, min(grid, _BLOCK)))
    state[n] = 1.0
    for block in range(0, grid, _BLOCK):
        part, share = factor[:, block : block + _BLOCK], weight[block : block + _BLOCK]
        for root in range(n):
            if not member[root]:
                continue
            length, count = np.full(n + 1, most + 1), np.zeros(n + 1)
            length[n] = 0
            for v in order[root]:
                if v < 0:
                    break
                p = n if v == root else previous[root, v]
                if length[p] + member[v] > most:
                    continue
                length[v], count[v] = length[p] + member[v], count[p] + reported[v] * member[v]
                total = _multiplied(state, p, v, part, v, share)
                if member[v] and v >= root:
                    ratio[root, v] += total
                    size[root, v], seen[root, v] = length[v], count[v]
    return ratio, size, seen


@numba.njit(cache=True)
def _balls(
    factor: Array, weight: Array, member: Bools, reported: Array, order: Ints, distance: Array, most: int
) -> tuple[Array, Ints, Array]:  # pragma: no cover
    n, grid = factor.shape
    ratio, size, seen = np.zeros((n, n)), np.zeros((n, n), np.int64), np.zeros((n, n))
    state = np.empty((1, min(grid, _BLOCK)))
    for block in range(0, grid, _BLOCK):
        part, share = factor[:, block : block + _BLOCK], weight[block : block + _BLOCK]
        for root in range(n):
            if not member[root]:
                continue
            state[:] = 1.0
            length, count, told = 0, 0.0, 0
            for j in range(n):
                v = order[root, j]
                if v < 0 or length + member[v] > most:
                    break
                length, count = length + member[v], count + reported[v] * member[v]
                total = _multiplied(state, 0, 0, part, v, share)
                tied = j + 1 < n and order[root, j + 1] >= 0
                tied = tied and distance[root, order[root, j + 1]] < distance[root, v] + 1e-6
                if length > told and not tied:
                    ratio[root, j] += total
                    size[root, j], seen[root, j], told = length, count, length
    return ratio, size, seen


@numba.njit(cache=True)
def _sums(tree_order: Ints, previous: Ints, scale: Array) -> tuple[Array, Array]:  # pragma: no cover
    """Return the summed scale of the lamps on each way, and of those around each lamp up to each of its order."""
    n = len(scale)
    ways, balls = np.zeros((n, n)), np.zeros((n, n))
    for root in range(n):
        so_far = 0.0
        for j in range(n):
            v = tree_order[root, j]
            if v < 0:
                break
            ways[root, v] = scale[v] + (0.0 if v == root else ways[root, previous[root, v]])
            so_far += scale[v]
            balls[root, j] = so_far
    return ways, balls


def runs_of(tree: Tree, factor: Array, weight: Array, member: Bools, reported: Array, most: int) -> Runs:
    """Return all runs of at most `most` members, and the likelihood ratio of each.

    Parameters
    ----------
    factor : (n, g) float64, above 0: likelihood of what is known of the lamp if its circuit is dark, over the same if
        not, at each node of the grid. weight : (g,) float64, sums to 1.
    member : (n,) bool: lamps that can hang on the circuit; runs pass the others by without counting them.
    reported : (n,) float64, 0–1.
    """
    factor = np.where(member[:, None], factor, 1.0)
    top = factor.max(axis=1)  # each lamp's factors are scaled to 1 at most, so that long products stay finite
    given = (factor / top[:, None], weight, member, reported, tree.order)
    found = [_ways(*given, tree.previous, most)]
    if tree.branching:
        found.append(_balls(*given, tree.distance_m, most))
    ratio, size, seen = (np.stack(parts) for parts in zip(*found, strict=True))
    scale = np.stack(_sums(tree.order, tree.previous, np.log(top))[: len(found)])
    with np.errstate(divide="ignore"):
        return Runs(np.log(ratio) + scale, size, seen)


@numba.njit(cache=True)
def _mass_of_lamps(mass: Array, order: Ints, previous: Ints) -> Array:  # pragma: no cover
    n = len(order)
    total = np.zeros(n)
    for root in range(n):
        carried = mass[0, root].copy()
        beyond = 0.0
        for j in range(n - 1, -1, -1):
            v = order[root, j]
            if len(mass) > 1:
                beyond += mass[1, root, j]
            if v < 0:
                continue
            total[v] += carried[v] + beyond
            if v != root:
                carried[previous[root, v]] += carried[v]
    return total


def mass_of_lamps(tree: Tree, mass: Array) -> Array:
    """Return for each lamp the summed mass of the runs that it lies on; (n,). `mass` : of each run, as in `Runs`."""
    return np.asarray(_mass_of_lamps(mass, tree.order, tree.previous))
