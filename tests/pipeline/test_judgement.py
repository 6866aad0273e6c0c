"""What past floods say of the scores: planted floods are found, shuffled ones are not, and every lack is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from sklearn.metrics import roc_auc_score

from spatial import pipeline
from spatial.store.geopackage import read_layer
from spatial.store.versions import Version, Versions
from tests.pipeline.tiny import EAST, NORTH, SOUTH, WEST, write_tiny_city

MIDDLE = (WEST + EAST) / 2
SCORES = ("flood_score", "flood_susceptibility", "flood_evidence")


def not_calibrated(version: Version) -> list[str]:
    return [row["en"] for row in version.manifest["left_out"] if row["code"] == "not_calibrated"]


@pytest.fixture(scope="module")
def judged(sample: Path) -> Version:
    found = Versions(sample / "var").current()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def labelled(sample: Path, judged: Version) -> gpd.GeoDataFrame:
    """The cells with `flooded`, by another way: polygons of a tenth of a cell's part of the area, in the plane."""
    cells = read_layer(judged.layers, "hexagons").to_crs("EPSG:32750")
    flood = gpd.read_file(sample / "truth/flooded.geojson").to_crs("EPSG:32750").union_all()
    area = gpd.read_file(sample / "data/boundary.geojson").to_crs("EPSG:32750").union_all()
    part = cells.geometry.intersection(area)
    cells["flooded"] = part.intersection(flood).area / part.area >= 0.1
    return cells[cells["flood_score"].notna()]


def test_skill_is_that_of_the_published_cells(judged: Version, labelled: gpd.GeoDataFrame) -> None:
    """The oracle: labels by geopandas, AUC by scikit-learn."""
    skill, flooded = judged.manifest["skill"], labelled["flooded"]
    for name in SCORES:
        told = skill[name]
        assert (told["n_positive"], told["n_negative"]) == (flooded.sum(), (~flooded).sum())
        assert told["auc"]["value"] == pytest.approx(roc_auc_score(flooded, labelled[name]))
        assert told["auc"]["low"] < told["auc"]["value"] < told["auc"]["high"]
        (hand,) = (b for b in told["baselines"] if b["name"] == "hand_mean_m")
        assert hand["auc"]["value"] == pytest.approx(roc_auc_score(flooded, -labelled["hand_mean_m"]))


def test_terrain_and_reports_together_find_more_than_either(judged: Version) -> None:
    """So on this city. Nothing was tuned on it, but one city is one city."""
    auc = {name: judged.manifest["skill"][name]["auc"]["value"] for name in SCORES}
    assert auc["flood_score"] > max(auc["flood_susceptibility"], auc["flood_evidence"])
    assert judged.manifest["skill"]["flood_score"]["calibrated"]
    assert not_calibrated(judged) == []


def test_the_probability_is_one_and_lies_near_what_happened(judged: Version, labelled: gpd.GeoDataFrame) -> None:
    probability, flooded = labelled["flood_probability"], labelled["flooded"]
    assert probability.between(0, 1).all()
    told = judged.manifest["skill"]["flood_probability"]
    assert told["prevalence"] == pytest.approx(flooded.mean())
    assert probability.mean() == pytest.approx(flooded.mean(), abs=0.05)
    assert probability[flooded].mean() > probability[~flooded].mean() + 0.2
    assert told["skill"]["auc"]["low"] > 0.5
    assert told["skill"]["auc"]["value"] < roc_auc_score(flooded, probability)  # held-out blocks flatter less
    assert set(told["features"]) >= {"hand_mean_m", "flood_evidence", "depression_frequency"}
    assert json.dumps(told, allow_nan=False)
    cells = read_layer(judged.layers, "hexagons")
    assert cells["flood_probability"].notna().any()
    if cells["flood_probability"].isna().any():
        assert "flood_probability" in judged.manifest["layers"]["hexagons"]["null_because"]


def points(path: Path, *xy: tuple[float, float]) -> None:
    gpd.GeoDataFrame({"n": range(len(xy))}, geometry=[shapely.Point(p) for p in xy], crs="EPSG:4326").to_file(path)


def test_shuffled_floods_teach_nothing(sample: Path, tmp_path: Path) -> None:
    city = tmp_path / "city"
    shutil.copytree(sample, city, ignore=shutil.ignore_patterns("var"))
    cells = read_layer(Versions(sample / "var").current().layers, "hexagons")
    chosen = cells[cells["flood_score"].notna()].sample(100, random_state=7).to_crs("EPSG:32750").centroid
    points(city / "truth/flooded.geojson", *((p.x, p.y) for p in chosen.to_crs("EPSG:4326")))
    version = pipeline.run(city).version
    skill = version.manifest["skill"]
    for told in (*(skill[name] for name in SCORES), skill["flood_probability"]["skill"]):
        assert abs(told["auc"]["value"] - 0.5) < 0.12
        assert not told["calibrated"]
        assert 80 < told["n_positive"] <= 100  # some centres at the rim lie beyond the boundary
    assert skill["flood_score"]["reason"] == "no_better_than_chance"
    (said,) = not_calibrated(version)
    assert "judged by a past flood" in said
    assert "not shown to be better than chance" in said
    fitted = [row["en"] for row in version.manifest["left_out"] if row["code"] == "probability_not_calibrated"]
    assert len(fitted) == 1
    assert "blocks that its fit has not seen: not calibrated" in fitted[0]
    assert read_layer(version.layers, "hexagons")["flood_probability"].std() < 0.1


