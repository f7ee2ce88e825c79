"""User-based neighbours."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix, diags_array

from interactions.training_set import TrainingSet
from models.base import Arrays, ModelConfig, Recommender
from models.fit_run import FitRun
from models.linear import touched
from models.neighbour_search import Weighting, nearest_rows, scaled_rows, weighted_rows
from models.ranking import Floats
from models.space import Choice, Dimension, Ints
from models.space import Floats as FloatsBetween
from models.stored import take, take_finite
from topshelf.errors import CorruptArtifact


class UserKnnConfig(ModelConfig):
    """weighting: what an item is worth in its users' vectors; neighbours: kept per user;
    bm25_k1, bm25_b: saturation and length normalisation, for weighting "bm25" only;
    item_exponent: an item counts for its number of users to the power of minus this;
    amplification: similarities are raised to this power; above 1 the nearest count more, below 1 less.
    """

    weighting: Weighting = "cosine"
    neighbours: int = Field(100, ge=1, le=1000)
    bm25_k1: float = Field(1.2, ge=0)
    bm25_b: float = Field(0.75, ge=0, le=1)
    item_exponent: float = Field(0.25, ge=0, le=2)
    amplification: float = Field(1.0, gt=0, le=5)

    space: ClassVar[Mapping[str, Dimension]] = {
        "weighting": Choice(("cosine", "tfidf", "bm25")),
        "neighbours": Ints(20, 500, log=True),
        "bm25_k1": FloatsBetween(0.1, 100, log=True),
        "bm25_b": FloatsBetween(0, 1),
        "item_exponent": FloatsBetween(0, 1),
        "amplification": FloatsBetween(0.4, 3, log=True),
    }


class UserKnn(Recommender):
    """P. Resnick, N. Iacovou, M. Suchak, P. Bergstrom, J. Riedl, "GroupLens: An Open Architecture for
    Collaborative Filtering of Netnews", CSCW 1994; J. Herlocker, J. Konstan, A. Borchers, J. Riedl, "An
    Algorithmic Framework for Performing Collaborative Filtering", SIGIR 1999.

    An item's score is the summed similarity of the nearest users who touched it: whether they did counts,
    the weight does not. A user's neighbours are those found in training, whatever ``history`` holds.
    """

    name = "user_knn"
    config_class: ClassVar[type[ModelConfig]] = UserKnnConfig
    # Whoever took nothing but what nobody else took has no neighbours.
    max_empty_share = 0.2

    config: UserKnnConfig
    _ids: NDArray[np.int32]
    _weights: NDArray[np.float32]
    _taken: csr_matrix
    """What every user touched in training, (n_users, n_items)."""

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        config = self.config
        taken = touched(data.matrix)
        rows = weighted_rows(taken, config.weighting, config.bm25_k1, config.bm25_b)
        users_of_item = np.maximum(np.bincount(taken.indices, minlength=data.n_items), 1).astype(np.float64)
        rows = csr_matrix(rows @ diags_array(users_of_item**-config.item_exponent))
        if config.weighting != "bm25":
            rows = scaled_rows(rows, 1)
        ids, weights = nearest_rows(rows, config.neighbours, self.threads)
        run.report(0.8, "user_knn: similarities computed")
        self._ids, self._weights = ids, (weights**config.amplification).astype(np.float32)
        self._taken = taken

    def _score(self, users: NDArray[np.integer], history: csr_matrix) -> Floats:  # noqa: ARG002
        ids, weights = self._ids[users], self._weights[users].astype(np.float64)
        found = ids >= 0
        starts = np.concatenate(([0], np.cumsum(found.sum(axis=1))))
        neighbours = csr_matrix(
            (weights[found], ids[found], starts), shape=(len(users), self._taken.shape[0])
        )
        scores: Floats = (neighbours @ self._taken).toarray()
        scores[scores == 0] = -np.inf
        return scores

    def _arrays(self) -> Arrays:
        return {
            "neighbour_ids": self._ids,
            "neighbour_weights": self._weights,
            "taken_items": self._taken.indices.astype(np.int32),
            "taken_starts": self._taken.indptr.astype(np.int64),
        }

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:
        shape = (n_users, self.config.neighbours)
        ids = take(arrays, "neighbour_ids", np.int32, shape)
        weights = take_finite(arrays, "neighbour_weights", shape)
        starts = take(arrays, "taken_starts", np.int64, (n_users + 1,))
        items = take(arrays, "taken_items", np.int32, (None,))
        if ids.min() < -1 or ids.max() >= n_users or (weights < 0).any():
            raise CorruptArtifact("a neighbour is no user, or has a weight below 0")
        fits = starts[0] == 0 and starts[-1] == len(items) and (np.diff(starts) >= 0).all()
        if not fits or (len(items) and (items.min() < 0 or items.max() >= n_items)):
            raise CorruptArtifact("the items users took are not a sparse matrix over users and catalogue")
        self._ids, self._weights = ids, weights
        ones = np.ones(len(items), np.float32)
        self._taken = csr_matrix((ones, items, starts), shape=(n_users, n_items))
