"""The log of Celery's processes: written as Topshelf's is, each task's lines tied to its job and request.

By signals, not by an observer: what Celery says of a task before and after it belongs to the job, too.
"""

import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

from celery import signals

from topshelf.errors import StoreError
from topshelf.logs import configure, log_context
from workers.runtime import Runtime

SERVICES = ("worker", "beat", "flower")


def install(app: Any, runtime: Runtime) -> None:
    """Take over the log of this process, which runs ``app`` for a service or as one of its children."""
    at_hand = ExitStack()
    service = next((word for word in sys.argv if word in SERVICES), "worker")

    def configure_logs(**_: Any) -> None:
        configure(runtime.settings, service)
        app.log.redirect_stdouts("WARNING")

    def enter(task: Any, args: Sequence[Any], **_: Any) -> None:
        at_hand.enter_context(log_context(task=task.name, **_of_job(runtime, args)))

    def leave(**_: Any) -> None:
        at_hand.close()

    # At once for what is said before Celery sets its log up, and in its place when it does.
    configure(runtime.settings, service)
    logging.captureWarnings(True)
    signals.setup_logging.connect(configure_logs, weak=False)
    signals.task_prerun.connect(enter, weak=False)
    signals.task_postrun.connect(leave, weak=False)


def _of_job(runtime: Runtime, args: Sequence[Any]) -> dict[str, str]:
    """The job whose id a task's message holds; one that nobody asked for over HTTP is its own trace."""
    if not args:
        return {}
    job_id = str(args[0])
    found = {"trace": job_id, "job": job_id}
    # A server that is away is the task's own affair.
    with suppress(StoreError):
        tags = runtime.jobs.tags(job_id)
        found |= {"model": tags.model, "trace": tags.trace or job_id}
    return found
