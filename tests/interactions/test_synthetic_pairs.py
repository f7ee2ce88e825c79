import numpy as np
import pytest

from interactions.synthetic_pairs import Tastes, matched_items, popularity


@pytest.mark.parametrize("n_items", [10, 1_000, 15_706, 40_000])
def test_shares_fall_with_the_rank_and_sum_to_one(n_items: int) -> None:
    shares = popularity(n_items)
    assert shares.shape == (n_items,)
    assert shares.sum() == pytest.approx(1.0)
    assert (np.diff(shares) <= 0).all()
    assert shares[-1] > 0


def test_the_head_takes_what_it_takes_in_kion() -> None:
    heads = popularity(15_706).cumsum()[[9, 99, 999]]
    assert heads == pytest.approx([0.187, 0.399, 0.769], abs=0.005)


@pytest.mark.parametrize("seed", range(5))
def test_views_and_activity_stay_exact_and_no_pair_occurs_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    activity = rng.integers(1, 8, 60)
    users = np.repeat(np.arange(60, dtype=np.int32), activity)
    views = np.bincount(rng.integers(0, 40, len(users)), minlength=40)
    views = -np.sort(-views)
    tastes = Tastes.draw(np.arange(40) % 4, views, 60, rng)
    items, by_taste = matched_items(users, views, tastes, rng)
    assert np.bincount(items, minlength=40).tolist() == views.tolist()
    assert len(np.unique(users.astype(np.int64) * 40 + items)) == len(users)
    assert 0 < by_taste.sum() < len(users)
