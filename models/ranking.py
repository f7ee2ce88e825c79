"""The one ranker: top-k of vectors or of score blocks, what was seen left out, ties to the lower index."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.threads import blas_threads

Floats = NDArray[np.floating]
ScoreBlock = Callable[[slice], Floats]
"""Scores of a slice of the rows asked for, (rows, n_items); -inf where an item is no candidate."""

BLOCK_BYTES = 64 * 2**20
"""Memory one block of scores may take, its temporary copies included."""

HEAD_ITEMS = 2048
"""Items, the longest, whose scores bound what else is worth scoring."""
BLOCK_USERS = 512
MOST_SPARE = 246
"""Candidates beyond k that are scored in float64; of more, as ties bring about, the best by float32."""

_BYTES_PER_SCORE = 16


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
    biases: (n_items,) float32 or None, -inf where an item is no candidate.
    """

    users: NDArray[np.float32]
    items: NDArray[np.float32]
    biases: NDArray[np.float32] | None = None

    @cached_property
    def by_length(self) -> "ItemsByLength":
        """The items in the order in which they can reach a high score."""
        return ItemsByLength.of(self)


@dataclass(frozen=True, eq=False)
class ItemsByLength:
    """The candidates of a catalogue, longest vector first; a bias is one more component.

    items: (m,) int32; place: (n_items,) int32, where an item stands, m for none;
    factors: (n_factors [+ 1], m) float32; lengths: (m,) float64, descending.
    """

    items: NDArray[np.int32]
    place: NDArray[np.int32]
    factors: NDArray[np.float32]
    lengths: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """Sort the items of ``vectors``, equally long ones by their index."""
        rows = vectors.items
        kept = np.arange(len(rows), dtype=np.int32)
        if vectors.biases is not None:
            rows = np.column_stack([rows, vectors.biases])
            kept = kept[vectors.biases > -np.inf]
        lengths = _lengths(rows[kept])
        order = np.argsort(-lengths, kind="stable")
        items = kept[order]
        place = np.full(len(rows), len(items), np.int32)
        place[items] = np.arange(len(items), dtype=np.int32)
        return cls(items, place, np.ascontiguousarray(rows[items].T), lengths[order])


