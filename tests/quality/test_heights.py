"""Faults planted in an elevation are found, at their place and no others."""

from __future__ import annotations

import numpy as np
import pytest

from spatial.quality.heights import HeightFault, height_faults

PIXEL_M = 30.0


def rolling(seed: int = 3) -> np.ndarray:
    """A hilly surface, 30 m pixels, with the correlated noise of a satellite's elevation (about 2 m)."""
    rows, columns = np.mgrid[0:160, 0:160] * PIXEL_M
    hills = 80 + 60 * np.sin(rows / 700) * np.cos(columns / 900)
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 2.0, (162, 162))
    return hills + (noise[:-2, :-2] + noise[1:-1, 1:-1] + noise[2:, 2:]) / np.sqrt(3)


def found(values: np.ndarray, kind: str, inside: np.ndarray | None = None) -> list[HeightFault]:
    everywhere = np.ones(values.shape, dtype=bool)
    faults = height_faults(values, PIXEL_M, everywhere if inside is None else inside)
    return [fault for fault in faults if fault.kind == kind]


@pytest.mark.parametrize("seed", range(5))
def test_a_surface_without_faults_has_none(seed: int) -> None:
    values = rolling(seed)
    assert height_faults(values, PIXEL_M, np.ones(values.shape, dtype=bool)) == []


def test_a_spike_a_pit_a_lake_and_a_hole_are_found_and_nothing_else() -> None:
    values = rolling()
    values[40, 50] += 200.0
    values[100, 120] -= 50.0
    values[60:75, 90:110] = 41.5
    values[130:134, 20:26] = np.nan
    (spike,), (pit,), (lake,), (hole,) = (found(values, kind) for kind in ("spike", "pit", "flat", "hole"))
    assert len(height_faults(values, PIXEL_M, np.ones(values.shape, dtype=bool))) == 4
    assert (spike.row, spike.column, spike.height_m) == (40, 50, values[40, 50])
    assert (pit.row, pit.column) == (100, 120)
    assert spike.off_m == pytest.approx(200.0, abs=12.0)
    assert pit.off_m == pytest.approx(50.0, abs=12.0)
    assert lake.height_m == 41.5
    assert lake.area_km2 == pytest.approx(15 * 20 * 0.0009)
    assert 60 <= lake.row < 75
    assert 90 <= lake.column < 110
    assert hole.area_km2 == pytest.approx(24 * 0.0009)
    assert np.isnan(hole.height_m)


def test_holes_count_inside_the_area_only() -> None:
    values = rolling()
    values[:, :40] = np.nan
    inside = np.zeros(values.shape, dtype=bool)
    inside[:, 60:] = True
    assert found(values, "hole", inside) == []
    inside[10:12, 38:42] = True
    (hole,) = found(values, "hole", inside)
    assert hole.area_km2 == pytest.approx(4 * 0.0009)


def test_the_sea_at_the_edge_is_no_lake_and_a_lake_inland_is_no_sea() -> None:
    values = rolling()
    values[:, :30] = 0.0
    values[80:100, 80:100] = 0.0
    (sea,), (lake,) = found(values, "sea"), found(values, "flat")
    assert sea.column < 30
    assert 80 <= lake.column < 100


def test_a_small_flat_is_not_told_of() -> None:
    values = rolling()
    values[60:64, 90:94] = 41.5
    assert found(values, "flat") == []


def test_a_wide_block_is_a_hill_not_a_spike() -> None:
    values = rolling()
    values[60:80, 60:80] += 60.0
    assert found(values, "spike") == []


def test_all_unknown() -> None:
    values = np.full((20, 20), np.nan)
    (hole,) = height_faults(values, PIXEL_M, np.ones(values.shape, dtype=bool))
    assert hole.kind == "hole"
