"""Lighting zones on streets small enough to check by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from spatial.hexgrid.join import city_grid
from spatial.lighting.outages import OutageInputs, OutageParameters, find_outages
from spatial.lighting.zones import LightingMethods, lighting_zones

GRID = city_grid(shapely.box(117.50, -3.32, 117.51, -3.31), 9, CRS.from_epsg(32750))
X0, Y0 = shapely.get_coordinates(shapely.centroid(GRID.area))[0]
CORNER = np.array([X0, Y0])
AS_OF = pd.Timestamp("2025-02-01", tz="UTC")
NONE = pd.DataFrame({"zone_id": [], "member": []}, dtype=str)
PARAMETERS = OutageParameters()


def zones_and_members(*given) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    *rest, parameters = given
    found = lighting_zones(*rest, LightingMethods(parameters))
    return found.zones, found.members


def incidents(xs: list[float], days_ago: int = 15) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "incident_id": [f"r{i}" for i in range(len(xs))],
            "x": [X0 + x for x in xs],
            "y": Y0,
            "half_x_m": 0.05,
            "half_y_m": 0.05,
            "requested_datetime": AS_OF - pd.Timedelta(days=days_ago),
            "n_reports": 1,
            "kelurahan": "Tepi Laut",
            "kecamatan": None,
            "area_id": None,
        }
    )


def lamps(n: int = 20, spacing: float = 30.0) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"lamp_id": [f"L{i:02d}" for i in range(n)]},
        crs=GRID.crs,
        geometry=shapely.points([(X0 + spacing * i, Y0) for i in range(n)]),
    )


def road(highway: str | None) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"road_id": ["way/1"], "highway": [highway], "name": ["Jl. Uji"], "lit": [None]},
        crs=GRID.crs,
        geometry=[shapely.LineString([(X0 - 100, Y0), (X0 + 1000, Y0)])],
    )


def test_five_reports_of_one_lamp_are_one_dark_lamp() -> None:
    found = find_outages(OutageInputs(incidents([0, 1, 2, -3, 4]), lamps(), None, GRID.polygons), PARAMETERS)
    assert found.lamps.ids.tolist() == ["L00"]
    assert found.snapped["lamp"].tolist() == [0] * 5
    zones, members = zones_and_members(
        OutageInputs(incidents([0, 1, 2, -3, 4]), lamps(), None, GRID.polygons), NONE, "v", AS_OF, PARAMETERS
    )
    assert zones.empty
    assert members.empty


def test_a_dark_street_is_one_zone_with_its_numbers() -> None:
    inputs = OutageInputs(incidents([0, 60, 120, 500]), lamps(), road("primary"), GRID.polygons)
    zones, members = zones_and_members(inputs, NONE, "v", AS_OF, PARAMETERS)
    zone = zones.iloc[0]
    assert len(zones) == 1
    assert members["member"].tolist() == ["L00", "L02", "L04"]
    assert (zone["lamps_affected"], zone["lamps_total"], zone["n_incidents"]) == (3, 5, 3)
    assert zone["road_length_m"] == pytest.approx(
        150.0, abs=0.1
    )  # 120 m between the lamps and half a spacing at each end
    assert zone["score"] == pytest.approx(0.6 * 0.3 + 0.2 * 0.5 + 0.2 * 1.0)  # 3 of 10 lamps, 15 of 30 days, all major
    assert sum(json.loads(zone["explanation_parts"]).values()) == pytest.approx(zone["score"], abs=1e-9)
    assert "3 lampu padam" in zone["explanation_id"]
    assert zone["kelurahan"] == "Tepi Laut"
    assert zone["first_report"] == AS_OF - pd.Timedelta(days=15)
    assert zone["severity"] == "medium"


def test_what_is_not_known_is_null_and_its_weight_goes_to_the_rest() -> None:
    zones, _ = zones_and_members(
        OutageInputs(incidents([0, 60, 120]), None, None, GRID.polygons), NONE, "v", None, PARAMETERS
    )
    zone = zones.iloc[0]
    assert zone["score"] == pytest.approx(0.3)
    assert zone[["lamps_affected", "lamps_total", "road_length_m", "lit_road_length_m", "trend"]].isna().all()
    assert zone["cause"] == "unknown"  # places without times or lamps tell of no circuit
    assert pd.isna(zone["panel_id"])


def test_a_repaired_lamp_leaves_its_zone_and_the_id_stays() -> None:
    first, members = zones_and_members(
        OutageInputs(incidents([0, 60, 120, 180]), lamps(), None, GRID.polygons), NONE, "v1", AS_OF, PARAMETERS
    )
    second, left = zones_and_members(
        OutageInputs(incidents([0, 60, 120]), lamps(), None, GRID.polygons), members, "v2", AS_OF, PARAMETERS
    )
    assert second["zone_id"].tolist() == first["zone_id"].tolist()
    assert second["change"].tolist() == ["shrunk"]
    assert left["member"].tolist() == ["L00", "L02", "L04"]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 570), min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_zones_hold_their_members_and_do_not_depend_on_order(xs: list[int], random) -> None:
    rows = incidents([float(x) for x in xs])
    shuffled = rows.sample(frac=1, random_state=random.randint(0, 9999)).reset_index(drop=True)
    results = [
        zones_and_members(OutageInputs(r, lamps(), None, GRID.polygons), NONE, "v", AS_OF, PARAMETERS)
        for r in (rows, shuffled)
    ]
    (zones, members), (again, again_members) = results
    assert members.equals(again_members)
    assert zones[["zone_id", "n_incidents", "lamps_affected", "score"]].equals(
        again[["zone_id", "n_incidents", "lamps_affected", "score"]]
    )
    at = lamps().set_index("lamp_id").geometry
    outlines = zones.set_index("zone_id").geometry
    assert all(outlines[z].buffer(1e-6).contains(at[m]) for z, m in members.itertuples(index=False))
    assert (members.groupby("zone_id").size() >= PARAMETERS.min_lamps).all()


def on_streets(*places: tuple[float, float], **columns: object) -> pd.DataFrame:
    """Return incidents at x, y from the corner of the grid."""
    rows = incidents([0.0] * len(places))
    rows["x"], rows["y"] = X0 + np.array(places).T[0], Y0 + np.array(places).T[1]
    return rows.assign(**columns)


def streets(*lines: list[tuple[float, float]], **columns: object) -> gpd.GeoDataFrame:
    shapes = [shapely.LineString(np.array(line) + CORNER) for line in lines]
    table = {"road_id": [f"way/{i}" for i in range(len(lines))], "highway": "residential", "name": None, "lit": None}
    return gpd.GeoDataFrame(table | columns, crs=GRID.crs, geometry=shapes)


def zones_of(rows: pd.DataFrame, roads: gpd.GeoDataFrame | None, table: gpd.GeoDataFrame | None = None, **settings):
    inputs = OutageInputs(rows, table, roads, GRID.polygons)
    return zones_and_members(inputs, NONE, "v", AS_OF, replace(PARAMETERS, **settings))[0]


BESIDE = [[(0.0, 0.0), (400.0, 0.0)], [(0.0, 40.0), (400.0, 40.0)]]
LAMPS = gpd.GeoDataFrame(
    {"lamp_id": [f"{y}-{i:02d}" for y in (0, 40) for i in range(13)], "source": "inventory"},
    crs=GRID.crs,
    geometry=shapely.points([(X0 + 15.0 + 30.0 * i, Y0 + y) for y in (0, 40) for i in range(13)]),
)
BLOCK = [(0.0, 100.0), (100.0, 100.0), (250.0, 100.0)]
ACROSS = [(105.0, 0.0), (165.0, 40.0), (225.0, 0.0)]


def test_streets_that_do_not_meet_make_no_zone_however_near() -> None:
    """Lamps 72 m apart as the crow flies, on two streets 40 m apart; a passage between them makes 100 m of it."""
    assert zones_of(on_streets(*ACROSS), streets(*BESIDE), LAMPS).empty
    assert zones_of(on_streets(*ACROSS), None, LAMPS)["distance_basis"].tolist() == ["plane"]
    joined = [
        [(0.0, 0.0), (165.0, 0.0), (400.0, 0.0)],
        [(0.0, 40.0), (165.0, 40.0), (400.0, 40.0)],
        [(165.0, 0.0), (165.0, 40.0)],
    ]
    assert zones_of(on_streets(*ACROSS), streets(*joined), LAMPS).empty
    zone = zones_of(on_streets(*ACROSS), streets(*joined), LAMPS, eps_spacings=3.4).iloc[0]
    assert zone["distance_basis"] == "network"
    # 120 m along one street and 40 m of passage; half a spacing beyond each, on both sides where the passage ends
    assert zone["dark_road_length_m"] == pytest.approx(15 + 120 + 15 + 40 + 30)


@settings(max_examples=10)
@given(
    st.lists(st.tuples(st.integers(0, 250), st.integers(0, 250)), min_size=3, max_size=15),
    st.sampled_from(["inferred", "known", "plane"]),
    st.randoms(use_true_random=False),
)
def test_neither_the_order_of_incidents_nor_of_lamps_matters(places: list, basis: str, random) -> None:
    roads = None if basis == "plane" else streets(*([(x, 0), (x, 100), (x, 250)] for x in (0, 100, 250)), BLOCK)
    table = LAMPS if basis == "known" else None
    rows = on_streets(*places)
    order = random.sample(range(len(rows)), len(rows))
    shuffled = None if table is None else table.iloc[random.sample(range(len(table)), len(table))]
    one, two = zones_of(rows, roads, table), zones_of(rows.iloc[order].reset_index(drop=True), roads, shuffled)
    assert one["zone_id"].tolist() == two["zone_id"].tolist()
    same = ["n_incidents", "lamps_affected", "lamps_total", "dark_road_length_m", "score", "priority_rank"]
    pd.testing.assert_frame_equal(one[same], two[same])
    assert shapely.equals_exact(one.geometry.to_numpy(), two.geometry.to_numpy(), 1e-6).all()


def test_a_zone_without_an_inventory_counts_inferred_lamps() -> None:
    roads = streets([(0.0, 0.0), (400.0, 0.0)], highway="secondary", name="Jl. Gelap")
    zone = zones_of(on_streets((105.0, 3.0), (165.0, 3.0), (225.0, -3.0)), roads).iloc[0]
    assert (zone["lamps_basis"], zone["distance_basis"], zone["road_names"]) == ("inferred", "network", "Jl. Gelap")
    # 400 m hold 13 lamps, 30.8 m apart: the 4th, 6th and 8th, so 123 m and half of 30 m at either end
    assert zone["dark_road_length_m"] == pytest.approx(4 * 400 / 13 + 30)
    assert zone["dark_road_length_major_m"] == pytest.approx(zone["dark_road_length_m"])
    assert (zone["lamps_affected"], zone["lamps_total"]) == (3, 5)
    assert "3 titik padam berdekatan di Jl. Gelap, Tepi Laut" in zone["explanation_id"]


def test_the_dark_metres_are_those_of_each_road() -> None:
    corner = streets(
        [(0.0, 0.0), (100.0, 0.0)],
        [(100.0, 0.0), (100.0, 300.0)],
        highway=["residential", "primary"],
        name=["Jl. Kecil", "Jl. Besar"],
    )
    table = gpd.GeoDataFrame(
        {"lamp_id": ["a", "b", "c", "d"], "source": "osm"},
        crs=GRID.crs,
        geometry=shapely.points(np.array([(60, 4), (90, 4), (104, 20), (104, 50)]) + CORNER),
    )
    zone = zones_of(on_streets((60, 4), (90, 4), (104, 20), (104, 50)), corner, table).iloc[0]
    assert zone["lamps_basis"] == "osm"
    assert (zone["lamps_affected"], zone["lamps_total"]) == (4, 4)
    # each road by itself: 60 to 100 with 15 m before, and 0 to 50 with 15 m beyond
    assert zone["dark_road_length_m"] == pytest.approx((15 + 40) + (50 + 15))
    assert zone["dark_road_length_major_m"] == pytest.approx(65)
    assert zone["road_names"] == "Jl. Besar, Jl. Kecil"
    assert zone["road_length_m"] == pytest.approx(zone["dark_road_length_m"], abs=10.5)  # the outline rounds the corner


def test_one_lamp_reported_from_here_and_there_makes_no_zone() -> None:
    """Lamps 22 m apart, five reports around one: its neighbours are nearest to some, yet it explains them all."""
    roads = streets([(0.0, 0.0), (400.0, 0.0)])
    rows = on_streets((220, 4), (206, 2), (234, 5), (231, 3), (209, 4))
    table = gpd.GeoDataFrame(
        {"lamp_id": [f"L{i:02d}" for i in range(18)], "source": "inventory"},
        crs=GRID.crs,
        geometry=shapely.points([(X0 + 22.0 * i, Y0 + 4) for i in range(18)]),
    )
    inputs = OutageInputs(rows, table, roads, GRID.polygons)
    found = find_outages(inputs, PARAMETERS)
    assert found.lamps.ids.tolist() == ["L10"]
    assert found.snapped["probability"].iloc[0] > 0.95
    assert found.snapped["probability"].iloc[1] < 0.9
    assert zones_of(rows, roads, table).empty
    assert len(zones_of(rows, roads, table, dark_share=1.0)) == 1  # what the nearest lamps would make of it


def test_reports_where_no_lamp_and_no_road_is_near_are_places_by_themselves() -> None:
    roads = streets([(0.0, 0.0), (400.0, 0.0)])
    zone = zones_of(on_streets((0, 200), (50, 200), (100, 200), (104, 200)), roads).iloc[0]
    assert (zone["lamps_basis"], zone["distance_basis"]) == ("none", "plane")
    unknown = ["lamps_affected", "lamps_total", "dark_road_length_m", "dark_road_length_major_m", "road_names"]
    assert zone[unknown].isna().all()
    assert (zone["n_incidents"], zone["members_gained"]) == (4, 3)  # two of them 4 m apart are one dark point
