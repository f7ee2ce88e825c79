import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.neighbour_search import Weighting, nearest_rows, row_lengths, scaled_rows, weighted_rows


def test_the_nearest_rows_are_numpys_own_best_first() -> None:
    rng = np.random.default_rng(0)
    rows = csr_matrix(rng.random((30, 12)) * (rng.random((30, 12)) < 0.4))
    products = np.asarray((rows @ rows.T).toarray())
    np.fill_diagonal(products, -1)
    ids, found = nearest_rows(rows, 4, threads=1)
    np.testing.assert_allclose(found, np.maximum(-np.sort(-products, axis=1)[:, :4], 0))
    near = np.take_along_axis(products, np.maximum(ids, 0).astype(np.int64), axis=1)
    np.testing.assert_allclose(found[ids >= 0], near[ids >= 0])


def test_rows_with_nothing_shared_have_no_neighbours() -> None:
    ids, products = nearest_rows(csr_matrix(np.eye(3)), 2, threads=1)
    assert (ids == -1).all()
    assert not products.any()


def test_a_row_of_zeros_keeps_its_zeros_when_scaled() -> None:
    rows = csr_matrix(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(row_lengths(rows), [5, 1])
    np.testing.assert_allclose(scaled_rows(rows, 1).toarray(), np.array([[0.6, 0.8], [0.0, 0.0]]))


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
def test_weights_of_a_single_row_are_numbers(weighting: Weighting) -> None:
    weighted = weighted_rows(csr_matrix(np.ones((1, 3))), weighting, 1.2, 0.75)
    assert np.isfinite(weighted.data).all()
