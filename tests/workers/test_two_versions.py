"""Workers of two versions on the same queues: what the older one does not know is left to the newer one."""

import datetime as dt

import polars as pl
import pytest
import redis

from interactions.columns import EVENT
from interactions.dataset import Dataset
from store import documents
from store.generation import FORMAT
from store.job import Job
from store.keys import Keys
from tests.waiting import wait_until
from tests.workers.conftest import StartWorker, succeeded
from tests.workers.filling import fill, opened
from topshelf.settings import Settings
from workers.celery_app import TopshelfCelery
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.stage import MAX_ATTEMPTS
from workers.tasks.drain import drain_events
from workers.tasks.pipeline import pipeline
from workers.tasks.publish import publish
from workers.tasks.reconcile import reconcile


def log_of(settings: Settings) -> str:
    return (settings.data_dir / "worker.log").read_text(errors="replace")


def test_a_message_of_a_later_versions_task_outlives_workers_that_do_not_know_it(
    settings: Settings,
    app: TopshelfCelery,
    runtime: Runtime,
    dispatcher: Dispatcher,
    dataset: Dataset,
    start_worker: StartWorker,
) -> None:
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    app.send_task("topshelf.of_a_later_version", args=["job"], queue="io")
    app.send_task("topshelf.too_late", queue="io", expires=long_ago)
    worker = start_worker()
    for said in ("topshelf.of_a_later_version is not known", "its message has expired"):
        wait_until(lambda said=said: said in log_of(settings), said)  # type: ignore[misc]
    job, _ = runtime.jobs.create("pipeline", "popular")
    dispatcher.start(job.id)
    succeeded(runtime, job.id)
    worker.stop()
    assert dispatcher.waiting("io") == 1


@pytest.fixture
def filling(runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset) -> Job:
    """A job whose generation is open and whose chunks are sent, with no worker about."""
    return opened(runtime, dispatcher, dataset, "item_knn")


def test_chunks_of_a_later_format_go_back_to_their_queue_until_somebody_can_write_them(
    settings: Settings,
    runtime: Runtime,
    client: redis.Redis,
    keys: Keys,
    filling: Job,
    start_worker: StartWorker,
) -> None:
    record = keys.generation(filling.model, filling.generation)
    client.hset(record, "format", FORMAT + 1)
    start_worker("worker", "--queues", "cpu")
    wait_until(lambda: "is left to other workers" in log_of(settings), "a chunk looked at")
    assert client.hget(record, "chunks_done") == b"0"
    client.hset(record, "format", FORMAT)

    def filled() -> bool:
        generation = runtime.generations.get(filling.model, filling.generation)
        return generation.chunks_done == generation.n_chunks

    wait_until(filled, "the chunks written")
    leases = client.hgetall(keys.leases(filling.model, filling.generation))
    assert {int(count) for name, count in leases.items() if b"attempts" in name} == {1}


def test_a_job_does_not_fail_where_a_worker_cannot_publish_what_a_later_version_wrote(
    runtime: Runtime, dispatcher: Dispatcher, client: redis.Redis, keys: Keys, filling: Job
) -> None:
    generation = runtime.generations.get(filling.model, filling.generation)
    fill(runtime, dispatcher, filling, *range(generation.n_chunks))
    client.hset(keys.generation(filling.model, generation.id), "format", FORMAT + 1)
    for _ in range(MAX_ATTEMPTS):
        client.hset(keys.job(filling.id), "lease_until", 0)
        assert "will be sent again" in publish(runtime, dispatcher, filling.id).sentence
    client.hset(keys.job(filling.id), mapping={"lease_until": 0, "updated_epoch": 0})
    reconcile(runtime, dispatcher)
    job = runtime.jobs.get(filling.id)
    assert (job.state, job.stage, job.error) == ("running", "publish", None)
    assert runtime.generations.pointer(filling.model) is None


def test_a_job_of_an_unknown_kind_is_left_alone_and_keeps_no_other_from_being_mended(
    runtime: Runtime, dispatcher: Dispatcher, client: redis.Redis, keys: Keys, dataset: Dataset
) -> None:
    other, _ = runtime.jobs.create("pipeline", "als")
    client.hdel(keys.job(other.id), "trace")  # written before there was such a field
    strange, _ = runtime.jobs.create("pipeline", "als")
    client.hset(keys.job(strange.id), mapping={"kind": "distil", "stage": "teach", "hopes": "high"})
    pipeline(runtime, dispatcher, strange.id)

    def sent() -> bool:
        reconcile(runtime, dispatcher)
        return dispatcher.waiting("io") == 1

    wait_until(sent, "the other job sent again")
    assert runtime.jobs.get(strange.id).state == "queued"
    assert client.hget(keys.job(strange.id), "hopes") == b"high"
    assert not runtime.jobs.get(other.id).over


def test_an_event_with_more_than_this_version_knows_is_drained(
    runtime: Runtime, dispatcher: Dispatcher, client: redis.Redis, keys: Keys, dataset: Dataset
) -> None:
    text = documents.dump(["e1", 5, 101, "2026-02-01T00:00:00+00:00", 1.0, "on the sofa"])
    client.xadd(keys.events, {"e": text})
    drain_events(runtime, dispatcher)
    [segment] = (runtime.settings.data_dir / "events" / "pending").glob("*.parquet")
    assert pl.read_parquet(segment)[EVENT].to_list() == ["e1"]
