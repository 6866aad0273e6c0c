"""Esri's classes of a series of hot, cold and other steps: new, consecutive, intensifying … historical."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial.contracts.enumerations import COLD_CLASSES, HOT_CLASSES, NO_PATTERN

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def classify(hot: Flags, cold: Flags, trend: Ints, with_cold: bool = False) -> NDArray[np.object_]:
    """Return Esri's class of each series of hot, cold and other steps.

    Parameters
    ----------
    hot, cold : (n, steps) bool, oldest step first, never both.
    trend : (n,) int64, sign of the trend of Gi* where it is significant, else 0.
    with_cold : give the cold classes too, where no hot one fits.

    Returns
    -------
    (n,) object of str. "Most" is at least ninety per cent of the steps:

    - `new`: hot in the last step, never before;
    - `consecutive`: hot in the last two or more steps, never before, and not in most;
    - `intensifying`, `persistent`, `diminishing`: hot in most and in the last, with a rising, no, a falling trend;
    - `sporadic`: hot in some but not in most, never cold, and none of the above;
    - `oscillating`: hot in the last step but not in most, cold before, and none of the above;
    - `historical`: hot in most, not in the last;
    - `no_pattern`: none of these.

    The cold classes are the same with hot and cold, and rising and falling, in each other's place.

    Notes
    -----
    Esri's table is read from top to bottom, where a series would fit two lines: new and consecutive go before
    oscillating. But persistent, which does not name the last step there, leaves what is not hot in it to historical.
    """
    classes = _classes(hot, cold, trend, HOT_CLASSES)
    if with_cold:
        classes = np.where(classes == NO_PATTERN, _classes(cold, hot, -trend, COLD_CLASSES), classes)
    return classes


def _classes(hot: Flags, cold: Flags, trend: Ints, names: tuple[str, ...]) -> NDArray[np.object_]:
    steps, count, last, ever_cold = hot.shape[1], hot.sum(axis=1), hot[:, -1], cold.any(axis=1)
    run = np.where(hot.all(axis=1), steps, np.argmin(hot[:, ::-1], axis=1))  # hot steps at the end
    most = 10 * count >= 9 * steps
    fits = (
        last & (count == 1),
        last & (count == run) & ~most,
        most & last & (trend > 0),
        most & last & (trend == 0),
        most & last & (trend < 0),
        ~most & (count > 0) & ~ever_cold,
        ~most & last & ever_cold,
        most & ~last,
    )
    return np.select(fits, [np.array(name, dtype=object) for name in names], NO_PATTERN).astype(object)
