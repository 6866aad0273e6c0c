"""A page of features as JSON-FG (OGC 21-045r1, core, and feature types and schemas).

A geometry in CRS84 stands in `geometry`, one in another system in `place`, in that system's axis order.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from services.crs import CRS84
from services.question import Question, Rows, features_of
from services.view import Link, View
from spatial.store.index import LayerIndex

_CLASSES = "http://www.opengis.net/spec/json-fg-1/1.0/conf/"
_DIMENSION = {"Point": 0, "LineString": 1, "MultiLineString": 1, "Polygon": 2, "MultiPolygon": 2}


def jsonfg_of(
    view: View, question: Question, index: LayerIndex, matched: int, rows: Rows, links: list[Link]
) -> dict[str, Any]:
    """Return the document. Raises BadRequestError where a geometry has no coordinates in the system."""
    features = features_of(index, rows, question)
    for feature, time in zip(features, _times(index, rows), strict=True):
        feature["time"] = None if time is None else {"timestamp": time}
        feature["place"] = None
        if question.crs != CRS84:
            feature["place"], feature["geometry"] = feature["geometry"], None
    head: dict[str, Any] = {
        "type": "FeatureCollection",
        "conformsTo": [_CLASSES + name for name in ("core", "types-schemas")],
        "featureType": view.layer.name,
        "featureSchema": f"{view.collection}/schema",
        "geometryDimension": _DIMENSION[view.layer.geometry],
    }
    if question.crs != CRS84:
        head["coordRefSys"] = question.crs
    return head | {"numberMatched": matched, "numberReturned": len(rows), "features": features, "links": links}


def _times(index: LayerIndex, rows: Rows) -> list[str | None]:
    """Return the instant of each feature as RFC 3339."""
    if index.layer.temporal is None:
        return [None] * len(rows)
    (times,) = index.arrays(rows, [index.layer.temporal])
    told: list[str | None] = pc.strftime(times.cast(pa.timestamp("ms", "UTC")), format="%Y-%m-%dT%H:%M:%SZ").to_pylist()
    return told
