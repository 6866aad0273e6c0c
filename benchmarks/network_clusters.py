"""Lighting zones along the network at city size: time, peak memory, and a named peer, after a correctness gate.

    python benchmarks/network_clusters.py                  # 100,000 incidents on 500,000 edges
    python benchmarks/network_clusters.py --small          # a hundredth of both

A net of streets about 100 m apart, bent by chance; half of the incidents lie anywhere, half along dark stretches of 20.
No lamp inventory, so every lamp is inferred: the dearest case. The gate: for a sample of dark lamps, the distances to
all others within 90 m equal those of scipy's dijkstra on the same network with the lamps as nodes of their own. The
peers answer for the sample only: scipy.sparse.csgraph.dijkstra with `limit`, and networkx's single_source_dijkstra with
`cutoff`, which stops at the limit as ours does.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import geopandas as gpd
import networkx as nx  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra

from spatial.lighting.dark_roads import dark_roads, outline
from spatial.lighting.groups import dbscan, in_spacings
from spatial.lighting.network import Positions, RoadNetwork, near, road_network
from spatial.lighting.outages import OutageInputs, OutageParameters, find_outages

LIMIT_M = 90.0
SAMPLE = 200
Array = NDArray[np.float64]


def streets(side: int, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Return the streets of a bent net of side × side crossings, each street one line."""
    xy = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1) * 100.0
    xy += rng.uniform(-30, 30, xy.shape)
    lines = [shapely.LineString(row) for row in (*xy, *xy.transpose(1, 0, 2))]
    names = {"road_id": [f"way/{i:06d}" for i in range(len(lines))]}
    return gpd.GeoDataFrame(names | {"highway": "residential", "name": None, "lit": None}, geometry=lines)


