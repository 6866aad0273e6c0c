"""Kernels of shortest ways between positions on the edges of a road network. Plain arrays, metres; no checks.

They touch the nodes within the limit alone. scipy's dijkstra with a limit fills a row as long as the network for every
position: some 8000 times as long on 500k edges; networkx stops at the limit too and takes 14 to 21 times as long
(benchmarks/network_clusters.py).
"""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Graph(NamedTuple):
    """A network, and by node the edges that leave it.

    Attributes
    ----------
    ends : (e, 2) int64, first and last node of each edge. length : (e,) float64.
    start : (n + 1,) int64 into the next three. to : node at the other end. by : edge.
    ahead : True where it leaves in the edge's own direction; an edge that ends where it began is listed both ways.
    """

    ends: Ints
    length: Array
    start: Ints
    to: Ints
    by: Ints
    ahead: Bools


class Held(NamedTuple):
    """Positions: the edge of each, the offset from its first node, and by edge (`start`, e + 1) its positions."""

    edge: Ints
    offset: Array
    start: Ints
    points: Ints


@numba.njit(cache=True)
def _spread(
    graph: Graph, edge: int, offset: float, bound: float, distance: Array, came: Ints, nodes: Ints
) -> int:  # pragma: no cover
    """Find all nodes within `bound` of a position; return their number and fill `nodes`, `distance` and `came`.

    `came`: the listed edge by which a node was reached, -1 from the position itself, where it was -1 before.
    """
    heap = [(offset, graph.ends[edge, 0], -1), (graph.length[edge] - offset, graph.ends[edge, 1], -1)]
    heapq.heapify(heap)
    count = 0
    while len(heap):
        here, node, way = heapq.heappop(heap)
        if here > bound or here >= distance[node]:
            continue
        nodes[count] = node
        count += 1
        distance[node], came[node] = here, way
        for k in range(graph.start[node], graph.start[node + 1]):
            there = here + graph.length[graph.by[k]]
            if there <= bound and there < distance[graph.to[k]]:
                heapq.heappush(heap, (there, graph.to[k], k))
    return count


@numba.njit(cache=True)
def _meet(
    graph: Graph, held: Held, i: int, nodes: Ints, distance: Array, best: Array, met: Ints
) -> int:  # pragma: no cover
    """Find the positions on the edges at the nodes reached; return their number, fill `met` and `best` (distance)."""
    count = 0
    for p in range(held.start[held.edge[i]], held.start[held.edge[i] + 1]):
        j = held.points[p]
        best[j] = abs(held.offset[j] - held.offset[i])
        met[count] = j
        count += 1
    for node in nodes:
        for k in range(graph.start[node], graph.start[node + 1]):
            edge = graph.by[k]
            for p in range(held.start[edge], held.start[edge + 1]):
                j = held.points[p]
                if best[j] == np.inf:
                    met[count] = j
                    count += 1
                on_edge = held.offset[j] if graph.ahead[k] else graph.length[edge] - held.offset[j]
                best[j] = min(best[j], distance[node] + on_edge)
    return count


@numba.njit(cache=True)
def _longer(values: Any) -> Any:  # pragma: no cover
    wider = np.empty(2 * len(values), values.dtype)
    wider[: len(values)] = values
    return wider


@numba.njit(cache=True)
def near_pairs(graph: Graph, held: Held, reach: Array) -> tuple[Ints, Ints, Array]:  # pragma: no cover
    """Return positions i < j and their distance, of all pairs no further apart than the mean of their reaches."""
    n, n_nodes = len(held.edge), len(graph.start) - 1
    distance, came, nodes = np.full(n_nodes, np.inf), np.full(n_nodes, -1, np.int64), np.empty(n_nodes, np.int64)
    best, met = np.full(n, np.inf), np.empty(n, np.int64)
    rows, columns, metres = np.empty(1024, np.int64), np.empty(1024, np.int64), np.empty(1024)
    pairs = 0
    widest = reach.max() if n else 0.0
    for i in range(n):
        count = _spread(graph, held.edge[i], held.offset[i], (reach[i] + widest) / 2, distance, came, nodes)
        for j in met[: _meet(graph, held, i, nodes[:count], distance, best, met)]:
            if j > i and best[j] <= (reach[i] + reach[j]) / 2:
                if pairs == len(rows):
                    rows, columns, metres = _longer(rows), _longer(columns), _longer(metres)
                rows[pairs], columns[pairs], metres[pairs] = i, j, best[j]
                pairs += 1
            best[j] = np.inf
        distance[nodes[:count]] = np.inf
        came[nodes[:count]] = -1
    return rows[:pairs].copy(), columns[:pairs].copy(), metres[:pairs].copy()


