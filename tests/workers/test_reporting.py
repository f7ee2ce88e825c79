"""What a worker tells of tasks and jobs that fail: each once, under a title that says what and where."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from interactions.dataset import Dataset
from store.jobs import Job
from tests.topshelf.reports.capturing import Capturing, reporting
from tests.waiting import wait_until
from tests.workers.filling import opened
from topshelf.errors import GateRefused, JobCancelled, StoreUnavailable, TrainingFailed
from topshelf.reports import Reports
from topshelf.reports.client import STOP_SECONDS
from topshelf.settings import Settings
from workers.dispatch import Dispatcher
from workers.observing import TaskCall, observed
from workers.runtime import Runtime
from workers.stage import MAX_ATTEMPTS, Stage, end_job, run_stage
from workers.tasks.precompute import precompute_chunk
from workers.tasks.reconcile import reconcile

TRAIN = "topshelf.train"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return reporting(settings)


@pytest.fixture
def transport() -> Capturing:
    return Capturing()


@pytest.fixture
def runtime(settings: Settings, transport: Capturing) -> Runtime:
    runtime = Runtime(settings)
    vars(runtime)["reports"] = Reports(settings, "worker", transport)
    return runtime


@pytest.fixture
def job(runtime: Runtime) -> Job:
    return runtime.jobs.create("pipeline", "als", trace="request-1")[0]


@contextmanager
def raising(error: Exception) -> Iterator[None]:
    """Expects this very error out of the block."""
    with pytest.raises(type(error)) as raised:
        yield
    assert raised.value is error


def train(runtime: Runtime, dispatcher: Dispatcher, job: Job, error: Exception) -> None:
    """Run the stage of a job, as its task does, with work that fails."""

    def work(stage: Stage) -> bool:
        raise error

    with observed(runtime, TaskCall(TRAIN, (job.id,))):
        run_stage(runtime, dispatcher, job.id, "train", work)


def test_a_job_that_fails_unexpectedly_is_told_once_with_its_task_stage_model_and_trace(
    runtime: Runtime, dispatcher: Dispatcher, job: Job, transport: Capturing
) -> None:
    error = ZeroDivisionError("by nought")
    with raising(error):
        train(runtime, dispatcher, job, error)
    [event] = transport.events
    assert transport.titles == ["ZeroDivisionError: by nought"]
    assert event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "work"
    assert (event["level"], event["transaction"]) == ("error", TRAIN)
    assert event["tags"] == {
        "service": "worker",
        "task": TRAIN,
        "stage": "train",
        "model": "als",
        "job": job.id,
        "job_kind": "pipeline",
        "trace": "request-1",
    }
    assert event["contexts"]["job"]["attempts"] == 1


def test_a_job_that_fails_with_an_error_of_ours_is_told_once(
    runtime: Runtime, dispatcher: Dispatcher, job: Job, transport: Capturing
) -> None:
    train(runtime, dispatcher, job, TrainingFailed("the loss is not finite"))
    [event] = transport.events
    assert transport.titles == ["TrainingFailed: the loss is not finite"]
    assert (event["level"], event["fingerprint"]) == ("error", ["job", "training_failed", "als", "train"])


def test_a_refusal_by_the_gate_is_a_warning_of_a_group_of_its_own(
    runtime: Runtime, dispatcher: Dispatcher, job: Job, transport: Capturing
) -> None:
    train(runtime, dispatcher, job, GateRefused("NDCG@10 fell from 0.2 to 0.1"))
    [event] = transport.events
    assert transport.titles == ["GateRefused: NDCG@10 fell from 0.2 to 0.1"]
    assert (event["level"], event["fingerprint"]) == ("warning", ["job", "gate_refused", "als", "train"])


def test_a_cancelled_job_is_nobody_s_news(
    runtime: Runtime, dispatcher: Dispatcher, job: Job, transport: Capturing
) -> None:
    train(runtime, dispatcher, job, JobCancelled("somebody asked for it"))
    assert runtime.jobs.get(job.id).state == "cancelled"
    assert transport.events == []


def test_a_trial_that_fails_is_a_warning(
    runtime: Runtime, dispatcher: Dispatcher, transport: Capturing
) -> None:
    trial, _ = runtime.jobs.create("trial", "als")
    train(runtime, dispatcher, trial, TrainingFailed("the loss is not finite"))
    assert transport.events[0]["level"] == "warning"


def test_a_server_that_is_away_is_a_warning_of_the_task(
    runtime: Runtime, dispatcher: Dispatcher, job: Job, transport: Capturing
) -> None:
    error = StoreUnavailable("nobody answers")
    with raising(error):
        train(runtime, dispatcher, job, error)
    [event] = transport.events
    assert transport.titles == ["StoreUnavailable: nobody answers"]
    assert (event["level"], event["fingerprint"]) == ("warning", [TRAIN, "store_unavailable"])
    assert event["tags"] == {"service": "worker", "task": TRAIN, "job": job.id}


def test_a_task_without_a_job_that_fails_is_told_by_its_name(runtime: Runtime, transport: Capturing) -> None:
    def fail() -> None:
        raise KeyError("segment")

    with pytest.raises(KeyError), observed(runtime, TaskCall("topshelf.drain", ())):
        fail()
    [event] = transport.events
    assert transport.titles == ["KeyError: 'segment'"]
    assert event["tags"] == {"service": "worker", "task": "topshelf.drain"}
    assert event["transaction"] == "topshelf.drain"


def test_a_task_whose_job_is_gone_is_told_by_its_name(
    runtime: Runtime, dispatcher: Dispatcher, transport: Capturing
) -> None:
    with (
        pytest.raises(Exception, match="no job"),
        observed(runtime, TaskCall("topshelf.precompute_chunk", ("gone", "1", 0))),
    ):
        precompute_chunk(runtime, dispatcher, "gone", "1", 0)
    assert transport.events[0]["tags"] == {
        "service": "worker",
        "task": "topshelf.precompute_chunk",
        "job": "gone",
    }


def test_chunks_that_fail_alike_are_one_failure_of_their_job(
    runtime: Runtime, job: Job, transport: Capturing
) -> None:
    for _ in range(8):
        error = OSError("the disk is full")
        with raising(error), observed(runtime, TaskCall("topshelf.precompute_chunk", (job.id, "1", 0))):
            end_job(runtime, job.id, "failed", error)
            raise error
    assert transport.titles == ["OSError: the disk is full"]


def test_work_given_up_after_five_attempts_is_told_by_the_reconciler(
    runtime: Runtime, dispatcher: Dispatcher, job: Job, transport: Capturing
) -> None:
    for _ in range(5):
        assert runtime.jobs.begin_stage(job.id, "train", lease_seconds=1)
        expire(runtime, job)
    with observed(runtime, TaskCall("topshelf.reconcile", ())):
        reconcile(runtime, dispatcher)
    [event] = transport.events
    assert transport.titles == ["JobFailed: train was tried 5 times and never ended"]
    assert event["tags"]["task"] == "topshelf.reconcile"
    assert (event["tags"]["job"], event["tags"]["stage"]) == (job.id, "train")
    assert event["fingerprint"] == ["job", "job_failed", "als", "train"]


def test_a_chunk_given_up_is_told_as_a_failure_of_its_job(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, transport: Capturing
) -> None:
    job = opened(runtime, dispatcher, dataset)

    def claimed() -> bool:
        claim = runtime.generations.chunks.claim("als", job.generation, 2, lease_seconds=0.01)
        return claim == "granted"

    def over() -> bool:
        with observed(runtime, TaskCall("topshelf.reconcile", ())):
            reconcile(runtime, dispatcher)
        return runtime.jobs.get(job.id).over

    for _ in range(MAX_ATTEMPTS):
        wait_until(claimed, "the last lease over")
    wait_until(over, "the job given up")
    [event] = transport.events
    assert transport.titles[0].startswith("JobFailed: chunk 2 was tried 5 times and never ended")
    assert (event["tags"]["stage"], event["tags"]["generation"]) == ("precompute", job.generation)
    assert event["tags"]["dataset"] == dataset.version


def expire(runtime: Runtime, job: Job) -> None:
    """Have the lease of a job's stage be over."""
    record: dict[Any, Any] = {"lease_until": "1", "updated_epoch": "1"}
    runtime.durable.hset(runtime.keys.job(job.id), mapping=record)


def test_what_waits_is_sent_when_a_worker_process_leaves_and_nothing_is_opened_for_it(
    runtime: Runtime, transport: Capturing, settings: Settings
) -> None:
    runtime.close_reports()
    assert transport.flushed_seconds == [STOP_SECONDS]
    unused = Runtime(settings)
    unused.close_reports()
    assert "reports" not in vars(unused)
