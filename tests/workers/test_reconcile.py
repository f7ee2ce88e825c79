"""The reconciler: sends again what went silent, and nothing else."""

from interactions.dataset import Dataset
from tests.waiting import wait_until
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.reconcile import reconcile


def test_a_job_whose_first_message_was_lost_is_sent_again(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    runtime.jobs.create("pipeline", "als")

    def sent() -> bool:
        reconcile(runtime, dispatcher)
        return dispatcher.waiting("io") == 1

    wait_until(sent, "the message sent again")


def test_what_waits_in_its_queue_is_never_doubled(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job, _ = runtime.jobs.create("pipeline", "als")
    dispatcher.start(job.id)
    wait_until(lambda: runtime.jobs.stalled() != [], "the job silent for a lease")
    reconcile(runtime, dispatcher)
    reconcile(runtime, dispatcher)
    assert dispatcher.waiting("io") == 1


def test_a_stage_that_never_ends_fails_after_five_attempts(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job, _ = runtime.jobs.create("pipeline", "als")
    for _ in range(5):
        assert runtime.jobs.begin_stage(job.id, "train", lease_seconds=0.01)
        wait_until(lambda: any(stalled.id == job.id for stalled in runtime.jobs.stalled()), "the lease over")

    def over() -> bool:
        reconcile(runtime, dispatcher)
        return runtime.jobs.get(job.id).over

    wait_until(over, "the job given up")
    error = runtime.jobs.get(job.id).error
    assert error is not None
    assert "tried 5 times" in error["error_message"]


def test_a_cancelled_job_nobody_works_on_is_ended(
    runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job, _ = runtime.jobs.create("pipeline", "als")
    assert runtime.jobs.begin_stage(job.id, "train", lease_seconds=0.01)
    runtime.jobs.request_cancel(job.id)

    def over() -> bool:
        reconcile(runtime, dispatcher)
        return runtime.jobs.get(job.id).over

    wait_until(over, "the job ended")
    assert runtime.jobs.get(job.id).state == "cancelled"
