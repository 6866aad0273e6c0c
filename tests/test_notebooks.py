"""The notebooks run from top to bottom on the sample city and on real ones, say what is missing, and define nothing."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from spatial.sample import write_sample_city

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
CITIES = Path(__file__).parent / "cities"
SYNTHETIC = "SINTETIS / SYNTHETIC"
NO_ELEVATION = "Tanpa elevasi"
# A kernel opens sockets and an event loop that its client closes late.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@dataclass(frozen=True, slots=True)
class Executed:
    """What came out of a notebook: everything printed, the source of each cell that drew, tables as text."""

    text: str
    drew: tuple[str, ...]
    tables: str


def execute(name: str, city: Path, truth: Path | None = None) -> Executed:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells[0].source = f"from pathlib import Path\nCITY = Path({str(city)!r})\nTRUTH = Path({str(truth)!r})"
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(FOLDER))
    outputs = [(cell.source, output) for cell in cells for output in cell.outputs]
    shown = [(source, output.get("data", {})) for source, output in outputs]
    return Executed(
        text="".join(output["text"] for _, output in outputs if output.get("name") == "stdout"),
        drew=tuple(source for source, data in shown if "image/png" in data),
        tables="\n".join(data["text/plain"] for _, data in shown if "text/html" in data),
    )


def city_copy(name: str, folder: Path, resolution: int, more: str = "") -> Path:
    """Copy a city's settings with absolute paths, so that sessions beside this one do not share its `var`.

    `more` is appended: keys of the last table, or tables.
    """
    settings = (CITIES / name / "city.toml").read_text("utf-8")
    data = (CITIES / name / "../../../../shared").resolve()
    settings = settings.replace('"../../../../shared/', f'"{data}/')
    settings = settings.replace("resolution = 9", f"resolution = {resolution}")
    city = folder / name
    city.mkdir()
    (city / "city.toml").write_text(f"{settings}\n{more}\n", "utf-8")
    return city


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    city = tmp_path_factory.mktemp("notebook") / "city"
    write_sample_city(city, 2)
    settings = (city / "city.toml").read_text("utf-8").rstrip()
    tide = '[tide]\ndatum = "MSL"\noffset_m = 0.1\n'
    (city / "city.toml").write_text(f"{settings}\nrealisations = 5\n\n{tide}", "utf-8")
    return city


@pytest.fixture(scope="module")
def denpasar(tmp_path_factory: pytest.TempPathFactory, shared_data: Callable[[str], Path]) -> Path:
    shared_data("denpasar/dem_denpasar.tif")
    return city_copy("denpasar", tmp_path_factory.mktemp("notebook"), 9, "realisations = 5")


@pytest.fixture(scope="module")
def jakarta(tmp_path_factory: pytest.TempPathFactory, shared_data: Callable[[str], Path]) -> Path:
    shared_data("jakarta/reports_petabencana_2017.geojson")
    return city_copy("jakarta", tmp_path_factory.mktemp("notebook"), 8)


def test_the_notebooks_are_the_three_that_the_readme_names() -> None:
    readme = (FOLDER.parent / "README.md").read_text("utf-8")
    names = ["1_flood_risk", "2_calibration_and_skill", "3_rain_and_tide"]
    assert [path.stem for path in NOTEBOOKS] == names
    for name in names:
        assert f"notebooks/{name}.ipynb" in readme


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_nothing_and_carries_no_output(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].source.splitlines()[2].startswith('CITY = Path("../demo")')
    for cell in code:
        assert not cell.outputs
        assert cell.execution_count is None
        tree = ast.parse(cell.source)
        defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
        assert not [n for n in ast.walk(tree) if isinstance(n, defined)]
        modules = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert not [m for m in modules if any(part.startswith("_") for part in m.split("."))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_headings_are_bilingual_and_figures_carry_the_label_of_the_city(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    headings = [
        line
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("#")
    ]
    assert len(headings) >= 6
    assert [h for h in headings if " / " not in h] == []
    for cell in notebook.cells:
        if cell.cell_type == "code" and "display(Image(" in cell.source:
            assert "LABEL" in cell.source or "drawn[" in cell.source  # `pictures` labels its own


# --- the sample city: everything is there


def test_flood_risk_of_the_sample_city(sample: Path) -> None:
    found = execute("1_flood_risk", sample)
    assert len(found.drew) == 11
    assert found.text.startswith("Kota Contoh (sintetis) – SINTETIS / SYNTHETIC")
    assert NO_ELEVATION not in found.text
    assert "sigma 0.7 m, jangkauan / range 150 m; 5 simulasi" in found.text
    assert "data/laporan.csv" in found.tables
    assert "Zona banjir (" in found.text
    assert "Flood zone (" in found.text


def test_skill_of_the_sample_city_and_shuffled_labels_are_refused(sample: Path) -> None:
    found = execute("2_calibration_and_skill", sample, sample / "truth" / "flooded.geojson")
    assert len(found.drew) == 5
    assert SYNTHETIC in found.text
    learnt, shuffled = found.text.split("AUC yang hilang")
    assert "DITERIMA / PASSES" in learnt.split("model: ")[1]
    assert "DITERIMA / PASSES" not in shuffled
    assert shuffled.count("DITOLAK / REFUSED") == 2
    assert "hand_mean_m" in found.tables


def test_a_truth_that_is_not_there_is_said(sample: Path, tmp_path: Path) -> None:
    found = execute("2_calibration_and_skill", sample, tmp_path / "nothing.geojson")
    assert found.drew == ()
    assert found.text.count("no truth to score with") == 6
    assert "does not exist" in found.text


def test_rain_and_tide_of_the_sample_city(sample: Path) -> None:
    found = execute("3_rain_and_tide", sample)
    assert len(found.drew) == 8
    assert SYNTHETIC in found.text
    assert "1.5 m di atas / above MSL, contoh / an example; offset 0.1 m, datum EGM2008" in found.text
    km = [
        float(part.split()[-2]) for part in found.text.split("semua kelas / all classes: ")[1].split("\n")[0].split(";")
    ]
    assert len(km) == 4
    assert 0 < km[0] <= km[1] <= km[2] <= km[3]
    assert "of 336 jam / h" in found.text
    assert "200 mm" in found.tables


# --- real cities: what is missing is said


def test_flood_risk_of_denpasar_without_reports_and_roads(denpasar: Path) -> None:
    found = execute("1_flood_risk", denpasar)
    assert len(found.drew) == 9
    assert SYNTHETIC not in found.text
    assert "neither reports nor roads: no map" in found.text
    assert "no reports: no evidence" in found.text
    assert "sigma 3.5 m, jangkauan / range 300 m; 5 simulasi" in found.text


def test_skill_of_denpasar(denpasar: Path, shared_data: Callable[[str], Path]) -> None:
    found = execute("2_calibration_and_skill", denpasar, shared_data("denpasar/flood_points.geojson"))
    assert len(found.drew) == 5
    assert "56 fitur / features, 55 dipakai / used" in found.text
    assert "baselines that are missing: reports_flood" in found.text
    shuffled = found.text.split("AUC yang hilang")[1]
    assert shuffled.count("DITOLAK / REFUSED") == 2


def test_rain_of_denpasar_without_roads_and_tide(denpasar: Path) -> None:
    found = execute("3_rain_and_tide", denpasar)
    assert len(found.drew) == 2
    assert "no tide: city.toml has no [tide]" in found.text
    assert "no roads: no metres of road under water" in found.text
    shares = [line for line in found.text.splitlines() if "cells under water" in line]
    assert len(shares) == 4


def test_flood_risk_of_jakarta_without_elevation(jakarta: Path) -> None:
    found = execute("1_flood_risk", jakarta)
    assert len(found.drew) == 4
    assert found.text.count("no elevation: this step is left out") == 6
    assert "laporan banjir di atas rata-rata kota" in found.text


def test_skill_of_jakarta(jakarta: Path, shared_data: Callable[[str], Path]) -> None:
    found = execute("2_calibration_and_skill", jakarta, shared_data("jakarta/rw_flood_2007.gpkg"))
    assert len(found.drew) == 5
    assert "1009 fitur / features" in found.text
    assert "hand_mean_m" in found.text.split("baselines that are missing: ")[1].split("\n")[0]


def test_rain_of_jakarta_says_that_there_is_no_elevation(jakarta: Path) -> None:
    found = execute("3_rain_and_tide", jakarta)
    assert found.drew == ()
    assert found.text.count("no elevation: no scenario") == 4
