"""A generation is opened as the server can keep it, or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from interactions.dataset import Dataset
from models.registry import create_model
from store.byte_strings import ByteStrings
from store.compactness import check_encoding, read_limits
from store.embedded import EmbeddedRedis
from store.generation import Generation
from store.jobs import Job
from tests.workers.conftest import USERS
from topshelf.errors import NotEnoughRoom
from topshelf.settings import Settings
from workers.admission import admit
from workers.dispatch import Dispatcher
from workers.loading import load_buckets, load_shelf
from workers.opening import open_generation
from workers.runtime import Runtime
from workers.scoring import write_chunk
from workers.tasks.precompute import precompute


@pytest.fixture
def own(settings: Settings, dataset: Dataset, tmp_path: Path, redis_binary: Path | None) -> Iterator[Runtime]:
    """Workers whose shelves are on a server of this test alone."""
    assert dataset.manifest.n_users == USERS
    with EmbeddedRedis(tmp_path / "own", server=redis_binary) as server:
        changed = {"serving_url": SecretStr(server.url), "store_scores": True}
        yield Runtime(settings.model_copy(update=changed))


def opened(runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset) -> Job:
    """A precompute job after its first stage."""
    model = create_model("als", {"factors": 4}).fit(dataset.training_set())
    artifact = runtime.artifacts.save(
        model, dataset_version=dataset.version, metrics={}, split="s", code_version="1"
    )
    job, _ = runtime.jobs.create("precompute", "als", params={"artifact": artifact.id})
    admit(runtime, job)
    precompute(runtime, dispatcher, job.id)
    return runtime.jobs.get(job.id)


def test_buckets_are_as_small_as_the_server_keeps_them_compactly(
    own: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    own.serving.config_set(read_limits(own.serving).entries_setting, 12)
    job = opened(own, dispatcher, dataset)
    generation = own.generations.get("als", job.generation)
    assert generation.n_buckets > USERS / own.settings.users_per_bucket
    shelf = load_shelf(own, job.artifact)
    buckets = load_buckets(own, generation.dataset, generation.n_buckets)
    every = range(generation.n_buckets)
    assert write_chunk(own, generation, shelf, buckets, every, lambda: None) == USERS
    assert check_encoding(own.serving, own.keys, "als", generation.id, every) == ""
    assert generation.score_width == 2


def test_a_server_that_would_keep_rows_in_hash_tables_is_refused(
    own: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    own.serving.config_set(read_limits(own.serving).value_setting, 16)
    job = opened(own, dispatcher, dataset)
    assert (job.state, job.generation) == ("failed", "")
    assert job.error is not None
    assert job.error["error_key"] == "server_unsuitable"
    assert read_limits(own.serving).value_setting in job.error["error_message"]


def test_a_server_without_room_is_refused(own: Runtime, dispatcher: Dispatcher, dataset: Dataset) -> None:
    long_rows = Runtime(own.settings.model_copy(update={"k_store": 200}))
    used = int(own.serving.info("memory")["used_memory"])
    own.serving.config_set("maxmemory", used + 200_000)
    job = opened(long_rows, dispatcher, dataset)
    assert (job.state, job.generation) == ("failed", "")
    assert job.error is not None
    assert job.error["error_key"] == "not_enough_room"


def opened_for_nobody(runtime: Runtime, *, n_items: int, dataset: str, knn: str = "") -> Generation:
    """A generation without user rows, by its job."""
    job, _ = runtime.jobs.create("precompute", "item_knn")
    return open_generation(
        runtime,
        job,
        ByteStrings.of([]),
        layout="segments",
        n_items=n_items,
        k_store=10,
        dataset=dataset,
        artifact="a1",
        knn=knn,
        cut_off="",
    )


def leave(runtime: Runtime, n_bytes: int) -> None:
    runtime.serving.config_set("maxmemory", int(runtime.serving.info("memory")["used_memory"]) + n_bytes)


def test_a_catalogue_needs_room_unless_it_is_there(
    own: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    opened(own, dispatcher, dataset)
    leave(own, 20_000_000)
    with pytest.raises(NotEnoughRoom, match="takes about 4"):
        opened_for_nobody(own, n_items=10**6, dataset="another")
    assert opened_for_nobody(own, n_items=10**6, dataset=dataset.version).n_items == 10**6
    leave(own, 80_000_000)
    assert opened_for_nobody(own, n_items=10**6, dataset="another").n_items == 10**6


def test_neighbours_need_room(own: Runtime, dataset: Dataset) -> None:
    model = create_model("item_knn", {"neighbours": 1_000}).fit(dataset.training_set())
    artifact = own.artifacts.save(
        model, dataset_version=dataset.version, metrics={}, split="s", code_version="1"
    )
    leave(own, 600_000)
    with pytest.raises(NotEnoughRoom):
        opened_for_nobody(own, n_items=120, dataset=dataset.version, knn=artifact.id)
    assert opened_for_nobody(own, n_items=120, dataset=dataset.version).knn == ""


def test_a_serving_redis_that_lost_its_fences_gives_no_id_out_twice(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    runtime.generations.next_fence("als", above=6)
    first = opened(runtime, dispatcher, dataset)
    runtime.lock.release("als", first.id)
    runtime.serving.delete(runtime.keys.fence("als"))
    second = opened(runtime, dispatcher, dataset)
    assert (first.fence, second.fence) == (8, 9)
