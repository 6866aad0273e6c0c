"""The served QGIS project, opened by a real QGIS."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pyproj import CRS

from services.qgis_project import Sheet
from services.qgis_project import project as written
from spatial.registry import LAYER_BY_NAME, LAYERS
from tests.services.running import get
from tests.services.test_clients import STYLES, qgis, run_qgis

__all__ = ["qgis"]


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as response:
        return response.read()


@pytest.mark.parametrize("lang", ["id", "en"])
def test_qgis_opens_and_draws_the_served_project(qgis, url: str, store, tmp_path: Path, lang: str) -> None:
    path = tmp_path / "hexakota.qgs"
    path.write_bytes(fetched(f"{url}/qgis/project.qgs?lang={lang}"))
    script = Path(__file__).with_name("qgis_project.py")
    result = run_qgis(str(script), str(path), str(tmp_path / "map.png"), str(tmp_path / "page.png"))
    assert result.returncode == 0, result.stderr[-2000:]
    seen = json.loads(result.stdout.splitlines()[-1])
    assert seen["read"]
    assert seen["exported"]
    assert seen["crs"] == json.loads(fetched(f"{url}/"))["hexakota"]["city"]["crs"]
    filled = {f"hexakota_{name}": LAYER_BY_NAME[name] for name, table in store.items() if len(table)}
    assert seen["layers"].keys() == filled.keys()
    for identifier, layer in filled.items():
        own = seen["layers"][identifier]
        title = layer.title_id if lang == "id" else layer.title_en
        first = layer.columns[0].title_id if lang == "id" else layer.columns[0].title_en
        assert own["valid"]
        assert own["provider"] == "OAPIF"
        assert (own["title"], own["alias"], own["renderer"]) == (title, first, STYLES[layer.name][0])
        assert own["features"] == len(store[layer.name])
        assert own["tips"].keys() == set(store[layer.name][layer.id_column])
    assert seen["colours"] > 5  # white, outlines, roads and more than one class
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_a_map_tip_shows_what_people_wrote_as_text(qgis, url: str, tmp_path: Path) -> None:
    path = tmp_path / "hexakota.qgs"
    path.write_bytes(fetched(f"{url}/qgis/project.qgs"))
    script = Path(__file__).with_name("qgis_project.py")
    result = run_qgis(str(script), str(path), str(tmp_path / "map.png"), str(tmp_path / "page.png"))
    tips = json.loads(result.stdout.splitlines()[-1])["layers"]["hexakota_reports"]["tips"]
    (odd,) = (tip for identifier, tip in tips.items() if identifier.endswith("odd1"))
    assert "&lt;b&gt;&amp;amp; 'kutip' 🌊 𝔘" in odd
    assert "<b>&" not in odd


def test_the_zipped_project_holds_the_same(url: str) -> None:
    with zipfile.ZipFile(io.BytesIO(fetched(f"{url}/qgis/project.qgz"))) as archive:
        assert archive.namelist() == ["hexakota.qgs"]
        assert archive.read("hexakota.qgs") == fetched(f"{url}/qgis/project.qgs")


def test_what_is_not_there_is_said(url: str) -> None:
    assert get(f"{url}/qgis/nothing.qgs")[0] == 404
    assert get(f"{url}/qgis/project.qgs", version="x")[0] == 400


def test_every_layer_of_the_registry_has_its_place_in_the_project() -> None:
    sheet = Sheet("<K&K>", "http://127.0.0.1:1", CRS(32750), (117.0, -3.0, 117.1, -2.9), "", "© OSM & co")
    root = ET.fromstring(written(sheet, dict.fromkeys(LAYERS, (117.0, -3.0, 117.1, -2.9)), "en"))
    assert sorted(node.get("name") for node in root.iter("layer-tree-layer")) == sorted(x.title_en for x in LAYERS)
    assert root.findtext("title") == "<K&K>"
