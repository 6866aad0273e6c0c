"""A city whose file of reports has no category: from texts to zones, the list for a person, the city's own examples."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from spatial import pipeline
from spatial.quality import check, unreadable
from spatial.quality.page import page
from spatial.store.geopackage import read_layer
from tests.pipeline.tiny import write_tiny_city

WORDS = {"Sampah": "bak sampah meluber", "Banjir": "banjir setinggi lutut", "PJU padam": "pju mati total"}
UNCLEAR = {"w0": "qwrtz hub 081234567890", "w1": "kelompen rusuh"}


def write_city(folder: Path) -> Path:
    """The tiny city without elevation, a text for each category's word; two that no one can place, one without."""
    city = write_tiny_city(folder)
    with (city / "reports.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["uraian"] = UNCLEAR.get(row["id"], WORDS[row.pop("kategori")] if row["id"] != "w2" else "")
        row.pop("kategori", None)
    with (city / "reports.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    text = (city / "city.toml").read_text("utf-8").replace('category = "kategori"\n', "")
    text = text.replace('path = "reports.csv"\n', 'path = "reports.csv"\ncategory_from = "description"\n')
    text = text.replace('[[elevation]]\npath = "dem.tif"\nvertical_datum = "EGM2008"\n', "")
    (city / "city.toml").write_text(text, "utf-8")
    return city


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    city = write_city(tmp_path_factory.mktemp("text") / "city")
    pipeline.run(city)
    return city


@pytest.fixture
def city(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "city"))


def test_texts_give_the_categories_that_words_gave(published: Path) -> None:
    version = pipeline.run(published).version
    reports = read_layer(version.layers, "reports").set_index("report_id")
    assert list(reports.columns[1:4]) == ["category", "category_raw", "category_basis"]
    assert reports["category"].value_counts().to_dict() == {"waste": 58, "flood": 40, "street_light": 10, "other": 3}
    assert set(reports.index[reports["category"] == "other"]) == {"reports:w0", "reports:w1", "reports:w2"}
    assert reports["category_basis"].value_counts().to_dict() == {"text": 108, "none": 3}
    assert reports.loc["reports:f0", "depth_m"] == pytest.approx(0.5)
    assert read_layer(version.layers, "lighting_zones")["lamps_affected"].tolist() == [10]
    assert len(read_layer(version.layers, "flood_zones")) > 0


def test_the_manifest_counts_guesses_and_lists_what_a_person_should_see(published: Path) -> None:
    manifest = pipeline.run(published).version.manifest
    told = manifest["reports"]["category_from_text"]
    assert manifest["reports"]["category_basis"] == {"none": 3, "text": 108}
    assert (told["taken"], told["doubtful"]) == ({"flood": 40, "street_light": 10, "waste": 58}, 2)
    assert [(row["report_id"], row["text"]) for row in told["doubtful_listed"]] == [
        ("reports:w0", "qwrtz hub [telepon]"),
        ("reports:w1", "kelompen rusuh"),
    ]
    assert all(row["confidence"] < 0.6 for row in told["doubtful_listed"])
    assert manifest["parameters"]["text_category"] == {"min_confidence": 0.6, "shipped_examples": True}
    assert manifest["reports"]["unmapped_words"] == {}


def test_check_says_what_is_guessed_and_shows_no_telephone_number(published: Path) -> None:
    checked = check(published)
    found = {f.code: f.level for f in checked.quality.findings}
    assert (found["category_guessed"], found["category_doubtful"]) == ("note", "note")
    assert "unmapped" not in found
    assert checked.quality.reports is not None
    assert dict(checked.quality.reports.guessed) == {"waste": 58, "flood": 40, "street_light": 10}
    shown = page(checked)
    assert "qwrtz hub [telepon]" in shown
    assert "081234567890" not in shown


def test_the_citys_examples_are_an_input_and_place_its_own_words(city: Path) -> None:
    (city / "contoh.csv").write_text("teks,jenis\nkelompen rusuh,mobility\nkelompen ada lagi,mobility\n,waste\n")
    with (city / "city.toml").open("a", encoding="utf-8") as file:
        file.write('[text_category]\nexamples = "contoh.csv"\n[text_category.columns]\ntext = "teks"\n')
        file.write('category = "jenis"\n')
    assert unreadable(city) == []
    outcome = pipeline.run(city)
    manifest = outcome.version.manifest
    (row,) = (row for row in manifest["inputs"] if row["kind"] == "text_examples")
    assert (row["path"], row["rows_in"], row["rows_used"], row["rows_quarantined"]) == ("contoh.csv", 3, 2, 1)
    reports = read_layer(outcome.version.layers, "reports").set_index("report_id")
    assert reports.loc["reports:w1", ["category", "category_basis"]].tolist() == ["mobility", "text"]
    assert (outcome.published, pipeline.run(city).published) == (True, False)
    (city / "contoh.csv").write_text("teks,jenis\nkelompen,grafiti\n")
    assert [error.field for error in unreadable(city)] == ["file"]
