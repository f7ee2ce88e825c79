"""Candidates of many users while a catalogue is searched, and the bounds they set."""

import numpy as np
from numpy.typing import NDArray

MOST_SPARE = 246
"""Candidates kept beyond k; of more, which only ties bring about, the best, ties to the lower item."""
CROWD = 64
"""Candidates beyond 2 k a user, on the average, above which they are thinned out."""

Float64s = NDArray[np.float64]
Rows = NDArray[np.integer] | np.integer


class Candidates:
    """What may be in the lists of n users: items with their float32 scores.

    rounding: (n,), what a score may be off; a candidate stays while it is less than that below the k-th best.
    """

    def __init__(self, n: int, k: int, rounding: Float64s) -> None:
        self.bounds: Float64s = np.full(n, -np.inf)
        self._k = k
        self._most = k + MOST_SPARE
        self._rounding = rounding
        self._parts: list[tuple[NDArray[np.int16], NDArray[np.int32], NDArray[np.float32]]] = []
        self._held = 0

    @property
    def crowded(self) -> bool:
        """Whether it pays to :meth:`compact`."""
        return self._held > (CROWD + 2 * self._k) * len(self.bounds)

    def bound(self, rows: NDArray[np.integer], kth_scores: Float64s) -> None:
        """Note the k-th best score that some users have reached."""
        self._raise(rows, kth_scores)

    def thresholds(self, rows: NDArray[np.int16]) -> NDArray[np.float32]:
        """The least score that is of interest, (len(rows),); -inf never is."""
        return np.maximum(self.bounds[rows], np.finfo(np.float32).min).astype(np.float32)

    def add(self, rows: NDArray[np.int16], items: NDArray[np.int32], scores: NDArray[np.float32]) -> None:
        """Take candidates, three arrays of the same length."""
        self._parts.append((rows, items, scores))
        self._held += len(rows)

    def compact(self) -> None:
        """Raise the bounds by what was found, and drop what is below them."""
        rows, items, scores = self._by_row()
        counts = np.bincount(rows, minlength=len(self.bounds))
        starts = np.cumsum(counts) - counts
        # A user with a great many candidates would make the table wide for all.
        usual = np.flatnonzero((counts >= self._k) & (counts <= self._most))
        table = np.full((len(usual), counts[usual].max(initial=0)), -np.inf, np.float32)
        column = np.arange(table.shape[1])
        held = column < counts[usual, np.newaxis]
        table[held] = scores[(starts[usual, np.newaxis] + column)[held]]
        self._raise(usual, kth_best(table, self._k))
        for row in np.flatnonzero(counts > self._most):
            own = scores[np.newaxis, starts[row] : starts[row] + counts[row]]
            self._raise(row, kth_best(own, self._k)[0])
        kept = scores >= self.thresholds(rows)
        self._parts = [(rows[kept], items[kept], scores[kept])]
        self._held = int(kept.sum())

    def pairs(self) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
        """Every user's candidates: rows, ascending, and items of equal length."""
        self.compact()
        [(rows, items, scores)] = self._parts
        counts = np.bincount(rows, minlength=len(self.bounds))
        starts = np.cumsum(counts) - counts
        kept = np.ones(len(rows), np.bool_)
        for row in np.flatnonzero(counts > self._most):
            own = slice(starts[row], starts[row] + counts[row])
            kept[own][np.lexsort((items[own], -scores[own]))[self._most :]] = False
        return rows[kept], items[kept]

    def _raise(self, rows: Rows, kth_scores: Float64s | np.float64) -> None:
        self.bounds[rows] = np.maximum(self.bounds[rows], kth_scores - self._rounding[rows])

    def _by_row(self) -> tuple[NDArray[np.int16], NDArray[np.int32], NDArray[np.float32]]:
        rows, items, scores = (np.concatenate(arrays) for arrays in zip(*self._parts, strict=True))
        order = np.argsort(rows, kind="stable")
        return rows[order], items[order], scores[order]


def kth_best(scores: NDArray[np.float32], k: int) -> Float64s:
    """The k-th best score of each row (n, m), -inf where there are fewer."""
    n, m = scores.shape
    if m < k:
        return np.full(n, -np.inf)
    best: Float64s = np.partition(scores, m - k, axis=1)[:, m - k].astype(np.float64)
    return best
