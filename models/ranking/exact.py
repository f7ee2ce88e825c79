"""Exact top-k over a catalogue of vectors on the CPU: what cannot be in a list is not scored.

The k-th best score among the longest items bounds what is worth scoring: by Cauchy-Schwarz an item whose
length times the user's is below it can be in no list (C. Teflioudi, R. Gemulla, O. Mykytiuk, "LEMP: Fast
Retrieval of Large Entries in a Matrix Product", SIGMOD 2015). Candidates come from a float32 product, its
rounding allowed for, and are scored again in float64, so that a list depends neither on how users are cut
into blocks nor on the number of threads.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.ranking.blocks import BLOCK_BYTES
from models.ranking.candidates import Candidates, kth_best
from models.ranking.lists import Ranking
from models.ranking.ranker import VectorRanker
from models.ranking.seen import SeenPlaces
from models.ranking.vectors import Float32s, ItemsByLength, Vectors, rank_pairs, row_lengths
from models.threads import blas_threads

PANEL_USERS = 4096
"""Users whose items are searched together, sorted by how far down the catalogue their lists may reach."""
BLOCK_USERS = 512
TILE_ITEMS = 2048
"""Items scored at a time; the first tile, of the longest, gives the bounds."""

_BYTES_PER_SCORE = 9
"""A score, its copy for the selection, and whether it is above the bound."""


class ExactRanker(VectorRanker):
    """Exact lists, on ``threads`` threads, within ``block_bytes`` for all scores held at a time."""

    def __init__(self, *, threads: int = 1, block_bytes: int = BLOCK_BYTES) -> None:
        self._threads = threads
        self._block_bytes = block_bytes

    def rank(self, vectors: Vectors, k: int, *, seen: csr_matrix | None = None) -> Ranking:
        """See :class:`VectorRanker`."""
        return rank_vectors(vectors, k, seen=seen, threads=self._threads, block_bytes=self._block_bytes)


def rank_vectors(
    vectors: Vectors,
    k: int,
    *,
    seen: csr_matrix | None = None,
    threads: int = 1,
    block_bytes: int = BLOCK_BYTES,
) -> Ranking:
    """Rank the whole catalogue for each user, ties to the lower item.

    Args:
        seen: (n_users, n_items); its items are left out.
        threads: panels of users worked on at a time, each by one thread of BLAS.
        block_bytes: memory the scores of all panels worked on may take, one user's tile at least.
    """
    n_users = len(vectors.users)
    ranking = Ranking.empty(n_users, k)
    catalog = vectors.items.by_length
    if not n_users or not len(catalog.items):
        return ranking
    tile_items = min(len(catalog.items), max(TILE_ITEMS, 4 * k))
    workspaces: SimpleQueue[_Workspace] = SimpleQueue()
    for _ in range(threads):
        workspaces.put(_Workspace(tile_items, block_bytes // threads))

    def rank_panel(panel: slice) -> None:
        own, part = vectors[panel], None if seen is None else seen[panel]
        queries, rows = own.queries(), np.arange(panel.start, panel.stop)
        told = np.flatnonzero(queries.any(axis=1))
        if len(told) < len(rows):
            for row in np.setdiff1d(np.arange(len(rows)), told).tolist():
                items = _first_items(vectors.items.candidates, part, row, k)
                ranking.put(rows[row], items, np.zeros(len(items)))
            own, part = own[told], None if part is None else part[told]
            queries, rows = queries[told], rows[told]
        if not len(rows):
            return
        workspace = workspaces.get()
        try:
            pairs = _Panel(catalog, queries, part, k, tile_items, workspace).candidates()
        finally:
            workspaces.put(workspace)
        ranked = rank_pairs(own, *pairs, k)
        ranking.put(rows, ranked.items, ranked.scores)

    panel_users = min(PANEL_USERS, -(-n_users // threads))
    with blas_threads(1), ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(rank_panel, _slices(n_users, panel_users)):
            pass
    return ranking


class _Workspace:
    """Memory that one thread writes scores into, again and again."""

    def __init__(self, width: int, size_bytes: int) -> None:
        self.rows = max(1, min(BLOCK_USERS, size_bytes // (_BYTES_PER_SCORE * width)))
        self._scores = np.empty(self.rows * width, np.float32)
        self._above = np.empty(self.rows * width, np.bool_)

    def scores(self, n: int, width: int) -> Float32s:
        """Room for (n, width) scores."""
        return self._scores[: n * width].reshape(n, width)

    def above(self, n: int, width: int) -> NDArray[np.bool_]:
        """Room for (n, width) marks."""
        return self._above[: n * width].reshape(n, width)


class _Panel:
    """The search of some users through a catalogue sorted by length.

    queries: (n, n_factors [+ 1]); seen: (n, n_items).
    """

    def __init__(
        self,
        catalog: ItemsByLength,
        queries: Float32s,
        seen: csr_matrix | None,
        k: int,
        tile_items: int,
        workspace: _Workspace,
    ) -> None:
        self._catalog = catalog
        self._queries = queries
        self._seen = seen
        self._tile_items = tile_items
        self._workspace = workspace
        lengths = row_lengths(queries)
        with np.errstate(divide="ignore"):
            self._per_length = 1 / lengths
        # Twice the rounding of a float32 product of this length (N. Higham, "Accuracy and Stability of
        # Numerical Algorithms", 2002, section 3.1).
        rounding = 2 * (queries.shape[1] + 2) * 2.0**-24 * catalog.lengths[0] * lengths
        self._candidates = Candidates(len(queries), k, rounding)
        self._k = k

    def candidates(self) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
        """All items that can be in a list, and whose: rows and items of equal length."""
        self._search_head()
        if self._tile_items < len(self._catalog.items):
            self._search_rest()
        return self._candidates.pairs()

    def _search_head(self) -> None:
        """Score the longest items, and bound what the others must reach."""
        everybody = np.arange(len(self._queries), dtype=np.int16)
        seen, tile = self._seen_by(everybody), slice(0, self._tile_items)
        for block in _slices(len(everybody), self._workspace.rows):
            scores = self._score(self._queries[block], tile)
            if seen is not None:
                seen.drop(scores, 0, block.start)
            self._candidates.bound(everybody[block], kth_best(scores, self._k))
            self._collect(everybody[block], scores, tile)
            if self._candidates.crowded:
                self._candidates.compact()

    def _search_rest(self) -> None:
        reach = self._reach()
        by_reach = np.argsort(-reach, kind="stable").astype(np.int16)
        reach, queries, seen = reach[by_reach], self._queries[by_reach], self._seen_by(by_reach)
        n_items = len(self._catalog.items)
        for number, begin in enumerate(range(self._tile_items, n_items, self._tile_items), 1):
            active = int(np.searchsorted(-reach, -begin, side="left"))
            if not active:
                break
            tile = slice(begin, min(begin + self._tile_items, n_items))
            for block in _slices(active, self._workspace.rows):
                scores = self._score(queries[block], tile)
                if seen is not None:
                    seen.drop(scores, number, block.start)
                self._collect(by_reach[block], scores, tile)
                if compact := self._candidates.crowded:
                    self._candidates.compact()
            if compact:
                # Whoever stands further down may reach further now: the longest reach from there on counts.
                reach = np.minimum(reach, np.maximum.accumulate(self._reach()[by_reach][::-1])[::-1])

    def _seen_by(self, order: NDArray[np.int16]) -> SeenPlaces | None:
        if self._seen is None:
            return None
        return SeenPlaces(self._seen, self._catalog, order, self._tile_items)

    def _reach(self) -> NDArray[np.int64]:
        """How many of the items, longest first, each user's list can be made of, (n,)."""
        with np.errstate(invalid="ignore"):
            shortest = self._candidates.bounds * self._per_length
        shortest[np.isnan(shortest)] = -np.inf
        return np.searchsorted(-self._catalog.lengths, -shortest, side="right")

    def _score(self, queries: Float32s, tile: slice) -> Float32s:
        out = self._workspace.scores(len(queries), tile.stop - tile.start)
        return np.matmul(queries, self._catalog.factors[:, tile], out=out)

    def _collect(self, rows: NDArray[np.int16], scores: Float32s, tile: slice) -> None:
        above = np.greater_equal(
            scores,
            self._candidates.thresholds(rows)[:, np.newaxis],
            out=self._workspace.above(*scores.shape),
        )
        row, column = np.divmod(np.flatnonzero(above), scores.shape[1])
        self._candidates.add(rows[row], self._catalog.items[tile][column], scores[row, column])


def _first_items(
    candidates: NDArray[np.int32], seen: csr_matrix | None, row: int, k: int
) -> NDArray[np.int32]:
    """The list of a user whose vector is nothing, so that all items tie: the first unseen ones."""
    taken = np.empty(0, np.int32) if seen is None else seen[row].indices
    some = candidates[: k + len(taken)]
    return some[~np.isin(some, taken)][:k]


def _slices(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
