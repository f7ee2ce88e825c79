"""What a recommender is trained on."""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from interactions.features import FeatureMatrix
from topshelf.errors import DataError


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Interactions, item categories and features as matrices over dense indices.

    ``matrix`` (n_users, n_items) float32 has one entry per pair that has interacted; ``categories``
    (n_items, n_categories) float32 is 0/1, a column per name. ``user_features`` has a row per user,
    ``item_features`` one per item, the categories not repeated. Each of the three may have no columns at
    all, as features have where none are given.

    Raises:
        DataError: when the shapes do not fit together.
    """

    matrix: csr_matrix
    categories: csr_matrix
    category_names: tuple[str, ...] = ()
    user_features: FeatureMatrix = field(default_factory=lambda: FeatureMatrix.none(0))
    item_features: FeatureMatrix = field(default_factory=lambda: FeatureMatrix.none(0))

    def __post_init__(self) -> None:
        wanted = (self.n_items, len(self.category_names))
        if self.categories.shape != wanted:
            raise DataError(f"the categories have the shape {self.categories.shape}, not {wanted}")
        for name, n in (("user_features", self.n_users), ("item_features", self.n_items)):
            features: FeatureMatrix = getattr(self, name)
            if not features.names:
                object.__setattr__(self, name, FeatureMatrix.none(n))
            elif len(features) != n:
                raise DataError(f"{name} has {len(features)} rows, not {n}")

    @classmethod
    def of(cls, matrix: csr_matrix) -> "TrainingSet":
        """A training set of interactions alone."""
        return cls(
            csr_matrix(matrix, dtype=np.float32), csr_matrix(np.zeros((matrix.shape[1], 0), dtype=np.float32))
        )

    @property
    def n_users(self) -> int:
        return int(self.matrix.shape[0])

    @property
    def n_items(self) -> int:
        return int(self.matrix.shape[1])
