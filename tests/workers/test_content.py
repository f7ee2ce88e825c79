"""What a generation is made of."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from interactions.columns import ITEM, USER
from interactions.dataset import Dataset
from models.registry import create_model
from store.generation import Generation
from tests.store.test_generation import GENERATION
from workers.content import Content, load_content, load_content_buckets
from workers.runtime import Runtime
from workers.scoring import score_users


@pytest.fixture
def base(runtime: Runtime, dataset: Dataset) -> Generation:
    model = create_model("item_knn").fit(dataset.training_set())
    manifest = runtime.artifacts.save(
        model, dataset_version=dataset.version, metrics={}, split="s", code_version="1"
    )
    return replace(GENERATION, model="item_knn", dataset=dataset.version, artifact=manifest.id)


@pytest.fixture
def delta(runtime: Runtime, dataset: Dataset, base: Generation) -> Generation:
    """Over ``base``: a new first item, new users 1,000 to 1,009, and user 8 with items of another taste."""
    new = [(user, item) for user in range(1000, 1010) for item in (50, 101, 102)]
    new += [(8, item) for item in range(130, 140)]
    rows = dataset.rows().select(USER, ITEM)
    later = runtime.datasets.create(
        pl.concat([rows, pl.DataFrame(new, schema=rows.schema, orient="row")]),
        user_id_type="int64",
        item_id_type="int64",
    )
    return replace(base, id="8", base="7", newer=later.version)


def test_a_base_is_everybody_with_the_histories_the_model_was_refitted_on(
    runtime: Runtime, dataset: Dataset, base: Generation
) -> None:
    content = load_content(runtime, base)
    assert content.users.tolist() == list(range(300))
    assert content.shelf.dataset.version == dataset.version
    np.testing.assert_array_equal(content.shelf.matrix.toarray(), dataset.matrix().toarray())
    assert sorted(load_content_buckets(runtime, base).users.tolist()) == list(range(300))


def test_a_delta_is_who_changed_with_later_histories_in_the_bases_items(
    runtime: Runtime, dataset: Dataset, base: Generation, delta: Generation
) -> None:
    content = load_content(runtime, delta)
    later = runtime.datasets.open(delta.newer)
    assert content.shelf.dataset.users.ids_of(content.users) == [8, *range(1000, 1010)]
    assert content.shelf.matrix.shape == (later.manifest.n_users, dataset.manifest.n_items)
    buckets = load_content_buckets(runtime, replace(delta, n_buckets=4))
    assert sorted(buckets.users.tolist()) == content.users.tolist()
    assert buckets.keys.tolist() == later.users.keys_of(buckets.users)

    newcomer = content.users[[1]]
    listed = score_users(content.shelf, newcomer, 10).items[0]
    items = dataset.items.ids_of(listed[listed >= 0])
    assert set(items) <= set(range(100, 130)) - {101, 102}


def test_a_sample_is_all_of_few_users_and_evenly_spaced_in_many(runtime: Runtime, base: Generation) -> None:
    few = load_content(runtime, base)
    assert few.sample(10_000).tolist() == list(range(300))
    many = Content(few.shelf, np.arange(0, 50_000, 2))
    assert many.sample(5).tolist() == [0, 12_498, 24_998, 37_498, 49_998]
    assert Content(few.shelf, np.zeros(0, np.int64)).sample(5).tolist() == []
