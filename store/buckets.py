"""Buckets: Redis hashes that dozens of users share, so that a row costs some thirty bytes."""

import math
import zlib

import redis

from store.keys import Keys
from store.streaming import CommandStream

BATCH_BUCKETS = 1_000


def bucket_of(user_key: bytes, n_buckets: int) -> int:
    """Bucket of a user: crc32 of the UTF-8 id, modulo the number of buckets."""
    return zlib.crc32(user_key) % n_buckets


def bucket_count(n_users: int, users_per_bucket: int) -> int:
    """Buckets a generation of ``n_users`` is spread over; none for no users."""
    return -(-n_users // users_per_bucket)


def buckets_per_chunk(chunk_users: int, users_per_bucket: int) -> int:
    """Buckets that make a chunk of about ``chunk_users``."""
    return max(1, math.ceil(chunk_users / users_per_bucket))


def chunk_count(n_buckets: int, buckets_per_chunk: int) -> int:
    """Chunks the buckets are worked off in."""
    return -(-n_buckets // buckets_per_chunk)


def chunk_ranges(n_buckets: int, buckets_per_chunk: int) -> list[range]:
    """Range of buckets of each chunk."""
    return [
        range(first, min(first + buckets_per_chunk, n_buckets))
        for first in range(0, n_buckets, buckets_per_chunk)
    ]


def count_users(client: redis.Redis, keys: Keys, model: str, generation: str, buckets: range) -> int:
    """Users in some buckets of a generation: HLEN summed over them."""
    pattern = keys.bucket_pattern(model, generation)
    with CommandStream(client, connections=2) as stream:
        for first in range(0, len(buckets), BATCH_BUCKETS):
            names = [pattern % bucket for bucket in buckets[first : first + BATCH_BUCKETS]]
            commands = [b"*2\r\n$4\r\nHLEN\r\n$%d\r\n%b\r\n" % (len(name), name) for name in names]
            stream.send(b"".join(commands), len(commands))
    return stream.total
