"""What a publication changes, measured on lists that stand in Redis."""

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

from interactions.columns import ITEM, USER
from interactions.dataset import Dataset
from models.registry import create_model
from models.segments import SEGMENT_ITEMS
from store.buckets import bucket_count
from store.generations import Generation
from store.packing import pack_rows
from tests.store.stocking import write_lists
from workers.churn import Churn, compare_lists, measure_churn
from workers.runtime import Runtime

Lists = Mapping[int, list[int]]


class Shelves:
    """Puts lists of external ids into generations of one model."""

    def __init__(self, runtime: Runtime, model: str = "item_knn") -> None:
        self.runtime, self.model = runtime, model
        self._artifacts: dict[str, str] = {}

    def artifact(self, dataset: Dataset) -> str:
        if dataset.version not in self._artifacts:
            model = create_model(self.model).fit(dataset.training_set())
            manifest = self.runtime.artifacts.save(
                model, dataset_version=dataset.version, metrics={}, split="s", code_version="1"
            )
            self._artifacts[dataset.version] = manifest.id
        return self._artifacts[dataset.version]

    def ready(self, dataset: Dataset, lists: Lists, base: Generation | None = None) -> Generation:
        """A verified generation; over ``base`` where given, with item indices of its dataset."""
        generations = self.runtime.generations
        items_of = dataset if base is None else self.runtime.datasets.open(base.dataset)
        n_buckets = bucket_count(len(lists), 8)
        generation = generations.create(
            self.model,
            fence=generations.next_fence(self.model),
            layout="users",
            dataset=items_of.version,
            artifact=self.artifact(items_of),
            knn="",
            n_users=len(lists),
            n_items=items_of.manifest.n_items,
            n_buckets=n_buckets,
            buckets_per_chunk=n_buckets,
            k_store=5,
            cut_off="",
            base=base.id if base else "",
            newer=dataset.version if base else "",
        )
        indices = {
            str(user): items_of.items.indices_of(items).tolist() if items else []
            for user, items in lists.items()
        }
        write_lists(self.runtime.serving, self.runtime.keys, generation, indices, range(n_buckets))
        generations.chunks.finish(self.model, generation.id, 0, len(lists))
        return generations.verify(self.model, generation.id)

    def live(self, dataset: Dataset, lists: Lists, base: Generation | None = None) -> Generation:
        generation = self.ready(dataset, lists, base)
        self.runtime.generations.publish(self.model, generation.id, generation.fence)
        return self.runtime.generations.get(self.model, generation.id)


@pytest.fixture
def shelves(runtime: Runtime) -> Shelves:
    return Shelves(runtime)


@pytest.fixture
def earlier(runtime: Runtime) -> Dataset:
    """Users 1 to 4, items 11 to 19."""
    return dataset_of(runtime, users=range(1, 5), items=range(11, 20))


@pytest.fixture
def later(runtime: Runtime) -> Dataset:
    """Users 2 to 6, items 5 to 18: all items have other indices, and item 19 is gone."""
    return dataset_of(runtime, users=range(2, 7), items=range(5, 19))


def dataset_of(runtime: Runtime, users: range, items: range) -> Dataset:
    rows = [(user, item) for user in users for item in items[user % 2 :: 2]]
    return runtime.datasets.create(pl.DataFrame(rows, schema=[USER, ITEM], orient="row"))


def test_there_is_nothing_to_compare_with_at_first(
    runtime: Runtime, shelves: Shelves, earlier: Dataset
) -> None:
    assert measure_churn(runtime, shelves.ready(earlier, {1: [11], 2: [12]})) is None


def test_lists_of_two_datasets_are_compared_by_item_over_users_of_both(
    runtime: Runtime, shelves: Shelves, earlier: Dataset, later: Dataset
) -> None:
    shelves.live(earlier, {1: [11, 12], 2: [11, 12, 13, 14], 3: [15, 16], 4: [17, 18]})
    new = shelves.ready(later, {2: [11, 12, 13, 14], 3: [16, 15], 4: [17, 5], 5: [11], 6: [11]})
    churn = measure_churn(runtime, new)
    assert churn is not None
    assert churn.overlap == pytest.approx((1 + 1 + 0.5) / 3)
    assert churn.changed == pytest.approx(2 / 3)


def test_an_item_that_is_gone_is_a_change(
    runtime: Runtime, shelves: Shelves, earlier: Dataset, later: Dataset
) -> None:
    shelves.live(earlier, {2: [11, 19], 3: [], 4: [12]})
    churn = measure_churn(runtime, shelves.ready(later, {2: [11], 3: [12], 4: []}))
    assert churn == Churn(overlap=0.5, changed=1.0)


def test_of_a_delta_its_own_users_are_compared_with_what_they_are_served(
    runtime: Runtime, shelves: Shelves, earlier: Dataset
) -> None:
    # User 1 takes items of the other parity; 2, 3 and 4 stay as they are.
    rows = pl.DataFrame([(1, item) for item in range(11, 20)], schema=[USER, ITEM], orient="row")
    later = runtime.datasets.create(pl.concat([earlier.rows().select(USER, ITEM), rows]).unique())
    base = shelves.live(earlier, {1: [11, 12], 2: [13, 14], 3: [15], 4: [16]})
    first = shelves.ready(later, {1: [11, 13]}, base)
    assert measure_churn(runtime, first) == Churn(overlap=0.5, changed=1.0)
    runtime.generations.publish("item_knn", first.id, first.fence)
    assert measure_churn(runtime, shelves.ready(later, {1: [11, 13]}, base)) == Churn(1.0, 0.0)

    following = shelves.ready(later, {1: [11, 13], 2: [13, 14], 3: [15], 4: [17]})
    assert measure_churn(runtime, following) == Churn(overlap=0.75, changed=0.25)


def test_lists_of_segments_are_compared_too(runtime: Runtime, dataset: Dataset) -> None:
    model = create_model("popular").fit(dataset.training_set())
    manifest = runtime.artifacts.save(
        model, dataset_version=dataset.version, metrics={}, split="s", code_version="1"
    )
    lists = model.segments(SEGMENT_ITEMS).ranking.items
    reversed_lists = np.ascontiguousarray(lists[:, ::-1][:, (lists[0] < 0).sum() :])

    def ready(rows: np.ndarray) -> Generation:
        generations = runtime.generations
        generation = generations.create(
            "popular",
            fence=generations.next_fence("popular"),
            layout="segments",
            dataset=dataset.version,
            artifact=manifest.id,
            knn="",
            n_users=0,
            n_items=dataset.manifest.n_items,
            n_buckets=0,
            buckets_per_chunk=1,
            k_store=5,
            cut_off="",
        )
        generations.write_segments("popular", generation.id, pack_rows(rows, 2).tolist(), [""])
        return generations.verify("popular", generation.id)

    live = ready(lists)
    runtime.generations.publish("popular", live.id, live.fence)
    assert measure_churn(runtime, ready(lists)) == Churn(1.0, 0.0)
    assert measure_churn(runtime, ready(reversed_lists)) == Churn(0.0, 1.0)


def test_lists_of_different_lengths_can_be_compared() -> None:
    before, after = np.array([[1, 2, 3, -1]]), np.array([[3, 1]])
    assert compare_lists(before, after) == Churn(overlap=2 / 3, changed=1.0)
    assert compare_lists(before, np.array([[-1, -1]])) is None
