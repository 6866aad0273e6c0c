"""From open reports of a street to what a crew is sent to: small enough to count on fingers."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from spatial.hexgrid.join import city_grid
from spatial.lighting.outages import OutageInputs
from spatial.lighting.zones import LightingMethods, LightingZones, lighting_zones

GRID = city_grid(shapely.box(117.50, -3.32, 117.51, -3.31), 9, CRS.from_epsg(32750))
X0, Y0 = shapely.get_coordinates(shapely.centroid(GRID.area))[0] - [300.0, 0.0]
AS_OF = pd.Timestamp("2025-02-01", tz="UTC")
NONE = pd.DataFrame({"zone_id": [], "member": []}, dtype=str)
GAP_M = 30.0


def reports(lamps: list[int], days_ago: list[float]) -> pd.DataFrame:
    """One incident at each of the lamps, told exactly."""
    return pd.DataFrame(
        {
            "incident_id": [f"r{i:02d}" for i in range(len(lamps))],
            "x": X0 + GAP_M * np.array(lamps, dtype=float),
            "y": Y0,
            "half_x_m": 0.0,
            "half_y_m": 0.0,
            "requested_datetime": [AS_OF - pd.Timedelta(days=d) for d in days_ago],
            "n_reports": 2,
            "kelurahan": "Tepi Laut",
            "kecamatan": None,
            "area_id": None,
        }
    )


def street(n: int = 24, **columns: list) -> gpd.GeoDataFrame:
    table = {"lamp_id": [f"L{i:02d}" for i in range(n)], **columns}
    return gpd.GeoDataFrame(table, crs=GRID.crs, geometry=shapely.points([(X0 + GAP_M * i, Y0) for i in range(n)]))


def road() -> gpd.GeoDataFrame:
    line = shapely.LineString([(X0 - 15, Y0), (X0 + 24 * GAP_M, Y0)])
    table = {"road_id": ["w1"], "highway": ["residential"], "name": ["Jalan Uji"], "lit": ["yes"]}
    return gpd.GeoDataFrame(table, crs=GRID.crs, geometry=[line])


def run(incidents: pd.DataFrame, lamps: gpd.GeoDataFrame | None) -> LightingZones:
    inputs = OutageInputs(incidents, lamps, road(), GRID.polygons, "Asia/Makassar")
    return lighting_zones(inputs, NONE, "v", AS_OF, LightingMethods())


PANELS = [None] * 5 + ["P1"] * 10 + [None] * 9
TRIPPED = reports([5, 6, 8, 10, 12, 13, 22], [20, 19.5, 19, 18.5, 20, 18, 90])


def test_a_tripped_panel_is_one_fault_and_a_lamp_by_itself_another() -> None:
    found = run(TRIPPED, street(panel_id=PANELS))
    zone = found.zones.iloc[0]
    assert len(found.zones) == 1
    assert (zone["cause"], zone["panel_id"]) == ("circuit", "P1")
    assert zone["cause_probability"] > 0.9
    assert "6 lampu padam berdekatan di Jalan Uji, Tepi Laut sejak 12 Jan 2025, kemungkinan" in zone["explanation_id"]
    assert "one circuit" in zone["explanation_en"]
    odds = np.log(zone["cause_probability"] / (1 - zone["cause_probability"]))
    assert sum(json.loads(zone["cause_parts"]).values()) == pytest.approx(odds, abs=1e-6)
    circuit, lamp = found.faults.to_dict("records")
    assert (circuit["fault_id"], lamp["fault_id"]) == ("circuit/P1", "lamp/L22")
    assert (circuit["lamps_reported"], circuit["lamps_dark"]) == (6, 10)
    assert circuit["lamp_ids"] == "L05,L06,L08,L10,L12,L13"
    assert circuit["dark_road_length_m"] == pytest.approx(10 * GAP_M)
    p = circuit["cause_probability"]
    assert circuit["relit_m"] == pytest.approx(p * 10 * GAP_M + (1 - p) * GAP_M)
    assert (circuit["n_incidents"], circuit["n_reports"]) == (6, 12)
    assert circuit["lighting_zone_ids"] == zone["zone_id"]
    assert abs(circuit["geometry"].x - X0 - 9.5 * GAP_M) <= GAP_M / 2 + 1e-6
    assert (lamp["relit_m"], lamp["lamps_dark"]) == (pytest.approx(GAP_M), 1)
    assert pd.isna(lamp["lighting_zone_ids"])


def test_solar_lamps_fail_one_by_one() -> None:
    found = run(TRIPPED, street(kind=["solar"] * 24))
    assert set(found.faults["kind"]) == {"lamp"}
    assert len(found.faults) == 7
    assert found.zones["cause"].tolist() == ["independent"]
    assert found.zones["panel_id"].isna().all()


def test_owner_and_warranty_come_from_the_inventory() -> None:
    ends = [pd.NaT] * 22 + [pd.Timestamp("2026-01-01", tz="UTC"), pd.NaT]
    found = run(TRIPPED, street(panel_id=PANELS, owner=["Dishub"] * 24, warranty_until=ends))
    assert found.faults["owner"].tolist() == ["Dishub", "Dishub"]
    assert found.faults["warranty_until"].tolist() == [pd.NaT, pd.Timestamp("2026-01-01", tz="UTC")]


def test_without_an_inventory_the_circuit_is_inferred_along_the_road() -> None:
    found = run(reports([5, 6, 7, 8, 9, 10, 11, 12], [20, 19.5, 19, 18.5, 20, 18, 19, 19]), None)
    zone = found.zones.iloc[0]
    assert zone["lamps_basis"] == "inferred"
    assert zone["cause"] == "circuit"
    assert zone["panel_id"].startswith("inferred:w1@")
    assert found.faults["fault_id"].tolist() == [f"circuit/{zone['panel_id']}"]


def test_circuits_that_overlap_share_no_lamp_and_zones_name_the_panel_of_their_fault() -> None:
    """Two streets that cross, told of sparsely: several zones see runs through the same lamps."""
    arm = [(X0 + GAP_M * i, Y0) for i in range(22)]
    other = [(X0 + GAP_M * 10.5, Y0 + GAP_M * (i - 10.5)) for i in range(22)]
    lamps = gpd.GeoDataFrame(
        {"lamp_id": [f"L{i:02d}" for i in range(44)]}, crs=GRID.crs, geometry=shapely.points(arm + other)
    )
    lines = [shapely.LineString([arm[0], (other[0][0], Y0), arm[-1]])]
    lines.append(shapely.LineString([other[0], (other[0][0], Y0), other[-1]]))
    table = {"road_id": ["w1", "w2"], "highway": "residential", "name": ["Jalan A", "Jalan B"], "lit": "yes"}
    roads = gpd.GeoDataFrame(table, crs=GRID.crs, geometry=lines)
    rng = np.random.default_rng(3)
    for _ in range(8):
        told = np.flatnonzero(rng.random(44) < 0.35)
        incidents = reports([0] * len(told), rng.uniform(0, 40, len(told)).tolist())
        incidents[["x", "y"]] = np.array(arm + other)[told]
        inputs = OutageInputs(incidents, lamps, roads, GRID.polygons)
        found = lighting_zones(inputs, NONE, "v", AS_OF, LightingMethods())
        assert found.faults["lamps_dark"].sum() <= 44
        circuits = found.faults[found.faults["kind"] == "circuit"]
        assert (circuits["lamps_reported"] > 1).all()
        assert set(found.zones["panel_id"].dropna()) <= set(circuits["panel_id"])


def test_an_id_that_every_lamp_bears_names_no_panel() -> None:
    found = run(TRIPPED, street(250, panel_id=["x"] * 250))
    assert not found.faults["fault_id"].isin(["circuit/x"]).any()


def test_a_report_where_no_lamp_is_known_is_a_place() -> None:
    inputs = OutageInputs(TRIPPED, None, None, GRID.polygons)
    found = lighting_zones(inputs, NONE, "v", AS_OF, LightingMethods())
    places = found.faults[found.faults["kind"] == "lamp"]
    assert places["fault_id"].str.startswith("place/").all()
    assert places["lamp_ids"].isna().all()


def test_a_city_without_open_reports_has_no_fault() -> None:
    found = run(TRIPPED.iloc[:0], street())
    assert found.faults.empty
    assert found.faults["first_report"].dtype == "datetime64[ms, UTC]"


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 23), min_size=1, max_size=12), st.integers(0, 99))
def test_every_dark_lamp_is_in_one_fault_and_every_report_counts_once(lamps: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    incidents = reports(lamps, rng.uniform(0, 60, len(lamps)).tolist())
    found = run(incidents, street(panel_id=PANELS))
    told = [lamp for ids in found.faults["lamp_ids"] for lamp in ids.split(",")]
    assert sorted(told) == sorted(found.found.lamps.ids)
    assert found.faults["lamps_dark"].sum() <= 24  # no lamp of the street is dark twice
    assert found.faults["n_incidents"].sum() == len(incidents)
    assert (found.faults["relit_m"] <= found.faults["dark_road_length_m"] + 1e-9).all()
    turned = run(incidents.iloc[rng.permutation(len(incidents))], street(panel_id=PANELS))
    assert turned.faults["fault_id"].tolist() == found.faults["fault_id"].tolist()
