"""On the CPU, in bfloat16; a GPU runs the same in float16."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.deep.half_ranker import HalfPrecisionRanker
from models.ranking import ItemVectors, Vectors, rank_vectors
from tests.models.ranking.drawn import brute_force, drawn_seen, drawn_vectors


@pytest.mark.parametrize("spread", [0.0, 3.0])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("tile_bytes", [1, 20_000, 2**26])
def test_lists_are_those_of_full_precision(spread: float, biased: bool, tile_bytes: int) -> None:
    vectors, seen = drawn_vectors(n_items=3000, spread=spread, biased=biased), drawn_seen(90, 3000)
    ranking = HalfPrecisionRanker("cpu", tile_bytes=tile_bytes).rank(vectors, 10, seen=seen)
    np.testing.assert_array_equal(ranking.items, brute_force(vectors, seen, 10))
    np.testing.assert_allclose(ranking.scores, rank_vectors(vectors, 10, seen=seen).scores, rtol=1e-5)


def test_what_half_precision_cannot_tell_apart_is_ranked_in_full_precision() -> None:
    rng = np.random.default_rng(5)
    items = 1 + 1e-4 * rng.normal(size=(500, 8)).astype(np.float32)
    vectors = Vectors(rng.random((40, 8), np.float32), ItemVectors(items))
    ranker = HalfPrecisionRanker("cpu")
    nothing = csr_matrix(np.zeros((40, 500), np.float32))
    np.testing.assert_array_equal(ranker.rank(vectors, 10).items, brute_force(vectors, nothing, 10))
    assert ranker.left_open == 40


def test_most_lists_are_settled_by_half_precision() -> None:
    ranker = HalfPrecisionRanker("cpu")
    ranker.rank(drawn_vectors(n_users=500, n_items=3000, spread=3.0), 10)
    assert ranker.left_open < 100


def test_what_cannot_be_filled_is_padded() -> None:
    items = ItemVectors(np.arange(1, 4, dtype=np.float32)[:, np.newaxis])
    seen = csr_matrix(np.array([[0, 0, 1], [1, 1, 1]], np.float32))
    ranking = HalfPrecisionRanker("cpu").rank(Vectors(np.ones((2, 1), np.float32), items), 5, seen=seen)
    assert ranking.items.tolist() == [[1, 0, -1, -1, -1], [-1] * 5]


def test_a_user_without_a_vector_gets_the_first_items() -> None:
    vectors = drawn_vectors(n_items=200)
    vectors.users[3] = 0
    assert HalfPrecisionRanker("cpu").rank(vectors, 4).items[3].tolist() == [0, 1, 2, 3]


def test_nobody_and_nothing_are_no_error() -> None:
    vectors = drawn_vectors()
    assert HalfPrecisionRanker("cpu").rank(vectors[:0], 5).items.shape == (0, 5)
    nothing = Vectors(vectors.users, vectors.items.only(np.zeros(400, np.bool_)))
    assert (HalfPrecisionRanker("cpu").rank(nothing, 5).items == -1).all()
