"""Incremental runs: lists anew for those with new events, laid over the live generation as its delta."""

import logging

from models.registry import check_folds_in
from store.comparisons import note_nobody_new
from store.generations import Generation
from topshelf.errors import GenerationNotFound
from workers.content import load_delta_content
from workers.dispatch import Dispatcher
from workers.loading import user_keys
from workers.opening import begun_before, open_generation
from workers.runtime import Runtime
from workers.stage import Stage
from workers.tasks.drain import drain_events, refresh_dataset

log = logging.getLogger(__name__)


def live_base(runtime: Runtime, model: str) -> Generation:
    """The generation a delta of ``model`` would lie over.

    Raises:
        GenerationNotFound: nothing is live.
        ArtifactNotFound: its artifact is gone from disk.
        CannotFoldIn: it serves only users it was trained on.
        LaterVersion: a later version of the code wrote it.
    """
    base = runtime.generations.live(model)
    if base is None:
        raise GenerationNotFound(
            f"no generation of {model} is live to lay new lists over; run: topshelf pipeline {model}"
        )
    base.check_format()
    check_folds_in(model, runtime.artifacts.manifest(base.artifact).config)
    return base


def open_delta(stage: Stage, dispatch: Dispatcher) -> Generation | None:
    """A generation for everybody whose history is not the one the live base was made of; None for nobody.

    Events are drained and become a dataset version first. It is always compared with the base, whatever
    deltas lay in between, so that the newest delta has all that is new.

    Raises:
        GenerationNotFound, ArtifactNotFound, CannotFoldIn: as of ``live_base``.
        DataError: the base's dataset is gone from disk, or the newest one has ids of another type.
    """
    runtime, job = stage.runtime, stage.job
    if begun := begun_before(runtime, job):
        return begun
    base = live_base(runtime, job.model)
    stage.report(0.0, "draining events")
    drain_events(runtime, dispatch)
    later = refresh_dataset(runtime)
    runtime.jobs.update(job.id, artifact=base.artifact, dataset=later.version)
    if runtime.generations.layers(job.model)[-1].histories == later.version:
        return None
    stage.report(0.0, "looking for users with new events")
    users = load_delta_content(runtime, base.artifact, later.version).users
    log.info("job %s: %d users are new in dataset %s", job.id, users.size, later.version)
    if not users.size:
        note_nobody_new(runtime.serving, runtime.keys, base, later.version)
        return None
    return open_generation(
        runtime,
        job,
        user_keys(later.users).take(users),
        n_items=base.n_items,
        k_store=base.k_store,
        layout=base.layout,
        dataset=base.dataset,
        artifact=base.artifact,
        knn=base.knn,
        cut_off=later.manifest.cut_off,
        rules=base.rules,
        base=base.id,
        newer=later.version,
    )
