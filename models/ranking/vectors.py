"""What models with vectors are ranked by, and exact scores of chosen items."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.ranking.lists import Ranking

Float32s = NDArray[np.float32]

PAIRS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """A catalogue of vectors.

    rows: (n_items, n_factors) float32;
    biases: (n_items,) float32 or None, -inf where an item is no candidate.
    """

    rows: Float32s
    biases: Float32s | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def by_length(self) -> "ItemsByLength":
        """The candidates in the order in which they can reach a high score; made once."""
        return ItemsByLength.of(self)

    @property
    def candidates(self) -> NDArray[np.int32]:
        """The items that may be in a list, (m,) int32, ascending."""
        if self.biases is None:
            return np.arange(len(self.rows), dtype=np.int32)
        return np.flatnonzero(self.biases > -np.inf).astype(np.int32)

    def with_biases(self, items: NDArray[np.integer]) -> Float32s:
        """The vectors of ``items`` (n,), a bias as one more component: (n, n_factors [+ 1])."""
        rows: Float32s = self.rows[items]
        return rows if self.biases is None else np.column_stack([rows, self.biases[items]])

    def only(self, allowed: NDArray[np.bool_]) -> Self:
        """The catalogue in which none but ``allowed`` (n_items,) are candidates."""
        biases = np.zeros(len(self.rows), np.float32) if self.biases is None else self.biases
        return type(self)(self.rows, np.where(allowed, biases, np.float32(-np.inf)))


@dataclass(frozen=True, eq=False)
class Vectors:
    """score(u, i) = users[u] · items.rows[i] + items.biases[i]; users: (n_users, n_factors) float32."""

    users: Float32s
    items: ItemVectors

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> Self:
        """Some of the users, over the same items."""
        return type(self)(self.users[rows], self.items)

    def queries(self) -> Float32s:
        """The users' vectors as they meet ``items.with_biases``: (n_users, n_factors [+ 1])."""
        if self.items.biases is None:
            return self.users
        return np.column_stack([self.users, np.ones(len(self.users), np.float32)])


@dataclass(frozen=True, eq=False)
class ItemsByLength:
    """The candidates of a catalogue, longest vector first; a bias is one more component.

    items: (m,) int32; place: (n_items,) int32, where an item stands, m for none;
    factors: (n_factors [+ 1], m) float32; lengths: (m,) float64, descending.
    """

    items: NDArray[np.int32]
    place: NDArray[np.int32]
    factors: Float32s
    lengths: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: ItemVectors) -> Self:
        """Sort the items of ``vectors``, equally long ones by their index."""
        candidates = vectors.candidates
        rows = vectors.with_biases(candidates)
        lengths = row_lengths(rows)
        order = np.argsort(-lengths, kind="stable")
        items = candidates[order]
        place = np.full(len(vectors), len(items), np.int32)
        place[items] = np.arange(len(items), dtype=np.int32)
        return cls(items, place, np.ascontiguousarray(rows[order].T), lengths[order])


def row_lengths(rows: Float32s) -> NDArray[np.float64]:
    """Euclidean length of each row of (n, d)."""
    lengths: NDArray[np.float64] = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    return lengths


def rank_candidates(vectors: Vectors, candidates: NDArray[np.int32], k: int) -> Ranking:
    """The k best of each user's candidates, by scores in float64, ties to the lower item.

    Args:
        candidates: (n_users, m) distinct items of a user in any order, -1 for none.
    """
    rows, columns = np.nonzero(candidates >= 0)
    return rank_pairs(vectors, rows, candidates[rows, columns], k)


def rank_pairs(vectors: Vectors, rows: NDArray[np.integer], items: NDArray[np.integer], k: int) -> Ranking:
    """The same for candidates as pairs: (n,) users' rows and (n,) items, no pair twice."""
    n_users = len(vectors.users)
    order = np.argsort(rows.astype(np.int64) * len(vectors.items) + items)
    rows, items = rows[order], items[order]
    scores = _score_exactly(vectors, rows, items)
    # Items come in ascending order, and stable sorts keep it among ties.
    order = np.argsort(-scores, kind="stable")
    order = order[np.argsort(rows[order], kind="stable")]
    counts = np.bincount(rows, minlength=n_users)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    order, place, row = order[place < k], place[place < k], rows[place < k]
    ranking = Ranking.empty(n_users, k)
    ranking.items[row, place], ranking.scores[row, place] = items[order], scores[order]
    return ranking


def _score_exactly(
    vectors: Vectors, rows: NDArray[np.integer], items: NDArray[np.integer]
) -> NDArray[np.float64]:
    """float64 scores of pairs, some at a time so that their vectors stay in the processor's cache."""
    scores = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        users = vectors.users[rows[part]].astype(np.float64)
        np.vecdot(users, vectors.items.rows[items[part]].astype(np.float64), out=scores[part])
    if vectors.items.biases is not None:
        scores += vectors.items.biases[items]
    return scores
