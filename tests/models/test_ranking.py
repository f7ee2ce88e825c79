import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.ranking import Ranking, Vectors, contained, keep_first, rank_scores, rank_vectors, top_k


def drawn_vectors(n_users: int = 90, n_items: int = 400, *, biased: bool = False) -> Vectors:
    rng = np.random.default_rng(0)
    biases = rng.normal(size=n_items).astype(np.float32) if biased else None
    return Vectors(
        rng.normal(size=(n_users, 16)).astype(np.float32),
        rng.normal(size=(n_items, 16)).astype(np.float32),
        biases,
    )


def drawn_seen(n_users: int, n_items: int) -> csr_matrix:
    return csr_matrix((np.random.default_rng(1).random((n_users, n_items)) < 0.1).astype(np.float32))


def brute_force(vectors: Vectors, seen: csr_matrix, k: int) -> np.ndarray:
    scores = vectors.users.astype(np.float64) @ vectors.items.astype(np.float64).T
    if vectors.biases is not None:
        scores += vectors.biases
    scores[seen.toarray() != 0] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("block_bytes", [1, 50_000, 2**26])
def test_vectors_rank_as_brute_force_does(biased: bool, block_bytes: int) -> None:
    vectors, seen = drawn_vectors(biased=biased), drawn_seen(90, 400)
    ranking = rank_vectors(vectors, np.arange(90), 10, seen=seen, block_bytes=block_bytes)
    np.testing.assert_array_equal(ranking.items, brute_force(vectors, seen, 10))


def test_users_come_in_the_order_asked_for() -> None:
    vectors = drawn_vectors()
    all_of_them = rank_vectors(vectors, np.arange(90), 10)
    some = rank_vectors(vectors, np.array([40, 3, 40]), 10)
    np.testing.assert_array_equal(some.items, all_of_them.items[[40, 3, 40]])


def test_scores_are_those_of_the_items() -> None:
    vectors = drawn_vectors(biased=True)
    ranking = rank_vectors(vectors, np.array([7]), 5)
    assert vectors.biases is not None
    scores = vectors.items[ranking.items[0]] @ vectors.users[7] + vectors.biases[ranking.items[0]]
    np.testing.assert_allclose(ranking.scores[0], scores, rtol=1e-5)


def test_zero_factors_tie_and_go_to_the_lower_index() -> None:
    nothing = Vectors(np.zeros((2, 4), np.float32), np.zeros((30, 4), np.float32))
    ranking = rank_vectors(nothing, np.arange(2), 3, seen=csr_matrix(([1.0], ([1], [0])), shape=(2, 30)))
    assert ranking.items.tolist() == [[0, 1, 2], [1, 2, 3]]


def test_equal_items_go_to_the_lower_index_wherever_the_cut_falls() -> None:
    items = np.tile(np.array([[1.0, 0.0], [2.0, 0.0]], np.float32), (25, 1))
    ranking = rank_vectors(Vectors(np.ones((1, 2), np.float32), items), np.array([0]), 30)
    assert ranking.items[0].tolist() == [*range(1, 50, 2), 0, 2, 4, 6, 8]


@pytest.mark.parametrize("k", [3, 10])
def test_what_cannot_be_filled_is_padded(k: int) -> None:
    vectors = Vectors(np.ones((2, 1), np.float32), np.arange(1, 4, dtype=np.float32)[:, np.newaxis])
    seen = csr_matrix(np.array([[0, 0, 1], [1, 1, 1]], np.float32))
    ranking = rank_vectors(vectors, np.arange(2), k, seen=seen)
    assert ranking.items.tolist() == [[1, 0] + [-1] * (k - 2), [-1] * k]
    assert ranking.scores.tolist() == [[2.0, 1.0] + [-np.inf] * (k - 2), [-np.inf] * k]


@pytest.mark.parametrize("block_bytes", [1, 2**26])
def test_score_blocks_rank_as_brute_force_does(block_bytes: int) -> None:
    scores, seen = np.random.default_rng(2).integers(0, 9, (70, 120)).astype(np.float64), drawn_seen(70, 120)
    ranking = rank_scores(lambda block: scores[block].copy(), 70, 120, 15, seen=seen, block_bytes=block_bytes)
    expected = np.where(seen.toarray() != 0, -np.inf, scores)
    np.testing.assert_array_equal(ranking.items, np.argsort(-expected, axis=1, kind="stable")[:, :15])


def test_blocks_stay_within_the_memory_budget() -> None:
    sizes: list[int] = []

    def score(block: slice) -> np.ndarray:
        sizes.append(block.stop - block.start)
        return np.zeros((block.stop - block.start, 1000))

    rank_scores(score, 100, 1000, 5, block_bytes=32 * 1000 * 16)
    assert sizes == [32, 32, 32, 4]


def test_minus_infinity_is_never_picked() -> None:
    columns, best = top_k(np.array([[-np.inf, 1.0, -np.inf], [-np.inf] * 3]), 2)
    assert columns.tolist() == [[1, -1], [-1, -1]]
    assert best.tolist() == [[1.0, -np.inf], [-np.inf, -np.inf]]


@pytest.mark.parametrize("shape", [(0, 5), (3, 0)])
def test_no_rows_or_no_columns_are_no_error(shape: tuple[int, int]) -> None:
    assert top_k(np.zeros(shape), 4)[0].shape == (shape[0], min(4, shape[1]))


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
