"""A chunk, scored and written."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from interactions.dataset import Dataset
from models.registry import create_model
from store.generation import Generation
from store.rows import unpack_row
from store.stocked import read_rows, read_scores
from store.user_buckets import UserBuckets
from tests.workers.conftest import USERS
from topshelf.errors import JobCancelled
from workers import scoring
from workers.loading import Shelf, load_buckets, load_shelf
from workers.runtime import Runtime
from workers.scoring import score_users, write_chunk

K = 10


@pytest.fixture
def shelf(runtime: Runtime, dataset: Dataset) -> Shelf:
    model = create_model("als", {"factors": 8}).fit(dataset.training_set())
    manifest = runtime.artifacts.save(
        model, dataset_version=dataset.version, metrics={}, split="s", code_version="1"
    )
    return load_shelf(runtime, manifest.id)


def opened(runtime: Runtime, shelf: Shelf, **changes: Any) -> tuple[Generation, UserBuckets]:
    generation = runtime.generations.create(
        "als",
        fence=runtime.generations.next_fence("als"),
        layout="users",
        dataset=shelf.dataset.version,
        artifact=shelf.manifest.id,
        knn="",
        n_users=USERS,
        n_items=shelf.model.n_items,
        n_buckets=30,
        buckets_per_chunk=4,
        k_store=K,
        cut_off="",
        **changes,
    )
    return generation, load_buckets(runtime, generation.dataset, generation.n_buckets)


def rows(runtime: Runtime, generation: Generation, shelf: Shelf) -> Mapping[int, list[int]]:
    """The lists in Redis, by dense index."""
    keys = shelf.dataset.users.keys_of(range(USERS))
    found = read_rows(runtime.serving, runtime.keys, generation, keys)
    return {user: unpack_row(row, 2) for user, row in enumerate(found) if row is not None}


@pytest.mark.parametrize("block_users", [1, 25, 10_000])
def test_every_user_of_a_chunk_gets_the_models_list_and_nobody_else(
    runtime: Runtime, shelf: Shelf, block_users: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "BLOCK_USERS", block_users)
    generation, buckets = opened(runtime, shelf)
    turns: list[int] = []
    written = write_chunk(runtime, generation, shelf, buckets, range(4, 8), lambda: turns.append(1))
    members = sorted(buckets.users[buckets.starts[4] : buckets.starts[8]].tolist())
    expected = score_users(shelf, np.array(members), K).items
    assert written == len(members)
    assert rows(runtime, generation, shelf) == dict(zip(members, expected.tolist(), strict=True))
    assert len(turns) == {1: 4, 25: 2, 10_000: 1}[block_users]


def test_scores_are_kept_where_wanted(runtime: Runtime, shelf: Shelf) -> None:
    generation, buckets = opened(runtime, shelf, score_width=2)
    assert write_chunk(runtime, generation, shelf, buckets, range(30), lambda: None) == USERS
    ranking = score_users(shelf, np.arange(USERS), K)
    assert list(rows(runtime, generation, shelf).values()) == ranking.items.tolist()
    keys = shelf.dataset.users.keys_of(range(USERS))
    found = read_scores(runtime.serving, runtime.keys, generation, keys)
    np.testing.assert_allclose(np.array(found), ranking.scores, rtol=1e-3)


def test_whoever_cancels_stops_it_at_the_next_block(
    runtime: Runtime, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "BLOCK_USERS", 20)
    generation, buckets = opened(runtime, shelf)
    turns: list[int] = []

    def cancel() -> None:
        turns.append(1)
        if len(turns) == 3:
            raise JobCancelled("enough")

    with pytest.raises(JobCancelled):
        write_chunk(runtime, generation, shelf, buckets, range(30), cancel)
    assert 20 <= len(rows(runtime, generation, shelf)) < USERS / 2
