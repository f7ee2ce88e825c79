"""Features a model can learn something about."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from interactions.features import FeatureMatrix
from interactions.training_set import TrainingSet


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
