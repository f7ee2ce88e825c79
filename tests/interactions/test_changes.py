import numpy as np
import polars as pl
import pytest

from interactions.changes import changes_since
from interactions.dataset import Dataset
from interactions.datasets import Datasets
from topshelf.errors import DataError


def extended(datasets: Datasets, base: Dataset, *taken: tuple[int, str], weight: float = 1.0) -> Dataset:
    events = [
        {
            "event_id": f"e{number} {user} {item}",
            "user_id": user,
            "item_id": item,
            "timestamp": f"2024-02-01T10:00:{number:02}Z",
            "weight": weight,
        }
        for number, (user, item) in enumerate(taken)
    ]
    return datasets.extend(base, pl.DataFrame(events))


def changed(earlier: Dataset, later: Dataset) -> list[int]:
    return later.users.ids_of(changes_since(earlier, later).users)


def test_users_with_new_items_more_weight_or_no_history_before_have_changed(
    datasets: Datasets, small: Dataset
) -> None:
    later = extended(datasets, small, (10, "c"), (15, "a"), (30, "a"))
    assert changed(small, later) == [10, 15, 30]
    assert changed(small, extended(datasets, small, (20, "c"))) == [20]


def test_changes_are_cumulative_and_in_the_earlier_versions_item_indices(
    datasets: Datasets, small: Dataset
) -> None:
    between = extended(datasets, small, (10, "aa"), (10, "c"))
    later = extended(datasets, between, (15, "b"), (15, "0"))
    changes = changes_since(small, later)
    assert later.users.ids_of(changes.users) == [10, 15]
    assert changes.matrix.shape == (4, 3)
    assert changes.matrix.toarray().tolist() == [[2, 3, 1], [0, 1, 0], [0, 1, 9], [0, 0, 0]]
    assert changes.known_as.tolist() == [0, -1, 1, 2]


def test_who_took_nothing_but_new_items_has_not_changed(datasets: Datasets, small: Dataset) -> None:
    later = extended(datasets, small, (10, "new"), (15, "new"))
    assert changed(small, later) == []


def test_a_version_has_not_changed_since_itself(small: Dataset) -> None:
    assert changed(small, small) == []


def test_an_interaction_of_no_weight_is_one(datasets: Datasets, small: Dataset) -> None:
    later = extended(datasets, small, (10, "c"), weight=0.0)
    changes = changes_since(small, later)
    assert later.users.ids_of(changes.users) == [10]
    assert changes.matrix[[0]].indices.tolist() == [0, 1, 2]


def test_another_item_in_place_of_one_is_a_change(datasets: Datasets) -> None:
    one, other = (
        datasets.create(pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": ["a", item, "a", "c"]}))
        for item in ("b", "c")
    )
    assert changed(one, other) == [1]


def test_who_is_gone_has_not_changed(datasets: Datasets, small: Dataset) -> None:
    later = datasets.create(pl.DataFrame({"user_id": [20], "item_id": ["a"]}))
    assert changed(small, later) == [20]


def test_versions_of_different_id_types_cannot_be_compared(datasets: Datasets, small: Dataset) -> None:
    later = datasets.create(pl.DataFrame({"user_id": ["u10"], "item_id": ["a"]}))
    with pytest.raises(DataError, match=r"user ids of .* are int64, those of .* are string"):
        changes_since(small, later)


def test_changes_are_those_of_a_plain_comparison(datasets: Datasets) -> None:
    rng = np.random.default_rng(3)

    def drawn(n_users: int, n_items: int) -> pl.DataFrame:
        users, items = rng.integers(0, n_users, 300), rng.integers(0, n_items, 300)
        return pl.DataFrame({"user_id": users, "item_id": items, "weight": rng.integers(0, 3, 300) / 1.0})

    common = drawn(60, 40)
    earlier = datasets.create(pl.concat([common, drawn(60, 40).head(20)]))
    later = datasets.create(pl.concat([common, drawn(80, 60).head(20)]))

    def histories(dataset: Dataset) -> dict[int, dict[int, float]]:
        entries, held = dataset.matrix().tocoo(), set(earlier.items.external.tolist())
        found: dict[int, dict[int, float]] = {user: {} for user in dataset.users.external.tolist()}
        users, items = dataset.users.ids_of(entries.row), dataset.items.ids_of(entries.col)
        for user, item, weight in zip(users, items, entries.data.tolist(), strict=True):
            if item in held:
                found[user][item] = weight
        return found

    before, after = histories(earlier), histories(later)
    expected = [user for user, history in after.items() if history and history != before.get(user)]
    assert changed(earlier, later) == expected
    assert 0 < len(expected) < len(after)
