"""Incremental runs started by the clock, for the models of the nightly run that can have them."""

import logging

from topshelf.errors import ArtifactNotFound, CannotFoldIn, DatasetNotFound, GenerationNotFound
from workers.dispatch import Dispatcher
from workers.incremental import live_base
from workers.runtime import Runtime
from workers.tasks.drain import has_drained_events

log = logging.getLogger(__name__)


def start_deltas(runtime: Runtime, dispatch: Dispatcher) -> None:
    """Start an incremental run of each model that can have one, has something new and no other job."""
    busy = {job.model for job in runtime.jobs.active()}
    for model in runtime.settings.models:
        if model not in busy and _is_wanted(runtime, model):
            job, _ = runtime.jobs.create("delta", model)
            dispatch.start(job.id)


def _is_wanted(runtime: Runtime, model: str) -> bool:
    try:
        live_base(runtime, model)
        newest = runtime.datasets.latest().version
    except (GenerationNotFound, CannotFoldIn, ArtifactNotFound, DatasetNotFound) as reason:
        log.debug("no incremental run of %s: %s", model, reason)
        return False
    if runtime.generations.held_since(model):
        return False
    served = runtime.generations.layers(model)[-1].histories
    return newest != served or has_drained_events(runtime) or runtime.events.length() > 0
