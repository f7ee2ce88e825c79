"""Rows as they stand in Redis, for those who check them; readers use ``store.reading``."""

from collections.abc import Sequence

import redis

from store.buckets import bucket_of
from store.connection import store_errors
from store.generation import Generation
from store.keys import Keys


@store_errors()
def read_rows(
    client: redis.Redis, keys: Keys, generation: Generation, user_keys: Sequence[bytes]
) -> list[bytes | None]:
    """The packed rows of some users, overflow included, in one round trip; None for who is not stocked."""
    if not generation.n_buckets:
        return [None] * len(user_keys)
    with client.pipeline(transaction=False) as pipe:
        for user_key in user_keys:
            bucket = bucket_of(user_key, generation.n_buckets)
            pipe.hget(keys.bucket(generation.model, generation.id, bucket), user_key)
            pipe.hget(keys.overflow(generation.model, generation.id, bucket), user_key)
        answers = pipe.execute()
    return [
        None if head is None else head + (tail or b"")
        for head, tail in zip(answers[::2], answers[1::2], strict=True)
    ]
