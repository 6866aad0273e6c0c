"""Zipped Shapefile, with a text that says what the format cannot hold.

Limits of the format (ESRI Shapefile Technical Description, 1998; dBASE III): names of 10 characters, texts of 254
bytes, no times, no empty text beside null, 15 decimals, 2 GB a file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spatial.contracts import Column
from spatial.errors import QueryError
from spatial.store.exports.extract import GEOMETRY, Extract
from spatial.store.exports.tables import iso
from spatial.store.exports.vector import without_geometry, write_stream

_NAME, _TEXT, _NUMBER, _FILE = 10, 254, 24, 2**31 - 1
FIELDS = "FIELDS.txt"


@dataclass(slots=True)
class _Sizes:
    """What a pass over the data found of its texts: the longest, how many are too long, how many are empty."""

    width: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)
    shapes: int = 0


def field_names(names: Sequence[str]) -> dict[str, str]:
    """Return a name of at most 10 characters for each: its first ones, and a number where two differ in case only."""
    short: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        candidate, number = name[:_NAME], 1
        while candidate.lower() in taken:
            number += 1
            candidate = f"{name[: _NAME - len(str(number)) - 1]}_{number}"
        short[name] = candidate
        taken.add(candidate.lower())
    return short


def write_shp(extract: Extract, path: Path) -> None:
    """Write a zipped Shapefile with `FIELDS.txt`.

    Raises
    ------
    QueryError
        Geometry was left out, or the files would be longer than 2 GB.
    StoreError
        It cannot be written.
    """
    if extract.crs is None:
        raise without_geometry("shp")
    short, sizes = field_names([column.name for column in extract.columns]), _measured(extract)
    _check_size(extract, sizes)
    shapefile = path.with_name(f"{extract.layer.name}.shp")
    schema = _schema(extract, short, sizes)
    write_stream(
        _narrowed(extract, schema),
        schema,
        shapefile,
        driver="ESRI Shapefile",
        geometry_name=GEOMETRY,
        geometry_type=extract.layer.geometry,
        crs=extract.file_crs,
        layer_options={"ENCODING": "UTF-8"},
    )
    told = path.with_name(FIELDS)
    told.write_text(_told(extract, short, sizes), "utf-8")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for part in sorted(path.parent.glob(f"{extract.layer.name}.*")):
            if part != path:
                bundle.write(part, part.name)
        bundle.write(told, FIELDS)


def _measured(extract: Extract) -> _Sizes:
    sizes = _Sizes()
    texts = [column.name for column in extract.columns if column.kind in ("string", "json")]
    sizes.width = dict.fromkeys(texts, 1)
    for batch in extract.batches():
        sizes.shapes += batch.column(GEOMETRY).nbytes + 60 * len(batch)
        for name in texts:
            lengths = pc.binary_length(batch.column(name))
            sizes.width[name] = min(_TEXT, max(sizes.width[name], pc.max(lengths).as_py() or 0))
            _count(sizes.cut, name, pc.greater(lengths, _TEXT))
            _count(sizes.empty, name, pc.equal(lengths, 0))
    return sizes


def _count(counts: dict[str, int], name: str, which: Any) -> None:
    counts[name] = counts.get(name, 0) + (pc.sum(which).as_py() or 0)


def _check_size(extract: Extract, sizes: _Sizes) -> None:
    row = 1 + sum(sizes.width.get(column.name, _NUMBER) for column in extract.columns)
    if max(row * len(extract.rows), sizes.shapes) > _FILE:
        told = "expected a filter, bbox, limit or properties, or another format"
        raise QueryError(f"f=shp: longer than 2 GB, the most that a Shapefile holds: {told}")


def _schema(extract: Extract, short: dict[str, str], sizes: _Sizes) -> Any:
    fields = []
    for column in extract.columns:
        width = _NUMBER if column.kind == "datetime" else sizes.width.get(column.name)
        kind = pa.string() if width else extract.schema.field(column.name).type
        fields.append(pa.field(short[column.name], kind, metadata={"GDAL:OGR:width": str(width)} if width else None))
    return pa.schema([*fields, pa.field(GEOMETRY, pa.binary())])


def _narrowed(extract: Extract, schema: Any) -> Iterator[Any]:
    for batch in extract.batches():
        arrays = [_narrow(batch.column(column.name), column) for column in extract.columns]
        yield pa.record_batch([*arrays, batch.column(GEOMETRY)], schema=schema)


def _narrow(values: Any, column: Column) -> Any:
    if column.kind == "datetime":
        return iso(values)
    if column.kind not in ("string", "json") or not pc.any(pc.greater(pc.binary_length(values), _TEXT)).as_py():
        return values
    texts = [None if text is None else text.encode()[:_TEXT].decode("utf-8", "ignore") for text in values.to_pylist()]
    return pa.array(texts, pa.string())


def _told(extract: Extract, short: dict[str, str], sizes: _Sizes) -> str:
    """Return the text in the zip."""
    lines = [extract.about.title, *(f"{label}: {value}" for label, value in extract.about.facts), ""]
    lines += [
        "Shapefile: nama kolom paling panjang 10 huruf, teks 254 bita, waktu sebagai teks ISO 8601 (UTC), angka dengan "
        "15 desimal; spasi di ujung teks hilang; teks kosong dan nilai yang tidak diketahui tidak dapat dibedakan.",
        "Shapefile: names of columns have at most 10 characters, texts 254 bytes, times are ISO 8601 texts (UTC), "
        "numbers have 15 decimals; blanks at the ends of a text are lost; an empty text and an unknown value cannot be "
        "told apart.",
        "",
        "kolom di berkas / field | kolom / column | judul / title | satuan / unit | kosong karena / null because",
    ]
    for column in extract.columns:
        why = extract.about.null_because.get(column.name, "")
        title = f"{column.title_id} / {column.title_en}"
        lines.append(" | ".join((short[column.name], column.name, title, column.unit or "", why)))
    lines.append("")
    for told, counts in (
        ("teks dipotong pada 254 bita / texts cut at 254 bytes", sizes.cut),
        ("teks kosong, kini tidak diketahui / empty texts, now unknown", sizes.empty),
    ):
        lines += [f"{told}: {short[name]} ({name}): {count}" for name, count in counts.items() if count]
    return "\r\n".join(lines) + "\r\n"
