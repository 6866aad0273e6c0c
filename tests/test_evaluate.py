"""`hexakota evaluate` by the real command: planted truth, labels by hand, refusals, what it says and draws."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread
from sklearn.metrics import roc_auc_score

from services.cli import main
from spatial import pipeline
from spatial.charts import reliability_chart
from spatial.errors import InputError
from spatial.evaluate import Question, evaluate
from spatial.hexgrid.labels import label_cells, surroundings
from spatial.sample import write_sample_city
from spatial.skill import GateParameters
from spatial.sources.truth import read_truth
from spatial.store.geopackage import read_layer
from spatial.store.versions import Versions
from tests.pipeline.tiny import EAST, NORTH, SOUTH, WEST, write_tiny_city

MIDDLE = (WEST + EAST) / 2, (SOUTH + NORTH) / 2


def hexakota(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    city = write_tiny_city(tmp_path_factory.mktemp("evaluate") / "city")
    pipeline.run(city)
    return city


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    city = tmp_path_factory.mktemp("evaluate") / "sample"
    write_sample_city(city, 3)
    pipeline.run(city)
    return city


def truth_file(path: Path, *shapes: Any) -> Path:
    gpd.GeoDataFrame({"name": range(len(shapes))}, geometry=list(shapes), crs="EPSG:4326").to_file(path)
    return path


@pytest.fixture
def valley(tmp_path: Path) -> Path:
    """Points along the floor of the tiny city's valley, one far away, and one without a place."""
    y = np.linspace(SOUTH + 0.001, NORTH - 0.001, 12)
    points = [shapely.Point(MIDDLE[0], at) for at in y]
    return truth_file(tmp_path / "valley.geojson", *points, shapely.Point(118.5, -3.0), None)


def tree(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


# --- labels by hand


def squares(n: int) -> np.ndarray:
    """A row of n unit squares."""
    return shapely.box(np.arange(n), 0, np.arange(n) + 1, 1)


def test_labels_by_hand() -> None:
    """Five squares, a polygon over the first four and a half; a point, a point on an edge, an area, three strays."""
    truth = np.array(
        [
            shapely.Point(0.5, 0.5),
            shapely.Point(2.0, 0.5),  # on the edge of squares 1 and 2: the first has it
            shapely.box(3.0, 0.0, 3.2, 1.0),  # a fifth of square 3
            shapely.Point(4.9, 0.5),  # in square 4, beyond the polygon
            shapely.Point(9.0, 9.0),
            shapely.box(9.0, 9.0, 10.0, 10.0),
        ]
    )
    polygon = shapely.box(-1, -1, 4.5, 2)
    found = label_cells(squares(6), truth, polygon, 0.2)
    assert found.positive.tolist() == [True, True, False, True, False, False]
    assert found.inside.tolist() == [True, True, True, True, True, False]
    assert (found.used, found.outside_cells, found.outside_polygon) == (3, 2, 1)
    assert not label_cells(squares(6), truth, polygon, 0.21).positive[3]
    told = found.as_float()
    assert told[:5].tolist() == [1.0, 1.0, 0.0, 1.0, 0.0]
    assert np.isnan(told[5])


def test_a_share_is_of_the_part_inside_the_polygon() -> None:
    area, half = np.array([shapely.box(0.0, 0.0, 0.25, 1.0)]), shapely.box(0.0, 0.0, 0.5, 1.0)
    assert label_cells(squares(1), area, half, 0.5).positive.tolist() == [True]
    assert label_cells(squares(1), area, shapely.box(0, 0, 1, 1), 0.5).positive.tolist() == [False]


def test_surroundings_forget_what_touches_no_cell() -> None:
    points = shapely.points([[0.5, 0.5], [2.5, 0.5], [900.0, 0.5]])
    found = surroundings(squares(3), points, 1.0)
    assert found.bounds == pytest.approx((-0.5, -0.5, 3.5, 1.5))
    assert surroundings(squares(3), points[2:], 1.0).is_empty


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-1, 7), st.floats(-1, 2)), min_size=1, max_size=20), st.floats(0.1, 6.0))
def test_every_feature_is_accounted_for_and_a_point_labels_one_cell(
    rows: list[tuple[float, float]], width: float
) -> None:
    points, polygon = shapely.points(rows), shapely.box(0.0, 0.0, width, 1.0)
    found = label_cells(squares(6), points, polygon)
    assert found.used + found.outside_cells + found.outside_polygon == len(points)
    assert found.positive.sum() <= found.used
    assert not (found.positive & ~found.inside).any()
    if found.used and shapely.intersects(polygon.buffer(-1e-9), points).any():
        assert found.positive.any()


