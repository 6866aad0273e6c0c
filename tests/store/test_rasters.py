"""Rasters of a version: cloud-optimised GeoTIFFs that say what they hold, read back as they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS

from spatial.contracts import Raster
from spatial.errors import ContractError, NotFoundError
from spatial.store.rasters import read_raster, write_rasters

GRID = Affine(30.0, 0.0, 500_000.0, 0.0, -30.0, 9_000_000.0)


def raster(values: np.ndarray) -> Raster:
    return Raster(values, GRID, CRS.from_epsg(32750))


@pytest.fixture
def heights() -> np.ndarray:
    values = np.random.default_rng(3).normal(20.0, 5.0, (700, 600)).astype(np.float32)
    values[:50] = np.nan
    return values


def test_a_raster_is_read_back_exactly(tmp_path: Path, heights: np.ndarray) -> None:
    told = write_rasters(tmp_path / "rasters", {"elevation": raster(heights)})["elevation"]
    back = read_raster(tmp_path, "elevation")
    assert np.array_equal(back.values, heights, equal_nan=True)
    assert (back.transform, back.crs.to_epsg()) == (GRID, 32750)
    assert told["known_share"] == pytest.approx(650 / 700)
    assert (told["minimum"], told["maximum"]) == (np.nanmin(heights), np.nanmax(heights))


def test_the_file_is_cloud_optimised_and_says_what_it_holds(tmp_path: Path, heights: np.ndarray) -> None:
    write_rasters(tmp_path / "rasters", {"elevation": raster(heights)})
    with rasterio.open(tmp_path / "rasters/elevation.tif") as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.overviews(1) != []
        assert source.tags()["unit"] == "m"
        assert source.descriptions == ("Elevasi / Elevation",)
        assert np.isnan(source.nodata)


def test_the_same_values_give_the_same_bytes(tmp_path: Path, heights: np.ndarray) -> None:
    first, second = (
        write_rasters(tmp_path / name, {"elevation": raster(heights)})["elevation"]["sha256"] for name in ("a", "b")
    )
    assert first == second


def test_a_raster_that_knows_nothing_says_so(tmp_path: Path) -> None:
    told = write_rasters(tmp_path / "rasters", {"hand": raster(np.full((3, 3), np.nan))})["hand"]
    assert (told["minimum"], told["maximum"], told["known_share"]) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [("hand", -1.0, "beyond 0.0"), ("flood_susceptibility", 1.5, "beyond 1.0"), ("twi", np.inf, "infinity")],
)
def test_impossible_values_are_refused(tmp_path: Path, name: str, value: float, problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        write_rasters(tmp_path / "rasters", {name: raster(np.array([[0.0, value]]))})


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no coverage"):
        write_rasters(tmp_path / "rasters", {"height": raster(np.zeros((2, 2)))})
    with pytest.raises(NotFoundError, match="no raster hand"):
        read_raster(tmp_path, "hand")