def incidents(roads: gpd.GeoDataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return incidents beside the streets."""
    line = roads.geometry.to_numpy()
    street = np.concatenate(
        [rng.integers(0, len(line), count // 2), np.repeat(rng.integers(0, len(line), count // 40), 20)]
    )
    along = rng.uniform(0, 1, len(street)) * shapely.length(line[street])
    start = along[count // 2 :: 20]
    along[count // 2 :] = (start[:, None] + rng.uniform(0, 400, (len(start), 20))).ravel()
    xy = shapely.get_coordinates(shapely.line_interpolate_point(line[street], along)) + rng.normal(
        0, 6, (len(street), 2)
    )
    ids = [f"r{i:06d}" for i in range(len(street))]
    time_of = pd.Timestamp("2025-01-01", tz="UTC")
    return pd.DataFrame(
        {
            "incident_id": ids,
            "x": xy[:, 0],
            "y": xy[:, 1],
            "half_x_m": 0.5,
            "half_y_m": 0.5,
            "requested_datetime": time_of,
            "n_reports": 1,
            "kelurahan": None,
            "kecamatan": None,
            "area_id": None,
        }
    )


def with_positions(network: RoadNetwork, at: Positions) -> csr_array:
    """Return the network as a matrix in which every position is a node of its own, after those of the network."""
    n_nodes, n = len(network.graph.start) - 1, len(at)
    edge = np.concatenate([np.arange(len(network.shapes)), at.edge, np.arange(len(network.shapes))])
    offset = np.concatenate([np.zeros(len(network.shapes)), at.offset_m, network.graph.length])
    node = np.concatenate([network.graph.ends[:, 0], n_nodes + np.arange(n), network.graph.ends[:, 1]])
    rank = np.repeat([0, 1, 2], [len(network.shapes), n, len(network.shapes)])
    order = np.lexsort((rank, offset, edge))
    edge, offset, node = edge[order], offset[order], node[order]
    same = edge[1:] == edge[:-1]
    i, j, metres = node[:-1][same], node[1:][same], np.maximum(np.diff(offset)[same], 1e-9)
    return csr_array(coo_array((metres, (i, j)), shape=(n_nodes + n,) * 2))


def by_scipy(matrix: csr_array, first: int, sample: NDArray[np.int64]) -> Array:
    """Return the distances from the sampled positions to all positions within the limit."""
    rows = [dijkstra(matrix, directed=False, indices=first + part, limit=LIMIT_M) for part in np.split(sample, 8)]
    return np.asarray(np.concatenate(rows)[:, first:])


def by_networkx(graph: nx.Graph, first: int, sample: NDArray[np.int64]) -> list[dict[int, float]]:
    """Return the same, a position at a time."""
    return [nx.single_source_dijkstra_path_length(graph, first + int(i), cutoff=LIMIT_M) for i in sample]


def timed[T](name: str, work: Callable[[], T]) -> T:
    """Do the work; print its seconds."""
    start = time.perf_counter()
    result = work()
    print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
    return result


def gate_and_peers(network: RoadNetwork, at: Positions, rng: np.random.Generator) -> None:
    """Compare the distances of a sample with scipy's, then print the ratios to the peers."""
    sample = np.sort(rng.choice(len(at), SAMPLE, replace=False))
    start = time.perf_counter()
    ours = near(network, at, np.full(len(at), LIMIT_M))
    seconds = (time.perf_counter() - start) / len(at)
    matrix, first = with_positions(network, at), len(network.graph.start) - 1
    start = time.perf_counter()
    theirs = by_scipy(matrix, first, sample)
    scipy_seconds = (time.perf_counter() - start) / SAMPLE
    own = ours[sample].toarray()
    theirs[np.arange(SAMPLE), sample] = np.inf
    expected = np.where(np.isfinite(theirs), theirs, 0.0)
    if np.abs(own - expected).max() > 2e-6:  # positions that are the same are stored as 1e-6
        raise SystemExit("network distances differ from scipy's")
    graph = nx.from_scipy_sparse_array(matrix)
    start = time.perf_counter()
    by_networkx(graph, first, sample)
    networkx_seconds = (time.perf_counter() - start) / SAMPLE
    print(f"distances of one lamp: ours {seconds * 1e6:.1f} µs")
    print(f"  scipy {scipy_seconds * 1e6:.1f} µs, {scipy_seconds / seconds:.0f}x")
    print(f"  networkx {networkx_seconds * 1e6:.1f} µs, {networkx_seconds / seconds:.0f}x")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a hundredth of the size")
    small = parser.parse_args().small
    rng = np.random.default_rng(1)
    roads = streets(50 if small else 501, rng)
    rows = incidents(roads, 1_000 if small else 100_000, rng)
    inputs = OutageInputs(rows, None, roads, np.empty(0, dtype=object))
    parameters = OutageParameters()
    find_outages(OutageInputs(rows.head(1000), None, streets(20, rng), inputs.cells), parameters)  # compiles
    network = timed("network", lambda: road_network(roads.geometry.to_numpy()))
    print(f"  {len(rows):,} incidents on {len(network.shapes):,} edges")
    found = timed("network, snapping, distances, clusters", lambda: find_outages(inputs, parameters))
    scaled = in_spacings(found.distances, found.lamps.spacing_m)
    timed("  of which DBSCAN", lambda: dbscan(scaled, parameters.eps_spacings, parameters.min_lamps))
    ways = timed("dark roads", lambda: dark_roads(found.lamps, network, found.distances, found.labels))
    members = np.argsort(found.labels, kind="stable")
    ends = np.searchsorted(found.labels[members], np.arange(found.labels.max() + 2))
    timed(
        "outlines",
        lambda: [
            outline(k, members[ends[k] : ends[k + 1]], found.lamps, network, ways, parameters.outline_m)
            for k in range(len(ends) - 1)
        ],
    )
    print(f"  {len(found.lamps):,} dark lamps, {len(ends) - 1:,} zones, {found.distances.nnz:,} distances")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    on = np.flatnonzero(found.lamps.at.edge >= 0)
    gate_and_peers(network, found.lamps.at.take(on), rng)


if __name__ == "__main__":
    main()
