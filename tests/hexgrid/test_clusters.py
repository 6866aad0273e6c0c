"""Groups of points and of cells."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial.hexgrid.clusters import connected_cells, dbscan
from spatial.hexgrid.grid import cells_of_points, disk_matrix, grid_disk

coordinates = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=40, unique=True)


def test_two_clusters_and_noise_by_hand() -> None:
    points = np.array([[0, 0], [1, 0], [2, 0], [50, 0], [51, 0], [52, 0], [100, 100]], dtype=float)
    assert dbscan(points, 1.5, 3).tolist() == [0, 0, 0, 1, 1, 1, -1]
    assert dbscan(np.empty((0, 2)), 1.0, 3).tolist() == []


@settings(max_examples=60, deadline=None)
@given(coordinates, st.randoms(use_true_random=False))
def test_clusters_do_not_depend_on_the_order_of_points(rows: list[tuple[int, int]], random) -> None:
    points = np.array(rows, dtype=float)
    order = list(range(len(rows)))
    random.shuffle(order)
    first, second = dbscan(points, 3.0, 3), dbscan(points[order], 3.0, 3)
    back = np.empty(len(rows), dtype=np.int64)
    back[order] = second
    assert _partition(first) == _partition(back)


def _partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist()) - {-1}}


def test_contiguous_cells_by_hand() -> None:
    centre = cells_of_points([117.5], [-3.3], 9)[0]
    cells = grid_disk(centre, 4)
    chosen = np.isin(cells, [centre, *grid_disk(centre, 1)])
    far = next(i for i, cell in enumerate(cells) if cell not in grid_disk(centre, 3))
    chosen[far] = True
    labels = connected_cells(chosen, disk_matrix(cells, 1))
    assert sorted(np.bincount(labels[labels >= 0]).tolist()) == [1, 7]
    assert (labels[~chosen] == -1).all()
