"""Layers in one GeoPackage 1.3 file: written whole, with ids indexed, bounding boxes in an R-tree, and QGIS styles.

The same tables give the same bytes: rows are sorted by id and GDAL's timestamps are fixed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyogrio
import shapely
from pyogrio.errors import DataLayerError

from spatial.contracts import Kind, Layer, checked
from spatial.errors import NotFoundError
from spatial.store.styles import qml

FIXED_TIME = "2000-01-01T00:00:00.000Z"
NOT_HASHED = ("version", "change", "members_gained", "members_lost")
ARROW: Mapping[Kind, pa.DataType] = {
    "string": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "datetime": pa.timestamp("ms", tz="UTC"),
}


def write_layers(path: Path, tables: Mapping[Layer, gpd.GeoDataFrame], members: pd.DataFrame) -> None:
    """Write every table to a new GeoPackage.

    Parameters
    ----------
    path : file to create; must not exist.
    tables : a table per layer; checked against the layer's contract and written in the order of ids.
    members : columns `zone_id, member`: which cells, lamps or incidents a zone was made of, for its identity later.

    Raises
    ------
    ContractError
        If a table breaks its layer's contract.
    """
    fill_layers(path, tables)
    with closing(sqlite3.connect(path)) as connection, connection:
        for layer in tables:
            connection.execute(f'CREATE UNIQUE INDEX "{layer.name}_id" ON "{layer.name}" ("{layer.id_column}")')
        _write_members(connection, members)
        write_styles(connection, tables)


def fill_layers(path: Path, tables: Mapping[Layer, gpd.GeoDataFrame]) -> None:
    """Write tables into a GeoPackage, into its layers of their names where it has them. Raises as `write_layers`."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": FIXED_TIME})
    try:
        for layer, table in tables.items():
            _write_layer(path, layer, checked(layer, table).sort_values(layer.id_column))
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _write_layer(path: Path, layer: Layer, table: gpd.GeoDataFrame) -> None:
    arrays = [pa.Array.from_pandas(table[c.name], type=ARROW[c.kind]) for c in layer.columns]
    geometry = pa.array(shapely.to_wkb(table.geometry.to_numpy()), type=pa.binary())
    fields = [pa.field(c.name, ARROW[c.kind], c.nullable) for c in layer.columns]
    schema = pa.schema([*fields, pa.field("geometry", pa.binary())])
    pyogrio.write_arrow(
        pa.Table.from_arrays([*arrays, geometry], schema=schema),
        path,
        layer=layer.name,
        driver="GPKG",
        geometry_name="geometry",
        geometry_type=layer.geometry,
        crs="EPSG:4326",
        append=path.exists(),
        dataset_options={} if path.exists() else {"VERSION": "1.3"},
        layer_options={
            "GEOMETRY_NAME": "geom",
            "SPATIAL_INDEX": "YES",
            "DESCRIPTION": layer.title_id,
            "IDENTIFIER": layer.name,
        },
    )


def _write_members(connection: sqlite3.Connection, members: pd.DataFrame) -> None:
    connection.execute(
        "CREATE TABLE zone_members (fid INTEGER PRIMARY KEY, zone_id TEXT NOT NULL, member TEXT NOT NULL)"
    )
    rows = members.sort_values(["zone_id", "member"])[["zone_id", "member"]].itertuples(index=False, name=None)
    connection.executemany("INSERT INTO zone_members (zone_id, member) VALUES (?, ?)", rows)
    _register(connection, "zone_members", "members of each zone")


def write_styles(connection: sqlite3.Connection, layers: Iterable[Layer]) -> None:
    """Write the QGIS styles of layers into their GeoPackage, which has none yet."""
    connection.execute(
        "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), "
        "f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), "
        "styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), "
        "update_time DATETIME)"
    )
    connection.executemany(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
        "styleQML, styleSLD, useAsDefault, description, owner, ui, update_time) "
        "VALUES ('', '', ?, 'geom', 'hexakota', ?, '', 1, ?, '', '', ?)",
        [(layer.name, qml(layer), layer.title_id, FIXED_TIME) for layer in layers],
    )
    _register(connection, "layer_styles", "QGIS styles")


def _register(connection: sqlite3.Connection, table: str, description: str) -> None:
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
        "VALUES (?, 'attributes', ?, ?, ?)",
        (table, table, description, FIXED_TIME),
    )


def read_layer(path: Path, name: str, bbox: tuple[float, float, float, float] | None = None) -> gpd.GeoDataFrame:
    """Read one layer of a GeoPackage as a GeoDataFrame in CRS84 (longitude, latitude). Raises NotFoundError.

    `bbox`: west, south, east, north, degrees; only features whose box meets it.
    """
    if not path.exists():
        raise NotFoundError(f"{path}: no such GeoPackage")
    try:
        return gpd.read_file(path, layer=name, bbox=bbox, engine="pyogrio", use_arrow=True)
    except DataLayerError as error:
        raise NotFoundError(f"{path}: no layer {name}; it is of an earlier release: run the city again") from error


def read_members(path: Path) -> pd.DataFrame:
    """Read the `zone_id, member` table of a version's GeoPackage."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return pd.read_sql_query("SELECT zone_id, member FROM zone_members", connection)


def content_hash(layer: Layer, table: gpd.GeoDataFrame) -> str:
    """Return the SHA-256 of a layer's content in id order; `version` and `change` are left out. 64 hex digits."""
    table = checked(layer, table).sort_values(layer.id_column)
    digest = hashlib.sha256()
    for column in layer.columns:
        if column.name not in NOT_HASHED:
            digest.update(column.name.encode())
            digest.update(_column_bytes(table[column.name], column.kind))
    for wkb in shapely.to_wkb(table.geometry.to_numpy()):
        digest.update(wkb)
    return digest.hexdigest()


def _column_bytes(values: pd.Series[Any], kind: Kind) -> bytes:
    if kind == "datetime":
        values = values.astype("int64")
    return "\x1f".join(repr(v) if pd.notna(v) else "\x00" for v in values.tolist()).encode()
