"""Slope, multiple flow direction and TWI: closed forms, conservation of mass, a slow oracle."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from spatial.flood.terrain import TerrainParameters, analyse
from spatial.flood.wetness import slope_deg, specific_area, twi

from .rasters import NAN, Mask, flowing, neighbours, rasters_with_sea


def test_slope_of_a_plane_is_exact_and_halves_across_the_rim() -> None:
    x, y = np.meshgrid(np.arange(8) * 30.0, np.arange(6) * 30.0)
    slope = slope_deg(0.3 * x - 0.4 * y, 30.0)
    assert slope[1:-1, 1:-1] == pytest.approx(np.degrees(np.arctan(0.5)), rel=1e-12)
    assert slope_deg(0.3 * x, 30.0)[1:-1, 0] == pytest.approx(np.degrees(np.arctan(0.15)), rel=1e-12)
    assert (slope_deg(np.full((3, 3), 7.0), 30.0) == 0.0).all()


def test_slope_beside_an_unknown_pixel_by_hand() -> None:
    """Rising 1 m per 1 m to the east; the eastern neighbour is unknown and counts as level: (1 + 0 + 1 + 4) / 8."""
    z = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, NAN], [0.0, 1.0, 2.0]])
    slope = slope_deg(z, 1.0)
    assert slope[1, 1] == pytest.approx(np.degrees(np.arctan(0.75)))
    assert np.isnan(slope[1, 2])


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_twi_of_a_plane_in_closed_form(quarter_turns: int) -> None:
    """A plane that falls 1 in 5: a is the distance to the ridge's far side, and TWI ln(a / 0.2).

    A pixel of column k gives as much to both diagonals as it gets from them, so k + 1 pixels drain through each of its
    pixels. The plane's sides have one diagonal less: what differs there comes one row further in with each column.
    """
    rows, columns, side_m = 41, 12, 20.0
    z = np.tile(100.0 - 0.2 * side_m * np.arange(columns), (rows, 1))
    terrain = analyse(np.rot90(z, quarter_turns).astype(np.float32), side_m, TerrainParameters())
    wetness = np.rot90(terrain.twi, -quarter_turns)
    expected = np.log((np.arange(columns) + 1) * side_m / 0.2)
    middle = slice(columns, rows - columns)
    assert wetness.dtype == np.float32
    assert wetness[middle, 1:-1] == pytest.approx(np.tile(expected[1:-1], (rows - 2 * columns, 1)), rel=1e-6)


def test_shares_by_hand() -> None:
    """The summit gives 4 m down on a diagonal and straight, 1 m down straight; its other neighbours are unknown."""
    z = np.array([[4.0, NAN, NAN], [4.0, 8.0, NAN], [NAN, 7.0, NAN]])
    filled, downstream, _ = flowing(z)
    area = specific_area(filled, downstream, np.zeros(z.shape, bool), 1.0)
    diagonal, straight, gentle = np.array([4.0 / np.sqrt(2.0), 4.0, 1.0]) ** 1.1
    total = diagonal + straight + gentle
    # the gentle one gives all to the pixel north-west of it, its only lower neighbour
    assert area[2, 1] == pytest.approx(1.0 + gentle / total, rel=1e-6)
    assert area[1, 0] == pytest.approx(1.0 + straight / total + area[2, 1], rel=1e-6)
    assert area[0, 0] == pytest.approx(1.0 + diagonal / total, rel=1e-6)


def test_a_slope_below_the_floor_takes_the_floor() -> None:
    flat = twi(np.array([[200.0, 200.0]]), np.array([[0.0, 45.0]]), 0.5)
    assert flat.tolist() == [pytest.approx([np.log(200.0 / np.tan(np.radians(0.5))), np.log(200.0)])]


@settings(max_examples=100, deadline=None)
@given(rasters_with_sea())
def test_area_is_conserved_and_shared_by_freeman(case: tuple[NDArray[np.float32], Mask]) -> None:
    """What reaches the ends of the flow is what there is; each pixel has what its givers give, by recursion."""
    z, sea = case
    known, shape = np.isfinite(z), z.shape
    filled, downstream, _ = flowing(z, sea)
    area = specific_area(filled, downstream, sea, 30.0)
    assert area[known & (downstream == -1)].sum() == pytest.approx(30.0 * known.sum(), rel=1e-9)

    @cache
    def shares(p: tuple[int, int]) -> dict[tuple[int, int], float]:
        if sea[p] or not known[p]:
            return {}
        drop = {n: float(filled[p] - filled[n]) for n in neighbours(*p, shape) if known[n] and filled[n] < filled[p]}
        weight = {n: (d / np.hypot(n[0] - p[0], n[1] - p[1])) ** 1.1 for n, d in drop.items()}
        if not weight:
            following = int(downstream[p])
            return {divmod(following, shape[1]): 1.0} if following >= 0 else {}
        return {n: w / sum(weight.values()) for n, w in weight.items()}

    @cache
    def upstream(p: tuple[int, int]) -> float:
        return 1.0 + sum(upstream(n) * shares(n)[p] for n in neighbours(*p, shape) if p in shares(n))

    expected = np.array([upstream(p) if known[p] else NAN for p in np.ndindex(shape)]).reshape(shape)
    assert area == pytest.approx(30.0 * expected, rel=1e-5, nan_ok=True)


def test_area_crosses_a_flat_as_d8_does() -> None:
    """A walled flat of three rows with its way out in the west; the walls' inner pixels give to it, the rim keeps."""
    z = np.full((5, 7), 9.0)
    z[1:4, 1:6] = 5.0
    z[2, 0] = 1.0
    filled, downstream, _ = flowing(z)
    area = specific_area(filled, downstream, np.zeros(z.shape, bool), 1.0)
    assert area[2, 0] == pytest.approx(z.size)
    for r, c in np.argwhere(z == 5.0):
        assert area.flat[downstream[r, c]] >= area[r, c] + 1.0
