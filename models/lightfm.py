"""Factorisation of users and items together with their features; lightfm does the sampling and the steps."""

import time
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from lightfm import LightFM
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, identity

from interactions.training_set import TrainingSet
from models.base import Arrays, ModelConfig
from models.factors import FactorRecommender, without_untouched
from models.features import avatars, features_to_learn
from models.fit_run import Epoch, FitRun
from models.lightfm_config import LightFmConfig
from models.linear import touched
from models.ranking import ItemVectors, Vectors
from models.stored import take
from models.threads import blas_threads
from topshelf.errors import TrainingFailed


class LightFm(FactorRecommender):
    """M. Kula, "Metadata Embeddings for User and Item Cold-start Recommendations", CBRecSys 2015 (LightFM).

    A user's vector is the sum of the user's own and those of the user's features, an item's likewise, its
    categories among the features. Who has features and no history is served by an avatar, the mean vector of
    users who share them; without either, there is no list and the reader falls back.

    WARP is J. Weston, S. Bengio, N. Usunier, "WSABIE: Scaling Up To Large Vocabulary Image Annotation",
    IJCAI 2011. It trains on one thread whatever ``threads`` says: threads would write into each other's
    vectors, and a seed would no longer give the same lists. An item nobody touched is no candidate.
    """

    name = "lightfm"
    optimizer = "adagrad"
    config_class: ClassVar[type[ModelConfig]] = LightFmConfig

    has_biases = True

    config: LightFmConfig
    _described: NDArray[np.bool_]

    def knows_cold(self, users: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whose features somebody with a history has."""
        known: NDArray[np.bool_] = self._described[users]
        return known

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        config = self.config
        ones = touched(data.matrix)
        of_users, of_items = features_to_learn(data, ones, wanted=config.features)
        users, items = _with_own(of_users), _with_own(of_items)
        model = LightFM(
            no_components=config.factors,
            loss=config.loss,
            learning_rate=config.learning_rate,
            user_alpha=config.user_regularization,
            item_alpha=config.item_regularization,
            max_sampled=config.max_sampled,
            random_state=self.seed,
        )
        for epoch in range(1, config.epochs + 1):
            began = time.monotonic()
            try:
                with np.errstate(all="ignore"):
                    model.fit_partial(ones, users, items, num_threads=1)
            except ValueError as exc:
                raise TrainingFailed(
                    f"{self.name} diverged in epoch {epoch}, batch 1 of 1: {exc}; lower learning_rate"
                ) from exc
            run.epoch_done(Epoch(epoch, None, time.monotonic() - began))
            run.report(epoch / config.epochs, f"{self.name}: epoch {epoch} of {config.epochs}")
        self._take_vectors(model, ones, of_users, users, items)

    def _take_vectors(
        self, model: LightFM, ones: csr_matrix, of_users: csr_matrix, users: csr_matrix, items: csr_matrix
    ) -> None:
        with blas_threads(1):
            user_factors = np.asarray(users @ model.user_embeddings, np.float32)
            item_factors = np.asarray(items @ model.item_embeddings, np.float32)
        biases = np.asarray(items @ model.item_biases, np.float32)
        self._described = np.diff(of_users.indptr) > 0
        active = np.diff(ones.indptr) > 0
        cold = np.flatnonzero(~active & self._described)
        if len(cold):
            user_factors[cold] = avatars(user_factors[active], of_users[active], of_users[cold])
        self._factors = Vectors(user_factors, ItemVectors(item_factors, without_untouched(biases, ones)))

    def _arrays(self) -> Arrays:
        return {**super()._arrays(), "described": self._described}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:
        super()._restore(arrays, n_users, n_items)
        self._described = take(arrays, "described", np.bool_, (n_users,))


def _with_own(features: csr_matrix) -> csr_matrix:
    """A feature of their own for each row, in front of the others."""
    return csr_matrix(hstack([identity(features.shape[0], dtype=np.float32), features]), dtype=np.float32)
