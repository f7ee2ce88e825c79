"""Chunks of a generation that is filled: taken under a lease, counted once, found again when they stall."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, cast

import redis

from store import scripts
from store.connection import store_errors
from store.keys import Keys
from topshelf.errors import GenerationNotFound

ChunkClaim = Literal["granted", "done", "leased", "closed"]

PACE_WINDOW_SECONDS = 30.0
"""The pace of a generation is that of the last one to two such windows."""


class StalledChunk(NamedTuple):
    """A chunk to send again.

    Attributes:
        attempts: how often it was claimed.
        expired: whether its lease ran out; otherwise nobody holds one, and its message may still wait.
    """

    chunk: int
    attempts: int
    expired: bool


class Chunks:
    """The chunks of every generation in one serving Redis."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    @store_errors()
    def claim(self, model: str, generation: str, chunk: int, *, lease_seconds: float) -> ChunkClaim:
        """Take a chunk to work on: ``granted``, or why not.

        ``done``: it is finished. ``leased``: somebody works on it. ``closed``: the generation takes no more.
        """
        names = self._names(model, generation)
        answer = scripts.run_text(self._client, "claim_chunk", names, [chunk, _milliseconds(lease_seconds)])
        return cast("ChunkClaim", answer)

    @store_errors()
    def renew(self, model: str, generation: str, chunk: int, *, lease_seconds: float) -> bool:
        """Keep a chunk for ``lease_seconds`` from now; False when it is done, or the generation closed.

        One whose lease the server lost, or gave up, is taken back.
        """
        names = self._names(model, generation)
        return bool(scripts.run(self._client, "renew_chunk", names, [chunk, _milliseconds(lease_seconds)]))

    @store_errors()
    def release(self, model: str, generation: str, chunk: int) -> bool:
        """Give up a lease that ran out, before the chunk is sent again; False when somebody did so before."""
        name = self._keys.leases(model, generation)
        return bool(scripts.run(self._client, "release_chunk", [name], [chunk]))

    @store_errors()
    def finish(self, model: str, generation: str, chunk: int, users: int) -> int:
        """Count a written chunk, once however often it is told; returns the chunks that remain.

        Raises:
            GenerationNotFound: there is no such generation.
        """
        remaining: int = scripts.run(
            self._client,
            "finish_chunk",
            self._names(model, generation),
            [chunk, users, _milliseconds(PACE_WINDOW_SECONDS)],
        )
        if remaining < 0:
            raise GenerationNotFound(f"{model} has no generation {generation}")
        return remaining

    @store_errors()
    def stalled(self, model: str, generation: str, *, idle_seconds: float = 0) -> list[StalledChunk]:
        """Chunks to send again: a lease ran out, or nobody holds one.

        Chunks without a lease wait their turn in the queue: they count only ``idle_seconds`` after the
        generation was opened, or a chunk of it last claimed, renewed or finished.
        """
        record, bitmap, lease_hash = self._names(model, generation)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.hmget(record, "state", "n_chunks", "touched")
            pipe.get(bitmap)
            pipe.hgetall(lease_hash)
            pipe.time()
            (state, n_chunks, touched), bits, leases, (seconds, microseconds) = pipe.execute()
        if state != b"building":
            return []
        now = seconds * 1000 + microseconds // 1000
        idle = now - int(touched or 0) >= _milliseconds(idle_seconds)
        stalled = []
        for chunk in unset_bits(bits or b"", int(n_chunks)):
            held_until = leases.get(b"%d" % chunk)
            if idle if held_until is None else int(held_until) <= now:
                attempts = int(leases.get(b"%d:attempts" % chunk, 0))
                stalled.append(StalledChunk(chunk, attempts, expired=held_until is not None))
        return stalled

    def _names(self, model: str, generation: str) -> tuple[str, str, str]:
        return (
            self._keys.generation(model, generation),
            self._keys.chunks(model, generation),
            self._keys.leases(model, generation),
        )


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def unset_bits(bitmap: bytes, n: int) -> Iterator[int]:
    """Positions below ``n`` that SETBIT left at 0."""
    for position in range(n):
        byte = position >> 3
        if byte >= len(bitmap) or not bitmap[byte] >> (7 - (position & 7)) & 1:
            yield position
