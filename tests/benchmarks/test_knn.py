import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.knn import compare, latencies


def test_both_ways_are_timed_and_the_index_takes_no_memory_of_its_own() -> None:
    found = latencies(500)
    assert len(found["mapped index"]) == len(found["dense vector"]) == 3
    assert found["open_anonymous_mb"] < 5


def test_every_way_finds_something_of_a_pattern() -> None:
    """Users take items of one half of the catalogue, so that half of a user's items tells the other half."""
    numbers = np.random.default_rng(0)
    n_users, n_items = 200, 100
    rows = np.repeat(np.arange(n_users), 20)
    items = numbers.integers(0, n_items // 2, len(rows)) + (rows % 2) * (n_items // 2)
    matrix = csr_matrix((np.ones(len(rows), np.float32), (rows, items)), shape=(n_users, n_items))
    ways = compare(matrix)
    assert len({way.name for way in ways}) == len(ways) == 9
    for way in ways:
        assert way.recall > 0.3, way
        assert way.microseconds > 0
