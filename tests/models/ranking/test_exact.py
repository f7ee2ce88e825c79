import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.ranking import ExactRanker, ItemVectors, Vectors, rank_vectors
from models.ranking.exact import PANEL_USERS, TILE_ITEMS
from tests.models.ranking.drawn import brute_force, drawn_seen, drawn_vectors

TILES = 3 * TILE_ITEMS + 100
"""Items for four tiles, the last one short."""


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("block_bytes", [1, 50_000, 2**26])
def test_vectors_rank_as_brute_force_does(biased: bool, block_bytes: int) -> None:
    vectors, seen = drawn_vectors(biased=biased), drawn_seen(90, 400)
    ranking = rank_vectors(vectors, 10, seen=seen, block_bytes=block_bytes)
    np.testing.assert_array_equal(ranking.items, brute_force(vectors, seen, 10))


@pytest.mark.parametrize("spread", [0.0, 1.0, 6.0], ids=["no item spared", "some", "nearly all"])
@pytest.mark.parametrize("biased", [False, True])
def test_a_catalogue_of_several_tiles_ranks_as_brute_force_does(spread: float, biased: bool) -> None:
    vectors, seen = drawn_vectors(n_items=TILES, spread=spread, biased=biased), drawn_seen(90, TILES)
    ranking = rank_vectors(vectors, 10, seen=seen)
    np.testing.assert_array_equal(ranking.items, brute_force(vectors, seen, 10))


def test_what_crowds_in_is_thinned_out_and_nothing_is_lost() -> None:
    vectors = drawn_vectors(n_users=5, n_items=40 * TILE_ITEMS, factors=4)
    nothing = csr_matrix(np.zeros((5, 40 * TILE_ITEMS), np.float32))
    np.testing.assert_array_equal(rank_vectors(vectors, 10).items, brute_force(vectors, nothing, 10))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_panels_and_threads_do_not_change_a_list(threads: int) -> None:
    vectors = drawn_vectors(n_users=PANEL_USERS + 10, n_items=TILE_ITEMS + 50, spread=2.0)
    seen = drawn_seen(PANEL_USERS + 10, TILE_ITEMS + 50)
    ranking = ExactRanker(threads=threads).rank(vectors, 5, seen=seen)
    np.testing.assert_array_equal(ranking.items, brute_force(vectors, seen, 5))


def test_some_users_get_the_lists_they_get_among_all() -> None:
    vectors, some = drawn_vectors(n_items=TILES), np.array([40, 3, 40])
    everybody = rank_vectors(vectors, 10)
    np.testing.assert_array_equal(rank_vectors(vectors[some], 10).items, everybody.items[some])


def test_scores_are_those_of_the_items() -> None:
    vectors = drawn_vectors(biased=True)
    ranking = rank_vectors(vectors[np.array([7])], 5)
    items = vectors.items.with_biases(ranking.items[0])
    np.testing.assert_allclose(ranking.scores[0], items @ vectors.queries()[7], rtol=1e-5)


@pytest.mark.parametrize("n_items", [30, TILES])
def test_zero_factors_tie_and_go_to_the_lower_index(n_items: int) -> None:
    nothing = Vectors(np.zeros((2, 4), np.float32), ItemVectors(np.zeros((n_items, 4), np.float32)))
    ranking = rank_vectors(nothing, 3, seen=csr_matrix(([1.0], ([1], [0])), shape=(2, n_items)))
    assert ranking.items.tolist() == [[0, 1, 2], [1, 2, 3]]


def test_equal_items_go_to_the_lower_index_wherever_the_cut_falls() -> None:
    items = np.tile(np.array([[1.0, 0.0], [2.0, 0.0]], np.float32), (25, 1))
    ranking = rank_vectors(Vectors(np.ones((1, 2), np.float32), ItemVectors(items)), 30)
    assert ranking.items[0].tolist() == [*range(1, 50, 2), 0, 2, 4, 6, 8]


