"""Small data every model can be trained on."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from interactions.training_set import TrainingSet

CATEGORIES = ("animation", "crime", "drama")

MakeData = Callable[..., TrainingSet]


@pytest.fixture
def make_data() -> MakeData:
    """A function that draws a training set, popular items first."""

    def draw(n_users: int = 60, n_items: int = 40, *, seed: int = 0) -> TrainingSet:
        rng = np.random.default_rng(seed)
        chance = 0.6 / np.sqrt(1 + np.arange(n_items))
        touched = rng.random((n_users, n_items)) < chance
        touched[:, 0] = True
        ratings = touched * rng.integers(1, 6, touched.shape)
        categories = rng.random((n_items, len(CATEGORIES))) < 0.4
        return TrainingSet(
            csr_matrix(ratings.astype(np.float32)), csr_matrix(categories.astype(np.float32)), CATEGORIES
        )

    return draw


@pytest.fixture
def data(make_data: MakeData) -> TrainingSet:
    return make_data()


@pytest.fixture
def checkerboard() -> csr_matrix:
    """Users like the items of their own parity (20 x 20), all but the one with their own number."""
    board = np.add.outer(np.arange(20), np.arange(20)) % 2 == 0
    np.fill_diagonal(board, val=False)
    return csr_matrix(board.astype(np.float32))
