"""Lists of items, best first, and what is left of them once some items may not stay."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


@dataclass(frozen=True, eq=False)
class Ranking:
    """The best items of n users.

    items: (n, k) int32, best first, padded with -1 at the end.
    scores: (n, k) float32, padded with -inf.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def empty(cls, n: int, k: int) -> Self:
        """n lists with nothing in them, to be filled."""
        return cls(np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32))

    def put(
        self,
        rows: NDArray[np.integer] | np.integer | slice,
        items: NDArray[np.int32],
        scores: NDArray[np.floating],
    ) -> None:
        """Fill the lists of ``rows`` with items and scores (n, m), m at most k; or one list, (m,)."""
        width = items.shape[-1]
        self.items[rows, :width] = items
        self.scores[rows, :width] = scores


def contained(items: NDArray[np.int32], matrix: csr_matrix) -> NDArray[np.bool_]:
    """Which of each row's items are stored in the same row of ``matrix``.

    Args:
        items: (n, k), -1 for none; matrix: (n, n_items).

    Returns:
        (n, k) bool, False where an item is -1.
    """
    n, n_items = matrix.shape
    rows = np.repeat(np.arange(n, dtype=np.int64), np.diff(matrix.indptr))
    stored = np.sort(rows * n_items + matrix.indices)
    asked = np.arange(n, dtype=np.int64)[:, np.newaxis] * n_items + items
    if len(stored) == 0:
        return np.zeros(items.shape, np.bool_)
    place = np.minimum(np.searchsorted(stored, asked), len(stored) - 1)
    found: NDArray[np.bool_] = (stored[place] == asked) & (items >= 0)
    return found


def keep_first(ranking: Ranking, keep: NDArray[np.bool_], k: int) -> Ranking:
    """The first k of each row's items that ``keep`` (n, m) marks, their order unchanged."""
    order = np.argsort(~keep, axis=1, kind="stable")[:, :k]
    kept = np.take_along_axis(keep, order, axis=1)
    result = Ranking.empty(len(ranking), k)
    items = np.where(kept, np.take_along_axis(ranking.items, order, axis=1), -1)
    result.put(slice(None), items, np.where(kept, np.take_along_axis(ranking.scores, order, axis=1), -np.inf))
    return result
