"""Chunks that a generation's record calls finished and whose rows are not all there.

A killed server comes back without its last second or so: a worker may have written rows before, and told of
its finished chunk after.
"""

from collections.abc import Iterator
from typing import cast

import redis

from store import scripts
from store.buckets import chunk_ranges, count_users
from store.chunks import unset_bits
from store.connection import store_errors
from store.generation import Generation
from store.keys import Keys


@store_errors()
def reopen_lost_chunks(client: redis.Redis, keys: Keys, generation: Generation) -> dict[int, int]:
    """Open again every chunk that is not whole; returns those to be written, with the times each was claimed.

    Counts users in Redis, chunk by chunk. A generation that is not building is left alone.
    """
    model, name = generation.model, generation.id
    leases = cast("dict[bytes, bytes]", client.hgetall(keys.leases(model, name)))
    lost = sorted({*_unfinished(client, keys, generation), *_short(client, keys, generation, leases)})
    names = [keys.generation(model, name), keys.chunks(model, name), keys.leases(model, name)]
    if not lost or not scripts.run(client, "reopen_chunks", names, lost):
        return {}
    return {chunk: int(leases.get(b"%d:attempts" % chunk, 0)) for chunk in lost}


def _unfinished(client: redis.Redis, keys: Keys, generation: Generation) -> Iterator[int]:
    bits = cast("bytes | None", client.get(keys.chunks(generation.model, generation.id)))
    return unset_bits(bits or b"", generation.n_chunks)


def _short(
    client: redis.Redis, keys: Keys, generation: Generation, leases: dict[bytes, bytes]
) -> Iterator[int]:
    """Chunks in whose buckets stands another number of users than their worker told."""
    chunks = chunk_ranges(generation.n_buckets, generation.buckets_per_chunk)
    for chunk, buckets in enumerate(chunks):
        told = int(leases.get(b"%d:users" % chunk, -1))
        if count_users(client, keys, generation.model, generation.id, buckets) != told:
            yield chunk
