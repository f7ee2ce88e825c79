"""The reconciler: finds work whose worker or message is gone and sends it again; sweeps old generations.

A message is sent again only while nothing waits in its queue: what is merely queued is never doubled.
"""

import logging

from store.jobs import Job
from topshelf.errors import GenerationNotFound, JobCancelled, JobFailed
from workers.dispatch import Dispatcher, queue_of
from workers.runtime import Runtime
from workers.stage import end_job, go_on, lock_seconds

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5


def reconcile(runtime: Runtime, dispatch: Dispatcher) -> None:
    """Look after every job that is not over, then after every model's old generations."""
    for job in runtime.jobs.active():
        runtime.lock.renew(job.model, job.id, lock_seconds(runtime))
    for job in runtime.jobs.stalled():
        _mend(runtime, dispatch, job)
    for model in runtime.generations.models():
        runtime.generations.sweep(
            model,
            retire_after_seconds=runtime.settings.retire_after_seconds,
            zombie_after_seconds=runtime.settings.task_limit_seconds,
        )


def _mend(runtime: Runtime, dispatch: Dispatcher, job: Job) -> None:
    if job.state == "cancelling":
        end_job(runtime, job.id, "cancelled", JobCancelled(f"job {job.id} was cancelled"))
    elif job.state == "queued":
        if not dispatch.waiting("io"):
            log.warning("job %s: its first message is gone, sent again", job.id)
            dispatch.start(job.id)
    elif job.stage == "precompute" and job.generation:
        _mend_chunks(runtime, dispatch, job)
    elif job.attempts >= MAX_ATTEMPTS:
        end_job(
            runtime,
            job.id,
            "failed",
            JobFailed(f"{job.stage} was tried {job.attempts} times and never ended"),
        )
    elif not dispatch.waiting(queue_of(job.model, job.stage)):
        log.warning("job %s: %s went silent, sent again", job.id, job.stage)
        dispatch.stage(job, job.stage)


def _mend_chunks(runtime: Runtime, dispatch: Dispatcher, job: Job) -> None:
    try:
        generation = runtime.generations.get(job.model, job.generation)
    except GenerationNotFound as error:
        end_job(runtime, job.id, "failed", error)
        return
    if generation.state != "building":
        end_job(
            runtime, job.id, "failed", JobFailed(generation.error or f"the generation is {generation.state}")
        )
        return
    if generation.chunks_done == generation.n_chunks:
        go_on(runtime, dispatch, job.id, "precompute")
        return
    stalled = runtime.generations.stalled_chunks(
        job.model, generation.id, idle_seconds=runtime.settings.lease_seconds
    )
    worn_out = [chunk for chunk, attempts in stalled if attempts >= MAX_ATTEMPTS]
    if worn_out:
        reason = f"chunk {worn_out[0]} was tried {MAX_ATTEMPTS} times and never ended"
        end_job(runtime, job.id, "failed", JobFailed(reason))
    elif stalled and not dispatch.waiting(queue_of(job.model, "precompute_chunk")):
        log.warning("job %s: %d chunks went silent, sent again", job.id, len(stalled))
        for chunk, _ in stalled:
            dispatch.chunk(job, generation.id, chunk)
