"""The dark road between the lamps of a group: metres by hand, and what its outline holds."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree
from shapely.ops import substring

from spatial.lighting.dark_roads import dark_roads, outline
from spatial.lighting.groups import lamp_distances
from spatial.lighting.lamps import Lamps, places_of_reports
from spatial.lighting.network import RoadNetwork, road_network
from tests.lighting.streets import GRID, lines, street_nets

CORNER = lines([(0.0, 0.0), (60.0, 0.0), (100.0, 0.0)], [(60.0, 0.0), (60.0, 100.0)])


def lamps_at(points: list[tuple[float, float]], network: RoadNetwork | None, spacing: float = 30.0) -> Lamps:
    ids = np.array([f"L{i:02d}" for i in range(len(points))], dtype=object)
    return places_of_reports(ids, np.array(points, dtype=float), np.zeros(len(points)), network, spacing)


def test_around_a_corner_by_hand() -> None:
    """Lamps at 20 and 50 m of one street and 30 and 60 m of the next: from 5 m to the corner, and on to 75 m."""
    network = road_network(CORNER)
    lamps = lamps_at([(20, 4), (50, 4), (64, 30), (64, 60)], network)
    labels = np.zeros(4, dtype=np.int64)
    roads = dark_roads(lamps, network, lamp_distances(lamps, network, 3.0), labels)
    by_street = roads.pieces.groupby("line")["length_m"].sum()
    # the lamp at 50 m is 15 m from 65 m: its half spacing goes 5 m past the corner along its own street
    assert by_street.tolist() == [pytest.approx(60.0), pytest.approx(75.0)]
    assert roads.straight.empty
    shape = outline(0, np.arange(4), lamps, network, roads, 10.0)
    assert shape.contains(shapely.Point(60, 70))
    assert shape.contains(shapely.Point(30, 9))
    assert not shape.intersects(shapely.Point(30, 11))
    assert not shape.intersects(shapely.Point(35, 30))  # the inside of the corner
    assert not shape.intersects(shapely.Point(4.9, 0))  # cut off square, half a spacing beyond the last lamp
    assert shape.contains(shapely.Point(5.1, 0))


def test_half_a_spacing_goes_on_past_crossings() -> None:
    """A lamp at 67 m between crossings at 60 and 70 m: from 52 to 82 m, over three edges and not into the crossings."""
    main = [(0.0, 0.0), (60.0, 0.0), (70.0, 0.0), (100.0, 0.0)]
    network = road_network(lines(main, [(60.0, 0.0), (60.0, 50.0)], [(70.0, 0.0), (70.0, 50.0)]))
    for at, expected in ((67.0, [[0, 52, 60], [1, 0, 10], [2, 0, 12]]), (95.0, [[2, 10, 30]])):
        lamps = lamps_at([(at, 0), (at, 0)], network)
        roads = dark_roads(lamps, network, lamp_distances(lamps, network, 3.0), np.zeros(2, dtype=np.int64))
        assert roads.pieces[["edge", "from_m", "to_m"]].to_numpy() == pytest.approx(np.array(expected))


def test_the_outline_has_no_slit_where_three_streets_meet_in_a_bend() -> None:
    bend = lines([(0.0, 0.0), (50.0, 0.0), (100.0, 20.0)], [(50.0, 0.0), (50.0, 60.0)])
    network = road_network(bend)
    lamps = lamps_at([(20, 0), (50, 30), (80, 12)], network)
    roads = dark_roads(lamps, network, lamp_distances(lamps, network, 3.0), np.zeros(3, dtype=np.int64))
    shape = outline(0, np.arange(3), lamps, network, roads, 10.0)
    assert shape.contains(shapely.Point(51, -9))  # outside the bend: beyond the square end of either stretch
    assert len(shape.geoms) == 1
    assert len(shape.geoms[0].interiors) == 0


def test_without_roads_the_outline_is_around_the_straight_tree() -> None:
    lamps = lamps_at([(0, 0), (30, 0), (60, 0), (60, 30)], None)
    roads = dark_roads(lamps, None, lamp_distances(lamps, None, 1.0), np.zeros(4, dtype=np.int64))
    assert roads.pieces.empty
    assert roads.straight[["first", "second"]].to_numpy().tolist() == [[0, 1], [1, 2], [2, 3]]
    shape = outline(0, np.arange(4), lamps, None, roads, 10.0)
    assert shape.contains(shapely.Point(20, 14))
    assert not shape.intersects(shapely.Point(20, 15.1))
    assert not shape.intersects(shapely.Point(20, 25))


def test_each_group_has_its_own_road_and_noise_has_none() -> None:
    network = road_network(GRID)
    lamps = lamps_at([(20, 0), (50, 0), (20, 100), (50, 100), (150, 200)], network)
    labels = np.array([0, 0, 1, 1, -1])
    roads = dark_roads(lamps, network, lamp_distances(lamps, network, 3.0), labels)
    assert roads.pieces[["group", "line", "from_m", "to_m"]].to_numpy().tolist() == [[0, 3, 5, 65], [1, 4, 5, 65]]
    assert roads.of(1)[0]["length_m"].tolist() == [60.0]


@settings(max_examples=15)
@given(street_nets(), st.integers(2, 8), st.integers(0, 999))
def test_the_road_joins_the_lamps_and_is_counted_once(streets: np.ndarray, count: int, seed: int) -> None:
    """Unbroken from lamp to lamp, no piece twice, no longer than tree and half spacings, all inside the outline."""
    network = road_network(streets)
    rng = np.random.default_rng(seed)
    edge = network.shapes[rng.integers(0, len(network.shapes), count)]
    points = shapely.get_coordinates(shapely.line_interpolate_point(edge, rng.uniform(0, 1, count), normalized=True))
    lamps = lamps_at(list(map(tuple, points)), network)
    metres = lamp_distances(lamps, network, 100.0)
    reached = np.flatnonzero((metres[[0]].toarray()[0] > 0) | (np.arange(count) == 0))
    labels = np.full(count, -1, dtype=np.int64)
    labels[reached] = 0
    roads = dark_roads(lamps, network, metres, labels)
    pieces = roads.pieces
    assert (pieces["length_m"] <= network.graph.length[pieces["edge"]] + 1e-6).all()
    again = pieces.sort_values(["edge", "from_m"])
    assert (again["from_m"].iloc[1:].to_numpy() > again["to_m"].iloc[:-1].to_numpy())[np.diff(again["edge"]) == 0].all()
    tree = minimum_spanning_tree(metres[reached][:, reached]).sum()
    assert pieces["length_m"].sum() <= tree + 30.0 * len(reached) + 1e-6
    shape = outline(0, reached, lamps, network, roads, 5.0)
    assert shapely.get_num_geometries(shapely.union_all(shapely.buffer(shape, 0.01))) == 1
    assert shape.buffer(1e-6).contains(shapely.MultiPoint(points[reached]))
    shapes = [
        substring(network.shapes[e], a, b)
        for e, a, b in zip(pieces["edge"], pieces["from_m"], pieces["to_m"], strict=True)
    ]
    assert shapely.contains(shape.buffer(1e-3), shapes).all()
