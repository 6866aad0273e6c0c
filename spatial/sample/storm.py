"""A rain storm over the sample city, by local-inertial shallow-water flow.

Bates, Horritt & Fewtrell (2010), "A simple inertial formulation of the shallow water equations for efficient
two-dimensional flood inundation modelling", J. Hydrol. 387, eq. 11. Two limits are added: no flow is faster than
critical, and no pixel gives more than it holds; the second keeps the volume to rounding error.
It does not model momentum advection, pipes (drains take water away at a rate), or waves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spatial.sample.frame import Bools, Floats

_GRAVITY = 9.81
_DRY_M = 1e-4
_COURANT = 0.7
_LONGEST_STEP_S = 20.0


@dataclass(frozen=True, slots=True)
class StormParameters:
    """One storm. Times in hours from its start; the rain's rate is a triangle in time.

    Attributes
    ----------
    rain_mm, rain_hours : total rain of the mean pixel and its duration.
    hours : how long the simulation runs.
    mean_tide_m, tide_range_m, high_tide_hour : semi-diurnal tide at the sea's edge, metres above mean sea level.
    roughness : Manning's n, s m^(-1/3).
    """

    rain_mm: float = 150.0
    rain_hours: float = 4.0
    hours: float = 7.0
    mean_tide_m: float = 0.1
    tide_range_m: float = 1.4
    high_tide_hour: float = 3.0
    roughness: float = 0.05

    def rain_rate(self, seconds: float) -> float:
        """Return the rate of rain, m/s, as the mean pixel gets it."""
        t = seconds / (self.rain_hours * 3600.0)
        peak = 2.0 * self.rain_mm / 1000.0 / (self.rain_hours * 3600.0)
        return peak * max(0.0, 1.0 - abs(2.0 * t - 1.0))

    def tide(self, seconds: float) -> float:
        """Return the level of the sea, metres."""
        phase = 2.0 * np.pi * (seconds / 3600.0 - self.high_tide_hour) / 12.42
        return float(self.mean_tide_m + self.tide_range_m / 2.0 * np.cos(phase))


@dataclass(frozen=True, slots=True)
class WaterBalance:
    """Volumes of one storm on land, m³. `to_sea` is net: what the tide brings in counts against it."""

    rain: float
    stored: float
    infiltrated: float
    drained: float
    to_sea: float

    @property
    def error(self) -> float:
        """Share of the rain that is unaccounted for."""
        return (self.rain - self.stored - self.infiltrated - self.drained - self.to_sea) / self.rain


@dataclass(frozen=True, eq=False, slots=True)
class Ground:
    """What the storm falls on; all arrays (rows, columns) of one shape.

    Attributes
    ----------
    elevation : metres. sea : bool. pixel_m : side of a pixel, metres.
    rain_share : rain of the pixel over the mean pixel's.
    infiltration, drains : most water that soil and drains take, m/s.
    """

    elevation: Floats
    sea: Bools
    pixel_m: float
    rain_share: Floats
    infiltration: Floats
    drains: Floats


def simulate(ground: Ground, storm: StormParameters) -> tuple[Floats, WaterBalance]:
    """Return the greatest depth of each pixel (m; 0 in the sea) and the water balance.

    The frame's rim is a wall; the sea's pixels hold the tide's level. All land starts dry.
    """
    flow = _Flow(ground, storm)
    while flow.seconds < storm.hours * 3600.0:
        flow.step(min(flow.stable_step(), storm.hours * 3600.0 - flow.seconds))
    return flow.deepest, flow.balance()


class _Flow:
    """State of the water: depth (m) of pixels, discharge per width (m²/s) over their east and south faces."""

    def __init__(self, ground: Ground, storm: StormParameters) -> None:
        self.ground, self.storm, self.seconds = ground, storm, 0.0
        self.land = ~ground.sea
        shape = ground.elevation.shape
        self.depth = np.zeros(shape)
        self.deepest = np.zeros(shape)
        self.east = np.zeros((shape[0], shape[1] - 1))
        self.south = np.zeros((shape[0] - 1, shape[1]))
        z = ground.elevation
        self.sill_east = np.maximum(z[:, :-1], z[:, 1:])
        self.sill_south = np.maximum(z[:-1], z[1:])
        self.shed_rain = np.where(self.land, ground.rain_share, 0.0)
        self.rain = self.infiltrated = self.drained = self.to_sea = 0.0

    def stable_step(self) -> float:
        deepest = max(float(self.depth.max()), 0.01)
        return min(_LONGEST_STEP_S, _COURANT * self.ground.pixel_m / float(np.sqrt(_GRAVITY * deepest)))

    def step(self, dt: float) -> None:
        tide = self.storm.tide(self.seconds)
        self._rain_and_losses(dt, tide)
        level = np.where(self.land, self.ground.elevation + self.depth, np.maximum(tide, self.ground.elevation))
        self.east = self._discharge(self.east, level[:, :-1], level[:, 1:], self.sill_east, dt)
        self.south = self._discharge(self.south, level[:-1], level[1:], self.sill_south, dt)
        self._limit(dt)
        self._move(dt)
        self.seconds += dt
        np.maximum(self.deepest, self.depth, out=self.deepest)

    def _rain_and_losses(self, dt: float, tide: float) -> None:
        fallen = self.storm.rain_rate(self.seconds + dt / 2.0) * dt * self.shed_rain
        self.depth += fallen
        soaked = np.minimum(self.depth, self.ground.infiltration * dt)
        soaked[~self.land] = 0.0
        self.depth -= soaked
        head = np.clip((self.ground.elevation - tide) / 0.8, 0.0, 1.0)
        piped = np.minimum(self.depth, self.ground.drains * head * dt)
        piped[~self.land] = 0.0
        self.depth -= piped
        self.rain += float(fallen.sum())
        self.infiltrated += float(soaked.sum())
        self.drained += float(piped.sum())

    def _discharge(self, old: Floats, level_a: Floats, level_b: Floats, sill: Floats, dt: float) -> Floats:
        depth = np.maximum(level_a, level_b) - sill
        wet = depth > _DRY_M
        depth = np.where(wet, depth, 1.0)
        slope = (level_b - level_a) / self.ground.pixel_m
        friction = _GRAVITY * dt * self.storm.roughness**2 * np.abs(old) / (depth * depth * np.cbrt(depth))
        new = (old - _GRAVITY * depth * dt * slope) / (1.0 + friction)
        critical = depth * np.sqrt(_GRAVITY * depth)
        return np.where(wet, np.clip(new, -critical, critical), 0.0)

    def _limit(self, dt: float) -> None:
        """Scale what leaves a land pixel to what it holds."""
        leaves = np.zeros_like(self.depth)
        leaves[:, :-1] += np.maximum(self.east, 0.0)
        leaves[:, 1:] += np.maximum(-self.east, 0.0)
        leaves[:-1] += np.maximum(self.south, 0.0)
        leaves[1:] += np.maximum(-self.south, 0.0)
        leaves *= dt / self.ground.pixel_m
        share = np.where(leaves > self.depth, self.depth / np.maximum(leaves, 1e-300), 1.0)
        share[~self.land] = 1.0
        self.east *= np.where(self.east > 0.0, share[:, :-1], share[:, 1:])
        self.south *= np.where(self.south > 0.0, share[:-1], share[1:])

    def _move(self, dt: float) -> None:
        scale = dt / self.ground.pixel_m
        gain = np.zeros_like(self.depth)
        gain[:, :-1] -= self.east
        gain[:, 1:] += self.east
        gain[:-1] -= self.south
        gain[1:] += self.south
        gain *= scale
        self.to_sea += float(gain[~self.land].sum())
        self.depth += np.where(self.land, gain, 0.0)
        np.maximum(self.depth, 0.0, out=self.depth)

    def balance(self) -> WaterBalance:
        area = self.ground.pixel_m**2
        return WaterBalance(
            self.rain * area,
            float(self.depth.sum()) * area,
            self.infiltrated * area,
            self.drained * area,
            self.to_sea * area,
        )


def coarsened(values: Floats) -> Floats:
    """Return the means of 2 × 2 pixels."""
    rows, columns = values.shape
    return np.asarray(values.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3)))


def refined_depth(deepest: Floats, coarse: Floats, fine: Floats) -> Floats:
    """Return depth on the fine ground: the coarse water level less the fine ground, at most twice the coarse depth.

    Parameters
    ----------
    deepest, coarse : (rows, columns) greatest depth and ground of the simulation, metres.
    fine : (2 rows, 2 columns) ground, metres.
    """
    level = np.kron(coarse + deepest, np.ones((2, 2)))
    return np.clip(level - fine, 0.0, 2.0 * np.kron(deepest, np.ones((2, 2))))


def smooth_field(shape: tuple[int, int], scale: float, spread: float, rng: np.random.Generator) -> Floats:
    """Return a positive field of mean 1 that varies by about `spread` over `scale` pixels."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), scale, mode="reflect")
    field = np.exp(spread * (noise - noise.mean()) / noise.std())
    return np.asarray(field / field.mean())
