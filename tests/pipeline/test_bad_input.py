"""Bad input at the command line: one clear line that names file and field, exit status 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner

from services.cli import main

CITY = '[city]\nname = "K"\n[area]\nbbox = [117.50, -3.32, 117.53, -3.29]\n'


def refused(city: Path, *words: str) -> None:
    result = CliRunner().invoke(main, ["run", str(city)])
    assert result.exit_code == 2, result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("hexakota: "), result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in last, last
    assert not (city / "var/current").exists()


def city(folder: Path, more: str) -> Path:
    (folder / "city.toml").write_text(CITY + more, "utf-8")
    return folder


def raster(path: Path, crs: str | None, west: float = 117.4) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=60,
        height=60,
        count=1,
        dtype="float32",
        crs=crs,
        transform=Affine(0.004, 0, west, 0, -0.004, -3.2),
    ) as target:
        target.write(np.ones((60, 60), dtype="float32"), 1)
    return path


def test_a_missing_file(tmp_path: Path) -> None:
    refused(city(tmp_path, '[[roads]]\npath = "jalan.geojson"\n'), "city.toml", "roads[0].path", "jalan.geojson")


def test_no_city(tmp_path: Path) -> None:
    """As a process of its own: what the shell sees."""
    result = subprocess.run(
        [sys.executable, "-m", "services.cli", "run", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"hexakota: {tmp_path / 'nowhere/city.toml'}: file: not found")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_elevation_without_crs(tmp_path: Path) -> None:
    raster(tmp_path / "dem.tif", None)
    refused(city(tmp_path, '[[elevation]]\npath = "dem.tif"\n'), "dem.tif", "crs")


def test_elevation_that_does_not_cover_the_city(tmp_path: Path) -> None:
    raster(tmp_path / "dem.tif", "EPSG:4326", west=117.515)
    refused(city(tmp_path, '[[elevation]]\npath = "dem.tif"\n'), "dem.tif", "%")


def test_a_csv_without_coordinates(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("id,kategori\n1,Banjir\n")
    refused(city(tmp_path, '[[reports]]\npath = "r.csv"\n[reports.columns]\ncategory = "kategori"\n'), "r.csv", "lon")


def test_an_empty_report_file(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("id,lon,lat,kategori\n")
    more = '[[reports]]\npath = "r.csv"\n[reports.columns]\nlon = "lon"\nlat = "lat"\ncategory = "kategori"\n'
    refused(city(tmp_path, more), "r.csv")
    (tmp_path / "r.csv").write_text("")
    refused(tmp_path, "r.csv")


def test_a_pbf_cut_in_half(tmp_path: Path, shared_data) -> None:
    whole = shared_data("helsinki/test.osm.pbf").read_bytes()
    (tmp_path / "half.osm.pbf").write_bytes(whole[: len(whole) // 2])
    refused(city(tmp_path, '[[roads]]\npath = "half.osm.pbf"\n'), "half.osm.pbf", "file")


def test_an_area_that_crosses_itself(tmp_path: Path) -> None:
    (tmp_path / "area.geojson").write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": '
        '{"type": "Polygon",'
        ' "coordinates": [[[117.5, -3.3], [117.52, -3.28], [117.52, -3.3], [117.5, -3.28], [117.5, -3.3]]]}}]}'
    )
    (tmp_path / "city.toml").write_text('[city]\nname = "K"\n[area]\nfile = "area.geojson"\n')
    refused(tmp_path, "area.geojson", "geometry")


def test_an_unknown_key(tmp_path: Path) -> None:
    refused(city(tmp_path, "[lightning]\n"), "city.toml", "lightning", "did you mean 'lighting'")


def test_an_older_python_gets_one_line(tmp_path: Path) -> None:
    """The check runs before anything else is imported; it is run here under a version number of 3.11."""
    source = (Path(__file__).parents[2] / "services/__init__.py").read_text("utf-8")
    (tmp_path / "old.py").write_text("import sys\nsys.version_info = (3, 11, 7)\n" + source)
    result = subprocess.run([sys.executable, str(tmp_path / "old.py")], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == "hexakota: Python 3.11 is too old; expected 3.12 or newer; run `make install`\n"


def test_an_unexpected_exception_is_exit_1_with_its_traceback(tmp_path: Path) -> None:
    city(tmp_path, "")
    code = (
        "import sys, services.cli, spatial.pipeline\n"
        "def broken(*a, **k): raise ZeroDivisionError('planted')\n"
        "spatial.pipeline.run = broken\n"
        f"sys.argv = ['hexakota', 'run', {str(tmp_path)!r}]\nservices.cli.main()\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: planted" in result.stderr
