"""What is asked of OpenStreetMap, and the tables made of the answers. Texts are strings, null where untagged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import MultiPolygon, Polygon

from spatial.sources.osm import Tags

_LINES = ("LineString", "MultiLineString")
_AREAS = ("Polygon", "MultiPolygon")
_KODE = re.compile(r"\d{2}\.\d{2}\.\d{2}(\.\d{4})?")


@dataclass(frozen=True, slots=True)
class OsmFile:
    """One file made of a query's answer: its name in `data/`, the kind of input in `city.toml`, how it is made.

    `make` takes the features and the city's area (EPSG:4326). `settings` are further lines of its table in `city.toml`.
    """

    name: str
    kind: str
    make: Callable[[gpd.GeoDataFrame, Polygon | MultiPolygon], gpd.GeoDataFrame]
    settings: str = ""


@dataclass(frozen=True, slots=True)
class OsmQuery:
    """One question to Overpass, and the files that its answer makes."""

    name: str
    title: str
    tags: Tags
    files: tuple[OsmFile, ...]


def _select(table: gpd.GeoDataFrame, kinds: tuple[str, ...], columns: Mapping[str, str]) -> gpd.GeoDataFrame:
    """Return the features of some geometry types that have the first tag; `columns`: new name → tag."""
    chosen = table[table.geometry.geom_type.isin(kinds)]
    made = {
        new: chosen[old].astype("string") if old in chosen else pd.Series(pd.NA, index=chosen.index, dtype="string")
        for new, old in columns.items()
    }
    first = list(columns)[1]
    out = gpd.GeoDataFrame(made, geometry=chosen.geometry, crs="EPSG:4326")
    return out[out[first].notna()].reset_index(drop=True)


def roads(table: gpd.GeoDataFrame, area: Polygon | MultiPolygon) -> gpd.GeoDataFrame:
    """Return lines with `road_id, highway, name, lit`."""
    columns = {"road_id": "osm_id", "highway": "highway", "name": "name", "lit": "lit"}
    return _select(table, _LINES, columns)


def lamps(table: gpd.GeoDataFrame, area: Polygon | MultiPolygon) -> gpd.GeoDataFrame:
    """Return points with `lamp_id`."""
    found = _select(table, ("Point",), {"lamp_id": "osm_id", "highway": "highway"})
    return found[found["highway"] == "street_lamp"].drop(columns="highway").reset_index(drop=True)


def waterways(table: gpd.GeoDataFrame, area: Polygon | MultiPolygon) -> gpd.GeoDataFrame:
    """Return lines with `waterway_id, waterway, name, tunnel`."""
    columns = {"waterway_id": "osm_id", "waterway": "waterway", "name": "name", "tunnel": "tunnel"}
    return _select(table, _LINES, columns)


def buildings(table: gpd.GeoDataFrame, area: Polygon | MultiPolygon) -> gpd.GeoDataFrame:
    """Return polygons with `building_id, building, name`."""
    return _select(table, _AREAS, {"building_id": "osm_id", "building": "building", "name": "name"})


def facilities(table: gpd.GeoDataFrame, area: Polygon | MultiPolygon) -> gpd.GeoDataFrame:
    """Return points with `facility_id, amenity, name`; a point within, where OpenStreetMap has an outline."""
    columns = {"facility_id": "osm_id", "amenity": "amenity", "name": "name"}
    found = _select(table, ("Point", *_AREAS), columns)
    return found.set_geometry(shapely.point_on_surface(found.geometry.to_numpy()), crs="EPSG:4326")


def _admin(level: str, table: gpd.GeoDataFrame, area: Polygon | MultiPolygon) -> gpd.GeoDataFrame:
    columns = {"osm_id": "osm_id", "level": "admin_level", "name": "name", "boundary": "boundary"}
    found = _select(table, _AREAS, columns)
    kode = _kode(table).reindex(found["osm_id"]).to_numpy() if len(found) else np.array([], dtype=object)
    inside = shapely.intersects(area, shapely.point_on_surface(found.geometry.to_numpy()))
    found["area_id"] = pd.Series(kode, dtype="string").fillna(found["osm_id"])
    chosen = found[(found["level"] == level) & (found["boundary"] == "administrative") & found["name"].notna() & inside]
    return chosen[["area_id", "name", "osm_id", "geometry"]].reset_index(drop=True)


def _kode(table: gpd.GeoDataFrame) -> pd.Series[str]:
    """Return the Kemendagri code of each feature by `osm_id`: a `ref…` or `kode…` tag of its form; null else."""
    tags = [c for c in table.columns if c.split(":")[0] in ("ref", "kode", "kemendagri") or c.startswith("kode_")]
    codes = [
        next((v for v in row if isinstance(v, str) and _KODE.fullmatch(v)), None)
        for row in (table[sorted(tags)].itertuples(index=False, name=None) if tags else ((),) * len(table))
    ]
    return pd.Series(codes, index=table["osm_id"], dtype="string")


def kelurahan(table: gpd.GeoDataFrame, area: Polygon | MultiPolygon) -> gpd.GeoDataFrame:
    """Return the kelurahan and desa (admin_level 7) that lie in the area: `area_id, name, osm_id`."""
    return _admin("7", table, area)


def kecamatan(table: gpd.GeoDataFrame, area: Polygon | MultiPolygon) -> gpd.GeoDataFrame:
    """Return the kecamatan (admin_level 6) that lie in the area: `area_id, name, osm_id`."""
    return _admin("6", table, area)


_ADMIN = 'level = "{}"\n[admin_areas.columns]\narea_id = "area_id"\nname = "name"\n'
QUERIES: tuple[OsmQuery, ...] = (
    OsmQuery(
        "highways",
        "Jalan dan lampu / roads and street lamps",
        {"highway": True},
        (OsmFile("roads", "roads", roads), OsmFile("lamps", "lamps", lamps)),
    ),
    OsmQuery(
        "waterways",
        "Sungai dan saluran / waterways",
        {"waterway": ["river", "stream", "canal", "drain", "ditch"]},
        (OsmFile("waterways", "waterways", waterways),),
    ),
    OsmQuery(
        "buildings",
        "Bangunan / buildings",
        {"building": True},
        (OsmFile("buildings", "buildings", buildings),),
    ),
    OsmQuery(
        "facilities",
        "Sekolah dan rumah sakit / schools and hospitals",
        {"amenity": ["school", "hospital", "clinic"]},
        (OsmFile("facilities", "facilities", facilities),),
    ),
    OsmQuery(
        "admin",
        "Kelurahan dan kecamatan / kelurahan and kecamatan",
        {"admin_level": ["6", "7"]},
        (
            OsmFile("kelurahan", "admin_areas", kelurahan, _ADMIN.format("kelurahan")),
            OsmFile("kecamatan", "admin_areas", kecamatan, _ADMIN.format("kecamatan")),
        ),
    ),
)
