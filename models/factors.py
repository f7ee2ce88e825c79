"""Models that are a vector per user and per item; a score is their product, plus the item's bias."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from models.base import Arrays, ModelConfig, Recommender
from models.ranking import ItemVectors, Vectors
from models.stored import take, take_finite
from topshelf.errors import CorruptArtifact, TrainingFailed


class FactorConfig(ModelConfig):
    """factors: length of a vector, the item's bias aside."""

    factors: int = Field(64, ge=1, le=1024)


class FactorRecommender(Recommender):
    """Base of factorisations: a subclass fills ``_fit``, which sets ``_factors``."""

    config_class: ClassVar[type[ModelConfig]] = FactorConfig
    has_biases: ClassVar[bool] = False

    config: FactorConfig
    _factors: Vectors

    def item_vectors(self) -> ItemVectors | None:
        return self._factors.items

    def _vectors(self, users: NDArray[np.integer], history: csr_matrix) -> Vectors:  # noqa: ARG002
        return Vectors(self._factors.users[users], self._factors.items)

    def _arrays(self) -> Arrays:
        arrays: Arrays = {"user_factors": self._factors.users, "item_factors": self._factors.items.rows}
        if self._factors.items.biases is not None:
            arrays["item_biases"] = self._factors.items.biases
        return arrays

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:
        factors = self.config.factors
        self._factors = Vectors(
            take_finite(arrays, "user_factors", (n_users, factors)),
            ItemVectors(
                take_finite(arrays, "item_factors", (n_items, factors)),
                _take_biases(arrays, n_items) if self.has_biases else None,
            ),
        )


def check_factors(
    name: str,
    iteration: int,
    users: NDArray[np.floating],
    items: NDArray[np.floating],
    *,
    advice: str,
) -> None:
    """Look at the vectors after an iteration.

    Raises:
        TrainingFailed: one of them is NaN or infinite; ``advice`` says what to do about it.
    """
    if not (np.isfinite(users).all() and np.isfinite(items).all()):
        raise TrainingFailed(
            f"{name} diverged at iteration {iteration}: a factor is NaN or infinite; {advice}"
        )


def without_untouched(biases: NDArray[np.float32], matrix: csr_matrix) -> NDArray[np.float32]:
    """The biases (n_items,), -inf for items that have no entry in ``matrix``: these are no candidates."""
    taken = np.bincount(matrix.indices, minlength=len(biases)) > 0
    return np.where(taken, biases, np.float32(-np.inf))


def _take_biases(arrays: Mapping[str, NDArray[np.generic]], n_items: int) -> NDArray[np.float32]:
    biases: NDArray[np.float32] = take(arrays, "item_biases", np.float32, (n_items,))
    if not (np.isfinite(biases) | (biases == -np.inf)).all():
        raise CorruptArtifact("array 'item_biases' holds numbers that are neither finite nor -infinity")
    return biases
