"""One stage of a job, run under a lease: begun once, kept alive, cancelled between steps, ended in one way.

A worker that dies leaves its lease to run out; the reconciler then sends the stage again, to any worker.
Every stage is written so that doing it twice does no harm.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field

from store.jobs import STAGES, FinalState, Job
from topshelf.errors import JobCancelled, JobDelayed, LaterVersion, StoreUnavailable, TopshelfError
from workers.dispatch import Dispatcher
from workers.outcome import Outcome
from workers.reporting import report_job, set_aside
from workers.runtime import Runtime
from workers.task_events import tell_progress

log = logging.getLogger(__name__)

REPORT_EVERY_SECONDS = 0.5
MAX_ATTEMPTS = 5
"""How often a stage or a chunk is begun before its job fails."""
STAGE_SHARES = {"train": 3.0, "evaluate": 3.0, "precompute": 3.0, "publish": 1.0}


@dataclass
class Stage:
    """What the work of a stage sees: its job, a way to report progress, and to be told to stop.

    Attributes:
        said: what the work has to say of itself once it is over, in a few words with ids and figures.
    """

    runtime: Runtime
    job: Job
    name: str
    said: str = ""
    _reported: float = field(default=0.0, init=False)

    def report(self, share: float, message: str) -> None:
        """Record how far the stage is (0 to 1); a few times a second at the most.

        Raises:
            JobCancelled: when somebody asked for the job to be cancelled.
        """
        now = time.monotonic()
        if now - self._reported < REPORT_EVERY_SECONDS:
            return
        self._reported = now
        if self.runtime.jobs.is_cancelling(self.job.id):
            raise JobCancelled(f"job {self.job.id} was cancelled during {self.name}")
        self.runtime.jobs.update(self.job.id, progress=overall(self.job, self.name, share), message=message)
        tell_progress(message, share)


def overall(job: Job, stage: str, share: float) -> float:
    """The share of the whole job that is done when ``share`` of ``stage`` is."""
    stages = STAGES[job.kind]
    total = sum(STAGE_SHARES[name] for name in stages)
    before = sum(STAGE_SHARES[name] for name in stages[: stages.index(stage)])
    return (before + STAGE_SHARES[stage] * min(max(share, 0.0), 1.0)) / total


def run_stage(
    runtime: Runtime, dispatch: Dispatcher, job_id: str, name: str, work: Callable[[Stage], bool]
) -> Outcome:
    """Run ``work`` as the stage ``name`` of a job, unless another delivery is at it or it is past.

    ``work`` returns whether the stage is over; where it is not (chunks are under way) the job waits in it.
    A server that cannot be reached, a delta that has yet to stop, or a generation of a later version leaves
    the stage to the reconciler, the latter two without an attempt counted; every other error ends the job.
    """
    if not runtime.jobs.begin_stage(job_id, name, runtime.settings.lease_seconds):
        log.info("job %s: %s is done, or somebody is at it", job_id, name)
        return Outcome(f"{name} is done, or somebody is at it")
    job = runtime.jobs.get(job_id)
    log.info("job %s: %s begins (attempt %d)", job_id, name, job.attempts)
    stage, began = Stage(runtime, job, name), time.monotonic()
    try:
        with kept_alive(runtime, job):
            over = work(stage)
    except JobCancelled as cancelled:
        end_job(runtime, job_id, "cancelled", cancelled)
        return Outcome(str(cancelled))
    except StoreUnavailable:
        log.warning("job %s: %s lost its server and will be sent again", job_id, name, exc_info=True)
        raise
    except (JobDelayed, LaterVersion) as delayed:
        log.info("job %s: %s will be sent again: %s", job_id, name, delayed)
        runtime.jobs.decline_stage(job_id, name)
        return Outcome(f"{job.model}: {name} will be sent again: {delayed}")
    except TopshelfError as error:
        log.warning("job %s: %s failed: %s", job_id, name, error)
        end_job(runtime, job_id, "failed", error)
        return Outcome(f"{job.model}: {name} failed: {error}", failed=True)
    except Exception as error:
        end_job(runtime, job_id, "failed", error)
        raise
    if over:
        go_on(runtime, dispatch, job_id, name)
    return Outcome(f"{job.model}: {stage.said or name}, {time.monotonic() - began:.1f} s")


def go_on(runtime: Runtime, dispatch: Dispatcher, job_id: str, done: str) -> None:
    """Move a job past the stage ``done``: send its next one, or end it well."""
    job = runtime.jobs.get(job_id)
    stages = STAGES[job.kind]
    position = stages.index(done) + 1
    if position == len(stages):
        end_job(runtime, job_id, "succeeded")
    elif runtime.jobs.advance(job_id, done, stages[position]):
        dispatch.stage(runtime.jobs.get(job_id), stages[position])
    elif runtime.jobs.is_cancelling(job_id):
        end_job(runtime, job_id, "cancelled", JobCancelled(f"job {job_id} was cancelled after {done}"))


def end_job(runtime: Runtime, job_id: str, state: FinalState, error: Exception | None = None) -> None:
    """End a job, give back its lock and close the generation it leaves behind."""
    job = runtime.jobs.get(job_id)
    described, said = None, ""
    if error is not None:
        key = error.key if isinstance(error, TopshelfError) else "unexpected_error"
        said = runtime.settings.without_secrets(str(error))
        described = {"error_key": key, "error_message": said or type(error).__name__}
        set_aside(error)
        if job.fence:
            runtime.generations.fail(job.model, str(job.fence), said)
    if "train" in STAGES[job.kind]:
        reason = f"{type(error).__name__}: {said}" if error is not None else ""
        runtime.runs.log(job_id).end(state, reason)
        shutil.rmtree(runtime.checkpoints(job_id), ignore_errors=True)
    if runtime.jobs.finish(job_id, state, error=described):
        log.info("job %s: %s%s", job_id, state, f" ({said})" if error else "")
        runtime.metrics.job_ended(job.kind, job.model, state, described["error_key"] if described else "")
        if error is not None and state == "failed":
            report_job(runtime, job, error)
    runtime.lock.release(job.model, job_id)


@contextmanager
def kept_alive(runtime: Runtime, job: Job, beat: Callable[[], object] | None = None) -> Iterator[None]:
    """Renew a job's lease and lock (or whatever ``beat`` renews) from a thread while the block runs."""
    lease_seconds = runtime.settings.lease_seconds

    def renew() -> None:
        if beat is not None:
            beat()
        else:
            runtime.jobs.renew_stage(job.id, lease_seconds)
        runtime.lock.renew(job.model, job.id, lock_seconds(runtime))

    with renewed(renew, lease_seconds / 3, job.id):
        yield


@contextmanager
def renewed(renew: Callable[[], object], every_seconds: float, name: str) -> Iterator[None]:
    """Call ``renew`` from a thread while the block runs; a server that does not answer is asked again."""
    done = threading.Event()

    def keep_on() -> None:
        while not done.wait(every_seconds):
            try:
                renew()
            except StoreUnavailable:
                log.warning("%s: its lease could not be renewed", name)

    thread = threading.Thread(target=copy_context().run, args=(keep_on,), name=f"lease-{name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def lock_seconds(runtime: Runtime) -> float:
    """How long a model's lock outlives the last sign of life of the job that holds it."""
    return 3 * runtime.settings.lease_seconds + 2 * runtime.settings.reconcile_seconds
