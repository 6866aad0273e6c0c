"""Groups of dark lamps: how far apart they are, in metres and in spacings, and DBSCAN on that."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.spatial import cKDTree
from sklearn.cluster import DBSCAN
from sklearn.neighbors import sort_graph_by_row_values

from spatial.errors import ContractError
from spatial.lighting.lamps import Lamps
from spatial.lighting.network import RoadNetwork, near

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_ROUNDING = 1e-9  # a lamp exactly eps away is within eps


def lamp_distances(lamps: Lamps, network: RoadNetwork | None, spacings: float) -> csr_array:
    """Return the distances between lamps that are within so many spacings of each other; (n, n) sparse, metres.

    Along the network between two lamps on roads, as the crow flies where one of them is on none, or the city has no
    roads. The spacing of a pair is the mean of the spacings at its two ends. Symmetric, nothing on the diagonal.
    """
    reach = spacings * lamps.spacing_m * (1 + _ROUNDING)
    n = len(lamps)
    along = csr_array((n, n)) if network is None else near(network, lamps.at, reach)
    off = np.flatnonzero(lamps.at.edge < 0)
    if len(off) == 0:
        return along
    index = cKDTree(lamps.points_m)
    found = cKDTree(lamps.points_m[off]).sparse_distance_matrix(index, reach.max(), output_type="coo_matrix")
    i, j = off[found.row], found.col.astype(np.int64)
    kept = (i != j) & (found.data <= (reach[i] + reach[j]) / 2) & ((i < j) | (lamps.at.edge[j] >= 0))
    i, j, metres = i[kept], j[kept], np.maximum(found.data[kept], 1e-6)
    both = (np.concatenate([i, j]), np.concatenate([j, i]))
    return csr_array(along + csr_array(coo_array((np.concatenate([metres, metres]), both), shape=(n, n))))


def in_spacings(metres: csr_array, spacing_m: Array) -> csr_array:
    """Return distances divided by the mean of the spacings at their two ends; the same pattern."""
    pairs: Any = metres.tocoo()
    scaled = pairs.data / ((spacing_m[pairs.row] + spacing_m[pairs.col]) / 2)
    return csr_array(coo_array((scaled, (pairs.row, pairs.col)), shape=metres.shape))


def dbscan(distances: csr_array, eps: float, min_points: int) -> Ints:
    """Cluster points of which only the distances to their neighbours are known (Ester et al. 1996, scikit-learn).

    Parameters
    ----------
    distances : (n, n) symmetric sparse, every distance up to `eps` stored.
    eps : neighbourhood radius, in the unit of the distances.
    min_points : points within the radius, itself included, that make a core point.

    Returns
    -------
    (n,) int64 labels 0, 1, …, numbered by their lowest member; -1 is noise. A border point that two clusters could
    claim goes to the cluster of its nearest core point, ties to the lowest position, so labels depend on the order of
    the input only as far as ties do.

    Raises
    ------
    ContractError
        A matrix that is not square, or a negative distance.
    """
    n = distances.shape[0]
    if distances.shape != (n, n) or (distances.data < 0).any():
        raise ContractError("distances must be a square matrix without negative values")
    if n == 0:
        return np.empty(0, dtype=np.int64)
    pairs, itself = distances.tocoo(), np.arange(n)
    at = (np.concatenate([pairs.row, itself]), np.concatenate([pairs.col, itself]))
    graph = csr_array(coo_array((np.concatenate([pairs.data, np.zeros(n)]), at), shape=(n, n)))
    graph = sort_graph_by_row_values(graph, warn_when_not_sorted=False)
    model = DBSCAN(eps=eps * (1 + _ROUNDING), min_samples=min_points, metric="precomputed").fit(graph)
    labels = np.asarray(model.labels_, dtype=np.int64)
    core = np.zeros(n, dtype=bool)
    core[model.core_sample_indices_] = True
    settled = labels.copy()
    for border in np.flatnonzero((labels >= 0) & ~core):
        row = slice(distances.indptr[border], distances.indptr[border + 1])
        beside, away = distances.indices[row], distances.data[row]
        nearest = min((float(d), int(j)) for d, j in zip(away, beside, strict=True) if core[j])[1]
        settled[border] = labels[nearest]
    known, first = np.unique(settled[settled >= 0], return_index=True)
    number = np.full(labels.max() + 2, -1, dtype=np.int64)
    number[known[np.argsort(first)]] = np.arange(len(known))
    return number[settled]
