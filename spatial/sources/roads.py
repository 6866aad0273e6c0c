"""Roads of a city: lines with id, class, name and lighting, from any of `vectors.VECTOR_FORMATS`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from spatial.errors import InputError
from spatial.sources.pbf import tag
from spatial.sources.quarantine import missing, quarantine_table
from spatial.sources.vectors import bad_feature, check_mapping, column, is_osm, read_vectors

COLUMNS = ("road_id", "highway", "name", "lit")
# Values of OSM's `highway` that no one drives or walks along (yet, any more), or that are not ways in the street.
NOT_ROADS = frozenset(
    {
        "proposed",
        "construction",
        "planned",
        "abandoned",
        "disused",
        "razed",
        "demolished",
        "removed",
        "historic",
        "platform",
        "bus_stop",
        "rest_area",
        "services",
        "elevator",
        "corridor",
        "raceway",
        "via_ferrata",
        "no",
    }
)
_HASH_GRID = 1e-7


@dataclass(frozen=True, slots=True)
class RoadSource:
    """One file of roads in one of `vectors.VECTOR_FORMATS`; `layer` where it has several.

    `columns` maps `road_id, highway, name, lit` to columns of the file; without, those of the same names are taken.
    """

    path: Path
    layer: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class RoadTable:
    """Roads of one file; `rows_in == rows_used + len(quarantine) + sum(excluded.values())`.

    Attributes
    ----------
    roads : LineStrings in EPSG:4326, longitude first; columns `road_id` (unique), `highway`, `name`, `lit` (strings,
        null where unknown). Several lines of one feature, and features that share an id, get `<id>/<hash>`.
    quarantine : features without a usable line, or whose line repeats another's; see `quarantine.quarantine_table`.
    excluded : value of `highway` in `NOT_ROADS` → number of features left out for it.
    rows_in : features of the file; of OSM the ways with `highway`, without areas and ways of less than two nodes; of
        GraphML the street segments, each once for both directions.
    rows_used : features that `roads` come from.
    """

    roads: gpd.GeoDataFrame
    quarantine: pd.DataFrame
    excluded: Mapping[str, int]
    rows_in: int
    rows_used: int


def read_roads(source: RoadSource) -> RoadTable:
    """Read one file of roads.

    Ids are the source's (`way/<id>` of OSM, `way/<id>/<node>-<node>` of GraphML), else `geom/<16 hex digits>` of the
    SHA-256 of the line on a grid of 1e-7 degrees, either direction. Every `highway` is kept but those in `NOT_ROADS`.
    Of features with the same line, in either direction, the one with the lowest id is kept.

    Raises
    ------
    InputError
        Missing, cut off or unreadable file, no CRS, a named column or layer that does not exist, no roads at all.
    """
    check_mapping(source.path, source.columns, COLUMNS)
    osm = is_osm(source.path)
    layer = "lines" if osm else source.layer
    features = read_vectors(source.path, layer, "highway is not null" if osm else None)
    table = _attributes(source, features, osm)
    unwanted = table["highway"].isin(NOT_ROADS)
    reasons = _unusable(features.geometry[~unwanted])
    wanted = table.loc[~unwanted].drop(index=list(reasons))
    roads = _lines(wanted, features.geometry)
    lost = wanted.index.difference(pd.Index(roads["row"]))
    reasons |= {int(row): "repeated_geometry" for row in lost}
    own = table["road_id"].astype(object)
    bad = [
        bad_feature(features, row, reason, None if missing(own[row]) else own[row]) for row, reason in reasons.items()
    ]
    if roads.empty:
        raise InputError(source.path, "geometry", "no road lines in the file", "deliver lines, OSM ways with highway")
    excluded = table.loc[unwanted, "highway"].value_counts().sort_index()
    counts = {str(name): int(number) for name, number in zip(excluded.index, excluded, strict=True)}
    quarantine = quarantine_table(source.path, bad)
    return RoadTable(roads.drop(columns="row"), quarantine, counts, len(features), len(wanted) - len(lost))


def _attributes(source: RoadSource, features: gpd.GeoDataFrame, osm: bool) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            name: column(source.path, features, source.columns, name, "osm_id" if osm and name == "road_id" else name)
            for name in COLUMNS
        }
    )
    if osm:
        table["road_id"] = "way/" + table["road_id"].astype("string")
        table["lit"] = [tag(tags, "lit") for tags in features["other_tags"]]
    return table.astype("string")


def _unusable(shapes: gpd.GeoSeries) -> dict[int, str]:
    reasons: dict[int, str] = {}
    for row, shape in shapes.items():
        if shape is None or shape.is_empty:
            reasons[int(row)] = "null_geometry"
        elif shape.geom_type not in ("LineString", "MultiLineString"):
            reasons[int(row)] = "not_a_line"
        elif not shape.length > 0:
            reasons[int(row)] = "zero_length"
    return reasons


def _lines(table: pd.DataFrame, shapes: gpd.GeoSeries) -> gpd.GeoDataFrame:
    """Return single, distinct lines with their ids, in the order of the features; `row` is the feature's number."""
    lines = gpd.GeoDataFrame(table.assign(row=table.index), geometry=shapes[table.index], crs="EPSG:4326")
    lines = lines.explode(index_parts=False, ignore_index=True)
    lines = lines[shapely.length(lines.geometry.to_numpy()) > 0]
    lines["hash"] = geometry_hashes(lines.geometry.to_numpy())
    lines["road_id"] = lines["road_id"].fillna("geom/" + lines["hash"].astype("string"))
    lines = lines.sort_values(["hash", "road_id"], kind="stable").drop_duplicates("hash").sort_index()
    shared = lines["road_id"].duplicated(keep=False)
    lines.loc[shared, "road_id"] = lines["road_id"] + "/" + lines["hash"].astype("string")
    return lines[[*COLUMNS, "row", "geometry"]].reset_index(drop=True)


def geometry_hashes(shapes: NDArray[Any] | Sequence[BaseGeometry]) -> list[str]:
    """Return 16 hex digits per point or line: SHA-256 of its WKB on a grid of 1e-7 degrees, in either direction."""
    array = np.asarray(shapes, dtype=object)
    rounded = shapely.transform(array, lambda xy: (xy / _HASH_GRID).round() + 0.0)  # + 0.0: no negative zero
    forward, backward = (shapely.to_wkb(s, byte_order=1) for s in (rounded, shapely.reverse(rounded)))
    return [hashlib.sha256(min(pair)).hexdigest()[:16] for pair in zip(forward, backward, strict=True)]
