"""The road network: on a grid by hand, against networkx, and on real streets."""

from __future__ import annotations

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.ops import substring

from spatial.errors import ContractError
from spatial.lighting.network import Positions, RoadNetwork, locate, near, road_network, ways
from tests.lighting.streets import GRID, lines, oracle, street_nets


def positions(network: RoadNetwork, places: list[tuple[int, float]]) -> Positions:
    """Return the positions of places that are a street and metres along it."""
    edge = []
    for street, along in places:
        own = np.flatnonzero(network.line == street)
        edge.append(own[np.flatnonzero(network.along_m[own] <= along)[-1]])
    offset = np.array([along for _, along in places]) - network.along_m[edge]
    return Positions(np.array(edge, dtype=np.int64), offset, np.zeros(len(places)))


def test_a_grid_by_hand() -> None:
    network = road_network(GRID)
    assert len(network.shapes) == 12
    assert len(road_network(lines([(0.0, 0.0), (50.0, 0.0), (50.0, 0.0), (100.0, 0.0)])).shapes) == 1
    assert len(network.graph.start) - 1 == 9
    assert network.line.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert network.along_m.tolist() == [0.0, 100.0] * 6
    at = locate(network, np.array([[10.0, 2.0], [10.0, 198.0], [105.0, 50.0], [500.0, 500.0]]), 30.0)
    assert at.edge.tolist() == [6, 10, 2, -1]
    assert at.offset_m[:3].tolist() == [10.0, 10.0, 50.0]
    assert at.distance_m[:3].tolist() == [2.0, 2.0, 5.0]
    # 10 to the corner, 200 north, 10 east; 90 east, 50 north; 90 and 100 back south, 50 further
    metres = near(network, at, np.full(4, 1000.0)).toarray()
    assert metres[0].tolist() == [0.0, 220.0, 140.0, 0.0]
    assert metres[1].tolist() == [220.0, 0.0, 240.0, 0.0]
    assert metres[3].tolist() == [0.0, 0.0, 0.0, 0.0]
    # near means within the mean of the two reaches: 139 < 140 ≤ 140
    assert near(network, at, np.array([200.0, 0.0, 78.0, 0.0])).nnz == 0
    assert near(network, at, np.array([200.0, 0.0, 80.0, 0.0])).nnz == 2


def test_the_shortest_way_by_hand() -> None:
    network = road_network(GRID)
    at = locate(network, np.array([[10.0, 2.0], [10.0, 198.0], [40.0, 0.0]]), 30.0)
    told = ways(network, at, np.array([0, 0]), np.array([1, 2]), np.array([500.0, 500.0]))
    rows = sorted(told.itertuples(index=False, name=None))
    assert rows == [(0, 0, 0.0, 100.0), (0, 1, 0.0, 100.0), (0, 6, 0.0, 10.0), (0, 10, 0.0, 10.0), (1, 6, 10.0, 40.0)]
    assert ways(network, at, np.array([0]), np.array([1]), np.array([100.0])).empty  # the way is 220 m


def test_what_is_joined_and_what_is_not() -> None:
    main = [(0.0, 0.0), (100.0, 0.0), (200.0, 0.0)]
    cases = {
        "an end on a vertex": ([(100.0, 0.0), (100.0, 50.0)], True),
        "an end 5 cm from a vertex": ([(100.0, 0.05), (100.0, 50.0)], True),
        "an end half a metre from it": ([(100.0, 0.5), (100.0, 50.0)], False),
        "a bridge": ([(50.0, -50.0), (50.0, 50.0)], False),
    }
    for name, (other, joined) in cases.items():
        network = road_network(lines(main, other))
        at = locate(network, np.array([[20.0, 0.0], [other[1][0], 40.0]]), 1.0)
        assert (near(network, at, np.full(2, 1000.0)).nnz > 0) == joined, name


def test_a_ring_is_walked_either_way_round() -> None:
    ring = [(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0), (0.0, 0.0)]
    network = road_network(lines(ring))
    assert len(network.shapes) == 1
    at = positions(network, [(0, 10.0), (0, 390.0), (0, 150.0)])
    metres = near(network, at, np.full(3, 1000.0)).toarray()
    assert metres[0, 1] == 20.0
    assert metres[1, 2] == 160.0
    told = ways(network, at, np.array([0]), np.array([1]), np.array([1000.0]))
    assert sorted(told[["from_m", "to_m"]].itertuples(index=False, name=None)) == [(0.0, 10.0), (390.0, 400.0)]


@st.composite
def nets_with_places(draw: st.DrawFn) -> tuple[np.ndarray, list[tuple[int, float]], np.ndarray]:
    streets = draw(street_nets())
    length = shapely.length(streets)
    picks = draw(st.lists(st.tuples(st.integers(0, len(streets) - 1), st.floats(0.0, 1.0)), min_size=2, max_size=8))
    reach = draw(st.lists(st.floats(0.0, 500.0), min_size=len(picks), max_size=len(picks)))
    return streets, [(street, share * length[street]) for street, share in picks], np.array(reach)


