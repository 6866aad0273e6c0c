"""Error of the elevation: closed forms of single pixels, the variogram against its model, planted hollows, planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyflwdir
import pytest
import rasterio
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import norm

from spatial.errors import ContractError
from spatial.flood.dem_error import (
    PRODUCTS,
    DemError,
    DemErrorParameters,
    FalseFrequency,
    correlated_error,
    depression_frequency,
    false_frequency,
)
from spatial.flood.terrain import fill_depressions

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
NAN = float("nan")
SURE = 5.0  # standard errors: a right result fails once in 1.7 million

LEVELS = st.sampled_from([NAN, 0.0, 0.25, 0.5, 1.0, 2.0, 3.75, 7.0])
RASTERS = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=LEVELS).filter(
    lambda z: bool(np.isfinite(z).any())
)


@st.composite
def rasters_with_sea(draw: st.DrawFn) -> tuple[NDArray[np.float32], Mask]:
    z = draw(RASTERS)
    return z, draw(arrays(np.bool_, z.shape)) & np.isfinite(z)


def stated(sigma_m: float, range_m: float, realisations: int = 50, min_depth_m: float = 0.3) -> DemErrorParameters:
    return DemErrorParameters(None, sigma_m, range_m, realisations, min_depth_m, seed=7)


def land(shape: tuple[int, int]) -> Mask:
    return np.zeros(shape, dtype=bool)


def tilted(shape: tuple[int, int], slope: float, pixel_size_m: float) -> Array:
    return np.tile(slope * pixel_size_m * np.arange(shape[1]), (shape[0], 1))


def with_bowl(z: Array, row: int, column: int, radius: float, depth_m: float) -> Array:
    """Cut a paraboloid whose centre lies `depth_m` below the lowest pixel within a pixel and a half of its rim."""
    rows, columns = np.indices(z.shape)
    away = np.hypot(rows - row, columns - column)
    spill = z[(away > radius) & (away <= radius + 1.5)].min()
    return np.where(away <= radius, np.minimum(z, spill - depth_m * (1 - (away / radius) ** 2)), z)


# The field of error


@pytest.fixture(scope="module")
def fields() -> Array:
    """400 fields of 24 x 30 pixels of 10 m, sigma 2 m, range 80 m."""
    parameters = stated(2.0, 80.0)
    rng = np.random.default_rng(3)
    return np.stack([correlated_error((24, 30), 10.0, parameters, rng) for _ in range(400)])


def close_to(expected: float, per_field: Array) -> None:
    """The fields are independent, so the error of their mean is known."""
    assert abs(per_field.mean() - expected) < SURE * per_field.std(ddof=1) / len(per_field) ** 0.5


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 1), (1, 1), (3, 0), (0, 8), (6, 8), (20, 0), (0, 29)])
def test_variogram_is_the_models(fields: Array, rows: int, columns: int) -> None:
    gap = fields[:, rows:, columns:] - fields[:, : 24 - rows, : 30 - columns]
    model = 4.0 * (1.0 - np.exp(-3.0 * 10.0 * np.hypot(rows, columns) / 80.0))
    close_to(model, (gap**2).mean(axis=(1, 2)) / 2.0)


def test_mean_and_variance_are_the_same_in_the_middle_and_at_the_edges(fields: Array) -> None:
    close_to(0.0, fields.mean(axis=(1, 2)))
    for part in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1], np.s_[:, 8:16, 10:20]):
        close_to(4.0, (fields[part].reshape(400, -1) ** 2).mean(axis=1))


def test_opposite_edges_are_not_alike(fields: Array) -> None:
    close_to(4.0 * np.exp(-3.0 * 290.0 / 80.0), (fields[:, :, 0] * fields[:, :, -1]).mean(axis=1))
    close_to(4.0 * np.exp(-3.0 * 230.0 / 80.0), (fields[:, 0] * fields[:, -1]).mean(axis=1))


def test_a_range_longer_than_the_raster_and_none_at_all() -> None:
    rng = np.random.default_rng(5)
    wide = np.stack([correlated_error((4, 5), 10.0, stated(2.0, 500.0), rng) for _ in range(800)])
    close_to(4.0, (wide**2).mean(axis=(1, 2)))
    close_to(4.0 * np.exp(-3.0 * 40.0 / 500.0), (wide[:, :, 0] * wide[:, :, -1]).mean(axis=1))
    white = np.stack([correlated_error((8, 9), 10.0, stated(2.0, 0.0), rng) for _ in range(400)])
    close_to(4.0, (white**2).mean(axis=(1, 2)))
    close_to(0.0, (white[:, 1:] * white[:, :-1]).mean(axis=(1, 2)))


def test_a_field_depends_on_the_seed_alone() -> None:
    def draw(seed: int) -> Array:
        return correlated_error((33, 47), 30.0, stated(1.0, 100.0), np.random.default_rng(seed))

    first = draw(1)
    with scipy.fft.set_workers(2):
        assert np.array_equal(draw(1), first)
    assert not np.array_equal(draw(2), first)


# Frequency: closed forms and hand cases


@pytest.mark.parametrize("depth_m", [1e-9, 0.5, 2.0])
def test_frequency_of_one_pixel_in_closed_form(depth_m: float) -> None:
    """White noise on a flat 3 x 3: hollow where the middle lies the depth below all of eight; 1 in 9 for any depth."""
    n, sigma_m = 4000, 1.5
    share = depression_frequency(np.full((3, 3), 5.0), land((3, 3)), 30.0, stated(sigma_m, 0.0, n, depth_m))
    expected, _ = quad(lambda x: norm.pdf(x) * norm.sf(x + depth_m / sigma_m) ** 8, -12, 12)
    if depth_m == 1e-9:
        assert expected == pytest.approx(1 / 9, abs=1e-6)
    assert abs(share[1, 1] - expected) < SURE * (expected * (1 - expected) / n) ** 0.5
    share[1, 1] = 0.0
    assert not share.any()


def test_the_sea_takes_no_error() -> None:
    """Land level with the sea around it is hollow where the noise takes it down by the depth: the normal tail."""
    sea = ~land((3, 3))
    sea[1, 1] = False
    n = 4000
    share = depression_frequency(np.zeros((3, 3)), sea, 30.0, stated(1.0, 0.0, n, 0.5))
    expected = norm.sf(0.5)
    assert abs(share[1, 1] - expected) < SURE * (expected * (1 - expected) / n) ** 0.5
    assert np.isnan(share[sea]).all()


def test_water_leaves_into_the_sea_inside_the_raster() -> None:
    z = np.full((5, 5), 9.0)
    z[1:4, 1:4] = 4.0
    z[2, 2] = -1.0
    sea = z < 0
    ring = (z == 4.0) & ~sea
    assert (depression_frequency(z, sea, 30.0, stated(0.2, 60.0))[ring] == 0.0).all()
    assert (depression_frequency(z, land(z.shape), 30.0, stated(0.2, 60.0))[ring] == 1.0).all()


def test_a_deep_bowl_is_always_there_and_a_steep_plane_never_hollow() -> None:
    plane = tilted((30, 30), 0.5, 30.0)
    assert (depression_frequency(plane, land(plane.shape), 30.0, stated(0.5, 90.0)) == 0.0).all()
    z = with_bowl(plane, 15, 15, 5.0, 50.0)
    deep = fill_depressions(z) - z > 10.0  # twenty standard deviations
    assert deep.sum() > 50
    assert (depression_frequency(z, land(z.shape), 30.0, stated(0.5, 90.0))[deep] == 1.0).all()


# Frequency: properties


@settings(max_examples=60, deadline=None)
@given(rasters_with_sea(), st.sampled_from([0.1, 0.25, 1.0]))
def test_without_error_the_frequency_is_the_depressions(
    case: tuple[NDArray[np.float32], Mask], min_depth_m: float
) -> None:
    z, sea = case
    share = depression_frequency(z, sea, 30.0, stated(0.0, 90.0, 3, min_depth_m))
    hollow = fill_depressions(z, sea) - z >= min_depth_m
    assert share.dtype == np.float32
    assert np.array_equal(share, np.where(np.isnan(z) | sea, NAN, hollow), equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(rasters_with_sea(), st.sampled_from([0.0, 40.0, 900.0]), st.sampled_from([-64.0, 1024.0]))
def test_frequency_is_a_share_that_only_heights_between_pixels_move(
    case: tuple[NDArray[np.float32], Mask], range_m: float, up_m: float
) -> None:
    z, sea = case
    before = z.copy()
    parameters = stated(1.0, range_m, 4)
    share = depression_frequency(z, sea, 30.0, parameters)
    assert np.array_equal(z, before, equal_nan=True)
    assert np.array_equal(np.isnan(share), np.isnan(z) | sea)
    assert set(share[np.isfinite(share)].tolist()) <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert np.array_equal(depression_frequency(z + np.float32(up_m), sea, 30.0, parameters), share, equal_nan=True)
    third = 4.0 * share - 3.0 * depression_frequency(z, sea, 30.0, replace(parameters, realisations=3))
    known = third[np.isfinite(third)]  # one more draw leaves the others as they were
    assert (np.isclose(known, 0.0, atol=1e-5) | np.isclose(known, 1.0, atol=1e-5)).all()


def test_frequency_equals_a_plain_loop_over_pyflwdirs_fill() -> None:
    z = np.random.default_rng(11).normal(size=(40, 50)).cumsum(axis=0)
    z[10:14, 20:30] = NAN
    parameters = stated(0.8, 70.0, 12)
    counts = np.zeros(z.shape)
    told: list[tuple[int, int]] = []
    for k in range(12):
        surface = z + correlated_error(z.shape, 20.0, parameters, np.random.default_rng((7, k)))
        counts += pyflwdir.dem.fill_depressions(surface, nodata=np.nan)[0] - surface >= 0.3
    share = depression_frequency(z, land(z.shape), 20.0, parameters, lambda done, total: told.append((done, total)))
    assert np.nanmax(share) > 0.9
    assert np.allclose(share, np.where(np.isnan(z), NAN, counts / 12), rtol=0, atol=1e-6, equal_nan=True)
    assert told == [(k, 12) for k in range(1, 13)]


# Ground without hollows


def test_false_frequency_is_that_of_twice_the_variance() -> None:
    """Plane, survey and realisation: two independent fields, so one field of twice the variance has the same mean."""
    parameters = stated(1.0, 90.0, 8)
    found = false_frequency(np.degrees(np.arctan(0.02)), 30.0, parameters)
    doubled = replace(parameters, sigma_m=2.0**0.5, realisations=40, seed=99)
    oracle = depression_frequency(tilted((192, 192), 0.02, 30.0), land((192, 192)), 30.0, doubled)[48:144, 48:144]
    blocks = oracle.reshape(4, 24, 4, 24).mean(axis=(1, 3)).ravel()  # 720 m, eight ranges
    error = np.hypot(found.mean_error, blocks.std(ddof=1) / blocks.size**0.5)
    assert abs(found.mean - oracle.mean()) < SURE * error
    assert error < 0.1 * found.mean
    once = depression_frequency(tilted((192, 192), 0.02, 30.0), land((192, 192)), 30.0, replace(doubled, sigma_m=1.0))
    assert found.mean - once[48:144, 48:144].mean() > SURE * error  # a single count of the noise would be caught


def test_false_frequency_falls_with_the_slope_to_nothing() -> None:
    parameters = stated(1.0, 90.0, 10)
    found = [false_frequency(slope, 30.0, parameters, 2) for slope in (0.1, 1.0, 4.0)]
    assert found[0].mean > found[1].mean > found[2].mean
    assert found[0].high >= found[1].high >= found[2].high
    assert false_frequency(45.0, 30.0, parameters, 2) == FalseFrequency(0.0, 0.0, 0.0)
    assert false_frequency(1.0, 30.0, parameters, 2) == found[1]


def test_planted_hollows_stand_out_from_the_plane() -> None:
    """Nine bowls, 6 m deep and 150 m wide in radius, in a 1 % slope surveyed with an error of 1 m."""
    parameters = stated(1.0, 120.0, 40)
    z = plane = tilted((96, 96), 0.01, 30.0)
    centres = [(r, c) for r in (16, 48, 80) for c in (16, 48, 80)]
    for r, c in centres:
        z = with_bowl(z, r, c, 5.0, 6.0)
    survey = correlated_error(z.shape, 30.0, parameters, np.random.default_rng(21))
    share = depression_frequency(z + survey, land(z.shape), 30.0, parameters)
    without = depression_frequency(plane + survey, land(z.shape), 30.0, parameters)
    false = false_frequency(np.degrees(np.arctan(0.01)), 30.0, parameters)
    assert all(share[c] > max(false.high, 0.9) for c in centres)
    below = np.mean([without[c] <= false.high for c in centres])
    assert below >= 0.95 - SURE * (0.95 * 0.05 / len(centres)) ** 0.5
    assert abs(without[8:-8, 8:-8].mean() - false.mean) < 0.5 * false.mean


def test_denpasar_keeps_its_deepest_hollow(shared_data: Callable[[str], Path]) -> None:
    """Real ground: with less error than the heights are rounded by, what is deep stays and what is steep is dry."""
    with rasterio.open(shared_data("denpasar/dem_denpasar.tif")) as file:
        z = file.read(1)[:200, :200].astype(np.float32)
    depth = fill_depressions(z) - z
    share = depression_frequency(z, land(z.shape), 30.0, stated(0.2, 90.0, 10))
    assert (share[depth >= 4.0] == 1.0).all()
    assert (depth >= 4.0).any()
    assert share[depth == 0.0].mean() < share[depth >= 1.0].mean()


# What is known, and what is refused


def test_every_product_says_its_error_and_where_it_is_from() -> None:
    assert set(PRODUCTS) == {"srtm30", "glo30", "demnas", "eudem25", "lidar"}
    for name, product in PRODUCTS.items():
        assert product.error.sigma_m > 0
        assert product.error.range_m >= product.pixel_size_m
        assert "sigma:" in product.source
        assert "range:" in product.source
        assert DemErrorParameters(product=name).error() == product.error
    assert PRODUCTS["demnas"].error.sigma_m == pytest.approx(1.818 / norm.ppf(0.95), abs=0.01)
    assert PRODUCTS["glo30"].error.sigma_m == pytest.approx(1.61 * (np.pi / 2) ** 0.5, abs=0.03)


def test_the_error_is_stated_or_known_or_not_there() -> None:
    assert DemErrorParameters().error() is None
    assert DemErrorParameters(sigma_m=1.0).error() is None
    assert DemErrorParameters(range_m=1.0).error() is None
    assert DemErrorParameters(sigma_m=0.0, range_m=0.0).error() == DemError(0.0, 0.0)
    known = PRODUCTS["glo30"].error
    assert DemErrorParameters("glo30", sigma_m=9.0).error() == DemError(9.0, known.range_m)
    assert DemErrorParameters("glo30", range_m=9.0).error() == DemError(known.sigma_m, 9.0)


FLAT = np.zeros((3, 3))
REFUSED: dict[str, Callable[[], object]] = {
    "is not known: state": lambda: depression_frequency(FLAT, land((3, 3)), 30.0, DemErrorParameters()),
    "'merit' is none of srtm30, glo30": lambda: DemErrorParameters(product="merit").error(),
    "sigma -1.0 m": lambda: stated(-1.0, 9.0).error(),
    "range nan m": lambda: stated(1.0, NAN).error(),
    "realisations 0": lambda: depression_frequency(FLAT, land((3, 3)), 30.0, stated(1.0, 9.0, 0)),
    "least depth 0.0 m": lambda: depression_frequency(FLAT, land((3, 3)), 30.0, stated(1.0, 9.0, 5, 0.0)),
    "pixel size 0.0": lambda: depression_frequency(FLAT, land((3, 3)), 0.0, stated(1.0, 9.0)),
    r"sea is bool of shape \(2, 3\)": lambda: depression_frequency(FLAT, land((2, 3)), 30.0, stated(1.0, 9.0)),
    "sea is float64": lambda: depression_frequency(FLAT, FLAT, 30.0, stated(1.0, 9.0)),
    "elevation is 2-D int16": lambda: depression_frequency(FLAT.astype(np.int16), land((3, 3)), 30.0, stated(1.0, 9.0)),
    "shape": lambda: correlated_error((0, 3), 30.0, stated(1.0, 9.0), np.random.default_rng(1)),
    "slope 0.0": lambda: false_frequency(0.0, 30.0, stated(1.0, 9.0)),
    "surveys 1": lambda: false_frequency(1.0, 30.0, stated(1.0, 9.0), 1),
}


@pytest.mark.parametrize("problem", REFUSED)
def test_what_makes_no_sense_is_refused_with_one_line(problem: str) -> None:
    with pytest.raises(ContractError, match=problem) as refused:
        REFUSED[problem]()
    assert "\n" not in str(refused.value)
