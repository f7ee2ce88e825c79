"""Rows and lists as they stand in Redis, for those who check them; readers use ``store.reading``."""

from collections.abc import Sequence
from typing import cast

import redis

from store.buckets import bucket_of
from store.connection import store_errors
from store.generation import Generation
from store.keys import Keys
from store.rows import split_scores, unpack_row, unpack_segment


def read_rows(
    client: redis.Redis, keys: Keys, generation: Generation, user_keys: Sequence[bytes]
) -> list[bytes | None]:
    """The packed rows of some users, overflow included, in one round trip; None for who is not stocked."""
    found = _read(client, keys, generation, user_keys)
    return [None if head is None else _split(generation, head, tail)[0] for head, tail in found]


def read_scores(
    client: redis.Redis, keys: Keys, generation: Generation, user_keys: Sequence[bytes]
) -> list[Sequence[float]]:
    """The scores of some users' rows, item by item; empty for who is not stocked, or where none are kept."""
    found = _read(client, keys, generation, user_keys)
    return [() if head is None else _split(generation, head, tail)[1] for head, tail in found]


def read_lists(
    client: redis.Redis, keys: Keys, layers: Sequence[Generation], user_keys: Sequence[bytes]
) -> list[list[int]]:
    """The item indices of some users' lists; of who is not stocked, empty or everybody's segment.

    Args:
        layers: a base, and its delta, whose rows come first; or one generation alone.
    """
    rows: list[bytes] = [b""] * len(user_keys)
    for layer in layers:
        found = read_rows(client, keys, layer, user_keys)
        rows = [upper or lower for upper, lower in zip(found, rows, strict=True)]
    if layers[0].layout == "users":
        return [unpack_row(row, layers[0].id_width) for row in rows]
    segments = _read_segments(client, keys, layers[0])
    return [segments[unpack_segment(row)] for row in rows]


def _split(generation: Generation, head: bytes, tail: bytes) -> tuple[bytes, Sequence[float]]:
    return split_scores(head, tail, generation.id_width) if generation.score_width else (head + tail, ())


@store_errors()
def _read(
    client: redis.Redis, keys: Keys, generation: Generation, user_keys: Sequence[bytes]
) -> list[tuple[bytes | None, bytes]]:
    if not generation.n_buckets:
        return [(None, b"")] * len(user_keys)
    with client.pipeline(transaction=False) as pipe:
        for user_key in user_keys:
            bucket = bucket_of(user_key, generation.n_buckets)
            pipe.hget(keys.bucket(generation.model, generation.id, bucket), user_key)
            pipe.hget(keys.overflow(generation.model, generation.id, bucket), user_key)
        answers = pipe.execute()
    return [(head, tail or b"") for head, tail in zip(answers[::2], answers[1::2], strict=True)]


@store_errors()
def _read_segments(client: redis.Redis, keys: Keys, generation: Generation) -> list[list[int]]:
    """The list of each segment; the first is everybody's."""
    name = keys.segments(generation.model, generation.id)
    raw = cast("dict[bytes, bytes]", client.hgetall(name))
    return [unpack_row(raw[b"%d" % number], generation.id_width) for number in range(len(raw) - 1)]
