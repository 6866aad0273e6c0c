"""What a published version holds inside a polygon: reports, zones, road metres and what is exposed, lamps, buildings.

It only reads. Lengths and areas are cut exactly at the polygon's edge, in the plane of the city's UTM zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from spatial.contracts import CATEGORIES
from spatial.errors import InputError, StoreError
from spatial.hexgrid.join import to_plane
from spatial.store.geopackage import read_layer
from spatial.store.versions import Version, Versions

MAX_VERTICES = 10_000
SUSCEPTIBLE = 0.5
_DENSIFY_DEG = 1e-3
_MARGIN_DEG = 0.05
_PIECE_VERTICES = 64
MISSING = {
    "population": ("kota tidak memberi data penduduk", "the city gives no population"),
    "buildings": ("kota tidak memberi data bangunan", "the city gives no buildings"),
    "facilities": ("kota tidak memberi data fasilitas", "the city gives no facilities"),
    "street_lamps": ("kota tidak memberi data lampu", "the city gives no lamps"),
    "roads": ("kota tidak memberi data jalan", "the city gives no roads"),
    "susceptibility": ("tanpa elevasi tidak ada kerentanan", "without elevation there is no susceptibility"),
}
"""What is told, by what is null, in Indonesian and English."""


@dataclass(frozen=True, eq=False, slots=True)
class _Place:
    """The polygon in CRS84, and what of it is near the city as many small pieces of the plane that share only edges."""

    version: Version
    crs: CRS
    polygon: BaseGeometry
    pieces: NDArray[Any]

    def points(self, name: str) -> gpd.GeoDataFrame:
        """Return the points of a layer inside the polygon, in CRS84, where the polygon's edges are straight."""
        table = self._read(name)
        return table[shapely.intersects(self.polygon, table.geometry.to_numpy())].reset_index(drop=True)

    def near(self, name: str) -> gpd.GeoDataFrame:
        """Return the features of a layer whose box meets the polygon's, in the plane."""
        table = self._read(name)
        return table.set_geometry(to_plane(table.geometry.to_numpy(), self.crs), crs=self.crs)

    def _read(self, name: str) -> gpd.GeoDataFrame:
        if not self.has(name):
            return gpd.GeoDataFrame(geometry=[], crs="EPSG:4326")
        return read_layer(self.version.layers, name, self.polygon.bounds)

    def has(self, name: str) -> bool:
        """Tell whether the city gave what the layer shows: an empty layer is one that it did not give."""
        layer = self.version.manifest["layers"].get(name)
        return layer is not None and layer["rows"] > 0

    def inside(self, name: str) -> gpd.GeoDataFrame:
        """Return the features of a layer that share a point with the polygon, in the plane."""
        table = self.near(name)
        return table[np.isin(np.arange(len(table)), self._pairs(table.geometry.to_numpy())[0])].reset_index(drop=True)

    def cut(self, shapes: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Cut shapes at the polygon; return the position of each part's shape, and the parts."""
        shape, piece = self._pairs(shapes)
        return shape, shapely.intersection(shapes[shape], self.pieces[piece])

    def _pairs(self, shapes: NDArray[Any]) -> NDArray[np.int64]:
        return np.asarray(shapely.STRtree(self.pieces).query(shapes, predicate="intersects"), dtype=np.int64)


def checked_polygon(polygon: BaseGeometry, name: str = "polygon") -> BaseGeometry:
    """Return a polygon or multipolygon in CRS84 that can be asked about.

    Raises
    ------
    InputError
        It is empty, of another type, not valid, beyond ±180 and ±90 degrees, or of more than `MAX_VERTICES` vertices.
    """

    def refused(problem: str, hint: str) -> InputError:
        return InputError(name, "geometry", problem, hint)

    if polygon.geom_type not in ("Polygon", "MultiPolygon") or polygon.is_empty:
        raise refused(f"is {polygon.geom_type}{' without a point' * polygon.is_empty}", "give one polygon")
    vertices = int(shapely.get_num_coordinates(polygon))
    if vertices > MAX_VERTICES:
        raise refused(f"has {vertices:,} vertices, at most {MAX_VERTICES:,}", "simplify it")
    west, south, east, north = polygon.bounds
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise refused("lies beyond ±180, ±90", "give longitude and latitude in degrees, in this order")
    if not polygon.is_valid:
        raise refused(f"is not valid: {shapely.is_valid_reason(polygon)}", "repair it")
    return polygon


def summarise(
    city: Path, polygon: BaseGeometry, version: str | None = None, susceptible: float = SUSCEPTIBLE
) -> dict[str, Any]:
    """Summarise a polygon by a published version, the served one by default.

    Parameters
    ----------
    city : the city's folder.
    polygon : polygon or multipolygon, CRS84; its edges are straight in longitude and latitude (RFC 7946).
    susceptible : cells of at least this flood susceptibility, 0–1, count as susceptible.

    Returns
    -------
    JSON values; metres and square kilometres in the city's UTM zone. What the city does not give is null, and `missing`
    says why. A feature on the polygon's edge is inside. Roads outside the city's area are not part of a version.

    Raises
    ------
    InputError
        See `checked_polygon`.
    StoreError
        No such version, or nothing was published.
    """
    versions = Versions(city / "var")
    found = versions.current() if version is None else versions.get(version)
    if found is None:
        raise StoreError(f"{versions.var}: nothing is published yet; run `hexakota run {city}` first")
    manifest = found.manifest
    place = _place(found, checked_polygon(polygon))
    cells = place.inside("hexagons")
    susceptible_cells = cells[cells["flood_susceptibility"] >= susceptible] if len(cells) else cells
    flood, lighting = place.inside("flood_zones"), place.inside("lighting_zones")
    told = {
        "city": manifest["city"]["name"],
        "synthetic": manifest["city"]["synthetic"],
        "version": found.id,
        "as_of": manifest["city"]["as_of"],
        "attribution": manifest["city"]["attribution"],
        "area": _area(place, cells),
        "reports": _reports(place.points("reports")),
        "flood_zones": _zones(place, flood),
        "lighting_zones": _zones(place, lighting),
        "susceptible_from": susceptible,
        "roads": _roads(place, susceptible_cells, flood, lighting) if place.has("roads") else None,
        "street_lamps": len(place.points("street_lamps")) if place.has("street_lamps") else None,
        "buildings": _buildings(place.inside("buildings")) if place.has("buildings") else None,
        "facilities": _kinds(place.points("facilities")) if place.has("facilities") else None,
        "population": None,
    }
    return told | {"missing": _missing(told, place)}


def _place(version: Version, polygon: BaseGeometry) -> _Place:
    """Clip the polygon to the surroundings of the city's area, move it to the plane and split it into pieces."""
    city = version.manifest["city"]
    west, south, east, north = city["area"]["bbox"]
    around = shapely.box(west - _MARGIN_DEG, south - _MARGIN_DEG, east + _MARGIN_DEG, north + _MARGIN_DEG)
    near = _polygonal(shapely.intersection(polygon, around))
    crs = CRS(city["crs"])
    plane = to_plane(shapely.segmentize(near, _DENSIFY_DEG), crs)
    plane = plane if plane.is_valid else _polygonal(shapely.make_valid(plane))
    shapely.prepare(polygon)
    return _Place(version, crs, polygon, np.array(_split(plane), dtype=object))


def _polygonal(shape: BaseGeometry) -> BaseGeometry:
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(parts)


def _split(shape: BaseGeometry) -> list[BaseGeometry]:
    """Halve a polygon until its parts have few vertices: cutting by them takes time in proportion to what they meet.

    A line that ran exactly along a halving line (through the middle of a box in the plane) would count twice.
    """
    done, todo = [], [part for part in shapely.get_parts(shape) if part.area > 0]
    while todo:
        part = todo.pop()
        west, south, east, north = part.bounds
        if shapely.get_num_coordinates(part) <= _PIECE_VERTICES or max(east - west, north - south) < 1.0:
            done.append(part)
            continue
        wide, x, y = east - west >= north - south, (west + east) / 2, (south + north) / 2
        halves = ((west, south, x, north), (x, south, east, north)) if wide else (
            (west, south, east, y), (west, y, east, north))  # fmt: skip
        for half in halves:
            cut = shapely.intersection(part, shapely.box(*half))
            todo += [p for p in shapely.get_parts(cut) if p.geom_type == "Polygon" and p.area > 0]
    return done


def _area(place: _Place, cells: gpd.GeoDataFrame) -> dict[str, Any]:
    _, parts = place.cut(cells.geometry.to_numpy())
    return {
        "km2_in_cells": round(float(shapely.area(parts).sum()) / 1e6, 6),
        "cells": len(cells),
        "crs": f"EPSG:{place.crs.to_epsg()}",
    }


def _reports(reports: gpd.GeoDataFrame) -> dict[str, Any]:
    """Count reports, the distinct incidents that they are about, and those open, by category."""
    by_category = {name: {"reports": 0, "incidents": 0, "open": 0} for name in CATEGORIES}
    for name, rows in reports.groupby("category") if len(reports) else ():
        incidents, is_open = int(rows["incident_id"].nunique()), int((rows["status"] == "open").sum())
        by_category[str(name)] = {"reports": len(rows), "incidents": incidents, "open": is_open}
    flags: dict[str, int] = {}
    for told in reports["quality"].dropna() if len(reports) else ():
        for flag in told.split(","):
            flags[flag] = flags.get(flag, 0) + 1
    return {"total": len(reports), "by_category": by_category, "flags": dict(sorted(flags.items()))}


def _zones(place: _Place, zones: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """Return the zones that the polygon meets, by rank, with what of them lies inside."""
    if zones.empty:
        return []
    zone, parts = place.cut(zones.geometry.to_numpy())
    inside_m2 = np.bincount(zone, weights=shapely.area(parts), minlength=len(zones))
    share = inside_m2 / shapely.area(zones.geometry.to_numpy())
    columns = ["zone_id", "severity", "score", "priority_rank", "n_incidents", "kelurahan"]
    table = pd.DataFrame(zones[columns]).assign(km2_inside=inside_m2 / 1e6, share_inside=np.minimum(share, 1.0))
    table = table.sort_values(["priority_rank", "zone_id"]).round({"km2_inside": 6, "share_inside": 6})
    return [{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _roads(
    place: _Place, susceptible: gpd.GeoDataFrame, flood: gpd.GeoDataFrame, lighting: gpd.GeoDataFrame
) -> dict[str, Any]:
    """Return metres of road inside, and those in susceptible cells and in zones of either type, by class."""
    roads = place.near("roads")
    road, parts = place.cut(roads.geometry.to_numpy())
    highway = roads["highway"].astype(object).where(roads["highway"].notna(), "")
    names = highway.to_numpy()[road] if len(roads) else np.array([], dtype=object)
    metres = {
        "length_m": shapely.length(parts),
        "susceptible_m": _within(parts, susceptible),
        "in_flood_zones_m": _within(parts, flood),
        "in_lighting_zones_m": _within(parts, lighting),
    }
    table = pd.DataFrame(metres).groupby(names).sum().sort_values("length_m", ascending=False)
    by_class = {str(name): _rounded(row) for name, row in table.iterrows()}
    return _rounded(pd.DataFrame(metres).sum()) | {"by_class": by_class}


def _within(parts: NDArray[Any], zones: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Return the metres of each part (lines) inside the union of polygons; what runs along two counts once."""
    if zones.empty or not len(parts):
        return np.zeros(len(parts))
    pieces = np.array(_split(shapely.union_all(zones.geometry.to_numpy())), dtype=object)
    line, piece = shapely.STRtree(pieces).query(parts, predicate="intersects")
    metres = shapely.length(shapely.intersection(parts[line], pieces[piece]))
    return np.asarray(np.bincount(line, weights=metres, minlength=len(parts)))


def _buildings(buildings: gpd.GeoDataFrame) -> dict[str, Any]:
    """Count the buildings that the polygon meets, and those in flood zones."""
    exposed = buildings["flood_zone_ids"].notna() if len(buildings) else pd.Series(dtype=bool)
    return {"total": len(buildings), "in_flood_zones": int(exposed.sum())}


def _kinds(facilities: gpd.GeoDataFrame) -> dict[str, Any]:
    """Count facilities by kind, and those in zones of either type."""
    if facilities.empty:
        return {"total": 0, "by_kind": {}, "in_flood_zones": 0, "in_lighting_zones": 0}
    counts = facilities["kind"].astype(object).where(facilities["kind"].notna(), "").value_counts()
    return {
        "total": len(facilities),
        "by_kind": {str(kind): int(n) for kind, n in sorted(counts.items())},
        "in_flood_zones": int(facilities["flood_zone_ids"].notna().sum()),
        "in_lighting_zones": int(facilities["lighting_zone_ids"].notna().sum()),
    }


def _missing(told: dict[str, Any], place: _Place) -> list[dict[str, str]]:
    names = [name for name in MISSING if name != "susceptibility" and told[name] is None]
    if "elevation" not in place.version.manifest.get("rasters", {}):
        names.append("susceptibility")
    return [{"what": name, "id": MISSING[name][0], "en": MISSING[name][1]} for name in names]


def _rounded(row: pd.Series[Any]) -> dict[str, float]:
    return {str(name): round(float(metres), 3) for name, metres in row.items()}


def _plain(value: Any) -> Any:
    if value is None or pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


__all__: Sequence[str] = ("MAX_VERTICES", "SUSCEPTIBLE", "checked_polygon", "summarise")
