"""The sample city: ordinary input files of a coastal city that does not exist, with the truth that was planted in it.

It imports nothing of the analysis that it is used to test. Every step draws from its own stream of the seed, so the
same seed gives the same bytes. It is not a model of any real place, and its scores say nothing about one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spatial.errors import InputError
from spatial.sample.complaints import Spots, World, place_spots, tell, write_storms
from spatial.sample.delivery import Truth, write_inputs, write_truth
from spatial.sample.frame import Bools, Floats, Frame
from spatial.sample.lamps import fail_lamps, place_lamps
from spatial.sample.landscape import Landscape, build_landscape
from spatial.sample.storm import (
    Ground,
    StormParameters,
    WaterBalance,
    coarsened,
    refined_depth,
    simulate,
    smooth_field,
)
from spatial.sample.town import (
    Districts,
    lay_out_districts,
    lay_out_streets,
    pixels_of_districts,
    propensity,
)

__all__ = ["SampleParameters", "write_sample_city"]


@dataclass(frozen=True, slots=True)
class SampleParameters:
    """What the sample city is made with.

    Attributes
    ----------
    reports : rows of the report file. year : the local year that they cover.
    least_rain_mm, most_rain_mm : the main storm's rain is drawn between them.
    error_m, error_range_m : standard deviation of the delivered elevation's error, and the distance at which its
        correlation falls to 5 %, metres.
    reporting_spread : how many times more readily the keenest kelurahan reports than the quietest.
    panels_listed : share of panels that the lamp inventory names.
    """

    reports: int = 6000
    year: int = 2024
    least_rain_mm: float = 120.0
    most_rain_mm: float = 180.0
    error_m: float = 0.7
    error_range_m: float = 150.0
    reporting_spread: float = 8.0
    panels_listed: float = 0.6


def write_sample_city(directory: Path, seed: int = 1, parameters: SampleParameters | None = None) -> None:
    """Write a synthetic city: `city.toml`, `data/` (the inputs) and `truth/` (what was planted, not an input).

    Parameters
    ----------
    directory : a new or empty folder; it is made.
    seed : a whole number ≥ 0. The same seed and parameters give the same bytes.

    Raises
    ------
    InputError
        The folder holds something already, or the seed is negative.
    """
    if seed < 0:
        raise InputError(directory, "seed", f"{seed} is negative", "take a whole number from 0 up")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(directory, "directory", "is not an empty folder", "name a new folder")
    with_defaults = parameters or SampleParameters()
    ground, storm, town, light, voices = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5))
    land = build_landscape(Frame(), ground, with_defaults.error_m, with_defaults.error_range_m)
    districts = lay_out_districts(land, town)
    streets = lay_out_streets(land, districts, town)
    depth, rain_mm, balance = _flood(land, districts, with_defaults, storm)
    keen = propensity(_flooded_shares(land, districts, depth), with_defaults.reporting_spread, town)
    lamps = place_lamps(streets, with_defaults.panels_listed, light)
    outages = fail_lamps(lamps, with_defaults.year, light)
    spots = place_spots(land.frame, streets, districts, keen, depth)
    lamp_voice = keen[np.array([street.kelurahan for street in streets])][lamps.street]
    storms = write_storms(with_defaults.year, voices)
    world = World(land.frame, streets, spots, storms, lamps, lamp_voice, outages, _square(spots), with_defaults.year)
    reports = tell(world, with_defaults.reports, voices)
    write_inputs(directory, seed, land, districts, streets, lamps, reports)
    write_truth(directory, Truth(land, depth, rain_mm, balance, storms, lamps, streets, outages, keen, reports))


def _flood(
    land: Landscape, districts: Districts, parameters: SampleParameters, rng: np.random.Generator
) -> tuple[Floats, float, WaterBalance]:
    """Return the main storm's greatest depth on land outside river beds (size, size), its rain in mm, its balance."""
    rain_mm = float(rng.uniform(parameters.least_rain_mm, parameters.most_rain_mm))
    elevation = coarsened(land.elevation)
    district = pixels_of_districts(land.frame, districts)
    built = np.where(district >= 0, np.array([0.25, 0.5, 0.75])[districts.density][district], 0.1)
    drains = np.where(district >= 0, districts.drains_mm_h[district], 0.0)
    ground = Ground(
        elevation,
        coarsened(land.sea.astype(float)) >= 0.5,
        2.0 * land.frame.pixel_m,
        smooth_field(elevation.shape, 16.0, 0.18, rng),
        coarsened(16.0 * (1.0 - built)) / 3.6e6,
        coarsened(drains) / 3.6e6,
    )
    deepest, balance = simulate(ground, StormParameters(rain_mm=rain_mm, high_tide_hour=float(rng.uniform(1.5, 5.0))))
    depth = refined_depth(deepest, elevation, land.elevation)
    return np.where(_dry_by_rule(land), 0.0, np.round(depth, 3)), rain_mm, balance


def _dry_by_rule(land: Landscape) -> Bools:
    """Return where water is no flood: the sea and the beds of rivers."""
    return land.sea | land.channel


def _flooded_shares(land: Landscape, districts: Districts, depth: Floats) -> Floats:
    district = pixels_of_districts(land.frame, districts)
    inside = (district >= 0) & ~land.sea
    wet = np.bincount(district[inside], weights=depth[inside] >= 0.2, minlength=len(districts.density))
    return np.asarray(wet / np.bincount(district[inside], minlength=len(districts.density)))


def _square(spots: Spots) -> tuple[float, float]:
    """Return the town square, where the geocoder puts what it cannot find: a street near the middle of the coast."""
    nearest = int(np.argmin(np.hypot(spots.x - 3600.0, spots.y - 2200.0)))
    return float(spots.x[nearest]), float(spots.y[nearest])