@numba.njit(cache=True)
def _last_leg(graph: Graph, edge: Ints, offset: Array, i: int, j: int, distance: Array) -> int:  # pragma: no cover
    """Return how the shortest way comes to j: along its edge (2), by the edge's end 0 or 1, or not at all (-1)."""
    b = edge[j]
    leg, shortest = -1, np.inf
    if edge[i] == b:
        leg, shortest = 2, abs(offset[i] - offset[j])
    if distance[graph.ends[b, 0]] + offset[j] < shortest:
        leg, shortest = 0, distance[graph.ends[b, 0]] + offset[j]
    if distance[graph.ends[b, 1]] + graph.length[b] - offset[j] < shortest:
        leg = 1
    return leg


@numba.njit(cache=True)
def _trace(
    graph: Graph, edge: Ints, offset: Array, i: int, j: int, distance: Array, came: Ints, origin: Ints
) -> list[tuple[int, float, float]]:  # pragma: no cover
    """Return the pieces (edge, from, to) of the way found to j, from its end to its start."""
    a, b = edge[i], edge[j]
    leg = _last_leg(graph, edge, offset, i, j, distance)
    pieces = [(a, offset[i], offset[i]) for _ in range(0)]  # an empty list that has a type
    if leg == 2:
        pieces.append((a, min(offset[i], offset[j]), max(offset[i], offset[j])))
    if leg == 0:
        pieces.append((b, 0.0, offset[j]))
    if leg == 1:
        pieces.append((b, offset[j], graph.length[b]))
    if leg < 0 or leg == 2:
        return pieces
    node = graph.ends[b, leg]
    while came[node] >= 0:
        by = graph.by[came[node]]
        pieces.append((by, 0.0, graph.length[by]))
        node = origin[came[node]]
    if node == graph.ends[a, 0] and distance[node] == offset[i]:
        pieces.append((a, 0.0, offset[i]))
    else:
        pieces.append((a, offset[i], graph.length[a]))
    return pieces


@numba.njit(cache=True)
def shortest_ways(
    graph: Graph, edge: Ints, offset: Array, first: Ints, second: Ints, bound: Array
) -> tuple[Ints, Ints, Array, Array]:  # pragma: no cover
    """Return the pieces of road of the shortest way between each pair of positions: pair, edge, from, to (from ≤ to).

    `bound`: metres within which the way is looked for. A pair that no such way joins has no piece.
    """
    n = len(graph.start) - 1
    distance, came, nodes = np.full(n, np.inf), np.full(n, -1, np.int64), np.empty(n, np.int64)
    origin = np.empty(len(graph.to), np.int64)
    for node in range(n):
        origin[graph.start[node] : graph.start[node + 1]] = node
    pair, piece = np.empty(1024, np.int64), np.empty(1024, np.int64)
    low, high = np.empty(1024), np.empty(1024)
    count = 0
    for m in range(len(first)):
        i, j = first[m], second[m]
        reached = _spread(graph, edge[i], offset[i], bound[m], distance, came, nodes)
        for found, begin, end in _trace(graph, edge, offset, i, j, distance, came, origin):
            if count == len(pair):
                pair, piece, low, high = _longer(pair), _longer(piece), _longer(low), _longer(high)
            pair[count], piece[count], low[count], high[count] = m, found, begin, end
            count += 1
        distance[nodes[:reached]] = np.inf
        came[nodes[:reached]] = -1
    return pair[:count].copy(), piece[:count].copy(), low[:count].copy(), high[:count].copy()
