"""The settings of a city, frozen, composed of the parameter dataclasses that live beside their methods."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from spatial.flood.burn import BurnParameters
from spatial.flood.calibration import CalibrationParameters
from spatial.flood.coast import TideParameters
from spatial.flood.dem_error import DemErrorParameters
from spatial.flood.evidence import EvidenceParameters
from spatial.flood.gfi import GfiParameters
from spatial.flood.scenario import ScenarioParameters
from spatial.flood.susceptibility import SusceptibilityParameters
from spatial.flood.terrain import TerrainParameters
from spatial.flood.zones import FloodZoneParameters
from spatial.hexgrid.emerging import EmergingParameters
from spatial.hexgrid.hotspots import HotSpotParameters
from spatial.hexgrid.scan import ScanParameters
from spatial.hexgrid.silence import SilenceParameters
from spatial.lighting.circuit_model import CircuitParameters
from spatial.lighting.outages import OutageParameters
from spatial.lighting.rates import RateParameters
from spatial.lighting.significance import SignificanceParameters
from spatial.sources.areas import AdminSource
from spatial.sources.cleaning import CleaningParameters
from spatial.sources.context import ContextSource
from spatial.sources.download import FetchParameters, Mirrors
from spatial.sources.elevation import ElevationSource
from spatial.sources.lamps import LampSource
from spatial.sources.privacy import PrivacyParameters
from spatial.sources.reports import ReportSource
from spatial.sources.roads import RoadSource
from spatial.sources.text_category import TextCategoryParameters
from spatial.sources.tides import TideSource
from spatial.sources.truth import TruthSource
from spatial.store.place import Place, StoreParameters, place_of

FILE_NAME = "city.toml"


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
    tide_series: tuple[TideSource, ...] = ()
    mirrors: Mirrors = field(default_factory=Mirrors)
    fetch: FetchParameters = field(default_factory=FetchParameters)
    cleaning: CleaningParameters = field(default_factory=CleaningParameters)
    text_category: TextCategoryParameters = field(default_factory=TextCategoryParameters)
    privacy: PrivacyParameters = field(default_factory=PrivacyParameters)
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
    hot_spots: HotSpotParameters = field(default_factory=HotSpotParameters)
    emerging: EmergingParameters = field(default_factory=EmergingParameters)
    silence: SilenceParameters = field(default_factory=SilenceParameters)
    scan: ScanParameters = field(default_factory=ScanParameters)
    lighting: OutageParameters = field(default_factory=OutageParameters)
    circuits: CircuitParameters = field(default_factory=CircuitParameters)
    lamp_rates: RateParameters = field(default_factory=RateParameters)
    lighting_significance: SignificanceParameters = field(default_factory=SignificanceParameters)
    store: StoreParameters = field(default_factory=StoreParameters)

    @property
    def var(self) -> Path:
        """Folder of everything that Hexakota writes for this city."""
        return self.folder / "var"

    @property
    def place(self) -> Place:
        """Where the city's tables are: under `var`, and in a database where `[store]` names one."""
        return place_of(self.var, self.city.name, self.store)

    @property
    def file(self) -> Path:
        """The settings file itself."""
        return self.folder / FILE_NAME


def parameters(settings: Settings) -> dict[str, Any]:
    """Return the method parameters as plain JSON values, for the manifest and for the version's id."""
    names = (
        "cleaning", "privacy", "terrain_window", "burn", "dem_error", "terrain", "gfi", "susceptibility", "evidence",
        "calibration", "flood_zones", "hot_spots", "emerging", "silence", "scan", "scenario", "lighting", "circuits",
        "lamp_rates", "lighting_significance",
    )  # fmt: skip
    tide = {} if settings.tide is None else {"tide": dataclasses.asdict(settings.tide)}
    words = {name: getattr(settings.text_category, name) for name in ("min_confidence", "shipped_examples")}
    return {name: dataclasses.asdict(getattr(settings, name)) for name in names} | tide | {"text_category": words}