# --- the command


def test_the_valley_is_found_and_everything_is_said(tiny: Path, valley: Path) -> None:
    before = tree(tiny)
    result = hexakota("evaluate", tiny, "--truth", valley)
    assert result.exit_code == 0, result.stderr
    assert tree(tiny) == before | {k: v for k, v in tree(tiny).items() if k.startswith("evaluation/")}
    told = json.loads((tiny / "evaluation/evaluation.json").read_text("utf-8"))
    assert told["truth"]["features"] == 14
    assert (told["truth"]["used"], told["truth"]["outside_city"], told["truth"]["without_geometry"]) == (12, 1, 1)
    assert told["background"]["polygon"] == "hull+1 km"
    assert not told["truth"]["is_an_input_of_the_version"]
    # The oracle: the layer itself, and scikit-learn.
    layers = Versions(tiny / "var").current().layers
    cells = read_layer(layers, "hexagons")
    points = read_truth(valley).shapes
    hull = gpd.GeoSeries([points.iloc[:12].union_all().convex_hull], crs="EPSG:4326")
    around = hull.to_crs("EPSG:32750").buffer(1000).to_crs("EPSG:4326").iloc[0]
    cells = cells[cells.intersects(around) & cells["elevation_mean_m"].notna()]
    positive = cells.intersects(points.iloc[:12].union_all())
    skill = told["skill"]
    assert (skill["n_positive"], skill["n_negative"]) == (positive.sum(), (~positive).sum())
    assert skill["auc"]["value"] == pytest.approx(roc_auc_score(positive, cells["flood_score"]))
    rivals = {b["name"]: b for b in skill["baselines"]}
    assert set(rivals) == {
        "elevation_mean_m",
        "hand_mean_m",
        "reports_flood",
        "stream_distance_m",
        "waterway_distance_m",
    } - set(told["missing_baselines"])
    assert rivals["elevation_mean_m"]["auc"]["value"] == pytest.approx(
        roc_auc_score(positive, -cells["elevation_mean_m"])
    )
    assert rivals["waterway_distance_m"]["auc"]["value"] > 0.9  # the waterway is the valley's floor
    for rival in rivals.values():
        assert rival["difference"]["value"] == pytest.approx(skill["auc"]["value"] - rival["auc"]["value"])
    assert skill["reason"] in ("too_few_labels", "too_few_blocks")
    assert not skill["calibrated"]
    for words in ("flood_score", "belum dikalibrasi", "not calibrated", "outside the city 1", "hull+1 km", " / "):
        assert words in result.stdout, words
    assert "no probability, so no reliability curve" in result.stdout
    assert told["reliability"] is None
    assert not (tiny / "evaluation/reliability.png").exists()


