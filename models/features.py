"""Features a model learns from, and avatars: what stands for users of whom nothing else is known."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from interactions.features import FeatureMatrix
from interactions.training_set import TrainingSet

AVATAR_PRIOR: Final = 5.0
"""Average users added to those that have a feature, so that a rare one says little."""


def features_to_learn(
    data: TrainingSet, matrix: csr_matrix, *, wanted: bool
) -> tuple[csr_matrix, csr_matrix]:
    """Features of users (n_users, a) and of items (n_items, b), categories first; no columns unless wanted.

    Of the users' only those are left that somebody with a history in ``matrix`` (n_users, n_items) has: the
    others would stay what chance made them.
    """
    if not wanted:
        return FeatureMatrix.none(data.n_users).matrix, FeatureMatrix.none(data.n_items).matrix
    users = data.user_features.matrix
    taught = users[np.diff(matrix.indptr) > 0].sum(axis=0)
    known = csr_matrix(users[:, np.flatnonzero(np.asarray(taught).ravel())], dtype=np.float32)
    categories = FeatureMatrix(data.categories, data.category_names)
    return known, categories.joined(data.item_features).matrix


def mean_rows(features: csr_matrix, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the rows of ``weight`` (f, d) that each row of ``features`` (n, f) has: (n, d) float32, 0
    without any; (0, d) where there are no features at all.
    """
    if not features.shape[1]:
        return np.zeros((0, weight.shape[1]), np.float32)
    counts = np.maximum(np.diff(features.indptr), 1)
    return np.asarray(diags_array(1 / counts) @ features @ weight, np.float32)


def avatars(vectors: NDArray[np.float32], of_known: csr_matrix, of_cold: csr_matrix) -> NDArray[np.float32]:
    """What stands for users without a history: the mean over their features of the mean vector of the users
    who have the feature, drawn towards everybody's mean where these are few.

    On MovieLens-100K, a fifth of the users unseen, it beats popular; the sum of the features' own vectors
    does not.

    Args:
        vectors: (n, d), of users with a history; of_known: (n, f), their features; of_cold: (m, f).

    Returns:
        (m, d) float32.
    """
    counts = np.asarray(of_known.sum(axis=0), np.float64).ravel()
    sums = np.asarray(of_known.T @ vectors, np.float64) + AVATAR_PRIOR * vectors.mean(
        axis=0, dtype=np.float64
    )
    return mean_rows(of_cold, (sums / (counts + AVATAR_PRIOR)[:, np.newaxis]).astype(np.float32))
