"""The closed form of linear autoencoders."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.fit_run import FitRun
from models.item_weights import solve_item_weights
from topshelf.errors import TrainingFailed


def random_matrix(n_users: int, n_items: int) -> csr_matrix:
    rng = np.random.default_rng(5)
    return csr_matrix(rng.random((n_users, n_items)) * (rng.random((n_users, n_items)) < 0.3))


def ridge_without_self(matrix: csr_matrix, penalty: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column j from the normal equations without item j: least squares, one column at a time."""
    dense = matrix.toarray().astype(np.float64)
    n_items = dense.shape[1]
    weights = np.zeros((n_items, n_items))
    for target in range(n_items):
        others = np.delete(np.arange(n_items), target)
        gram = dense[:, others].T @ dense[:, others] + np.diag(penalty[others])
        weights[others, target] = np.linalg.solve(gram, dense[:, others].T @ dense[:, target])
    return weights


@pytest.mark.parametrize("shape", [(50, 12), (9, 30), (20, 20)])
def test_each_column_is_the_ridge_regression_on_all_other_items(shape: tuple[int, int]) -> None:
    matrix = random_matrix(*shape)
    penalty = np.linspace(0.5, 3.0, shape[1])
    weights = solve_item_weights(matrix, penalty, kept=shape[1], memory_gb=1, run=FitRun(), name="ease")
    np.testing.assert_allclose(weights.toarray(), ridge_without_self(matrix, penalty), atol=1e-6)


def test_only_the_largest_weights_of_each_target_are_kept() -> None:
    matrix = random_matrix(40, 15)
    every = solve_item_weights(matrix, np.ones(15), kept=15, memory_gb=1, run=FitRun(), name="ease").toarray()
    few = solve_item_weights(matrix, np.ones(15), kept=4, memory_gb=1, run=FitRun(), name="ease").toarray()
    for target in range(15):
        largest = np.argsort(-np.abs(every[:, target]))[:4]
        assert set(np.flatnonzero(few[:, target])) == set(largest)
        np.testing.assert_array_equal(few[largest, target], every[largest, target])


def test_an_inverse_that_does_not_fit_is_refused_with_what_to_do() -> None:
    with pytest.raises(TrainingFailed, match="raise memory_gb"):
        solve_item_weights(
            random_matrix(90, 100), np.ones(100), kept=5, memory_gb=1e-5, run=FitRun(), name="ease"
        )


def test_a_penalty_of_nothing_is_refused_with_what_to_do() -> None:
    twins = csr_matrix(np.ones((5, 3)))
    with pytest.raises(TrainingFailed, match="raise regularization"):
        solve_item_weights(twins, np.zeros(3), kept=3, memory_gb=1, run=FitRun(), name="ease")
