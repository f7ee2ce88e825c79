"""What a recommender is trained on."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from topshelf.errors import DataError


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Interactions and item categories as matrices over dense indices.

    ``matrix`` (n_users, n_items) float32 has one entry per pair that has interacted; ``categories``
    (n_items, n_categories) float32 is 0/1, a column per name, and may have no columns at all.

    Raises:
        DataError: when the shapes do not fit together.
    """

    matrix: csr_matrix
    categories: csr_matrix
    category_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wanted = (self.n_items, len(self.category_names))
        if self.categories.shape != wanted:
            raise DataError(f"the categories have the shape {self.categories.shape}, not {wanted}")

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
