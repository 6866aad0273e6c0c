"""Workbooks (.xlsx) as tables of text.

GDAL's XLSX driver reads them, through pyogrio, which the project has already; openpyxl would be one more dependency.
All cells come as text, as they are stored (dates as "2023/03/15 12:00:00"), so that no column's type is guessed.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from spatial.errors import InputError
from spatial.sources.raw import RawTable, ReadOptions

_AS_TEXT = {"HEADERS": "FORCE", "FIELD_TYPES": "STRING"}


def read_xlsx(path: Path, options: ReadOptions) -> RawTable:
    """Read a sheet (`options.layer`, else the only one that has rows); its first row names the columns.

    Rows without any value are left out and not counted.

    Raises
    ------
    InputError
        Not a workbook, no such sheet, several sheets with rows and none named, a header that names a column twice.
    """
    try:
        sheets = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
        sheet, notes = _sheet(path, sheets, options.layer)
        info = pyogrio.read_info(path, layer=sheet, **_AS_TEXT)
        names = [str(name).strip() for name in info["fields"]]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(path, twice[0], "names two columns of the header", "name each column once")
        frame = pyogrio.read_dataframe(path, layer=sheet, read_geometry=False, use_arrow=False, **_AS_TEXT)
    except (DataSourceError, DataLayerError) as error:
        raise InputError(path, "file", "cannot be read as .xlsx", "save it again as .xlsx, or as CSV") from error
    frame = frame.set_axis(names, axis=1).astype(object)
    frame = frame.where(frame.notna(), None).dropna(how="all")
    return RawTable(frame.set_axis(pd.RangeIndex(1, len(frame) + 1)), None, None, (), notes)


def _sheet(path: Path, sheets: list[str], named: str | None) -> tuple[str, tuple[str, ...]]:
    if named is not None:
        if named not in sheets:
            raise InputError(path, "layer", f"has no sheet '{named}'", f"its sheets: {', '.join(sheets)}")
        return named, ()
    filled = [name for name in sheets if pyogrio.read_info(path, layer=name, force_feature_count=True)["features"] > 0]
    if len(filled) > 1:
        raise InputError(path, "layer", "has several sheets with rows", f"name one of {', '.join(filled)}")
    sheet = (filled or sheets)[0]
    return sheet, (f"{path.name}: sheet '{sheet}', {len(filled)} of {len(sheets)} has rows",)
