"""Where tests find real data, and small writers of input files."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"


def real(name: str) -> Path:
    """Return the path of a file of real data; skips the test, naming the file, where it is missing."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no real data: {path}")
    return path


def write_csv(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    """Write rows as CSV with the keys of the first as header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_geojson(path: Path, features: list[Any], **members: Any) -> Path:
    """Write features as a FeatureCollection."""
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}), encoding="utf-8")
    return path


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    """Return a GeoJSON feature; `geometry` is a GeoJSON geometry, or coordinates of a point."""
    if isinstance(geometry, list):
        geometry = {"type": "Point", "coordinates": geometry}
    return {"type": "Feature", "properties": properties, "geometry": geometry}
