"""Truth on cells: which cells of a stated polygon hold a point or are covered by an area, and which are background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Bools = NDArray[np.bool_]
AREA_SHARE = 0.1
_POLYGON = 3  # shapely's type ids: polygons and multipolygons are areas
_MULTIPOLYGON = 6
_COLLECTION = 7  # make_valid may leave a line beside the area


@dataclass(frozen=True, eq=False, slots=True)
class CellLabels:
    """Labels of n cells, and what became of the truth's features.

    Attributes
    ----------
    positive : (n,) bool, only inside the polygon.
    inside : (n,) bool, cells that share area with the polygon; those that are not positive are background.
    used : features that touch the polygon and a cell of it.
    outside_cells : features that touch no cell at all; outside_polygon : features that touch cells, but no polygon.
    """

    positive: Bools
    inside: Bools
    used: int
    outside_cells: int
    outside_polygon: int

    def as_float(self) -> NDArray[np.float64]:
        """Return 1 for positive, 0 for background, NaN outside the polygon; (n,) floats."""
        return np.where(self.inside, self.positive.astype(float), np.nan)


def label_cells(
    cells: NDArray[Any], truth: NDArray[Any], polygon: BaseGeometry, min_share: float = AREA_SHARE
) -> CellLabels:
    """Label cells by truth; everything in one plane, metres.

    Parameters
    ----------
    cells : (n,) shapely polygons that do not overlap.
    truth : (m,) shapely points, multipoints, polygons or multipolygons, valid.
    polygon : where the truth was looked for; truth outside it labels nothing.
    min_share : a cell is positive when areas cover at least so much of its part inside the polygon, 0–1.

    Notes
    -----
    A point on the edge between two cells counts for the first of them.
    """
    part = shapely.intersection(cells, polygon)
    inside = shapely.area(part) > 0.0
    touches = shapely.STRtree(cells).query(truth, predicate="intersects")
    in_cells = np.isin(np.arange(len(truth)), touches[0])
    in_polygon = shapely.intersects(truth, polygon)
    positive = _covered(part, truth, inside, min_share)
    dots = shapely.get_parts(truth[~_is_area(truth)])
    point, cell = shapely.STRtree(cells).query(dots[shapely.intersects(dots, polygon)], predicate="intersects")
    order = np.lexsort((cell, point))
    first = np.unique(point[order], return_index=True)[1]
    positive[cell[order][first]] = True
    return CellLabels(
        positive & inside,
        inside,
        int((in_cells & in_polygon).sum()),
        int((~in_cells).sum()),
        int((in_cells & ~in_polygon).sum()),
    )


def _is_area(shapes: NDArray[Any]) -> Bools:
    return np.isin(shapely.get_type_id(shapes), (_POLYGON, _MULTIPOLYGON, _COLLECTION))


def _covered(part: NDArray[Any], truth: NDArray[Any], inside: Bools, min_share: float) -> Bools:
    """Return which parts of cells are covered by at least a share.

    Each cell meets only the areas near it: cutting every cell out of the union of a thousand takes minutes.
    """
    areas = truth[_is_area(truth)]
    near = np.flatnonzero(inside)
    area, at = shapely.STRtree(part[near]).query(areas, predicate="intersects")
    order = np.argsort(at, kind="stable")
    met, starts = np.unique(at[order], return_index=True)
    cut = shapely.intersection(part[near[at[order]]], areas[area[order]])
    cell = near[met]
    whole = [shapely.area(shapely.union_all(own)) for own in np.split(cut, starts[1:])] if len(met) else []
    share = np.array(whole, dtype=float) / shapely.area(part[cell])
    covered = np.zeros(len(part), dtype=bool)
    covered[cell] = (share > 0.0) & (share >= min_share)
    return covered


def surroundings(cells: NDArray[Any], truth: NDArray[Any], buffer_m: float) -> BaseGeometry:
    """Return the convex hull of the truth that touches a cell, with `buffer_m` around it; empty where there is none."""
    near = np.unique(shapely.STRtree(cells).query(truth, predicate="intersects")[0])
    hull: BaseGeometry = shapely.convex_hull(shapely.geometrycollections(truth[near]))
    return hull.buffer(buffer_m)
