"""Stage precompute, chunk by chunk: resumed wherever it was cut off, bounded, and never done twice."""

from typing import cast

import pytest

from interactions.dataset import Dataset
from store.events import Event
from tests.waiting import wait_until
from tests.workers.filling import fill, keys_of, live_rows, opened
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.pipeline import pipeline
from workers.tasks.precompute import precompute, precompute_chunk
from workers.tasks.publish import publish
from workers.tasks.reconcile import reconcile

QUEUE = "cpu"


@pytest.fixture(params=["als", "item_knn"])
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def claims(runtime: Runtime, model: str, generation: str) -> dict[int, int]:
    """How often each chunk was claimed."""
    leases = cast("dict[bytes, bytes]", runtime.serving.hgetall(runtime.keys.leases(model, generation)))
    return {
        int(name.split(b":")[0]): int(times) for name, times in leases.items() if name.endswith(b":attempts")
    }


def test_the_message_tells_users_written_users_a_second_and_the_time_left(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, model: str
) -> None:
    job = opened(runtime, dispatcher, dataset, model)
    fill(runtime, dispatcher, job, 0, 1)
    found = runtime.jobs.get(job.id)
    written = runtime.generations.get(model, job.generation).users_written
    assert found.message.startswith(f"{written} of 300 users, ")
    assert found.message.endswith(" left")
    assert found.progress == pytest.approx(3 / 4 * written / 300)


def test_every_chunk_is_sent_once_and_the_last_one_sends_publish(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, model: str
) -> None:
    job = opened(runtime, dispatcher, dataset, model)
    n_chunks = runtime.generations.get(model, job.generation).n_chunks
    assert n_chunks == 8
    assert dispatcher.waiting(QUEUE) == n_chunks + 1, "the chunks, and the stage that opened their generation"
    fill(runtime, dispatcher, job)
    assert runtime.jobs.get(job.id).stage == "publish"
    assert set(claims(runtime, model, job.generation).values()) == {1}
    publish(runtime, dispatcher, job.id)
    assert None not in live_rows(runtime, model, dataset)


def test_after_a_kill_only_the_chunks_that_are_not_done_are_claimed_again(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset)
    generations = runtime.generations
    fill(runtime, dispatcher, job, 0, 1, 2)
    assert generations.chunks.claim("als", job.generation, 3, lease_seconds=0.01) == "granted"  # and died
    before = dispatcher.waiting(QUEUE)

    def sent() -> bool:
        reconcile(runtime, dispatcher)
        return dispatcher.waiting(QUEUE) == before + 1

    wait_until(sent, "the chunk sent again, though others wait in its queue")
    reconcile(runtime, dispatcher)
    assert dispatcher.waiting(QUEUE) == before + 1
    fill(runtime, dispatcher, job)
    assert claims(runtime, "als", job.generation) == {chunk: 2 if chunk == 3 else 1 for chunk in range(8)}


def test_chunks_whose_messages_are_lost_are_sent_again_once_nothing_waits(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset)
    fill(runtime, dispatcher, job, 0, 1)
    with dispatcher.app.connection_for_write() as connection:
        connection.default_channel.queue_purge(QUEUE)

    def sent() -> bool:
        reconcile(runtime, dispatcher)
        return dispatcher.waiting(QUEUE) > 0

    wait_until(sent, "the chunks sent again")
    reconcile(runtime, dispatcher)
    assert dispatcher.waiting(QUEUE) == 6


def test_a_chunk_that_never_ends_fails_the_job_after_five_claims(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset)

    def claimed() -> bool:
        claim = runtime.generations.chunks.claim("als", job.generation, 2, lease_seconds=0.01)
        return claim == "granted"

    for _ in range(5):
        wait_until(claimed, "the last lease over")

    def over() -> bool:
        reconcile(runtime, dispatcher)
        return runtime.jobs.get(job.id).over

    wait_until(over, "the job given up")
    failed = runtime.jobs.get(job.id)
    assert failed.error is not None
    assert "chunk 2 was tried 5 times" in failed.error["error_message"]
    generation = runtime.generations.get("als", job.generation)
    assert (generation.state, generation.error) == ("failed", failed.error["error_message"])
    fill(runtime, dispatcher, job, 5)
    assert 5 not in claims(runtime, "als", job.generation)


