import numpy as np
from scipy.sparse import csr_matrix

from models.ranking import Vectors
from models.ranking.graph import GraphRanker, recall_of
from models.ranking.lists import Ranking
from tests.models.ranking.drawn import brute_force, drawn_seen, drawn_vectors


def ranker_of(vectors: Vectors, threads: int = 1) -> GraphRanker:
    index = GraphRanker.index_of(vectors.items, links=16, ef_construction=100, threads=threads)
    return GraphRanker(index, ef=300, threads=threads)


def recall(found: Ranking, expected: np.ndarray) -> float:
    return recall_of(found, Ranking(expected.astype(np.int32), np.zeros(expected.shape, np.float32)))


def test_what_is_found_is_nearly_the_exact_list_without_what_was_seen() -> None:
    vectors, seen = drawn_vectors(n_items=3000, biased=True), drawn_seen(90, 3000)
    found = ranker_of(vectors).rank(vectors, 10, seen=seen)
    assert recall(found, brute_force(vectors, seen, 10)) > 0.95
    assert (found.items >= 0).all()


def test_an_index_of_all_items_serves_rules_that_allow_some() -> None:
    vectors, seen = drawn_vectors(n_items=3000), drawn_seen(90, 3000)
    allowed = np.arange(3000) % 5 > 0
    restricted = Vectors(vectors.users, vectors.items.only(allowed))
    found = ranker_of(vectors).rank(restricted, 10, seen=seen)
    either = csr_matrix((seen.toarray() != 0) | ~allowed)
    assert recall(found, brute_force(vectors, either, 10)) > 0.9
    assert allowed[found.items].all()


def test_an_index_built_by_two_threads_finds_as_much() -> None:
    vectors = drawn_vectors(n_items=3000)
    nothing = csr_matrix(np.zeros((90, 3000), np.float32))
    found = ranker_of(vectors, threads=2).rank(vectors, 10)
    assert recall(found, brute_force(vectors, nothing, 10)) > 0.95


def test_recall_is_the_share_of_listed_items_and_one_of_nothing() -> None:
    exact = Ranking(np.array([[1, 2], [3, -1]], np.int32), np.zeros((2, 2), np.float32))
    found = Ranking(np.array([[2, 9], [3, 4]], np.int32), np.zeros((2, 2), np.float32))
    assert recall_of(found, exact) == 2 / 3
    assert recall_of(found, Ranking.empty(2, 2)) == 1.0
