"""A linear autoencoder on normalised interactions, with the closed-form equivalent of input dropout."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix, diags_array

from interactions.training_set import TrainingSet
from models.base import ModelConfig
from models.fit_run import FitRun
from models.item_weights import solve_item_weights
from models.linear import LinearRecommender, touched
from models.space import Dimension, Floats


class EdlaeConfig(ModelConfig):
    """regularization: ridge, as a multiple of the mean squared length of an item's column;
    dropout: share of the input the autoencoder learns to do without;
    user_exponent, item_exponent: rows are divided by the user's, columns by the item's number of
    interactions to this power, so that neither heavy users nor popular items drown the rest;
    neighbours: weights kept per item; memory_gb: the most the dense inverse may take.
    """

    regularization: float = Field(3.0, gt=0)
    dropout: float = Field(0.3, ge=0, lt=1)
    user_exponent: float = Field(0.35, ge=0, le=1)
    item_exponent: float = Field(0.1, ge=0, le=1)
    neighbours: int = Field(1000, ge=1)
    memory_gb: float = Field(8.0, gt=0)

    space: ClassVar[Mapping[str, Dimension]] = {
        "regularization": Floats(0.5, 20, log=True),
        "dropout": Floats(0, 0.6),
        "user_exponent": Floats(0, 0.6),
        "item_exponent": Floats(0, 0.4),
    }


class Edlae(LinearRecommender):
    """H. Steck, "Autoencoders that don't Overfit towards the Identity", NeurIPS 2020 (EDLAE).

    Dropout at the input, averaged over, adds dropout / (1 - dropout) of each item's own squared length to
    the ridge of EASE. Rows and columns are normalised first, as graph filters do: Y. Shen et al., "How
    Powerful is Graph Convolution for Recommendation?", CIKM 2021.
    """

    name = "edlae"
    config_class: ClassVar[type[ModelConfig]] = EdlaeConfig

    config: EdlaeConfig

    def _solve(self, data: TrainingSet, run: FitRun) -> csr_matrix:
        config = self.config
        ones = touched(data.matrix)
        by_user = _power(np.diff(ones.indptr), config.user_exponent)
        by_item = _power(np.bincount(ones.indices, minlength=data.n_items), config.item_exponent)
        matrix = csr_matrix(diags_array(1 / by_user) @ ones @ diags_array(1 / by_item))
        lengths = np.asarray(matrix.multiply(matrix).sum(axis=0), np.float64).ravel()
        penalty = config.regularization * lengths.mean() + config.dropout / (1 - config.dropout) * lengths
        weights = solve_item_weights(
            matrix, penalty, kept=config.neighbours, memory_gb=config.memory_gb, run=run, name=self.name
        )
        # A user's own factor changes no order, so that histories are scored as they are.
        return csr_matrix(diags_array(1 / by_item) @ weights @ diags_array(by_item), dtype=np.float32)


def _power(counts: NDArray[np.integer], exponent: float) -> NDArray[np.float64]:
    return np.asarray(np.maximum(counts, 1) ** exponent, np.float64)
