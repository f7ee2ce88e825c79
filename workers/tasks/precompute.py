"""Stage precompute: open a generation, score its users chunk by chunk, close it."""

import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from knn.neighbours import NeighbourIndex
from models.segments import SEGMENT_ITEMS
from store.buckets import chunk_ranges
from store.byte_strings import ByteStrings
from store.catalog import write_catalog
from store.connection import check_serving_server
from store.generations import Generation
from store.jobs import Job
from store.pace import read_pace
from store.packing import pack_rows
from store.verification import missing_beside_rows
from topshelf.errors import (
    ChunkTaken,
    GenerationNotFound,
    JobCancelled,
    JobNotFound,
    NotEnoughRoom,
    StoreUnavailable,
    TopshelfError,
)
from workers.content import load_content, load_content_buckets
from workers.dispatch import Dispatcher
from workers.incremental import open_delta
from workers.loading import Shelf, load_shelf, user_keys
from workers.opening import begun_before, open_generation
from workers.outcome import Outcome
from workers.progress import pace_message
from workers.room import Room
from workers.rules import rules_of
from workers.runtime import Runtime
from workers.scoring import has_user_rows, score_users, write_chunk
from workers.search import choose
from workers.stage import Stage, end_job, go_on, kept_alive, lock_seconds, overall, run_stage

log = logging.getLogger(__name__)

CHECK_EVERY_SECONDS = 0.25
"""How often a chunk looks whether it is still wanted and has room; a block may take a few ms."""


def precompute(runtime: Runtime, dispatch: Dispatcher, job_id: str) -> Outcome:
    """Open a generation for a job's artifact, send its chunks; the last one to finish sends ``publish``."""
    return run_stage(runtime, dispatch, job_id, "precompute", lambda stage: _open_generation(stage, dispatch))


def precompute_chunk(
    runtime: Runtime, dispatch: Dispatcher, job_id: str, generation_id: str, chunk: int
) -> Outcome:
    """Score and write one range of buckets; doing it again leaves the same rows.

    Raises:
        LaterVersion: its generation is for workers of a later version.
    """
    job = runtime.jobs.get(job_id)
    generations, lease_seconds = runtime.generations, runtime.settings.lease_seconds
    if job.state == "cancelling":
        end_job(runtime, job_id, "cancelled", JobCancelled(f"job {job_id} was cancelled"))
        return Outcome(f"job {job_id} was cancelled")
    generations.open(job.model, generation_id)
    claim = generations.chunks.claim(job.model, generation_id, chunk, lease_seconds=lease_seconds)
    if claim != "granted":
        log.info("generation %s of %s: chunk %d is %s", generation_id, job.model, chunk, claim)
        return Outcome(f"chunk {chunk} is {claim}")
    began = time.monotonic()
    try:
        with kept_alive(
            runtime,
            job,
            lambda: generations.chunks.renew(job.model, generation_id, chunk, lease_seconds=lease_seconds),
        ):
            users = _write_when_there_is_room(runtime, job, generation_id, chunk)
        seconds = time.monotonic() - began
        remaining = generations.chunks.finish(job.model, generation_id, chunk, users)
        so_far = _close_chunk(runtime, dispatch, job, remaining)
        return Outcome(f"{users:,} users in {seconds:.1f} s; {so_far}")
    except ChunkTaken as taken:
        log.info("generation %s of %s: %s", generation_id, job.model, taken)
        return Outcome(str(taken))
    except JobCancelled as cancelled:
        end_job(runtime, job_id, "cancelled", cancelled)
        return Outcome(str(cancelled))
    except (StoreUnavailable, JobNotFound, GenerationNotFound):
        raise
    except TopshelfError as error:
        end_job(runtime, job_id, "failed", error)
        return Outcome(f"{job.model}: chunk {chunk} failed: {error}", failed=True)
    except Exception as error:
        end_job(runtime, job_id, "failed", error)
        raise


def _write_when_there_is_room(runtime: Runtime, job: Job, generation_id: str, chunk: int) -> int:
    """Score and write a chunk, from its start again where a full server refused a part; returns its users."""
    check = partial(_check_wanted, runtime, job, generation_id, chunk)
    room = Room(runtime, job.id, check)

    def look_up() -> None:
        check()
        room.wait()

    between_blocks = _at_most_every(CHECK_EVERY_SECONDS, look_up)
    generation = runtime.generations.get(job.model, generation_id)
    shelf = load_content(runtime, generation).shelf
    buckets = load_content_buckets(runtime, generation)
    chunks = chunk_ranges(generation.n_buckets, generation.buckets_per_chunk)
    room.wait()
    while True:
        try:
            return write_chunk(runtime, generation, shelf, buckets, chunks[chunk], between_blocks)
        except NotEnoughRoom as full:
            log.info("generation %s of %s, chunk %d: %s", generation_id, job.model, chunk, full)
            room.refused()


