"""Approximate top-k: a graph over the item vectors is searched, what it finds is ranked by exact scores."""

import numpy as np
from scipy.sparse import csr_matrix

from models.ranking.exact import ExactRanker
from models.ranking.graph_index import InnerProductIndex
from models.ranking.lists import Ranking, contained
from models.ranking.ranker import VectorRanker
from models.ranking.vectors import ItemVectors, Vectors, rank_candidates

RECALL_AT = 10
RECALL_FACT = f"ann_recall@{RECALL_AT}"
"""What a model with a graph of its own calls its recall in an artifact's manifest."""

MAX_DEPTH = 4096
"""Items searched for a user at most; who has seen more is ranked exactly."""


class GraphRanker(VectorRanker):
    """Lists found through an index; users it leaves short are ranked exactly.

    index: made by :meth:`index_of`, of the catalogue that is ranked or of one with more candidates;
    ef: nodes kept in sight by a search, more find more and take longer.
    """

    def __init__(self, index: InnerProductIndex, *, ef: int, threads: int = 1) -> None:
        self._index = index
        self._ef = ef
        self._threads = threads
        self._exact = ExactRanker(threads=threads)

    @staticmethod
    def index_of(
        items: ItemVectors, *, links: int, ef_construction: int, threads: int = 1
    ) -> InnerProductIndex:
        """The index of a catalogue, its biases as one more component, 0 where it has none.

        With one thread the same vectors give the same index.
        """
        candidates = items.candidates
        biases = np.zeros(len(items), np.float32) if items.biases is None else items.biases
        return InnerProductIndex.build(
            candidates,
            np.column_stack([items.rows[candidates], biases[candidates]]),
            links=links,
            ef_construction=ef_construction,
            threads=threads,
        )

    def rank(self, vectors: Vectors, k: int, *, seen: csr_matrix | None = None) -> Ranking:
        """See :class:`VectorRanker`; an item may be missed, those listed have their exact scores."""
        counts = np.zeros(len(vectors.users), np.int64) if seen is None else np.diff(seen.indptr)
        # Depths in powers of two, so that a list does not depend on whom it is asked for together with.
        depths = 2 ** np.ceil(np.log2(k + counts)).astype(np.int64)
        ranking = Ranking.empty(len(counts), k)
        for depth in np.unique(depths).tolist():
            rows = np.flatnonzero(depths == depth)
            part = self._rank_deep(vectors[rows], k, None if seen is None else seen[rows], depth)
            ranking.put(rows, part.items, part.scores)
        return ranking

    def _rank_deep(self, vectors: Vectors, k: int, seen: csr_matrix | None, depth: int) -> Ranking:
        if depth > MAX_DEPTH or depth >= len(vectors.items):
            return self._exact.rank(vectors, k, seen=seen)
        queries = np.column_stack([vectors.users, np.ones(len(vectors.users), np.float32)])
        found = self._index.search(queries, depth, ef=self._ef, threads=self._threads)
        if seen is not None:
            found[contained(found, seen)] = -1
        if vectors.items.biases is not None:
            found[vectors.items.biases[found] == -np.inf] = -1
        ranking = rank_candidates(vectors, found, k)
        short = np.flatnonzero(ranking.items[:, -1] < 0)
        if len(short):
            rest = self._exact.rank(vectors[short], k, seen=None if seen is None else seen[short])
            ranking.put(short, rest.items, rest.scores)
        return ranking


def recall_of(found: Ranking, exact: Ranking) -> float:
    """Share of the exact lists' items that was found; 1 where there are none."""
    wanted = exact.items >= 0
    kept = (exact.items[:, :, np.newaxis] == found.items[:, np.newaxis, :]).any(axis=2) & wanted
    return float(kept.sum() / wanted.sum()) if wanted.any() else 1.0