def rank_vectors(
    vectors: Vectors,
    users: NDArray[np.integer],
    k: int,
    *,
    seen: csr_matrix | None = None,
    threads: int = 1,
    block_bytes: int = BLOCK_BYTES,
) -> Ranking:
    """Rank the whole catalogue for each of ``users``.

    The k-th best score among the longest items bounds what is worth scoring: by Cauchy-Schwarz an item whose
    length times the user's is below it can be in no list (C. Teflioudi, R. Gemulla, O. Mykytiuk, "LEMP: Fast
    Retrieval of Large Entries in a Matrix Product", SIGMOD 2015). Candidates come from a float32 product,
    its rounding allowed for, and are scored again in float64, so that a list depends neither on how users
    are cut into blocks nor on the number of threads.

    Args:
        users: (n,) row numbers of ``vectors.users``.
        seen: (n, n_items), rows aligned with ``users``; its items are left out.
        threads: blocks worked on at a time, each by one thread of BLAS.
        block_bytes: memory the scores of all blocks worked on may take.
    """
    ranking = Ranking.empty(len(users), k)
    catalog = vectors.by_length
    if not len(users) or not len(catalog.items):
        return ranking
    factors = vectors.users[users]
    if vectors.biases is not None:
        factors = np.column_stack([factors, np.ones(len(users), np.float32)])
    search = _Search(catalog, factors, _Seen.of(seen, catalog) if seen is not None else None, k)
    head = min(len(catalog.items), max(HEAD_ITEMS, 4 * k))

    def rank(rows: NDArray[np.int64], width: int) -> None:
        found = search.candidates(rows, width)
        part = rank_candidates(vectors, users[rows], found, k)
        ranking.items[rows], ranking.scores[rows] = part.items, part.scores

    with blas_threads(1), ThreadPoolExecutor(threads) as pool:
        if head < len(catalog.items):
            blocks = _blocks(np.arange(len(users)), lambda _: head, block_bytes // threads)
            for _ in pool.map(lambda block: search.set_bounds(block[0], head), blocks):
                pass
        reach = search.reach()
        by_reach = np.argsort(reach, kind="stable")
        blocks = _blocks(by_reach, lambda row: int(reach[row]), block_bytes // threads)
        for _ in pool.map(lambda block: rank(*block), blocks):
            pass
    return ranking


class _Search:
    """The search for the candidates of some users; rows are numbers of ``factors`` (n, n_factors [+ 1])."""

    def __init__(
        self, catalog: ItemsByLength, factors: NDArray[np.float32], seen: "_Seen | None", k: int
    ) -> None:
        self._catalog = catalog
        self._factors = factors
        self._seen = seen
        self._k = k
        self._lengths = _lengths(factors)
        self._bounds = np.full(len(factors), -np.inf)
        # Twice the rounding of a float32 product of this length (N. Higham, "Accuracy and Stability of
        # Numerical Algorithms", 2002, section 3.1).
        self._rounding = 2 * (factors.shape[1] + 2) * 2.0**-24 * catalog.lengths[0] * self._lengths

    def set_bounds(self, rows: NDArray[np.int64], width: int) -> None:
        """Note what the k-th best of the first ``width`` items scores: less is in no list."""
        scores = self._scores(rows, width)
        self._bounds[rows] = _kth_best(scores, self._k) - self._rounding[rows]

    def reach(self) -> NDArray[np.int64]:
        """How many of the items, longest first, each user's list can be made of, (n,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            shortest = np.where(self._lengths > 0, self._bounds / self._lengths, -np.inf)
        return np.maximum(np.searchsorted(-self._catalog.lengths, -shortest, side="right"), 1)

    def candidates(self, rows: NDArray[np.int64], width: int) -> NDArray[np.int32]:
        """All items of the first ``width`` that can be in a list: (n, m) int32, -1 padded, m at least 1."""
        scores = self._scores(rows, width)
        bounds = self._bounds[rows]
        if width == len(self._catalog.items):
            bounds = np.maximum(bounds, _kth_best(scores.copy(), self._k) - self._rounding[rows])
        bounds = np.maximum(bounds, np.finfo(np.float32).min).astype(np.float32)
        row, place = np.divmod(np.flatnonzero(scores >= bounds[:, np.newaxis]), width)
        counts = np.bincount(row, minlength=len(rows))
        most = self._k + MOST_SPARE
        crowded = np.flatnonzero(counts > most)
        found = np.full((len(rows), max(1, min(int(counts.max()), most))), -1, np.int32)
        column = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        kept = counts[row] <= most
        found[row[kept], column[kept]] = self._catalog.items[place[kept]]
        for number in crowded.tolist():
            found[number] = self._best(row, place, number, scores)[: found.shape[1]]
        return found

    def _best(
        self, row: NDArray[np.int64], place: NDArray[np.int64], number: int, scores: NDArray[np.float32]
    ) -> NDArray[np.int32]:
        """One user's candidates by their float32 scores, ties to the lower item."""
        begin, end = np.searchsorted(row, [number, number + 1])
        items = self._catalog.items[place[begin:end]]
        order: NDArray[np.int64] = np.lexsort((items, -scores[number, place[begin:end]]))
        return items[order]

    def _scores(self, rows: NDArray[np.int64], width: int) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self._factors[rows] @ self._catalog.factors[:, :width]
        if self._seen is not None:
            self._seen.drop(scores, rows)
        return scores


@dataclass(frozen=True, eq=False)
class _Seen:
    """What users have seen, by the items' places: ``starts`` (n + 1,), ``places`` ascending in a row."""

    starts: NDArray[np.int64]
    places: NDArray[np.int32]

    @classmethod
    def of(cls, seen: csr_matrix, catalog: ItemsByLength) -> Self:
        return cls(seen.indptr.astype(np.int64), catalog.place[seen.indices])

    def drop(self, scores: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        """Set the scores (n, width) of what ``rows`` have seen to -inf."""
        counts = self.starts[rows + 1] - self.starts[rows]
        row = np.repeat(np.arange(len(rows)), counts)
        offset = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        place = self.places[np.repeat(self.starts[rows], counts) + offset]
        within = place < scores.shape[1]
        scores[row[within], place[within]] = -np.inf


def _blocks(
    rows: NDArray[np.int64], width_of: Callable[[int], int], block_bytes: int
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Cut ``rows``, in ascending order of width, into blocks; each with the width of its last row."""
    begin = 0
    while begin < len(rows):
        end = min(begin + BLOCK_USERS, len(rows))
        fitting = block_bytes // (_BYTES_PER_SCORE * width_of(int(rows[end - 1])))
        end = min(end, begin + max(1, fitting))
        yield rows[begin:end], width_of(int(rows[end - 1]))
        begin = end


def _kth_best(scores: NDArray[np.float32], k: int) -> NDArray[np.float64]:
    """The k-th best score of each row (n, m), -inf where there are fewer; reorders the rows."""
    n, m = scores.shape
    if m < k:
        return np.full(n, -np.inf)
    scores.partition(m - k, axis=1)
    best: NDArray[np.float64] = scores[:, m - k].astype(np.float64)
    return best


def _lengths(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    return lengths


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
