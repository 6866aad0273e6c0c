"""A file of points as its reader delivers it: nothing dropped, nothing repaired."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from pyproj import CRS

from spatial.sources.quarantine import BadRow

CRS84 = CRS.from_user_input("OGC:CRS84")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a setting says of a file; None: the file is looked at.

    `delimiter`, `encoding`: of delimited text. `layer`: of a GeoPackage or KML file; the sheet of a workbook.
    """

    delimiter: str | None = None
    encoding: str | None = None
    layer: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class RawTable:
    """A file as delivered.

    `frame`: attributes of the readable rows; its index is the 1-based row number. `points`: lon and lat of the file's
    geometry (objects, same index), None where the file has no geometry; `crs`: theirs. `bad`: the other rows.
    `notes`: what the reader found out by itself, with the evidence, a line each.
    """

    frame: pd.DataFrame
    points: pd.DataFrame | None
    crs: CRS | None
    bad: tuple[BadRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def rows_in(self) -> int:
        """Number of rows in the file."""
        return len(self.frame) + len(self.bad)
