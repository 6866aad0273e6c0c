"""The true ground of the sample city: coast, plain, hills, rivers, hollows, an embankment; and the elevation as sold.

Nothing here fills, routes or measures water: hollows are dug, rivers are drawn, and the storm finds out the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy import ndimage
from scipy.spatial import cKDTree

from spatial.sample.frame import Bools, Floats, Frame, smoothstep

TRUNK_INLAND_M = 1500.0
_MEAN_COAST_M = 1250.0
_CHANNEL_HALF_WIDTH_M = 40.0


@dataclass(frozen=True, eq=False, slots=True)
class Coast:
    """The shore line y(x): a mean and sine waves (rows of amplitude m, wavelength m, phase rad)."""

    waves: Floats

    def y(self, x: Floats) -> Floats:
        """Return the shore's y at x, metres."""
        return self.inland(x, 0.0)

    def wiggle(self, x: Floats) -> Floats:
        """Return how far the shore lies north of its mean at x, metres."""
        amplitude, length, phase = self.waves.T
        return np.asarray((amplitude * np.sin(2 * np.pi * np.asarray(x)[..., None] / length + phase)).sum(-1))

    def inland(self, x: Floats, d: Floats | float) -> Floats:
        """Return y of the line that runs about `d` metres inland; the shore's bends fade with the distance."""
        distance = np.asarray(d, float)
        bends = self.wiggle(x) * np.exp(-np.maximum(distance, 0.0) / 4000.0)
        return np.asarray(_MEAN_COAST_M + bends + distance)


@dataclass(frozen=True, eq=False, slots=True)
class Landscape:
    """What the ground is and what the elevation file says.

    Attributes
    ----------
    elevation, delivered : (size, size) metres above mean sea level: the truth, and the truth with correlated error.
    sea, channel : (size, size) bool: open sea; beds of rivers.
    hollows : (k, 2) x, y of the dug hollows; `urban` tells which ones lie behind the embankment.
    river_points : (n, 2) x, y along the rivers, about every 10 m.
    """

    frame: Frame
    coast: Coast
    elevation: Floats
    delivered: Floats
    sea: Bools
    channel: Bools
    hollows: Floats
    urban: Bools
    river_points: Floats

    def river_distance(self, x: Floats, y: Floats) -> Floats:
        """Return the distance to the nearest river, metres."""
        return np.asarray(cKDTree(self.river_points).query(np.column_stack([x, y]))[0])


def build_landscape(frame: Frame, rng: np.random.Generator, error_m: float, error_range_m: float) -> Landscape:
    """Return a landscape drawn from `rng`.

    Parameters
    ----------
    error_m : standard deviation of the delivered elevation's error, metres.
    error_range_m : distance at which that error's correlation falls to 5 %.
    """
    x, y = frame.centres()
    coast = Coast(
        np.column_stack(
            [
                [190.0, 110.0, 60.0, 30.0],
                rng.uniform(0.85, 1.15, 4) * [6200, 3100, 1700, 900],
                rng.uniform(0, 2 * np.pi, 4),
            ]
        )
    )
    ground = _unworn(frame, coast, x, y, rng)
    rivers = _rivers(coast, rng)
    points, bed = _beds(frame, ground, rivers)
    distance, nearest = cKDTree(points).query(np.column_stack([x.ravel(), y.ravel()]))
    distance, bed_near = distance.reshape(x.shape), bed[nearest].reshape(x.shape)
    ground = _carved(ground, distance, bed_near)
    hollows, urban, sizes = _hollow_places(coast, points, rng)
    ground = _dug(ground, x, y, hollows, sizes)
    ground = _embanked(ground, coast, x, y, distance)
    ground = ground + 0.04 * rng.standard_normal(ground.shape)
    sea = _open_sea(ground)
    channel = (distance < _CHANNEL_HALF_WIDTH_M) & ~sea
    noise = ndimage.gaussian_filter(rng.standard_normal(ground.shape), error_range_m / frame.pixel_m / np.sqrt(12.0))
    delivered = np.where(sea, 0.0, ground + error_m * noise / noise.std())
    return Landscape(frame, coast, ground, delivered, sea, channel, hollows, urban, points)


def _unworn(frame: Frame, coast: Coast, x: Floats, y: Floats, rng: np.random.Generator) -> Floats:
    inland_km = (y - coast.y(x)) / 1000.0
    plain = 0.7 + 2.2 * inland_km + 5.0 * np.maximum(inland_km - 2.6, 0.0) ** 1.6
    hills = 0.45 * _fractal(frame.size, 1.5, rng) + 7.0 * smoothstep((inland_km - 1.6) / 3.0) * _fractal(
        frame.size, 2.1, rng
    )
    edge_m = np.minimum(np.minimum(x, frame.extent_m - x), frame.extent_m - y)
    rim = 6.0 * smoothstep((650.0 - edge_m) / 650.0) * smoothstep(inland_km / 0.8)
    floor = 0.35 + 0.5 * np.maximum(inland_km, 0.0)
    land = np.maximum(plain + hills + rim, floor)
    return np.where(inland_km > 0, land, np.maximum(7.0 * inland_km, -6.0) - 0.1)


