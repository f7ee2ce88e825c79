"""Models that are one sparse matrix of item-to-item weights; scores are history times weights."""

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import Arrays, Recommender
from models.fit_run import FitRun
from models.ranking import Floats
from models.stored import take, take_finite
from topshelf.errors import CorruptArtifact


class LinearRecommender(Recommender):
    """Base of linear autoencoders: a subclass fills ``_solve``.

    A user's interactions count as made, whatever their weight. An item without a weight from any other is no
    candidate.
    """

    folds_in = True
    # Whoever took nothing but what nobody else took has no list.
    max_empty_share = 0.2

    _weights: csr_matrix
    _candidate: NDArray[np.bool_]

    @abstractmethod
    def _solve(self, data: TrainingSet, run: FitRun) -> csr_matrix:
        """The weights (n_items, n_items) float32, row: an item of the history, column: the target."""

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        self._take(self._solve(data, run))

    def _score(self, users: NDArray[np.integer], history: csr_matrix) -> Floats:  # noqa: ARG002
        scores: Floats = (touched(history) @ self._weights).toarray()
        scores[:, ~self._candidate] = -np.inf
        return scores

    def _arrays(self) -> Arrays:
        weights = self._weights
        return {
            "weights": weights.data,
            "weight_items": weights.indices.astype(np.int32),
            "weight_starts": weights.indptr.astype(np.int64),
        }

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:  # noqa: ARG002
        starts = take(arrays, "weight_starts", np.int64, (n_items + 1,))
        items = take(arrays, "weight_items", np.int32, (None,))
        values = take_finite(arrays, "weights", (len(items),))
        fits = starts[0] == 0 and starts[-1] == len(items) and (np.diff(starts) >= 0).all()
        if not fits or (len(items) and (items.min() < 0 or items.max() >= n_items)):
            raise CorruptArtifact("the item weights are not a sparse matrix over the catalogue")
        self._take(csr_matrix((values, items, starts), shape=(n_items, n_items)))

    def _take(self, weights: csr_matrix) -> None:
        self._weights = weights
        self._candidate = np.bincount(weights.indices, minlength=weights.shape[1]) > 0


def touched(matrix: csr_matrix) -> csr_matrix:
    """1 for every stored entry, entries of weight 0 among them; float32, indices sorted."""
    ones = csr_matrix((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
    ones.sort_indices()
    return ones
