import numpy as np
import pytest

from models.ranking import BLOCK_BYTES, ListRules, Ranking


def ordered(*lists: list[int]) -> Ranking:
    items = np.array(lists, np.int32)
    return Ranking(items, np.where(items < 0, -np.inf, 100.0 - np.arange(items.shape[1])).astype(np.float32))


def greedy(order: list[int], groups: np.ndarray, most: int, k: int) -> list[int]:
    taken: list[int] = []
    for item in order:
        of_group = sum(groups[other] == groups[item] for other in taken)
        if len(taken) < k and (groups[item] < 0 or of_group < most):
            taken.append(item)
    return taken + [-1] * (k - len(taken))


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_capped_list_is_the_greedy_choice_however_deep_it_must_look(most: int) -> None:
    random = np.random.default_rng(3)
    orders = np.array([random.permutation(300) for _ in range(40)], np.int32)
    # Nearly everything is of one group, so that a list reaches far down.
    groups = np.where(random.random(300) < 0.9, 0, random.integers(-1, 6, 300)).astype(np.int32)
    depths: list[int] = []

    def rank(rows: np.ndarray, depth: int) -> Ranking:
        depths.append(depth)
        return ordered(*orders[rows, :depth].tolist())

    ranking = ListRules(groups=groups, most_per_group=most).rank(rank, 40, 300, 10)
    expected = [greedy(order.tolist(), groups, most, 10) for order in orders]
    assert ranking.items.tolist() == expected
    assert depths[0] == 20
    assert depths == sorted(depths)


def test_a_list_that_ends_early_is_not_asked_for_again() -> None:
    asked: list[int] = []

    def rank(rows: np.ndarray, depth: int) -> Ranking:
        asked.append(depth)
        return ordered(*[[0, 1, 2, 3] + [-1] * (depth - 4)] * len(rows))

    rules = ListRules(groups=np.zeros(1000, np.int32), most_per_group=2)
    assert rules.rank(rank, 3, 1000, 5).items.tolist() == [[0, 1, -1, -1, -1]] * 3
    assert asked == [10]


def test_ready_lists_are_filtered_and_capped() -> None:
    allowed = np.array([True, True, False, True, True])
    rules = ListRules(allowed, np.array([0, 0, 0, 0, -1], np.int32), 2)
    assert rules.apply(ordered([2, 3, 1, 0, 4, -1]), 3).items.tolist() == [[3, 1, 4]]


def test_without_rules_a_list_stays_as_it_is() -> None:
    ranking = ordered([4, 2, -1], [1, 0, 3])
    np.testing.assert_array_equal(ListRules().apply(ranking, 3).items, ranking.items)
    assert ListRules().rank(lambda _, depth: ranking, 2, 5, 3).items.tolist() == ranking.items.tolist()


def test_a_cap_that_cannot_be_filled_ends_the_search_as_soon_as_no_more_can_come() -> None:
    depths: list[int] = []

    def rank(rows: np.ndarray, depth: int) -> Ranking:
        depths.append(depth)
        return ordered(*[list(range(depth))] * len(rows))

    rules = ListRules(groups=(np.arange(5000) % 2).astype(np.int32), most_per_group=3)
    assert rules.rank(rank, 3, 5000, 20).items.tolist() == [[0, 1, 2, 3, 4, 5] + [-1] * 14] * 3
    assert depths == [40]


def test_deep_lists_are_asked_for_some_rows_at_a_time() -> None:
    asked: list[tuple[int, int]] = []

    def rank(rows: np.ndarray, depth: int) -> Ranking:
        asked.append((len(rows), depth))
        return Ranking(
            np.tile(np.arange(depth, dtype=np.int32), (len(rows), 1)),
            np.zeros((len(rows), depth), np.float32),
        )

    n_items = 200_000
    groups = np.where(np.arange(n_items) < n_items - 5, 0, -1).astype(np.int32)
    ranking = ListRules(groups=groups, most_per_group=1).rank(rank, 12, n_items, 4)
    assert ranking.items.tolist() == [[0, n_items - 5, n_items - 4, n_items - 3]] * 12
    assert sum(rows for rows, depth in asked if depth == n_items) == 12
    assert all(rows * depth * 64 <= BLOCK_BYTES or rows == 1 for rows, depth in asked)
