"""Buckets: Redis hashes that about a hundred users share, so that a row costs some thirty bytes."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import redis

from store import scripts
from store.connection import store_errors
from store.keys import Keys
from store.rows import ROW_BYTES

BATCH_BUCKETS = 100
COMPACT = {b"listpack", b"ziplist"}

T = TypeVar("T")

UserRow = tuple[bytes, bytes]
"""User key and packed row."""


def bucket_of(user_key: bytes, n_buckets: int) -> int:
    """Bucket of a user: crc32 of the UTF-8 id, modulo the number of buckets."""
    return zlib.crc32(user_key) % n_buckets


def bucket_count(n_users: int, users_per_bucket: int) -> int:
    """Buckets a generation of ``n_users`` is spread over; none for no users."""
    return -(-n_users // users_per_bucket)


def chunk_count(n_buckets: int, buckets_per_chunk: int) -> int:
    """Chunks the buckets are worked off in."""
    return -(-n_buckets // buckets_per_chunk)


def chunk_ranges(n_buckets: int, buckets_per_chunk: int) -> list[range]:
    """Range of buckets of each chunk."""
    return [
        range(first, min(first + buckets_per_chunk, n_buckets))
        for first in range(0, n_buckets, buckets_per_chunk)
    ]


@store_errors()
def write_buckets(
    client: redis.Redis,
    keys: Keys,
    model: str,
    generation: str,
    buckets: Mapping[int, Sequence[UserRow]],
) -> int:
    """Write buckets whole, each at once; the same call again leaves the same content.

    What goes beyond 64 bytes of a row stands in the bucket's overflow hash. Returns the users written.
    """
    script = client.register_script(scripts.source("write_bucket"))
    users = 0
    for batch in _batches(buckets.items(), BATCH_BUCKETS):
        with client.pipeline(transaction=False) as pipe:
            for bucket, rows in batch:
                names = [keys.bucket(model, generation, bucket), keys.overflow(model, generation, bucket)]
                script(keys=names, args=_fields(rows), client=pipe)
                users += len(rows)
            pipe.execute()
    return users


@store_errors()
def count_users(client: redis.Redis, keys: Keys, model: str, generation: str, buckets: Iterable[int]) -> int:
    """Users in some buckets of a generation: HLEN summed over them."""
    users = 0
    for batch in _batches(buckets, BATCH_BUCKETS * 10):
        with client.pipeline(transaction=False) as pipe:
            for bucket in batch:
                pipe.hlen(keys.bucket(model, generation, bucket))
            users += sum(pipe.execute())
    return users


@store_errors()
def check_encoding(
    client: redis.Redis, keys: Keys, model: str, generation: str, buckets: Iterable[int]
) -> str:
    """Warning when some of ``buckets`` are not kept compactly; empty when all are.

    A value or a bucket over the server's limits silently becomes a hash table of several times the size.
    """
    with client.pipeline(transaction=False) as pipe:
        for bucket in buckets:
            pipe.object("ENCODING", keys.bucket(model, generation, bucket))
        found = [encoding for encoding in pipe.execute(raise_on_error=False) if isinstance(encoding, bytes)]
    loose = sum(encoding not in COMPACT for encoding in found)
    if not loose:
        return ""
    return (
        f"{loose} of {len(found)} sampled buckets are hash tables; "
        "lower users_per_bucket or raise hash-max-listpack-entries"
    )


def _fields(rows: Sequence[UserRow]) -> list[bytes | int]:
    whole = not any(len(row) > ROW_BYTES for _, row in rows)
    heads = rows if whole else [(user, row[:ROW_BYTES]) for user, row in rows]
    tails = [] if whole else [(user, row[ROW_BYTES:]) for user, row in rows if len(row) > ROW_BYTES]
    flat: list[bytes | int] = [2 * len(rows)]
    for pair in heads:
        flat.extend(pair)
    for pair in tails:
        flat.extend(pair)
    return flat


def _batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    batch: list[T] = []
    for thing in things:
        batch.append(thing)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
