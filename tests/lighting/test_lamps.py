"""Lamps on their roads: by hand, whatever the order, and on the lamps of two real cities."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial.errors import ContractError
from spatial.lighting.lamps import inferred_lamps, joined, known_lamps, local_spacing_m, roads_with_lamps
from spatial.lighting.network import locate, road_network
from spatial.sources.lamps import LampSource, read_lamps
from spatial.sources.roads import RoadSource, read_roads
from tests.lighting.streets import roads

STREET = [(0.0, 0.0), (300.0, 0.0)]


def inventory(xs: list[float], y: float = 4.0) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"lamp_id": [f"L{i}" for i in range(len(xs))], "source": "inventory"}, geometry=shapely.points(xs, y)
    )


def test_lamps_on_their_road_by_hand() -> None:
    network = road_network(roads(STREET, [(300.0, 0.0), (300.0, 200.0)]).geometry.to_numpy())
    lamps = known_lamps(inventory([10.0, 40.0, 70.0, 500.0]), network, 25.0)
    assert lamps.road.tolist() == [0, 0, 0, -1]
    assert lamps.along_m.tolist() == [10.0, 40.0, 70.0, -1.0]
    assert lamps.at.distance_m[:3].tolist() == [4.0, 4.0, 4.0]
    assert lamps.spacing_m.tolist() == [30.0, 30.0, 30.0, 25.0]
    assert known_lamps(inventory([10.0]), None, 25.0).road.tolist() == [-1]
    assert len(known_lamps(None, network, 25.0)) == 0


def test_the_local_spacing_is_the_median_gap_around_a_lamp() -> None:
    """On one road 20 m apart, then 40: around the lamp at 140 the gaps are 20, 40, 40, 40."""
    along = np.array([20.0, 40.0, 60.0, 80.0, 100.0, 140.0, 180.0, 220.0, 260.0])
    points = np.column_stack([along, np.zeros(9)])
    spacing = local_spacing_m(points, np.zeros(9, dtype=np.int64), along, 30.0)
    assert spacing.tolist() == [20.0, 20.0, 20.0, 20.0, 20.0, 40.0, 40.0, 40.0, 40.0]
    road = np.repeat([0, 1], [8, 1]).astype(np.int64)  # the last stands on a road of its own; too few to learn from
    assert local_spacing_m(points, road, along, 30.0)[-1] == 30.0
    # ten lamps without roads: the distance to the nearest; two on a pole are not a metre apart on the street
    apart = np.column_stack([np.arange(10) * 25.0, np.zeros(10)])
    assert local_spacing_m(apart, np.full(10, -1), np.full(10, -1.0), 30.0).tolist() == [25.0] * 10
    assert local_spacing_m(apart[:2], np.zeros(2, dtype=np.int64), np.array([0.0, 0.5]), 30.0).tolist() == [7.9, 7.9]


def test_inferred_lamps_by_hand() -> None:
    """300 m at 30 m hold ten lamps, the first half a gap from the start; within 40 m of x = 62 are four of them."""
    network = road_network(roads(STREET).geometry.to_numpy())
    lamps = inferred_lamps(network, roads(STREET), 30.0, np.array([[62.0, 5.0]]), np.array([40.0]))
    assert lamps.ids.tolist() == ["way/0@45.0", "way/0@75.0"]
    lamps = inferred_lamps(network, roads(STREET), 30.0, np.array([[62.0, 5.0]]), np.array([50.0]))
    assert lamps.points_m.tolist() == [[15.0, 0.0], [45.0, 0.0], [75.0, 0.0], [105.0, 0.0]]
    assert lamps.along_m.tolist() == [15.0, 45.0, 75.0, 105.0]
    assert lamps.place_sd_m == pytest.approx([30.0 / np.sqrt(12.0)] * 4)
    assert set(lamps.source) == {"inferred"}
    # 40 m hold one lamp, in the middle
    short = roads([(0.0, 0.0), (40.0, 0.0)])
    network = road_network(short.geometry.to_numpy())
    lamps = inferred_lamps(network, short, 30.0, np.array([[0.0, 0.0]]), np.array([50.0]))
    assert lamps.ids.tolist() == ["way/0@20.0"]


@settings(max_examples=15)
@given(
    st.lists(st.floats(0.0, 300.0), min_size=1, max_size=6), st.floats(0.0, 300.0), st.randoms(use_true_random=False)
)
def test_inferred_lamps_depend_on_the_road_alone(xs: list[float], other: float, random) -> None:
    """Whatever the reports' order and number and the roads' order, a place on a road has the same lamp."""
    table = roads(STREET, [(300.0, 0.0), (300.0, 170.0)], [(150.0, -60.0), (150.0, 0.0), (150.0, 60.0)])
    shuffled = table.sample(frac=1, random_state=random.randint(0, 999)).reset_index(drop=True)

    def of(rows: gpd.GeoDataFrame, points: list[float]) -> dict[str, tuple[float, float]]:
        network = road_network(rows.geometry.to_numpy())
        xy = np.column_stack([points, np.full(len(points), 3.0)])
        lamps = inferred_lamps(network, rows, 30.0, xy, np.full(len(points), 45.0))
        return dict(zip(lamps.ids, map(tuple, np.round(lamps.points_m, 6).tolist()), strict=True))

    one, again, more = of(table, xs), of(shuffled, xs[::-1]), of(table, [*xs, other])
    assert one == again
    assert all(more[name] == place for name, place in one.items())
    assert len(set(one)) == len(one) > 0


def test_which_roads_have_lamps() -> None:
    table = roads(STREET, STREET, STREET, STREET, highway=["primary", "footway", "footway", "primary"])
    table["lit"] = [None, None, "yes", "no"]
    assert roads_with_lamps(table).tolist() == [True, False, True, False]
    assert roads_with_lamps(table.iloc[[1, 3]]).tolist() == [True, True]
    assert roads_with_lamps(roads(STREET)).tolist() == [True]


def test_lamps_joined_and_refused() -> None:
    network = road_network(roads(STREET).geometry.to_numpy())
    known = known_lamps(inventory([10.0, 40.0]), network, 30.0)
    made = inferred_lamps(network, roads(STREET), 30.0, np.array([[62.0, 5.0]]), np.array([40.0]))
    both = joined(known, made)
    assert both.ids.tolist() == ["L0", "L1", "way/0@45.0", "way/0@75.0"]
    assert both.along_m.tolist() == [10.0, 40.0, 45.0, 75.0]
    assert both.take(np.array([2])).ids.tolist() == ["way/0@45.0"]
    with pytest.raises(ContractError, match="a spacing above 0"):
        inferred_lamps(network, roads(STREET), 0.0, np.empty((0, 2)), np.empty(0))


@pytest.mark.parametrize(
    ("name", "number", "share_15", "share_30"),
    [("helsinki/Helsinki.osm.pbf", 586, 0.90, 0.95), ("porto_alegre/poa_osm.pbf", 263, 0.85, 0.99)],
)
def test_lamps_of_openstreetmap_are_placed_on_their_roads(
    shared_data, name: str, number: int, share_15: float, share_30: float
) -> None:
    path = shared_data(name)
    points, table = read_lamps(LampSource(path)).lamps, read_roads(RoadSource(path)).roads.sort_values("road_id")
    crs = points.estimate_utm_crs()
    points, table = points.to_crs(crs), table.to_crs(crs).reset_index(drop=True)
    network = road_network(table.geometry.to_numpy())
    lamps = known_lamps(points, network, 30.0)
    assert len(lamps) == number
    assert set(lamps.source) == {"osm"}
    nearest = shapely.STRtree(table.geometry.to_numpy()).query_nearest(
        shapely.points(lamps.points_m), return_distance=True, all_matches=False
    )[1]
    assert (lamps.at.distance_m[lamps.road >= 0]) == pytest.approx(nearest[nearest <= 30.0], abs=1e-6)
    assert (lamps.at.distance_m <= 15.0).mean() > share_15
    assert (lamps.road >= 0).mean() > share_30
    assert lamps.spacing_m.min() >= 7.9
    assert lamps.spacing_m.max() <= 43.0
    feet = shapely.line_interpolate_point(
        table.geometry.to_numpy()[lamps.road[lamps.road >= 0]], lamps.along_m[lamps.road >= 0]
    )
    assert shapely.distance(feet, shapely.points(network.points_m(lamps.at))[lamps.road >= 0]).max() < 1e-6
    assert len(locate(network, np.empty((0, 2)), 30.0)) == 0