def _at_most_every(seconds: float, act: Callable[[], None]) -> Callable[[], None]:
    """Do ``act`` unless it was done less than so many seconds ago."""
    last = time.monotonic()

    def call() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            act()
            last = time.monotonic()

    return call


def _check_wanted(runtime: Runtime, job: Job, generation_id: str, chunk: int) -> None:
    """Whether a chunk is still to be written; keeps its lease.

    Raises:
        JobCancelled: somebody asked for the job to be cancelled, or it is over.
        ChunkTaken: the chunk is done, or its generation was given up.
    """
    if runtime.jobs.is_cancelling(job.id):
        raise JobCancelled(f"job {job.id} was cancelled during precompute")
    if not runtime.generations.chunks.renew(
        job.model, generation_id, chunk, lease_seconds=runtime.settings.lease_seconds
    ):
        raise ChunkTaken(f"chunk {chunk} is done, or its generation was given up")


def _close_chunk(runtime: Runtime, dispatch: Dispatcher, job: Job, remaining: int) -> str:
    """Go on after a chunk; returns how far its generation is filled, in words."""
    pace = read_pace(runtime.serving, runtime.keys, job.model, job.generation)
    runtime.lock.renew(job.model, job.id, lock_seconds(runtime))
    message = pace_message(pace)
    if remaining == 0:
        log.info("generation %s of %s is filled: %s", job.generation, job.model, message)
        go_on(runtime, dispatch, job.id, "precompute")
        return message
    share = pace.users_written / max(1, pace.n_users)
    runtime.jobs.update(job.id, progress=overall(job, "precompute", share), message=message)
    return message


def _open_generation(stage: Stage, dispatch: Dispatcher) -> bool:
    runtime, job = stage.runtime, stage.job
    generation = _generation_of(stage, dispatch)
    if generation is None or generation.chunks_done >= generation.n_chunks:
        return True
    runtime.jobs.update(job.id, message=f"{generation.n_users:,} users in {generation.n_chunks} chunks")
    chunks = [stalled.chunk for stalled in runtime.generations.chunks.stalled(job.model, generation.id)]
    dispatch.chunks(job, generation.id, chunks)
    log.info("generation %s of %s: %d chunks are sent", generation.id, job.model, len(chunks))
    stage.said = f"generation {generation.id}: {len(chunks)} chunks for {generation.n_users:,} users are sent"
    return False


def _generation_of(stage: Stage, dispatch: Dispatcher) -> Generation | None:
    """The generation a job fills: the one it opened before, or a new one; None where none is wanted.

    The job names a generation only once all that its chunks and readers need stands in Redis. Its record
    comes before all that, so that nothing is left that no record names, wherever this is cut off.
    """
    runtime, job = stage.runtime, stage.job
    if job.generation:
        generation = runtime.generations.open(job.model, job.generation)
        lost = missing_beside_rows(runtime.serving, runtime.keys, generation)
        return _open_base(runtime, job) if lost else generation
    stage.report(0.0, "opening a generation")
    check_serving_server(runtime.serving)
    opened = open_delta(stage, dispatch) if job.kind == "delta" else _open_base(runtime, job)
    if opened is not None:
        runtime.jobs.update(job.id, generation=opened.id)
    return opened


def _open_base(runtime: Runtime, job: Job) -> Generation:
    shelf = load_shelf(runtime, job.artifact)
    neighbours = shelf.model.neighbours()
    generation = begun_before(runtime, job) or _new_base(runtime, job, shelf)
    _write_catalog(runtime, shelf)
    if neighbours is not None:
        _write_neighbours(runtime, generation.knn, neighbours)
    if generation.layout == "segments":
        segments = shelf.model.segments(SEGMENT_ITEMS)
        listed = load_content(runtime, generation).shelf.rules.apply(segments.ranking, SEGMENT_ITEMS)
        rows = pack_rows(listed.items, generation.id_width).tolist()
        runtime.generations.write_segments(job.model, generation.id, rows, segments.labels)
    return generation


def _new_base(runtime: Runtime, job: Job, shelf: Shelf) -> Generation:
    manifest, rules = shelf.dataset.manifest, rules_of(runtime, job)
    ruled = replace(shelf, rules=rules.over(shelf.dataset))
    return open_generation(
        runtime,
        job,
        user_keys(shelf.dataset.users) if has_user_rows(shelf.model) else ByteStrings.of([]),
        layout=shelf.model.layout,
        n_items=manifest.n_items,
        k_store=runtime.settings.k_store,
        dataset=manifest.version,
        artifact=job.artifact,
        knn=shelf.manifest.id if shelf.model.neighbours() is not None else "",
        cut_off=manifest.cut_off,
        search=lambda: choose(runtime, ruled, score_users),
        rules=rules.to_text(),
    )


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


def _write_neighbours(runtime: Runtime, artifact: str, neighbours: NeighbourIndex) -> None:
    with tempfile.TemporaryDirectory() as folder:
        neighbours.save(Path(folder))
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    runtime.blobs.put(lambda part: runtime.keys.knn(artifact, part), files)
