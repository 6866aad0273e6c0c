"""The road network: where a point lies on it, how far points are apart along it, and the shortest way between them.

Everything is in the plane of the city's UTM zone, metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from spatial.errors import ContractError
from spatial.lighting.shortest import Graph, Held, near_pairs, shortest_ways

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
TOLERANCE_M = 0.1
_LEAST_M = 1e-6  # between positions that are the same: a stored distance, not a missing one


@dataclass(frozen=True, eq=False, slots=True)
class Positions:
    """Points on the network.

    Attributes
    ----------
    edge : (n,) int64, -1 where no road is within reach.
    offset_m : (n,) float64 from the edge's first node, NaN where there is no edge.
    distance_m : (n,) float64 from the point to the road, NaN where there is no edge.
    """

    edge: Ints
    offset_m: Array
    distance_m: Array

    def __len__(self) -> int:
        return len(self.edge)

    def take(self, which: Ints) -> Positions:
        """Return some of the positions, in the order of `which`."""
        return Positions(self.edge[which], self.offset_m[which], self.distance_m[which])


@dataclass(frozen=True, eq=False, slots=True)
class RoadNetwork:
    """Roads cut into edges at their ends and where they share a vertex.

    Attributes
    ----------
    shapes : (e,) LineStrings of the edges.
    graph : its nodes, and the lengths of the edges in metres; see `shortest.Graph`.
    line : (e,) int64, the road (position in the lines given) that each edge is of. part : (e,) int64: edges of one
        unbroken stretch of a road share it and follow each other.
    along_m : (e,) float64, metres from the start of the road to the start of the edge.
    tree : of `shapes`.
    """

    shapes: NDArray[Any]
    graph: Graph
    line: Ints
    part: Ints
    along_m: Array
    tree: shapely.STRtree

    def points_m(self, positions: Positions) -> Array:
        """Return the places of positions on the network, (n, 2) metres; NaN where there is no edge."""
        places = np.full((len(positions), 2), np.nan)
        on = positions.edge >= 0
        shapes = shapely.line_interpolate_point(self.shapes[positions.edge[on]], positions.offset_m[on])
        places[on] = shapely.get_coordinates(shapes)
        return places


def road_network(lines: NDArray[Any], tolerance_m: float = TOLERANCE_M) -> RoadNetwork:
    """Cut lines into the edges of a network.

    Parameters
    ----------
    lines : (n,) LineString or MultiLineString, metres.
    tolerance_m : vertices this near to each other are one place (ours: a tenth of a metre is far below the width of a
        road and above what rounding to 7 decimals of a degree moves a vertex).

    Nodes are the ends of lines and the places where lines share a vertex, as those of OpenStreetMap do. Lines that
    cross without a vertex in common (bridges, tunnels) are not joined, and neither are roads of a source that draws
    crossings without vertices. One-way streets are walked both ways: a cable does not mind.

    Raises
    ------
    ContractError
        Something else than lines.
    """
    if not np.isin(shapely.get_type_id(lines), (1, 5)).all():
        raise ContractError("a road network is made of LineStrings and MultiLineStrings")
    parts, line = shapely.get_parts(lines, return_index=True)
    kept = shapely.length(parts) > 0
    parts, line = parts[kept], line[kept].astype(np.int64)
    xy, part = shapely.get_coordinates(parts, return_index=True)
    place = _places(xy, tolerance_m)
    starts, stops = np.diff(part, prepend=-1) != 0, np.diff(part, append=-1) != 0
    moved = starts | (np.diff(place, prepend=-1) != 0)
    shared = np.bincount(place[moved], minlength=place.max(initial=-1) + 1) > 1
    cut = starts | stops | shared[place]
    step = np.where(starts, 0.0, np.hypot(*np.diff(xy, axis=0, prepend=xy[:1]).T))
    run = np.cumsum(step)
    first = np.flatnonzero(cut & ~stops)
    last = np.flatnonzero(cut & ~starts)
    nodes, numbered = np.unique(place[np.concatenate([first, last])], return_inverse=True)
    ends = numbered.reshape(2, -1).T.astype(np.int64)
    shapes = _edge_shapes(xy, first, last)
    of = line[part[first]]
    before = np.concatenate([[0.0], run])[np.searchsorted(line[part], np.arange(len(lines)), side="left")]
    along = run[first] - before[of]
    graph = _by_node(ends, run[last] - run[first], len(nodes))
    return RoadNetwork(shapes, graph, of, part[first].astype(np.int64), along, shapely.STRtree(shapes))


def _places(xy: Array, tolerance_m: float) -> Ints:
    """Return the number of each vertex's place: the same for vertices within the tolerance, whatever their order."""
    distinct, inverse = np.unique(xy[:, 0] + 1j * xy[:, 1], return_inverse=True)
    pairs = cKDTree(np.column_stack([distinct.real, distinct.imag])).query_pairs(tolerance_m, output_type="ndarray")
    joined = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(distinct),) * 2)
    return np.asarray(connected_components(joined, directed=False)[1][inverse], dtype=np.int64)


