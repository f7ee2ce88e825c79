"""How many bytes generations take in Redis, by what the server says of a sample of their keys."""

from collections.abc import Sequence
from typing import cast

import redis

from store.allocation import table_bytes
from store.connection import store_errors
from store.generation import Generation
from store.keys import Keys
from store.rows import ROW_BYTES

SAMPLED_BUCKETS = 32
"""Sizes of buckets vary like those of draws by crc32: a mean of 32 is within a few percent."""
SETTLED = ("ready", "live", "previous")
"""States in which nothing is written any more."""


class GenerationMemory:
    """Measures generations again and again; one that nobody writes to any more is measured once.

    Catalogues and neighbour artifacts are left out: several generations share them.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._settled: dict[tuple[str, str], int] = {}

    def measure(self, generations: Sequence[Generation]) -> list[int]:
        """The bytes of each generation, rows, segments and bookkeeping; 0 for those that were swept."""
        known = {(found.model, found.id) for found in generations}
        self._settled = {name: size for name, size in self._settled.items() if name in known}
        return [self._bytes(generation) for generation in generations]

    def _bytes(self, generation: Generation) -> int:
        if generation.swept:
            return 0
        name = (generation.model, generation.id)
        if name in self._settled:
            return self._settled[name]
        size = self._measured(generation)
        if generation.state in SETTLED:
            self._settled[name] = size
        return size

    @store_errors()
    def _measured(self, generation: Generation) -> int:
        model, name, keys = generation.model, generation.id, self._keys
        n_buckets = generation.n_buckets
        sampled = range(0, n_buckets, max(1, n_buckets // SAMPLED_BUCKETS))
        single = [
            keys.generation(model, name),
            keys.chunks(model, name),
            keys.leases(model, name),
            keys.segments(model, name),
        ]
        with self._client.pipeline(transaction=False) as pipe:
            for key in single:
                pipe.memory_usage(key, samples=0)
            for bucket in sampled:
                pipe.memory_usage(keys.bucket(model, name, bucket), samples=0)
                if _has_overflow(generation):
                    pipe.memory_usage(keys.overflow(model, name, bucket), samples=0)
            answers = [answer or 0 for answer in cast("list[int | None]", pipe.execute())]
        fixed, hashes = sum(answers[: len(single)]), answers[len(single) :]
        if not hashes:
            return fixed
        # MEMORY USAGE leaves out the slots of the main table.
        n_hashes = n_buckets * len(hashes) // len(sampled)
        return fixed + sum(hashes) * n_buckets // len(sampled) + table_bytes(n_hashes)


def _has_overflow(generation: Generation) -> bool:
    return bool(generation.score_width) or generation.row_width > ROW_BYTES
