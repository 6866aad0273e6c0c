"""Streams and catchments: by hand, by property, on a real DEM."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spatial.flood.streams import catchments, stream_segments
from spatial.flood.terrain import Terrain, TerrainParameters, analyse


def terrain(z: np.ndarray, threshold_pixels: float) -> Terrain:
    """A terrain of 1 km pixels, so that areas in km² count pixels."""
    return analyse(
        np.asarray(z, float), 1000.0, TerrainParameters(stream_threshold_km2=threshold_pixels, sea_min_area_km2=1e9)
    )


def test_two_brooks_that_meet_by_hand() -> None:
    """A Y of valleys: two arms of three pixels run into one stem that leaves at the bottom."""
    z = np.full((7, 7), 50.0)
    for r, c, height in ((1, 1, 9), (2, 2, 8), (1, 5, 9), (2, 4, 8), (3, 3, 7), (4, 3, 6), (5, 3, 5), (6, 3, 4)):
        z[r, c] = height
    flat = {(r, c): 7 * r + c for r in range(7) for c in range(7)}
    found = [s.pixels.tolist() for s in stream_segments(terrain(z, 4))]
    stems = [path for path in found if flat[5, 3] in path]
    assert stems == [[flat[3, 3], flat[4, 3], flat[5, 3], flat[6, 3]]]
    assert sorted(path[-1] for path in found if path not in stems) == [flat[3, 3], flat[3, 3]]


surfaces = arrays(np.float64, (9, 9), elements=st.integers(0, 20).map(float))


@settings(max_examples=60, deadline=None)
@given(surfaces, st.integers(1, 12))
def test_segments_follow_the_flow_and_cover_the_streams(z: np.ndarray, threshold: int) -> None:
    t = terrain(z, threshold)
    segments = stream_segments(t)
    downstream = t.downstream.ravel()
    steps = [(int(a), int(b)) for s in segments for a, b in zip(s.pixels[:-1], s.pixels[1:], strict=True)]
    assert all(downstream[a] == b for a, b in steps)
    assert len(steps) == len(set(steps))
    flowing = {int(p) for p in np.flatnonzero((t.drainage & ~t.sea).ravel()) if downstream[p] >= 0}
    assert {a for a, _ in steps} == flowing
    for s in segments:
        assert s.upstream_area_km2 == pytest.approx(t.upstream_area_km2.ravel()[s.pixels[-2]])


@settings(max_examples=60, deadline=None)
@given(surfaces)
def test_catchments_partition_the_land(z: np.ndarray) -> None:
    t = terrain(z, 5)
    labels, outlets = catchments(t, 0.0)
    assert (labels > 0).all()
    sizes = np.bincount(labels.ravel())[1:]
    assert sizes.tolist() == pytest.approx(t.upstream_area_km2.ravel()[outlets].tolist())
    for pixel in range(z.size):
        at = pixel
        while t.downstream.ravel()[at] >= 0:
            at = int(t.downstream.ravel()[at])
        assert outlets[labels.ravel()[pixel] - 1] == at


def test_denpasar_streams_carry_their_threshold(shared_data) -> None:
    with rasterio.open(shared_data("denpasar/dem_denpasar.tif")) as source:
        t = analyse(source.read(1).astype(float), 30.0, TerrainParameters())
    segments = stream_segments(t)
    assert len(segments) > 50
    assert min(s.upstream_area_km2 for s in segments) >= 1.0
    labels, outlets = catchments(t, 1.0)
    assert np.bincount(labels.ravel())[1:] * 900 / 1e6 == pytest.approx(t.upstream_area_km2.ravel()[outlets])
