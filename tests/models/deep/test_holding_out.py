"""What is held out to stop early by."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.deep import holding_out
from models.deep.holding_out import HoldOut
from models.ranking import Ranking


def twenty_each(n_users: int) -> csr_matrix:
    return csr_matrix(np.ones((n_users, 20), np.float32))


def test_a_share_of_each_users_items_is_held_out() -> None:
    part = HoldOut.of(twenty_each(6), 0.1, seed=0)
    assert part is not None
    assert np.diff(part.kept.indptr).tolist() == [18] * 6
    assert np.diff(part.held.indptr).tolist() == [2] * 6
    assert part.kept.multiply(part.held).nnz == 0


@pytest.mark.parametrize(("share", "n_items"), [(0.0, 20), (0.1, 9)])
def test_nothing_held_out_is_none(share: float, n_items: int) -> None:
    assert HoldOut.of(csr_matrix(np.ones((4, n_items), np.float32)), share, seed=0) is None


def test_no_more_users_are_measured_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding_out, "MAX_USERS", 3)
    part = HoldOut.of(twenty_each(9), 0.1, seed=0)
    assert part is not None
    assert part.held.shape == (3, 20)
    assert len(part.users) == 3
    assert part.kept.nnz == 9 * 18


def test_lists_of_what_was_held_out_are_perfect() -> None:
    part = HoldOut.of(twenty_each(5), 0.1, seed=0)
    assert part is not None

    def rank(users: np.ndarray, history: csr_matrix, k: int) -> Ranking:
        assert np.diff(history.indptr).tolist() == [18] * 5
        ranking = Ranking.empty(len(users), k)
        ranking.items[:, :2] = part.held.indices.reshape(5, 2)
        return ranking

    metrics = part.measure(rank)
    assert metrics["Recall@10"] == metrics["NDCG@10"] == metrics["MAP@10"] == metrics["MRR@10"] == 1
