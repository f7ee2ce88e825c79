import numpy as np
import pytest

from interactions.manifest import Feedback
from interactions.pairs import category_matrix, pair_matrix


@pytest.mark.parametrize(("feedback", "folded"), [("implicit", 5.0), ("explicit", 4.0)])
def test_a_pairs_weights_add_up_or_the_highest_rating_stays(feedback: Feedback, folded: float) -> None:
    users, items = np.array([1, 0, 1]), np.array([0, 2, 0])
    matrix = pair_matrix(users, items, np.array([1, 7, 4], dtype=np.float32), (3, 4), feedback)
    assert matrix.dtype == np.float32
    assert matrix.toarray().tolist() == [[0, 0, 7, 0], [folded, 0, 0, 0], [0, 0, 0, 0]]


def test_a_weight_of_nothing_keeps_its_entry() -> None:
    matrix = pair_matrix(np.array([0]), np.array([1]), np.array([0.0]), (1, 2), "implicit")
    assert matrix.nnz == 1


def test_random_pairs_fold_like_a_dense_sum() -> None:
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 7, 500), rng.integers(0, 9, 500)
    weights = rng.integers(1, 5, 500).astype(np.float32)
    dense = np.zeros((7, 9), dtype=np.float32)
    np.add.at(dense, (users, items), weights)
    matrix = pair_matrix(users, items, weights, (7, 9), "implicit")
    matrix.check_format(full_check=True)
    assert (matrix.toarray() == dense).all()


def test_no_rows_make_an_empty_matrix() -> None:
    nothing = np.array([], dtype=np.int64)
    assert pair_matrix(nothing, nothing, nothing.astype(np.float32), (2, 3), "implicit").nnz == 0


def test_categories_become_columns() -> None:
    matrix = category_matrix([["b", "a", "b"], [], ["b"]], ("a", "b"))
    assert matrix.toarray().tolist() == [[1, 1], [0, 0], [0, 1]]
