"""Celery's consumer, which keeps the messages of tasks it does not know.

While a system is upgraded, workers of two versions take from the same queues. Celery drops a message whose
task is not registered; here it goes back to the end of its queue, for a worker that knows it.
"""

import datetime as dt
import logging
from typing import Any

from celery.worker.consumer import consumer

log = logging.getLogger(__name__)

PUT_BACK_SECONDS = 5.0
"""How long such a message is held: where no worker knows its task, it must not go round and round."""


class Consumer(consumer.Consumer):  # type: ignore[misc]  # celery has no types
    """A consumer for a broker that workers of several versions share."""

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        """Hold the message for a while, then put it back; a worker that stops meanwhile puts it back, too.

        One that has expired is dropped, as that of a known task is.
        """
        headers = message.headers or {}
        name = headers.get("task", "?")
        if _is_past(headers.get("expires")):
            log.warning("task %s is not known to this version, and its message has expired", name)
            message.ack_log_error(log, self.connection_errors)
            return
        log.warning("task %s is not known to this version; its message is left to other workers", name)
        # As with a task that waits for its time: what is held takes no other message's place.
        self.qos.increment_eventually()
        self.timer.call_after(PUT_BACK_SECONDS, self._put_back, (message,))

    def _put_back(self, message: Any) -> None:
        message.reject_log_error(log, self.connection_errors, requeue=True)
        self.qos.decrement_eventually()


def _is_past(moment: str | None) -> bool:
    return moment is not None and dt.datetime.fromisoformat(moment) < dt.datetime.now(dt.UTC)
