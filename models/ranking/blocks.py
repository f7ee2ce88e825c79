"""Ranking by whole blocks of scores, for models whose scores are no product of vectors."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.ranking.lists import Ranking

Floats = NDArray[np.floating]
ScoreBlock = Callable[[slice], Floats]
"""Scores of a slice of the rows asked for, (rows, n_items); -inf where an item is no candidate."""

BLOCK_BYTES = 64 * 2**20
"""Memory one block of scores may take, its temporary copies included."""

_BYTES_PER_SCORE = 16


def rank_scores(
    score: ScoreBlock,
    n: int,
    n_items: int,
    k: int,
    *,
    seen: csr_matrix | None = None,
    allowed: NDArray[np.bool_] | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Ranking:
    """Rank the catalogue by the blocks ``score`` returns, which are written into.

    Args:
        score: called with consecutive slices of range(n).
        seen: (n, n_items); its items are left out.
        allowed: (n_items,), the items a list may hold; all where None.
    """
    ranking = Ranking.empty(n, k)
    rows = max(1, block_bytes // (_BYTES_PER_SCORE * max(1, n_items)))
    for start in range(0, n, rows):
        block = slice(start, min(start + rows, n))
        scores = score(block)
        if allowed is not None:
            scores[:, ~allowed] = -np.inf
        _drop_seen(scores, seen, block)
        ranking.put(block, *top_k(scores, k))
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


def _drop_seen(scores: Floats, seen: csr_matrix | None, block: slice) -> None:
    if seen is None:
        return
    begin, end = seen.indptr[block.start], seen.indptr[block.stop]
    rows = np.repeat(np.arange(block.stop - block.start), np.diff(seen.indptr[block.start : block.stop + 1]))
    scores[rows, seen.indices[begin:end]] = -np.inf
