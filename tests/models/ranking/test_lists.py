import numpy as np
from scipy.sparse import csr_matrix

from models.ranking import Ranking, contained, keep_first


def test_contained_tells_stored_entries_whatever_their_value_and_order() -> None:
    matrix = csr_matrix(
        (np.array([0.0, 5.0, 1.0]), np.array([3, 1, 2]), np.array([0, 2, 2, 3])), shape=(3, 4)
    )
    asked = np.array([[3, 1, 0], [3, 1, -1], [2, -1, 3]], np.int32)
    assert contained(asked, matrix).tolist() == [[True, True, False], [False] * 3, [True, False, False]]


def test_contained_in_nothing_is_false() -> None:
    assert not contained(np.array([[0, 1]], np.int32), csr_matrix((1, 2))).any()


def test_keep_first_closes_the_gaps_and_pads() -> None:
    ranking = Ranking(np.array([[5, 6, 7, 8]], np.int32), np.array([[4, 3, 2, 1]], np.float32))
    kept = keep_first(ranking, np.array([[False, True, False, True]]), 3)
    assert kept.items.tolist() == [[6, 8, -1]]
    assert kept.scores.tolist() == [[3.0, 1.0, -np.inf]]
    assert keep_first(ranking, np.ones((1, 4), np.bool_), 6).items.tolist() == [[5, 6, 7, 8, -1, -1]]
