"""Emerging hot spots: a series per class straight from its definition, each definition read again, planted cities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial.errors import ContractError
from spatial.hexgrid.emerging import Emergence, EmergingParameters, emerging_hot_spots
from spatial.hexgrid.hot_classes import COLD_CLASSES, HOT_CLASSES, NO_PATTERN, classify
from spatial.hexgrid.statistics import getis_ord_gi_star, standardised_rates
from spatial.hexgrid.trend import mann_kendall
from tests.hexgrid.test_permutations import hexagons

QUICK = EmergingParameters(permutations=19_999)
DISK = hexagons(6)  # 127 cells
MIDDLE = int(np.argmax((DISK @ DISK @ DISK).sum(axis=1)))  # far from the rim


def series(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the hot and the cold steps of a series, h hot, c cold."""
    steps = np.array(list(text))[None, :]
    return steps == "h", steps == "c"


def class_of(text: str, trend: int = 0, with_cold: bool = False) -> str:
    return str(classify(*series(text), np.array([trend]), with_cold)[0])


@pytest.mark.parametrize(
    ("steps", "trend", "expected"),
    [
        ("..........", 1, NO_PATTERN),
        (".........h", 0, "new"),
        ("..c......h", 0, "new"),  # never hot before
        (".......hhh", 0, "consecutive"),
        ("..hhhhhhhh", 1, "consecutive"),  # eight of ten are less than ninety per cent
        ("hhhhh.hhhh", 1, "intensifying"),
        ("hhhhhhhhhh", 1, "intensifying"),
        ("hhhhhhhhhh", 0, "persistent"),
        ("h.hhhhhhhh", 0, "persistent"),
        ("hhhhhchhhh", 0, "persistent"),
        (".hhhhhhhhh", 0, "persistent"),  # ninety per cent: too many for consecutive
        ("hhhhhhhhhh", -1, "diminishing"),
        ("h..h.....h", 0, "sporadic"),
        ("...hh.....", 0, "sporadic"),  # on again, then off again
        ("hhhhhhhh..", 0, "sporadic"),
        ("h.c......h", 0, "oscillating"),
        ("hhhhhhch.h", 1, "oscillating"),
        ("hhhhhhhhh.", 0, "historical"),
        ("hhhhhhhhh.", -1, "historical"),
        ("hhhhhhhhhc", 0, "historical"),
        ("h.c.......", 0, NO_PATTERN),  # cold before and not hot at the end
        ("..cccc....", 0, NO_PATTERN),
    ],
)
def test_each_class_by_its_definition(steps: str, trend: int, expected: str) -> None:
    assert class_of(steps, trend) == expected
    if "c" not in steps:
        mirrored = class_of(steps.replace("h", "c"), -trend, with_cold=True)
        assert mirrored == (f"{expected}_cold" if expected != NO_PATTERN else NO_PATTERN)


def test_ninety_per_cent_of_twelve_steps_are_eleven() -> None:
    assert class_of("hhhhhhhhhhh.") == "historical"
    assert class_of("hhhhhhhhhh..") == "sporadic"


def read_again(text: str, trend: int) -> set[str]:
    """Return all classes whose published definition a series fits, one sentence each, in plain loops."""
    hot = [step == "h" for step in text]
    cold = [step == "c" for step in text]
    share = sum(hot) / len(hot)
    fits = set()
    if hot[-1] and not any(hot[:-1]):
        fits.add("new")
    run = len(text) - len(text.rstrip("h"))
    if run >= 2 and not any(hot[: len(hot) - run]) and share < 0.9:
        fits.add("consecutive")
    if share >= 0.9 and hot[-1] and trend > 0:
        fits.add("intensifying")
    if share >= 0.9 and trend == 0:
        fits.add("persistent")
    if share >= 0.9 and hot[-1] and trend < 0:
        fits.add("diminishing")
    if 0 < share < 0.9 and not any(cold):
        fits.add("sporadic")
    if hot[-1] and any(cold[:-1]) and share < 0.9:
        fits.add("oscillating")
    if not hot[-1] and share >= 0.9:
        fits.add("historical")
    return fits


@settings(max_examples=400)
@given(st.text("hhhc.", min_size=10, max_size=24), st.sampled_from([-1, 0, 1]))
def test_every_series_gets_one_class_and_fits_it(text: str, trend: int) -> None:
    """The first that fits in the order of the published table, but historical before persistent."""
    order = [name for name in HOT_CLASSES if name not in ("historical", "persistent")]
    order.insert(2, "historical")
    order.append("persistent")
    fits = read_again(text, trend)
    assert class_of(text, trend) == next((name for name in order if name in fits), NO_PATTERN)


