"""Terrain as a whole: closed forms, hand cases, properties, Denpasar and Lisbon, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyflwdir
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood import rasters
from spatial.flood.filling import fill_depressions
from spatial.flood.flow import edge_fed, flow_accumulation, flow_order, hand
from spatial.flood.terrain import Terrain, TerrainParameters, analyse, sea_mask
from spatial.flood.wetness import slope_deg, specific_area, twi

from .rasters import ESRI_ELEVATION, NAN, RASTERS, flowing, outer, paths


def test_a_bowl_holds_water_to_its_lowest_rim() -> None:
    """x² + y² on a square of half side 6: the rim is lowest at the middle of a side, at 36."""
    x = np.arange(-6.0, 7.0)
    squared = x**2 + x[:, None] ** 2
    terrain = analyse(squared + 100.0, 10.0, TerrainParameters())
    assert np.array_equal(terrain.depression_depth, np.maximum(0.0, 36.0 - squared))


def test_hand_is_unknown_where_the_elevation_was_cut_before_the_stream() -> None:
    terrain = analyse(ESRI_ELEVATION, 30.0, TerrainParameters(stream_threshold_km2=1.0))
    assert np.isnan(terrain.hand).all()
    assert not terrain.drainage.any()


def test_a_hollow_below_sea_level_is_not_sea() -> None:
    z = np.array(
        [
            [-1.0, -2.0, 3.0, 3.0, 3.0, 3.0],
            [-1.0, 0.0, 3.0, -5.0, -5.0, 3.0],
            [3.0, 3.0, -1.0, 3.0, 3.0, 3.0],
            [3.0, 3.0, 3.0, 3.0, 3.0, -1.0],
        ]
    )
    sea = sea_mask(z, 0.0, 5e-6, 1.0)  # pixels of 1 m²: four, a fifth at their corner, the hollow's two at its corner
    assert np.flatnonzero(sea).tolist() == [0, 1, 6, 7, 9, 10, 14]
    z[2, 2] = 3.0  # without the fifth the hollow is cut off
    assert np.flatnonzero(sea_mask(z, 0.0, 4e-6, 1.0)).tolist() == [0, 1, 6, 7]
    assert not sea_mask(z, 0.0, 5e-6, 1.0).any()
    assert np.flatnonzero(sea_mask(z, 0.0, 0.0, 1.0)).tolist() == [0, 1, 6, 7, 23]
    z[0, 4] = NAN  # the hollow now touches unknown ground: it may be a bay
    assert np.flatnonzero(sea_mask(z, 0.0, 2e-6, 1.0)).tolist() == [0, 1, 6, 7, 9, 10]


def test_hand_by_the_sea_is_above_sea_level_not_above_its_noise() -> None:
    z = np.array([[-8.0, 3.0, 6.0], [-1.0, 3.0, 6.5], [-29.0, 2.0, 7.0]])
    terrain = analyse(z, 1000.0, TerrainParameters(stream_threshold_km2=99.0))
    assert np.flatnonzero(terrain.sea).tolist() == [0, 3, 6]
    assert terrain.hand.tolist() == [[0.0, 3.0, 6.0], [0.0, 3.0, 6.5], [0.0, 2.0, 7.0]]
    assert (terrain.downstream[terrain.sea] == -1).all()
    assert (terrain.depression_depth == 0.0).all()


def test_the_sea_is_an_outlet_inside_the_raster() -> None:
    """An inlet reaches into walled land: what lies behind the rim's wall drains to it and is not filled to the wall."""
    z = np.full((7, 7), 9.0)
    z[1:6, 1:6] = 4.0
    z[3, :3] = -1.0
    terrain = analyse(z, 1000.0, TerrainParameters(sea_min_area_km2=3.0, stream_threshold_km2=99.0))
    assert (terrain.filled == z).all()
    assert (terrain.hand[1:6, 3:6] == 4.0).all()


@settings(max_examples=50, deadline=None)
@given(RASTERS, st.sampled_from([0.0, 0.5, 2.0]))
def test_analysis_is_whole(z: NDArray[np.float32], sea_level_m: float) -> None:
    before, known = z.copy(), np.isfinite(z)
    terrain = analyse(z, 500.0, TerrainParameters(sea_level_m=sea_level_m, sea_min_area_km2=0.5))
    assert np.array_equal(z, before, equal_nan=True)
    for name in ("elevation", "filled", "depression_depth", "upstream_area_km2", "slope_deg", "twi"):
        assert np.array_equal(np.isfinite(getattr(terrain, name)), known), name
    for name in ("sea", "drainage", "edge_fed"):
        assert not getattr(terrain, name)[~known].any(), name
    assert not (terrain.hand < 0).any()
    assert (terrain.hand[terrain.drainage] == 0).all()
    assert (z[terrain.sea] <= sea_level_m).all()
    assert not terrain.accumulation[~known].any()
    for steps in paths(terrain.downstream, known):
        met = [i for i in steps if terrain.drainage.flat[i]]
        if met and terrain.sea.flat[met[0]]:
            expected = 0.0 if met[0] == steps[0] else terrain.filled.flat[steps[0]] - sea_level_m
            assert terrain.hand.flat[steps[0]] == expected


