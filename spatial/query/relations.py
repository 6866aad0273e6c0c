"""Which features' geometries meet a box or relate to a geometry: envelopes first, GEOS for what they leave open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial.query.geometry import rectangle, transformation
from spatial.query.model import Bounds, Box, Relation, Spatial
from spatial.query.table import Bools, Boxes, Table

Test = Callable[[shapely.Geometry, NDArray[np.object_]], NDArray[Any]]

_TESTS: dict[Relation, Test] = {  # of the literal, which is prepared, to the features
    "intersects": shapely.intersects,
    "equals": shapely.equals,
    "touches": shapely.touches,
    "within": shapely.contains,
    "contains": shapely.within,
    "overlaps": shapely.overlaps,
    "crosses": shapely.crosses,
}


def related(node: Spatial, table: Table, wanted: bool, among: Bools | None) -> Bools:
    """Return (n,) where a relation holds, or does not; where there is no geometry, neither. Only `among` matters."""
    if node.relation == "disjoint":
        return related(Spatial("intersects", node.geometry), table, not wanted, among)
    rows = np.flatnonzero(_open(_meeting(table.boxes, _bounds(node.geometry)), among))
    shapely.prepare(node.geometry)
    holds = _TESTS[node.relation](node.geometry, table.geometries(rows))
    return _answer(rows[holds], table, wanted)


def boxed(node: Box, table: Table, wanted: bool, among: Bools | None) -> Bools:
    """Return (n,) where a geometry meets one of the boxes, or none; where there is no geometry, neither."""
    hits = [_in_box(box, table, among) if node.crs is None else _in_crs(box, node, table, among) for box in node.boxes]
    return _answer(np.concatenate(hits), table, wanted)


def _in_box(box: Bounds, table: Table, among: Bools | None) -> NDArray[np.int64]:
    west, south, east, north = table.boxes
    rows = np.flatnonzero(_open(_meeting(table.boxes, box), among))
    sure = (west[rows] >= box[0]) & (south[rows] >= box[1]) & (east[rows] <= box[2]) & (north[rows] <= box[3])
    edge = rows[~sure]
    area = rectangle(box)
    shapely.prepare(area)
    return np.concatenate([rows[sure], edge[shapely.intersects(area, table.geometries(edge))]])


def _in_crs(box: Bounds, node: Box, table: Table, among: Bools | None) -> NDArray[np.int64]:
    assert node.crs is not None
    crs = transformation(node.crs)
    around = crs.surrounding(box)
    near = ~np.isnan(table.boxes[0]) if around is None else _meeting(table.boxes, around)
    rows = np.flatnonzero(_open(near, among))
    moved = shapely.transform(table.geometries(rows), crs.forward)
    finite = np.isfinite(shapely.bounds(moved)).all(axis=-1)
    area = rectangle(box)
    shapely.prepare(area)
    meets = np.zeros(len(rows), dtype=bool)
    meets[finite] = shapely.intersects(area, moved[finite])
    return rows[meets]


def _bounds(geometry: shapely.Geometry) -> Bounds:
    west, south, east, north = shapely.bounds(geometry).tolist()
    return west, south, east, north


def _meeting(boxes: Boxes, bounds: Bounds) -> Bools:
    west, south, east, north = boxes
    meets: Bools = (west <= bounds[2]) & (east >= bounds[0]) & (south <= bounds[3]) & (north >= bounds[1])
    return meets


def _open(mask: Bools, among: Bools | None) -> Bools:
    return mask if among is None else mask & among


def _answer(rows: NDArray[np.int64], table: Table, wanted: bool) -> Bools:
    if wanted:
        mask = np.zeros(table.n, dtype=bool)
        mask[rows] = True
        return mask
    mask = ~np.isnan(table.boxes[0])
    mask[rows] = False
    return mask