def test_a_stage_cut_off_before_the_job_names_its_generation_goes_on_with_it(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset, "item_knn")
    runtime.jobs.update(job.id, generation="")
    runtime.blobs.drop(lambda part: runtime.keys.catalog(dataset.version, part))
    again = resumed(runtime, dispatcher, job.id)
    assert again == job.generation
    assert [generation.id for generation in runtime.generations.list("item_knn")] == [job.generation]
    assert runtime.serving.exists(runtime.keys.catalog(dataset.version, 0))


def test_a_generation_redis_lost_is_opened_anew_under_another_id(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset)
    for key in (*keys_of(runtime, "als", job.generation), runtime.keys.fence("als")):
        runtime.serving.delete(key)
    runtime.serving.delete(runtime.keys.generations("als"))

    def sent() -> bool:
        reconcile(runtime, dispatcher)
        return runtime.jobs.get(job.id).generation == ""

    wait_until(sent, "the loss noticed")
    again = resumed(runtime, dispatcher, job.id)
    assert int(again) > int(job.generation)
    fill(runtime, dispatcher, runtime.jobs.get(job.id))
    publish(runtime, dispatcher, job.id)
    assert None not in live_rows(runtime, "als", dataset)


def test_rows_a_killed_server_lost_are_written_again_before_anything_is_published(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset)
    fill(runtime, dispatcher, job)
    runtime.serving.delete(runtime.keys.bucket("als", job.generation, 9))
    publish(runtime, dispatcher, job.id)
    assert runtime.generations.pointer("als") is None
    assert runtime.jobs.get(job.id).stage == "precompute"
    resumed(runtime, dispatcher, job.id)
    fill(runtime, dispatcher, job)
    assert claims(runtime, "als", job.generation) == {chunk: 2 if chunk == 2 else 1 for chunk in range(8)}
    publish(runtime, dispatcher, job.id)
    assert runtime.jobs.get(job.id).state == "succeeded"
    assert None not in live_rows(runtime, "als", dataset)


@pytest.mark.parametrize(
    ("model", "lost"), [("als", "catalog"), ("item_knn", "knn"), ("popular", "segments")]
)
def test_what_a_killed_server_lost_beside_the_rows_is_written_again_before_anything_is_published(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, model: str, lost: str
) -> None:
    job = opened(runtime, dispatcher, dataset, model)
    fill(runtime, dispatcher, job)
    generation = runtime.generations.get(model, job.generation)
    keys = runtime.keys
    gone = {
        "catalog": keys.catalog(dataset.version, 1),
        "knn": keys.knn(generation.knn, 1),
        "segments": keys.segments(model, generation.id),
    }[lost]
    assert runtime.serving.delete(gone)
    publish(runtime, dispatcher, job.id)
    assert runtime.generations.pointer(model) is None
    assert runtime.jobs.get(job.id).stage == "precompute"
    precompute(runtime, dispatcher, job.id)
    publish(runtime, dispatcher, job.id)
    assert runtime.jobs.get(job.id).state == "succeeded", runtime.jobs.get(job.id).error
    assert runtime.serving.exists(gone)
    assert str(runtime.generations.pointer(model)) == generation.id


