"""Groups of dark lamps: the same as DBSCAN in the plane where the plane is the basis, and by hand along a street."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

from spatial.errors import ContractError
from spatial.hexgrid.clusters import dbscan as dbscan_plane
from spatial.lighting.groups import dbscan, in_spacings, lamp_distances
from spatial.lighting.lamps import Lamps, places_of_reports
from spatial.lighting.network import road_network
from tests.lighting.streets import lines

coordinates = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=30, unique=True)


def places(points: np.ndarray, spacing: float, network=None) -> Lamps:
    ids = np.array([f"r{i:02d}" for i in range(len(points))], dtype=object)
    return places_of_reports(ids, points, np.zeros(len(points)), network, spacing)


@settings(max_examples=30)
@given(coordinates, st.integers(1, 5))
def test_without_roads_the_groups_are_those_of_the_plane(rows: list[tuple[int, int]], least: int) -> None:
    points = np.array(rows, dtype=float)
    points = points[np.lexsort(points.T[::-1])]  # ties go to the lower coordinate there, to the lower position here
    lamps = places(points, 2.0)
    metres = lamp_distances(lamps, None, 3.0)
    apart = cdist(points, points)
    assert metres.toarray() == pytest.approx(np.where(apart <= 6.0, apart, 0.0))
    labels = dbscan(in_spacings(metres, lamps.spacing_m), 3.0, least)
    assert labels.tolist() == dbscan_plane(points, 6.0, least).tolist()


def test_distances_are_in_spacings_of_both_ends() -> None:
    """Lamps at 0, 60, 120, 180 m of a street; 20 m apart on its first half and 40 m on the other: 3, 2 and 1.5."""
    network = road_network(lines([(0.0, 0.0), (300.0, 0.0)]))
    lamps = places(np.column_stack([[0.0, 60.0, 120.0, 180.0], np.full(4, 5.0)]), 20.0, network)
    lamps.spacing_m[2:] = 40.0
    metres = lamp_distances(lamps, network, 3.0)
    scaled = in_spacings(metres, lamps.spacing_m).toarray()
    assert scaled[0].tolist() == [0.0, 3.0, 0.0, 0.0]
    assert scaled[1].tolist() == [3.0, 0.0, 2.0, 0.0]
    assert scaled[2].tolist() == [0.0, 2.0, 0.0, 1.5]
    assert scaled[3, 1] == 0.0  # 120 m are 4 spacings
    assert dbscan(in_spacings(metres, lamps.spacing_m), 3.0, 3).tolist() == [0, 0, 0, 0]
    assert dbscan(in_spacings(metres, lamps.spacing_m), 2.0, 3).tolist() == [-1, 0, 0, 0]


def test_a_lamp_off_the_roads_is_as_far_as_the_crow_flies() -> None:
    network = road_network(lines([(0.0, 0.0), (300.0, 0.0)]))
    lamps = places(np.array([[0.0, 0.0], [0.0, 50.0], [30.0, 50.0], [60.0, 10.0]]), 30.0, network)
    assert (lamps.at.edge >= 0).tolist() == [True, False, False, True]
    metres = lamp_distances(lamps, network, 3.0).toarray()
    assert metres[0] == pytest.approx([0.0, 50.0, np.hypot(30, 50), 60.0])
    assert metres[1] == pytest.approx([50.0, 0.0, 30.0, np.hypot(60, 40)])
    assert np.array_equal(metres, metres.T)


def test_a_border_goes_to_the_nearest_core_and_labels_to_the_lowest_member() -> None:
    """Two stars, around 1 and around 6; 4 is within eps of both centres and nearer to 6."""
    apart = np.zeros((9, 9))
    for centre, rays in ((1, (0, 2, 3)), (6, (5, 7, 8))):
        apart[centre, rays] = 1.0
    apart[1, 4], apart[6, 4] = 0.9, 0.8
    graph = csr_array(apart + apart.T)
    assert dbscan(graph, 1.0, 5).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    order = np.array([5, 6, 7, 8, 4, 0, 1, 2, 3])
    assert dbscan(graph[order][:, order], 1.0, 5).tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert dbscan(graph, 1.0, 6).tolist() == [-1] * 9
    assert dbscan(csr_array((0, 0)), 1.0, 3).tolist() == []
    assert dbscan(csr_array((2, 2)), 1.0, 2).tolist() == [-1, -1]


def test_what_is_no_matrix_of_distances_is_refused() -> None:
    with pytest.raises(ContractError, match="square matrix"):
        dbscan(csr_array((2, 3)), 1.0, 3)
    with pytest.raises(ContractError, match="without negative"):
        dbscan(csr_array(np.array([[0.0, -1.0], [-1.0, 0.0]])), 1.0, 3)
