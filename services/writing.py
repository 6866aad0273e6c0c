"""Features as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import shapely

Feature = dict[str, Any]


def csv_of(features: Sequence[Feature], names: Sequence[str], geometry: bool, point: bool) -> str:
    """Return features as CSV with a header line.

    Parameters
    ----------
    names : the properties, in this order.
    geometry : whether to write it: of points as `x, y` before the properties, of others as `wkt` after them.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    before, after = (["x", "y"], []) if point else ([], ["wkt"])
    writer.writerow([*before, *names, *after] if geometry else names)
    for feature in features:
        row = [feature["properties"][name] for name in names]
        if geometry and point:
            row = [*feature["geometry"]["coordinates"][:2], *row]
        elif geometry:
            row.append(shapely.to_wkt(shapely.geometry.shape(feature["geometry"]), rounding_precision=-1))
        writer.writerow(row)
    return out.getvalue()
