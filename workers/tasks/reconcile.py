"""The reconciler: finds work whose worker or message is gone and sends it again; sweeps old generations.

It begins the nightly runs that were missed, too, and has the hooks told what they were not.

A message is sent again only while nothing waits in its queue: what is merely queued is never doubled. A chunk
whose lease ran out was taken from its queue, so that it is sent again at once; so was the first message of a
job that waits for a delta to stop.
"""

import logging

from store.jobs import Job
from topshelf.errors import GenerationNotFound, JobCancelled, JobFailed
from workers.dispatch import Dispatcher
from workers.hooks.telling import settle
from workers.nights import begin_missed, follow
from workers.outcome import Outcome
from workers.runtime import Runtime
from workers.stage import MAX_ATTEMPTS, end_job, go_on, lock_seconds

log = logging.getLogger(__name__)


def reconcile(runtime: Runtime, dispatch: Dispatcher) -> Outcome:
    """Look after every job that is not over, every nightly run, then after every model's old generations."""
    active = runtime.jobs.active()
    for job in active:
        runtime.lock.renew(job.model, job.id, lock_seconds(runtime))
        if not job.known:
            log.warning("job %s: %s is of another version, left to its workers", job.id, job.stage)
            continue
        if runtime.jobs.is_stalled(job):
            _mend(runtime, dispatch, job)
        elif job.state == "queued" and job.message:
            _start_delayed(runtime, dispatch, job)
        elif job.state == "running" and job.stage == "precompute" and job.generation:
            _mend_chunks(runtime, dispatch, job)
    for run in begin_missed(runtime):
        dispatch.night(run.id)
    follow(runtime, dispatch)
    if settle(runtime):
        dispatch.tell_hooks()
    runtime.sweep()
    return Outcome(f"{len(active)} jobs under way")


def _mend(runtime: Runtime, dispatch: Dispatcher, job: Job) -> None:
    if job.state == "cancelling":
        end_job(runtime, job.id, "cancelled", JobCancelled(f"job {job.id} was cancelled"))
    elif job.state == "queued":
        if not dispatch.waiting("io"):
            log.warning("job %s: its first message is gone, sent again", job.id)
            dispatch.start(job.id)
    elif job.stage == "precompute" and job.generation:
        _mend_generation(runtime, dispatch, job)
    elif job.attempts >= MAX_ATTEMPTS:
        end_job(
            runtime,
            job.id,
            "failed",
            JobFailed(f"{job.stage} was tried {job.attempts} times and never ended"),
        )
    elif not dispatch.waiting(dispatch.queue_of(job.model, job.stage)):
        log.warning("job %s: %s went silent, sent again", job.id, job.stage)
        dispatch.stage(job, job.stage)


def _start_delayed(runtime: Runtime, dispatch: Dispatcher, job: Job) -> None:
    """Send again the first message of a job that found a delta at work, once that has given its lock back."""
    if runtime.lock.owner(job.model) is None:
        runtime.jobs.update(job.id, message="")
        dispatch.start(job.id)


def _mend_generation(runtime: Runtime, dispatch: Dispatcher, job: Job) -> None:
    """Go on with a job that was silent for a lease while its generation is filled."""
    try:
        generation = runtime.generations.get(job.model, job.generation)
    except GenerationNotFound:
        log.warning("job %s: Redis lost generation %s, another is opened", job.id, job.generation)
        runtime.jobs.update(job.id, generation="")
        dispatch.stage(job, job.stage)
        return
    if generation.state == "building" and generation.chunks_done < generation.n_chunks:
        _mend_chunks(runtime, dispatch, job)
    elif generation.state in {"building", "ready", "live"}:
        go_on(runtime, dispatch, job.id, "precompute")
    else:
        reason = generation.error or f"the generation is {generation.state}"
        end_job(runtime, job.id, "failed", JobFailed(reason))


def _mend_chunks(runtime: Runtime, dispatch: Dispatcher, job: Job) -> None:
    """Send again the chunks whose worker died, at once, and those whose message must be gone."""
    stalled = runtime.generations.chunks.stalled(
        job.model, job.generation, idle_seconds=runtime.settings.lease_seconds
    )
    worn_out = [chunk.chunk for chunk in stalled if chunk.attempts >= MAX_ATTEMPTS]
    if worn_out:
        reason = f"chunk {worn_out[0]} was tried {MAX_ATTEMPTS} times and never ended; see the worker's log"
        end_job(runtime, job.id, "failed", JobFailed(reason))
        return
    lost = [
        chunk.chunk
        for chunk in stalled
        if chunk.expired and runtime.generations.chunks.release(job.model, job.generation, chunk.chunk)
    ]
    unclaimed = [chunk.chunk for chunk in stalled if not chunk.expired]
    if unclaimed and not dispatch.waiting(dispatch.queue_of(job.model, "precompute")):
        lost += unclaimed
    if lost:
        log.warning("job %s: %d chunks went silent, sent again", job.id, len(lost))
        dispatch.chunks(job, job.generation, lost)
