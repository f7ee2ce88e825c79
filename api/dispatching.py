"""Sends a job's first message; the one place of the reader that needs Celery, imported at first use."""

import uuid
from typing import Any

from store.dispatch import START_QUEUE, START_TASK, broker_options
from topshelf.errors import ControlNotInstalled, StoreUnavailable
from topshelf.settings import Settings

SEND_SECONDS = 2.0
"""How long a message may take to reach the broker; the worker's own timeouts are longer."""


class Dispatcher:
    """Sends messages that hold ids only."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Any = None

    def check_installed(self) -> None:
        """Raise before anything is recorded when jobs cannot be sent at all.

        Raises:
            ControlNotInstalled: Celery is not there.
        """
        self._celery()

    def start(self, job_id: str) -> None:
        """Send the first task of a job.

        Raises:
            ControlNotInstalled: Celery is not there.
            StoreUnavailable: the broker does not answer.
        """
        app = self._celery()
        from kombu.exceptions import KombuError, OperationalError  # noqa: PLC0415

        try:
            with app.connection_for_write() as connection:
                app.send_task(
                    START_TASK,
                    args=[job_id],
                    queue=START_QUEUE,
                    task_id=f"{job_id}-{uuid.uuid4().hex[:8]}",
                    ignore_result=True,
                    connection=connection,
                    retry=False,
                )
        except (KombuError, OperationalError, OSError) as error:
            raise StoreUnavailable(f"the broker does not answer: {error}") from error

    def _celery(self) -> Any:
        if self._app is None:
            try:
                from celery import Celery  # noqa: PLC0415
            except ImportError as error:
                raise ControlNotInstalled(
                    "this reader cannot send jobs; install it with the control extra: "
                    "pip install 'topshelf[control]'"
                ) from error
            app = Celery(
                "topshelf-reader", broker=self._settings.durable_url.get_secret_value(), set_as_current=False
            )
            app.conf.update(
                broker_transport_options={
                    **broker_options(self._settings.task_limit_seconds),
                    "socket_timeout": SEND_SECONDS,
                    "socket_connect_timeout": SEND_SECONDS,
                    "max_retries": 0,
                },
                broker_connection_timeout=SEND_SECONDS,
                broker_connection_retry=False,
                task_ignore_result=True,
                task_serializer="json",
            )
            self._app = app
        return self._app
