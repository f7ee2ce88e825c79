"""Incremental runs started by the clock, for the models of the nightly run that can have them."""

import logging

from store.comparisons import is_nobody_new
from store.generations import Generation
from topshelf.errors import (
    ArtifactNotFound,
    CannotFoldIn,
    DatasetNotFound,
    GenerationNotFound,
    StoreUnavailable,
    TopshelfError,
)
from workers.dispatch import Dispatcher
from workers.incremental import live_base
from workers.outcome import Outcome
from workers.runtime import Runtime
from workers.schedules import schedules_of
from workers.tasks.drain import has_drained_events

log = logging.getLogger(__name__)


def start_deltas(runtime: Runtime, dispatch: Dispatcher) -> Outcome:
    """Start an incremental run of each model that can have one, has something new and no other job.

    A model that cannot be looked at, its artifact damaged or of an older version, keeps no other waiting.
    """
    busy = {job.model for job in runtime.jobs.active()}
    started = []
    for model in schedules_of(runtime.settings).models:
        if model not in busy and _is_wanted(runtime, model):
            job, _ = runtime.jobs.create("delta", model)
            dispatch.start(job.id)
            started.append(job.id)
    return Outcome(f"started {', '.join(started)}" if started else "nothing to start")


def _is_wanted(runtime: Runtime, model: str) -> bool:
    try:
        return _has_news(runtime, live_base(runtime, model))
    except (GenerationNotFound, CannotFoldIn, ArtifactNotFound, DatasetNotFound) as reason:
        log.debug("no incremental run of %s: %s", model, reason)
    except StoreUnavailable:
        raise
    except TopshelfError as error:
        log.warning("no incremental run of %s: %s", model, error)
    return False


def _has_news(runtime: Runtime, base: Generation) -> bool:
    newest = runtime.datasets.latest().version
    if runtime.generations.held_since(base.model):
        return False
    if has_drained_events(runtime) or runtime.events.length() > 0:
        return True
    served = runtime.generations.layers(base.model)[-1].histories
    return newest != served and not is_nobody_new(runtime.serving, runtime.keys, base, newest)
