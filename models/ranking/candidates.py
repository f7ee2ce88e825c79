"""Candidates of many users while a catalogue is searched, and the bounds they set."""

import numpy as np
from numpy.typing import NDArray

MOST_SPARE = 246
"""Candidates kept beyond k; of more, which only ties bring about, the best, ties to the lower item."""
CROWD = 64
"""Candidates beyond 2 k a user, on the average, above which they are thinned out."""

Float64s = NDArray[np.float64]


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
        self._held = self._kept = 0

    @property
    def crowded(self) -> bool:
        """Whether it pays to :meth:`compact`."""
        return self._held > max((CROWD + 2 * self._k) * len(self.bounds), 2 * self._kept)

    def bound(self, rows: NDArray[np.integer], kth_scores: Float64s) -> None:
        """Note the k-th best score that some users have reached."""
        self.bounds[rows] = np.maximum(self.bounds[rows], kth_scores - self._rounding[rows])

    def thresholds(self, rows: NDArray[np.int16]) -> NDArray[np.float32]:
        """The least score that is of interest, (len(rows),); -inf never is."""
        return np.maximum(self.bounds[rows], np.finfo(np.float32).min).astype(np.float32)

    def add(self, rows: NDArray[np.int16], items: NDArray[np.int32], scores: NDArray[np.float32]) -> None:
        """Take candidates, three arrays of the same length."""
        self._parts.append((rows, items, scores))
        self._held += len(rows)

    def compact(self) -> None:
        """Raise the bounds by what was found, and drop what is below them."""
        rows, items, scores = self._best_by_row()
        counts = np.bincount(rows, minlength=len(self.bounds))
        full = np.flatnonzero(counts >= self._k)
        table = np.full((len(full), counts[full].max(initial=0)), -np.inf, np.float32)
        column = np.arange(table.shape[1])
        held = column < counts[full, np.newaxis]
        table[held] = scores[((np.cumsum(counts) - counts)[full, np.newaxis] + column)[held]]
        self.bound(full, kth_best(table, self._k))
        kept = scores >= self.thresholds(rows)
        self._parts = [(rows[kept], items[kept], scores[kept])]
        self._held = self._kept = int(kept.sum())

    def pairs(self) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
        """Every user's candidates: rows, ascending, and items of equal length."""
        self.compact()
        [(rows, items, _)] = self._parts
        return rows, items

    def _best_by_row(self) -> tuple[NDArray[np.int16], NDArray[np.int32], NDArray[np.float32]]:
        """All candidates by user; of those who have too many, the best."""
        rows, items, scores = (np.concatenate(arrays) for arrays in zip(*self._parts, strict=True))
        counts = np.bincount(rows, minlength=len(self.bounds))
        if counts.max(initial=0) > self._most:
            crowd = np.flatnonzero(counts[rows] > self._most)
            crowd = crowd[np.lexsort((items[crowd], -scores[crowd], rows[crowd]))]
            kept = np.ones(len(rows), np.bool_)
            kept[crowd[places_in_row(rows[crowd]) >= self._most]] = False
            rows, items, scores = rows[kept], items[kept], scores[kept]
        order = np.argsort(rows, kind="stable")
        return rows[order], items[order], scores[order]


def places_in_row(rows: NDArray[np.integer]) -> NDArray[np.int64]:
    """How many entries of the same row stand before each; ``rows`` (n,) ascending."""
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    return np.arange(len(rows)) - np.repeat(first, np.diff(first, append=len(rows)))


def kth_best(scores: NDArray[np.float32], k: int) -> Float64s:
    """The k-th best score of each row (n, m), -inf where there are fewer."""
    n, m = scores.shape
    if m < k:
        return np.full(n, -np.inf)
    best: Float64s = np.partition(scores, m - k, axis=1)[:, m - k].astype(np.float64)
    return best
