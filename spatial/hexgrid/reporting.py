"""How often incidents are reported: the model behind `silence`, summed over a grid. Plain arrays, nothing checked.

An incident in cell c gets N ~ Poisson(lambda_c G) reports, G being gamma of mean 1 and variance w (some incidents draw
more reports than others), and is seen if N >= 1. Incidents happen at the rate theta_c per unit of exposure x_c. Seen
incidents with k reports are then Poisson(theta_c x_c P(N = k)), independent over k: how they split over k tells
lambda_c, and how many they are tells theta_c P(N >= 1).

    log lambda_c = mu + block + cell        variance sigma^2, of which the block (a cell and its neighbours) has phi
    log theta_c  = beta (log lambda_c - mu) + block + cell + constant        variance s^2, of which the block has psi

beta lets places that report more have more incidents, or fewer. The cell's own part of theta is gamma and integrated in
closed form (negative binomial); the rest is summed over nodes of log lambda and of the block's part of log theta. The
tables are in single precision: half the time, and an error of about 1e-4 of a likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, expit, gammaln
from scipy.stats import norm, qmc

Array = NDArray[np.float64]
Table = NDArray[np.float32]
LOG_RATES = np.linspace(-6.0, 3.0, 49)  # nodes of log lambda: from 0.2 % to all of the incidents are reported
NODES = np.linspace(-3.25, 3.25, 27)  # of the block's part of log theta, in its standard deviations
LEAST_CELL_SD = 0.15  # of the cell's own part of log theta: incidence is never known better; keeps NODES dense enough
LEAST_SPREAD = 0.05  # of log lambda between blocks or in one: below it the nodes are too far apart
MOST_SPREAD = 4.0  # of log lambda and of log theta: a guard against overflow, far out in the prior
TINY = 1e-30

# Mean and standard deviation of the normal prior of each coordinate of a city (ours). mu and the spread between cells
# make the rate at which incidents are reported about uniform before any data. The spreads of log lambda and log theta
# are a factor of 1.8, give or take as much; the shares of the blocks about uniform; between places, incidence may rise
# or fall with the square root of reporting. The last stands for an exponential w of mean 0.4: incidents may be alike
# (w = 0), or their reports may differ as in a negative binomial of shape 1.
PRIOR = np.array(
    [
        (-0.58, 0.9),  # mu
        (np.log(0.6), 0.6),  # log sigma
        (0.0, 1.2),  # logit phi
        (0.0, 1.0),  # log of seen incidents per exposure, relative to the city's crude rate
        (np.log(0.6), 0.6),  # log s
        (0.0, 1.2),  # logit psi
        (0.0, 0.5),  # beta
        (0.0, 1.0),  # w
    ]
)
MEAN_W, LEAST_W = 0.4, 1e-4


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """Incidents by number of reports (1, 2, 3, 4 or more), (n, 4); exposure, (n,); whether the split over k counts."""

    by_reports: Array
    exposure: Array
    uses_repeats: bool

    @property
    def incidents(self) -> Array:
        """Return the incidents of each cell, (n,)."""
        return np.asarray(self.by_reports.sum(axis=1), dtype=float)

    def take(self, rows: NDArray[np.int64]) -> Cells:
        """Return the cells at `rows`."""
        return Cells(self.by_reports[rows], self.exposure[rows], self.uses_repeats)

    def log_crude_rate(self) -> float:
        """Return the log of the city's incidents per unit of exposure; 0 where no cell has exposure."""
        known = self.exposure > 0
        total = float(self.incidents[known].sum())
        return float(np.log(max(total, 0.5) / self.exposure.sum())) if known.any() else 0.0


