"""What a nightly run of some size costs, from sizes alone: for ``topshelf plan``.

Bytes in Redis are arithmetic (``store.sizing``); times are measured constants, all of them in this module.
"""

import math
from dataclasses import dataclass

from store.allocation import FieldBytes, Server
from store.buckets import bucket_count, buckets_per_chunk, chunk_count
from store.rows import RowShape
from store.sizing import CATALOG_ITEM_BYTES, NEIGHBOUR_BYTES, GenerationBytes, generation_bytes

SCORING_SECONDS_PER_USER = 2.2e-5
SCORING_SECONDS = {"pruned": 1.5e-12, "whole": 4.0e-11}
"""Exact top-k on one core, for each user and for each user, item and factor.

Pruned where the items' vectors differ in length as those of als do, whole where they are of one length. From
29,858 users x 40,981 items x 64 factors, 962,179 x 15,706 x 128 and 512 x 1,000,000 x 64, in
``benchmarks.precompute``: 25, 24 and 50 to 290 us a user pruned, 90 and 2,700 whole.
"""
GPU_SCORING_SECONDS = 2.6e-13
"""The same on a GPU. Not measured: 962,179 x 15,706 x 128 in 0.5 s is what is wanted of an H200."""
WRITING_SECONDS_PER_FIELD = 1.6e-7
WRITING_SECONDS_PER_NEIGHBOUR = 3.0e-9
WRITING_SECONDS_PER_BYTE = 2.5e-9
"""Redis 7.0.15, time of its one thread for each user, each user of the same bucket, and each byte of a row.

From 1,000,000 users in buckets of 64 to 200 with rows of 20 to 60 bytes: 0.40 to 0.86 µs a user.
"""
PACKING_SECONDS = 4.5e-7
"""Packing and sending one user's row, time of one core of the worker."""
PROCESS_BYTES = 120_000_000
"""A worker process with its libraries, before it loads anything."""
BLOCK_BYTES = 96_000_000
"""Scores, candidates and rows of the block under way, and of the one being written."""
INTERACTION_BYTES = 8
"""An interaction in the history matrix: int32 and float32."""
GENERATIONS_AT_PEAK = 3
"""Live, previous, and the one that is being built."""


@dataclass(frozen=True)
class Workload:
    """What is to be done.

    Attributes:
        field: the users' ids.
        k_store: items kept in a row.
        factors: length of the model's vectors.
        neighbours: kept of each item for the online kNN, 0 where the model keeps none.
        interactions: of all users.
        processes: worker processes, on all hosts together.
        cores: processor cores those have, on all hosts together.
        device: ``cpu``, or ``cuda`` with one GPU for each process.
        users_per_bucket: wished for; there are fewer where the server keeps only smaller hashes compactly.
        server: the Redis of the shelves.
    """

    users: int
    items: int
    k_store: int
    factors: int
    neighbours: int
    interactions: int
    field: FieldBytes
    scores: bool
    processes: int
    cores: int
    device: str
    users_per_bucket: int
    chunk_users: int
    server: Server

    @property
    def bucket_users(self) -> int:
        """Users that share a bucket, on average."""
        return min(self.users_per_bucket, max(1, self.server.limits.entries))


@dataclass(frozen=True)
class Plan:
    """What it takes.

    Attributes:
        generation: bytes in Redis of one generation.
        peak_bytes: in Redis with the live, the previous and the new generation there.
        scoring_seconds: of the clock, by all processes, where vectors differ in length.
        whole_seconds: the same where they do not, and nothing can be left out.
        writing_seconds: of the clock; Redis takes rows with one thread.
        process_bytes: most that one worker process holds.
        network_bytes: sent to Redis.
    """

    generation: GenerationBytes
    peak_bytes: int
    n_buckets: int
    n_chunks: int
    scoring_seconds: float
    whole_seconds: float
    writing_seconds: float
    process_bytes: int
    network_bytes: int

    @property
    def seconds(self) -> float:
        """From the first chunk to the last: rows are written while the next are scored."""
        return max(self.scoring_seconds, self.writing_seconds)


def plan(work: Workload) -> Plan:
    """Work out what a run costs."""
    row = RowShape.of("users", work.items, work.k_store, scores=work.scores)
    n_buckets = bucket_count(work.users, work.bucket_users)
    n_chunks = chunk_count(n_buckets, buckets_per_chunk(work.chunk_users, work.users_per_bucket))
    catalog_bytes = work.items * CATALOG_ITEM_BYTES
    neighbour_bytes = work.items * work.neighbours * NEIGHBOUR_BYTES
    generation = generation_bytes(
        work.users,
        n_buckets,
        n_chunks,
        work.field,
        row,
        catalog_bytes=catalog_bytes,
        neighbour_bytes=neighbour_bytes,
        server=work.server,
    )
    return Plan(
        generation=generation,
        peak_bytes=GENERATIONS_AT_PEAK * generation.total,
        n_buckets=n_buckets,
        n_chunks=n_chunks,
        scoring_seconds=_scoring_seconds(work, "pruned"),
        whole_seconds=_scoring_seconds(work, "whole"),
        writing_seconds=_writing_seconds(work, row),
        process_bytes=_process_bytes(work),
        network_bytes=catalog_bytes + neighbour_bytes + _wire_bytes(work, row, n_buckets),
    )


def _scoring_seconds(work: Workload, how: str) -> float:
    scores = work.items * work.factors
    if work.device == "cuda":
        return work.users * scores * GPU_SCORING_SECONDS / work.processes
    return work.users * (SCORING_SECONDS_PER_USER + scores * SCORING_SECONDS[how]) / work.cores


def _writing_seconds(work: Workload, row: RowShape) -> float:
    values = [row.head_bytes, *([row.tail_bytes] if row.tail_bytes else [])]
    each = WRITING_SECONDS_PER_FIELD + WRITING_SECONDS_PER_NEIGHBOUR * work.bucket_users
    server = sum(each + WRITING_SECONDS_PER_BYTE * value for value in values)
    return work.users * max(server, PACKING_SECONDS * len(values) / work.cores)


def _process_bytes(work: Workload) -> int:
    vectors = 4 * work.factors * (work.users + work.items)
    history = INTERACTION_BYTES * work.interactions + 4 * work.users
    # Keys and their offsets twice while they are sorted, and the order besides.
    buckets = work.users * (2 * (math.ceil(work.field.length) + 8) + 8)
    # A model's file and its arrays are held at the same time while it is loaded.
    return PROCESS_BYTES + max(2 * vectors, vectors + history + buckets + BLOCK_BYTES)


def _wire_bytes(work: Workload, row: RowShape, n_buckets: int) -> int:
    """Bytes of the HSET commands, and of the counts that verify them."""
    sent = 0
    for value in (row.head_bytes, row.tail_bytes):
        if value:
            pair = _bulk(math.ceil(work.field.length)) + _bulk(value)
            sent += work.users * pair + n_buckets * (20 + _bulk(24))
    return sent + n_buckets * (14 + _bulk(24))


def _bulk(length: int) -> int:
    """Bytes of a string of RESP."""
    return len(f"${length}\r\n") + length + 2
