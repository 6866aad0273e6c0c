"""Boston: reports at volume, two default locations 105 m apart, no roads, no elevation."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from sklearn.metrics import adjusted_rand_score

from spatial.config import Settings, load_settings
from spatial.contracts import LIGHTING_ZONES, Silent
from spatial.pipeline.compute import Work, compute, delivered, no_members
from spatial.pipeline.inputs import Inputs, read_inputs
from spatial.quality.report_checks import check_reports

CITY = Path(__file__).parents[1] / "cities/boston"
ROWS, AT_CITY_HALL, AT_THE_SECOND = 58_251, 4_775, 154  # data/README.md


@pytest.fixture(scope="module")
def boston(shared_data) -> tuple[Settings, Inputs, gpd.GeoDataFrame, Work]:
    shared_data("boston_311/boston_311_2011_slim.parquet")
    settings = load_settings(CITY)
    inputs = read_inputs(settings, Silent())
    snapshot = delivered(inputs)
    return settings, inputs, snapshot, compute(settings, inputs, snapshot, no_members(), "v", Silent())


def zone_of_reports(work: Work) -> pd.Series:
    """Return the lighting zone of each open, usable street-light report, '' for none; indexed by report id."""
    reports = work.placed.reports
    lit = reports[(reports["category"] == "street_light") & reports["is_open"] & work.placed.usable]
    zone = work.result.members.query("zone_id.str.startswith('lighting-')").set_index("member")["zone_id"]
    return pd.Series(lit["incident_id"].map(zone).fillna("").to_numpy(), index=lit["report_id"])


def test_every_row_is_accounted_for_and_times_are_new_yorks(boston) -> None:
    _, inputs, snapshot, work = boston
    assert len(snapshot) == ROWS == inputs.files[0]["rows_in"]
    at_defaults = work.placed.reports["quality"].fillna("").str.contains("default_location").sum()
    first = snapshot.set_index("report_id").loc["boston_311:101000295613"]
    assert first["requested_datetime"] == pd.Timestamp("2011-07-01T05:32:33Z")
    assert first["category"] == "street_light"
    assert work.placed.usable.sum() == ROWS - at_defaults  # the area is the reports' hull, so none lies outside
    assert AT_CITY_HALL + AT_THE_SECOND <= at_defaults < 0.1 * ROWS


def test_every_coordinate_with_more_than_50_reports_has_its_decision(boston) -> None:
    _, inputs, _, work = boston
    found = check_reports(work.placed.reports, 0, 0, {}, inputs.doubtful, "America/New_York").busy
    many = [place for place in found if place.reports > 50]
    assert [(place.reports, place.default) for place in many] == [(AT_CITY_HALL, True), (AT_THE_SECOND, True)]
    assert all(dict(place.categories)["street_light"] >= 44 for place in many)
    assert all(place.default for place in found)
    reports = work.placed.reports
    per_place = reports.groupby(["x", "y"]).size()
    assert (per_place > 50).sum() == 2
    assert np.hypot(*np.diff(per_place[per_place > 50].index.to_list(), axis=0)[0]) == pytest.approx(105.0, abs=1.0)


def test_no_zone_at_city_hall(boston) -> None:
    _, inputs, _, work = boston
    zones = work.result.layers[LIGHTING_ZONES].to_crs(inputs.grid.crs)
    reports = work.placed.reports
    halls = reports[reports.groupby(["x", "y"])["report_id"].transform("size") > 50].drop_duplicates(["x", "y"])
    assert len(zones) > 5
    assert len(halls) == 2
    for hall in shapely.points(halls[["x", "y"]].to_numpy(float)):
        assert not shapely.dwithin(zones.geometry.to_numpy(), hall, 250.0).any()


def test_zones_stay_put_when_coordinates_move_by_10_m(boston) -> None:
    settings, inputs, snapshot, work = boston
    plane = shapely.get_coordinates(snapshot.to_crs(inputs.grid.crs).geometry.to_numpy())
    places, place = np.unique(plane, axis=0, return_inverse=True)
    angle = np.random.default_rng(1).uniform(0.0, 2.0 * np.pi, len(places))[place.ravel()]
    points = gpd.points_from_xy(*(plane + 10.0 * np.column_stack([np.cos(angle), np.sin(angle)])).T)
    moved = snapshot.set_geometry(gpd.GeoSeries(points, index=snapshot.index, crs=inputs.grid.crs).to_crs(4326))
    other = compute(settings, inputs, moved, no_members(), "v", Silent())
    both = pd.concat([zone_of_reports(work), zone_of_reports(other)], axis=1, join="inner", keys=["one", "other"])
    both = both[(both != "").any(axis=1)]
    alone = pd.Series([f"alone {i}" for i in range(len(both))], index=both.index)
    labels = [both[name].where(both[name] != "", alone) for name in both]
    assert len(both) > 30
    assert (
        adjusted_rand_score(*labels) > 0.7
    )  # 10 m is the error that a report is taken to have: small zones come and go
