import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.features import FeatureMatrix
from interactions.training_set import TrainingSet
from models.features import AVATAR_PRIOR, avatars, features_to_learn, mean_rows


def test_an_avatar_is_the_mean_of_those_alike_drawn_to_everybodys() -> None:
    vectors = np.array([[1, 0], [3, 0], [0, 5]], np.float32)
    of_known = csr_matrix(np.array([[1, 0], [1, 0], [0, 1]], np.float32))
    of_cold = csr_matrix(np.array([[1, 0], [1, 1]], np.float32))
    mean = vectors.mean(axis=0)
    first = (vectors[:2].sum(axis=0) + AVATAR_PRIOR * mean) / (2 + AVATAR_PRIOR)
    second = (vectors[2] + AVATAR_PRIOR * mean) / (1 + AVATAR_PRIOR)
    assert avatars(vectors, of_known, of_cold) == pytest.approx(np.array([first, (first + second) / 2]))


def test_features_nobody_with_a_history_has_are_left_out() -> None:
    matrix = csr_matrix(np.array([[1, 1], [0, 0]], np.float32))
    bare = TrainingSet.of(matrix)
    features = FeatureMatrix(csr_matrix(np.array([[1, 0], [1, 1]], np.float32)), ("a=1", "a=2"))
    sides = csr_matrix(np.eye(2, dtype=np.float32))
    data = TrainingSet(matrix, sides, ("x", "y"), features, FeatureMatrix(sides, ("z=1", "z=2")))
    users, items = features_to_learn(data, matrix, wanted=True)
    assert users.toarray().tolist() == [[1], [1]]
    assert items.toarray().tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]
    users, items = features_to_learn(data, matrix, wanted=False)
    assert (users.shape, items.shape) == ((2, 0), (2, 0))
    assert features_to_learn(bare, matrix, wanted=True)[1].shape == (2, 0)


def test_a_row_without_features_is_zero() -> None:
    features = csr_matrix(np.array([[1, 1], [0, 0]], np.float32))
    weight = np.array([[2, 4], [0, 2]], np.float32)
    assert mean_rows(features, weight).tolist() == [[1, 3], [0, 0]]
    assert mean_rows(features[:, :0], weight[:0]).shape == (0, 2)
