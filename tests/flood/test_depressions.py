"""Depressions: a cascade worked by hand, a slow exact simulation of lakes, equilibrium on flats, two cities."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyflwdir
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from spatial.errors import ContractError
from spatial.flood.depressions import (
    Depressions,
    Ponding,
    find_depressions,
    pond,
    rain_to_fill_raster_mm,
)
from spatial.flood.terrain import fill_depressions, rim, sea_mask

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
NAN = float("nan")
FLOOD_OF_NOAH_MM = 1e9

# Few levels make flats, ties and nested hollows.
LEVELS = st.sampled_from([NAN, 0.0, 0.25, 0.5, 1.0, 1.25, 2.0, 3.75, 7.0])
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


@st.composite
def flat_rasters(draw: st.DrawFn) -> tuple[Array, Mask]:
    z = draw(arrays(np.float64, SHAPES, elements=LEVELS).filter(lambda z: bool(np.isfinite(z).any())))
    return z, draw(arrays(np.bool_, z.shape, elements=st.sampled_from([False] * 7 + [True]))) & np.isfinite(z)


@st.composite
def distinct_rasters(draw: st.DrawFn) -> tuple[Array, Mask]:
    """Whole heights, all different: the way down from a pixel is then the only one, and so is the lowest saddle.

    Half of them have a wall around, so that many pits merge before water leaves.
    """
    shape = draw(array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=6))
    size = shape[0] * shape[1]
    z = np.array(draw(st.permutations(range(size))), dtype=float).reshape(shape)
    if draw(st.booleans()):
        z[rim(z)] += size
    hole, sea = draw(st.integers(0, 6 * size)), draw(st.integers(0, 6 * size))  # mostly neither
    z.flat[hole:][:1] = NAN
    sea_pixels = np.zeros(shape, bool)
    sea_pixels.flat[sea:][:1] = True
    return z, sea_pixels & np.isfinite(z)


@st.composite
def runoff(draw: st.DrawFn, shape: tuple[int, int]) -> Array:
    return draw(arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.0, 125.0, 500.0, 3000.0])))


# A cascade by hand


WALL = 100.0
CASCADE = np.array([[WALL] * 7, [WALL, 2.0, 5.0, 0.0, 7.0, -5.0, 6.0], [WALL] * 7])
A, B, C, AB = 0, 1, 2, 3


def test_a_cascade_of_three_hollows_by_hand() -> None:
    """Pixels of 1 m² in the middle row; the walls drain straight to it (96 m down, at most 105 / √2 m aside).

        column       0     1     2     3     4     5     6
        height     wall    2     5     0     7    -5     6   and then the rim, over which water leaves
        drains to    A     A     B     B     C     C     C

    From the 5 it is 5 m down to B and 3 to A; from the 7, 12 to C and 7 to B. Catchments, three rows: A 6, B 6, C 9
    pixels. Volumes: A up to 5: 3. B up to 5: 5. AB, both up to 7: 5 + 2 + 7 = 14 over three pixels. C up to 6: 11.
    A is full after 3 / 6 m of rain = 500 mm and spills into B. B then gets 12 per metre: full after 8 / 12 m = 666.7
    mm, not after the 5 / 6 m of its own rain. Both are one now: AB is full after 14 / 12 m = 1166.7 mm and spills into
    C, which holds 10.5 by then, and gets 21 per metre: full after 25 / 21 m = 1190.5 mm, not after 11 / 9 m.
    """
    d = find_depressions(CASCADE, 1.0)
    assert d.catchment[1].tolist() == [A, A, B, B, C, C, C]
    assert d.pit.tolist() == [7 + 1, 7 + 3, 7 + 5, 7 + 3]
    assert d.parent.tolist() == [AB, AB, -1, -1]
    assert d.children.tolist() == [[-1, -1], [-1, -1], [-1, -1], [A, B]]
    assert d.spill_m.tolist() == [5.0, 5.0, 6.0, 7.0]
    assert d.spill_from.tolist() == [7 + 1, 7 + 2, 7 + 6, 7 + 3]
    assert d.spill_to.tolist() == [7 + 2, 7 + 1, -1, 7 + 4]
    assert d.spills_into.tolist() == [B, A, -1, C]
    assert d.volume_m3.tolist() == [3.0, 5.0, 11.0, 14.0]
    assert d.area_m2.tolist() == [1.0, 1.0, 1.0, 3.0]
    assert d.max_depth_m.tolist() == [3.0, 5.0, 11.0, 7.0]
    assert d.catchment_m2.tolist() == [6.0, 6.0, 9.0, 12.0]
    expected = [500.0, 8000.0 / 12.0, 25000.0 / 21.0, 14000.0 / 12.0]
    assert d.rain_to_fill_mm == pytest.approx(expected, rel=1e-14)
    assert d.spill_order.tolist() == [A, AB, C]
    assert d.depression[1].tolist() == [-1, A, AB, B, -1, C, -1]
    assert not (d.depression[[0, 2]] >= 0).any()
    raster = rain_to_fill_raster_mm(d)
    assert raster[1, [1, 2, 3, 5]] == pytest.approx([expected[i] for i in (A, AB, B, C)])
    assert np.isnan(raster[1, [0, 4, 6]]).all()


# rain in mm: depth in columns 1 to 5, overflow of A, B, C, AB, what left, all in m and m³
STORMS: dict[float, tuple[list[float], list[float], float]] = {
    0.0: ([0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], 0.0),
    400.0: ([2.4, 0.0, 2.4, 0.0, 3.6], [0.0, 0.0, 0.0, 0.0], 0.0),
    600.0: ([3.0, 0.0, 4.2, 0.0, 5.4], [0.6, 0.0, 0.0, 0.0], 0.0),  # A got 3.6 and keeps 3
    1000.0: ([13 / 3, 4 / 3, 19 / 3, 0.0, 9.0], [0.0, 0.0, 0.0, 0.0], 0.0),  # 12 in AB: 8 up to 5, 4 on three pixels
    1180.0: ([5.0, 2.0, 7.0, 0.0, 10.78], [0.0, 0.0, 0.0, 0.16], 0.0),  # AB got 14.16; C 10.62 and 0.16
    1500.0: ([5.0, 2.0, 7.0, 0.0, 11.0], [0.0, 0.0, 6.5, 4.0], 6.5),  # AB got 18; C 13.5 and 4
}


@pytest.mark.parametrize("rain_mm", STORMS)
@pytest.mark.parametrize("as_raster", [False, True])
def test_storms_over_the_cascade_by_hand(rain_mm: float, as_raster: bool) -> None:
    d = find_depressions(CASCADE, 1.0)
    depth, overflow, left = STORMS[rain_mm]
    p = pond(d, np.full(CASCADE.shape, rain_mm) if as_raster else rain_mm)
    assert p.depth_m[1] == pytest.approx([0.0, *depth, 0.0], abs=1e-12)
    assert not p.depth_m[[0, 2]].any()
    assert p.overflow_m3 == pytest.approx(overflow, abs=1e-12)
    assert p.left_m3 == pytest.approx(left, abs=1e-12)
    assert p.rain_m3 == pytest.approx(21 * rain_mm / 1000.0)
    assert p.stored_m3 == pytest.approx(sum(depth), abs=1e-12)
    assert p.full.tolist() == [rain_mm > limit for limit in (500.0, 666.7, 1190.5, 1166.7)]
    merged = rain_mm > 666.7
    assert p.pond.tolist() == ([AB, AB, C, AB] if merged else [A, B, C, AB])


def test_rain_on_one_hollow_alone_spills_both_ways() -> None:
    """10 m³ on column 3 only: B keeps 5, A its 3, and 2 stand on the three pixels of AB. Then 30: C gets 16."""
    d = find_depressions(CASCADE, 1.0)
    rain = np.zeros(CASCADE.shape)
    rain[1, 3] = 10_000.0
    assert pond(d, rain).depth_m[1] == pytest.approx([0, 3 + 2 / 3, 2 / 3, 5 + 2 / 3, 0, 0, 0])
    rain[1, 3] = 30_000.0
    p = pond(d, rain)
    assert p.overflow_m3 == pytest.approx([0.0, 0.0, 5.0, 16.0])
    assert p.left_m3 == pytest.approx(5.0)


def test_rain_on_the_sea_and_outside_does_not_count() -> None:
    """The last column is sea at 6 m: C then drains columns 4 and 5, and 18 of the 21 pixels are land."""
    z = CASCADE.copy()
    z[:, 6] = 6.0
    sea = np.zeros(z.shape, bool)
    sea[:, 6] = True
    d = find_depressions(z, 1.0, sea)
    p = pond(d, 3000.0)
    assert (p.rain_m3, p.stored_m3, p.left_m3) == pytest.approx((54.0, 25.0, 29.0))
    assert d.rain_to_fill_mm[C] == pytest.approx(25000.0 / 18.0)
    assert (d.catchment[:, 6] == -2).all()
    rain = np.where(sea, NAN, 3000.0)
    assert pond(d, rain).rain_m3 == pytest.approx(54.0)
    z[:, 6] = NAN  # unknown ground instead: column 5 is now rim, and a pit there holds nothing
    p = pond(find_depressions(z, 1.0), np.where(np.isnan(z), -1.0, 1000.0))
    assert (p.rain_m3, p.stored_m3, p.left_m3) == pytest.approx((18.0, 12.0, 6.0))
    assert np.isnan(p.depth_m[:, 6]).all()


def test_rain_on_a_flat_reaches_the_pit() -> None:
    """A walled flat of 5 m with one pixel at 1 m in its corner: all 49 pixels drain to it."""
    z = np.full((7, 7), 9.0)
    z[1:6, 1:6] = 5.0
    z[1, 1] = 1.0
    d = find_depressions(z, 2.0)
    assert d.catchment_m2.tolist() == [49 * 4.0]
    p = pond(d, 2000.0)  # 98 m of water: 4 up to the flat, 94 on 25 pixels
    assert p.level_m == pytest.approx([5.0 + 94 / 25])
    assert p.stored_m3 == pytest.approx(98 * 4.0)


def test_a_flat_bottom_is_one_pit_and_a_flat_parts_between_its_exits() -> None:
    z = np.full((3, 11), 9.0)
    z[1, 1:10] = [2.0, 2.0, 5.0, 5.0, 5.0, 5.0, 5.0, 1.0, 1.0]
    d = find_depressions(z, 1.0)
    assert d.pit.tolist()[:2] == [11 + 1, 11 + 8]
    assert d.catchment[1].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]  # the middle one is as far from both
    assert d.volume_m3.tolist() == [6.0, 8.0, 2 * 7.0 + 5 * 4.0 + 2 * 8.0]


def test_over_a_saddle_water_takes_the_steepest_way() -> None:
    """The saddle of 10 m drains west, to 0 m. Eastwards it falls 5 straight to the 5, and 6 / √2 = 4.2 to the 4.

    The 5 drains to the 2 (3 / √2 against 1): pits in row order are the 4, the 0 and the 2.
    """
    z = np.full((5, 7), 20.0)
    z[2, 2], z[2, 3], z[1, 4], z[2, 4], z[3, 5] = 0.0, 10.0, 4.0, 5.0, 2.0
    d = find_depressions(z, 1.0)
    assert d.spills_into.tolist() == [2, 2, 0, 1, -1]
    assert d.spill_to.tolist()[:4] == [2 * 7 + 4, 2 * 7 + 4, 1 * 7 + 4, 2 * 7 + 3]
    assert d.children.tolist()[3:] == [[0, 2], [1, 3]]


def test_without_a_depression_all_rain_leaves() -> None:
    z = np.add.outer(np.arange(4.0), np.arange(5.0))
    d = find_depressions(z, 10.0)
    assert len(d.parent) == len(d.spill_order) == 0
    p = pond(d, 10.0)
    assert (p.rain_m3, p.stored_m3, p.left_m3) == pytest.approx((20.0, 0.0, 20.0))
    assert np.isnan(rain_to_fill_raster_mm(d)).all()


def test_the_arrays_can_be_stored(tmp_path: Path) -> None:
    d = find_depressions(CASCADE.astype(np.float32), 3.0)
    np.savez(tmp_path / "depressions.npz", **{f.name: getattr(d, f.name) for f in fields(d)})
    with np.load(tmp_path / "depressions.npz") as file:
        again = Depressions(**file)
    for f in fields(Ponding):
        assert np.array_equal(getattr(pond(d, 1000.0), f.name), getattr(pond(again, 1000.0), f.name), equal_nan=True)


# A slow, exact simulation of lakes, without a tree


def neighbours(p: int, shape: tuple[int, int]) -> list[int]:
    r, c = divmod(p, shape[1])
    box = [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    return [i * shape[1] + j for i, j in box if 0 <= i < shape[0] and 0 <= j < shape[1]]


@dataclass(eq=False)
class Lake:
    """Water over some pits; it can hold `capacity`, then the excess runs to the pit `target`, or out (-1)."""

    pits: frozenset[int]
    bed: list[int]  # heights below the spill level, lowest first
    spill: int
    target: int
    water: Fraction

    @property
    def capacity(self) -> int:
        return sum(self.spill - height for height in self.bed)

    def level(self) -> Fraction:
        """Level of the water, found by adding one pixel after the other."""
        for wet in range(1, len(self.bed) + 1):
            level = (self.water + sum(self.bed[:wet])) / wet
            if wet == len(self.bed) or level <= self.bed[wet]:
                return level
        raise AssertionError


class Lakes:
    """Pour water on a raster of distinct whole heights, pixel by pixel, in any order."""

    def __init__(self, z: Array, sea: Mask) -> None:
        self.z, self.sea = [None if np.isnan(h) else int(h) for h in z.ravel()], sea.ravel()
        self.shape, self.exit = z.shape, (rim(z) | sea).ravel()
        self.land = [p for p, h in enumerate(self.z) if h is not None and not self.sea[p]]
        self.left = Fraction(0)
        self.lake: dict[int, Lake] = {}
        for pit in {self.end(p) for p in self.land} - {-1}:
            self.lake[pit] = self.grown(frozenset([pit]), Fraction(0))

    def known(self, p: int) -> list[int]:
        return [q for q in neighbours(p, self.shape) if self.z[q] is not None]

    def slope(self, p: int, q: int) -> float:
        (r, c), (i, j) = divmod(p, self.shape[1]), divmod(q, self.shape[1])
        return (self.z[p] - self.z[q]) / np.hypot(i - r, j - c)

    def end(self, p: int) -> int:
        """Return the pit that the water of a pixel runs to, -1 where it leaves."""
        while not self.sea[p]:
            lower = max(self.known(p), key=lambda q: self.slope(p, q), default=p)
            if self.z[lower] >= self.z[p]:
                return -1 if self.exit[p] else p
            p = lower
        return -1

    def grown(self, pits: frozenset[int], water: Fraction) -> Lake:
        """Flood from the pits, lowest pixel first, to the first that is a way out or has one: the saddle."""
        waiting = [(self.z[p], p) for p in pits]
        heapq.heapify(waiting)
        seen, flooded = set(pits), []
        while True:
            height, p = heapq.heappop(waiting)
            ways = [q for q in self.known(p) if self.z[q] < height and self.end(q) not in pits]
            if self.end(p) not in pits:
                target = self.end(p)
            elif self.exit[p]:
                target = -1
            elif ways:
                target = self.end(max(ways, key=lambda q: self.slope(p, q)))
            else:
                flooded.append(height)
                fresh = [q for q in self.known(p) if q not in seen]
                seen.update(fresh)
                for q in fresh:
                    heapq.heappush(waiting, (self.z[q], q))
                continue
            return Lake(pits, sorted(flooded), height, target, water)

    def pour(self, p: int, volume: Fraction) -> None:
        pit = self.end(p)
        while pit >= 0:
            lake = self.lake[pit]
            lake.water += volume
            volume = max(lake.water - lake.capacity, Fraction(0))
            lake.water -= volume
            if not volume:
                return
            pit = lake.target
            other = self.lake.get(pit)
            if other is not None and other.water == other.capacity and other.target in lake.pits:
                joint = self.grown(lake.pits | other.pits, lake.water + other.water)
                self.lake.update(dict.fromkeys(joint.pits, joint))
        self.left += volume

    def depth(self) -> Array:
        out = np.array([NAN if h is None else 0.0 for h in self.z])
        for p in self.land:
            lake = self.lake.get(self.end(p))
            if lake is not None and lake.water > 0 and self.z[p] < lake.spill:
                out[p] = max(lake.level() - self.z[p], 0)
        return out.reshape(self.shape)


def lakes_of(d: Depressions) -> list[frozenset[int]]:
    """Return the pits of each depression."""
    pits: list[frozenset[int]] = []
    for x, (first, second) in enumerate(d.children):
        pits.append(frozenset([int(d.pit[x])]) if first < 0 else pits[first] | pits[second])
    return pits


@settings(max_examples=150)
@given(st.data())
def test_ponds_equal_the_simulation_of_lakes(data: st.DataObject) -> None:
    z, sea = data.draw(distinct_rasters())
    rain = data.draw(runoff(z.shape))
    d, lakes = find_depressions(z, 1.0, sea), Lakes(z, sea)
    for p in data.draw(st.permutations(lakes.land)):  # the order of the storm does not matter
        lakes.pour(p, Fraction(rain.flat[p]) / 1000)
    found = pond(d, rain)
    assert found.depth_m == pytest.approx(lakes.depth(), abs=1e-9, nan_ok=True)
    assert found.left_m3 == pytest.approx(float(lakes.left), rel=1e-9, abs=1e-12)
    assert found.rain_m3 == pytest.approx(sum(rain.flat[p] for p in lakes.land) / 1000, rel=1e-12)


@settings(max_examples=150)
@given(distinct_rasters())
def test_rain_to_fill_equals_the_simulation_of_lakes(case: tuple[Array, Mask]) -> None:
    """A hair less rain leaves the lake over just these pits below its spill, a hair more fills it or joins it."""
    z, sea = case
    d = find_depressions(z, 1.0, sea)
    assert sorted(d.spill_order.tolist()) == sorted(set(d.spill_order.tolist()))
    assert (np.diff(d.rain_to_fill_mm[d.spill_order]) >= 0).all()
    for x, pits in enumerate(lakes_of(d)):
        for factor, filled in ((Fraction(999_999, 10**6), False), (Fraction(1_000_001, 10**6), True)):
            lakes = Lakes(z, sea)
            for p in lakes.land:
                lakes.pour(p, Fraction(d.rain_to_fill_mm[x]) * factor / 1000)
            lake = lakes.lake[int(d.pit[x])]
            assert (lake.pits > pits or (lake.pits == pits and lake.water == lake.capacity)) == filled


@settings(max_examples=100)
@given(distinct_rasters())
def test_the_tree_equals_the_lakes(case: tuple[Array, Mask]) -> None:
    z, sea = case
    d, lakes = find_depressions(z, 2.0, sea), Lakes(z, sea)
    ends = np.array([lakes.end(p) if p in lakes.land else -2 for p in range(z.size)]).reshape(z.shape)
    assert [d.pit[x] if x >= 0 else x for x in d.catchment.flat] == ends.ravel().tolist()
    for x, pits in enumerate(lakes_of(d)):
        lake = lakes.grown(pits, Fraction(0))
        assert d.spill_m[x] == lake.spill
        assert (d.pit[d.spills_into[x]] if d.spills_into[x] >= 0 else -1) == lake.target
        assert d.volume_m3[x] == 4.0 * lake.capacity
        assert d.area_m2[x] == 4.0 * len(lake.bed)
        assert d.max_depth_m[x] == lake.spill - lake.bed[0]
        assert d.catchment_m2[x] == 4.0 * np.isin(ends, list(pits)).sum()


# Properties on flats and ties, where several answers are right


def reach(z: Array, start: int) -> set[int]:
    """Return the pixels that water can get to without going up."""
    seen, stack = {start}, [start]
    while stack:
        p = stack.pop()
        fresh = {q for q in neighbours(p, z.shape) if z.flat[q] <= z.flat[p]} - seen
        seen |= fresh
        stack += fresh
    return seen


@settings(max_examples=100)
@given(flat_rasters())
def test_water_runs_down_to_a_pit_or_out(case: tuple[Array, Mask]) -> None:
    z, sea = case
    d = find_depressions(z, 1.0, sea)
    exits = set(np.flatnonzero(rim(z) | sea).tolist())
    assert ((d.catchment == -2) == (np.isnan(z) | sea)).all()
    for p in np.flatnonzero(d.catchment != -2):
        to = int(d.catchment.flat[p])
        assert (d.pit[to] in reach(z, p)) if to >= 0 else (exits & reach(z, p))
    for pit in d.pit:  # no way down, no way out, and the first of its flat
        level = reach(z, int(pit))
        assert {float(z.flat[q]) for q in level} == {float(z.flat[pit])}
        assert not level & exits
        assert min(level) == pit


@settings(max_examples=200)
@given(st.data(), st.floats(0.0, 5000.0))
def test_water_is_kept_and_lies_level(data: st.DataObject, rain_mm: float) -> None:
    z, sea = data.draw(flat_rasters())
    rain = data.draw(st.one_of(st.just(rain_mm), runoff(z.shape)))
    d = find_depressions(z, 3.0, sea)
    p = pond(d, rain)
    land = np.isfinite(z) & ~sea
    assert p.rain_m3 == pytest.approx(9.0 * (np.zeros(z.shape) + rain)[land].sum() / 1000, rel=1e-12)
    assert p.stored_m3 + p.left_m3 == pytest.approx(p.rain_m3, rel=1e-9, abs=1e-12)
    assert p.water_m3.sum() == pytest.approx(p.stored_m3, rel=1e-9, abs=1e-12)
    assert np.array_equal(np.isnan(p.depth_m), np.isnan(z))
    bound = fill_depressions(z, sea) - z
    assert ((p.depth_m >= 0) & (p.depth_m <= bound + 1e-9))[np.isfinite(z)].all()
    assert not p.depth_m[sea].any()
    for q in np.flatnonzero(p.depth_m > 0):
        x = p.pond[d.catchment.flat[q]]
        surface = p.level_m[x]
        assert p.depth_m.flat[q] + z.flat[q] == pytest.approx(surface, abs=1e-12)
        for n in neighbours(q, z.shape):  # a pond that is not full has nowhere lower to go
            if not np.isnan(z.flat[n]) and not p.full[x]:
                assert z.flat[n] + p.depth_m.flat[n] >= surface - 1e-9
    for x in np.unique(p.pond[p.pond == np.arange(len(p.pond))]):
        inside = np.isin(d.catchment, np.flatnonzero(p.pond[: d.children[:, 0].tolist().count(-1)] == x))
        assert 9.0 * p.depth_m[inside].sum() == pytest.approx(p.water_m3[x], rel=1e-9, abs=1e-12)
        assert p.full[x] or not p.overflow_m3[x]


@settings(max_examples=100)
@given(st.data(), st.floats(0.0, 4000.0), st.floats(0.0, 4000.0))
def test_more_rain_is_nowhere_shallower(data: st.DataObject, first: float, second: float) -> None:
    z, sea = data.draw(flat_rasters())
    d, low, high = find_depressions(z, 1.0, sea), min(first, second), max(first, second)
    pairs = [(low, high)]
    rain = data.draw(runoff(z.shape))
    pairs.append((rain, rain + data.draw(runoff(z.shape))))
    for less, more in pairs:
        a, b = pond(d, less), pond(d, more)
        assert (b.depth_m >= a.depth_m - 1e-9)[np.isfinite(z)].all()
        assert b.left_m3 >= a.left_m3 - 1e-9
    uniform = pond(d, np.full(z.shape, high))
    assert uniform.depth_m == pytest.approx(pond(d, high).depth_m, abs=1e-9, nan_ok=True)


@settings(max_examples=200)
@given(flat_rasters())
def test_the_deluge_fills_all_to_the_priority_flood(case: tuple[Array, Mask]) -> None:
    z, sea = case
    d = find_depressions(z.astype(np.float32), 1.0, sea)
    filled = fill_depressions(z, sea)
    p = pond(d, FLOOD_OF_NOAH_MM)
    assert np.array_equal(p.depth_m, filled - z, equal_nan=True)
    assert np.array_equal(d.depression >= 0, filled > z)
    assert p.full.all()
    inside = d.depression >= 0
    assert np.array_equal(np.isfinite(rain_to_fill_raster_mm(d)), inside)
    assert (d.spill_m[d.depression[inside]] > z[inside]).all()
    for q in np.flatnonzero(inside):  # the smallest: a child over the pixel would spill below it
        simple, smallest = int(d.catchment.flat[q]), int(d.depression.flat[q])
        while simple != smallest:
            assert d.spill_m[simple] <= z.flat[q]
            simple = int(d.parent[simple])
    if len(d.parent):
        last = pond(d, float(d.rain_to_fill_mm.max()))
        assert np.array_equal(last.depth_m, p.depth_m, equal_nan=True)


# Real elevation


@pytest.fixture(scope="module")
def denpasar(shared_data: Callable[[str], Path]) -> NDArray[np.float32]:
    with rasterio.open(shared_data("denpasar/dem_denpasar.tif")) as file:
        return file.read(1).astype(np.float32)


@pytest.fixture(scope="module")
def lisbon(shared_data: Callable[[str], Path]) -> NDArray[np.float32]:
    with rasterio.open(shared_data("lisbon/dem_lisbon_eudem25m_3035.tif")) as file:
        return file.read(1, masked=True).filled(np.nan).astype(np.float32)


@pytest.mark.parametrize("city", ["denpasar", "lisbon"])
def test_a_city_s_water_is_kept_and_fills_to_pyflwdir_s_level(city: str, request: pytest.FixtureRequest) -> None:
    z = request.getfixturevalue(city)
    filled, _ = pyflwdir.dem.fill_depressions(z, nodata=np.nan)
    d = find_depressions(z, 25.0)
    depth = pond(d, FLOOD_OF_NOAH_MM).depth_m
    single = 2.0**-24 * np.nanmax(np.abs(z))  # it adds depth to height in float32
    assert np.allclose(depth, filled - z.astype(float), rtol=0, atol=single, equal_nan=True)
    assert np.array_equal(depth, fill_depressions(z) - z.astype(float), equal_nan=True)
    sea = sea_mask(z, 0.0, 1.0, 25.0)
    d, before = find_depressions(z, 25.0, sea), 0.0
    assert (d.area_m2 > 0).all()
    assert (np.diff(d.rain_to_fill_mm[d.spill_order]) >= 0).all()
    for rain_mm in (1.0, 30.0, 150.0, 1000.0):
        p = pond(d, rain_mm)
        assert p.rain_m3 == pytest.approx((np.isfinite(z) & ~sea).sum() * 625.0 * rain_mm / 1000)
        assert abs(p.rain_m3 - p.stored_m3 - p.left_m3) <= 1e-9 * p.rain_m3
        assert p.stored_m3 > before
        before = p.stored_m3
        with_raster = pond(d, np.full(z.shape, rain_mm))
        assert np.allclose(with_raster.depth_m, p.depth_m, rtol=0, atol=1e-9, equal_nan=True)


D = find_depressions(CASCADE, 1.0)
REFUSED: dict[str, Callable[[], object]] = {
    "elevation is 1-D float64": lambda: find_depressions(CASCADE[0], 1.0),
    "elevation is 2-D int64": lambda: find_depressions(CASCADE.astype(np.int64), 1.0),
    "elevation holds infinity": lambda: find_depressions(np.where(CASCADE == WALL, np.inf, CASCADE), 1.0),
    "no known pixel": lambda: find_depressions(CASCADE * np.nan, 1.0),
    "pixel size 0.0 is not": lambda: find_depressions(CASCADE, 0.0),
    r"sea is bool of shape \(2, 7\)": lambda: find_depressions(CASCADE, 1.0, np.zeros((2, 7), bool)),
    "sea is int64": lambda: find_depressions(CASCADE, 1.0, np.zeros((3, 7), np.int64)),
    "rain -1.0 mm": lambda: pond(D, -1.0),
    "rain nan mm": lambda: pond(D, NAN),
    r"rain is float64 of shape \(7,\)": lambda: pond(D, CASCADE[0]),
    "rain is int64 of shape": lambda: pond(D, CASCADE.astype(np.int64)),
    "negative or not finite on land": lambda: pond(D, np.full(CASCADE.shape, NAN)),
}


@pytest.mark.parametrize("problem", REFUSED)
def test_wrong_input_is_refused_with_one_line(problem: str) -> None:
    with pytest.raises(ContractError, match=problem) as refused:
        REFUSED[problem]()
    assert "\n" not in str(refused.value)