def test_pictures_are_drawn_and_the_same_bytes_again(tiny: Path, valley: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert hexakota("evaluate", tiny, "--truth", valley, "--out", tmp_path / name).exit_code == 0
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert sorted(tree(tmp_path / "a")) == ["evaluation.json", "map.png", "roc.png"]
    for name in ("map.png", "roc.png"):
        pixels = imread(tmp_path / "a" / name)
        assert min(pixels.shape[:2]) > 400
        assert pixels.std() > 0.02


def test_the_sample_city_is_scored_against_its_planted_flood(sample: Path) -> None:
    """110 or so of 330 cells flood in the planted storm; what water does is in the terrain, so the score finds some."""
    question = Question(sample / "truth/flooded.geojson", background=str(sample / "data/boundary.geojson"))
    found = evaluate(sample, question)
    assert found.told["truth"]["kinds"] == ["polygons"]
    assert found.told["background"]["polygon"] == "boundary.geojson"
    assert found.skill.auc.low > 0.6
    assert found.skill.n_positive + found.skill.n_negative == len(found.cells)
    shuffled = found.cells["positive"].sample(frac=1.0, random_state=1).to_numpy()
    assert abs(roc_auc_score(shuffled, found.cells["score"].fillna(-1)) - 0.5) < 0.15
    zones = evaluate(sample, Question(sample / "truth/flooded.geojson", layer="flood_zones"))
    assert (zones.cells["score"] == 0).any()
    assert zones.told["score"] == "score"
    inside = zones.cells["score"] > 0
    assert zones.cells["positive"][inside].mean() > zones.cells["positive"][~inside].mean()


def test_zones_give_their_score_to_the_cells_they_cover(sample: Path) -> None:
    zones = read_layer(Versions(sample / "var").current().layers, "flood_zones")
    found = evaluate(sample, Question(sample / "truth/flooded.geojson", layer="flood_zones"))
    centres = found.cells.centroid.to_crs("EPSG:4326")
    joined = gpd.sjoin(gpd.GeoDataFrame(geometry=centres), zones[["score", "geometry"]], how="left")
    assert joined["score"].fillna(0.0).to_numpy() == pytest.approx(found.cells["score"].to_numpy())


def test_lighting_is_compared_with_lighting_s_rivals(tiny: Path, tmp_path: Path) -> None:
    dark = truth_file(tmp_path / "dark.gpkg", *(shapely.Point(WEST + 0.0003 * i, MIDDLE[1]) for i in range(5, 15)))
    found = evaluate(tiny, Question(dark, score="lighting_score"))
    assert {b.name for b in found.skill.baselines} == {"reports_street_light", "lamps_total", "road_length_m"}
    zones = evaluate(tiny, Question(dark, layer="lighting_zones"))
    assert {b.name for b in zones.skill.baselines} == {b.name for b in found.skill.baselines}


def test_a_height_counts_downwards_and_is_not_its_own_baseline(tiny: Path, valley: Path) -> None:
    low = evaluate(tiny, Question(valley, score="hand_mean_m"))
    scored = evaluate(tiny, Question(valley))
    assert low.told["score_sign"] == -1
    assert "hand_mean_m" not in {b.name for b in low.skill.baselines} | set(low.told["missing_baselines"])
    (rival,) = (b for b in scored.skill.baselines if b.name == "hand_mean_m")
    assert low.skill.auc.value == pytest.approx(rival.auc.value)


def test_a_truth_that_was_an_input_is_called_circular(tiny: Path) -> None:
    result = hexakota("evaluate", tiny, "--truth", tiny / "waterways.geojson")
    assert result.exit_code == 2
    assert "is a LineString" in result.stderr
    result = hexakota("evaluate", tiny, "--truth", tiny / "facilities.geojson")
    assert result.exit_code == 0, result.stderr
    assert "circular" in result.stdout


def test_a_probability_gets_its_reliability(tiny: Path, valley: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatial.evaluate.model.PROBABILITIES", ("flood_susceptibility",))
    result = hexakota("evaluate", tiny, "--truth", valley, "--score", "flood_susceptibility")
    assert result.exit_code == 0, result.stderr
    told = json.loads((tiny / "evaluation/evaluation.json").read_text("utf-8"))
    assert told["no_reliability_because"] is None
    assert sum(b["n"] for b in told["reliability"]["bins"]) == told["skill"]["n_positive"] + told["skill"]["n_negative"]
    assert (tiny / "evaluation/reliability.png").exists()
    monkeypatch.undo()
    assert hexakota("evaluate", tiny, "--truth", valley).exit_code == 0
    assert not (tiny / "evaluation/reliability.png").exists()  # it would be another score's


def test_an_older_version_can_be_scored(tiny: Path, valley: Path) -> None:
    served = Versions(tiny / "var").current().id
    assert evaluate(tiny, Question(valley, version=served)).told["version"] == served
    result = hexakota("evaluate", tiny, "--truth", valley, "--version", "0" * 16)
    assert result.exit_code == 2
    assert "no version '0000000000000000'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--score", "nope"],
            "layers.gpkg: --score: 'nope' is not one of its number columns; number",
        ),
        (["--score", "kelurahan"], "--score: 'kelurahan' is not one of its number columns"),
        (["--score", "depression_frequency"], "--score: 'depression_frequency' is null throughout"),
        (["--layer", "roads"], "--layer: 'roads' has no scores; known: hexagons, flood_zones, lighting_zones"),
        (["--background", "hull+x"], "hull+x: --background: is no number of kilometres"),
        (["--background", "hull+-1"], "hull+-1: --background: is no number of kilometres"),
        (["--background", "hull+nan"], "hull+nan: --background: is no number of kilometres"),
        (["--background", "missing.geojson"], "missing.geojson: file: does not exist"),
        (["--out", "{city}/data"], "--out: lies in"),
        (["--out", "{city}/city.toml"], "--out: is a file; name a folder"),
        (["--truth", "missing.geojson"], "missing.geojson: file: does not exist; check the path of the truth"),
        (["--truth", "{files}/empty.geojson"], "empty.geojson: file: is empty"),
        (["--truth", "{files}/none.geojson"], "none.geojson: file: has no features"),
        (["--truth", "{files}/nulls.geojson"], "nulls.geojson: geometry: none of its 2 features has one"),
        (["--truth", "{files}/no_crs.shp"], "no_crs.shp: crs: the file has no CRS"),
        (["--truth", "{files}/metres.geojson"], "metres.geojson: crs: coordinates run to"),
        (["--truth", "{files}/elsewhere.geojson"], "elsewhere.geojson: geometry: nothing of it lies in the city"),
        (["--truth", "{files}/everywhere.geojson", "--background", "hull+0"], "cells are positive; widen --background"),
        (["--truth", "{files}/valley.geojson", "--background", "{files}/west.geojson"], "no cell is positive: 0 of 1"),
        (["--truth", "{files}/truth.csv"], "truth.csv: file: unknown suffix '.csv'"),
        (["--truth", "{files}/two.gpkg"], "two.gpkg: layer: has 2 layers"),
        (["--truth", "{files}/two.gpkg", "--truth-layer", "c"], "two.gpkg: layer: has no layer 'c'; its layers: a, b"),
    ],
)
def test_what_cannot_be_scored_is_one_line_that_names_file_and_field(
    tiny: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    point = shapely.Point(*MIDDLE)
    (tmp_path / "empty.geojson").write_text("")
    (tmp_path / "truth.csv").write_text("lon,lat\n1,2\n")
    truth_file(tmp_path / "none.geojson")
    truth_file(tmp_path / "nulls.geojson", None, None)
    truth_file(tmp_path / "no_crs.shp", point)
    (tmp_path / "no_crs.prj").unlink()
    (tmp_path / "metres.geojson").write_text(
        json.dumps(
            {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [777000, 963000]}}
        )
    )
    truth_file(tmp_path / "elsewhere.geojson", shapely.Point(110.0, -7.0))
    truth_file(tmp_path / "everywhere.geojson", shapely.box(WEST, SOUTH, EAST, NORTH).buffer(0.01))
    truth_file(tmp_path / "valley.geojson", point)
    truth_file(tmp_path / "west.geojson", shapely.box(WEST, SOUTH, WEST + 0.002, NORTH))
    for layer in "ab":
        gpd.GeoDataFrame(geometry=[point], crs="EPSG:4326").to_file(tmp_path / "two.gpkg", layer=layer)
    given_ = ["--truth", "{files}/valley.geojson"] if "--truth" not in arguments else []
    filled = [a.format(city=tiny, files=tmp_path) for a in [*given_, *arguments]]
    result = hexakota("evaluate", tiny, *filled)
    assert result.exit_code == 2, result.stdout
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_city_without_a_version_says_so(tmp_path: Path, valley: Path) -> None:
    city = write_tiny_city(tmp_path / "new")
    result = hexakota("evaluate", city, "--truth", valley)
    assert result.exit_code == 2
    assert "nothing is published yet" in result.stderr
    assert hexakota("evaluate", tmp_path / "none", "--truth", valley).exit_code == 2


