"""Groups: points near each other in the plane, and cells that touch each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import sparray
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import DBSCAN


def dbscan(points_m: NDArray[np.float64], eps_m: float, min_points: int) -> NDArray[np.int64]:
    """Cluster points in the plane (Ester et al. 1996, scikit-learn).

    Parameters
    ----------
    points_m : (n, 2) metres.
    eps_m : neighbourhood radius, metres.
    min_points : points within the radius, itself included, that make a core point.

    Returns
    -------
    (n,) int64 labels 0, 1, …, numbered by their lowest member; -1 is noise. A border point that two clusters could
    claim goes to the cluster of its nearest core point, so that labels do not depend on the order of the input.
    """
    if len(points_m) == 0:
        return np.empty(0, dtype=np.int64)
    model = DBSCAN(eps=eps_m, min_samples=min_points).fit(points_m)
    labels = np.asarray(model.labels_, dtype=np.int64)
    core = np.asarray(model.core_sample_indices_, dtype=np.int64)
    for border in np.setdiff1d(np.flatnonzero(labels >= 0), core):
        distance = np.hypot(*(points_m[core] - points_m[border]).T)
        ties = core[distance == distance.min()]
        labels[border] = labels[min(ties, key=lambda i: tuple(points_m[i]))]
    return _renumber(labels)


def connected_cells(chosen: NDArray[np.bool_], neighbours: sparray) -> NDArray[np.int64]:
    """Return labels (n,) of the contiguous groups among the chosen cells, -1 for the others.

    Parameters
    ----------
    chosen : (n,) bool.
    neighbours : (n, n) sparse adjacency of cells, as `grid.disk_matrix` gives for k = 1.
    """
    labels = np.full(len(chosen), -1, dtype=np.int64)
    where = np.flatnonzero(chosen)
    if len(where):
        matrix: Any = neighbours
        labels[where] = connected_components(matrix[where][:, where], directed=False)[1]
    return _renumber(labels)


def summit_cells(
    height: NDArray[np.float64], least: float, prominence: float, neighbours: sparray
) -> NDArray[np.int64]:
    """Return labels (n,) of contiguous groups of cells around the summits of a height, -1 below `least`.

    Cells are taken from the highest down; each joins the summit of its highest neighbour, and two summits that meet
    become one where the lower rises less than `prominence` above the cell where they meet (ToMATo, Chazal et al. 2013).
    A summit of at least twice the height's error above its saddles outlasts that error, so the groups stay put.

    Parameters
    ----------
    height : (n,) float64, NaN counts as below `least`.
    prominence : ≥ 0; with infinity the groups are those of `connected_cells`.
    neighbours : (n, n) sparse adjacency of cells, as `grid.disk_matrix` gives for k = 1.
    """
    matrix: Any = neighbours.tocsr()
    owner = np.full(len(height), -1, dtype=np.int64)  # towards the summit, that of a summit is itself

    def summit(cell: int) -> int:
        while owner[cell] != cell:
            owner[cell] = owner[owner[cell]]
            cell = int(owner[cell])
        return cell

    chosen = np.flatnonzero(np.nan_to_num(height, nan=-np.inf) >= least)
    for cell in chosen[np.argsort(-height[chosen], kind="stable")].tolist():
        around = matrix.indices[matrix.indptr[cell] : matrix.indptr[cell + 1]]
        taken = sorted((i for i in around.tolist() if owner[i] >= 0), key=lambda i: (-height[i], i))
        owner[cell] = summit(taken[0]) if taken else cell
        for other in taken[1:]:
            high, low = sorted((summit(cell), summit(other)), key=lambda i: (-height[i], i))
            if height[low] - height[cell] < prominence:
                owner[low] = high
    return _renumber(np.array([summit(i) if owner[i] >= 0 else -1 for i in range(len(owner))], dtype=np.int64))


def _renumber(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the labels by their first member."""
    known, first = np.unique(labels[labels >= 0], return_index=True)
    order = {int(label): new for new, label in enumerate(known[np.argsort(first)])}
    return np.array([order.get(int(label), -1) for label in labels], dtype=np.int64)
