"""Hollows under the error of the elevation: how often a depression survives noise, and how often noise invents one.

Monte Carlo after Fisher (1998) and Lindsay & Creed (2006): spatially correlated error is added to the DEM, depressions
are filled, and the share of realisations in which a pixel is hollow is its frequency. The DEM already holds one draw of
the error, so the noise counts twice, and on gentle ground it invents hollows that were never there. The frequency is
therefore not a posterior probability: read it beside `false_frequency`, what ground without any hollow gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.filling import fill_depressions

Floats = NDArray[np.floating[Any]]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Told = Callable[[int, int], None]

_PADDING = 4.0  # ranges; the correlation over the seam is exp(-12)
_PLANE_PIXELS = 96  # side of the part of a plane that is looked at
_HIGH = 0.95


@dataclass(frozen=True, slots=True)
class DemError:
    """Vertical error of a DEM: standard deviation, m, and practical range of its exponential covariance, m.

    The covariance is sigma² exp(-3 h / range) (Oksanen & Sarjakoski 2005): at the range 5 % is left; range 0 is white
    noise. Stationary, normal and without bias; real errors of a DSM stand on roofs and trees and are none of that.
    """

    sigma_m: float
    range_m: float


@dataclass(frozen=True, slots=True)
class Product:
    """A DEM in use: its error, its pixel size, m, and where the figures come from."""

    error: DemError
    pixel_size_m: float
    source: str


_FINE_RANGE = "range: the longest that Oksanen & Sarjakoski 2005 study (0-120 m), an assumption for this product"
_SRTM_RANGE = "range: LaLonde et al. 2010 find hundreds of metres in low relief; 300 m is our reading of that"
PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        "srtm30": Product(
            DemError(3.5, 300.0),
            30.0,
            f"sigma: RMSE 3.5 m against GPS levelling in Indonesia, Amhar 2016; {_SRTM_RANGE}",
        ),
        "glo30": Product(
            DemError(2.0, 120.0),
            30.0,
            f"sigma: mean absolute error 1.61 m in built-up areas, Hawker et al. 2022, x sqrt(pi/2); {_FINE_RANGE}",
        ),
        "demnas": Product(
            DemError(1.1, 120.0),
            8.0,
            f"sigma: LE90 1.818 m at 216 points in Medan, Sulistian et al. 2019, / 1.645; {_FINE_RANGE}",
        ),
        "eudem25": Product(
            DemError(2.9, 300.0),
            25.0,
            f"sigma: RMSE 2.9 m against ICESat, DHI GRAS 2014; it descends partly from SRTM; {_SRTM_RANGE}",
        ),
        "lidar": Product(
            DemError(0.15, 30.0),
            1.0,
            "sigma: largest RMSE 0.15 m of the lidar DEM used by West et al. 2018; range: within the 0-120 m of "
            "Oksanen & Sarjakoski 2005, an assumption for this product",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class DemErrorParameters:
    """How the error of the elevation is simulated.

    Attributes
    ----------
    product : a key of `PRODUCTS`, whose error is used where `sigma_m` or `range_m` is not stated.
    sigma_m, range_m : error of the elevation as in `DemError`. No default: they belong to the data. Where they are
        neither stated nor known by the product there is no frequency.
    realisations : draws. A frequency p has the standard error sqrt(p (1 - p) / realisations), at most 0.07 with 50.
    min_depth_m : a pixel is hollow where filling raises it by at least this. 0.3 m of water stops a car (Pregnolato et
        al. 2017).
    seed : realisation k draws from the generator seeded with (seed, k), so order and number do not matter.
    """

    product: str | None = None
    sigma_m: float | None = None
    range_m: float | None = None
    realisations: int = 50
    min_depth_m: float = 0.3
    seed: int = 1

    def error(self) -> DemError | None:
        """Return the error of the elevation, None where it is not known. Raises ContractError for a wrong value."""
        if self.product is not None and self.product not in PRODUCTS:
            raise ContractError(f"elevation product {self.product!r} is none of {', '.join(PRODUCTS)}")
        known = PRODUCTS[self.product].error if self.product is not None else None
        sigma_m = self.sigma_m if self.sigma_m is not None or known is None else known.sigma_m
        range_m = self.range_m if self.range_m is not None or known is None else known.range_m
        for name, value in (("sigma", sigma_m), ("range", range_m)):
            if value is not None and not (value >= 0 and np.isfinite(value)):
                raise ContractError(f"{name} {value} m of the elevation error is not a number from 0 up")
        return None if sigma_m is None or range_m is None else DemError(sigma_m, range_m)


@dataclass(frozen=True, slots=True)
class FalseFrequency:
    """Frequency on ground without any hollow, a plane of one slope surveyed with the same error; shares 0–1.

    `mean` over pixels and surveys and its standard error over the surveys; `high`: 95 % of the pixels lie at or below.
    """

    mean: float
    mean_error: float
    high: float


@dataclass(frozen=True, eq=False, slots=True)
class _Filter:
    """What the frequencies of white noise on a torus are multiplied by, and the part of the torus that is kept."""

    amplitude: Array
    torus: tuple[int, int]
    shape: tuple[int, int]


def correlated_error(
    shape: tuple[int, int], pixel_size_m: float, parameters: DemErrorParameters, rng: np.random.Generator
) -> Array:
    """Return one field of error; (rows, columns) float64, metres, mean 0.

    White noise is filtered on a torus four ranges larger than the field (circulant embedding, Dietrich & Newsam 1997),
    so that opposite edges are not alike. One thread: the field depends on nothing but the generator's state.

    Raises
    ------
    ContractError
        The error is not known, or the shape, the pixel size or a parameter is out of its range.
    """
    return _draw(_filter(shape, pixel_size_m, _known(parameters)), rng)


def depression_frequency(
    elevation: Floats, sea: Mask, pixel_size_m: float, parameters: DemErrorParameters, progress: Told | None = None
) -> NDArray[np.float32]:
    """Return the share of realisations, 0–1, in which a pixel lies at least `min_depth_m` deep in a depression.

    Parameters
    ----------
    elevation : (rows, columns) float32 or float64, metres, NaN outside.
    sea : (rows, columns) bool; its heights take no error, and water leaves into it.
    pixel_size_m : side of a square pixel, metres.
    progress : told (realisations done, of how many) after each.

    Returns
    -------
    (rows, columns) float32, NaN outside and in the sea. At most one realisation is in memory at a time.

    Raises
    ------
    ContractError
        The error is not known, a parameter is out of its range, or an array is not as `terrain.analyse` takes it.

    Notes
    -----
    Water leaves over the rim of the known elevation, so hollows near it are found too seldom. Land beside the sea that
    the noise takes below it counts as hollow up to the sea's height.
    """
    if elevation.ndim != 2 or not np.issubdtype(elevation.dtype, np.floating):
        raise ContractError(f"elevation is {elevation.ndim}-D {elevation.dtype}, expected 2-D float32 or float64")
    if sea.dtype != np.bool_ or sea.shape != elevation.shape:
        raise ContractError(f"sea is {sea.dtype} of shape {sea.shape}, expected bool of {elevation.shape}")
    return _frequency(elevation, sea, pixel_size_m, parameters, (parameters.seed,), progress)


def false_frequency(
    slope_deg: float, pixel_size_m: float, parameters: DemErrorParameters, surveys: int = 8
) -> FalseFrequency:
    """Return what `depression_frequency` gives on a plane, where every hollow is false.

    The plane, tilted in a random direction, is surveyed `surveys` times with one draw of the error each, and the
    frequency is computed on what the survey shows. Only the middle is looked at, away from the rim.

    Parameters
    ----------
    slope_deg : slope of the true ground, 0–90 degrees, both excluded. A DEM's own slope per pixel is mostly noise; use
        that of a plane through many pixels.

    Raises
    ------
    ContractError
        The error is not known, or the slope, the surveys or a parameter is out of its range.

    Notes
    -----
    On slopes so gentle that the plane falls by less than the error over its whole side the figure depends on the side
    (192 pixels): real ground that is as flat over a longer way has more.
    """
    if not (0 < slope_deg < 90 and surveys >= 2):
        raise ContractError(f"slope {slope_deg} is not between 0 and 90 degrees, or surveys {surveys} are fewer than 2")
    side, margin = 2 * _PLANE_PIXELS, _PLANE_PIXELS // 2
    sea = np.zeros((side, side), dtype=bool)
    middle = (slice(margin, -margin), slice(margin, -margin))
    seen = []
    for survey in range(surveys):
        rng = np.random.default_rng((parameters.seed, survey, parameters.realisations))
        ground = _plane(side, slope_deg, pixel_size_m, rng.uniform(0.0, 2.0 * np.pi))
        ground += correlated_error(sea.shape, pixel_size_m, parameters, rng)
        seen.append(_frequency(ground, sea, pixel_size_m, parameters, (parameters.seed, survey), None)[middle])
    means = [float(values.mean()) for values in seen]
    return FalseFrequency(
        float(np.mean(means)), float(np.std(means, ddof=1) / surveys**0.5), float(np.quantile(seen, _HIGH))
    )


def _frequency(
    elevation: Floats,
    sea: Mask,
    pixel_size_m: float,
    parameters: DemErrorParameters,
    key: tuple[int, ...],
    progress: Told | None,
) -> NDArray[np.float32]:
    if parameters.realisations < 1 or not (parameters.min_depth_m > 0 and np.isfinite(parameters.min_depth_m)):
        raise ContractError(
            f"realisations {parameters.realisations} or least depth {parameters.min_depth_m} m is not positive"
        )
    hollow = np.zeros(elevation.shape, dtype=np.int32)
    for done, surface in enumerate(_realisations(elevation, sea, pixel_size_m, parameters, key), 1):
        hollow += fill_depressions(surface, sea) - surface >= parameters.min_depth_m
        if progress is not None:
            progress(done, parameters.realisations)
    share = (hollow / parameters.realisations).astype(np.float32)
    share[sea | np.isnan(elevation)] = np.nan
    return share


def _realisations(
    elevation: Floats, sea: Mask, pixel_size_m: float, parameters: DemErrorParameters, key: tuple[int, ...]
) -> Iterator[Array]:
    noise = _filter(elevation.shape, pixel_size_m, _known(parameters))
    for k in range(parameters.realisations):
        error = _draw(noise, np.random.default_rng((*key, k)))
        error[sea] = 0.0
        yield elevation + error


def _known(parameters: DemErrorParameters) -> DemError:
    error = parameters.error()
    if error is None:
        raise ContractError("the error of the elevation is not known: state its product, or sigma_m and range_m")
    return error


def _filter(shape: tuple[int, ...], pixel_size_m: float, error: DemError) -> _Filter:
    if len(shape) != 2 or min(shape) < 1:
        raise ContractError(f"shape {shape} is not that of a raster")
    if not (pixel_size_m > 0 and np.isfinite(pixel_size_m)):
        raise ContractError(f"pixel size {pixel_size_m} is not a positive number")
    padding = int(np.ceil(_PADDING * error.range_m / pixel_size_m))
    rows, columns = (scipy.fft.next_fast_len(n + padding, real=True) for n in shape)
    row, column = (np.minimum(np.arange(n), n - np.arange(n)) * pixel_size_m for n in (rows, columns))
    distance = np.hypot(row[:, None], column)
    correlation = np.exp(-3.0 * distance / error.range_m) if error.range_m > 0 else (distance == 0).astype(np.float64)
    spectrum = scipy.fft.rfft2(correlation, workers=1).real
    return _Filter(error.sigma_m * np.sqrt(np.maximum(spectrum, 0.0)), (rows, columns), (shape[0], shape[1]))


def _draw(noise: _Filter, rng: np.random.Generator) -> Array:
    white = scipy.fft.rfft2(rng.standard_normal(noise.torus), workers=1)
    field = scipy.fft.irfft2(white * noise.amplitude, noise.torus, workers=1)
    return np.ascontiguousarray(field[: noise.shape[0], : noise.shape[1]])


def _plane(side: int, slope_deg: float, pixel_size_m: float, direction: float) -> Array:
    along = np.arange(side) * (pixel_size_m * np.tan(np.radians(slope_deg)))
    return np.asarray(along[:, None] * np.sin(direction) + along * np.cos(direction))