def test_a_delta_writes_the_catalogue_of_its_base_again(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    base = opened(runtime, dispatcher, dataset)
    fill(runtime, dispatcher, base)
    publish(runtime, dispatcher, base.id)
    user, item = dataset.users.ids_of([0])[0], dataset.items.ids_of([0])[0]
    moment = "2026-11-01T00:00:00+00:00"
    runtime.events.append([Event("e1", user, item, moment, 1.0)])
    job, _ = runtime.jobs.create("delta", "als")
    pipeline(runtime, dispatcher, job.id)
    precompute(runtime, dispatcher, job.id)
    job = runtime.jobs.get(job.id)
    fill(runtime, dispatcher, job)
    runtime.serving.delete(runtime.keys.catalog(dataset.version, 0))
    publish(runtime, dispatcher, job.id)
    assert runtime.jobs.get(job.id).stage == "precompute"
    precompute(runtime, dispatcher, job.id)
    publish(runtime, dispatcher, job.id)
    assert str(runtime.generations.pointer("als")) == f"{base.generation}:{job.generation}"
    assert runtime.serving.exists(runtime.keys.catalog(dataset.version, 0))


def test_rows_that_are_lost_time_and_again_fail_the_job(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset)
    for _ in range(5):
        fill(runtime, dispatcher, job)
        runtime.serving.delete(runtime.keys.bucket("als", job.generation, 9))
        publish(runtime, dispatcher, job.id)
        precompute(runtime, dispatcher, job.id)
    failed = runtime.jobs.get(job.id)
    assert failed.error is not None
    assert failed.error["error_key"] == "generation_incomplete"
    assert runtime.generations.pointer("als") is None


def test_a_generation_that_went_live_before_the_job_knew_ends_the_job_well(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset)
    fill(runtime, dispatcher, job)
    generation = runtime.generations.verify("als", job.generation)
    runtime.generations.publish("als", generation.id, generation.fence)
    # The durable server lost that the job had moved on.
    assert runtime.jobs.advance(job.id, "publish", "precompute")

    def moved_on() -> bool:
        reconcile(runtime, dispatcher)
        return runtime.jobs.get(job.id).stage == "publish"

    wait_until(moved_on, "the job past precompute")
    publish(runtime, dispatcher, job.id)
    assert runtime.jobs.get(job.id).state == "succeeded"


def test_a_chunk_of_a_generation_given_up_writes_nothing(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset)
    runtime.generations.fail("als", job.generation, "overtaken")
    before = keys_of(runtime, "als", job.generation)
    precompute_chunk(runtime, dispatcher, job.id, job.generation, 0)
    assert keys_of(runtime, "als", job.generation) == before


def test_a_fault_in_a_chunk_ends_the_job_with_what_it_was(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset)
    no_such_chunk = 99
    with pytest.raises(IndexError) as raised:
        precompute_chunk(runtime, dispatcher, job.id, job.generation, no_such_chunk)
    failed = runtime.jobs.get(job.id)
    assert failed.error == {"error_key": "unexpected_error", "error_message": str(raised.value)}
    assert runtime.generations.get("als", job.generation).state == "failed"
    assert runtime.lock.owner("als") is None


def test_chunks_go_to_the_queue_that_is_set_for_them(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    assert dispatcher.queue_of("als", "precompute") == "cpu"
    assert dispatcher.queue_of("dssm", "precompute") == "gpu"
    dispatcher.app.settings = runtime.settings.model_copy(update={"chunk_queue": "gpu"})
    assert dispatcher.queue_of("als", "precompute") == "gpu"
    assert dispatcher.queue_of("als", "train") == "cpu"
    assert dispatcher.queue_of("als", "publish") == "io"
    opened(runtime, dispatcher, dataset)
    assert dispatcher.waiting("gpu") == 9, "eight chunks, and the stage that opened their generation"


def resumed(runtime: Runtime, dispatcher: Dispatcher, job_id: str) -> str:
    """The generation a job fills once its stage was sent again."""

    def begun() -> bool:
        precompute(runtime, dispatcher, job_id)
        return bool(runtime.jobs.get(job_id).generation)

    wait_until(begun, "the stage begun again")
    return runtime.jobs.get(job_id).generation
