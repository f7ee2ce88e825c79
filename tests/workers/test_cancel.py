"""A cancelled precompute leaves nothing in Redis, whatever was under way."""

from interactions.dataset import Dataset
from tests.waiting import wait_until
from tests.workers.conftest import StartWorker, finished
from tests.workers.filling import keys_of, opened, taste_dataset, trained
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.reconcile import reconcile

MODEL = "item_knn"
MONTH_SECONDS = 30 * 86_400


def sweep(runtime: Runtime, *, zombies: bool) -> None:
    runtime.generations.sweep(
        MODEL, retire_after_seconds=0, zombie_after_seconds=0 if zombies else MONTH_SECONDS
    )


def left(runtime: Runtime) -> set[str]:
    """Every key under the prefix that is not of the jobs, the schedules or the broker."""
    prefix = runtime.keys.prefix
    found = {key.decode() for key in runtime.serving.scan_iter(f"{prefix}*", count=10_000)}
    return {key for key in found - {runtime.keys.schedules} if not key.startswith(f"{prefix}job")}


def kept(runtime: Runtime) -> set[str]:
    """What outlives every generation: the models' names, and a counter that never goes back."""
    return {runtime.keys.models, runtime.keys.fence(MODEL)}


def test_a_job_cancelled_with_chunks_in_flight_leaves_no_key(
    runtime: Runtime, dispatcher: Dispatcher, start_worker: StartWorker
) -> None:
    dataset = taste_dataset(runtime, 20_000)
    trained(runtime, dataset, MODEL)
    job, _ = runtime.jobs.create("precompute", MODEL)
    dispatcher.start(job.id)
    start_worker()

    def some_chunks_done() -> bool:
        generation = runtime.jobs.get(job.id).generation
        return bool(generation) and runtime.generations.get(MODEL, generation).chunks_done >= 5

    wait_until(some_chunks_done, "chunks under way")
    assert runtime.jobs.request_cancel(job.id).state == "cancelling"
    [job] = finished(runtime, job.id)
    assert job.state == "cancelled"
    generation = runtime.generations.get(MODEL, job.generation)
    assert (generation.state, generation.chunks_done < generation.n_chunks) == ("failed", True)
    assert runtime.lock.owner(MODEL) is None
    wait_until(lambda: not dispatcher.waiting("cpu"), "the other chunks' messages taken")
    done = runtime.generations.get(MODEL, generation.id).chunks_done
    assert done == generation.chunks_done

    sweep(runtime, zombies=False)
    content = keys_of(runtime, MODEL, generation.id)
    assert content == {runtime.keys.generation(MODEL, generation.id)}
    # What a worker that was cut off for hours wrote after that.
    runtime.serving.hset(runtime.keys.bucket(MODEL, generation.id, 7), "1", b"ab")
    runtime.serving.hset(runtime.keys.overflow(MODEL, generation.id, 7), "1", b"ab")
    sweep(runtime, zombies=True)
    assert left(runtime) == kept(runtime)


def test_a_job_cancelled_while_its_generation_is_opened_leaves_no_key(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset, MODEL)
    # The worker died before it could tell the job, and in the middle of a file.
    runtime.jobs.update(job.id, generation="")
    runtime.serving.delete(runtime.keys.catalog(dataset.version, 0))
    runtime.jobs.request_cancel(job.id)

    def over() -> bool:
        reconcile(runtime, dispatcher)
        return runtime.jobs.get(job.id).over

    wait_until(over, "the job ended")
    sweep(runtime, zombies=False)
    sweep(runtime, zombies=True)
    assert left(runtime) == kept(runtime)


def test_what_was_put_a_moment_ago_stays_with_its_record_until_a_later_sweep(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job = opened(runtime, dispatcher, dataset, MODEL)
    runtime.generations.fail(MODEL, job.generation, "given up")
    record = runtime.keys.generation(MODEL, job.generation)
    sweep(runtime, zombies=False)
    runtime.serving.hset(record, "retired_at", 1)
    sweep(runtime, zombies=False)  # old enough itself, its catalogue is not
    assert runtime.serving.exists(record, runtime.keys.catalog(dataset.version, 0)) == 2
    sweep(runtime, zombies=True)
    assert left(runtime) == kept(runtime) | {runtime.keys.lock(MODEL)}  # of the job, which goes on
