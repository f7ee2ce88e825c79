"""The one ranker: top-k of vectors or of score blocks, what was seen left out, ties to the lower index."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.floating]
ScoreBlock = Callable[[slice], Floats]
"""Scores of a slice of the rows asked for, (rows, n_items); -inf where an item is no candidate."""

BLOCK_BYTES = 64 * 2**20
"""Memory one block of scores may take, its temporary copies included."""

_BYTES_PER_SCORE = 16
_SPARE_CANDIDATES = 8


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


@dataclass(frozen=True, eq=False)
class Vectors:
    """What a model with vectors is ranked by: score(u, i) = users[u] · items[i] + biases[i].

    users: (n_users, n_factors) float32; items: (n_items, n_factors) float32;
    biases: (n_items,) float32 or None.
    """

    users: NDArray[np.float32]
    items: NDArray[np.float32]
    biases: NDArray[np.float32] | None = None


def rank_vectors(
    vectors: Vectors,
    users: NDArray[np.integer],
    k: int,
    *,
    seen: csr_matrix | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Ranking:
    """Rank the whole catalogue for each of ``users``.

    Candidates come from a float32 product and are scored again in float64, so that a list depends
    neither on how users are cut into blocks nor on the number of threads.

    Args:
        users: (n,) row numbers of ``vectors.users``.
        seen: (n, n_items), rows aligned with ``users``; its items are left out.
    """
    n, n_items = len(users), len(vectors.items)
    ranking = Ranking.empty(n, k)
    items_by_factor = np.ascontiguousarray(vectors.items.T)
    rows = _block_rows(n_items, block_bytes)
    product = np.empty((min(rows, n), n_items), np.float32)
    for start in range(0, n, rows):
        block = slice(start, min(start + rows, n))
        user_factors = vectors.users[users[block]]
        scores = np.matmul(user_factors, items_by_factor, out=product[: len(user_factors)])
        if vectors.biases is not None:
            scores += vectors.biases
        _drop_seen(scores, seen, block)
        found, _ = top_k(scores, k + _SPARE_CANDIDATES)
        part = rank_candidates(vectors, users[block], found, k)
        ranking.items[block], ranking.scores[block] = part.items, part.scores
    return ranking


def rank_candidates(
    vectors: Vectors, users: NDArray[np.integer], candidates: NDArray[np.int32], k: int
) -> Ranking:
    """The k best of each user's candidates, by scores in float64.

    Args:
        users: (n,) row numbers of ``vectors.users``.
        candidates: (n, m) distinct items of a user in any order, -1 for none.
    """
    ranking = Ranking.empty(len(users), k)
    exact = _score_exactly(vectors, vectors.users[users], candidates)
    order = np.lexsort((candidates, -exact), axis=1)[:, :k]
    _put(
        ranking,
        slice(0, len(users)),
        np.take_along_axis(candidates, order, 1),
        np.take_along_axis(exact, order, 1),
    )
    return ranking


def rank_scores(
    score: ScoreBlock,
    n: int,
    n_items: int,
    k: int,
    *,
    seen: csr_matrix | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Ranking:
    """Rank the catalogue by the blocks ``score`` returns, which are written into.

    Args:
        score: called with consecutive slices of range(n).
        seen: (n, n_items); its items are left out.
    """
    ranking = Ranking.empty(n, k)
    rows = _block_rows(n_items, block_bytes)
    for start in range(0, n, rows):
        block = slice(start, min(start + rows, n))
        scores = score(block)
        _drop_seen(scores, seen, block)
        _put(ranking, block, *top_k(scores, k))
    return ranking


def top_k(scores: Floats, k: int) -> tuple[NDArray[np.int32], Floats]:
    """The k best columns of each row, best first, ties to the lower column.

    Args:
        scores: (n, m); -inf is never picked.

    Returns:
        columns (n, min(k, m)) int32 padded with -1, and their scores padded with -inf.
    """
    n, m = scores.shape
    k = min(k, m)
    columns = np.full((n, k), -1, np.int32)
    best = np.full((n, k), -np.inf, scores.dtype)
    if n == 0 or k == 0:
        return columns, best
    threshold = np.partition(scores, m - k, axis=1)[:, m - k, np.newaxis]
    row, column = np.nonzero((scores >= threshold) & (scores > -np.inf))
    value = scores[row, column]
    # Columns come in ascending order, and lexsort keeps it among ties.
    order = np.lexsort((-value, row))
    row, column, value = row[order], column[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    kept = place < k
    columns[row[kept], place[kept]] = column[kept]
    best[row[kept], place[kept]] = value[kept]
    return columns, best


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
    width = order.shape[1]
    result.items[:, :width] = np.where(kept, np.take_along_axis(ranking.items, order, axis=1), -1)
    result.scores[:, :width] = np.where(kept, np.take_along_axis(ranking.scores, order, axis=1), -np.inf)
    return result


def _block_rows(n_items: int, block_bytes: int) -> int:
    return max(1, block_bytes // (_BYTES_PER_SCORE * max(1, n_items)))


def _drop_seen(scores: Floats, seen: csr_matrix | None, block: slice) -> None:
    if seen is None:
        return
    begin, end = seen.indptr[block.start], seen.indptr[block.stop]
    rows = np.repeat(np.arange(block.stop - block.start), np.diff(seen.indptr[block.start : block.stop + 1]))
    scores[rows, seen.indices[begin:end]] = -np.inf


def _score_exactly(
    vectors: Vectors, user_factors: NDArray[np.float32], items: NDArray[np.int32]
) -> NDArray[np.float64]:
    candidates = vectors.items[items].astype(np.float64)
    exact: NDArray[np.float64] = np.matmul(candidates, user_factors.astype(np.float64)[:, :, np.newaxis])[
        :, :, 0
    ]
    if vectors.biases is not None:
        exact += vectors.biases[items]
    exact[items < 0] = -np.inf
    return exact


def _put(ranking: Ranking, block: slice, items: NDArray[np.int32], scores: Floats) -> None:
    width = items.shape[1]
    ranking.items[block, :width] = items
    ranking.scores[block, :width] = scores
