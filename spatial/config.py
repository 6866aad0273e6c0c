"""`city.toml` as typed, frozen settings, composed of the parameter dataclasses that live beside their methods.

An unknown key, a wrong type or an impossible value is refused with the file, the key, and the nearest valid name.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spatial.errors import InputError
from spatial.flood.burn import BurnParameters
from spatial.flood.calibration import CalibrationParameters
from spatial.flood.coast import TideParameters, tide_problem
from spatial.flood.dem_error import PRODUCTS, DemErrorParameters
from spatial.flood.evidence import EvidenceParameters
from spatial.flood.gfi import GfiParameters
from spatial.flood.scenario import ScenarioParameters
from spatial.flood.susceptibility import SusceptibilityParameters
from spatial.flood.terrain import TerrainParameters
from spatial.flood.zones import FloodZoneParameters
from spatial.lighting.outages import OutageParameters
from spatial.sources.areas import AdminSource
from spatial.sources.cleaning import CleaningParameters
from spatial.sources.context import ContextSource
from spatial.sources.download import FetchParameters, Mirrors
from spatial.sources.elevation import ElevationSource
from spatial.sources.lamps import LampSource
from spatial.sources.reports import ReportSource
from spatial.sources.roads import RoadSource
from spatial.sources.truth import TruthSource

FILE_NAME = "city.toml"
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
)
_SHARES = (
    "runoff_share",
    "weight_evidence",
    "min_coverage",
    "min_score",
    "seed_susceptibility",
    "interval",
    "default_p",
)
_ANY_SIGN = ("sea_level_m", "twi_low", "twi_high", "offset_m", "level_m")
_NOT_ZERO = (
    "slope_floor_deg", "channel_reach_m", "depression_full_m", "half_life_days", "eps_m", "min_cluster", "eps_spacings",
    "min_lamps", "default_spacing_m", "full_lamps", "full_days", "weight_lamps", "weight_stream", "default_factor",
    "coefficient_m", "exponent", "least_height_m", "sea_height_m", "stream_threshold_km2",
    "realisations", "wet_depth_m", "min_depth_m", "trees", "tree_depth", "learning_rate", "min_cells_leaf",
    "n_resamples",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class City:
    """Table `[city]`: what the city is called and how it is cut into cells."""

    name: str
    resolution: int = 9
    time_zone: str = "UTC"
    language: Literal["id", "en"] = "id"
    synthetic: bool = False
    seed: int = 1
    as_of: datetime | None = None
    taxonomy: Path | None = None
    attribution: tuple[str, ...] = ()
    allow_fine_resolution: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """Table `[area]`: exactly one of a boundary file, a bounding box (west, south, east, north), or an input's hull."""

    file: Path | None = None
    bbox: tuple[float, float, float, float] | None = None
    hull_of: Literal["reports", "roads"] | None = None
    buffer_m: float = 0.0


@dataclass(frozen=True, slots=True)
class ElevationParameters:
    """Table `[terrain_window]`: how much elevation around the area is used, how much of the area must be covered."""

    margin_m: float = 5000.0
    min_coverage: float = 0.99


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `city.toml`; paths are absolute. `folder` is the city's folder."""

    folder: Path = field(metadata={"key": False})
    city: City
    area: Area
    reports: tuple[ReportSource, ...] = ()
    roads: tuple[RoadSource, ...] = ()
    elevation: tuple[ElevationSource, ...] = ()
    lamps: tuple[LampSource, ...] = ()
    admin_areas: tuple[AdminSource, ...] = ()
    waterways: tuple[ContextSource, ...] = ()
    buildings: tuple[ContextSource, ...] = ()
    facilities: tuple[ContextSource, ...] = ()
    flood_labels: tuple[TruthSource, ...] = ()
    mirrors: Mirrors = field(default_factory=Mirrors)
    fetch: FetchParameters = field(default_factory=FetchParameters)
    cleaning: CleaningParameters = field(default_factory=CleaningParameters)
    terrain_window: ElevationParameters = field(default_factory=ElevationParameters)
    burn: BurnParameters = field(default_factory=BurnParameters)
    dem_error: DemErrorParameters = field(default_factory=DemErrorParameters)
    terrain: TerrainParameters = field(default_factory=TerrainParameters)
    tide: TideParameters | None = None
    gfi: GfiParameters = field(default_factory=GfiParameters)
    susceptibility: SusceptibilityParameters = field(default_factory=SusceptibilityParameters)
    evidence: EvidenceParameters = field(default_factory=EvidenceParameters)
    calibration: CalibrationParameters = field(default_factory=CalibrationParameters)
    flood_zones: FloodZoneParameters = field(default_factory=FloodZoneParameters)
    scenario: ScenarioParameters = field(default_factory=ScenarioParameters)
    lighting: OutageParameters = field(default_factory=OutageParameters)

    @property
    def var(self) -> Path:
        """Folder of everything that Hexakota writes for this city."""
        return self.folder / "var"

    @property
    def file(self) -> Path:
        """The settings file itself."""
        return self.folder / FILE_NAME


def load_settings(city: Path) -> Settings:
    """Read a city's settings.

    Parameters
    ----------
    city : the city's folder, or its `city.toml`.

    Raises
    ------
    InputError
        The file is missing or not TOML, a key is unknown (the nearest valid one is named), a value has the wrong type
        or cannot be, or an input file is missing.
    """
    path = (city if city.suffix == ".toml" else city / FILE_NAME).absolute()
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(path, "file", "not found", "`hexakota init DIR` writes a commented one") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, "file", f"not valid TOML ({error})", "correct that line") from error
    settings = _Reader(path).build(Settings, raw, "", {"folder": path.parent})
    _check(path, settings)
    return typing.cast(Settings, settings)


