"""What the inputs of a process must be beyond their schemas: refused before anything is queued."""

from __future__ import annotations

import json
from pathlib import Path

import shapely

from services.processes.errors import invalid
from services.processes.model import Values
from spatial.errors import InputError, NotFoundError
from spatial.registry import LAYER_BY_NAME
from spatial.store.versions import Versions
from spatial.summarise import checked_polygon


def version_is_there(city: Path, inputs: Values) -> None:
    """Refuse a version that is not there."""
    version = inputs.get("version")
    if version is None:
        return
    try:
        Versions(city / "var").get(version)
    except NotFoundError as error:
        raise invalid(f"inputs.version={version}: there is no such version") from error


def one_tide(city: Path, inputs: Values) -> None:
    """Refuse two tides at once."""
    version_is_there(city, inputs)
    if inputs["tide_series"] and "tide_m" in inputs:
        raise invalid("inputs.tide_m: not together with inputs.tide_series=true; expected one of them")


def column_can_be_scored(city: Path, inputs: Values) -> None:
    """Refuse a score that is no number column of the layer, and a background that is no polygon."""
    version_is_there(city, inputs)
    columns = [c.name for c in LAYER_BY_NAME[inputs["layer"]].columns if c.kind in ("number", "integer")]
    if "score" in inputs and inputs["score"] not in columns:
        raise invalid(f"inputs.score={inputs['score']}: expected a number column of {inputs['layer']}")
    if not isinstance(inputs["background"], str):
        _shape(inputs["background"], "background")


def polygon_is_one(city: Path, inputs: Values) -> None:
    """Refuse what is no valid polygon, or has too many vertices."""
    version_is_there(city, inputs)
    _shape(inputs["polygon"], "polygon")


def _shape(geometry: Values, name: str) -> None:
    """Refuse a geometry that is none, or that `summarise` would refuse."""
    try:
        checked_polygon(shapely.force_2d(shapely.from_geojson(json.dumps(geometry))), f"inputs.{name}")
    except InputError as error:
        raise invalid(f"{error.path}: {error.problem}; {error.hint}") from error
    except shapely.errors.ShapelyError as error:
        raise invalid(f"inputs.{name}: is not a GeoJSON geometry; expected rings of [longitude, latitude]") from error
