"""Opening a generation: room for it is looked for, its users are spread over buckets and chunks."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from store.allocation import FieldBytes, Server
from store.buckets import buckets_per_chunk, chunk_count
from store.byte_strings import ByteStrings
from store.compactness import read_limits
from store.connection import allocator_of, check_room
from store.generation import Generation, Layout
from store.job import Job
from store.rows import RowShape
from store.sizing import CATALOG_ITEM_BYTES, generation_bytes
from store.user_buckets import choose_bucket_count
from topshelf.errors import GenerationNotFound
from workers.runtime import Runtime
from workers.search import SearchRecord

SAMPLED_IDS = 1_000
"""User ids looked at to tell how many bytes one takes."""
REMEMBERED_JOBS = 1_000
"""Of a model's jobs, the newest ones that are asked for their fence."""


def begun_before(runtime: Runtime, job: Job) -> Generation | None:
    """The generation an earlier attempt of the stage opened; None where there is none, or Redis lost it."""
    if not job.fence:
        return None
    try:
        return runtime.generations.open(job.model, str(job.fence))
    except GenerationNotFound:
        return None


def open_generation(
    runtime: Runtime,
    job: Job,
    user_keys: ByteStrings,
    *,
    layout: Layout,
    n_items: int,
    k_store: int,
    dataset: str,
    knn: str,
    search: Callable[[], SearchRecord] = SearchRecord,
    **described: Any,
) -> Generation:
    """A new generation under a new fence; ``described`` is what else ``Generations.create`` takes.

    ``search`` is called once there is room: to choose one may take minutes.
    Its fence stands in the job's record before it is created: so an attempt that is cut off is found again.

    Raises:
        NotEnoughRoom: Redis could not hold it.
        UnsuitableServer: Redis would not keep such rows compactly.
    """
    settings = runtime.settings
    row = RowShape.of(layout, n_items, k_store, scores=settings.store_scores)
    per_chunk = buckets_per_chunk(settings.chunk_users, settings.users_per_bucket)
    server = Server(allocator_of(runtime.serving), read_limits(runtime.serving))
    n_buckets = _n_buckets(user_keys, settings.users_per_bucket, row, server) if len(user_keys) else 0
    needed = generation_bytes(
        len(user_keys),
        n_buckets,
        chunk_count(n_buckets, per_chunk),
        _field_bytes(user_keys),
        row,
        catalog_bytes=_catalog_bytes(runtime, dataset, n_items),
        neighbour_bytes=_neighbour_bytes(runtime, knn),
        server=server,
    )
    check_room(runtime.serving, needed.total, high_water=settings.memory_high_water)
    chosen = search()
    fence = _next_fence(runtime, job)
    runtime.jobs.update(job.id, fence=fence)
    return runtime.generations.create(
        job.model,
        fence=fence,
        layout=layout,
        n_users=len(user_keys),
        n_items=n_items,
        n_buckets=n_buckets,
        buckets_per_chunk=per_chunk,
        k_store=k_store,
        score_width=row.score_width,
        dataset=dataset,
        knn=knn,
        **asdict(chosen),
        **described,
    )


def _next_fence(runtime: Runtime, job: Job) -> int:
    """The model's next fence; above those that job records know of, where the serving Redis lost its own.

    An id given out twice would have readers take rows they keep in memory for those of the new generation.
    """
    fence = runtime.generations.next_fence(job.model, above=job.fence)
    if fence > 1:
        return fence
    known = max((one.fence for one in runtime.jobs.list(limit=REMEMBERED_JOBS, model=job.model)), default=0)
    return runtime.generations.next_fence(job.model, above=known) if known else fence


def _n_buckets(user_keys: ByteStrings, users_per_bucket: int, row: RowShape, server: Server) -> int:
    return choose_bucket_count(
        user_keys, users_per_bucket, server.limits, head_bytes=row.head_bytes, tail_bytes=row.tail_bytes
    )


def _field_bytes(user_keys: ByteStrings) -> FieldBytes:
    n_sampled = min(SAMPLED_IDS, len(user_keys))
    return FieldBytes.of(
        user_keys.take(np.linspace(0, len(user_keys) - 1, n_sampled).astype(np.int64)).tolist()
    )


def _catalog_bytes(runtime: Runtime, dataset: str, n_items: int) -> int:
    """About the length of a catalogue that is still to be written; 0 for one that is there."""
    is_there = runtime.blobs.is_whole(lambda part: runtime.keys.catalog(dataset, part))
    return 0 if is_there else n_items * CATALOG_ITEM_BYTES


def _neighbour_bytes(runtime: Runtime, artifact: str) -> int:
    """The most that the neighbours of an artifact take where they are still to be written."""
    if not artifact or runtime.blobs.is_whole(lambda part: runtime.keys.knn(artifact, part)):
        return 0
    return runtime.artifacts.manifest(artifact).size_bytes
