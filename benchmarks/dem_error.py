"""What a depression frequency can show: false hollows on planes, and planted hollows in real ground.

    python benchmarks/dem_error.py

Needs ../shared/data; some minutes on two cores. Prints Markdown. The real elevation, with a bowl cut into it, is taken
as the truth; one draw of the product's error on top is what a survey would show, and the detectors see only that. Their
cuts come from planes and from reasoning, never from the ground they are scored on. The error that is drawn is the error
that the frequency assumes: with a wrong sigma or range the figures would be worse. A bowl in a slope is also a piece of
level ground, where noise makes hollows by itself: so each radius is scored with a depth of 0 m too, and a depth is seen
only as far as its hits exceed those.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from scipy.ndimage import binary_dilation, map_coordinates
from shapely.geometry import box

from spatial.contracts import Raster
from spatial.flood.dem_error import (
    PRODUCTS,
    DemErrorParameters,
    FalseFrequency,
    correlated_error,
    depression_frequency,
    false_frequency,
)
from spatial.flood.filling import fill_depressions
from spatial.flood.terrain import sea_mask
from spatial.sources.elevation import ElevationSource, read_elevation

Array = NDArray[np.float64]
DATA = Path(__file__).parents[2] / "shared/data"
GROUNDS = {  # file, UTM zone, box in degrees within the file
    "Lisbon": ("lisbon/dem_lisbon_srtm30m_4326.tif", 32629, (-9.275, 38.692, -9.080, 38.805)),
    "Porto Alegre": ("porto_alegre/dem_porto_alegre_srtm30m.tif", 32722, (-51.305, -30.295, -50.945, -29.930)),
    "Denpasar": ("denpasar/dem_denpasar.tif", 32750, (115.155, -8.795, 115.345, -8.555)),
}
SLOPES_PERCENT = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
DEPTHS_M = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)  # 0: the ground is levelled as for a bowl, but nothing is hollow
RADII_M = (60.0, 120.0, 240.0)
SCORED = ("srtm30", "eudem25", "glo30", "demnas")  # the ground here holds nothing that lidar would see
SITES_PER_GROUND = 20
HALF_M = 600.0  # half side of the window around a site
REACH_M = max(RADII_M)
STEEPEST = 0.05
SEED = 2026
DETECTORS = {
    "frequency": "frequency above 95 % of a plane's pixels",
    "half": "frequency ≥ 0.5",
    "depth": "depth in the DEM above 95 % of a plane's pixels",
    "raw": "depth in the DEM ≥ 0.3 m",
}


@dataclass(frozen=True, slots=True)
class Site:
    """A place in real ground; (row, column) of its centre in the ground's raster, fractions of pixels."""

    ground: str
    row: float
    column: float


