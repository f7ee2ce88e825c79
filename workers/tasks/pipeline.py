"""The first task of every job: check that it may start, then send its first stage."""

import logging

from store.jobs import STAGES
from topshelf.errors import JobDelayed, StoreUnavailable, TopshelfError
from workers.admission import admit
from workers.dispatch import Dispatcher
from workers.outcome import Outcome
from workers.runtime import Runtime
from workers.stage import end_job

log = logging.getLogger(__name__)


def pipeline(runtime: Runtime, dispatch: Dispatcher, job_id: str) -> Outcome:
    """Start a job of any kind (train, precompute, pipeline); refuses what cannot end well.

    One that finds a delta of its model at work stays queued: the reconciler sends it again.
    """
    job = runtime.jobs.get(job_id)
    if job.state != "queued":
        log.info("job %s is %s, not started again", job_id, job.state)
        return Outcome(f"{job.model}: the job is {job.state}, not started again")
    if not job.known:
        log.warning("job %s: this version knows no job of kind %s, left to another worker", job_id, job.kind)
        return Outcome(f"{job.model}: this version knows no job of kind {job.kind}, left to another worker")
    try:
        job = admit(runtime, job)
        first = STAGES[job.kind][0]
        dispatch.stage(job, first)
    except StoreUnavailable:
        raise
    except JobDelayed as delayed:
        log.info("job %s: %s", job_id, delayed)
        runtime.jobs.update(job_id, message=str(delayed))
        return Outcome(f"{job.model}: {delayed}")
    except TopshelfError as error:
        end_job(runtime, job_id, "failed", error)
        return Outcome(f"{job.model}: {error}", failed=True)
    except Exception as error:
        end_job(runtime, job_id, "failed", error)
        raise
    return Outcome(f"{job.model}: {first} on dataset {job.dataset} is sent")