@given(st.text("hhcc.", min_size=10, max_size=24), st.sampled_from([-1, 0, 1]))
def test_cold_classes_never_replace_a_hot_one(text: str, trend: int) -> None:
    plain, both = class_of(text, trend), class_of(text, trend, with_cold=True)
    assert both == plain or (plain == NO_PATTERN and both in COLD_CLASSES)


def city(
    means: np.ndarray, seed: int, parameters: EmergingParameters = QUICK, exposure: np.ndarray | None = None
) -> Emergence:
    """Return the classes of a city with these mean counts per cell and step, in incidents on the ground."""
    counts = np.random.default_rng(seed).poisson(means)
    cell, step = np.nonzero(counts)
    repeats = counts[cell, step]
    age = (means.shape[1] - 1 - np.repeat(step, repeats)) * parameters.step_days + 3.0
    record = means.shape[1] * parameters.step_days
    return emerging_hot_spots(
        np.repeat(cell, repeats),
        age,
        record,
        np.ones(len(means)) if exposure is None else exposure,
        DISK,
        parameters,
        seed,
    )


NEAR = DISK[[MIDDLE]].nonzero()[1]


def planted(factor: np.ndarray) -> np.ndarray:
    """Return means of one incident per cell and step, times a factor by step in the middle seven cells."""
    means = np.ones((127, 12))
    means[NEAR] *= factor
    return means


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (np.r_[np.ones(11), 15.0], "new"),
        (np.r_[np.ones(8), np.full(4, 12.0)], "consecutive"),
        (np.linspace(8.0, 60.0, 12), "intensifying"),
        (np.linspace(60.0, 8.0, 12), "diminishing"),
        (np.r_[np.full(11, 25.0), 0.0], "historical"),
        (np.r_[12.0, 1.0, 1.0, 1.0, 12.0, 1.0, 1.0, 1.0, 12.0, 1.0, 1.0, 12.0], "sporadic"),
    ],
)
def test_planted_hot_spots_get_their_class(factor: np.ndarray, expected: str) -> None:
    """Without lag, since a lag lets the step before count for the last one."""
    found = city(planted(factor), 3, replace(QUICK, lag_steps=0, permutations=99_999))
    assert found.classes[MIDDLE] == expected
    far = np.setdiff1d(np.arange(127), DISK[NEAR].nonzero()[1])
    assert (found.classes[far] == NO_PATTERN).mean() > 0.9


def test_a_lasting_hot_spot_is_persistent_with_a_lag_too() -> None:
    """In a tenth of the cities at most, within three binomial errors of 60, a trend is called by chance."""
    steady = np.ones((127, 13))
    steady[NEAR] *= 20.0
    classes = [city(steady, seed, replace(QUICK, permutations=1_999)).classes[MIDDLE] for seed in range(60)]
    assert set(classes) <= {"persistent", "intensifying", "diminishing"}
    assert classes.count("persistent") / 60 >= 0.9 - 3 * np.sqrt(0.1 * 0.9 / 60)


def test_a_wet_season_and_cells_that_are_always_high_are_no_hot_spots() -> None:
    """Uneven exposure, two seasons, cells that differ for good: any bin hot in at most 10 % of 50 cities."""
    season, any_hot = np.r_[np.full(6, 0.2), np.full(7, 4.0)], []
    for seed in range(50):
        rng = np.random.default_rng(1_000 + seed)
        exposure = np.exp(rng.normal(size=127))
        means = (exposure * rng.gamma(1.0, 1.0, 127))[:, None] * season
        found = city(means, seed, QUICK, exposure)
        any_hot.append(bool(((found.q <= 0.10) & (found.z > 0)).any()))
    assert np.mean(any_hot) <= 0.10 + 3 * np.sqrt(0.1 * 0.9 / 50)