@settings(max_examples=30)
@given(nets_with_places())
def test_distances_are_those_of_networkx_up_to_the_reach(case: tuple) -> None:
    streets, places, reach = case
    network = road_network(streets)
    metres = near(network, positions(network, places), reach)
    expected, bound = oracle(streets, places), (reach[:, None] + reach[None, :]) / 2
    np.fill_diagonal(expected, np.inf)
    stored = np.full(expected.shape, np.inf)
    pairs = metres.tocoo()
    stored[pairs.row, pairs.col] = pairs.data
    clear = np.abs(expected - bound) > 1e-6  # on the bound itself rounding decides
    assert np.array_equal(np.isfinite(stored)[clear], (expected <= bound)[clear])
    both = np.isfinite(stored)
    assert stored[both] == pytest.approx(expected[both], abs=2e-6)


@settings(max_examples=30)
@given(nets_with_places())
def test_a_way_is_as_long_as_the_distance_and_unbroken(case: tuple) -> None:
    streets, places, _ = case
    network = road_network(streets)
    at = positions(network, places)
    expected = oracle(streets, places)[0]
    rest = np.arange(1, len(places))
    told = ways(network, at, np.zeros(len(rest), dtype=np.int64), rest, np.full(len(rest), 1e4))
    assert (told["from_m"] <= told["to_m"]).all()
    for pair, other in enumerate(rest):
        pieces = told[told["pair"] == pair]
        if not np.isfinite(expected[other]):
            assert pieces.empty
            continue
        assert (pieces["to_m"] - pieces["from_m"]).sum() == pytest.approx(expected[other], abs=1e-6)
        shapes = [
            substring(network.shapes[e], a, b) for e, a, b in pieces[["edge", "from_m", "to_m"]].itertuples(index=False)
        ]
        assert shapely.get_num_geometries(shapely.union_all(shapely.buffer(shapes, 1e-3))) == 1


@settings(max_examples=12)
@given(street_nets(), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_does_not_matter(streets: np.ndarray, random) -> None:
    order = np.array(random.sample(range(len(streets)), len(streets)))
    points = np.random.default_rng(1).uniform(0, 300, (6, 2))
    first, second = road_network(streets), road_network(streets[order])
    one, two = (near(n, locate(n, points, 1e3), np.full(6, 1e3)).toarray() for n in (first, second))
    assert one == pytest.approx(two, abs=1e-6)


def test_what_is_no_position_is_refused() -> None:
    network = road_network(GRID)
    at = Positions(np.array([12]), np.array([0.0]), np.array([0.0]))
    with pytest.raises(ContractError, match="a position has no edge of this network"):
        near(network, at, np.array([1.0]))
    at = Positions(np.array([0]), np.array([101.0]), np.array([0.0]))
    with pytest.raises(ContractError, match="an offset is not on its edge"):
        near(network, at, np.array([1.0]))
    with pytest.raises(ContractError, match=r"reach_m must be \(1,\) finite and 0 or more"):
        near(network, at, np.array([-1.0]))
    with pytest.raises(ContractError, match="LineStrings and MultiLineStrings"):
        road_network(np.array([shapely.Point(0, 0)], dtype=object))


def test_balikpapans_streets_are_joined_as_its_own_graph_says(shared_data) -> None:
    """Distances between the crossings of a real graph, from its geometry alone, equal those along its own edges."""
    graph = nx.read_graphml(shared_data("balikpapan/simpl_klandasan_ilir_drive.graphml"))
    nodes = gpd.GeoSeries(
        {n: shapely.Point(float(d["x"]), float(d["y"])) for n, d in graph.nodes(data=True)}, crs="EPSG:4326"
    )
    shapes = {}
    for a, b, data in graph.edges(data=True):
        straight = shapely.LineString([nodes[a], nodes[b]])
        line = shapely.from_wkt(data["geometry"]) if "geometry" in data else straight
        shapes.setdefault(frozenset((a, b, round(float(data["length"]), 3))), (a, b, line))
    streets = gpd.GeoSeries([line for _, _, line in shapes.values()], crs="EPSG:4326").to_crs(32750)
    own = nx.MultiGraph()
    for (a, b, _), line in zip(shapes.values(), streets, strict=True):
        own.add_edge(a, b, weight=line.length)
    network = road_network(streets.to_numpy())
    names = sorted(own.nodes)
    at = locate(network, shapely.get_coordinates(nodes.to_crs(32750).loc[names]), 1.0)
    assert (at.edge >= 0).all()
    metres = near(network, at, np.full(len(names), 600.0)).toarray()
    pairs = 0
    for i, name in enumerate(names[:40]):
        lengths = nx.single_source_dijkstra_path_length(own, name, cutoff=599.9)
        for j, other in enumerate(names):
            if i != j and other in lengths:
                assert metres[i, j] == pytest.approx(lengths[other], abs=0.2), (name, other)
                pairs += 1
    assert pairs > 400
