"""A linear autoencoder solved in closed form."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import ModelConfig
from models.fit_run import FitRun
from models.item_weights import solve_item_weights
from models.linear import LinearRecommender, touched
from models.space import Dimension, Floats


class EaseConfig(ModelConfig):
    """regularization: ridge added to every item's count of interactions;
    neighbours: weights kept per item; memory_gb: the most the dense inverse may take.
    """

    regularization: float = Field(300.0, gt=0)
    neighbours: int = Field(1000, ge=1)
    memory_gb: float = Field(8.0, gt=0)

    space: ClassVar[Mapping[str, Dimension]] = {"regularization": Floats(10, 3000, log=True)}


class Ease(LinearRecommender):
    """H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019 (EASE)."""

    name = "ease"
    config_class: ClassVar[type[ModelConfig]] = EaseConfig

    config: EaseConfig

    def _solve(self, data: TrainingSet, run: FitRun) -> csr_matrix:
        config = self.config
        penalty = np.full(data.n_items, config.regularization)
        return solve_item_weights(
            touched(data.matrix),
            penalty,
            kept=config.neighbours,
            memory_gb=config.memory_gb,
            run=run,
            name=self.name,
        )
