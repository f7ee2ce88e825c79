"""How far a mean over users might have come out otherwise, had other users been drawn."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 1000

_BATCH_VALUES = 2_000_000


def mean_intervals(
    values: NDArray[np.float64],
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> NDArray[np.float64]:
    """The percentile bootstrap of means: B. Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979.

    Users are drawn with replacement; all rows share a draw.

    Args:
        values: (m, n), m metrics of n users, n at least 1.

    Returns:
        (m, 2): below and above which (1 - confidence) / 2 of the means fall.
    """
    m, n = values.shape
    numbers = np.random.default_rng(seed)
    by_user = np.ascontiguousarray(values.T)
    means = np.empty((resamples, m))
    rows = max(1, _BATCH_VALUES // n)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = numbers.integers(0, n, (size, n))
        drawn += np.arange(size)[:, np.newaxis] * n
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        means[start : start + size] = times.astype(np.float64) @ by_user / n
    tail = (1 - confidence) / 2
    return np.quantile(means, [tail, 1 - tail], axis=0).T