def _edge_shapes(xy: Array, first: Ints, last: Ints) -> NDArray[Any]:
    counts = last - first + 1
    owner = np.repeat(np.arange(len(first)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(shapely.linestrings(xy[first[owner] + within], indices=owner), dtype=object)


def _by_node(ends: Ints, length_m: Array, n_nodes: int) -> Graph:
    origin = np.concatenate([ends[:, 0], ends[:, 1]])
    order = np.argsort(origin, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(origin, minlength=n_nodes))]).astype(np.int64)
    to = np.concatenate([ends[:, 1], ends[:, 0]])[order]
    by = (order % max(len(ends), 1)).astype(np.int64)
    return Graph(np.ascontiguousarray(ends), length_m, start, to, by, order < len(ends))


def locate(network: RoadNetwork, points_m: Array, within_m: float) -> Positions:
    """Return the nearest place on the network of each point.

    Parameters
    ----------
    points_m : (n, 2) metres.
    within_m : a point further than this from every road has no position.

    Of roads that are equally near the first counts, so let the lines be in the order of their ids.
    """
    points = np.asarray(shapely.points(points_m), dtype=object)
    found, distance = network.tree.query_nearest(points, max_distance=within_m, return_distance=True)
    table = pd.DataFrame({"point": found[0], "edge": found[1], "distance": distance})
    table = table.sort_values(["point", "edge"]).drop_duplicates("point")
    edge, offset, away = np.full(len(points), -1), np.full(len(points), np.nan), np.full(len(points), np.nan)
    at = table["point"].to_numpy()
    edge[at], away[at] = table["edge"], table["distance"]
    offset[at] = shapely.line_locate_point(network.shapes[edge[at]], points[at])
    return Positions(edge.astype(np.int64), offset, away)


def near(network: RoadNetwork, positions: Positions, reach_m: Array) -> csr_array:
    """Return the distances along the network between all positions that are near each other.

    Parameters
    ----------
    positions : n of them; one without an edge is near none.
    reach_m : (n,) float64 ≥ 0. Two positions are near when they are no further apart than the mean of their reaches.

    Returns
    -------
    (n, n) symmetric sparse matrix of metres, at least 1e-6, nothing on the diagonal. Dijkstra (1959), bounded.

    Raises
    ------
    ContractError
        Reaches of another number, negative or not finite; an offset that is not on its edge.
    """
    n = len(positions)
    if reach_m.shape != (n,) or not (np.isfinite(reach_m) & (reach_m >= 0)).all():
        raise ContractError(f"reach_m must be ({n},) finite and 0 or more")
    on = np.flatnonzero(positions.edge >= 0)
    edge, offset = _checked(network, positions.take(on))
    points = np.argsort(edge, kind="stable").astype(np.int64)
    start = np.searchsorted(edge[points], np.arange(len(network.shapes) + 1)).astype(np.int64)
    row, column, metres = near_pairs(network.graph, Held(edge, offset, start, points), reach_m[on].astype(float))
    row, column, metres = on[row], on[column], np.maximum(metres, _LEAST_M)
    both = (np.concatenate([row, column]), np.concatenate([column, row]))
    return csr_array(coo_array((np.concatenate([metres, metres]), both), shape=(n, n)))


def ways(network: RoadNetwork, positions: Positions, first: Ints, second: Ints, within_m: Array) -> pd.DataFrame:
    """Return the pieces of road of the shortest way between pairs of positions.

    Parameters
    ----------
    first, second : (m,) int64, positions that have an edge.
    within_m : (m,) float64, metres beyond which no way is looked for.

    Returns
    -------
    DataFrame with `pair` (0 … m - 1), `edge`, `from_m` and `to_m` (offsets on the edge, from ≤ to), the pieces of a
    way from its end to its start; none where no way joins the two.

    Raises
    ------
    ContractError
        A position without an edge, or an offset that is not on its edge.
    """
    used, number = np.unique(np.concatenate([first, second]), return_inverse=True)
    edge, offset = _checked(network, positions.take(used))
    i, j = number.reshape(2, -1).astype(np.int64)
    pair, piece, low, high = shortest_ways(network.graph, edge, offset, i, j, within_m.astype(float))
    return pd.DataFrame({"pair": pair, "edge": piece, "from_m": low, "to_m": high})


def _checked(network: RoadNetwork, positions: Positions) -> tuple[Ints, Array]:
    edge, offset = positions.edge.astype(np.int64), positions.offset_m.astype(float)
    if not ((edge >= 0) & (edge < len(network.shapes))).all():
        raise ContractError("a position has no edge of this network")
    length = network.graph.length[edge]
    if not ((offset >= 0) & (offset <= length + TOLERANCE_M)).all():
        raise ContractError("an offset is not on its edge")
    return edge, np.minimum(offset, length)
