"""Where tests find real data, and small writers of input files."""

from __future__ import annotations

import csv
import json
import zipfile
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


class Date(float):
    """A cell's time, in days since 1899-12-30."""


_SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def write_xlsx(path: Path, rows: list[list[Any]], sheets: list[str] | None = None) -> Path:
    """Write a workbook by hand: the same rows of text, numbers, `Date` and None on every sheet."""
    names = sheets or ["Laporan"]
    body = "".join(f"<row r='{r}'>{_cells(r, row)}</row>" for r, row in enumerate(rows, 1) if row)
    links = "".join(
        f"<Relationship Id='rId{i}' Type='{_OFFICE}/worksheet' Target='worksheets/sheet{i}.xml'/>"
        for i in range(1, len(names) + 1)
    )
    tabs = "".join(f"<sheet name='{name}' sheetId='{i}' r:id='rId{i}'/>" for i, name in enumerate(names, 1))
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f"<Relationships xmlns='{_PACKAGE}/relationships'><Relationship Id='rId1' "
        f"Type='{_OFFICE}/officeDocument' Target='xl/workbook.xml'/></Relationships>",
        "xl/workbook.xml": f"<workbook xmlns='{_SHEETS}' xmlns:r='{_OFFICE}'><sheets>{tabs}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships xmlns='{_PACKAGE}/relationships'>{links}"
        f"<Relationship Id='rId0' Type='{_OFFICE}/styles' Target='styles.xml'/></Relationships>",
        "xl/styles.xml": f"<styleSheet xmlns='{_SHEETS}'><cellXfs><xf numFmtId='0'/><xf numFmtId='22'/></cellXfs>"
        "</styleSheet>",
    }
    for i in range(1, len(names) + 1):
        parts[f"xl/worksheets/sheet{i}.xml"] = f"<worksheet xmlns='{_SHEETS}'><sheetData>{body}</sheetData></worksheet>"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return path


def _cells(row: int, values: list[Any]) -> str:
    cells = []
    for column, value in zip("ABCDEFGHIJKLMNOP", values, strict=False):
        place = f"r='{column}{row}'"
        if isinstance(value, str):
            cells.append(f"<c {place} t='inlineStr'><is><t>{value}</t></is></c>")
        elif value is not None:
            cells.append(f"<c {place} s='{int(isinstance(value, Date))}'><v>{float(value):.15g}</v></c>")
    return "".join(cells)
