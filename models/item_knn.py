"""Item-based neighbours."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix, diags_array

from interactions.training_set import TrainingSet
from knn.neighbours import NeighbourIndex
from models.base import Arrays, ModelConfig, Recommender
from models.fit_run import FitRun
from models.linear import touched
from models.neighbour_search import Weighting, nearest_rows, row_lengths, scaled_rows, weighted_rows
from models.ranking import Floats
from models.space import Choice, Dimension, Ints
from models.space import Floats as FloatsBetween
from models.stored import take


class ItemKnnConfig(ModelConfig):
    """weighting: what a user who touched an item is worth in the item's vector; neighbours: kept per item;
    bm25_k1, bm25_b: saturation and length normalisation, for weighting "bm25" only;
    user_exponent: a user counts for their number of items to the power of minus this;
    asymmetry: share of the length normalisation that falls to the history's item, the rest to the candidate:
    0.5 is the cosine, more favours popular candidates; without effect on "bm25", which has bm25_b;
    amplification: similarities are raised to this power; above 1 the nearest count more, below 1 less.
    """

    weighting: Weighting = "cosine"
    neighbours: int = Field(100, ge=1, le=1000)
    bm25_k1: float = Field(1.2, ge=0)
    bm25_b: float = Field(0.75, ge=0, le=1)
    user_exponent: float = Field(0.0, ge=0, le=2)
    asymmetry: float = Field(0.5, ge=0, le=1)
    amplification: float = Field(1.0, gt=0, le=5)

    space: ClassVar[Mapping[str, Dimension]] = {
        "weighting": Choice(("cosine", "tfidf", "bm25")),
        "neighbours": Ints(20, 500, log=True),
        "bm25_k1": FloatsBetween(0.1, 100, log=True),
        "bm25_b": FloatsBetween(0, 1),
        "user_exponent": FloatsBetween(0, 1),
        "asymmetry": FloatsBetween(0.3, 0.9),
        "amplification": FloatsBetween(0.4, 2, log=True),
    }


class ItemKnn(Recommender):
    """B. Sarwar, G. Karypis, J. Konstan, J. Riedl, "Item-based Collaborative Filtering Recommendation
    Algorithms", WWW 2001; weightings as in information retrieval (S. Robertson, H. Zaragoza, "The
    Probabilistic Relevance Framework: BM25 and Beyond", 2009).

    Heavy users counted less: M. Deshpande, G. Karypis, "Item-Based Top-N Recommendation Algorithms", TOIS
    2004. The asymmetric cosine: F. Aiolli, "Efficient Top-N Recommendation for Very Large Scale Binary Rated
    Datasets", RecSys 2013. Amplification: J. Breese, D. Heckerman, C. Kadie, "Empirical Analysis of
    Predictive Algorithms for Collaborative Filtering", UAI 1998.

    Whether an interaction was made counts, its weight does not, and all normalisation is inside the stored
    weights, so that a list computed overnight is the one the online index gives for the same items.
    """

    name = "item_knn"
    config_class: ClassVar[type[ModelConfig]] = ItemKnnConfig
    folds_in = True
    # Whoever took nothing but what nobody else took has no neighbours.
    max_empty_share = 0.2

    config: ItemKnnConfig
    _index: NeighbourIndex
    _weights: csr_matrix

    def neighbours(self) -> NeighbourIndex:
        """The index a reader answers from."""
        self._fitted_shape()
        return self._index

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        config = self.config
        users_of_item = csr_matrix(touched(data.matrix).T)
        rows = weighted_rows(users_of_item, config.weighting, config.bm25_k1, config.bm25_b)
        items_of_user = np.maximum(np.diff(data.matrix.indptr), 1).astype(np.float64)
        rows = csr_matrix(rows @ diags_array(items_of_user**-config.user_exponent))
        if config.weighting == "bm25":
            ids, weights = nearest_rows(rows, config.neighbours, self.threads)
        else:
            candidate, history = 2 * (1 - config.asymmetry), 2 * config.asymmetry
            # The history's own length changes no item's nearest, only what they weigh.
            ids, weights = nearest_rows(scaled_rows(rows, candidate), config.neighbours, self.threads)
            weights *= row_lengths(rows)[:, np.newaxis] ** (candidate - history)
        run.report(0.8, "item_knn: similarities computed")
        self._take(NeighbourIndex(ids, (weights**config.amplification).astype(np.float32)))

    def _score(self, users: NDArray[np.integer], history: csr_matrix) -> Floats:  # noqa: ARG002
        # Histories are sorted as the index sorts a session: the same sums in the same order, to the last bit.
        scores: Floats = (touched(history).astype(np.float64) @ self._weights).toarray()
        scores[scores == 0] = -np.inf
        return scores

    def _arrays(self) -> Arrays:
        return {"neighbour_ids": self._index.ids, "neighbour_weights": self._index.weights}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:  # noqa: ARG002
        shape = (n_items, self.config.neighbours)
        ids = take(arrays, "neighbour_ids", np.int32, shape)
        self._take(NeighbourIndex(ids, take(arrays, "neighbour_weights", np.float32, shape)))

    def _take(self, index: NeighbourIndex) -> None:
        self._index = index
        found = index.ids >= 0
        starts = np.concatenate(([0], np.cumsum(found.sum(axis=1))))
        self._weights = csr_matrix(
            (index.weights[found].astype(np.float64), index.ids[found], starts),
            shape=(index.n_items, index.n_items),
        )