# --- cities that know too little


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return write_tiny_city(tmp_path / "city")


def edit(city: Path, more: str, *replaced: tuple[str, str]) -> None:
    text = (city / "city.toml").read_text("utf-8")
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    (city / "city.toml").write_text(text + more, "utf-8")


def label(city: Path, *xy: tuple[float, float], more: str = "") -> None:
    points(city / "floods.geojson", *xy)
    edit(city, f'[[flood_labels]]\npath = "floods.geojson"\n{more}')


VALLEY = tuple((MIDDLE, float(y)) for y in np.linspace(SOUTH + 0.002, NORTH - 0.002, 5))


def unknown(version: Version) -> dict[str, Any]:
    cells = read_layer(version.layers, "hexagons")
    assert cells["flood_probability"].isna().all()
    return dict(version.manifest["layers"]["hexagons"]["null_because"]["flood_probability"])


def test_without_labels_nothing_is_judged_and_that_is_said(city: Path) -> None:
    version = pipeline.run(city).version
    assert version.manifest["skill"] == {}
    assert "names no past flood" in unknown(version)["en"]
    assert "has not been scored" in not_calibrated(version)[0]


def test_few_labels_are_said_to_be_few(city: Path) -> None:
    label(city, *VALLEY)
    version = pipeline.run(city).version
    told = version.manifest["skill"]["flood_probability"]
    assert (told["model"], told["skill"]["reason"]) == ("none", "too_few_labels")
    assert 0 < told["skill"]["n_positive"] <= 5
    assert "too few floods" in unknown(version)["en"]
    (said,) = not_calibrated(version)
    assert "too few positive or negative cells" in said
    assert version.manifest["skill"]["flood_score"]["auc"]["value"] > 0.5
    rows = {row["path"]: row for row in version.manifest["inputs"]}
    assert (rows["floods.geojson"]["rows_in"], rows["floods.geojson"]["rows_used"]) == (5, 5)


def test_labels_outside_the_city_are_said_to_be_so(city: Path) -> None:
    label(city, (118.5, -3.0), (118.6, -3.1))
    version = pipeline.run(city).version
    assert version.manifest["skill"] == {"no_labelled_cell": True}
    assert "too few floods" in unknown(version)["en"]
    (said,) = not_calibrated(version)
    assert "no past flood that the city names lies in a cell" in said


def test_a_city_that_flooded_everywhere_cannot_be_judged(city: Path) -> None:
    area = shapely.box(WEST - 0.1, SOUTH - 0.1, EAST + 0.1, NORTH + 0.1)
    gpd.GeoDataFrame({"n": [1]}, geometry=[area], crs="EPSG:4326").to_file(city / "floods.geojson")
    edit(city, '[[flood_labels]]\npath = "floods.geojson"\n')
    version = pipeline.run(city).version
    told = version.manifest["skill"]["flood_score"]
    assert (told["n_negative"], told["reason"], told["auc"]["value"]) == (0, "too_few_labels", None)
    assert "too few positive or negative cells" in not_calibrated(version)[0]


def test_labels_where_nothing_differs_between_cells(city: Path) -> None:
    """No elevation and not one flood report: evidence is the same everywhere, and there is nothing to fit."""
    label(city, *VALLEY)
    edit(city, "", ('[[elevation]]\npath = "dem.tif"\nvertical_datum = "EGM2008"\n', ""))
    (city / "reports.csv").write_text((city / "reports.csv").read_text().replace(",Banjir,", ",Sampah,"))
    version = pipeline.run(city).version
    assert "flood_probability" not in version.manifest["skill"]
    assert unknown(version)["en"]
    assert version.manifest["skill"]["flood_score"]["auc"]["value"] == 0.5


def test_another_ground_that_was_looked_at_is_another_version(city: Path) -> None:
    square = shapely.box(WEST, SOUTH, EAST, NORTH)
    gpd.GeoDataFrame({"n": [1]}, geometry=[square], crs="EPSG:4326").to_file(city / "searched.geojson")
    label(city, *VALLEY, more='looked_for = "searched.geojson"\n')
    whole = pipeline.run(city).version
    half = shapely.box(WEST, SOUTH, EAST, (SOUTH + NORTH) / 2)
    gpd.GeoDataFrame({"n": [1]}, geometry=[half], crs="EPSG:4326").to_file(city / "searched.geojson")
    outcome = pipeline.run(city)
    assert outcome.published
    negative = [v.manifest["skill"]["flood_score"]["n_negative"] for v in (whole, outcome.version)]
    assert negative[1] < negative[0]
    assert not pipeline.run(city).published