@pytest.mark.parametrize("k", [3, 10])
def test_what_cannot_be_filled_is_padded(k: int) -> None:
    items = ItemVectors(np.arange(1, 4, dtype=np.float32)[:, np.newaxis])
    seen = csr_matrix(np.array([[0, 0, 1], [1, 1, 1]], np.float32))
    ranking = rank_vectors(Vectors(np.ones((2, 1), np.float32), items), k, seen=seen)
    assert ranking.items.tolist() == [[1, 0] + [-1] * (k - 2), [-1] * k]
    assert ranking.scores.tolist() == [[2.0, 1.0] + [-np.inf] * (k - 2), [-np.inf] * k]


def test_who_has_seen_all_but_the_shortest_items_gets_those() -> None:
    vectors = drawn_vectors(n_users=3, n_items=TILES, spread=6.0)
    shortest = vectors.items.by_length.items[-4:]
    seen = np.ones((3, TILES), np.float32)
    seen[:, shortest] = 0
    ranking = rank_vectors(vectors, 10, seen=csr_matrix(seen))
    np.testing.assert_array_equal(np.sort(ranking.items[:, :4], axis=1), np.tile(np.sort(shortest), (3, 1)))
    assert (ranking.items[:, 4:] == -1).all()


def test_nobody_and_nothing_are_no_error() -> None:
    vectors = drawn_vectors()
    assert rank_vectors(vectors[:0], 5).items.shape == (0, 5)
    nothing = Vectors(vectors.users, vectors.items.only(np.zeros(400, np.bool_)))
    assert (rank_vectors(nothing, 5).items == -1).all()


def test_items_that_are_not_allowed_are_no_candidates() -> None:
    vectors, seen = drawn_vectors(biased=True), drawn_seen(90, 400)
    allowed = np.arange(400) % 3 == 0
    restricted = Vectors(vectors.users, vectors.items.only(allowed))
    either = csr_matrix((seen.toarray() != 0) | ~allowed)
    np.testing.assert_array_equal(
        rank_vectors(restricted, 10, seen=seen).items, brute_force(vectors, either, 10)
    )


@pytest.mark.parametrize("biased", [False, True])
def test_seen_items_that_are_no_candidates_do_no_harm(biased: bool) -> None:
    vectors, seen = drawn_vectors(n_items=TILES, biased=biased), drawn_seen(90, TILES)
    allowed = np.random.default_rng(4).random(TILES) < 0.9
    restricted = Vectors(vectors.users, vectors.items.only(allowed))
    either = csr_matrix((seen.toarray() != 0) | ~allowed)
    np.testing.assert_array_equal(
        rank_vectors(restricted, 10, seen=seen).items, brute_force(vectors, either, 10)
    )


def test_users_without_a_vector_are_answered_without_a_search_and_left_their_seen_items_out() -> None:
    vectors, seen = drawn_vectors(n_items=TILES), drawn_seen(90, TILES)
    vectors.users[::2] = 0
    np.testing.assert_array_equal(rank_vectors(vectors, 10, seen=seen).items, brute_force(vectors, seen, 10))


def test_items_that_tie_in_masses_are_thinned_out_to_the_lowest() -> None:
    items = np.ones((TILES, 3), np.float32)
    ranking = rank_vectors(Vectors(np.ones((50, 3), np.float32), ItemVectors(items)), 4)
    assert ranking.items.tolist() == [[0, 1, 2, 3]] * 50


@pytest.mark.parametrize("kind", ["drawn", "tied", "nothing"])
def test_memory_stays_within_bounds_whatever_the_scores(kind: str) -> None:
    n_users, n_items, budget = PANEL_USERS + 10, 4 * TILE_ITEMS, 4 * 2**20
    vectors = drawn_vectors(n_users, n_items, factors=4)
    if kind != "drawn":
        items = ItemVectors(np.ones_like(vectors.items.rows))
        vectors = Vectors(np.full_like(vectors.users, kind == "tied"), items)
    _ = vectors.items.by_length
    tracemalloc.start()
    try:
        rank_vectors(vectors, 10, block_bytes=budget)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Beside the scores, a panel's candidates while they are thinned out; never all pairs.
    assert peak < budget + 25_000 * PANEL_USERS < 4 * n_users * n_items
