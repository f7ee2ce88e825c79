"""What the torch models share: how they are trained, and how long."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import ModelConfig, Recommender
from models.deep.checkpoints import fingerprint
from models.deep.config import DeepConfig
from models.deep.devices import torch_device, torch_threads
from models.deep.holding_out import HoldOut
from models.deep.loop import Schedule, Step, TrainingLoop
from models.deep.optimizers import adam
from models.fit_run import FitRun
from models.ranking import Ranking


class DeepRecommender(Recommender):
    """Base of the torch models: a subclass fills ``_train``, which calls ``_descend``."""

    optimizer: ClassVar[str] = "Adam"
    queue = "gpu"
    devices = ("cpu", "cuda")
    config_class: ClassVar[type[ModelConfig]] = DeepConfig

    config: DeepConfig
    _best_epoch: int

    def refit_config(self) -> ModelConfig:
        """As ``config``, with the best number of epochs and nothing held out."""
        self._fitted_shape()
        return self.config.model_copy(update={"epochs": self._best_epoch, "valid_share": 0.0})

    def _fit(self, data: TrainingSet, run: FitRun) -> None:
        held_out = HoldOut.of(data.matrix, self.config.valid_share, self.seed)
        with torch_threads(self.threads):
            self._train(data, held_out, torch_device(self.device), run)

    @abstractmethod
    def _train(self, data: TrainingSet, held_out: HoldOut | None, device: torch.device, run: FitRun) -> None:
        """Learn from what is kept of validated data, all of it where nothing is held out."""

    def _descend(
        self,
        network: torch.nn.Module,
        step: Step,
        *,
        n_examples: int,
        held_out: HoldOut | None,
        take_weights: Callable[[], None],
        arrays: tuple[NDArray[np.generic], ...],
        run: FitRun,
    ) -> None:
        """Train a network and take the weights of its best epoch.

        Args:
            take_weights: makes the model rank with the network's present weights.
            arrays: the data, by which a checkpoint is found to belong to this training.
        """
        config = self.config

        def validate() -> dict[str, float]:
            take_weights()
            return held_out.measure(self._rank_unseen) if held_out is not None else {}

        loop = TrainingLoop(
            self.name,
            network,
            adam(network, config.lr, config.wd),
            step,
            n_examples=n_examples,
            seed=self.seed,
            schedule=Schedule(
                epochs=config.epochs,
                batch_size=config.batch_size,
                patience=config.patience,
                mixed_precision=config.mixed_precision,
            ),
            validate=validate if held_out is not None else None,
        )
        key = fingerprint(self.name, config.model_dump(mode="json"), self.seed, *arrays)
        self._best_epoch = loop.run(run, key).best_epoch
        take_weights()

    def _rank_unseen(self, users: NDArray[np.integer], history: csr_matrix, k: int) -> Ranking:
        return self._rank(users, history, k, drop_seen=True)
