"""The reader's side of the store: every call is one round trip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import orjson
import redis.asyncio
from numpy.typing import NDArray

from store.buckets import bucket_of
from store.connection import store_errors
from store.generation import Generation, Pointer
from store.keys import Keys
from store.rows import row_capacity, unpack_row
from topshelf.errors import GenerationNotFound

Row = tuple[bytes | None, list[str]]
"""A user's packed row, None where there is none, and the user's recent items, newest first."""


@dataclass(frozen=True)
class Poll:
    """What a reader follows."""

    pointers: Mapping[str, Pointer]
    items_version: int


class ShelfReader:
    """Reads shelves of one serving Redis; never writes."""

    def __init__(self, client: redis.asyncio.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._models: tuple[str, ...] = ()

    async def poll(self) -> Poll:
        """What is live now, and the version of what changed about items.

        A model published for the first time is seen one poll later.
        """
        with store_errors():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.smembers(self._keys.models)
                pipe.get(self._keys.items_version)
                for model in self._models:
                    pipe.get(self._keys.live(model))
                models, version, *texts = await pipe.execute()
        asked, self._models = self._models, tuple(sorted(model.decode() for model in models))
        if set(self._models) - set(asked):
            return await self.poll()
        pointers = {
            model: Pointer.parse(text.decode()) for model, text in zip(asked, texts, strict=True) if text
        }
        return Poll(pointers, int(version or 0))

    async def generation(self, model: str, generation: str) -> Generation:
        """One generation's record.

        Raises:
            GenerationNotFound: there is none with this id.
        """
        with store_errors():
            raw = await cast("Any", self._client.hgetall(self._keys.generation(model, generation)))
        if not raw:
            raise GenerationNotFound(f"{model} has no generation {generation}")
        return Generation.from_fields(raw)

    async def segments(self, model: str, generation: str) -> tuple[list[str], list[NDArray[np.int32]]]:
        """Labels and lists, best item first, of a generation of layout ``segments``.

        Raises:
            GenerationNotFound: it has no segments.
        """
        with store_errors():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hgetall(self._keys.segments(model, generation))
                pipe.hget(self._keys.generation(model, generation), "id_width")
                raw, width = await pipe.execute()
        if not raw or not width:
            raise GenerationNotFound(f"{model} has no segments in generation {generation}")
        labels: list[str] = orjson.loads(raw[b"labels"])
        return labels, [unpack_row(raw[b"%d" % number], int(width)) for number in range(len(labels))]

    async def row(self, model: str, generation: Generation, user_key: bytes) -> Row:
        """One user's row and recent items."""
        [found] = await self.rows(model, generation, [user_key])
        return found

    async def rows(self, model: str, generation: Generation, user_keys: Sequence[bytes]) -> list[Row]:
        """Rows and recent items of many users."""
        overflows = generation.row_width > row_capacity(generation.id_width) * generation.id_width
        with store_errors():
            async with self._client.pipeline(transaction=False) as pipe:
                for user_key in user_keys:
                    self._ask(pipe, model, generation, user_key, overflows=overflows)
                answers = iter(await pipe.execute())
        found: list[Row] = []
        for _ in user_keys:
            recents = [item.decode() for item in next(answers)]
            row: bytes | None = None
            if generation.n_buckets:
                head, tail = next(answers), next(answers) if overflows else None
                row = (head + (tail or b"")) or None if head is not None else None
            found.append((row, recents))
        return found

    async def profile(self, user_key: bytes) -> dict[str, Any] | None:
        """What is known about a user; None where nothing is."""
        with store_errors():
            text = await self._client.get(self._keys.profile(user_key))
        return cast("dict[str, Any]", orjson.loads(text)) if text else None

    def _ask(
        self, pipe: Any, model: str, generation: Generation, user_key: bytes, *, overflows: bool
    ) -> None:
        pipe.lrange(self._keys.recent(user_key), 0, -1)
        if generation.n_buckets:
            bucket = bucket_of(user_key, generation.n_buckets)
            pipe.hget(self._keys.bucket(model, generation.id, bucket), user_key)
            if overflows:
                pipe.hget(self._keys.overflow(model, generation.id, bucket), user_key)