def _fractal(size: int, decay: float, rng: np.random.Generator) -> Floats:
    """Return (size, size) noise of unit variance whose amplitude falls with wave number to the power `decay`."""
    wide = 2 * size
    k = np.hypot(np.fft.fftfreq(wide)[:, None], np.fft.rfftfreq(wide)[None, :])
    k[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((wide, wide))) * np.maximum(k, 1.5 / size) ** -decay
    field = np.fft.irfft2(spectrum, s=(wide, wide))[:size, :size]
    return np.asarray((field - field.mean()) / field.std())


def _rivers(coast: Coast, rng: np.random.Generator) -> list[tuple[Floats, int]]:
    """Return courses from source to end, (n, 2) each, and the river that each ends in (-1: the sea)."""
    courses: list[tuple[Floats, int]] = []
    for number, middle in enumerate(np.array([1350.0, 3600.0, 5850.0]) + rng.uniform(-250, 250, 3)):
        mouth_y = float(coast.y(np.array([middle]))[0]) - 350.0
        t = np.linspace(0.0, 1.0, 700)
        swing = rng.uniform(140, 260) * np.sin(2 * np.pi * (t * rng.uniform(2.2, 3.2) + rng.uniform()))
        drift = rng.uniform(-300, 300) * (1 - t)
        courses.append((np.column_stack([middle + swing + drift, 6500.0 + (mouth_y - 6500.0) * t]), -1))
        for side, where in zip(rng.permutation([-1.0, 1.0]), (0.30, 0.55), strict=True):
            end = courses[3 * number][0][int(700 * (where + rng.uniform(-0.06, 0.06)))]
            source = end + np.array([side * rng.uniform(650, 950), rng.uniform(900, 1400)])
            s = np.linspace(0.0, 1.0, 180)[:, None]
            bend = rng.uniform(60, 120) * np.sin(2 * np.pi * (s + rng.uniform())) * np.sin(np.pi * s)
            courses.append((source + (end - source) * s + bend * np.array([1.0, 0.3]), 3 * number))
    return courses


def _beds(frame: Frame, ground: Floats, rivers: list[tuple[Floats, int]]) -> tuple[Floats, Floats]:
    """Return points along all rivers and the elevation of their beds, which never rises downstream."""
    beds: list[Floats] = []
    for course, into in rivers:
        low = frame.sample(ndimage.gaussian_filter(ground, 3.0), course[:, 0], course[:, 1])
        bed = np.minimum.accumulate(low - (1.8 if into < 0 else 1.3))
        if into < 0:
            bed = np.minimum(bed, np.linspace(60.0, -1.2, len(bed)))
        else:
            bed = np.maximum(bed, beds[into][int(cKDTree(rivers[into][0]).query(course[-1])[1])])
        beds.append(bed)
    return np.vstack([course for course, _ in rivers]), np.concatenate(beds)


def _carved(ground: Floats, distance: Floats, bed: Floats) -> Floats:
    beyond = np.maximum(distance - _CHANNEL_HALF_WIDTH_M, 0.0)
    bank = 1.6 * np.clip(distance / _CHANNEL_HALF_WIDTH_M, 0.0, 1.0) ** 2
    return np.minimum(ground, bed + bank + 0.0016 * beyond + 2.0e-5 * beyond**2)


def _hollow_places(coast: Coast, rivers: Floats, rng: np.random.Generator) -> tuple[Floats, Bools, Floats]:
    """Return places (k, 2), which are behind the embankment, and depth and radius (k, 2), metres."""
    tree = cKDTree(rivers)
    places: list[Floats] = []
    urban: list[bool] = []
    for wanted, behind in ((6, True), (11, False)):
        for _ in range(400):
            x = rng.uniform(800, 6400)
            d = TRUNK_INLAND_M + 120.0 if behind else rng.uniform(350, 3600)
            place = np.array([x, float(coast.inland(np.array([x]), d)[0])])
            apart = min((float(np.hypot(*(place - other))) for other in places), default=np.inf)
            if apart > 480 and tree.query(place)[0] > 260 and (behind or abs(d - TRUNK_INLAND_M) > 300):
                places.append(place)
                urban.append(behind)
            if len(places) == wanted:
                break
    flags = np.array(urban)
    depth = np.where(flags, rng.uniform(0.7, 1.4, len(flags)), rng.uniform(0.9, 2.3, len(flags)))
    radius = np.where(flags, rng.uniform(110, 170, len(flags)), rng.uniform(130, 260, len(flags)))
    return np.array(places), flags, np.column_stack([depth, radius])


def _dug(ground: Floats, x: Floats, y: Floats, places: Floats, sizes: Floats) -> Floats:
    for (px, py), (depth, radius) in zip(places, sizes, strict=True):
        ground = ground - depth * np.exp(-((x - px) ** 2 + (y - py) ** 2) / radius**2)
    return ground


def _embanked(ground: Floats, coast: Coast, x: Floats, y: Floats, river_distance: Floats) -> Floats:
    """Raise the trunk road by 1.1 m; it opens as bridges over the rivers."""
    columns = x[0]
    line = shapely.LineString(np.column_stack([columns, coast.inland(columns, TRUNK_INLAND_M)]))
    distance = shapely.distance(shapely.points(x, y), line)
    raised = 1.1 * np.clip((75.0 - distance) / 40.0, 0.0, 1.0) * (river_distance > 105.0)
    return np.asarray(ground + raised)


def _open_sea(ground: Floats) -> Bools:
    labels, _ = ndimage.label(ground < 0.0)
    return np.asarray((labels == labels[-1, 0]) & (ground < 0.0))
