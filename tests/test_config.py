"""city.toml: what it gives, and what it refuses with which words."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

import spatial
from spatial.config import load_settings, parameters
from spatial.errors import InputError
from spatial.flood.coast import TideParameters
from spatial.flood.dem_error import DemError

MINIMAL = '[city]\nname = "K"\n[area]\nbbox = [117.0, -4.0, 118.0, -3.0]\n'


def write(folder: Path, text: str) -> Path:
    (folder / "city.toml").write_text(text, "utf-8")
    return folder


def test_a_minimal_city_has_defaults_and_is_frozen(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, MINIMAL))
    assert (settings.city.name, settings.city.resolution, settings.area.bbox) == ("K", 9, (117.0, -4.0, 118.0, -3.0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.city.name = "L"  # type: ignore[misc]


def test_paths_are_relative_to_the_file_and_lists_and_times_are_typed(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/r.csv").write_text("a\n")
    text = MINIMAL.replace('name = "K"', 'name = "K"\nas_of = 2025-01-01T08:00:00+08:00') + (
        '[[reports]]\npath = "data/r.csv"\n[reports.columns]\ncategory = ["tipo", "area"]\nlon = "x"\n'
    )
    monkeypatch.chdir("/")
    settings = load_settings(write(tmp_path, text))
    assert settings.reports[0].path == tmp_path / "data/r.csv"
    assert settings.reports[0].columns == {"category": ("tipo", "area"), "lon": "x"}
    assert settings.city.as_of == datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        (MINIMAL + "[flood_zone]\nmin_score = 0.5\n", "flood_zone", "did you mean 'flood_zones'"),
        (MINIMAL + "[flood_zones]\nmin_scor = 0.5\n", "flood_zones.min_scor", "did you mean 'min_score'"),
        (MINIMAL.replace("name", "nmae"), "city.nmae", "did you mean 'name'"),
        (MINIMAL.replace('"K"', "5"), "city.name", "5 is not str"),
        (MINIMAL + "[lighting]\nmin_lamps = 2.5\n", "lighting.min_lamps", "2.5 is not int"),
        (MINIMAL.replace('"K"', '"K"\nresolution = 16'), "city.resolution", "0–15"),
        (MINIMAL.replace('"K"', '"K"\ntime_zone = "Mars/Base"'), "city.time_zone", "IANA"),
        (MINIMAL.replace('"K"', '"K"\nas_of = 2025-01-01T00:00:00'), "city.as_of", "offset"),
        (
            MINIMAL.replace("117.0, -4.0, 118.0, -3.0", "118.0, -4.0, 117.0, -3.0"),
            "area.bbox",
            "west, south, east, north",
        ),
        (MINIMAL.replace("117.0, -4.0, 118.0, -3.0", "118.0"), "area.bbox", "a list of 4 values"),
        (MINIMAL + 'hull_of = "roads"\n', "area", "exactly one"),
        ('[city]\nname = "K"\n', "area", "missing"),
        ('[city]\nname = "K"\n[area]\nhull_of = "reports"\n', "area.hull_of", "the city has no reports"),
        (MINIMAL + '[[roads]]\npath = "data/none.gpkg"\n', "roads[0].path", "no such file"),
        (MINIMAL + "[terrain]\nslope_floor_deg = 0\n", "terrain.slope_floor_deg", "0.0 is not above 0"),
        (MINIMAL + "[lighting]\nsnap_m = -1\n", "lighting.snap_m", "-1.0 is not 0 or more"),
        (MINIMAL + "[cleaning]\ndefault_p = nan\n", "cleaning.default_p", "nan is not 0 or more"),
        (MINIMAL + '[evidence]\ncorrection = "both"\n', "evidence.correction", "one of 'background'"),
        ("[city\n", "file", "not valid TOML"),
        (MINIMAL + "[text_category]\nmin_confidence = 1.1\n", "text_category.min_confidence", "1.1 is above 1"),
        (MINIMAL + '[text_category]\nexamples = "none.csv"\n', "text_category.examples", "no such file"),
        (MINIMAL + '[text_category]\nexamples = "city.toml"\n', "text_category.examples", 'category_from = "descr'),
        (
            MINIMAL + '[text_category]\nshipped_examples = false\n[[reports]]\npath = "city.toml"\n'
            'category_from = "description"\n',
            "text_category.examples",
            "missing while shipped_examples is false",
        ),
        (
            MINIMAL + '[[reports]]\npath = "city.toml"\ncategory_from = "text"\n',
            "reports[0].category_from",
            "one of 'description'",
        ),
        (MINIMAL + "[burn]\nwaterway_depth_m = -1\n", "burn.waterway_depth_m", "-1.0 is not 0 or more"),
        (MINIMAL + "[burn]\nburn_waterways = 1\n", "burn.burn_waterways", "1 is not bool"),
        (MINIMAL + '[dem_error]\nproduct = "srtm"\n', "dem_error.product", "srtm30, glo30"),
        (MINIMAL + "[dem_error]\nsigma_m = 2\n", "dem_error.range_m", "is missing"),
        (MINIMAL + "[dem_error]\nrange_m = 2\n", "dem_error.sigma_m", "is missing"),
        (MINIMAL + "[dem_error]\nrealisations = 0\n", "dem_error.realisations", "0 is not above 0"),
        (MINIMAL + '[tide]\ndatum = "LAT"\n', "tide.offset_m", "missing"),
        (MINIMAL + '[tide]\ndatum = "LAT"\noffset_m = 0\n', "elevation.vertical_datum", "is missing"),
        (MINIMAL + "[gfi]\nexponent = 0\n", "gfi.exponent", "0.0 is not above 0"),
        (MINIMAL + "[scenario]\nrunoff_share = 1.5\n", "scenario.runoff_share", "1.5 is above 1"),
        (MINIMAL + "[scenario]\nwet_depth_m = 0\n", "scenario.wet_depth_m", "0.0 is not above 0"),
        (MINIMAL + "[calibration]\nfolds = 2\n", "calibration.folds", "2 is below 3"),
        (MINIMAL + "[calibration]\nmin_blocks = 4\n", "calibration.min_blocks", "4 is below the 5 folds"),
        (MINIMAL + "[calibration]\ntrees = 0\n", "calibration.trees", "0 is not above 0"),
        (MINIMAL + "[susceptibility]\nwater_ratio = 1\n", "susceptibility.water_ratio", "not above 1"),
        (MINIMAL + '[[flood_labels]]\npath = "none.gpkg"\n', "flood_labels[0].path", "no such file"),
        (
            MINIMAL + '[[flood_labels]]\npath = "city.toml"\nlooked_for = "none.gpkg"\n',
            "flood_labels[0].looked_for",
            "no such file",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_the_key(tmp_path: Path, text: str, field: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        load_settings(write(tmp_path, text))
    assert caught.value.field == field
    assert words in str(caught.value)
    assert "city.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_product_stands_for_the_error_and_what_is_stated_goes_first(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, MINIMAL + '[dem_error]\nproduct = "glo30"\nsigma_m = 1\n'))
    assert settings.dem_error.error() == DemError(1.0, 120.0)
    assert load_settings(write(tmp_path, MINIMAL)).dem_error.error() is None


def test_a_tide_below_the_datum_and_its_parameters_are_kept(tmp_path: Path) -> None:
    (tmp_path / "z.tif").write_bytes(b"")
    text = MINIMAL + '[[elevation]]\npath = "z.tif"\nvertical_datum = "EGM2008"\n'
    settings = load_settings(write(tmp_path, text + '[tide]\ndatum = "LAT"\noffset_m = -1.4\n'))
    assert settings.tide == TideParameters("LAT", -1.4)
    assert parameters(settings)["tide"] == {"datum": "LAT", "offset_m": -1.4}
    assert "tide" not in parameters(load_settings(write(tmp_path, text)))


def test_a_missing_file_names_init(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hexakota init"):
        load_settings(tmp_path)


def test_the_commented_template_is_a_valid_city(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, files(spatial).joinpath("template.toml").read_text("utf-8")))
    assert settings.city.time_zone == "Asia/Makassar"
