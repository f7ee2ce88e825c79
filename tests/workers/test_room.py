"""Chunks wait while the serving Redis is nearly full, and nothing half-written is published."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from interactions.dataset import Dataset
from store.connection import memory_of
from store.embedded import EmbeddedRedis
from store.generation import Pointer
from store.jobs import Job
from store.repair import reopen_lost_chunks
from tests.store.stocking import Stocking
from tests.waiting import wait_until
from tests.workers.filling import fill, keys_of, live_rows, opened, taste_dataset
from topshelf.errors import NotEnoughRoom
from topshelf.settings import Settings
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.room import Room
from workers.runtime import Runtime
from workers.tasks.precompute import precompute_chunk
from workers.tasks.publish import publish

MEGABYTE = 1_000_000
ROOMY = 10**9


@pytest.fixture
def own_redis(tmp_path: Path, redis_binary: Path | None) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "own", server=redis_binary) as server:
        yield server


@pytest.fixture
def redis_url(own_redis: EmbeddedRedis) -> str:
    """The server whose ``maxmemory`` these tests change."""
    return own_redis.url


def allow(runtime: Runtime, maxmemory: int) -> None:
    runtime.serving.config_set("maxmemory", maxmemory)


def nearly_full(runtime: Runtime) -> None:
    """Leave 5 % of ``maxmemory`` free: above the high water of 90 %, below what the server refuses."""
    # Next to it a connection more or less is little.
    runtime.serving.setrange("ballast", 50 * MEGABYTE, b"x")
    allow(runtime, int(memory_of(runtime.serving).used / 0.95))


class Chunk:
    """One chunk's task in a thread."""

    def __init__(self, runtime: Runtime, dispatcher: Dispatcher, job: Job, chunk: int = 0) -> None:
        arguments = (runtime, dispatcher, job.id, job.generation, chunk)
        self._thread = threading.Thread(target=precompute_chunk, args=arguments, daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()


@pytest.fixture
def job(runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset) -> Job:
    return opened(runtime, dispatcher, dataset)


def waits(runtime: Runtime, job: Job) -> bool:
    return runtime.jobs.get(job.id).message.startswith("waiting for room in Redis: ")


def test_a_server_without_a_limit_always_has_room(runtime: Runtime, job: Job) -> None:
    Room(runtime, job.id, lambda: pytest.fail("it waited")).wait()


def test_a_chunk_waits_with_its_lease_and_goes_on_when_there_is_room(
    runtime: Runtime, dispatcher: Dispatcher, job: Job
) -> None:
    nearly_full(runtime)
    chunk = Chunk(runtime, dispatcher, job)
    wait_until(lambda: waits(runtime, job), "the chunk waiting")
    assert "% of " in runtime.jobs.get(job.id).message
    seen = runtime.jobs.get(job.id).updated_epoch
    wait_until(
        lambda: runtime.jobs.get(job.id).updated_epoch > seen + runtime.settings.lease_seconds,
        "a lease gone by",
    )
    assert runtime.generations.chunks.claim("als", job.generation, 0, lease_seconds=1) == "leased"
    assert runtime.generations.get("als", job.generation).chunks_done == 0
    assert not any(":b:{" in key for key in keys_of(runtime, "als", job.generation))
    allow(runtime, ROOMY)
    wait_until(lambda: chunk.over, "the chunk over")
    assert runtime.generations.get("als", job.generation).chunks_done == 1


def test_a_chunk_that_waits_hears_that_its_job_is_cancelled(
    runtime: Runtime, dispatcher: Dispatcher, job: Job
) -> None:
    nearly_full(runtime)
    chunk = Chunk(runtime, dispatcher, job)
    wait_until(lambda: waits(runtime, job), "the chunk waiting")
    runtime.jobs.request_cancel(job.id)
    wait_until(lambda: chunk.over, "the chunk over")
    assert runtime.jobs.get(job.id).state == "cancelled"
    assert runtime.generations.get("als", job.generation).state == "failed"


def test_a_chunk_that_waits_leaves_when_its_generation_is_given_up(
    runtime: Runtime, dispatcher: Dispatcher, job: Job
) -> None:
    nearly_full(runtime)
    chunk = Chunk(runtime, dispatcher, job)
    wait_until(lambda: waits(runtime, job), "the chunk waiting")
    runtime.generations.fail("als", job.generation, "overtaken")
    wait_until(lambda: chunk.over, "the chunk over")
    assert not runtime.jobs.get(job.id).over
    assert not any(":b:{" in key for key in keys_of(runtime, "als", job.generation))


def test_a_wait_makes_room_by_sweeping_what_is_due(
    runtime: Runtime, dispatcher: Dispatcher, job: Job
) -> None:
    old = runtime.generations.create(
        "als",
        fence=runtime.generations.next_fence("als", above=100),
        layout="users",
        dataset="gone",
        artifact="gone",
        knn="",
        n_users=1,
        n_items=1,
        n_buckets=1,
        buckets_per_chunk=1,
        k_store=1,
        cut_off="",
    )
    runtime.serving.setrange(runtime.keys.bucket("als", old.id, 0), 20 * MEGABYTE, b"x")
    runtime.generations.fail("als", old.id, "given up")
    runtime.serving.hset(runtime.keys.generation("als", old.id), "retired_at", 1)
    runtime.serving.set(runtime.keys.fence("als"), job.fence)
    nearly_full(runtime)
    chunk = Chunk(runtime, dispatcher, job)
    wait_until(lambda: chunk.over, "the chunk over")
    assert runtime.generations.get("als", job.generation).chunks_done == 1


def test_a_job_that_finds_no_room_in_time_fails_and_says_what_to_do(
    settings: Settings, dispatcher: Dispatcher, runtime: Runtime, job: Job
) -> None:
    nearly_full(runtime)
    hasty = Runtime(settings.model_copy(update={"room_wait_seconds": 1.0}))
    precompute_chunk(hasty, dispatcher, job.id, job.generation, 0)
    failed = runtime.jobs.get(job.id)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error["error_key"] == "not_enough_room"
    assert "raise maxmemory" in failed.error["error_message"]
    assert runtime.generations.get("als", job.generation).state == "failed"


def test_a_refused_write_is_made_again_and_nothing_of_it_is_published_before(settings: Settings) -> None:
    settings = settings.model_copy(
        update={"memory_high_water": 1.0, "chunk_users": 10**6, "users_per_bucket": 100}
    )
    runtime, app = Runtime(settings), create_app(settings)
    dispatcher = Dispatcher(app)
    dataset = taste_dataset(runtime, 30_000)
    job = opened(runtime, dispatcher, dataset)
    # The check before the first block passes, the rows do not fit.
    allow(runtime, memory_of(runtime.serving).used + MEGABYTE)
    chunk = Chunk(runtime, dispatcher, job)
    wait_until(lambda: waits(runtime, job), "the chunk waiting")
    generation = runtime.generations.get("als", job.generation)
    assert (generation.state, generation.chunks_done) == ("building", 0)
    assert runtime.generations.pointer("als") is None
    assert not runtime.jobs.get(job.id).over
    allow(runtime, ROOMY)
    wait_until(lambda: chunk.over, "the chunk over")
    publish(runtime, dispatcher, job.id)
    app.close()
    assert runtime.jobs.get(job.id).state == "succeeded", runtime.jobs.get(job.id).error
    assert None not in live_rows(runtime, "als", dataset)


def test_books_are_kept_on_a_full_server(runtime: Runtime, dispatcher: Dispatcher, job: Job) -> None:
    generations = runtime.generations
    allow(runtime, MEGABYTE // 10)
    with pytest.raises(NotEnoughRoom):
        generations.write_segments("als", job.generation, [b"ab"], [""])
    assert generations.chunks.claim("als", job.generation, 0, lease_seconds=60) == "granted"
    assert generations.chunks.renew("als", job.generation, 0, lease_seconds=60)
    assert generations.chunks.finish("als", job.generation, 0, 10) == 7
    assert runtime.jobs.update(job.id, message="going on")
    assert runtime.jobs.request_cancel(job.id).state == "cancelling"
    assert generations.fail("als", job.generation, "cancelled")
    assert runtime.jobs.finish(job.id, "cancelled")
    assert generations.sweep("als", retire_after_seconds=0, zombie_after_seconds=60) > 0
    assert generations.get("als", job.generation).swept


def test_what_is_filled_is_published_and_rolled_back_on_a_full_server(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, job: Job
) -> None:
    fill(runtime, dispatcher, job)
    publish(runtime, dispatcher, job.id)
    newer = opened(runtime, dispatcher, dataset)
    fill(runtime, dispatcher, newer)
    allow(runtime, MEGABYTE // 10)
    publish(runtime, dispatcher, newer.id)
    assert runtime.jobs.get(newer.id).state == "succeeded", runtime.jobs.get(newer.id).error
    assert str(runtime.generations.pointer("als")) == newer.generation
    assert str(runtime.generations.rollback("als")) == job.generation
    assert runtime.generations.held_since("als") is not None
    states = {generation.id: generation.state for generation in runtime.generations.list("als")}
    assert states == {job.generation: "live", newer.generation: "retired"}


def test_a_delta_is_laid_over_its_base_and_dropped_on_a_full_server(runtime: Runtime) -> None:
    stocking = Stocking(runtime.serving, runtime.keys)
    base = stocking.live()
    first = stocking.ready_delta(base)
    generations = runtime.generations
    generations.publish("als", first.id, first.fence)
    second = stocking.ready_delta(base)
    allow(runtime, MEGABYTE // 10)
    assert generations.publish("als", second.id, second.fence).delta == second.id
    assert generations.rollback("als") == Pointer(base.id)


def test_chunks_are_reopened_on_a_full_server(runtime: Runtime, dispatcher: Dispatcher, job: Job) -> None:
    fill(runtime, dispatcher, job)
    runtime.serving.delete(runtime.keys.bucket("als", job.generation, 9))
    generation = runtime.generations.get("als", job.generation)
    allow(runtime, MEGABYTE // 10)
    assert reopen_lost_chunks(runtime.serving, runtime.keys, generation) == {2: 1}
    again = runtime.generations.get("als", job.generation)
    assert again.chunks_done == generation.n_chunks - 1
    assert again.users_written < generation.users_written
