"""Which lamp a report is about: in closed form, by enumeration, and on simulated reports of one lamp."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.sparse import csr_array
from scipy.stats import norm

from spatial.errors import ContractError
from spatial.lighting.snapping import fewest_lamps, reach_m, rounding_half_m, snap

SIGMA = 7.0
ROW = np.column_stack([np.arange(9) * 22.0, np.zeros(9)])  # lamps 22 m apart, as in Kediri


def snapped(points: np.ndarray, half: float | np.ndarray = 0.0, lamps: np.ndarray = ROW, sd: float = 0.0):
    halves = np.broadcast_to(half, points.shape).astype(float)
    return snap(points, halves, SIGMA, lamps, np.full(len(lamps), sd), 30.0, 100.0)


def test_rounding_by_hand() -> None:
    """A ten-thousandth of a degree of latitude is 11.1 m; a degree of longitude at 60° is half as long."""
    half = rounding_half_m(np.array([4, 3, 4]), np.array([0.0, 0.0, 60.0]))
    assert half == pytest.approx(np.array([[5.566, 5.566], [55.66, 55.66], [2.783, 5.566]]))
    assert reach_m(half, 30.0, 100.0) == pytest.approx([37.87, 100.0, 36.22], abs=0.01)


def test_weights_in_closed_form() -> None:
    """Without rounding the odds of two lamps are exp of the difference of squares over 2 σ²."""
    points = np.array([[11.0, 3.0], [5.0, 0.0], [0.0, 200.0]])
    found = snapped(points, lamps=ROW[:2])
    odds = np.exp((17.0**2 - 5.0**2) / (2 * SIGMA**2))
    assert found.weights.toarray() == pytest.approx(
        np.array([[0.5, 0.5], [odds / (1 + odds), 1 / (1 + odds)], [0.0, 0.0]])
    )
    assert found.lamp.tolist() == [0, 0, -1]
    assert found.probability[1] == pytest.approx(odds / (1 + odds))
    assert np.isnan(found.probability[2])


@settings(max_examples=30)
@given(st.floats(-40.0, 40.0), st.floats(0.001, 60.0), st.floats(0.0, 20.0))
def test_a_rounded_place_has_the_normal_density_averaged_over_the_rounding(x: float, half: float, sd: float) -> None:
    found = snapped(np.array([[x, 0.0]]), half, lamps=np.array([[0.0, 0.0]]), sd=sd)
    if found.lamp[0] < 0:
        assert abs(x) > 30.0
        return
    scale = np.hypot(SIGMA, sd)

    def mean(at: float) -> float:
        return quad(lambda u: norm.pdf(u, scale=scale), at - half, at + half)[0] / (2 * half)

    assert found.likelihood.toarray()[0, 0] == pytest.approx(np.log(mean(x) * mean(0.0)), abs=1e-3)


def test_four_decimals_cannot_tell_lamps_22_m_apart_for_certain() -> None:
    rng = np.random.default_rng(1)
    true = np.full(2000, 4)
    place = ROW[true] + rng.normal(0, SIGMA, (2000, 2))
    unit = 11.132
    rounded = np.round(place / unit) * unit
    found = snapped(rounded, unit / 2)
    hit = found.lamp == true
    assert (found.probability < 0.99).mean() > 0.5
    assert 0.8 < hit.mean() < 0.95
    # calibrated: of reports that are told to be right with p, a share p is
    assert found.probability.mean() == pytest.approx(hit.mean(), abs=3 * np.sqrt(0.25 / 2000))
    unsure = found.probability < 0.8
    assert found.probability[unsure].mean() == pytest.approx(hit[unsure].mean(), abs=3 * np.sqrt(0.25 / unsure.sum()))


@pytest.mark.parametrize("rounded", [False, True])
def test_one_lamp_reported_from_several_places_is_one_dark_lamp(rounded: bool) -> None:
    """Five reports of one lamp: the nearest lamps are three or more in one case of twenty, the fewest hardly ever."""
    rng = np.random.default_rng(2)
    nearest, fewest = [], []
    for _ in range(400):
        places = ROW[4] + rng.normal(0, SIGMA, (5, 2))
        unit = 11.132
        places = np.round(places / unit) * unit if rounded else places
        found = snapped(places, unit / 2 if rounded else 0.0)
        nearest.append(len(set(found.lamp)))
        fewest.append(len(set(fewest_lamps(found.likelihood, 0.05))))
    three = norm.sf(11.0 / SIGMA)  # of a report beyond the half gap on one side; both sides within five reports:
    expected = 1 - 2 * (1 - three) ** 5 + (1 - 2 * three) ** 5
    if not rounded:
        assert (np.array(nearest) >= 3).mean() == pytest.approx(expected, abs=3 * np.sqrt(expected / 400))
    assert (np.array(nearest) >= 3).mean() > 0.03
    assert (np.array(fewest) >= 3).mean() <= 0.01
    assert (np.array(fewest) == 1).mean() > 0.85


def test_three_dark_lamps_in_a_row_stay_three() -> None:
    found = snapped(np.array([[44.0, 2.0], [66.0, -3.0], [88.0, 1.0]]))
    assert fewest_lamps(found.likelihood, 0.05).tolist() == [2, 3, 4]


@st.composite
def likelihoods(draw: st.DrawFn) -> csr_array:
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    value = st.one_of(st.just(0.0), st.integers(-800, -1).map(lambda v: v / 100.0))
    return csr_array(np.array(draw(st.lists(st.lists(value, min_size=m, max_size=m), min_size=n, max_size=n))))


def cost(likelihood: csr_array, dark: set[int], price: float) -> float:
    """Return what a set of dark lamps costs; infinite if it does not explain every report that has a lamp."""
    total = price * len(dark)
    for i in range(likelihood.shape[0]):
        own = dict(
            zip(
                *(
                    part[likelihood.indptr[i] : likelihood.indptr[i + 1]]
                    for part in (likelihood.indices, likelihood.data)
                ),
                strict=True,
            )
        )
        if own:
            total += max(own.values()) - max((own[lamp] for lamp in dark if lamp in own), default=-np.inf)
    return total


@settings(max_examples=60)
@given(likelihoods(), st.sampled_from([0.01, 0.05, 0.3]))
def test_the_fewest_lamps_against_all_subsets(likelihood: csr_array, share: float) -> None:
    """Never dearer than the best lamps; no subset of them is better than by the steps it may have missed."""
    price = np.log((1 - share) / share)
    explains = fewest_lamps(likelihood, share)
    rows = np.diff(likelihood.indptr) > 0
    assert ((explains >= 0) == rows).all()
    best = {int(likelihood[[i]].tocsr().indices[np.argmax(likelihood[[i]].tocsr().data)]) for i in np.flatnonzero(rows)}
    dark = set(explains[rows].tolist())
    assert dark <= best
    ours = cost(likelihood, dark, price)
    assert ours <= cost(likelihood, best, price) + 1e-9
    without_one = [cost(likelihood, dark - {lamp}, price) for lamp in dark if len(dark) > 1]
    assert all(ours <= other + 1e-9 for other in without_one)  # no lamp is left that should be given up
    optimum = min(
        cost(likelihood, set(s), price)
        for s in chain.from_iterable(combinations(best, k) for k in range(len(best) + 1))
    )
    assert ours <= optimum + price * len(best)


def test_the_fewest_lamps_are_mostly_the_optimum() -> None:
    rng = np.random.default_rng(3)
    price, same = np.log(19.0), 0
    for _ in range(100):
        points = ROW[rng.integers(2, 7, 5)] + rng.normal(0, 10.0, (5, 2))
        likelihood = snapped(points).likelihood
        dark = set(fewest_lamps(likelihood, 0.05).tolist()) - {-1}
        every = chain.from_iterable(combinations(range(9), k) for k in range(6))
        optimum = min(cost(likelihood, set(s), price) for s in every)
        same += cost(likelihood, dark, price) <= optimum + 1e-9
    assert same >= 90


def test_the_cheapest_lamp_goes_first_also_when_costs_have_grown() -> None:
    """W goes at 0.1. X, at 0.5 before, now costs 1.9, so Y goes next, at 1.5, and X explains all; not the other way."""
    w, x, y = [-1.0, -1.1, -1.2], [-1.5, -1.0, -2.8], [0.0, -2.5, -1.0]  # of the lamps W, X, Y; 0 is out of reach
    assert fewest_lamps(csr_array(np.array([w, x, y])), 0.05).tolist() == [1, 1, 1]


@settings(max_examples=30)
@given(likelihoods())
def test_with_even_odds_and_no_price_the_best_lamp_explains(likelihood: csr_array) -> None:
    explains = fewest_lamps(likelihood, 1.0)
    for i in np.flatnonzero(np.diff(likelihood.indptr)):
        own = slice(likelihood.indptr[i], likelihood.indptr[i + 1])
        assert explains[i] == min(zip(-likelihood.data[own], likelihood.indices[own], strict=True))[1]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ContractError, match="dark_share must be in"):
        fewest_lamps(csr_array((1, 1)), 0.0)
    with pytest.raises(ContractError, match="sigma_m must be above 0"):
        snap(ROW, np.zeros_like(ROW), 0.0, ROW, np.zeros(9), 30.0, 100.0)
    with pytest.raises(ContractError, match=r"half_m must be \(9, 2\)"):
        snap(ROW, np.zeros((9, 1)), 1.0, ROW, np.zeros(9), 30.0, 100.0)
    assert snap(np.empty((0, 2)), np.empty((0, 2)), 1.0, ROW, np.zeros(9), 30.0, 100.0).lamp.tolist() == []
    assert snap(ROW, np.zeros_like(ROW), 1.0, np.empty((0, 2)), np.empty(0), 30.0, 100.0).lamp.tolist() == [-1] * 9
