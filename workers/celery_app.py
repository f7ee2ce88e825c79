"""The Celery application: settings, queues, tasks and schedule in one place.

The settings follow what was measured of Celery 5.7 on Redis: messages are acknowledged late, hold ids only;
a message lost with its worker is sent again by the reconciler long before the visibility timeout, which stays
above the longest task, so that no running task is delivered twice.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from celery import Celery, signals

from store.dispatch import broker_options
from store.keys import Keys
from topshelf.settings import Settings
from workers import exposition, task_logs, transport
from workers.binding import Task, bind
from workers.dispatch import HOOKS_TASK, NIGHT_TASK, SYNC_TASK, Dispatcher
from workers.hooks.telling import tell_hooks
from workers.runtime import Runtime
from workers.schedule import beat_schedule
from workers.schedules import schedules_of
from workers.tasks.delta import start_deltas
from workers.tasks.drain import drain_events
from workers.tasks.evaluate import evaluate
from workers.tasks.nightly import nightly, nightly_run
from workers.tasks.pipeline import pipeline
from workers.tasks.precompute import precompute, precompute_chunk
from workers.tasks.publish import publish
from workers.tasks.reconcile import reconcile
from workers.tasks.synchronise import sync_runs
from workers.tasks.train import train

TASKS: dict[str, Task] = {
    "topshelf.pipeline": pipeline,
    "topshelf.train": train,
    "topshelf.evaluate": evaluate,
    "topshelf.precompute": precompute,
    "topshelf.precompute_chunk": precompute_chunk,
    "topshelf.publish": publish,
    "topshelf.nightly": nightly,
    NIGHT_TASK: nightly_run,
    HOOKS_TASK: tell_hooks,
    "topshelf.delta": start_deltas,
    "topshelf.drain": drain_events,
    "topshelf.reconcile": reconcile,
    SYNC_TASK: sync_runs,
}


class TopshelfCelery(Celery):  # type: ignore[misc]  # celery has no types
    """A Celery app that knows its settings, and is rebuilt from them in a spawned child."""

    settings: Settings
    runtime: Runtime

    @cached_property
    def redbeat_conf(self) -> Any:
        """RedBeat's configuration; its URL stays out of ``conf``, which a worker tells whoever asks it."""
        from workers.redbeat_config import BeatConfig  # noqa: PLC0415 -- for beat alone

        return BeatConfig(self)

    @cached_property
    def Beat(self) -> type:  # noqa: N802 -- Celery's name for it
        """The class that ``celery beat`` starts."""
        return cast("type", self.subclass_with_self("workers.beat:ReportingBeat"))

    def __reduce__(self) -> tuple[Callable[[Settings], "TopshelfCelery"], tuple[Settings]]:
        return service_app, (self.settings,)


def service_app(settings: Settings) -> TopshelfCelery:
    """The app in a process that runs it, a service or a child of one: the log and the figures are its own."""
    app = create_app(settings)
    task_logs.install(app, app.runtime)
    if settings.metrics_port:
        signals.worker_init.connect(lambda **_: exposition.answer_if_possible(settings), weak=False)
    return app


def create_app(settings: Settings) -> TopshelfCelery:
    """Build the app for a worker, beat, Flower or a client that sends tasks."""
    transport.install()
    app = TopshelfCelery("topshelf")
    app.settings = settings
    app.conf.update(_configuration(settings))
    runtime = app.runtime = Runtime(settings)
    signals.worker_process_shutdown.connect(runtime.close_reports)
    dispatcher = Dispatcher(app)
    for name, task in TASKS.items():
        app.task(bind(name, task, runtime, dispatcher), name=name, shared=False)
    return app


def _configuration(settings: Settings) -> dict[str, Any]:
    durable_url = settings.durable_url.get_secret_value()
    return {
        "broker_url": durable_url,
        "broker_transport_options": broker_options(settings.task_limit_seconds),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "result_backend": None,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_default_queue": "cpu",
        "task_create_missing_queues": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_time_limit": settings.task_limit_seconds,
        "task_send_sent_event": True,
        "worker_send_task_events": True,
        "worker_consumer": "workers.consumer:Consumer",
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": settings.worker_processes,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_soft_shutdown_timeout": 5,
        "worker_pool_start_method": "fork" if settings.device == "cpu" else "spawn",
        "worker_proc_alive_timeout": 60,
        "worker_hijack_root_logger": True,
        "timezone": schedules_of(settings).timezone,
        "enable_utc": True,
        "beat_scheduler": "redbeat.RedBeatScheduler",
        "beat_max_loop_interval": 5,
        "beat_schedule": beat_schedule(settings),
        "redbeat_redis_options": {"socket_timeout": 30, "socket_connect_timeout": 5},
        "redbeat_key_prefix": Keys(settings.key_prefix).redbeat,
        "redbeat_lock_timeout": 25,
    }
