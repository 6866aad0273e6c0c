"""Real clients: QGIS over HTTP and from disk, GDAL, OWSLib, on the small city and on Lisbon."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from spatial import pipeline
from spatial.registry import LAYER_BY_NAME, LAYERS
from spatial.sample import write_sample_city
from spatial.store.geopackage import read_layer
from spatial.store.versions import Versions
from tests.conftest import SHARED
from tests.services.running import served

PROBE = SHARED / "tools/qgis_probe.py"
SYSTEM_PYTHON = "/usr/bin/python3"
PAGE_SIZES = {"flood_zones": 1, "lighting_zones": 1}
CITIES = Path(__file__).parents[1] / "cities"


def qgis_environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    return kept | {"QT_QPA_PLATFORM": "offscreen", "LC_ALL": "C.UTF-8"}


def run_qgis(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a script in QGIS's Python; QGIS 3.22 now and then stops on a lock between its own threads: again then."""
    for _ in range(3):
        try:
            return subprocess.run(
                [SYSTEM_PYTHON, *command],
                env=qgis_environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=90,
            )
        except subprocess.TimeoutExpired:
            continue
    pytest.fail(f"QGIS hung three times: {command}")


@pytest.fixture(scope="session")
def qgis() -> None:
    """Skip where the machine has no QGIS."""
    test = (
        subprocess.run(
            [SYSTEM_PYTHON, "-c", "import qgis.core"], env=qgis_environment(), capture_output=True, check=False
        )
        if Path(SYSTEM_PYTHON).exists()
        else None
    )
    if test is None or test.returncode != 0:
        pytest.skip("no QGIS with Python bindings; `make test-system` installs it")


@pytest.fixture(scope="session", params=["sample", "lisbon"])
def running(request: pytest.FixtureRequest, shared_data, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """Address and published GeoPackage of the sample city and of Lisbon."""
    if request.param == "sample":
        folder = tmp_path_factory.mktemp("clients") / "sample"
        write_sample_city(folder, 1)
        outcome = pipeline.run(folder)
    else:
        shared_data("lisbon/reports_na_minha_rua.geojson")
        outcome = pipeline.run(CITIES / request.param)
    with served(outcome.version.path.parents[2]) as url:
        yield url, outcome.version.layers


@pytest.mark.parametrize("name", [layer.name for layer in LAYERS])
def test_qgis_reads_and_draws_every_collection(qgis, running, tmp_path: Path, name: str) -> None:
    if not PROBE.exists():
        pytest.skip("no ../shared/tools/qgis_probe.py beside the project")
    url, layers = running
    expected = len(read_layer(layers, name))
    picture = ["--png", str(tmp_path / f"{name}.png")] if expected else []
    page_size = str(PAGE_SIZES.get(name, 200))
    result = run_qgis(str(PROBE), url, name, "--page-size", page_size, "--expect", str(expected), *picture)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    seen = json.loads(result.stdout.splitlines()[-1])
    assert seen["read_all"] == seen["feature_count"] == expected
    if expected:
        assert [f for f in seen["fields"] if f != "id"] == list(LAYER_BY_NAME[name].names)
        assert (tmp_path / f"{name}.png").stat().st_size > 1000


STYLES = {layer.name: ("singleSymbol", None) for layer in LAYERS} | {
    "reports": ("categorizedSymbol", "category"),
    "hexagons": ("graduatedSymbol", "flood_score"),
    "scenario_cells": ("graduatedSymbol", "water_share"),
    "flood_zones": ("categorizedSymbol", "severity"),
    "lighting_zones": ("categorizedSymbol", "severity"),
    "lighting_faults": ("categorizedSymbol", "kind"),
}


def test_the_geopackage_opens_styled_from_disk(qgis, city: Path) -> None:
    layers = Versions(city / "var").current().layers
    script = Path(__file__).with_name("qgis_style.py")
    result = run_qgis(str(script), str(layers), *STYLES)
    assert result.returncode == 0, result.stderr[-2000:]
    seen = json.loads(result.stdout.splitlines()[-1])
    for name, (renderer, attribute) in STYLES.items():
        assert seen[name]["valid"], name
        assert (seen[name]["renderer"], seen[name]["attribute"]) == (renderer, attribute)
        assert seen[name]["classes"] >= (2 if attribute else 1)
        assert seen[name]["alias"] == LAYER_BY_NAME[name].columns[0].title_id
        assert seen[name]["features"] == len(read_layer(layers, name))


def test_gdal_reads_every_collection(running) -> None:
    if shutil.which("ogrinfo") is None:
        pytest.skip("no ogrinfo; `make test-system` installs it")
    url, layers = running
    for layer in LAYERS:
        result = subprocess.run(
            ["ogrinfo", "-ro", "-so", f"OAPIF:{url}", layer.name],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert result.returncode == 0, result.stderr
        count = len(read_layer(layers, layer.name))
        assert f"Feature Count: {count}" in result.stdout
        if count:  # GDAL learns the fields from the first features
            assert all(f"{name}: " in result.stdout for name in layer.names), layer.name


def test_gdal_copies_every_page(running, tmp_path: Path) -> None:
    if shutil.which("ogr2ogr") is None:
        pytest.skip("no ogr2ogr; `make test-system` installs it")
    url, layers = running
    target = tmp_path / "copy.gpkg"
    subprocess.run(
        ["ogr2ogr", "-f", "GPKG", str(target), f"OAPIF:{url}", "hexagons", "-oo", "PAGE_SIZE=100"],
        check=True,
        capture_output=True,
        timeout=300,
    )
    assert sorted(read_layer(target, "hexagons")["cell"]) == sorted(read_layer(layers, "hexagons")["cell"])


def test_owslib_reads_every_collection(running) -> None:
    from owslib.ogcapi.features import Features

    url, layers = running
    service = Features(url)
    assert sorted(service.feature_collections()) == sorted(layer.name for layer in LAYERS)
    for layer in LAYERS:
        count = len(read_layer(layers, layer.name))
        page = service.collection_items(layer.name, limit=5)
        assert page["numberMatched"] == count
        assert len(page["features"]) == min(count, 5)
        assert set(service.collection_queryables(layer.name)["properties"]) >= set(layer.names)
        if count:
            feature = service.collection_item(layer.name, page["features"][0]["id"])
            assert feature["geometry"] == page["features"][0]["geometry"]
