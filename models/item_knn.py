"""Item-based neighbours; the only file, with als, that knows implicit."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight, normalize, tfidf_weight
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from knn.neighbours import NeighbourIndex
from models.base import Arrays, ModelConfig, Recommender
from models.fit_run import FitRun
from models.ranking import Ranking
from models.stored import take


class ItemKnnConfig(ModelConfig):
    """weighting: what a common user is worth; neighbours: kept per item;
    bm25_k1, bm25_b: saturation and length normalisation, for weighting "bm25" only.
    """

    weighting: Literal["cosine", "tfidf", "bm25"] = "cosine"
    neighbours: int = Field(100, ge=1, le=1000)
    bm25_k1: float = Field(1.2, ge=0)
    bm25_b: float = Field(0.75, ge=0, le=1)


class ItemKnn(Recommender):
    """B. Sarwar, G. Karypis, J. Konstan, J. Riedl, "Item-based Collaborative Filtering Recommendation
    Algorithms", WWW 2001; weightings as in information retrieval (S. Robertson, H. Zaragoza, "The
    Probabilistic Relevance Framework: BM25 and Beyond", 2009).

    Whether an interaction was made counts, its weight does not, so that a list computed overnight is
    the one the online index gives for the same items.
    """

    name = "item_knn"
    config_class: ClassVar[type[ModelConfig]] = ItemKnnConfig
    # Whoever took nothing but what nobody else took has no neighbours.
    max_empty_share = 0.2

    config: ItemKnnConfig
    _index: NeighbourIndex

    def neighbours(self) -> NeighbourIndex:
        """The index a reader answers from."""
        self._fitted_shape()
        return self._index

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        # An item's nearest is itself, which is dropped afterwards.
        model = ItemItemRecommender(K=self.config.neighbours + 1, num_threads=self.threads)
        # One user or one item makes weights 0 / 0: such similarities count as none.
        with np.errstate(divide="ignore", invalid="ignore"):
            weighted = self._weigh(_touched(data.matrix).T)
            model.fit(csr_matrix(weighted.T, dtype=np.float64), show_progress=False)
        run.report(0.8, "item_knn: similarities computed")
        self._index = _nearest(model.similarity, self.config.neighbours)

    def _weigh(self, item_users: Any) -> Any:
        """What implicit's CosineRecommender, TFIDFRecommender or BM25Recommender feeds to its search."""
        if self.config.weighting == "cosine":
            return normalize(item_users)
        if self.config.weighting == "tfidf":
            return normalize(tfidf_weight(item_users))
        return bm25_weight(item_users, self.config.bm25_k1, self.config.bm25_b)

    def _rank(self, users: NDArray[np.integer], history: csr_matrix, k: int, *, drop_seen: bool) -> Ranking:
        ranking = Ranking.empty(len(users), k)
        for row in range(len(users)):
            touched = history.indices[history.indptr[row] : history.indptr[row + 1]]
            items, scores = self._index.recommend(touched, k, drop_items=drop_seen)
            ranking.items[row, : len(items)], ranking.scores[row, : len(items)] = items, scores
        return ranking

    def _arrays(self) -> Arrays:
        return {"neighbour_ids": self._index.ids, "neighbour_weights": self._index.weights}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:  # noqa: ARG002
        shape = (n_items, self.config.neighbours)
        ids = take(arrays, "neighbour_ids", np.int32, shape)
        self._index = NeighbourIndex(ids, take(arrays, "neighbour_weights", np.float32, shape))


def _touched(matrix: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def _nearest(similarity: csr_matrix, k: int) -> NeighbourIndex:
    pairs = similarity.tocoo()
    kept = (pairs.row != pairs.col) & np.isfinite(pairs.data) & (pairs.data > 0)
    row, column, value = pairs.row[kept], pairs.col[kept], pairs.data[kept].astype(np.float32)
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    kept = place < k
    ids = np.full((similarity.shape[0], k), -1, np.int32)
    weights = np.zeros((similarity.shape[0], k), np.float32)
    ids[row[kept], place[kept]] = column[kept]
    weights[row[kept], place[kept]] = value[kept]
    return NeighbourIndex(ids, weights)
