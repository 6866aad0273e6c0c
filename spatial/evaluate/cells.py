"""The cells of an evaluation: their score, where the background comes from, and the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from spatial.contracts import HEXAGONS, LIGHTING_ZONES
from spatial.errors import InputError
from spatial.evaluate.model import HULL, SCORED, Question
from spatial.hexgrid.join import to_plane
from spatial.hexgrid.labels import surroundings
from spatial.sources.areas import read_area
from spatial.sources.truth import Truth
from spatial.store.geopackage import read_layer
from spatial.store.versions import Version

Array = NDArray[np.float64]

# Column of the cells, and whether more of it means more likely positive. A lighting score has other rivals.
_FLOOD_RIVALS: Mapping[str, int] = {"elevation_mean_m": -1, "hand_mean_m": -1, "reports_flood": 1}
_LIGHTING_RIVALS: Mapping[str, int] = {"reports_street_light": 1, "lamps_total": 1, "road_length_m": 1}
_LINES: Mapping[str, str] = {"streams": "stream_distance_m", "waterways": "waterway_distance_m"}
_ZONE_OVERLAP = 1e-6


def scores(version: Version, question: Question, cells: gpd.GeoDataFrame, crs: CRS) -> Array:
    """Return the score of each cell, more meaning more likely positive, NaN where unknown; (n,)."""
    if question.layer not in SCORED:
        raise InputError(version.layers, "--layer", f"'{question.layer}' has no scores", f"known: {', '.join(SCORED)}")
    if question.layer not in version.manifest["layers"]:
        raise InputError(version.layers, "--layer", f"the version has no {question.layer}", "run the city again")
    layer, _ = SCORED[question.layer]
    table = cells if layer is HEXAGONS else read_layer(version.layers, layer.name).to_crs(crs)
    numbers = [c.name for c in layer.columns if c.kind in ("number", "integer") and c.name in table]
    if question.column not in numbers:
        hint = f"number columns of {layer.name}: {', '.join(numbers)}"
        raise InputError(version.layers, "--score", f"'{question.column}' is not one of its number columns", hint)
    values = np.asarray(question.sign * table[question.column].to_numpy(float, na_value=np.nan))
    if layer is not HEXAGONS:
        return _of_zones(cells.geometry.to_numpy(), table.geometry.to_numpy(), values)
    if np.isnan(values).all():
        raise InputError(version.layers, "--score", f"'{question.column}' is null throughout", "name another column")
    return values


def _of_zones(cells: NDArray[Any], zones: NDArray[Any], values: Array) -> Array:
    """Return for each cell the largest value of the zones that it shares area with, 0 where there is none."""
    cell, zone = shapely.STRtree(zones).query(cells, predicate="intersects")
    shared = shapely.area(shapely.intersection(cells[cell], zones[zone])) > _ZONE_OVERLAP * shapely.area(cells[cell])
    score = np.zeros(len(cells))
    np.maximum.at(score, cell[shared], np.nan_to_num(values[zone[shared]]))
    return score


def polygon_of(
    question: Question, cells: gpd.GeoDataFrame, shapes: NDArray[Any], truth: Truth, crs: CRS
) -> tuple[Any, str]:
    """Return the polygon that the background comes from, in the plane, and how it is stated."""
    given = question.background
    if given != HULL and not given.startswith(f"{HULL}+"):
        return to_plane(shapely.segmentize(read_area(Path(given)), 1e-3), crs), Path(given).name
    km = _kilometres(given)
    polygon = surroundings(cells.geometry.to_numpy(), shapes, 1000.0 * km)
    if polygon.is_empty:
        raise InputError(question.truth, "geometry", "nothing of it lies in the city", _where(truth, cells))
    return polygon, f"{HULL}+{km:g} km"


def _where(truth: Truth, cells: gpd.GeoDataFrame) -> str:
    boxes = (truth.shapes.total_bounds, cells.to_crs("EPSG:4326").total_bounds)
    own, city = (" ".join(f"{v:.4f}" for v in box) for box in boxes)
    return f"it lies at {own}, the city at {city} (west south east north); check the file and its CRS"


def _kilometres(given: str) -> float:
    """Return the kilometres of `hull+km`, 1 of `hull` alone."""
    text = given.removeprefix(HULL).removeprefix("+") or "1"
    if not text.replace(".", "", 1).isdecimal():
        raise InputError(given, "--background", "is no number of kilometres", "write for example hull+1")
    return float(text)


def baselines(
    version: Version, question: Question, cells: gpd.GeoDataFrame, crs: CRS
) -> tuple[dict[str, Array], list[str]]:
    """Return the baselines of each cell, more meaning more likely positive, and the names of those without values."""
    lighting = question.layer == LIGHTING_ZONES.name or question.column.startswith("lighting")
    rivals, lines = (_LIGHTING_RIVALS, {}) if lighting else (_FLOOD_RIVALS, _LINES)
    found = {
        name: sign * cells[name].to_numpy(float, na_value=np.nan) for name, sign in rivals.items() if name in cells
    }
    for layer, name in lines.items():
        found[name] = _distance(version, layer, cells, crs)
    kept = {n: v for n, v in found.items() if np.isfinite(v).any() and n != question.column}
    return kept, sorted({*rivals, *lines.values()} - {*kept, question.column})


def _distance(version: Version, layer: str, cells: gpd.GeoDataFrame, crs: CRS) -> Array:
    """Return minus the distance, metres, from each cell's centre to the nearest line of a layer; NaN without lines."""
    known = version.manifest["layers"].get(layer)
    if not known or not known["rows"]:
        return np.full(len(cells), np.nan)
    lines = read_layer(version.layers, layer).to_crs(crs).geometry.to_numpy()
    centres = shapely.centroid(cells.geometry.to_numpy())
    near = shapely.STRtree(lines).query_nearest(centres, return_distance=True, all_matches=False)
    return np.asarray(-near[1])


def ranked(values: Any) -> Array:
    """Return values with -inf for what is unknown: what a map does not know it does not point at."""
    return np.nan_to_num(np.asarray(values, dtype=float), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
