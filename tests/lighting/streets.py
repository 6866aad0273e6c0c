"""Small street nets for the tests of lighting, and an oracle for distances along them."""

from __future__ import annotations

from itertools import pairwise

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely
from hypothesis import strategies as st


def roads(*lines: list[tuple[float, float]], **columns: object) -> gpd.GeoDataFrame:
    """Return roads through the given corners, ids in their order."""
    table = {"road_id": [f"way/{i}" for i in range(len(lines))], "highway": None, "name": None, "lit": None}
    return gpd.GeoDataFrame(table | columns, geometry=[shapely.LineString(line) for line in lines])


def lines(*corners: list[tuple[float, float]]) -> np.ndarray:
    return np.array([shapely.LineString(line) for line in corners], dtype=object)


GRID = lines(
    *([(x, 0.0), (x, 100.0), (x, 200.0)] for x in (0.0, 100.0, 200.0)),
    *([(0.0, y), (100.0, y), (200.0, y)] for y in (0.0, 100.0, 200.0)),
)
"""Three streets east, three north, 100 m apart; edges 0-5 run north, 6-11 east."""


@st.composite
def street_nets(draw: st.DrawFn) -> np.ndarray:
    """Walks over the crossings of a bent 4 × 4 grid; they share crossings, cross themselves, and may be rings."""
    seed = draw(st.integers(0, 2**32 - 1))
    bend = np.random.default_rng(seed).uniform(-20, 20, (4, 4, 2))
    walks = []
    for _ in range(draw(st.integers(1, 6))):
        i, j = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
        walk = [(i, j)]
        for step in draw(st.lists(st.sampled_from([(0, 1), (1, 0), (0, -1), (-1, 0)]), min_size=1, max_size=8)):
            i, j = min(max(i + step[0], 0), 3), min(max(j + step[1], 0), 3)
            if (i, j) != walk[-1]:
                walk.append((i, j))
        if len(walk) > 1:
            walks.append([(100.0 * a + bend[a, b, 0], 100.0 * b + bend[a, b, 1]) for a, b in walk])
    return lines(*walks) if walks else lines([(0.0, 0.0), (100.0, 0.0)])


def oracle(streets: np.ndarray, places: list[tuple[int, float]]) -> np.ndarray:
    """Return the distances between places (street, metres along it) by networkx: every vertex and place is a node."""
    graph = nx.Graph()
    for street, line in enumerate(streets):
        corners = list(zip(_along(line), [("corner", *np.round(c, 6)) for c in line.coords], strict=True))
        stops = corners + [(along, ("place", k)) for k, (own, along) in enumerate(places) if own == street]
        stops.sort(key=lambda stop: stop[0])
        for (a, first), (b, second) in pairwise(stops):
            known = graph.get_edge_data(first, second, {"weight": np.inf})["weight"]
            graph.add_edge(first, second, weight=min(b - a, known))
    result = np.full((len(places), len(places)), np.inf)
    for k in range(len(places)):
        for node, metres in nx.single_source_dijkstra_path_length(graph, ("place", k)).items():
            if node[0] == "place":
                result[k, node[1]] = metres
    return result


def _along(line: shapely.LineString) -> list[float]:
    corners = shapely.get_coordinates(line)
    return [0.0, *np.cumsum(np.hypot(*np.diff(corners, axis=0).T)).tolist()]
