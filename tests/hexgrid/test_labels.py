"""Cells covered by areas, against the share of the whole union: slow, but it says what is meant."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from spatial.hexgrid.labels import label_cells

CORNER = st.integers(0, 12).map(lambda n: n / 2.0)
SIDE = st.integers(1, 6).map(lambda n: n / 2.0)
AREAS = st.lists(st.tuples(CORNER, CORNER, SIDE, SIDE), min_size=0, max_size=6)
ROW, COLUMN = np.divmod(np.arange(36), 6)
SQUARES = shapely.box(COLUMN, ROW, COLUMN + 1, ROW + 1)


@given(AREAS, st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
def test_areas_that_overlap_count_once(corners: list[tuple[float, ...]], least: float) -> None:
    truth = np.array([shapely.box(x, y, x + w, y + h) for x, y, w, h in corners], dtype=object)
    polygon = shapely.box(0.0, 0.0, 4.5, 6.0)
    found = label_cells(SQUARES, truth, polygon, least)
    inside = shapely.intersection(SQUARES, polygon)
    size = shapely.area(inside)
    share = shapely.area(shapely.intersection(inside, shapely.union_all(truth))) / np.where(size > 0, size, 1.0)
    assert found.positive.tolist() == ((size > 0) & (share > 0) & (share >= least)).tolist()
