"""What is wrong with an elevation: spikes, pits, flat surfaces, holes. Arrays only: no files, no CRS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Kind = Literal["spike", "pit", "flat", "sea", "hole"]
_EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True)
class HeightParameters:
    """What counts as a fault.

    Attributes
    ----------
    least_m, times_roughness : a spike rises above all pixels two away by at least `least_m` and by this many times the
        roughness around it; a pit lies below them by as much. SRTM of three cities has no more than three such places.
    roughness_pixels : side of the square in which the roughness is the mean distance from the median of 5 × 5 pixels.
    flat_km2 : least area of one height (to a millimetre) that is told of as flat.
    """

    least_m: float = 10.0
    times_roughness: float = 12.0
    roughness_pixels: int = 21
    flat_km2: float = 0.05


@dataclass(frozen=True, slots=True)
class HeightFault:
    """A connected group of pixels. `row`, `column`: its worst pixel (of flats and holes: the middle one).

    `height_m`: that pixel's height, NaN in a hole; `off_m`: how far it stands out of its surroundings, 0 for flats and
    holes; `area_km2`: of the group.
    """

    kind: Kind
    row: int
    column: int
    height_m: float
    off_m: float
    area_km2: float


def height_faults(
    values: Floats,
    pixel_size_m: float,
    inside: Mask,
    sea_level_m: float = 0.0,
    parameters: HeightParameters | None = None,
) -> list[HeightFault]:
    """Return the faults of an elevation, the worst (or largest) of each kind first.

    A spike or pit is at most about three pixels wide; wider ones look like hills and hollows and are not told of. Flats
    at or below the sea level that reach the edge of what is known are "sea". Holes count inside the area only.

    Parameters
    ----------
    values : (rows, columns), metres, NaN where unknown.
    inside : (rows, columns), pixels of the city's area.
    """
    chosen = parameters or HeightParameters()
    unknown = ~np.isfinite(values)
    km2 = pixel_size_m**2 / 1e6
    holes = _groups("hole", unknown & inside, values, np.zeros(values.shape), km2)
    if unknown.all():
        return holes
    surface = _without_holes(np.asarray(values, dtype=np.float64), unknown)
    up, down = _standing_out(surface)
    around = np.abs(surface - ndimage.median_filter(surface, 5, mode="nearest"))
    roughness = ndimage.uniform_filter(around, chosen.roughness_pixels, mode="nearest")
    limit = np.maximum(chosen.least_m, chosen.times_roughness * roughness)
    return [
        *_groups("spike", (up > limit) & ~unknown, values, up, km2),
        *_groups("pit", (down > limit) & ~unknown, values, down, km2),
        *_flats(surface, unknown, km2, sea_level_m, chosen),
        *holes,
    ]


def _without_holes(values: Floats, unknown: Mask) -> Floats:
    """Return the heights with every unknown pixel as high as the nearest known one."""
    if not unknown.any():
        return values
    nearest = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])


def _standing_out(values: Floats) -> tuple[Floats, Floats]:
    """Return how far each pixel is above the highest, and below the lowest, of the 16 pixels two steps away; metres."""
    ring = np.ones((5, 5), dtype=bool)
    ring[1:-1, 1:-1] = False
    highest = ndimage.maximum_filter(values, footprint=ring, mode="nearest")
    lowest = ndimage.minimum_filter(values, footprint=ring, mode="nearest")
    return values - highest, lowest - values


def _groups(kind: Kind, mask: Mask, values: Floats, off: Floats, km2: float) -> list[HeightFault]:
    labels, n = ndimage.label(mask, _EIGHT)
    faults = []
    for number, window in enumerate(ndimage.find_objects(labels, n), start=1):
        rows, columns = np.nonzero(labels[window] == number)
        rows, columns = rows + window[0].start, columns + window[1].start
        strength = off[rows, columns]
        worst = int(np.argmax(strength)) if strength.any() else _middle(rows, columns)
        row, column = int(rows[worst]), int(columns[worst])
        height = float(values[row, column])
        faults.append(HeightFault(kind, row, column, height, float(strength[worst]), len(rows) * km2))
    return sorted(faults, key=lambda f: (-f.off_m, -f.area_km2))


def _middle(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> int:
    return int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))


def _flats(
    surface: Floats, unknown: Mask, km2: float, sea_level_m: float, chosen: HeightParameters
) -> list[HeightFault]:
    span = ndimage.maximum_filter(surface, 3, mode="nearest") - ndimage.minimum_filter(surface, 3, mode="nearest")
    core = (span < 1e-3) & ~unknown
    labels, n = ndimage.label(core, _EIGHT)
    rim = ndimage.binary_dilation(unknown, _EIGHT)
    rim[[0, -1], :] = rim[:, [0, -1]] = True
    at_rim = set(np.unique(labels[rim]).tolist())
    faults = []
    for number, window in enumerate(ndimage.find_objects(labels, n), start=1):
        wide = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in window)
        shape = ndimage.binary_dilation(labels[wide] == number, _EIGHT) & ~unknown[wide]
        area = float(shape.sum()) * km2
        if area < chosen.flat_km2:
            continue
        rows, columns = np.nonzero(labels[wide] == number)
        middle = _middle(rows, columns)
        row, column = int(rows[middle]) + wide[0].start, int(columns[middle]) + wide[1].start
        height = float(surface[row, column])
        sea = height <= sea_level_m and number in at_rim
        faults.append(HeightFault("sea" if sea else "flat", row, column, height, 0.0, area))
    return sorted(faults, key=lambda f: -f.area_km2)
