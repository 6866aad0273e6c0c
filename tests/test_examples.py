"""The examples load, their words are taken, and their reports' mapping fits a Qlue export."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from spatial import pipeline
from spatial.config import load_settings
from spatial.sources.taxonomy import load_taxonomy
from spatial.store.geopackage import read_layer

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").iterdir())
HEAD = "id,longitude,latitude,kategori,deskripsi,status,created_at,completed_at"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_city_whose_reports_can_be_switched_on(example: Path, tmp_path: Path) -> None:
    city = Path(shutil.copytree(example, tmp_path / example.name))
    west, south, east, north = load_settings(city).area.bbox
    text = (city / "city.toml").read_text("utf-8")
    head, reports = text.split("# [[reports]]")
    reports = "\n".join(line.removeprefix("# ") for line in ("# [[reports]]" + reports).splitlines())
    (city / "city.toml").write_text(head + reports, "utf-8")
    (city / "data").mkdir()
    lon, lat = (west + east) / 2, (south + north) / 2
    row = f"7,{lon},{lat},Tanaman bermasalah,pohon menutupi jalan,selesai,2025-01-02 08:00,2025-01-05 08:00"
    (city / "data/laporan.csv").write_text(f"{HEAD}\n{row}\n", "utf-8")
    reports_layer = read_layer(pipeline.run(city).version.layers, "reports")
    assert reports_layer["category"].tolist() == ["tree"]
    assert reports_layer["report_id"].tolist() == ["qlue:7"]
    assert str(reports_layer["requested_datetime"].iloc[0]).startswith("2025-01-02 00:00")  # WITA is UTC+8


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_words_of_an_example_are_known(example: Path) -> None:
    taxonomy = load_taxonomy(example / "taxonomy.toml")
    assert taxonomy.category_of("Potensi banjir") == "flood"
    assert taxonomy.category_of("PJU mati") == "street_light"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_explained_in_both_languages(example: Path) -> None:
    text = (example / "README.md").read_text("utf-8")
    for command in ("fetch", "check", "run", "serve"):
        assert text.count(f"hexakota {command} {example.name}") >= 2
