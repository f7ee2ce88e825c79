"""A task as Celery calls it: observed, free of secrets, and ended in words that Flower can show."""

import logging
import time
from collections.abc import Callable
from typing import Any

from celery.exceptions import Ignore, Reject

from topshelf.errors import JobError, LaterVersion
from workers.consumer import PUT_BACK_SECONDS
from workers.dispatch import Dispatcher
from workers.observing import TaskCall, observed
from workers.outcome import DONE, Outcome
from workers.runtime import Runtime
from workers.task_events import tell_failure

log = logging.getLogger(__name__)

Task = Callable[..., Outcome | None]
"""Takes the runtime, the dispatcher and the ids of its message."""


def bind(name: str, task: Task, runtime: Runtime, dispatcher: Dispatcher) -> Callable[..., Outcome]:
    """The function that Celery registers under ``name``; it takes the ids alone.

    What only a later version of the code understands goes back to its queue.
    """

    def call(*ids: Any) -> Outcome:
        try:
            with observed(runtime, TaskCall(name, ids)):
                outcome = task(runtime, dispatcher, *ids) or DONE
        except LaterVersion as later:
            log.warning("%s is left to other workers: %s", name, later)
            time.sleep(PUT_BACK_SECONDS)
            raise Reject(str(later), requeue=True) from later
        except Exception as error:
            said = runtime.settings.without_secrets(str(error))
            if said == str(error):
                raise
            raise JobError(f"{type(error).__name__}: {said}") from None
        if outcome.failed:
            sentence = runtime.settings.without_secrets(outcome.sentence)
            tell_failure(sentence)
            raise Ignore(sentence)
        return outcome

    call.__doc__ = task.__doc__
    call.__module__ = task.__module__
    call.__name__ = task.__name__
    return call
