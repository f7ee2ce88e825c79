import numpy as np
import pytest

from models.ranking import rank_scores, top_k
from tests.models.ranking.drawn import drawn_seen


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


def test_only_allowed_items_are_listed() -> None:
    scores = np.random.default_rng(2).random((20, 30))
    allowed = np.arange(30) < 4
    ranking = rank_scores(lambda block: scores[block].copy(), 20, 30, 6, allowed=allowed)
    np.testing.assert_array_equal(ranking.items[:, :4], np.argsort(-scores[:, :4], axis=1))
    assert (ranking.items[:, 4:] == -1).all()
