"""Silence and reporting rates: hand cases, independent sums, planted truth, real reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, diags_array
from scipy.stats import gamma, nbinom, norm, poisson

from spatial.errors import ContractError
from spatial.hexgrid.grid import cells_of_points, disk_matrix
from spatial.hexgrid.reporting import LOG_RATES, NODES, Cells, City, given_block, likelihood, posterior, prior_interval
from spatial.hexgrid.reporting_fit import weighted_points
from spatial.hexgrid.silence import SilenceParameters, chao_bound, misfit_p, reporting_silence
from spatial.sources.cleaning import CleaningParameters
from spatial.sources.duplicates import duplicates

CITY = City(mu=-0.5, sigma=0.8, phi=0.6, level=0.3, s=0.7, psi=0.4, beta=-0.2, w=0.5)


def path(n: int, reach: int = 1) -> csr_array:
    """Return the neighbours of cells in a row."""
    place = np.arange(n)
    return csr_array((abs(place[:, None] - place) <= reach).astype(float))


def town(seed: int, n: int = 150, per_cell: float = 3.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return incidents by reports, exposure, the true share reported, and incidents, of cells in a row.

    Settings are drawn per town; every fifth cell begins a stretch that reports, and suffers, alike.
    """
    rng = np.random.default_rng(seed)
    stretch = np.arange(n) // 5
    log_rate = rng.normal(-0.6, 0.6) + rng.uniform(0.3, 0.8) * (rng.normal(size=n)[stretch] + 0.7 * rng.normal(size=n))
    theta = np.exp(0.4 * rng.normal(size=n)[stretch] + 0.3 * rng.normal(size=n))
    exposure, rate = rng.uniform(0.2, 3.0, n), -np.expm1(-np.exp(log_rate))
    incidents = rng.poisson(theta * exposure * per_cell * n / (theta * exposure * rate).sum())
    counts = np.zeros((n, 4))
    for cell, count in enumerate(incidents):
        reports = rng.poisson(np.exp(log_rate[cell]), count)
        counts[cell] = [(reports == 1).sum(), (reports == 2).sum(), (reports == 3).sum(), (reports > 3).sum()]
    return counts, exposure, rate, incidents


def test_cells_without_neighbours_are_judged_by_themselves() -> None:
    counts = np.array([[40.0, 10.0, 3.0, 1.0]])
    one = reporting_silence(counts, np.array([1000.0]), csr_array((1, 1)))
    assert one.silence[0] == 0.0
    assert 0.0 < one.low[0] < one.reporting_rate[0] < one.high[0] < 1.0
    alone = reporting_silence(np.repeat(counts, 5, axis=0), np.full(5, 1000.0), csr_array((5, 5)))
    assert np.isfinite(alone.reporting_rate).all()


def test_chaos_bound_by_hand() -> None:
    """10 incidents reported once and 4 twice: at least 10 · 9 / (2 · 5) = 9 more, so at most 14 of 23 were reported."""
    assert chao_bound([10, 4, 0, 0]) == pytest.approx(14 / 23)
    assert np.isnan(chao_bound([10, 0, 0, 0]))


def test_misfit_by_hand() -> None:
    """(12 - 10)² / 10 + (8 - 10)² / 10 = 0.8; a chi-square of one degree exceeds it in 2 (1 - Φ(√0.8))."""
    assert misfit_p(np.array([12.0, 8, 0, 0]), np.array([10.0, 10, 0, 0])) == pytest.approx(2 * norm.sf(np.sqrt(0.8)))


def test_shares_are_those_of_a_truncated_negative_binomial() -> None:
    """scipy's distribution, with size 1 / w and mean lambda; Poisson as w goes to 0."""
    for j in (0, 20, 48):
        rate = np.exp(LOG_RATES[j])
        many = nbinom(1 / CITY.w, 1 / (1 + CITY.w * rate))
        shares = np.append(many.pmf([1, 2, 3]), many.sf(3)) / many.sf(0)
        assert np.exp(CITY.log_shares()[:, j]) == pytest.approx(shares, rel=1e-6)
        assert CITY.reported()[j] == pytest.approx(many.sf(0))
    nearly = City(-0.5, 0.8, 0.6, 0.3, 0.7, 0.4, -0.2, 1e-6)
    assert nearly.reported() == pytest.approx(poisson.sf(0, np.exp(LOG_RATES)), rel=1e-4)


