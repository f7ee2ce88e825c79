"""Listpacks: how Redis keeps small hashes without a pointer in them, and up to which size it does."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import redis
from redis.exceptions import ResponseError

from store.connection import store_errors
from store.keys import Keys

COMPACT = {b"listpack", b"ziplist"}
NAMES = ("listpack", "ziplist")
"""What Redis 7 and Redis 6.2 call them."""


@dataclass(frozen=True)
class CompactLimits:
    """Largest hash that is kept compactly, by default as Redis has it; ``name`` is the server's word."""

    entries: int = 512
    value_bytes: int = 64
    name: str = "listpack"

    @property
    def entries_setting(self) -> str:
        """The server's setting for the fields of a hash."""
        return f"hash-max-{self.name}-entries"

    @property
    def value_setting(self) -> str:
        """The server's setting for the bytes of a field or value."""
        return f"hash-max-{self.name}-value"


@store_errors()
def read_limits(client: redis.Redis) -> CompactLimits:
    """The limits of a server; the defaults where it does not tell."""
    try:
        found = cast("dict[str, str]", client.config_get("hash-max-*"))
    except ResponseError:
        return CompactLimits()
    for name in NAMES:
        limits = CompactLimits(name=name)
        if limits.entries_setting in found and limits.value_setting in found:
            return CompactLimits(int(found[limits.entries_setting]), int(found[limits.value_setting]), name)
    return CompactLimits()


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
