"""LightFM's vectors searched approximately: for catalogues that are too large to be ranked whole."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import Arrays
from models.fit_run import FitRun
from models.inner_product_index import InnerProductIndex
from models.lightfm import LightFm, LightFmConfig
from models.linear import touched
from models.ranking import Ranking, contained, rank_candidates, rank_vectors
from models.stored import take
from topshelf.errors import CorruptArtifact

RECALL_AT = 10
RECALL_USERS = 1000
MAX_DEPTH = 4096
"""Items searched for a user at most; who has touched more is ranked exactly."""


class LightFmAnnConfig(LightFmConfig):
    """links: of an item in the graph; ef_construction: items looked at to place one; ef: items kept in sight
    by a search, more find more and take longer.
    """

    links: int = Field(32, ge=2, le=256)
    ef_construction: int = Field(200, ge=4, le=4096)
    ef: int = Field(200, ge=1, le=4096)


class LightFmAnn(LightFm):
    """The lists of ``lightfm``, found through an index of inner products (HNSW: Y. Malkov, D. Yashunin, TPAMI
    2020) over its item vectors, each with its bias as one more component.

    What is found is ranked by exact scores. The share of the exact lists that is found, over a sample of
    users, is in the artifact's manifest as "ann_recall@10".
    """

    name = "lightfm_ann"
    config_class: ClassVar[type[LightFmConfig]] = LightFmAnnConfig

    config: LightFmAnnConfig
    _index: InnerProductIndex
    _recall: float

    def facts(self) -> dict[str, float]:
        """The recall measured."""
        return {f"ann_recall@{RECALL_AT}": self._recall}

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        super()._fit(data, run)
        biases = self._item_biases()
        candidates = np.flatnonzero(biases > -np.inf)
        self._index = InnerProductIndex.build(
            candidates,
            np.column_stack([self._factors.items[candidates], biases[candidates]]),
            links=self.config.links,
            ef_construction=self.config.ef_construction,
        )
        self._recall = self._measure(touched(data.matrix))

    def _measure(self, matrix: csr_matrix) -> float:
        """Share of the exact lists of up to 1,000 users that the index finds."""
        users = np.flatnonzero(np.diff(matrix.indptr))
        if len(users) > RECALL_USERS:
            numbers = np.random.default_rng(self.seed)
            users = np.sort(numbers.choice(users, RECALL_USERS, replace=False))
        history = matrix[users]
        exact = rank_vectors(self._factors, users, RECALL_AT, seen=history).items
        found = self._search(users, history, RECALL_AT, drop_seen=True).items
        wanted = exact >= 0
        kept = (exact[:, :, np.newaxis] == found[:, np.newaxis, :]).any(axis=2) & wanted
        return float(kept.sum() / max(1, wanted.sum()))

    def _rank(self, users: NDArray[np.integer], history: csr_matrix, k: int, *, drop_seen: bool) -> Ranking:
        return self._search(users, history, k, drop_seen=drop_seen)

    def _search(self, users: NDArray[np.integer], history: csr_matrix, k: int, *, drop_seen: bool) -> Ranking:
        counts = np.diff(history.indptr) if drop_seen else np.zeros(len(users), np.int64)
        # Depths in powers of two, so that a list does not depend on whom it is asked for together with.
        depths = 2 ** np.ceil(np.log2(k + counts)).astype(np.int64)
        ranking = Ranking.empty(len(users), k)
        for depth in np.unique(depths).tolist():
            rows = np.flatnonzero(depths == depth)
            seen = history[rows] if drop_seen else None
            part = self._search_deep(users[rows], seen, k, depth)
            ranking.items[rows], ranking.scores[rows] = part.items, part.scores
        return ranking

    def _search_deep(
        self, users: NDArray[np.integer], seen: csr_matrix | None, k: int, depth: int
    ) -> Ranking:
        if depth > MAX_DEPTH or depth >= len(self._factors.items):
            return rank_vectors(self._factors, users, k, seen=seen)
        factors = self._factors.users[users]
        queries = np.column_stack([factors, np.ones(len(users), np.float32)])
        found = self._index.search(queries, depth, ef=self.config.ef, threads=self.threads)
        if seen is not None:
            found[contained(found, seen)] = -1
        ranking = rank_candidates(self._factors, users, found, k)
        short = np.flatnonzero(ranking.items[:, -1] < 0)
        if len(short):
            rest = rank_vectors(self._factors, users[short], k, seen=None if seen is None else seen[short])
            ranking.items[short], ranking.scores[short] = rest.items, rest.scores
        return ranking

    def _item_biases(self) -> NDArray[np.float32]:
        biases = self._factors.biases
        return np.zeros(len(self._factors.items), np.float32) if biases is None else biases

    def _arrays(self) -> Arrays:
        recall = np.array([self._recall], np.float64)
        return {**super()._arrays(), "index": self._index.to_array(), "ann_recall": recall}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:
        super()._restore(arrays, n_users, n_items)
        self._recall = float(take(arrays, "ann_recall", np.float64, (1,))[0])
        content = take(arrays, "index", np.uint8, (None,))
        if not len(content):
            raise CorruptArtifact("array 'index' is empty")
        self._index = InnerProductIndex.from_array(content)