@dataclass(frozen=True, slots=True)
class City:
    """What all cells share; see the module. `level` is the log of seen incidents per unit of exposure at mu."""

    mu: float
    sigma: float
    phi: float
    level: float
    s: float
    psi: float
    beta: float
    w: float

    @classmethod
    def at(cls, point: Array, log_crude_rate: float) -> City:
        """Return the city at a point whose 8 coordinates are standard normal in the prior."""
        mu, sigma, phi, level, s, psi, beta, w = (float(v) for v in PRIOR[:, 0] + PRIOR[:, 1] * point)
        return cls(
            mu,
            min(float(np.exp(sigma)), MOST_SPREAD),
            float(expit(phi)),
            log_crude_rate + level,
            min(float(np.exp(s)), MOST_SPREAD),
            float(expit(psi)),
            beta,
            float(exponential(w)),
        )

    def gamma_shape(self) -> float:
        """Return the shape of the cell's own part of theta."""
        return float(1.0 / np.expm1((1.0 - self.psi) * self.s**2 + LEAST_CELL_SD**2))

    def reported(self) -> Array:
        """Return P(N >= 1) at LOG_RATES; (49,)."""
        return np.asarray(-np.expm1(-np.log1p(self.w * np.exp(LOG_RATES)) / self.w), dtype=float)

    def log_shares(self) -> Array:
        """Return log P(N = k | N >= 1) for k = 1, 2, 3 and 4 or more at LOG_RATES; (4, 49)."""
        w, odds = self.w, 1.0 / (np.exp(-LOG_RATES) + self.w)
        one = (1.0 - self.reported()) * odds
        two = one * odds * (1.0 + w) / 2.0
        three = two * odds * (1.0 + 2.0 * w) / 3.0
        more = betainc(4.0, 1.0 / w, w * odds)
        return np.asarray(np.log(np.maximum([one, two, three, more], TINY)) - np.log(self.reported()), dtype=float)

    def incidence(self) -> Array:
        """Return incidents per unit of exposure at LOG_RATES, the block's and the cell's part left out; (49,)."""
        at_mu = np.interp(self.mu, LOG_RATES, self.reported())
        return np.asarray(np.exp(self.level + self.beta * (LOG_RATES - self.mu)) / at_mu, dtype=float)

    def block_factor(self) -> Array:
        """Return the block's part of theta at NODES; (27,)."""
        return np.asarray(np.exp(np.sqrt(self.psi) * self.s * NODES), dtype=float)

    def block_prior(self) -> Table:
        """Return the prior of a block over both grids, which sums to 1; (49, 27)."""
        spread = max(np.sqrt(self.phi) * self.sigma, LEAST_SPREAD)
        prior = np.outer(np.exp(-0.5 * ((LOG_RATES - self.mu) / spread) ** 2), np.exp(-0.5 * NODES**2))
        return np.asarray(prior / max(prior.sum(), TINY), dtype=np.float32)

    def within_block(self) -> Table:
        """Return the distribution of a cell's log lambda (columns) given its block's (rows); (49, 49)."""
        spread = max(np.sqrt(1.0 - self.phi) * self.sigma, LEAST_SPREAD)
        kernel = np.exp(-0.5 * ((LOG_RATES[:, None] - LOG_RATES[None, :]) / spread) ** 2)
        return np.asarray(kernel / kernel.sum(axis=1, keepdims=True), dtype=np.float32)


def exponential(point: Array | float) -> Array:
    """Return w at a standard normal coordinate."""
    return np.asarray(np.maximum(-MEAN_W * norm.logsf(point), LEAST_W), dtype=float)