def test_any_crs_and_format_gives_the_same(tiny: Path, valley: Path, tmp_path: Path) -> None:
    table = gpd.read_file(valley)
    table[table.geometry.notna()].to_crs("EPSG:32750").to_file(tmp_path / "utm.gpkg")
    one, two = (
        evaluate(tiny, Question(path, gate=GateParameters(n_resamples=50))) for path in (valley, tmp_path / "utm.gpkg")
    )
    assert one.skill == two.skill


def test_denpasar_s_points_are_read_whole(shared_data: Callable[[str], Path]) -> None:
    points = read_truth(shared_data("denpasar/flood_points.geojson"))
    assert (points.rows_in, len(points.shapes), points.kinds) == (56, 56, ("points",))
    areas = read_truth(shared_data("denpasar/flood_impact.geojson"))
    assert areas.kinds == ("polygons",)
    assert areas.rows_in == len(areas.shapes) + areas.without_geometry == 57
    assert areas.shapes.is_valid.all()


def test_a_line_is_no_truth(tmp_path: Path) -> None:
    path = truth_file(tmp_path / "line.geojson", shapely.LineString([(0, 0), (1, 1)]))
    with pytest.raises(InputError, match="feature 1 is a LineString; a truth is made of points or polygons"):
        read_truth(path)


def test_a_reliability_chart_is_a_picture() -> None:
    drawn = reliability_chart([0.1, 0.4], [0.0, 0.5], [(0.0, 0.2), (0.3, 0.7)], [90, 10], "judul / title")
    assert drawn.startswith(b"\x89PNG")
