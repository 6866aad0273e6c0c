"""Coast: dykes and hollows by hand, connection against labelled regions, backwater in closed form, Denpasar's shore."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy.ndimage import label

from spatial.errors import ContractError
from spatial.flood.coast import (
    TideParameters,
    connection_level_m,
    hand_at_tide,
    hours_flooded,
    inundation,
    inundation_at,
    tide_level_m,
    tide_problem,
)
from spatial.flood.terrain import (
    TerrainParameters,
    analyse,
    fill_depressions,
    flow_accumulation,
    flow_direction,
    flow_order,
    hand,
    sea_mask,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
NAN, INF = float("nan"), float("inf")

# The sea in the west; in column 2 a dyke of 3 m with a gate of 1.5 m; behind it low ground, a ridge of 4 m, a hollow.
DYKE = np.array(
    [
        [-1.0, 0.5, 3.0, 1.0, 4.0],
        [-1.0, 0.5, 3.0, 1.0, 4.0],
        [-1.0, 0.5, 1.5, 1.0, 4.0],
        [-1.0, 0.5, 3.0, 4.0, 4.0],
        [-1.0, 0.5, 3.0, 4.0, -2.0],
    ]
)
SEA = np.tile(np.arange(5) == 0, (5, 1))
LEVELS = (0.0, 0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 7.0, 8.0)
HEIGHTS = st.sampled_from([NAN, -1.0, 0.0, 0.5, 1.0, 1.25, 2.0, 3.75, 7.0])


@st.composite
def coasts(draw: st.DrawFn) -> tuple[Array, Mask]:
    """A raster and a sea anywhere in it, on unknown pixels too."""
    z = draw(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=HEIGHTS))
    return z, draw(arrays(np.bool_, z.shape, elements=st.sampled_from([True, False, False, False])))


def labelled(z: Array, sea: Mask, level: float) -> Mask:
    """Oracle: ground below the level in the same 8-connected region as the sea."""
    regions, _ = label((z < level) | sea, np.ones((3, 3)))
    return np.isin(regions, np.unique(regions[sea])) & (regions > 0) & ~sea


# The sea over land


def test_a_dyke_a_gate_and_a_hollow_by_hand() -> None:
    expected = [
        [NAN, 0.5, 3.0, 1.5, 4.0],
        [NAN, 0.5, 3.0, 1.5, 4.0],
        [NAN, 0.5, 1.5, 1.5, 4.0],
        [NAN, 0.5, 3.0, 4.0, 4.0],
        [NAN, 0.5, 3.0, 4.0, 4.0],
    ]
    assert np.array_equal(connection_level_m(DYKE, SEA), expected, equal_nan=True)


def test_at_the_height_of_the_gate_the_land_is_dry_and_above_it_is_not() -> None:
    at = inundation(DYKE, SEA, 1.5)
    assert np.flatnonzero(at.flooded).tolist() == [1, 6, 11, 16, 21]  # the foreshore alone
    assert (at.depth_m[:, 1] == 1.0).all()
    assert (at.depth_m[:, 2:] == 0.0).all()
    assert np.isnan(at.depth_m[SEA]).all()
    above = inundation(DYKE, SEA, 1.75)
    assert np.flatnonzero(above.flooded).tolist() == [1, 3, 6, 8, 11, 12, 13, 16, 21]
    assert above.depth_m[2, 1:4].tolist() == [1.25, 0.25, 0.75]
    assert above.depth_m[4, 4] == 0.0  # the hollow at -2 m


def test_a_wall_must_be_closed_at_its_corners() -> None:
    z = np.array([[-1.0, 1.0, 5.0], [-1.0, 5.0, 1.0], [-1.0, 5.0, 5.0]])
    assert connection_level_m(z, z < 0)[1, 2] == 1.0
    z[0, 1] = 5.0
    assert connection_level_m(z, z < 0)[1, 2] == 5.0


def test_unknown_ground_is_not_crossed_but_a_sea_of_unknown_height_is_sea() -> None:
    z = np.array([[NAN, 1.0, NAN, 1.0]])
    assert np.array_equal(connection_level_m(z, np.array([[True, False, False, False]])), [[NAN, 1, NAN, INF]], True)
    assert np.array_equal(connection_level_m(z, np.zeros(z.shape, bool)), [[NAN, INF, NAN, INF]], True)


def test_noise_in_the_sea_does_not_hold_the_tide_back() -> None:
    z = np.array([[-3.0, 9.0, 0.5, 2.0]])
    assert connection_level_m(z, np.array([[True, True, False, False]]))[0, 2:].tolist() == [0.5, 2.0]


@settings(max_examples=200)
@given(coasts())
def test_flooded_is_below_and_connected_at_every_level(case: tuple[Array, Mask]) -> None:
    z, sea = case
    connection = connection_level_m(z, sea)
    assert np.array_equal(np.isnan(connection), np.isnan(z) | sea)
    for level in LEVELS:
        found = inundation(z, sea, level)
        assert np.array_equal(found.flooded, labelled(z, sea, level))
        assert np.array_equal(found.flooded, connection < level)
        assert np.array_equal(found.depth_m[found.flooded], (level - z)[found.flooded])
        assert np.array_equal(found.flooded, np.nan_to_num(found.depth_m) > 0)


@settings(max_examples=100)
@given(coasts(), st.floats(-2, 9), st.floats(-2, 9))
def test_a_higher_tide_floods_all_that_a_lower_one_does(case: tuple[Array, Mask], one: float, other: float) -> None:
    z, sea = case
    connection = connection_level_m(z, sea)
    low, high = (inundation_at(z, connection, level) for level in sorted((one, other)))
    assert not (low.flooded & ~high.flooded).any()
    assert not (low.depth_m > high.depth_m).any()


@settings(max_examples=100)
@given(coasts(), st.data())
def test_a_higher_wall_never_lets_more_in(case: tuple[Array, Mask], data: st.DataObject) -> None:
    z, sea = case
    raised = z + data.draw(arrays(np.float64, z.shape, elements=st.sampled_from([0.0, 0.0, 0.5, 4.0])))
    before, after = connection_level_m(z, sea), connection_level_m(raised, sea)
    assert not (after < before).any()


@settings(max_examples=100)
@given(coasts(), st.lists(st.sampled_from(LEVELS), max_size=12))
def test_hours_are_the_levels_that_flood(case: tuple[Array, Mask], series: list[float]) -> None:
    z, sea = case
    counted = np.zeros(z.shape)
    for level in series:
        counted += labelled(z, sea, level) * 0.5
    hours = hours_flooded(connection_level_m(z, sea), np.array(series), 0.5)
    land = ~sea & ~np.isnan(z)
    assert np.array_equal(hours[land], counted[land])
    assert np.isnan(hours[~land]).all()


# Backwater


def valley() -> tuple[Array, Mask]:
    """A river in row 2 that rises 0.5 m a pixel from the sea in the west; its banks lie 2 and 4 m above it."""
    z = 0.5 * np.arange(8)[None, :] + 2.0 * np.abs(np.arange(5) - 2)[:, None]
    z[:, 0] = -1.0
    return z, z < 0


Drained = tuple[Array, NDArray[np.int32], NDArray[np.int32], Mask]


def drained(z: Array, sea: Mask, streams: Mask) -> Drained:
    filled = fill_depressions(z, sea)
    downstream = flow_direction(filled, sea)
    return filled, downstream, flow_order(filled, downstream), streams | sea


def test_head_in_a_valley_in_closed_form() -> None:
    """River in columns 1–7 at 0.5, 1.0, … 3.5 m. At 1.75 m the tide stands in columns 1–3, at 0.5 to 1.5 m."""
    z, sea = valley()
    river = np.zeros(z.shape, bool)
    river[2] = True
    filled, downstream, order, streams = drained(z, sea, river)
    connection = connection_level_m(z, sea)
    assert connection[2, 1:].tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]
    head = hand_at_tide(filled, downstream, order, streams, sea, connection, 1.75)
    surface = np.where(sea, 1.75, z)
    assert (head[streams] == 0).all()
    for r, c in itertools.product((0, 1, 3, 4), range(2, 8)):
        end = r * 8 + c
        while not streams.flat[end]:
            end = int(downstream.flat[end])
        bed = surface.flat[end]
        assert head[r, c] == z[r, c] - (1.75 if end % 8 <= 3 else bed)
    assert (head[1, 5:] == hand(np.where(sea, 0.0, filled), downstream, order, streams)[1, 5:]).all()


def test_ground_below_the_tide_of_its_drain_has_negative_head() -> None:
    """A drain at 0 m joins the sea through a gap in a wall of 9 m; the field at 1 m behind it cannot drain at 2 m."""
    z = np.array([[-1.0, 9.0, 1.0, 9.0], [-1.0, 0.25, 0.5, 9.0], [-1.0, 9.0, 1.0, 9.0]])
    sea, streams = z < 0, z == 0.5
    filled, downstream, order, wet = drained(z, sea, streams | (z == 0.25))
    head = hand_at_tide(filled, downstream, order, wet, sea, connection_level_m(z, sea), 2.0)
    assert (head[0, 2], head[2, 2], head[1, 2]) == (-1.0, -1.0, 0.0)


def test_a_stream_behind_a_sill_keeps_its_head() -> None:
    """The stream runs over a sill of 3 m: a tide of 2 m does not reach it, one of 4 m does."""
    z = np.array([[-1.0, 9.0, 9.0, 9.0], [-1.0, 3.0, 3.0, 5.0], [-1.0, 9.0, 9.0, 9.0]])
    sea = z < 0
    parts = drained(z, sea, z == 3.0)
    connection = connection_level_m(z, sea)
    assert hand_at_tide(*parts, sea, connection, 2.0)[1, 3] == 2.0
    assert hand_at_tide(*parts, sea, connection, 4.0)[1, 3] == 1.0


def test_a_low_stream_that_the_sea_does_not_reach_keeps_its_head() -> None:
    """A wall of 9 m parts it from the sea: the stream at 0.5 m leaves over the eastern edge. The wall counts."""
    z = np.array([[-1.0, 9.0, 9.0, 9.0], [-1.0, 9.0, 1.0, 0.5], [-1.0, 9.0, 9.0, 9.0]])
    sea = z < 0
    parts = drained(z, sea, z == 0.5)
    connection = connection_level_m(z, sea)
    assert hand_at_tide(*parts, sea, connection, 4.0)[1, 2:].tolist() == [0.5, 0.0]
    assert hand_at_tide(*parts, sea, connection, 9.5)[1, 2:].tolist() == [1.0 - 9.5, 0.0]


@settings(max_examples=150)
@given(coasts(), st.integers(0, 6), st.floats(-2, 9), st.floats(-2, 9))
def test_head_never_rises_with_the_tide(case: tuple[Array, Mask], threshold: int, one: float, other: float) -> None:
    z, sea = case[0], case[1] & ~np.isnan(case[0])
    if np.isnan(z).all():
        return
    filled = fill_depressions(z, sea)
    downstream = flow_direction(filled, sea)
    order = flow_order(filled, downstream)
    streams = ((flow_accumulation(downstream, order) >= threshold) & ~np.isnan(z)) | sea
    connection = connection_level_m(z, sea)
    low, high = (
        hand_at_tide(filled, downstream, order, streams, sea, connection, level) for level in sorted((one, other))
    )
    assert np.array_equal(np.isnan(low), np.isnan(high))
    assert not (high > low).any()
    assert (high[streams] == 0).all()


@settings(max_examples=100)
@given(coasts(), st.sampled_from([-1.0, 0.0, 1.0]), st.sampled_from([2.0, 5.0]))
def test_head_at_the_sea_level_is_hand(case: tuple[Array, Mask], sea_level_m: float, threshold_km2: float) -> None:
    z = case[0]
    if np.isnan(z).all():
        return
    terrain = analyse(z, 1000.0, TerrainParameters(threshold_km2, sea_level_m, sea_min_area_km2=1.0))
    connection = connection_level_m(z, terrain.sea)
    parts = (terrain.filled, terrain.downstream, terrain.order, terrain.drainage, terrain.sea, connection)
    assert np.array_equal(hand_at_tide(*parts, sea_level_m), terrain.hand, equal_nan=True)


# Real data


@pytest.fixture(scope="module")
def denpasar(shared_data: Callable[[str], Path]) -> tuple[NDArray[np.float32], Mask]:
    """SRTM of Denpasar in whole metres, about 30 m; the sea is 0 there."""
    with rasterio.open(shared_data("denpasar/dem_denpasar.tif")) as file:
        z = file.read(1).astype(np.float32)
    return z, sea_mask(z, 0.0, 1.0, 30.0)


def test_denpasar_at_0_1_2_and_3_m(denpasar: tuple[NDArray[np.float32], Mask]) -> None:
    z, sea = denpasar
    connection = connection_level_m(z, sea)
    floods = [inundation_at(z, connection, level) for level in (0.0, 1.0, 2.0, 3.0)]
    for level, flood in zip((0.0, 1.0, 2.0, 3.0), floods, strict=True):
        below = (z < level) & ~sea
        assert np.array_equal(flood.flooded, labelled(z, sea, level))
        assert (below & ~flood.flooded).any()  # some ground below the level is not reached
        assert not (flood.flooded & ~below).any()
    assert not floods[0].flooded.any()  # what lies below 0 m and touches the sea is sea
    assert floods[2].flooded.any()
    assert all(not (a.flooded & ~b.flooded).any() for a, b in itertools.pairwise(floods))
    assert ((connection >= z) | np.isnan(connection)).all()


def test_denpasar_loses_head_to_the_tide(denpasar: tuple[NDArray[np.float32], Mask]) -> None:
    z, _ = denpasar
    terrain = analyse(z, 30.0, TerrainParameters())
    connection = connection_level_m(z, terrain.sea)
    parts = (terrain.filled, terrain.downstream, terrain.order, terrain.drainage, terrain.sea, connection)
    heads = [hand_at_tide(*parts, level) for level in (0.0, 1.0, 2.0, 3.0)]
    assert np.array_equal(heads[0], terrain.hand, equal_nan=True)
    assert all(not (high > low).any() for low, high in itertools.pairwise(heads))
    loss = heads[0] - heads[3]
    assert loss[np.isfinite(loss)].max() == 3.0  # land that drains straight into the sea loses the whole tide
    far = np.isfinite(loss) & (terrain.filled > 30)
    assert (loss[far] == 0).mean() > 0.5


# Datum


def test_a_level_is_moved_to_the_datum_of_the_elevation() -> None:
    tide = TideParameters("LAT", -1.5)
    assert tide_level_m(2.75, tide, ("EGM2008",)) == 1.25
    assert tide_level_m(np.array([0.0, 2.0]), tide, ("EGM2008", " egm2008 ")).tolist() == [-1.5, 0.5]
    assert tide_level_m(2.0, TideParameters("EGM2008", 0.0), ("EGM2008",)) == 2.0


PROBLEMS = [
    (TideParameters("LAT", -1.5), (), "elevation.vertical_datum", "is missing"),
    (TideParameters("LAT", -1.5), (None,), "elevation.vertical_datum", "is missing"),
    (TideParameters("LAT", -1.5), ("EGM2008", None), "elevation.vertical_datum", "is missing"),
    (TideParameters("LAT", -1.5), (" ",), "elevation.vertical_datum", "is missing"),
    (TideParameters("LAT", -1.5), ("EGM2008", "EGM96"), "elevation.vertical_datum", "EGM2008, EGM96"),
    (TideParameters(" ", -1.5), ("EGM2008",), "tide.datum", "is empty"),
    (TideParameters("LAT", NAN), ("EGM2008",), "tide.offset_m", "not a number"),
    (TideParameters("EGM2008", 0.5), ("EGM2008",), "tide.offset_m", "both count from EGM2008"),
]


@pytest.mark.parametrize(("tide", "datums", "field", "problem"), PROBLEMS)
def test_without_datums_there_is_no_tide(
    tide: TideParameters, datums: tuple[str | None, ...], field: str, problem: str
) -> None:
    found = tide_problem(tide, datums)
    assert found is not None
    assert found.field == field
    assert problem in found.problem
    with pytest.raises(ContractError, match=f"{field}: .*{problem}.*; {found.hint[:9]}"):
        tide_level_m(1.0, tide, datums)


def test_a_tide_without_an_offset_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="offset_m"):
        TideParameters("LAT")  # type: ignore[call-arg]


FLAT, SHORE = np.zeros((2, 3)), np.zeros((2, 3), bool)
LINKS, ORDER = np.full((2, 3), -1, np.int32), np.arange(6, dtype=np.int32)
REFUSED: dict[str, Callable[[], object]] = {
    "1-D float64": lambda: connection_level_m(np.zeros(3), np.zeros(3, bool)),
    "2-D int16": lambda: connection_level_m(FLAT.astype(np.int16), SHORE),
    "holds infinity": lambda: connection_level_m(np.array([[INF]]), np.array([[True]])),
    "sea is bool of shape": lambda: inundation(FLAT, SHORE[:1], 1.0),
    "sea is int64": lambda: inundation(FLAT, SHORE.astype(np.int64), 1.0),
    "level nan is not finite": lambda: inundation(FLAT, SHORE, NAN),
    "connection level is float32": lambda: inundation_at(FLAT, FLAT.astype(np.float32), 1.0),
    "level inf is not finite": lambda: hand_at_tide(FLAT, LINKS, ORDER, SHORE, SHORE, FLAT, INF),
    "filled is float64 of shape": lambda: hand_at_tide(FLAT[:1], LINKS, ORDER, SHORE, SHORE, FLAT, 1.0),
    "connection level is 1-D": lambda: hours_flooded(np.zeros(2), np.zeros(2)),
    "levels are not": lambda: hours_flooded(FLAT, np.array([NAN])),
    "step of 0 hours": lambda: hours_flooded(FLAT, np.zeros(2), 0),
    "tide levels are not all finite": lambda: tide_level_m(np.array([1.0, NAN]), TideParameters("LAT", 1.0), ("MSL",)),
}


@pytest.mark.parametrize("problem", REFUSED)
def test_wrong_arrays_are_refused_with_one_line(problem: str) -> None:
    with pytest.raises(ContractError, match=problem) as refused:
        REFUSED[problem]()
    assert "\n" not in str(refused.value)