def test_a_cells_likelihood_is_the_product_of_its_counts() -> None:
    """Poisson counts of each class, mixed over the cell's gamma part, by scipy's negative binomial and multinomial."""
    counts = np.array([[5.0, 2, 1, 0], [0, 0, 0, 0], [300, 80, 20, 4]])
    cells = Cells(counts, np.array([1.5, 0.7, 40.0]), True)
    table, scale = likelihood(cells, CITY)
    shape = CITY.gamma_shape()
    for c, j, i in [(0, 30, 13), (0, 35, 3), (1, 25, 20), (2, 31, 12), (2, 28, 16)]:
        mean = cells.exposure[c] * CITY.incidence()[j] * CITY.reported()[j] * CITY.block_factor()[i]
        expected = nbinom.logpmf(counts[c].sum(), shape, shape / (shape + mean)) + counts[c] @ CITY.log_shares()[:, j]
        assert np.log(table[c, j, i]) + scale[c] == pytest.approx(expected, rel=1e-5, abs=2e-3)


def test_incidence_is_the_level_at_the_middle_rate() -> None:
    """At mu, incidents per exposure times the share reported are exp(level); beta tilts them."""
    city = City(float(LOG_RATES[30]), 0.8, 0.6, 0.3, 0.7, 0.4, -0.2, 0.5)
    assert city.incidence()[30] * city.reported()[30] == pytest.approx(np.exp(0.3))
    assert city.incidence()[32] / city.incidence()[30] == pytest.approx(np.exp(-0.2 * (LOG_RATES[32] - LOG_RATES[30])))


def test_a_lone_cell_by_an_independent_integral() -> None:
    """Posterior mean of the rate and of silence of one cell without neighbours, by scipy on another grid.

    Without neighbours, block and cell add up: log lambda is normal with variance sigma², log theta's block normal.
    """
    shape, exposure = CITY.gamma_shape(), 2.0
    u, v = np.linspace(-4.5, 3.0, 500)[:, None], np.linspace(-4.5, 4.5, 300)[None, :]
    p = nbinom.sf(0, 1 / CITY.w, 1 / (1 + CITY.w * np.exp(u)))
    at_mu = nbinom.sf(0, 1 / CITY.w, 1 / (1 + CITY.w * np.exp(CITY.mu)))
    mean = exposure * np.exp(CITY.level + CITY.beta * (u - CITY.mu) + np.sqrt(CITY.psi) * CITY.s * v) / at_mu
    none_seen, nothing = nbinom.pmf(0, shape, shape / (shape + mean * p)), nbinom.pmf(0, shape, shape / (shape + mean))
    weight = norm.pdf(u, CITY.mu, CITY.sigma) * norm.pdf(v) * none_seen
    rate, silent = (weight * p).sum() / weight.sum(), (weight * (1 - nothing / none_seen)).sum() / weight.sum()
    cells = Cells(np.zeros((1, 4)), np.array([exposure]), True)
    table = likelihood(cells, CITY)[0]
    found = posterior(cells, table, np.zeros_like(table), CITY)
    assert float(found.log_rates[0] @ CITY.reported()) == pytest.approx(rate, abs=2e-3)
    assert found.silent[0] == pytest.approx(silent, abs=2e-3)


