"""What Hexakota knows of: the layers it publishes. A new one is one line here and one stanza in pygeoapi-config.yml."""

from __future__ import annotations

from spatial.contracts import FLOOD_ZONES, HEXAGONS, LIGHTING_ZONES, REPORTS, ROADS, Layer

LAYERS: tuple[Layer, ...] = (REPORTS, HEXAGONS, ROADS, FLOOD_ZONES, LIGHTING_ZONES)
LAYER_BY_NAME = {layer.name: layer for layer in LAYERS}
