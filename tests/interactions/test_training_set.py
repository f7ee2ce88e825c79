import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet
from topshelf.errors import DataError

MATRIX = csr_matrix(np.ones((3, 2), dtype=np.float32))


def test_interactions_alone_have_no_categories() -> None:
    data = TrainingSet.of(MATRIX)
    assert (data.n_users, data.n_items) == (3, 2)
    assert data.categories.shape == (2, 0)


def test_categories_must_have_a_row_per_item_and_a_column_per_name() -> None:
    with pytest.raises(DataError, match="shape"):
        TrainingSet(MATRIX, csr_matrix(np.ones((3, 1))), ("x",))
    with pytest.raises(DataError, match="shape"):
        TrainingSet(MATRIX, csr_matrix(np.ones((2, 1))), ("x", "y"))
