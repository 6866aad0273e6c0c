"""Every picture that Hexakota draws, from tables and rasters. Drawn without a display and with fixed metadata."""

from spatial.charts.city import Points, elevation_map, points_map, time_chart, zone_map
from spatial.charts.coverage import Ramp, colour_of, legend_png, palette_png, ramp_of
from spatial.charts.curves import frequency_chart, interval_chart, line_chart
from spatial.charts.panels import Panel, cell_panels, raster_panels
from spatial.charts.skill import Curve, evaluation_map, reliability_chart, roc_chart
from spatial.charts.water import water_map

__all__ = [
    "Curve",
    "Panel",
    "Points",
    "Ramp",
    "cell_panels",
    "colour_of",
    "elevation_map",
    "evaluation_map",
    "frequency_chart",
    "interval_chart",
    "legend_png",
    "line_chart",
    "palette_png",
    "points_map",
    "ramp_of",
    "raster_panels",
    "reliability_chart",
    "roc_chart",
    "time_chart",
    "water_map",
    "zone_map",
]
