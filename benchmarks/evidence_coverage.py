"""How often the 90 % intervals of relative risk hold the truth, on simulated cities.

    python benchmarks/evidence_coverage.py             # 40 seeds a row
    python benchmarks/evidence_coverage.py --seeds 5

Cities of 1,200 cells in a grid of 40 by 30, whose expected reports differ from cell to cell (gamma of shape 1) around
the mean of the row. True relative risks: `gamma`, as the model has them (variance 0.5); `lognormal` and `two levels` (a
fifth of the cells ten times the others), as it has not; `patches`, gamma and correlated over some three cells. Methods:
the city as prior, with its spread estimated by moments (Marshall 1991) or averaged over (`relative_risk`), and the
neighbours as prior (`local_relative_risk`). Printed: share of cells covered, with the 5 % and 95 % quantiles over the
cities; the same of the cells with reports; and the root mean square error of the estimate.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array
from scipy.stats import gamma, norm

from spatial.hexgrid.statistics import RelativeRisk, local_relative_risk, relative_risk

Array = NDArray[np.float64]
ROWS, COLUMNS = 40, 30
MEANS = (0.03, 0.1, 0.3, 1.0, 5.0)
LEVEL = 0.9


def patches(rng: np.random.Generator) -> Array:
    """Return gamma risks of variance 0.5, correlated over some three cells."""
    field = gaussian_filter(rng.normal(size=(ROWS, COLUMNS)), 1.5, mode="wrap").ravel()
    return np.asarray(gamma.ppf(norm.cdf(field / field.std()), 2.0, scale=0.5), dtype=float)


TRUTHS: dict[str, Callable[[np.random.Generator], Array]] = {
    "gamma": lambda rng: rng.gamma(2.0, 0.5, ROWS * COLUMNS),
    "lognormal": lambda rng: np.exp(rng.normal(-0.5, 1.0, ROWS * COLUMNS)),
    "two levels": lambda rng: np.where(rng.random(ROWS * COLUMNS) < 0.2, 10.0, 1.0) / 2.8,
    "patches": patches,
}


def neighbours() -> csr_array:
    """Return the 0/1 matrix of each cell of the grid, the eight around it and itself."""
    row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
    near = (np.abs(row[:, None] - row) <= 1) & (np.abs(column[:, None] - column) <= 1)
    return csr_array(near.astype(float))


def by_moments(counts: Array, expected: Array) -> RelativeRisk:
    """Return relative risks with the one shape that Marshall's moments give."""
    e = expected * counts.sum() / expected.sum()
    excess = (e * (counts / e - 1.0) ** 2).sum() / e.sum() - len(e) / e.sum()
    k = min(max(1.0 / excess, 1e-3), 1e6) if excess > 0 else 1e6
    low, high = gamma.ppf([[(1 - LEVEL) / 2], [(1 + LEVEL) / 2]], k + counts, scale=1.0 / (k + e))
    return RelativeRisk((k + counts) / (k + e), low, high, k)


def rows(seeds: int) -> pd.DataFrame:
    """Return one row per truth, mean, method and city."""
    weights, found = neighbours(), []
    methods: dict[str, Callable[[Array, Array], RelativeRisk]] = {
        "city, moments": by_moments,
        "city": lambda y, e: relative_risk(y, e, LEVEL),
        "neighbours": lambda y, e: local_relative_risk(y, e, weights, LEVEL),
    }
    for name, draw in TRUTHS.items():
        for mean in MEANS:
            for seed in range(seeds):
                rng = np.random.default_rng(seed)
                expected = mean * (0.05 + 0.95 * rng.gamma(1.0, 1.0, ROWS * COLUMNS))
                risk = draw(rng)
                counts = rng.poisson(risk * expected).astype(float)
                truth = risk * expected.sum() / (risk @ expected)
                for method, estimate in methods.items():
                    got = estimate(counts, expected)
                    inside = (got.low <= truth) & (truth <= got.high)
                    error = float(np.sqrt(np.mean((got.mean - truth) ** 2)))
                    found.append((name, mean, method, inside.mean(), inside[counts > 0].mean(), error))
    return pd.DataFrame(found, columns=["truth", "mean", "method", "covered", "reported", "rmse"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40)
    groups = rows(parser.parse_args().seeds).groupby(["truth", "mean", "method"], sort=False)
    table = groups[["covered", "reported", "rmse"]].mean()
    table.insert(1, "p5", groups["covered"].quantile(0.05))
    table.insert(2, "p95", groups["covered"].quantile(0.95))
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