@dataclass(frozen=True, slots=True)
class Cuts:
    """What 95 % of the pixels of a plane stay below, by slope (`SLOPES_PERCENT`): frequency, and depth in the DEM."""

    frequency: tuple[float, ...]
    depth_m: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What the detectors say at a site with one bowl (radius 0 m: none), and the depth of the true depression."""

    radius_m: float
    depth_m: float
    true_depth_m: float
    says: dict[str, bool]


def degrees(percent: float) -> float:
    """Return a slope in degrees."""
    return float(np.degrees(np.arctan(percent / 100.0)))


def wilson(hits: int, n: int) -> str:
    """Return the share in percent with Wilson's 95 % interval (Wilson 1927)."""
    z = 1.959964
    middle = (hits + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * (hits * (n - hits) / n + z**2 / 4) ** 0.5
    return f"{100 * hits / n:.0f} ({100 * max(middle - half, 0):.0f}–{100 * min(middle + half, 1):.0f})"


def read_ground(name: str) -> Raster:
    """Return the elevation of a city as the program reads it."""
    path, epsg, bounds = GROUNDS[name]
    crs = CRS.from_epsg(epsg)
    corners = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform_bounds(*bounds)
    return read_elevation([ElevationSource(DATA / path)], box(*corners), crs, 0.0, 0.9)[0]


def tilt(z: Array, pixel_size_m: float, near: NDArray[np.bool_]) -> float:
    """Return the slope of the plane through the pixels that are `near`, as a fraction."""
    rows, columns = np.nonzero(near)
    design = np.column_stack([rows * pixel_size_m, columns * pixel_size_m, np.ones(rows.size)])
    return float(np.hypot(*np.linalg.lstsq(design, z[near], rcond=None)[0][:2]))


def away_m(shape: tuple[int, ...], pixel_size_m: float) -> Array:
    """Return the distance of each pixel from the middle of a window with odd sides, m."""
    rows, columns = np.indices(shape)
    return np.asarray(np.hypot(rows - shape[0] // 2, columns - shape[1] // 2) * pixel_size_m)


def sites_of(name: str, raster: Raster) -> list[Site]:
    """Return places at random, apart by two reaches: known, no sea, gentle, and no depression at the middle."""
    z = raster.values.astype(np.float64)
    sea = sea_mask(z, 0.0, 1.0, raster.pixel_size_m)
    depth = np.where(sea, np.nan, fill_depressions(z, sea) - z)
    half = int(np.ceil(HALF_M / raster.pixel_size_m)) + 2
    away = away_m((2 * half + 1, 2 * half + 1), raster.pixel_size_m)
    near, core = away <= REACH_M, away <= min(RADII_M)
    rng = np.random.default_rng((SEED, list(GROUNDS).index(name)))
    chosen: list[tuple[int, int]] = []
    for _ in range(20000):
        r, c = (int(rng.integers(half, n - half)) for n in z.shape)
        part = (slice(r - half, r + half + 1), slice(c - half, c + half + 1))
        apart = all(np.hypot(r - i, c - j) * raster.pixel_size_m > 2 * REACH_M for i, j in chosen)
        dry = np.isfinite(depth[part]).all() and not depth[part][core].any() and (depth[part][near] > 0).mean() <= 0.1
        if apart and dry and tilt(z[part], raster.pixel_size_m, near) <= STEEPEST:
            chosen.append((r, c))
        if len(chosen) == SITES_PER_GROUND:
            break
    return [Site(name, r, c) for r, c in chosen]


def window(raster: Raster, site: Site, pixel_size_m: float) -> Array:
    """Return the ground around a site on the product's pixels, bilinear; odd sides, the site in the middle."""
    half = round(HALF_M / pixel_size_m)
    steps = np.arange(-half, half + 1) * (pixel_size_m / raster.pixel_size_m)
    where = np.meshgrid(site.row + steps, site.column + steps, indexing="ij")
    return np.asarray(map_coordinates(raster.values.astype(np.float64), where, order=1))


def with_bowl(z: Array, pixel_size_m: float, radius_m: float, depth_m: float) -> Array:
    """Cut a paraboloid whose middle lies `depth_m` below the lowest way out over the pixels that touch it."""
    away = away_m(z.shape, pixel_size_m)
    inside = away <= radius_m
    spill = fill_depressions(z)[binary_dilation(inside, np.ones((3, 3))) & ~inside].min()
    return np.where(inside, np.minimum(z, spill - depth_m * (1 - (away / radius_m) ** 2)), z)


def depth_at_middle(z: Array) -> float:
    """Return the depth of the depression at the middle of a window, m."""
    middle = z.shape[0] // 2
    return float((fill_depressions(z) - z)[middle, middle])


def planes_of(product: str) -> list[FalseFrequency]:
    """Return the false frequency on planes of each slope."""
    pixel = PRODUCTS[product].pixel_size_m
    return [false_frequency(degrees(percent), pixel, DemErrorParameters(product)) for percent in SLOPES_PERCENT]


def cuts_of(product: str, planes: Sequence[FalseFrequency]) -> Cuts:
    """Return what 95 % of the pixels of planes stay below."""
    parameters, pixel = DemErrorParameters(product), PRODUCTS[product].pixel_size_m
    rng = np.random.default_rng(SEED)
    depths = []
    for percent in SLOPES_PERCENT:
        plane = np.tile(np.arange(192) * pixel * percent / 100.0, (192, 1))
        surveys = [plane + correlated_error(plane.shape, pixel, parameters, rng) for _ in range(20)]
        depths.append(np.quantile([(fill_depressions(s) - s)[48:144, 48:144] for s in surveys], 0.95))
    return Cuts(tuple(plane.high for plane in planes), tuple(float(d) for d in depths))


def score(product: str, number: int, ground: Array, cuts: Cuts) -> list[Row]:
    """Return what each detector says at a site, without a bowl and with each."""
    pixel = PRODUCTS[product].pixel_size_m
    parameters = DemErrorParameters(product)
    error = correlated_error(ground.shape, pixel, parameters, np.random.default_rng((SEED, number)))
    near = away_m(ground.shape, pixel) <= REACH_M
    land, middle = np.zeros(ground.shape, dtype=bool), ground.shape[0] // 2
    rows = []
    for radius_m, depth_m in ((0.0, 0.0), *itertools.product(RADII_M, DEPTHS_M)):
        truth = with_bowl(ground, pixel, radius_m, depth_m) if radius_m else ground
        survey = truth + error
        frequency = float(depression_frequency(survey, land, pixel, parameters)[middle, middle])
        depth = depth_at_middle(survey)
        slope = np.log(100.0 * tilt(survey, pixel, near))  # as the survey shows it
        says = {
            "frequency": bool(frequency > np.interp(slope, np.log(SLOPES_PERCENT), cuts.frequency)),
            "half": frequency >= 0.5,
            "depth": bool(depth > np.interp(slope, np.log(SLOPES_PERCENT), cuts.depth_m)),
            "raw": depth >= parameters.min_depth_m,
        }
        rows.append(Row(radius_m, depth_m, depth_at_middle(truth), says))
    return rows


def good(rows: Sequence[Row]) -> Iterator[Row]:
    """Pick what is as planted on the product's pixels: no depression without a bowl, and the bowl's own depth."""
    for row in rows:
        if abs(row.true_depth_m - row.depth_m) <= 0.1 * row.depth_m + 1e-9:
            yield row


def cells(rows: Sequence[Row]) -> str:
    """Return the cells of a table: n, and the share that each detector calls hollow."""
    shares = [wilson(sum(row.says[name] for row in rows), len(rows)) if rows else "–" for name in DETECTORS]
    return " | ".join([str(len(rows)), *shares])


def print_planes(planes: dict[str, list[FalseFrequency]]) -> None:
    """Print the false frequency by slope, at each product's pixel size."""
    print("## False frequency on planes: mean of the pixels, and what 95 % of them stay at or below\n")
    print("| product | σ m | range m | pixel m | " + " | ".join(f"{p:g} %" for p in SLOPES_PERCENT) + " |")
    print("|---|" + "---|" * (3 + len(SLOPES_PERCENT)))
    for name, found in planes.items():
        error, pixel = PRODUCTS[name].error, PRODUCTS[name].pixel_size_m
        shown = " | ".join(f"{f.mean:.3f}, {f.high:.2f}" for f in found)
        print(f"| {name} | {error.sigma_m} | {error.range_m:g} | {pixel:g} | {shown} |")


def print_sensitivity(pool: ProcessPoolExecutor) -> None:
    """Print how the false frequency depends on what is assumed of the error."""
    ranges = (0.0, 30.0, 60.0, 120.0, 300.0, 600.0)
    print("\n## The same on a slope of 1 %, by range and σ\n")
    print("| pixel m | σ m | " + " | ".join(f"range {r:g} m" for r in ranges) + " |")
    print("|---|---|" + "---|" * len(ranges))
    for pixel, sigma in ((30.0, 3.5), (30.0, 1.55), (30.0, 2.0), (8.0, 1.1), (8.0, 0.5)):
        stated = [DemErrorParameters(sigma_m=sigma, range_m=r) for r in ranges]
        n = len(stated)
        found = pool.map(false_frequency, [degrees(1.0)] * n, [pixel] * n, stated, [4] * n)
        print(f"| {pixel:g} | {sigma} | " + " | ".join(f"{f.mean:.3f}, {f.high:.2f}" for f in found) + " |")


def print_scores(scores: dict[str, list[Row]]) -> None:
    """Print false alarms and hits with their intervals."""
    head = f"n | {' | '.join(DETECTORS.values())} |\n"
    print("\n## Real ground as it is, without a bowl: false alarms, %\n")
    print(f"| product | {head}|---|---|" + "---|" * len(DETECTORS))
    for product, rows in scores.items():
        print(f"| {product} | {cells([row for row in good(rows) if not row.radius_m])} |")
    for product, rows in scores.items():
        print(f"\n## Hits, %, and false alarms on levelled ground (depth 0): {product}\n")
        print(f"| depth m | radius m | {head}|---|---|---|" + "---|" * len(DETECTORS))
        for depth, radius in itertools.product(DEPTHS_M, RADII_M):
            some = [row for row in good(rows) if (row.depth_m, row.radius_m) == (depth, radius)]
            print(f"| {depth:g} | {radius:g} | {cells(some)} |")


def main() -> None:
    """Print all tables."""
    with ProcessPoolExecutor() as pool:
        planes = dict(zip(PRODUCTS, pool.map(planes_of, PRODUCTS), strict=True))
        print_planes(planes)
        print_sensitivity(pool)
        grounds = {name: read_ground(name) for name in GROUNDS}
        sites = [site for name, raster in grounds.items() for site in sites_of(name, raster)]
        print("\nSites: " + ", ".join(f"{name} {sum(site.ground == name for site in sites)}" for name in GROUNDS))
        scores: dict[str, list[Row]] = {}
        for product in SCORED:
            cuts, pixel, n = cuts_of(product, planes[product]), PRODUCTS[product].pixel_size_m, len(sites)
            windows = [window(grounds[site.ground], site, pixel) for site in sites]
            found = pool.map(score, [product] * n, range(n), windows, [cuts] * n)
            scores[product] = [row for rows in found for row in rows]
    print_scores(scores)


if __name__ == "__main__":
    main()
