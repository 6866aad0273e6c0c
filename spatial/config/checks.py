"""What no settings may say: impossible values, files that are not there, parameters that do not go together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spatial.config.model import Settings, parameters
from spatial.errors import InputError
from spatial.flood.coast import tide_problem
from spatial.flood.dem_error import PRODUCTS

INPUTS = (
    "reports",
    "roads",
    "elevation",
    "lamps",
    "admin_areas",
    "waterways",
    "buildings",
    "facilities",
    "flood_labels",
    "tide_series",
)
_SHARES = (
    "runoff_share",
    "weight_evidence",
    "min_coverage",
    "min_score",
    "seed_susceptibility",
    "interval",
    "default_p",
    "dark_share",
    "duplicate_probability",
    "duplicate_common_share",
    "min_confidence",
    "misfit_p",
)
_ANY_SIGN = ("duplicate_odds_base", "sea_level_m", "twi_low", "twi_high", "offset_m", "level_m")
_NOT_ZERO = (
    "slope_floor_deg", "channel_reach_m", "depression_full_m", "half_life_days", "eps_m", "min_cluster", "eps_spacings",
    "min_lamps", "default_spacing_m", "full_lamps", "full_days", "weight_lamps", "weight_stream", "default_factor",
    "location_sigma_m", "dark_share", "outline_m", "step_days",
    "coefficient_m", "exponent", "least_height_m", "sea_height_m", "stream_threshold_km2",
    "realisations", "wet_depth_m", "min_depth_m", "max_population_share", "trees", "tree_depth", "learning_rate",
    "min_cells_leaf", "n_resamples",
)  # fmt: skip


def check(path: Path, settings: Settings) -> None:
    """Refuse settings that cannot be. Raises InputError with the file and the key."""
    city, area = settings.city, settings.area
    if not 0 <= city.resolution <= 15:
        raise InputError(path, "city.resolution", f"{city.resolution} is not in 0–15", "9 suits a city")
    try:
        ZoneInfo(city.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(
            path, "city.time_zone", f"{city.time_zone!r} is not an IANA time zone", "for example Asia/Makassar"
        ) from error
    if sum(choice is not None for choice in (area.file, area.bbox, area.hull_of)) != 1:
        raise InputError(path, "area", "expected exactly one of file, bbox, hull_of", "keep one of them")
    if area.bbox is not None:
        _check_bbox(path, area.bbox)
    if area.hull_of is not None and not getattr(settings, area.hull_of):
        raise InputError(
            path, "area.hull_of", f"the city has no {area.hull_of}", f"name an input under [[{area.hull_of}]]"
        )
    _check_files(path, settings)
    _check_parameters(path, settings)
    _check_orders(path, settings)
    _check_privacy(path, settings)
    _check_heights(path, settings)
    _check_fetch(path, settings)
    _check_text_category(path, settings)


def _check_parameters(path: Path, settings: Settings) -> None:
    """Refuse method parameters that cannot be: not finite, negative, or zero where something is divided by them."""
    for table, values in parameters(settings).items():
        for name, value in values.items():
            for number in _flat(value):
                if isinstance(number, str) or number is None or name in _ANY_SIGN:
                    continue
                if name in _SHARES and number > 1:
                    raise InputError(path, f"{table}.{name}", f"{number} is above 1", "see docs/city-toml.md")
                if not 0 <= number < float("inf") or (number == 0 and name in _NOT_ZERO):
                    least = "above 0" if name in _NOT_ZERO else "0 or more"
                    raise InputError(path, f"{table}.{name}", f"{number} is not {least}", "see docs/city-toml.md")


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _check_orders(path: Path, settings: Settings) -> None:
    """Refuse parameters that do not go together."""
    if settings.susceptibility.twi_low >= settings.susceptibility.twi_high:
        raise InputError(path, "susceptibility.twi_low", "it is not below twi_high", "see docs/city-toml.md")
    if settings.susceptibility.water_ratio <= 1:
        raise InputError(path, "susceptibility.water_ratio", "it is not above 1", "see docs/city-toml.md")
    for name in ("flood_zones", "lighting"):
        low, high = getattr(settings, name).class_breaks
        if not low <= high <= 1:
            raise InputError(path, f"{name}.class_breaks", f"{low}, {high} do not rise within 0–1", "lower one first")
    if settings.scan.max_population_share > 0.5:
        raise InputError(path, "scan.max_population_share", "it is above 0.5", "a circle is a part of the city")
    for name in ("replicates", "stratum_cells"):
        if getattr(settings.scan, name) < 2:
            raise InputError(path, f"scan.{name}", f"{getattr(settings.scan, name)} is less than 2", "say 999 and 10")
    _check_tests(path, settings)
    if not 0 < settings.evidence.interval < 1:
        raise InputError(path, "evidence.interval", f"{settings.evidence.interval} is not between 0 and 1", "say 0.9")
    _check_folds(path, settings)


def _check_privacy(path: Path, settings: Settings) -> None:
    """Refuse what would show small counts that are to be withheld."""
    privacy, city = settings.privacy, settings.city
    if privacy.min_count == 0:
        return
    if privacy.min_count == 1:
        raise InputError(path, "privacy.min_count", "1 withholds nothing", "write 0 for that, else 2 or more")
    if privacy.resolution > 15:
        raise InputError(path, "privacy.resolution", f"{privacy.resolution} is not in 0–15", "9 suits a city")
    if city.resolution > privacy.resolution:
        raise InputError(
            path,
            "privacy.resolution",
            f"the city's cells (resolution {city.resolution}) are finer than the cells that reports are counted in "
            f"({privacy.resolution})",
            f"write [city] resolution = {privacy.resolution} or less, or a finer [privacy] resolution",
        )
    if settings.area.hull_of == "reports":
        hint = "name a boundary file, or give a bbox"
        raise InputError(path, "area.hull_of", "the hull of reports shows where withheld ones lie", hint)


def _check_tests(path: Path, settings: Settings) -> None:
    """Refuse levels and numbers that a test of hot spots or silence cannot have."""
    emerging = settings.emerging
    levels = {
        "silence.interval": settings.silence.interval,
        "emerging.level": emerging.level,
        "emerging.trend_level": emerging.trend_level,
    }
    for key, level in levels.items():
        if not 0 < level < 1:
            raise InputError(path, key, f"{level} is not between 0 and 1", "see docs/city-toml.md")
    if not 2 <= emerging.min_steps <= emerging.steps:
        raise InputError(path, "emerging.min_steps", f"{emerging.min_steps} is not from 2 to steps", "say 10")
    for key, number in (("emerging", emerging.permutations), ("hot_spots", settings.hot_spots.permutations)):
        if number < 1:
            raise InputError(path, f"{key}.permutations", f"{number} is below 1", "say 99999")


def _check_folds(path: Path, settings: Settings) -> None:
    folds, blocks = settings.calibration.folds, settings.calibration.min_blocks
    if folds < 3:
        raise InputError(path, "calibration.folds", f"{folds} is below 3", "5 to 10 are usual")
    if blocks < folds:
        hint = "a fold without a flooded block teaches nothing; raise it, or take fewer folds"
        raise InputError(path, "calibration.min_blocks", f"{blocks} is below the {folds} folds", hint)


def _check_heights(path: Path, settings: Settings) -> None:
    """Refuse an unknown elevation product, half a stated error, and a tide that has no place among the heights."""
    error, product = settings.dem_error, settings.dem_error.product
    if product is not None and product not in PRODUCTS:
        hint = f"write one of {', '.join(PRODUCTS)}, or sigma_m and range_m"
        raise InputError(path, "dem_error.product", f"{product!r} is not known", hint)
    if product is None and (error.sigma_m is None) != (error.range_m is None):
        missing = "range_m" if error.range_m is None else "sigma_m"
        raise InputError(path, f"dem_error.{missing}", "is missing", "state sigma_m and range_m both, or a product")
    if settings.tide is not None:
        problem = tide_problem(settings.tide, tuple(source.vertical_datum for source in settings.elevation))
        if problem is not None:
            raise InputError(path, problem.field, problem.problem, problem.hint)


def _check_text_category(path: Path, settings: Settings) -> None:
    """Refuse examples that nothing learns from, and a guess with nothing to learn from."""
    asked = any(source.category_from is not None for source in settings.reports)
    given = settings.text_category
    if given.examples is not None and not asked:
        hint = 'write category_from = "description" in [[reports]], or leave the examples out'
        raise InputError(path, "text_category.examples", "no reports take their category from a text", hint)
    if asked and given.examples is None and not given.shipped_examples:
        hint = "name a file of texts and categories, or take the shipped ones"
        raise InputError(path, "text_category.examples", "is missing while shipped_examples is false", hint)


def _check_fetch(path: Path, settings: Settings) -> None:
    for name, value in dataclasses.asdict(settings.mirrors).items():
        if not value.startswith(("http://", "https://")):
            raise InputError(path, f"mirrors.{name}", f"{value!r} is not an address", "write http://… or https://…")
    for name, value in dataclasses.asdict(settings.fetch).items():
        if not 0 <= value < float("inf") or (value == 0 and name in ("attempts", "timeout_s", "query_km2")):
            raise InputError(path, f"fetch.{name}", f"{value} is not above 0", "see docs/city-toml.md")


def _check_files(path: Path, settings: Settings) -> None:
    city, area = settings.city, settings.area
    for kind in INPUTS:
        for index, source in enumerate(getattr(settings, kind)):
            if not source.path.exists():
                raise InputError(path, f"{kind}[{index}].path", f"no such file: {source.path}", "correct the path")
    looked_for = [(f"flood_labels[{i}].looked_for", s.looked_for) for i, s in enumerate(settings.flood_labels)]
    for key, file in (
        ("area.file", area.file),
        ("city.taxonomy", city.taxonomy),
        ("text_category.examples", settings.text_category.examples),
        *looked_for,
    ):
        if file is not None and not file.is_file():
            raise InputError(path, key, f"no such file: {file}", "correct the path")


def _check_bbox(path: Path, bbox: tuple[float, float, float, float]) -> None:
    west, south, east, north = bbox
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InputError(path, "area.bbox", f"{list(bbox)} is not [west, south, east, north] in degrees", "correct it")
