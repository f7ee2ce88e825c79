"""What Flower is told of a task while it runs, by Celery's events; nothing is waited for, nothing is kept."""

from contextlib import suppress
from typing import Any

from celery import current_task

from topshelf.errors import StoreUnavailable
from workers.dispatch import broker_errors


def tell_progress(message: str, share: float | None = None) -> None:
    """Show how far the task at hand is, as in ``45 % · als: iteration 9 of 20``, in the state PROGRESS."""
    _send("task-progress", result=message if share is None else f"{100 * share:.0f} % · {message}")


def tell_failure(sentence: str) -> None:
    """Show the task at hand as failed."""
    _send("task-failed", exception=sentence)


def _send(event: str, **fields: Any) -> None:
    if not current_task or current_task.request.id is None:
        return
    with suppress(StoreUnavailable), broker_errors():
        current_task.send_event(event, retry=False, **fields)