@pytest.mark.parametrize("band_pixels", [1, 60, 131])
def test_bands_of_rows_give_what_one_band_gives(band_pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.random.default_rng(2).integers(-2, 40, (33, 20)).astype(np.float32)
    z[5:9, 11] = NAN
    parameters = TerrainParameters(sea_min_area_km2=0.0, stream_threshold_km2=0.01)
    whole = analyse(z, 30.0, parameters)
    monkeypatch.setattr(rasters, "_BAND_PIXELS", band_pixels)
    again = analyse(z, 30.0, parameters)
    for field in fields(Terrain):
        first, second = np.asarray(getattr(whole, field.name)), np.asarray(getattr(again, field.name))
        assert np.array_equal(first, second, equal_nan=first.dtype.kind == "f"), field.name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_the_dtype_of_the_elevation(dtype: type[np.floating]) -> None:
    z = np.random.default_rng(3).normal(size=(30, 20)).astype(dtype)
    terrain = analyse(z, 30.0, TerrainParameters())
    for name in ("elevation", "filled", "depression_depth", "slope_deg", "twi", "hand"):
        assert getattr(terrain, name).dtype == dtype, name
    assert terrain.elevation is z
    assert (terrain.downstream.dtype, terrain.order.dtype, terrain.accumulation.dtype) == (np.int32,) * 3


@pytest.fixture(scope="module")
def denpasar(shared_data: Callable[[str], Path]) -> tuple[NDArray[np.float32], Terrain]:
    """SRTM of Denpasar, about 30 m; read as square pixels of 30 m."""
    with rasterio.open(shared_data("denpasar/dem_denpasar.tif")) as file:
        z = file.read(1).astype(np.float32)
    return z, analyse(z, 30.0, TerrainParameters())


def test_denpasar_fill_equals_pyflwdir(denpasar: tuple[NDArray[np.float32], Terrain]) -> None:
    z = denpasar[0].copy()
    assert np.array_equal(fill_depressions(z), pyflwdir.dem.fill_depressions(z)[0])
    z[200:260, 300:420] = NAN
    expected, _ = pyflwdir.dem.fill_depressions(z, nodata=np.nan)
    assert np.array_equal(fill_depressions(z), expected, equal_nan=True)


@pytest.mark.parametrize("name", ["dem_lisbon_srtm30m_4326.tif", "dem_lisbon_eudem25m_3035.tif"])
def test_lisbon_fill_equals_pyflwdir(name: str, shared_data: Callable[[str], Path]) -> None:
    with rasterio.open(shared_data(f"lisbon/{name}")) as file:
        z = file.read(1, masked=True).astype(np.float32).filled(np.nan)
    expected, _ = pyflwdir.dem.fill_depressions(z.astype(float), nodata=np.nan)  # its sums round in float32
    assert np.array_equal(fill_depressions(z), expected, equal_nan=True)


def test_denpasar_is_drained(denpasar: tuple[NDArray[np.float32], Terrain]) -> None:
    z, terrain = denpasar
    flat = terrain.downstream.ravel()
    moving = np.flatnonzero(flat >= 0)
    assert (terrain.filled >= z).all()
    assert (terrain.filled.flat[flat[moving]] <= terrain.filled.flat[moving]).all()
    outlets = flat == -1
    assert (outer(z) | terrain.sea).ravel()[outlets].all()
    assert (terrain.accumulation.ravel()[outlets].astype(np.int64) + 1).sum() == z.size
    assert not (terrain.hand < 0).any()
    assert (terrain.hand[terrain.drainage] == 0).all()
    assert terrain.sea.any()
    assert (z[terrain.sea] <= 0).all()
    land = ~terrain.sea
    assert np.isfinite(terrain.hand[land]).mean() > 0.5


def _flow() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return flowing(ESRI_ELEVATION)[1:]


KNOWN = np.ones((6, 6), bool)
REFUSED: dict[str, Callable[[], object]] = {
    "3-D float64": lambda: analyse(np.zeros((1, 2, 3)), 30.0, TerrainParameters()),
    "2-D int16": lambda: fill_depressions(np.zeros((2, 3), np.int16)),
    "infinity": lambda: fill_depressions(np.array([[np.inf, 1.0]])),
    "no known pixel": lambda: slope_deg(np.full((2, 2), NAN), 30.0),
    "pixel size 0": lambda: analyse(ESRI_ELEVATION, 0.0, TerrainParameters()),
    "stream threshold -1": lambda: analyse(ESRI_ELEVATION, 30.0, TerrainParameters(stream_threshold_km2=-1.0)),
    "slope floor 0": lambda: analyse(ESRI_ELEVATION, 30.0, TerrainParameters(slope_floor_deg=0.0)),
    "sea level nan": lambda: analyse(ESRI_ELEVATION, 30.0, TerrainParameters(sea_level_m=NAN)),
    "least area -1": lambda: analyse(ESRI_ELEVATION, 30.0, TerrainParameters(sea_min_area_km2=-1.0)),
    "sea is bool of shape": lambda: fill_depressions(ESRI_ELEVATION, KNOWN[:2]),
    "drainage is int64": lambda: hand(ESRI_ELEVATION, *_flow(), KNOWN.astype(np.int64)),
    "not 2-D and 1-D int32": lambda: flow_accumulation(_flow()[0].ravel(), _flow()[1]),
    "order holds indices beyond": lambda: flow_accumulation(_flow()[0], _flow()[1] + np.int32(1)),
    "downstream holds indices beyond": lambda: edge_fed(ESRI_ELEVATION, _flow()[0] + np.int32(36), _flow()[1]),
    "downstream is of shape": lambda: flow_order(ESRI_ELEVATION[:3], _flow()[0]),
    "sea is bool of shape (2, 6)": lambda: specific_area(ESRI_ELEVATION, _flow()[0], KNOWN[:2], 30.0),
    "specific area is of shape": lambda: twi(np.ones((2, 2)), np.ones((2, 3)), 0.1),
}


@pytest.mark.parametrize("problem", REFUSED)
def test_wrong_arrays_are_refused_with_one_line(problem: str) -> None:
    with pytest.raises(ContractError, match=re.escape(problem)) as refused:
        REFUSED[problem]()
    assert "\n" not in str(refused.value)
