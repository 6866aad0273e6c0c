"""Tables into and out of PostgreSQL by COPY: Arrow writes and reads the CSV, so no row passes through Python."""

from __future__ import annotations

import io
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from psycopg import Connection, Copy
from psycopg.sql import SQL, Composable, Identifier
from pyarrow import csv

from spatial.contracts import Layer, checked
from spatial.store.geopackage import ARROW

GEOMETRY, SRID = "geom", 4326
_BATCH = 20_000  # rows that are CSV at once


def layer_table(layer: Layer, table: gpd.GeoDataFrame) -> pa.Table:
    """Return a layer's columns and `geom` (EWKB in hexadecimal), in the order of ids. Raises ContractError."""
    table = checked(layer, table).sort_values(layer.id_column)
    columns = {c.name: pa.Array.from_pandas(table[c.name], type=ARROW[c.kind]) for c in layer.columns}
    return pa.table(columns | {GEOMETRY: geometry_array(table.geometry)})


def geometry_array(points: gpd.GeoSeries) -> pa.Array:
    """Return geometries in CRS84 as EWKB in hexadecimal, as COPY reads them."""
    marked = shapely.set_srid(points.to_numpy(), SRID)
    return pa.array(shapely.to_wkb(marked, hex=True, include_srid=True), type=pa.string())


def copy_in(connection: Connection[Any], table: Composable, rows: pa.Table) -> None:
    """Append rows to a table with columns of the same names. Texts lose U+0000, which PostgreSQL cannot hold."""
    columns = SQL(", ").join(map(Identifier, rows.column_names))
    into = SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(table, columns)
    with (
        connection.cursor() as cursor,
        cursor.copy(into) as copy,
        csv.CSVWriter(
            pa.PythonFile(_Sink(copy), mode="w"), rows.schema, write_options=csv.WriteOptions(include_header=False)
        ) as writer,
    ):
        for batch in rows.to_batches(_BATCH):
            writer.write(_without_nul(batch))


class _Sink(io.RawIOBase):
    """What Arrow writes to, handed to a COPY."""

    def __init__(self, copy: Copy) -> None:
        super().__init__()
        self._copy = copy

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._copy.write(bytes(data))
        return len(data)


def _without_nul(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [pc.replace_substring(c, "\0", "\ufffd") if pa.types.is_string(c.type) else c for c in batch.columns]
    return pa.record_batch(columns, schema=batch.schema)


def copy_out(connection: Connection[Any], table: Composable, layer: Layer) -> gpd.GeoDataFrame:
    """Return a layer's table in the order of ids, with the dtypes that its GeoPackage is read with."""
    columns = [_exact(column.name, column.kind == "datetime") for column in layer.columns]
    columns.append(SQL("encode(ST_AsBinary({}, 'NDR'), 'hex')").format(Identifier(GEOMETRY)))
    query = SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT (FORMAT csv)").format(
        SQL(", ").join(columns), table, Identifier(layer.id_column)
    )
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        content = b"".join(bytes(part) for part in copy)
    types = {c.name: pa.int64() if c.kind == "datetime" else ARROW[c.kind] for c in layer.columns}
    rows = _parsed(content, types | {GEOMETRY: pa.string()})
    for position, column in enumerate(layer.columns):
        if column.kind == "datetime":
            rows = rows.set_column(position, column.name, rows[column.name].cast(ARROW["datetime"]))
    frame = rows.drop_columns([GEOMETRY]).to_pandas()
    return gpd.GeoDataFrame(frame, geometry=shapely.from_wkb(rows[GEOMETRY].to_pylist()), crs="EPSG:4326")


def _exact(name: str, is_time: bool) -> Composable:
    """Return how a column is selected: times as milliseconds since 1970, exact before it too."""
    column = Identifier(name)
    return SQL("(extract(epoch FROM {}) * 1000)::bigint").format(column) if is_time else column


def _parsed(content: bytes, types: dict[str, pa.DataType]) -> pa.Table:
    if not content:
        return pa.schema(list(types.items())).empty_table()
    return csv.read_csv(
        pa.BufferReader(content),
        read_options=csv.ReadOptions(column_names=list(types)),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )
