"""Two towers, one for a user and one for an item, whose vectors meet in a product."""

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import Arrays, ModelConfig
from models.deep.batches import Histories, touched_in_batch
from models.deep.config import DssmConfig
from models.deep.devices import generator
from models.deep.holding_out import HoldOut
from models.deep.layers import Layer, root_mean_weights, take_layer
from models.deep.loop import Batch
from models.deep.losses import in_batch_softmax_loss
from models.deep.networks import log_popularity
from models.deep.recommender import DeepRecommender
from models.deep.towers import TwoTowers, history_weights
from models.features import avatars, features_to_learn, mean_rows
from models.fit_run import FitRun
from models.linear import touched
from models.ranking import ItemVectors, Vectors
from models.stored import take, take_finite
from topshelf.errors import CorruptArtifact

_ITEMS_AT_ONCE = 65_536


class Dssm(DeepRecommender):
    """P.-S. Huang et al., "Learning Deep Structured Semantic Models for Web Search using Clickthrough Data",
    CIKM 2013 (DSSM), with the in-batch negatives of X. Yi et al., "Sampling-Bias-Corrected Neural Modeling
    for Large Corpus Item Recommendations", RecSys 2019.

    A user is the items touched, the one to be predicted left out, and the user's features: so new events
    count without training. Who has features alone is served by an avatar, the mean vector of users who share
    them. What a user has touched is never that user's negative.
    """

    name = "dssm"
    config_class: ClassVar[type[ModelConfig]] = DssmConfig
    folds_in = True

    config: DssmConfig
    _items: ItemVectors
    _embeddings: NDArray[np.float32]
    _features: NDArray[np.float32]
    _avatars: NDArray[np.float32]
    _avatar_of: NDArray[np.int32]
    _layers: list[Layer]

    def knows_cold(self, users: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Who had no history in training, and features that somebody with one has."""
        known: NDArray[np.bool_] = self._avatar_of[users] >= 0
        return known

    def _train(self, data: TrainingSet, held_out: HoldOut | None, device: torch.device, run: FitRun) -> None:
        matrix = touched(data.matrix)
        kept = matrix if held_out is None else held_out.kept
        batches = _Batches(kept, *features_to_learn(data, kept, wanted=self.config.features), device)
        network = TwoTowers(
            torch.from_numpy(np.bincount(kept.indices, minlength=kept.shape[1])),
            self.config.factors,
            self.config.hidden,
            user_features=batches.n_user_features,
            item_features=batches.n_item_features,
            numbers=generator(torch.device("cpu"), self.seed),
        ).to(device)
        self._without_avatars(data.n_users)
        self._descend(
            network,
            lambda batch: self._loss(network, batches, batch),
            n_examples=len(batches.items),
            held_out=held_out,
            take_weights=lambda: self._take_weights(network, batches),
            arrays=batches.arrays,
            run=run,
        )
        self._take_avatars(matrix, batches.known_features)

    def _loss(self, network: TwoTowers, batches: "_Batches", batch: Batch) -> torch.Tensor:
        config = self.config
        users, items = batches.users[batch.examples], batches.items[batch.examples]
        history = batches.histories.bags(users)
        weights = history_weights(history, items, config.history_dropout, batch.generator)
        scores = (
            network.users(history, weights, batches.user_features.bags(users))
            @ network.items(items, batches.item_features.bags(items)).T
        )
        scores = scores.float() / config.temperature + network.item_bias[items]
        frequencies = config.correction * batches.log_popularity[items]
        return in_batch_softmax_loss(scores, frequencies, touched_in_batch(history, items))

    def _take_weights(self, network: TwoTowers, batches: "_Batches") -> None:
        weights = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
        items = torch.arange(len(network.item_bias), device=network.item_bias.device)
        with torch.no_grad():
            parts = [
                network.items(part, batches.item_features.bags(part)).cpu().numpy()
                for part in torch.split(items, _ITEMS_AT_ONCE)
            ]
        self._items = ItemVectors(np.concatenate(parts), weights["item_bias"])
        self._embeddings = weights["item_weight"]
        self._features = mean_rows(batches.known_features, weights["user_feature_weight"])
        self._layers = [
            (weights[f"user_layers.{place}.weight"], weights[f"user_layers.{place}.bias"])
            for place in range(len(network.user_layers))
        ]

    def _without_avatars(self, n_users: int) -> None:
        self._avatars = np.zeros((0, self.config.factors), np.float32)
        self._avatar_of = np.full(n_users, -1, np.int32)

    def _take_avatars(self, matrix: csr_matrix, features: csr_matrix) -> None:
        active = np.diff(matrix.indptr) > 0
        cold = np.flatnonzero(~active & (np.diff(features.indptr) > 0))
        if len(cold):
            known = np.flatnonzero(active)
            vectors = self._user_vectors(known, matrix[known])
            self._avatars = avatars(vectors, features[known], features[cold])
            self._avatar_of[cold] = np.arange(len(cold))

    def item_vectors(self) -> ItemVectors | None:
        return self._items

    def _vectors(self, users: NDArray[np.integer], history: csr_matrix) -> Vectors:
        return Vectors(self._user_vectors(users, history), self._items)

    def _user_vectors(self, users: NDArray[np.integer], history: csr_matrix) -> NDArray[np.float32]:
        """Vectors (n, factors) of ``users`` (n,) over the temperature; without a history, their avatars.

        Of a user who is -1 there are no features.
        """
        summed = (root_mean_weights(history) @ self._embeddings).astype(np.float64)
        if len(self._features):
            summed += np.where(users[:, np.newaxis] >= 0, self._features[users], 0)
        for place, (weight, bias) in enumerate(self._layers):
            summed = (np.tanh(summed) if place else summed) @ weight.T.astype(np.float64) + bias
        lengths = np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)
        vectors: NDArray[np.float32] = (summed / lengths / self.config.temperature).astype(np.float32)
        cold = (np.diff(history.indptr) == 0) & (users >= 0)
        avatar = np.where(cold, self._avatar_of[users], -1)
        vectors[avatar >= 0] = self._avatars[avatar[avatar >= 0]]
        return vectors

    def _arrays(self) -> Arrays:
        arrays: Arrays = {
            "item_vectors": self._items.rows,
            "item_biases": np.asarray(self._items.biases),
            "item_embeddings": self._embeddings,
            "user_features": self._features,
            "avatars": self._avatars,
            "avatar_of": self._avatar_of,
            "best_epoch": np.array([self._best_epoch], np.int64),
        }
        for place, (weight, bias) in enumerate(self._layers):
            arrays |= {f"user_layer_{place}_weight": weight, f"user_layer_{place}_bias": bias}
        return arrays

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]], n_users: int, n_items: int) -> None:
        factors, hidden = self.config.factors, self.config.hidden
        self._items = ItemVectors(
            take_finite(arrays, "item_vectors", (n_items, factors)),
            take_finite(arrays, "item_biases", (n_items,)),
        )
        self._embeddings = take_finite(arrays, "item_embeddings", (n_items, factors))
        self._features = take_finite(arrays, "user_features", (None, factors))
        if len(self._features) not in (0, n_users):
            raise CorruptArtifact(f"there are features of {len(self._features)} users, not of {n_users}")
        self._avatars = take_finite(arrays, "avatars", (None, factors))
        self._avatar_of = take(arrays, "avatar_of", np.int32, (n_users,))
        if n_users and not -1 <= self._avatar_of.min() <= self._avatar_of.max() < max(1, len(self._avatars)):
            raise CorruptArtifact("a user has an avatar that is not there")
        self._best_epoch = int(take(arrays, "best_epoch", np.int64, (1,))[0])
        widths = (factors, *hidden, factors) if hidden else ()
        self._layers = [
            take_layer(arrays, f"user_layer_{place}", (after, before))
            for place, (before, after) in enumerate(pairwise(widths))
        ]


class _Batches:
    """What batches are gathered from, on the device."""

    def __init__(
        self, matrix: csr_matrix, user_features: csr_matrix, item_features: csr_matrix, device: torch.device
    ) -> None:
        self.histories = Histories(matrix, device)
        self.user_features = Histories(user_features, device)
        self.item_features = Histories(item_features, device)
        self.n_user_features, self.n_item_features = user_features.shape[1], item_features.shape[1]
        self.known_features = user_features
        self.arrays = tuple(
            array for part in (matrix, user_features, item_features) for array in (part.indptr, part.indices)
        )
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        self.users = torch.from_numpy(rows.astype(np.int64)).to(device)
        self.items = torch.from_numpy(matrix.indices.astype(np.int64)).to(device)
        counts = torch.from_numpy(np.bincount(matrix.indices, minlength=matrix.shape[1]))
        self.log_popularity = log_popularity(counts).to(device)
