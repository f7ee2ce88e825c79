"""What a worker or beat tells Sentry: tasks and jobs that fail, each once.

A job's failure is told where it is recorded, by whoever recorded it; what a task raises besides is told by
the task's observer.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from store.jobs import Job
from topshelf.errors import (
    FenceLost,
    GateRefused,
    InvalidConfig,
    LaterVersion,
    LockHeld,
    ModelOnHold,
    RecallTooLow,
    StoreError,
    StoreUnavailable,
    TopshelfError,
    UnknownModel,
)
from topshelf.reports import Place
from workers.runtime import Runtime

if TYPE_CHECKING:
    from workers.observing import TaskCall

EXPECTED = (FenceLost, GateRefused, InvalidConfig, LockHeld, ModelOnHold, RecallTooLow, UnknownModel)
"""Why a job may fail with nothing broken: warnings, each of a group of its own."""


@dataclass
class _Task:
    """A task under way in this process, and the errors that were told of it or need not be."""

    call: "TaskCall"
    told: list[BaseException] = field(default_factory=list)

    def is_told(self, error: BaseException) -> bool:
        return any(error is other for other in self.told)


_under_way: ContextVar[_Task | None] = ContextVar("task under way", default=None)


@contextmanager
def reported(runtime: Runtime, call: "TaskCall") -> Iterator[None]:
    """Report what a task fails with, unless its job's failure was."""
    task = _Task(call)
    token = _under_way.set(task)
    try:
        yield
    except LaterVersion:
        raise  # other workers do it
    except Exception as error:
        if not task.is_told(error):
            _report_task(runtime, call, error)
        raise
    finally:
        _under_way.reset(token)


def report_job(runtime: Runtime, job: Job, error: Exception) -> None:
    """Report that a job failed, as an error or, where nothing is broken, as a warning."""
    is_expected = isinstance(error, EXPECTED) or job.kind == "trial"
    group = ("job", error.key, job.model, job.stage) if isinstance(error, TopshelfError) else ()
    runtime.reports.failed(error, _place(job), level="warning" if is_expected else "error", group=group)


def set_aside(error: Exception) -> None:
    """Have the task under way not report an error: it is its job's."""
    task = _under_way.get()
    if task is not None:
        task.told.append(error)


def _report_task(runtime: Runtime, call: "TaskCall", error: Exception) -> None:
    if isinstance(error, StoreUnavailable):
        # Its work is sent again; the record of its job is where nobody answers.
        group = (call.task, error.key)
        runtime.reports.failed(error, _task_place(call), level="warning", group=group)
        return
    place = _task_place(call)
    with suppress(StoreError):
        if call.ids:
            place = _place(runtime.jobs.get(str(call.ids[0])))
    runtime.reports.failed(error, place)


def _place(job: Job) -> Place:
    task = _under_way.get()
    name = task.call.task if task else f"job {job.kind}"
    tags = {
        "task": name,
        "stage": job.stage,
        "model": job.model,
        "generation": job.generation,
        "job": job.id,
        "job_kind": job.kind,
        "trace": job.trace,
        "dataset": job.dataset,
    }
    context = {"attempts": job.attempts, "artifact": job.artifact, "params": job.params, "begun": job.started}
    return Place(name, {tag: text for tag, text in tags.items() if text}, {"job": context})


def _task_place(call: "TaskCall") -> Place:
    return Place(call.task, {"task": call.task, **({"job": str(call.ids[0])} if call.ids else {})})
