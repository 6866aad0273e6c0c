"""What Hexakota knows of: the layers it publishes. A new one is one line here and one stanza in pygeoapi-config.yml."""

from __future__ import annotations

from spatial.contracts import (
    ADMIN_AREAS,
    BUILDINGS,
    CATCHMENTS,
    DEPRESSIONS,
    FACILITIES,
    FLOOD_ZONES,
    HEXAGONS,
    LIGHTING_FAULTS,
    LIGHTING_ZONES,
    REPORTS,
    ROADS,
    SCENARIO_CELLS,
    SCENARIO_DEPRESSIONS,
    SCENARIO_ROADS,
    STREAMS,
    STREET_LAMPS,
    WATERWAYS,
    Layer,
)

SCENARIO_LAYERS: tuple[Layer, ...] = (SCENARIO_CELLS, SCENARIO_ROADS, SCENARIO_DEPRESSIONS)  # empty but in scenarios
LAYERS: tuple[Layer, ...] = (
    REPORTS,
    HEXAGONS,
    ROADS,
    FLOOD_ZONES,
    LIGHTING_ZONES,
    LIGHTING_FAULTS,
    ADMIN_AREAS,
    STREAMS,
    CATCHMENTS,
    WATERWAYS,
    BUILDINGS,
    FACILITIES,
    STREET_LAMPS,
    DEPRESSIONS,
    *SCENARIO_LAYERS,
)
LAYER_BY_NAME = {layer.name: layer for layer in LAYERS}
