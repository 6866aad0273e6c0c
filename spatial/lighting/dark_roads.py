"""The road that lies dark between the lamps of a group: its pieces, its metres, and the outline of a zone around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree
from shapely.ops import substring

from spatial.lighting.lamps import Lamps
from spatial.lighting.network import RoadNetwork, ways
from spatial.zones import as_multipolygon

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_STUB_M = 1.0  # half the width of the strip from a road to a lamp that stands off it
_SAME_M = 1e-6


@dataclass(frozen=True, eq=False, slots=True)
class DarkRoads:
    """What joins the lamps of every group.

    Attributes
    ----------
    pieces : `group, edge, from_m, to_m, length_m, line`, by group; no two pieces of a group overlap.
    straight : `group`, and `first` and `second`, lamps that are joined as the crow flies, by group.
    """

    pieces: pd.DataFrame
    straight: pd.DataFrame

    def of(self, group: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the pieces and the straight pairs of one group."""
        pieces, straight = (
            table.iloc[slice(*np.searchsorted(table["group"].to_numpy(), [group, group + 1]))]
            for table in (self.pieces, self.straight)
        )
        return pieces, straight


def dark_roads(lamps: Lamps, network: RoadNetwork | None, distances: csr_array, labels: Ints) -> DarkRoads:
    """Return the shortest ways that join the lamps of each group, and half a spacing of road around each lamp.

    Parameters
    ----------
    lamps : n dark lamps. labels : (n,) their groups, -1 for none.
    distances : (n, n) metres, `groups.lamp_distances`.

    The ways are those of the group's minimum spanning tree. Half a spacing is measured along the lamp's own road, and
    ends where that road does.
    """
    pairs = distances.tocoo()
    same = (labels[pairs.row] == labels[pairs.col]) & (labels[pairs.row] >= 0)
    within = csr_array((pairs.data[same], (pairs.row[same], pairs.col[same])), shape=distances.shape)
    tree = minimum_spanning_tree(within).tocoo()
    i, j = tree.row.astype(np.int64), tree.col.astype(np.int64)
    on_road = (lamps.at.edge[i] >= 0) & (lamps.at.edge[j] >= 0)
    straight = pd.DataFrame({"group": labels[i], "first": i, "second": j})[~on_road].sort_values(["group", "first"])
    if network is None:
        return DarkRoads(_merged(network, pd.DataFrame({"group": [], "edge": [], "from_m": [], "to_m": []})), straight)
    i, j, metres = i[on_road], j[on_road], tree.data[on_road]
    joining = ways(network, lamps.at, i, j, metres + _SAME_M)
    joining["group"] = labels[i][joining["pair"]]
    around = _around(lamps, network, labels)
    return DarkRoads(_merged(network, pd.concat([joining.drop(columns="pair"), around])), straight)


def _around(lamps: Lamps, network: RoadNetwork, labels: Ints) -> pd.DataFrame:
    """Return the half spacing of road on both sides of each grouped lamp, edge by edge of its road."""
    rows = []
    for lamp in np.flatnonzero((labels >= 0) & (lamps.at.edge >= 0)):
        own = int(lamps.at.edge[lamp])
        middle = network.along_m[own] + lamps.at.offset_m[lamp]
        low, high = middle - lamps.spacing_m[lamp] / 2, middle + lamps.spacing_m[lamp] / 2
        for step in (-1, 1):
            edge = own if step < 0 else own + 1
            while 0 <= edge < len(network.part) and network.part[edge] == network.part[own]:
                start, length = network.along_m[edge], network.graph.length[edge]
                begin, end = max(low - start, 0.0), min(high - start, length)
                if begin >= end:
                    break
                rows.append((labels[lamp], edge, begin, end))
                edge += step
    return pd.DataFrame(rows, columns=["group", "edge", "from_m", "to_m"])


def _merged(network: RoadNetwork | None, pieces: pd.DataFrame) -> pd.DataFrame:
    """Return the union of the pieces of each group and edge."""
    table = pieces.astype({"group": "int64", "edge": "int64", "from_m": float, "to_m": float})
    table = table.sort_values(["group", "edge", "from_m", "to_m"], ignore_index=True)
    span = table["to_m"].max() + 1.0 if len(table) else 1.0
    shift = table.groupby(["group", "edge"]).ngroup() * span  # every group's edge on a stretch of its own
    covered = np.maximum.accumulate((shift + table["to_m"]).to_numpy())
    new = np.ones(len(table), dtype=bool)
    new[1:] = (shift + table["from_m"]).to_numpy()[1:] > covered[:-1] + _SAME_M
    runs = table.groupby(np.cumsum(new)).agg(
        group=("group", "first"), edge=("edge", "first"), from_m=("from_m", "min"), to_m=("to_m", "max")
    )
    runs["length_m"] = runs["to_m"] - runs["from_m"]
    runs["line"] = np.empty(0, dtype=np.int64) if network is None else network.line[runs["edge"]]
    return runs[runs["length_m"] > _SAME_M].reset_index(drop=True)


def outline(
    group: int, members: Ints, lamps: Lamps, network: RoadNetwork | None, roads: DarkRoads, beside_m: float
) -> shapely.MultiPolygon:
    """Return the outline of a group: its dark road with `beside_m` on either side, cut off square at the ends.

    A lamp further off its road is reached by a narrow strip. Where lamps are joined as the crow flies, the outline is
    half a spacing around the straight lines.
    """
    shapes: list[Any] = []
    pieces, pairs = roads.of(group)
    if network is not None:
        lines = [
            _piece(network.shapes[edge], begin, end)
            for edge, begin, end in pieces[["edge", "from_m", "to_m"]].itertuples(index=False)
        ]
        shapes += _beside(lines, beside_m)
        on = members[lamps.at.distance_m[members] > _SAME_M]
        ends = np.stack([lamps.points_m[on], network.points_m(lamps.at.take(on))], axis=1)
        shapes += [shapely.buffer(shapely.LineString(stub), _STUB_M, quad_segs=2) for stub in ends]
    for i, j in pairs[["first", "second"]].itertuples(index=False):
        reach = (lamps.spacing_m[i] + lamps.spacing_m[j]) / 4
        shapes.append(shapely.buffer(shapely.LineString(lamps.points_m[[i, j]]), reach, quad_segs=4))
    for i in members[lamps.at.edge[members] < 0]:
        shapes.append(shapely.buffer(shapely.Point(lamps.points_m[i]), lamps.spacing_m[i] / 2, quad_segs=4))
    return as_multipolygon(shapely.union_all(np.array(shapes, dtype=object)))


def _piece(edge: shapely.LineString, begin: float, end: float) -> Any:
    """Return a stretch of an edge; where it reaches the edge's end its corner is the very same, so that lines merge."""
    return substring(edge, 0.0 if begin < _SAME_M else begin, edge.length if end > edge.length - _SAME_M else end)


def _beside(lines: list[Any], beside_m: float) -> list[Any]:
    """Return the land beside lines: square at their ends, round where they meet."""
    merged = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(lines))) if lines else np.empty(0)
    ends = shapely.get_coordinates([shapely.get_point(merged, 0), shapely.get_point(merged, -1)])
    corners, counts = np.unique(ends, axis=0, return_counts=True)
    meeting = [shapely.buffer(shapely.Point(corner), beside_m, quad_segs=4) for corner in corners[counts > 1]]
    return [*shapely.buffer(merged, beside_m, cap_style="flat", quad_segs=4), *meeting]