def test_bins_are_hot_spots_of_two_months_and_the_trend_is_of_single_ones() -> None:
    """The last of ten classed steps by its own incidents and those of the step before, written out."""
    rng = np.random.default_rng(9)
    cell, age = rng.integers(0, 127, 4_000), rng.uniform(0, 330, 4_000)
    found = emerging_hot_spots(cell, age, 330.0, np.ones(127), DISK, QUICK, 1)
    both, newest = (np.bincount(cell[age < days], minlength=127).astype(float) for days in (60, 30))
    assert found.z[:, -1] == pytest.approx(getis_ord_gi_star(standardised_rates(both, np.ones(127)), DISK))
    oldest = np.bincount(cell[age >= 270], minlength=127).astype(float)
    assert found.z[:, 0] == pytest.approx(getis_ord_gi_star(standardised_rates(oldest, np.ones(127)), DISK))
    steps = np.column_stack(
        [np.bincount(cell[(age // 30) == k], minlength=127).astype(float) for k in range(9, -1, -1)]
    )
    assert (steps[:, -1] == newest).all()
    alone = np.column_stack([getis_ord_gi_star(standardised_rates(s, np.ones(127)), DISK) for s in steps.T])
    s, p = mann_kendall(alone)
    assert (found.trend_s == s).all()
    assert found.trend_p == pytest.approx(p)


def test_a_lone_peak_in_a_calm_ring_is_neither_hot_nor_cold() -> None:
    """By z high, as Gi* counts the cell itself; by its neighbours, which never report where all others do, low."""
    means = np.full((127, 13), 6.0)
    means[NEAR] = 0.0
    means[MIDDLE] = 200.0
    found = city(means, 1, replace(QUICK, cold=True, permutations=99_999))
    assert (found.z[MIDDLE] > 0).all()
    assert (found.q[MIDDLE] <= 0.10).all()
    assert found.classes[MIDDLE] == NO_PATTERN


def test_a_calm_quarter_is_cold_when_asked() -> None:
    means = np.full((127, 13), 6.0)
    means[DISK[NEAR].nonzero()[1]] = 0.0
    parameters = replace(QUICK, permutations=99_999)
    assert city(means, 1, replace(parameters, cold=True)).classes[MIDDLE] == "persistent_cold"
    assert city(means, 1, parameters).classes[MIDDLE] == NO_PATTERN


def test_too_little_data_say_so() -> None:
    cell, age, exposure = np.zeros(100, dtype=np.int64), np.linspace(0, 350, 100), np.ones(127)
    short = emerging_hot_spots(cell, age, 299.0, exposure, DISK, QUICK, 1)
    assert (short.reason, set(short.classes), short.z.shape) == ("short_record", {None}, (127, 8))
    few = emerging_hot_spots(cell[:20], age[:20], 390.0, exposure, DISK, QUICK, 1)
    assert (few.reason, set(few.classes), few.z.shape) == ("few_incidents", {None}, (127, 12))
    assert emerging_hot_spots(cell, age, 330.0, exposure, DISK, QUICK, 1).z.shape == (127, 10)
    assert emerging_hot_spots(cell, age, 300.0, exposure, DISK, replace(QUICK, lag_steps=0), 1).z.shape == (127, 10)


def test_what_lies_outside_the_steps_does_not_count_and_the_last_step_is_the_newest() -> None:
    """Exposure in all cells but one; ages at the edges of the steps: 0 and 29.9 newest, 30 before, 359.9 oldest."""
    exposure = np.ones(127)
    exposure[5] = 0.0
    cell = np.repeat(np.array([MIDDLE, 7, 8, 9, 5, 9]), 40)
    age = np.repeat(np.array([29.9, 30.0, 359.9, 360.0, 1.0, np.nan]), 40)
    found = emerging_hot_spots(cell, age, 400.0, exposure, DISK, replace(QUICK, lag_steps=0), 1)
    assert found.classes[5] is None
    assert np.isnan(found.z[5]).all()
    assert np.isnan(found.trend_p[5])
    for at, step in ((MIDDLE, 11), (7, 10), (8, 0)):
        assert np.nanargmax(found.z[:, step]) in DISK[[at]].nonzero()[1]
    assert np.isnan(found.z[:, 1:10]).all()  # nothing happened in the whole city


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": np.array([0, 127])}, "cell must be 0 to 126"),
        ({"cell": np.array([0.0, 1.0])}, r"cell is float64 of \(2,\), expected int64 of \(2,\)"),
        ({"age_days": np.array([0.0])}, r"age_days is float64 of \(1,\), expected float64 of \(2,\)"),
        ({"exposure": np.full(127, np.nan)}, "exposure must be finite"),
        ({"parameters": EmergingParameters(steps=9)}, "steps is 9: out of range"),
        ({"neighbours": DISK[:5]}, r"neighbours are \(5, 127\), expected \(127, 127\)"),
        ({"parameters": EmergingParameters(permutations=0)}, "permutations is 0: out of range"),
        ({"parameters": EmergingParameters(lag_steps=-1)}, "lag_steps is -1: out of range"),
    ],
)
def test_what_is_not_as_said_is_refused(change: dict[str, Any], message: str) -> None:
    given = {
        "cell": np.array([0, 1]),
        "age_days": np.array([0.0, 1.0]),
        "record_days": 400.0,
        "exposure": np.ones(127),
        "neighbours": DISK,
        "parameters": QUICK,
        "seed": 1,
    }
    with pytest.raises(ContractError, match=message):
        emerging_hot_spots(**{**given, **change})
