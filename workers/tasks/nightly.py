"""The nightly run: drain events, make a dataset version of them, start every model's pipeline on it."""

import datetime as dt
import logging
from zoneinfo import ZoneInfo

from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.schedule import last_due
from workers.tasks.drain import drain_events, refresh_dataset

log = logging.getLogger(__name__)


def nightly(runtime: Runtime, dispatch: Dispatcher) -> None:
    """Start the run that was due last; a message that comes twice, or late, starts nothing a second time."""
    settings = runtime.settings
    due = last_due(settings.nightly_cron, dt.datetime.now(ZoneInfo(settings.nightly_timezone)))
    if due is None:
        log.warning("the nightly cron %r was never due", settings.nightly_cron)
        return
    run = f"nightly-{due:%Y%m%dT%H%M}"
    if all(runtime.jobs.exists(job_id_of(run, model)) for model in settings.models):
        log.info("run %s was started before", run)
        return
    drain_events(runtime, dispatch)
    start_pipelines(
        runtime, dispatch, run=run, models=settings.models, dataset=refresh_dataset(runtime).version
    )


def start_pipelines(
    runtime: Runtime, dispatch: Dispatcher, *, run: str, models: tuple[str, ...], dataset: str
) -> list[str]:
    """Start a pipeline per model on one dataset version, those aside that this run has started before.

    Returns:
        The ids of the run's jobs, in the order of ``models``.
    """
    for model in models:
        job, created = runtime.jobs.create(
            "pipeline", model, params={"dataset": dataset}, job_id=job_id_of(run, model)
        )
        if created:
            dispatch.start(job.id)
    return [job_id_of(run, model) for model in models]


def job_id_of(run: str, model: str) -> str:
    """The id of a model's job in a run."""
    return f"{run}-{model}"
