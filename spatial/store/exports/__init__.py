"""Files made of a published layer's features, in memory that does not grow with their number.

`WRITERS` names the formats: each writes an `Extract` to a path. `csv_parts` yields a CSV without a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from spatial.store.exports.extract import BATCH, CRS84, About, Extract
from spatial.store.exports.shapefile import write_shp
from spatial.store.exports.tables import csv_parts, write_csv, write_xlsx
from spatial.store.exports.vector import write_fgb, write_gpkg, write_parquet

WRITERS: Mapping[str, Callable[[Extract, Path], None]] = {
    "csv": write_csv,
    "xlsx": write_xlsx,
    "shp": write_shp,
    "gpkg": write_gpkg,
    "parquet": write_parquet,
    "fgb": write_fgb,
}

__all__ = ["BATCH", "CRS84", "WRITERS", "About", "Extract", "csv_parts"]