def test_unreported_incidents_are_those_of_the_cells_own_gamma() -> None:
    """The cell's part of theta, gamma given the seen counts, times the unseen mean: by a sum over its quantiles."""
    cells = Cells(np.array([[3.0, 1, 0, 0]]), np.array([2.0]), True)
    table, shape = np.zeros((1, len(LOG_RATES), len(NODES)), np.float32), CITY.gamma_shape()
    table[0, 28, 15] = 1.0
    found = posterior(cells, table, np.zeros_like(table), CITY)
    every = 2.0 * CITY.incidence()[28] * CITY.block_factor()[15]
    part = gamma.ppf((np.arange(20000) + 0.5) / 20000, shape + 4, scale=1 / (shape + every * CITY.reported()[28]))
    assert found.unreported[0] == pytest.approx(every * (1 - CITY.reported()[28]) * part.mean(), rel=1e-3)


def test_blocks_mix_over_the_cells_own_rate() -> None:
    table = np.zeros((1, len(LOG_RATES), len(NODES)), np.float32)
    table[0, 24] = 1.0
    within = norm.pdf(LOG_RATES, LOG_RATES[24], np.sqrt(1 - CITY.phi) * CITY.sigma)
    mixed = np.exp(given_block(table, CITY))[0, :, 5]
    assert mixed[15:34] == pytest.approx(within[15:34] * (LOG_RATES[1] - LOG_RATES[0]), rel=1e-3)


few_cells = st.lists(
    st.tuples(st.tuples(*[st.integers(0, 9)] * 4), st.one_of(st.just(0.0), st.floats(0.01, 100.0))),
    min_size=6,
    max_size=9,
)


@settings(max_examples=8)
@given(few_cells)
def test_what_holds_of_every_city(rows: list[tuple[tuple[int, ...], float]]) -> None:
    counts, exposure = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows])
    found = reporting_silence(counts, exposure, path(len(rows)))
    if counts.sum() < 30:
        assert found.warnings == ("too_few_incidents",)
        assert np.isnan(found.silence).all()
        return
    reports, told = counts.sum(axis=1) > 0, (counts.sum(axis=1) > 0) | (exposure > 0)
    assert (np.isnan(found.silence) == ~told).all()
    assert (np.isnan(found.reporting_rate) == ~told).all()
    assert (found.silence[reports] == 0).all()
    assert ((found.silence[told] >= 0) & (found.silence[told] <= 1)).all()
    assert ((found.low >= 0) & (found.low <= found.reporting_rate) & (found.reporting_rate <= found.high))[told].all()
    assert (found.high[told] <= 1).all()
    assert (found.unreported[exposure > 0] >= 0).all()
    if counts[:, 1:].any():
        assert found.repeats_fitted.sum() == pytest.approx(counts.sum(), rel=1e-4)


def test_the_unit_of_exposure_and_the_diagonal_do_not_matter() -> None:
    counts, exposure, _, _ = town(1, 40)
    one = reporting_silence(counts, exposure, path(40))
    other = reporting_silence(counts, 1000.0 * exposure, path(40) - diags_array(np.ones(40)))
    assert other.silence == pytest.approx(one.silence, abs=1e-3)
    assert other.reporting_rate == pytest.approx(one.reporting_rate, abs=1e-3)


