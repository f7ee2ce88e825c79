"""Stage precompute: open a generation, score its users chunk by chunk, close it."""

import logging
import tempfile
from pathlib import Path

from models.segments import SEGMENT_ITEMS
from store.buckets import chunk_ranges
from store.catalog import write_catalog
from store.connection import check_serving_server
from store.generations import Generation
from store.jobs import Job
from store.packing import pack_rows
from topshelf.errors import JobCancelled, JobNotFound, StoreUnavailable, TopshelfError
from workers.content import load_content, load_content_buckets
from workers.dispatch import Dispatcher
from workers.incremental import open_delta
from workers.loading import Shelf, load_shelf
from workers.opening import open_generation
from workers.runtime import Runtime
from workers.scoring import has_user_rows, write_chunk
from workers.stage import Stage, end_job, go_on, kept_alive, lock_seconds, overall, run_stage

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5


def precompute(runtime: Runtime, dispatch: Dispatcher, job_id: str) -> None:
    """Open a generation for a job's artifact, send its chunks; the last one to finish sends ``publish``."""
    run_stage(runtime, dispatch, job_id, "precompute", lambda stage: _open_generation(stage, dispatch))


def precompute_chunk(
    runtime: Runtime, dispatch: Dispatcher, job_id: str, generation_id: str, chunk: int
) -> None:
    """Score and write one range of buckets; doing it again leaves the same rows."""
    job = runtime.jobs.get(job_id)
    generations, lease_seconds = runtime.generations, runtime.settings.lease_seconds
    if job.state == "cancelling":
        end_job(runtime, job_id, "cancelled", JobCancelled(f"job {job_id} was cancelled"))
        return
    claim = generations.claim_chunk(job.model, generation_id, chunk, lease_seconds=lease_seconds)
    if claim != "granted":
        log.info("generation %s of %s: chunk %d is %s", generation_id, job.model, chunk, claim)
        return
    try:
        with kept_alive(
            runtime,
            job,
            lambda: generations.renew_chunk(job.model, generation_id, chunk, lease_seconds=lease_seconds),
        ):
            users = _score_chunk(runtime, job, generations.get(job.model, generation_id), chunk)
        _close_chunk(runtime, dispatch, job, generations.finish_chunk(job.model, generation_id, chunk, users))
    except JobCancelled as cancelled:
        end_job(runtime, job_id, "cancelled", cancelled)
    except (StoreUnavailable, JobNotFound):
        raise
    except TopshelfError as error:
        end_job(runtime, job_id, "failed", error)


def _score_chunk(runtime: Runtime, job: Job, generation: Generation, chunk: int) -> int:
    shelf = load_content(runtime, generation).shelf
    buckets = load_content_buckets(runtime, generation)

    def stop_if_cancelled() -> None:
        if runtime.jobs.is_cancelling(job.id):
            raise JobCancelled(f"job {job.id} was cancelled during precompute")

    chunks = chunk_ranges(generation.n_buckets, generation.buckets_per_chunk)
    return write_chunk(runtime, generation, shelf, buckets, chunks[chunk], stop_if_cancelled)


def _close_chunk(runtime: Runtime, dispatch: Dispatcher, job: Job, remaining: int) -> None:
    generation = runtime.generations.get(job.model, job.generation)
    runtime.lock.renew(job.model, job.id, lock_seconds(runtime))
    if remaining == 0:
        go_on(runtime, dispatch, job.id, "precompute")
        return
    runtime.jobs.update(
        job.id,
        progress=overall(job, "precompute", 1 - remaining / generation.n_chunks),
        message=f"{generation.users_written:,} of {generation.n_users:,} users",
    )


def _open_generation(stage: Stage, dispatch: Dispatcher) -> bool:
    runtime, job = stage.runtime, stage.job
    generation = _generation_of(stage, dispatch)
    if generation is None or not generation.n_chunks:
        return True
    runtime.jobs.update(job.id, message=f"{generation.n_users:,} users in {generation.n_chunks} chunks")
    for chunk, attempts in runtime.generations.stalled_chunks(job.model, generation.id):
        log.debug("generation %s: chunk %d is sent (attempt %d)", generation.id, chunk, attempts + 1)
        dispatch.chunk(job, generation.id, chunk)
    return False


def _generation_of(stage: Stage, dispatch: Dispatcher) -> Generation | None:
    """The generation a job fills: the one it opened before, or a new one; None where none is wanted."""
    runtime, job = stage.runtime, stage.job
    if job.generation:
        return runtime.generations.get(job.model, job.generation)
    stage.report(0.0, "opening a generation")
    check_serving_server(runtime.serving)
    generation = open_delta(stage, dispatch) if job.kind == "delta" else _open_base(runtime, job)
    if generation is not None:
        runtime.jobs.update(job.id, generation=generation.id, fence=generation.fence)
    return generation


def _open_base(runtime: Runtime, job: Job) -> Generation:
    shelf = load_shelf(runtime, job.artifact)
    _write_catalog(runtime, shelf)
    manifest = shelf.dataset.manifest
    generation = open_generation(
        runtime,
        job.model,
        n_users=manifest.n_users if has_user_rows(shelf.model) else 0,
        n_items=manifest.n_items,
        k_store=runtime.settings.k_store,
        layout=shelf.model.layout,
        dataset=manifest.version,
        artifact=job.artifact,
        knn=_write_neighbours(runtime, shelf),
        cut_off=manifest.cut_off,
    )
    if generation.layout == "segments":
        segments = shelf.model.segments(SEGMENT_ITEMS)
        rows = pack_rows(segments.ranking.items, generation.id_width)
        runtime.generations.write_segments(job.model, generation.id, rows, segments.labels)
    return generation


def _write_catalog(runtime: Runtime, shelf: Shelf) -> None:
    dataset = shelf.dataset
    write_catalog(
        runtime.serving,
        runtime.keys,
        dataset.version,
        item_ids=dataset.items.ids_of(range(len(dataset.items))),
        user_id_type=dataset.manifest.user_id_type,
        item_id_type=dataset.manifest.item_id_type,
        user_id_max=dataset.manifest.user_id_max,
        categories=dataset.categories_of_items(),
    )


def _write_neighbours(runtime: Runtime, shelf: Shelf) -> str:
    """Put a model's neighbours into the store; returns the artifact they are kept under, "" without any."""
    index = shelf.model.neighbours()
    if index is None:
        return ""
    artifact = shelf.manifest.id
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder))
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    runtime.blobs.put(lambda part: runtime.keys.knn(artifact, part), files)
    return artifact
