"""What most people took: the floor under every other model."""

from typing import ClassVar, Literal

import numpy as np
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.base import ModelConfig
from models.ranking import Floats
from models.segment_recommender import SegmentRecommender


class PopularConfig(ModelConfig):
    """by: count the users of an item, or sum the weights they gave it."""

    by: Literal["users", "weight"] = "users"


class Popular(SegmentRecommender):
    """One list for everybody, most popular first.

    The non-personalised baseline of P. Cremonesi, Y. Koren, R. Turrin, "Performance of recommender
    algorithms on top-n recommendation tasks", RecSys 2010.
    """

    name = "popular"
    config_class: ClassVar[type[ModelConfig]] = PopularConfig
    is_baseline = True

    config: PopularConfig

    def _label(self, data: TrainingSet) -> tuple[str, ...]:  # noqa: ARG002
        return ("",)

    def _score_segments(self, data: TrainingSet, block: slice) -> Floats:
        return popularity(data.matrix, self.config.by)[np.newaxis][block]


def popularity(matrix: csr_matrix, by: Literal["users", "weight"]) -> Floats:
    """How popular each item is: (n_items,) float64."""
    weights = None if by == "users" else matrix.data
    return np.bincount(matrix.indices, weights, minlength=matrix.shape[1]).astype(np.float64)
