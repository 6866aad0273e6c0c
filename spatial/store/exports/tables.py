"""CSV and Excel."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import shapely
import xlsxwriter  # type: ignore[import-untyped]

from spatial.contracts import Column
from spatial.errors import QueryError
from spatial.store.exports.extract import GEOMETRY, Extract, shapes_of

_TIME = "%Y-%m-%dT%H:%M:%SZ"  # of a timestamp in ms: 2025-01-31T08:00:00.000Z
_CSV = pcsv.WriteOptions(include_header=False, eol="\r\n")
MAX_ROWS = 1_048_575  # of an Excel sheet, below the header
MAX_CELLS = 20_000_000
_MAX_TEXT = 32_767  # UTF-16 units in a cell of Excel
_TITLES = ("kolom / column", "judul", "title", "satuan / unit", "kosong karena / null because", "dipotong / cut")
_EPOCH, _DAY = 25_569, 86_400_000  # Excel's number of 1970-01-01; ms
_FIRST = int(datetime(1900, 3, 1, tzinfo=UTC).timestamp() * 1000)  # Excel counts a 29 February 1900


def iso(times: Any) -> Any:
    """Return timestamps as ISO 8601 texts."""
    return pc.strftime(times, format=_TIME)


def _header(extract: Extract) -> list[str]:
    names = [column.name for column in extract.columns]
    if extract.crs is None:
        return names
    return ["x", "y", *names] if extract.layer.geometry == "Point" else [*names, "wkt"]


def _columns(extract: Extract, batch: Any) -> list[Any]:
    """Return a batch's arrays under `_header`: points as x and y, other shapes as WKT; times as they are."""
    arrays = [batch.column(column.name) for column in extract.columns]
    if extract.crs is None:
        return arrays
    shapes = shapes_of(batch.column(GEOMETRY))
    if extract.layer.geometry == "Point":
        return [pa.array(shapely.get_x(shapes)), pa.array(shapely.get_y(shapes)), *arrays]
    return [*arrays, pa.array(shapely.to_wkt(shapes, rounding_precision=-1), pa.string())]


def csv_parts(extract: Extract) -> Iterator[bytes]:
    """Yield a CSV (RFC 4180, UTF-8) with a header line, in parts.

    Texts stand in quotation marks and null is nothing at all, so that null and the empty text differ; numbers have all
    their digits; times are ISO 8601. Texts are written as they are, also those that a spreadsheet takes for a formula.
    """
    yield (",".join(_header(extract)) + "\r\n").encode()
    for batch in extract.batches():
        arrays = [iso(a) if pa.types.is_timestamp(a.type) else a for a in _columns(extract, batch)]
        out = io.BytesIO()
        pcsv.write_csv(pa.record_batch(arrays, names=_header(extract)), out, _CSV)
        yield out.getvalue()


def write_csv(extract: Extract, path: Path) -> None:
    """Write a CSV file. Raises QueryError as the batches do."""
    with path.open("wb") as file:
        file.writelines(csv_parts(extract))


def write_xlsx(extract: Extract, path: Path) -> None:
    """Write an Excel workbook: the data, and a sheet that says what each column is.

    Texts are cells of text, never formulas or links. Times are Excel's, UTC; those before March 1900, which Excel has
    not, are ISO 8601 texts. Numbers keep 16 digits. A text longer than a cell holds is cut, a shape that is longer left
    out; the second sheet counts them. Null and the empty text are both an empty cell.

    Raises
    ------
    QueryError
        There are more rows than a sheet has, or more cells than are written in bearable time.
    """
    _check_size(extract)
    options = {"constant_memory": True, "tmpdir": str(path.parent), "use_zip64": True}
    book = xlsxwriter.Workbook(str(path), options)
    try:
        sheet = book.add_worksheet(extract.layer.name[:31])
        sheet.freeze_panes(1, 0)
        bold = book.add_format({"bold": True})
        time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for place, name in enumerate(_header(extract)):
            sheet.write_string(0, place, name, bold)
        cut = _write_rows(extract, sheet, time)
        _write_columns(extract, book.add_worksheet("Kolom - columns"), bold, cut)
    finally:
        book.close()


def _check_size(extract: Extract) -> None:
    rows, cells = len(extract.rows), len(extract.rows) * len(_header(extract))
    if rows > MAX_ROWS:
        raise QueryError(f"f=xlsx: {rows} rows, and an Excel sheet has {MAX_ROWS}: expected a filter, bbox or limit")
    if cells > MAX_CELLS:
        told = "expected a filter, bbox, limit or properties, or another format"
        raise QueryError(f"f=xlsx: {cells} cells, more than {MAX_CELLS}: {told}")


def _write_rows(extract: Extract, sheet: Any, time: Any) -> Counter[str]:
    """Write the rows, and return how many texts of each column were cut."""
    cut: Counter[str] = Counter()
    header, row = _header(extract), 0
    for batch in extract.batches():
        arrays = _columns(extract, batch)
        writers = [_writer(sheet, array.type, name, cut, time) for array, name in zip(arrays, header, strict=True)]
        for values in zip(*(_plain(array) for array in arrays), strict=True):
            row += 1
            for place, value in enumerate(values):
                if value is not None:
                    writers[place](row, place, value)
    return cut


def _plain(array: Any) -> list[Any]:
    whole: list[Any] = (array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array).to_pylist()
    return whole


def _writer(sheet: Any, kind: Any, name: str, cut: Counter[str], time: Any) -> Callable[[int, int, Any], Any]:
    def text(row: int, place: int, value: str) -> None:
        if len(value) > _MAX_TEXT // 2 and len(value.encode("utf-16-le")) > 2 * _MAX_TEXT:
            cut[name] += 1
            value = "" if name == "wkt" else value.encode("utf-16-le")[: 2 * _MAX_TEXT].decode("utf-16-le", "ignore")
        if value:
            sheet.write_string(row, place, value)

    def instant(row: int, place: int, value: int) -> None:
        if value < _FIRST:
            (told,) = iso(pa.array([value], pa.timestamp("ms", tz="UTC"))).to_pylist()
            sheet.write_string(row, place, told)
        else:
            sheet.write_number(row, place, _EPOCH + value / _DAY, time)

    if pa.types.is_timestamp(kind):
        return instant
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return sheet.write_number if numeric else text


def _write_columns(extract: Extract, sheet: Any, bold: Any, cut: Counter[str]) -> None:
    lines: list[tuple[str, ...]] = [_TITLES]
    lines += [_told(extract, column, cut[column.name]) for column in extract.columns]
    if cut["wkt"]:
        lines.append(("wkt", "bentuk", "shape", "", "terlalu panjang / too long", str(cut["wkt"])))
    lines += [("", "", "", "", "", ""), (extract.about.title, "", "", "", "", "")]
    lines += [(label, value, "", "", "", "") for label, value in extract.about.facts]
    for row, line in enumerate(lines):
        for place, text in enumerate(line):
            sheet.write_string(row, place, text[:_MAX_TEXT], bold if row == 0 else None)


def _told(extract: Extract, column: Column, cut: int) -> tuple[str, ...]:
    unit = "UTC" if column.kind == "datetime" else column.unit or ""
    why = extract.about.null_because.get(column.name, "")
    return column.name, column.title_id, column.title_en, unit, why, str(cut) if cut else ""
