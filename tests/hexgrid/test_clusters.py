"""Groups of points and of cells."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from spatial.hexgrid.clusters import connected_cells, dbscan, summit_cells
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


RIDGE = csr_array(np.abs(np.subtract.outer(range(8), range(8))) <= 1)  # cells in a row


def test_summits_by_hand() -> None:
    # Summits of 0.9 and 0.6 meet at 0.45: the lower rises 0.15 above it; 0.2 is below the least.
    height = np.array([0.5, 0.9, 0.45, 0.6, 0.5, 0.2, np.nan, 0.4])
    assert summit_cells(height, 0.3, 0.1, RIDGE).tolist() == [0, 0, 0, 1, 1, -1, -1, 2]
    assert summit_cells(height, 0.3, 0.2, RIDGE).tolist() == [0, 0, 0, 0, 0, -1, -1, 1]


HEIGHTS = arrays(np.float64, 37, elements=st.floats(0.0, 1.0), unique=True)
DISK = grid_disk(cells_of_points([117.5], [-3.3], 9)[0], 3)
AROUND = disk_matrix(DISK, 1)


@settings(max_examples=60, deadline=None)
@given(HEIGHTS, st.floats(0.0, 0.5), st.randoms(use_true_random=False))
def test_summits_are_contiguous_whatever_the_order(height: np.ndarray, prominence: float, random) -> None:
    labels = summit_cells(height, 0.2, prominence, AROUND)
    assert np.array_equal(labels >= 0, height >= 0.2)
    for label in range(labels.max(initial=-1) + 1):
        assert connected_cells(labels == label, AROUND).max() == 0
    order = np.array(random.sample(range(37), 37))
    moved = summit_cells(height[order], 0.2, prominence, AROUND[order][:, order])
    back = np.empty(37, dtype=np.int64)
    back[order] = moved
    assert _partition(labels) == _partition(back)


@given(HEIGHTS, st.floats(0.0, 0.5))
def test_less_prominence_only_cuts_and_without_end_only_contact_counts(height: np.ndarray, prominence: float) -> None:
    fine, coarse = (summit_cells(height, 0.2, p, AROUND) for p in (prominence, prominence + 0.2))
    assert all(any(part <= whole for whole in _partition(coarse)) for part in _partition(fine))
    contact = connected_cells(height >= 0.2, AROUND)
    assert _partition(summit_cells(height, 0.2, np.inf, AROUND)) == _partition(contact)
