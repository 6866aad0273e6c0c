"""What crosses module borders: the columns of every published layer, the raster, the enumerations, progress.

All geometry of a layer is CRS84 (longitude, latitude, degrees); every time is UTC; metres are in the city's UTM zone.
Property order is the order of `Layer.columns`. What is not known is null, and the version's manifest says why.
"""

from spatial.contracts.coverages import COVERAGE_BY_NAME, COVERAGES
from spatial.contracts.enumerations import (
    CATEGORIES,
    CATEGORY_BASES,
    CATEGORY_LABELS,
    CAUSES,
    CHANGES,
    CLASSES,
    DISTANCE_BASES,
    EXPOSURE_BASES,
    LAMP_BASES,
    QUALITY_FLAGS,
    SEVERITIES,
    STATUSES,
    TRENDS,
    ZONE_TYPES,
)
from spatial.contracts.layers import FLOOD_ZONES, HEXAGONS, LIGHTING_FAULTS, LIGHTING_ZONES, REPORTS, ROADS
from spatial.contracts.model import Column, Coverage, GeometryType, Kind, Layer, Progress, Raster, Silent, checked
from spatial.contracts.surroundings import (
    ADMIN_AREAS,
    BUILDINGS,
    CATCHMENTS,
    DEPRESSIONS,
    FACILITIES,
    SCENARIO_CELLS,
    SCENARIO_DEPRESSIONS,
    SCENARIO_ROADS,
    STREAMS,
    STREET_LAMPS,
    WATERWAYS,
)

__all__ = [
    "ADMIN_AREAS",
    "BUILDINGS",
    "CATCHMENTS",
    "CATEGORIES",
    "CATEGORY_BASES",
    "CATEGORY_LABELS",
    "CAUSES",
    "CHANGES",
    "CLASSES",
    "COVERAGES",
    "COVERAGE_BY_NAME",
    "DEPRESSIONS",
    "DISTANCE_BASES",
    "EXPOSURE_BASES",
    "FACILITIES",
    "FLOOD_ZONES",
    "HEXAGONS",
    "LAMP_BASES",
    "LIGHTING_FAULTS",
    "LIGHTING_ZONES",
    "QUALITY_FLAGS",
    "REPORTS",
    "ROADS",
    "SCENARIO_CELLS",
    "SCENARIO_DEPRESSIONS",
    "SCENARIO_ROADS",
    "SEVERITIES",
    "STATUSES",
    "STREAMS",
    "STREET_LAMPS",
    "TRENDS",
    "WATERWAYS",
    "ZONE_TYPES",
    "Column",
    "Coverage",
    "GeometryType",
    "Kind",
    "Layer",
    "Progress",
    "Raster",
    "Silent",
    "checked",
]
