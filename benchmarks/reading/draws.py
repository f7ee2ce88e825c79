"""Zipf draws: who asks, and what stands in a list."""

import numpy as np
from numpy.typing import NDArray


def zipf_ranks(n: int, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``size`` ranks from 0 to n - 1, rank r as often as 1 / (r + 1); (size,) int64."""
    below = np.cumsum(1 / np.arange(1, n + 1))
    ranks: NDArray[np.int64] = np.searchsorted(below, rng.random(size) * below[-1], side="right")
    return ranks.clip(max=n - 1)


def zipf_users(n_users: int, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``size`` user ids from 1 to n_users; chance says which are the busy ones; (size,) int64."""
    return rng.permutation(n_users)[zipf_ranks(n_users, size, rng)] + 1


def zipf_lists(n_items: int, n_lists: int, k: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Lists of distinct item indices, popular items in most of them; (n_lists, k) int32.

    A list that drew too few distinct items has -1 at its end.
    """
    drawn = zipf_ranks(n_items, n_lists * k * 4, rng).reshape(n_lists, k * 4)
    order = np.argsort(drawn, axis=1, kind="stable")
    in_order = np.take_along_axis(drawn, order, axis=1)
    again = np.zeros(drawn.shape, dtype=bool)
    np.put_along_axis(again, order[:, 1:], in_order[:, 1:] == in_order[:, :-1], axis=1)
    kept_first = np.argsort(again, axis=1, kind="stable")[:, :k]
    lists = np.take_along_axis(drawn, kept_first, axis=1)
    lists[np.take_along_axis(again, kept_first, axis=1)] = -1
    return lists.astype(np.int32)