def from_the_prior(seed: int, blocks: int = 8, size: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return counts, exposure, true rates and incidents of a city as the model has it, drawn afresh from its prior."""
    rng = np.random.default_rng(seed)
    mu, sigma, s = rng.normal(-0.58, 0.9), np.exp(rng.normal(np.log(0.6), 0.6)), np.exp(rng.normal(np.log(0.6), 0.6))
    phi, psi = 1 / (1 + np.exp(-rng.normal(0, 1.2, 2)))
    beta, w = rng.normal(0, 0.5), rng.exponential(0.4)
    block = np.repeat(np.arange(blocks), size)
    log_rate = mu + sigma * (
        np.sqrt(phi) * rng.normal(size=blocks)[block] + np.sqrt(1 - phi) * rng.normal(size=len(block))
    )
    shape = 1 / np.expm1((1 - psi) * s**2 + 0.15**2)
    theta = np.exp(beta * (log_rate - mu) + np.sqrt(psi) * s * rng.normal(size=blocks)[block])
    theta *= rng.gamma(shape, 1 / shape, len(block)) * 3 / nbinom.sf(0, 1 / w, 1 / (1 + w * np.exp(mu)))
    exposure = rng.uniform(0.1, 3.0, len(block))
    incidents, counts = rng.poisson(theta * exposure), np.zeros((len(block), 4))
    for cell, count in enumerate(incidents):
        reports = rng.poisson(np.exp(log_rate[cell]) * rng.gamma(1 / w, w, count))
        counts[cell] = [(reports == 1).sum(), (reports == 2).sum(), (reports == 3).sum(), (reports > 3).sum()]
    return counts, exposure, nbinom.sf(0, 1 / w, 1 / (1 + w * np.exp(log_rate))), incidents


def test_intervals_cover_planted_rates_and_silence_happens_as_often_as_it_says() -> None:
    """Over cities drawn from the model's own prior, 90 % intervals hold 90 %: any fault of the arithmetic shows."""
    near = csr_array(np.kron(np.eye(8), np.ones((5, 5))))
    covered, said, happened = [], [], []
    for seed in range(30):
        counts, exposure, rate, incidents = from_the_prior(seed)
        found = reporting_silence(counts, exposure, near)
        if found.warnings == ("too_few_incidents",):
            continue
        covered.append(((found.low <= rate) & (rate <= found.high)).mean())
        none = counts.sum(axis=1) == 0
        said.append(found.silence[none].sum())
        happened.append((incidents[none] > 0).sum())
    assert len(covered) > 24
    assert 0.85 <= np.mean(covered) <= 0.95
    assert np.sum(said) == pytest.approx(np.sum(happened), rel=0.15)


def test_more_repeats_mean_more_reporting_and_less_unreported() -> None:
    """Two halves of a city with the same incidents seen; in one of them half of these were reported again and again."""
    quiet, keen = np.array([[6.0, 0, 0, 0]] * 20), np.array([[2.0, 2, 1, 1]] * 20)
    found = reporting_silence(np.vstack([quiet, keen]), np.ones(40), path(40, 2))
    assert found.high[5] < found.reporting_rate[34]
    assert found.unreported[:20].mean() > 2 * found.unreported[20:].mean()


def test_neighbours_tell_what_a_cell_does_not() -> None:
    """Two cells without a report and with hardly any exposure, one among cells that repeat, one not."""
    counts, exposure = np.array([[6.0, 0, 0, 0]] * 20 + [[2.0, 2, 1, 1]] * 20), np.ones(40)
    counts[[10, 30]], exposure[[10, 30]] = 0, 0.001
    found = reporting_silence(counts, exposure, path(40, 2))
    assert found.reporting_rate[30] > found.reporting_rate[10] + 0.2


def test_the_order_of_the_cells_does_not_matter() -> None:
    """Blocks that are cliques part alike in any order."""
    counts, exposure, _, _ = from_the_prior(7)
    near = np.kron(np.eye(8), np.ones((5, 5)))
    order = np.arange(40).reshape(8, 5).T.ravel()
    one = reporting_silence(counts, exposure, csr_array(near))
    other = reporting_silence(counts[order], exposure[order], csr_array(near[np.ix_(order, order)]))
    assert other.reporting_rate == pytest.approx(one.reporting_rate[order], abs=0.01)


def test_points_have_the_moments_of_a_posterior_known_otherwise() -> None:
    """Counts of Poisson means exp(2 t): the first coordinate by a sum over a fine grid, the others are their prior."""
    counts = np.array([1.0, 0, 2, 0, 1])
    points, weights = weighted_points(lambda point: poisson.logpmf(counts, np.exp(2 * point[0])))
    grid = np.linspace(-5, 5, 2001)
    density = norm.pdf(grid) * np.exp(poisson.logpmf(counts[:, None], np.exp(2 * grid)).sum(axis=0))
    mean = (grid * density).sum() / density.sum()
    spread = np.sqrt(((grid - mean) ** 2 * density).sum() / density.sum())
    assert weights @ points[:, 0] == pytest.approx(mean, abs=0.15 * spread)
    assert np.sqrt(weights @ (points[:, 0] - mean) ** 2) == pytest.approx(spread, rel=0.2)
    assert np.sqrt((weights @ points[:, 1:] ** 2).mean()) == pytest.approx(1.0, abs=0.1)


def test_more_exposure_without_a_report_is_more_silent() -> None:
    counts, exposure, _, _ = town(3, 60)
    counts[30], exposure[30] = 0, 0.01
    small = reporting_silence(counts, exposure, path(60)).silence[30]
    exposure[30] = 3.0
    assert small < 0.2 < reporting_silence(counts, exposure, path(60)).silence[30]


def test_without_repeats_it_says_so_and_stays_near_its_belief() -> None:
    counts, exposure, _, _ = town(4, 60)
    counts = np.column_stack([counts.sum(axis=1), np.zeros((60, 3))])
    found = reporting_silence(counts, exposure, path(60))
    low, high = prior_interval()
    assert (found.basis, found.warnings) == ("counts", ("no_repeats",))
    assert (found.high - found.low).mean() > 0.7 * (high - low)


def test_repeats_that_were_cut_off_are_noticed() -> None:
    counts, exposure, _, _ = town(5, 120, per_cell=12.0)
    assert reporting_silence(counts, exposure, path(120)).warnings == ()
    counts[:, 1] += counts[:, 2:].sum(axis=1)
    counts[:, 2:] = 0
    assert reporting_silence(counts, exposure, path(120)).warnings == ("repeats_do_not_fit",)


def test_without_exposure_repeats_alone_tell() -> None:
    counts, _, _, _ = town(6, 60)
    found = reporting_silence(counts, np.zeros(60), path(60))
    reports = counts.sum(axis=1) > 0
    assert found.basis == "repeats"
    assert np.isnan(found.unreported).all()
    assert np.isfinite(found.reporting_rate[reports]).all()
    assert np.isnan(found.silence[~reports]).all()


def test_what_is_not_as_promised_is_refused() -> None:
    counts, exposure = np.ones((3, 4)), np.ones(3)
    with pytest.raises(ContractError, match=r"shape \(3, 3\)"):
        reporting_silence(counts[:, :3], exposure, path(3))
    with pytest.raises(ContractError, match=r"neighbours have shape \(4, 4\), not \(3, 3\)"):
        reporting_silence(counts, exposure, path(4))
    with pytest.raises(ContractError, match="whole numbers"):
        reporting_silence(counts * 0.5, exposure, path(3))
    with pytest.raises(ContractError, match="exposure must be finite"):
        reporting_silence(counts, -exposure, path(3))
    with pytest.raises(ContractError, match="not symmetric"):
        reporting_silence(counts, exposure, csr_array(np.triu(np.ones((3, 3)))))
    with pytest.raises(ContractError, match=r"interval is 1\.0"):
        reporting_silence(counts, exposure, path(3), SilenceParameters(interval=1.0))


def test_lisbons_rate_is_below_chaos_bound(shared_data: Callable[[str], Path]) -> None:
    """Incidents of Lisbon, exposure alike: the share reported stays below Chao's bound, which needs no model."""
    reports = gpd.read_file(shared_data("lisbon/reports_na_minha_rua.geojson"))
    plane = reports.to_crs(32629).geometry
    xy = np.column_stack([plane.x, plane.y])
    names = [f"{i:06d}" for i in range(len(reports))]
    first = duplicates(xy, ["any"] * len(reports), np.full(len(reports), np.nan), names, CleaningParameters())
    place, size = np.unique(first, return_counts=True)
    cell = cells_of_points(reports.geometry.x[place], reports.geometry.y[place], 8)
    cells = sorted(set(cell))
    counts = np.zeros((len(cells), 4))
    np.add.at(counts, (np.searchsorted(cells, cell), np.minimum(size, 4) - 1), 1)
    found = reporting_silence(counts, np.ones(len(cells)), disk_matrix(cells))
    assert counts.sum() == len(place)
    whole = counts.sum() / (counts.sum() + found.unreported.sum())
    assert 0.3 * found.chao_high < whole < found.chao_high
    assert found.warnings == ()
