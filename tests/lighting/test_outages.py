"""Lighting zones on streets small enough to check by hand."""

from __future__ import annotations

import json

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from spatial.hexgrid.join import city_grid
from spatial.lighting.outages import OutageInputs, OutageParameters, find_outages, lighting_zones

GRID = city_grid(shapely.box(117.50, -3.32, 117.51, -3.31), 9, CRS.from_epsg(32750))
X0, Y0 = shapely.get_coordinates(shapely.centroid(GRID.area))[0]
AS_OF = pd.Timestamp("2025-02-01", tz="UTC")
NONE = pd.DataFrame({"zone_id": [], "member": []}, dtype=str)
PARAMETERS = OutageParameters()


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
    zones, members = lighting_zones(
        OutageInputs(incidents([0, 1, 2, -3, 4]), lamps(), None, GRID.polygons), NONE, "v", AS_OF, PARAMETERS
    )
    assert zones.empty
    assert members.empty


def test_a_dark_street_is_one_zone_with_its_numbers() -> None:
    inputs = OutageInputs(incidents([0, 60, 120, 500]), lamps(), road("primary"), GRID.polygons)
    zones, members = lighting_zones(inputs, NONE, "v", AS_OF, PARAMETERS)
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
    zones, _ = lighting_zones(
        OutageInputs(incidents([0, 60, 120]), None, None, GRID.polygons), NONE, "v", None, PARAMETERS
    )
    zone = zones.iloc[0]
    assert zone["score"] == pytest.approx(0.3)
    assert zone[["lamps_affected", "lamps_total", "road_length_m", "lit_road_length_m", "trend"]].isna().all()
    assert zone["cause"] is None or pd.isna(zone["cause"])


def test_a_repaired_lamp_leaves_its_zone_and_the_id_stays() -> None:
    first, members = lighting_zones(
        OutageInputs(incidents([0, 60, 120, 180]), lamps(), None, GRID.polygons), NONE, "v1", AS_OF, PARAMETERS
    )
    second, left = lighting_zones(
        OutageInputs(incidents([0, 60, 120]), lamps(), None, GRID.polygons), members, "v2", AS_OF, PARAMETERS
    )
    assert second["zone_id"].tolist() == first["zone_id"].tolist()
    assert second["change"].tolist() == ["shrunk"]
    assert left["member"].tolist() == ["L00", "L02", "L04"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 570), min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_zones_hold_their_members_and_do_not_depend_on_order(xs: list[int], random) -> None:
    rows = incidents([float(x) for x in xs])
    shuffled = rows.sample(frac=1, random_state=random.randint(0, 9999)).reset_index(drop=True)
    results = [
        lighting_zones(OutageInputs(r, lamps(), None, GRID.polygons), NONE, "v", AS_OF, PARAMETERS)
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