def parameters(settings: Settings) -> dict[str, Any]:
    """Return the method parameters as plain JSON values, for the manifest and for the version's id."""
    names = (
        "cleaning", "terrain_window", "burn", "dem_error", "terrain", "gfi", "susceptibility", "evidence",
        "calibration", "flood_zones", "scenario", "lighting",
    )  # fmt: skip
    tide = {} if settings.tide is None else {"tide": dataclasses.asdict(settings.tide)}
    return {name: dataclasses.asdict(getattr(settings, name)) for name in names} | tide


def _check(path: Path, settings: Settings) -> None:
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
    _check_heights(path, settings)
    _check_fetch(path, settings)


def _check_parameters(path: Path, settings: Settings) -> None:
    """Refuse method parameters that cannot be: not finite, negative, or zero where something is divided by them."""
    for table, values in parameters(settings).items():
        for name, value in values.items():
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, str) or number is None or name in _ANY_SIGN:
                    continue
                if name in _SHARES and number > 1:
                    raise InputError(path, f"{table}.{name}", f"{number} is above 1", "see docs/city-toml.md")
                if not 0 <= number < float("inf") or (number == 0 and name in _NOT_ZERO):
                    least = "above 0" if name in _NOT_ZERO else "0 or more"
                    raise InputError(path, f"{table}.{name}", f"{number} is not {least}", "see docs/city-toml.md")


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
    if not 0 < settings.evidence.interval < 1:
        raise InputError(path, "evidence.interval", f"{settings.evidence.interval} is not between 0 and 1", "say 0.9")
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
    for key, file in (("area.file", area.file), ("city.taxonomy", city.taxonomy), *looked_for):
        if file is not None and not file.is_file():
            raise InputError(path, key, f"no such file: {file}", "correct the path")


def _check_bbox(path: Path, bbox: tuple[float, float, float, float]) -> None:
    west, south, east, north = bbox
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InputError(path, "area.bbox", f"{list(bbox)} is not [west, south, east, north] in degrees", "correct it")


class _Reader:
    """Builds dataclasses from TOML values, checking every key and type."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def build(self, kind: type[Any], raw: Any, key: str, given: Mapping[str, Any]) -> Any:
        if not isinstance(raw, dict):
            raise self._wrong(key, raw, "a table")
        fields = {f.name: f for f in dataclasses.fields(kind) if f.metadata.get("key", True)}
        for name in raw:
            if name not in fields:
                raise self._unknown(key, name, list(fields))
        hints = typing.get_type_hints(kind)
        values = {name: self.value(hints[name], raw[name], f"{key}.{name}".lstrip(".")) for name in raw}
        missing = [
            n
            for n, f in fields.items()
            if n not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        ]
        if missing:
            raise InputError(self.path, f"{key}.{missing[0]}".lstrip("."), "missing", "add it")
        return kind(**given, **values)

    def value(self, hint: Any, raw: Any, key: str) -> Any:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            return self._union([a for a in arguments if a is not type(None)], raw, key)
        if origin is Literal:
            if raw not in arguments:
                raise self._wrong(key, raw, "one of " + ", ".join(map(repr, arguments)))
            return raw
        if origin is tuple:
            return self._tuple(arguments, raw, key)
        if dataclasses.is_dataclass(hint):
            return self.build(typing.cast(type[Any], hint), raw, key, {})
        if origin is not None and issubclass(origin, Mapping):
            if not isinstance(raw, dict):
                raise self._wrong(key, raw, "a table")
            return {name: self.value(arguments[1], item, f"{key}.{name}") for name, item in raw.items()}
        return self._plain(hint, raw, key)

    def _union(self, choices: list[Any], raw: Any, key: str) -> Any:
        if isinstance(raw, list):
            choices = [c for c in choices if typing.get_origin(c) is tuple] or choices
        else:
            choices = [c for c in choices if typing.get_origin(c) is not tuple] or choices
        return self.value(choices[0], raw, key)

    def _tuple(self, arguments: tuple[Any, ...], raw: Any, key: str) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            raise self._wrong(key, raw, "a list")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(self.value(arguments[0], item, f"{key}[{i}]") for i, item in enumerate(raw))
        if len(raw) != len(arguments):
            raise self._wrong(key, raw, f"a list of {len(arguments)} values")
        return tuple(self.value(a, item, f"{key}[{i}]") for i, (a, item) in enumerate(zip(arguments, raw, strict=True)))

    def _plain(self, hint: Any, raw: Any, key: str) -> Any:
        if hint is Path and isinstance(raw, str):
            return (self.path.parent / raw).resolve()
        if hint is float and isinstance(raw, (int, float)) and not isinstance(raw, bool):
            return float(raw)
        if hint is datetime and isinstance(raw, datetime):
            if raw.tzinfo is None:
                raise self._wrong(key, raw, "a time with an offset, such as 2025-01-31T00:00:00Z")
            return raw.astimezone(UTC)
        if hint in (int, bool, str) and type(raw) is hint:
            return raw
        raise self._wrong(key, raw, getattr(hint, "__name__", str(hint)))

    def _wrong(self, key: str, raw: Any, expected: str) -> InputError:
        return InputError(self.path, key, f"{raw!r} is not {expected}", "correct the value")

    def _unknown(self, key: str, name: str, valid: list[str]) -> InputError:
        near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
        where = f"[{key}]" if key else "the file"
        hint = f"did you mean {near[0]!r}?" if near else f"valid names are {', '.join(valid)}"
        return InputError(self.path, f"{key}.{name}".lstrip("."), f"unknown key in {where}", hint)
