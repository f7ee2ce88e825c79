import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from models.registry import create_model
from topshelf.errors import TrainingFailed


def closed_form(matrix: csr_matrix, regularization: float) -> np.ndarray:
    touched = (matrix.toarray() != 0).astype(np.float64)
    inverse = np.linalg.inv(touched.T @ touched + regularization * np.eye(touched.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return np.asarray(touched @ weights)


@pytest.mark.parametrize("n_users", [25, 60])
def test_scores_are_those_of_the_dense_closed_form(n_users: int, data: TrainingSet) -> None:
    matrix = data.matrix[:n_users]
    scores = closed_form(matrix, 20)
    model = create_model("ease", {"regularization": 20}).fit(TrainingSet.of(matrix))
    ranking = model.recommend(np.arange(n_users), matrix, 40, drop_seen=False)
    found = ranking.items >= 0
    expected = np.take_along_axis(scores, np.maximum(ranking.items, 0), axis=1)
    np.testing.assert_allclose(ranking.scores[found], expected[found], rtol=1e-4, atol=1e-6)


def test_the_withheld_diagonal_of_a_checkerboard_comes_first(checkerboard: csr_matrix) -> None:
    model = create_model("ease", {"regularization": 1}).fit(TrainingSet.of(checkerboard))
    ranking = model.recommend(np.arange(20), checkerboard, 1)
    assert ranking.items[:, 0].tolist() == list(range(20))


def test_only_the_strongest_weights_of_an_item_are_kept(data: TrainingSet) -> None:
    items = create_model("ease", {"neighbours": 3}).fit(data).arrays()["weight_items"]
    assert np.bincount(np.asarray(items)).max() == 3


def test_a_catalogue_too_large_for_the_memory_given_is_refused(data: TrainingSet) -> None:
    model = create_model("ease", {"memory_gb": 1e-6})
    with pytest.raises(TrainingFailed, match=r"ease needs .* GB .* raise memory_gb"):
        model.fit(data)
