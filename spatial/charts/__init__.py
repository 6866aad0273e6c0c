"""Every picture that Hexakota draws, from tables and rasters. Drawn without a display and with fixed metadata."""

from spatial.charts.city import Points, cell_map, elevation_map, points_map, raster_map, time_chart, zone_map
from spatial.charts.skill import Curve, evaluation_map, reliability_chart, roc_chart
from spatial.charts.water import water_map

__all__ = [
    "Curve",
    "Points",
    "cell_map",
    "elevation_map",
    "evaluation_map",
    "points_map",
    "raster_map",
    "reliability_chart",
    "roc_chart",
    "time_chart",
    "water_map",
    "zone_map",
]