def prior_interval(level: float = 0.9) -> tuple[float, float]:
    """Return the central interval of a cell's reporting rate in a city of which nothing is known, by the priors above.

    By 4,096 quasi-random points; about as wide as that of a uniform distribution.
    """
    z = norm.ppf(qmc.Sobol(4, rng=np.random.default_rng(0)).random(4096))
    mu, log_sigma = (PRIOR[:2, 0] + PRIOR[:2, 1] * z[:, :2]).T
    w = exponential(z[:, 2])
    rates = -np.expm1(-np.log1p(w * np.exp(mu + np.exp(log_sigma) * z[:, 3])) / w)
    low, high = np.quantile(rates, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def likelihood(cells: Cells, city: City) -> tuple[Table, Array]:
    """Return each cell's likelihood given its log lambda and its block's theta, (n, 49, 27), and the log of its scale.

    Each table is divided by its maximum, whose logarithm is the scale, (n,). A cell without exposure tells of lambda
    alone. The negative binomial is written relative to its maximum, so that large counts lose no digits.
    """
    y, shape, known = cells.incidents, city.gamma_shape(), cells.exposure > 0
    table = np.zeros((len(y), len(LOG_RATES), len(NODES)), dtype=np.float32)
    scale = np.zeros(len(y))
    if known.any():
        rate = np.outer(city.incidence() * city.reported(), city.block_factor())
        table[known] = _log_counts(y[known], cells.exposure[known], rate, shape)
        scale[known] = gammaln(shape + y[known]) - gammaln(shape) - gammaln(y[known] + 1.0) + _log_best(y[known], shape)
    if cells.uses_repeats:
        table += (cells.by_reports @ city.log_shares()).astype(np.float32)[:, :, None]
    top = table.max(axis=(1, 2))
    return np.exp(table - top[:, None, None]), scale + top


def _log_counts(y: Array, exposure: Array, rate: Array, shape: float) -> Table:
    """Return the log of the negative binomial relative to its value at a mean of y (1 where y is 0)."""
    best = np.maximum(y, 1.0)
    log_mean = (np.log(rate)[None] + np.log(exposure / best)[:, None, None]).astype(np.float32)
    counts, both, slope, rest = (
        v.astype(np.float32)[:, None, None] for v in (y, shape + y, best / (shape + y), shape / (shape + y))
    )
    relative = np.exp(np.minimum(log_mean, np.float32(60.0))) * slope + rest
    return np.asarray(counts * log_mean - both * np.log(relative), dtype=np.float32)


def _log_best(y: Array, shape: float) -> Array:
    """Return what `_log_counts` left out of the log of the negative binomial's kernel."""
    return np.asarray(shape * np.log(shape) + y * np.log(np.maximum(y, 1.0)) - (shape + y) * np.log(shape + y))


def given_block(table: Table, city: City) -> Table:
    """Return each cell's log likelihood given its block's log lambda and theta: summed over the cell's own lambda."""
    mixed = np.matmul(city.within_block(), table)
    return np.asarray(np.log(np.maximum(mixed, np.float32(TINY))), dtype=np.float32)


@dataclass(frozen=True, eq=False, slots=True)
class Posterior:
    """Of each cell: distribution of log lambda (n, 49); unreported incidents expected and P(some, none seen), (n,)."""

    log_rates: Array
    unreported: Array
    silent: Array


def posterior(cells: Cells, table: Table, around: Table, city: City) -> Posterior:
    """Return what is known of each cell after its own reports and its neighbours'.

    Parameters
    ----------
    table : (n, 49, 27) as `likelihood` gives it.
    around : (n, 49, 27) log likelihood of the neighbours' reports given the block's log lambda and theta.

    Notes
    -----
    Given lambda and the block's theta, the cell's own part of theta is gamma with its counts, so that unseen incidents
    are negative binomial: their mean is m (1 - p) (a + y) / (a + m p), and there is none at all with the probability
    ((a + m p) / (a + m))^(a + y), with m incidents expected, p of them reported, y seen and a the shape.
    """
    y, shape = cells.incidents, np.float32(city.gamma_shape())
    prior = np.exp(around - around.max(axis=(1, 2), keepdims=True)) * city.block_prior()
    joint = np.matmul(city.within_block().T, prior) * table
    joint /= np.maximum(joint.sum(axis=(1, 2), keepdims=True), np.float32(TINY))
    expected = np.outer(city.incidence(), city.block_factor()).astype(np.float32)
    every = cells.exposure.astype(np.float32)[:, None, None] * expected
    hidden = every * (1.0 - city.reported()).astype(np.float32)[:, None]
    seen = shape + every - hidden
    unreported = (joint * hidden / seen).sum(axis=(1, 2), dtype=float) * (shape + y)
    silent, none = np.zeros(len(y)), y == 0
    something = -np.expm1(-shape * np.log1p(hidden[none] / seen[none]))
    silent[none] = (joint[none] * something).sum(axis=(1, 2))
    return Posterior(joint.sum(axis=2, dtype=float), unreported, silent)
