"""The reader's hot side: asyncio, one round trip per question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import redis.asyncio
from numpy.typing import NDArray

from store import documents
from store.buckets import bucket_of
from store.connection import store_errors
from store.generation import Generation, Pointer
from store.keys import Keys
from store.recents import decode_profile
from store.rows import ROW_BYTES, unpack_row
from topshelf.errors import GenerationNotFound

Row = tuple[bytes | None, list[str]]
"""A user's packed row, None for who is not stocked; items the user touched of late, newest first."""

Command = tuple[str | bytes | int, ...]


@dataclass(frozen=True)
class Poll:
    """What is live at one moment."""

    pointers: Mapping[str, Pointer]
    holds: frozenset[str]
    """Models that a rollback holds."""
    items_version: int


class ShelfReader:
    """Reads shelves over one asyncio client; safe for any number of tasks at once."""

    def __init__(self, client: redis.asyncio.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._known: tuple[str, ...] = ()

    async def models(self) -> list[str]:
        """Models that ever had a generation, sorted."""
        [models] = await self._ask([("SMEMBERS", self._keys.models)])
        return sorted(model.decode() for model in models)

    async def poll(self, models: Sequence[str] | None = None) -> Poll:
        """Pointers and holds of ``models``, all by default, and the version of what was changed about items.

        One round trip, and a second when a model is there for the first time.
        """
        asked = self._known if models is None else tuple(models)
        found, version, *answers = await self._ask(
            [
                ("SMEMBERS", self._keys.models),
                ("GET", self._keys.items_version),
                *self._pointer_commands(asked),
            ]
        )
        if models is None:
            self._known = tuple(sorted(model.decode() for model in found))
            if new := tuple(model for model in self._known if model not in asked):
                asked += new
                answers += await self._ask(self._pointer_commands(new))
        lives = dict(zip(asked, answers[::2], strict=True))
        holds = dict(zip(asked, answers[1::2], strict=True))
        return Poll(
            MappingProxyType({model: Pointer.parse(text.decode()) for model, text in lives.items() if text}),
            frozenset(model for model, held in holds.items() if held),
            int(version or 0),
        )

    async def row(
        self, model: str, generation: Generation, user_key: bytes, with_recents: bool = True
    ) -> Row:
        """One user's row and recent items."""
        [row] = await self.rows(model, generation, [user_key], with_recents)
        return row

    async def rows(
        self, model: str, generation: Generation, user_keys: Sequence[bytes], with_recents: bool = True
    ) -> list[Row]:
        """Rows and recent items of many users, in the order asked for."""
        overflows = generation.row_width > ROW_BYTES
        commands: list[Command] = []
        for user_key in user_keys:
            if generation.n_buckets:
                bucket = bucket_of(user_key, generation.n_buckets)
                commands.append(("HGET", self._keys.bucket(model, generation.id, bucket), user_key))
                if overflows:
                    commands.append(("HGET", self._keys.overflow(model, generation.id, bucket), user_key))
            if with_recents:
                commands.append(("LRANGE", self._keys.recent(user_key), 0, -1))
        answers = iter(await self._ask(commands))
        rows: list[Row] = []
        for _ in user_keys:
            row: bytes | None = next(answers) if generation.n_buckets else None
            tail: bytes | None = next(answers) if generation.n_buckets and overflows else None
            recents = [item.decode() for item in next(answers)] if with_recents else []
            rows.append((row + tail if row is not None and tail is not None else row, recents))
        return rows

    async def generation(self, model: str, generation: str) -> Generation:
        """What is known about a generation.

        Raises:
            GenerationNotFound: there is none with this id, or it was swept away.
        """
        [raw] = await self._ask([("HGETALL", self._keys.generation(model, generation))])
        if not raw:
            raise GenerationNotFound(f"{model} has no generation {generation}")
        return Generation.from_fields(raw)

    async def segments(self, model: str, generation: str) -> tuple[list[str], list[NDArray[np.int32]]]:
        """Labels of the segments, and the item indices of each, (k,) int32, best first.

        Raises:
            GenerationNotFound: the generation has no segments, or not all of them.
        """
        record, raw = await self._ask(
            [
                ("HGETALL", self._keys.generation(model, generation)),
                ("HGETALL", self._keys.segments(model, generation)),
            ]
        )
        if not record or b"labels" not in raw:
            raise GenerationNotFound(f"{model} has no segments of generation {generation}")
        labels: list[str] = documents.load(raw[b"labels"])
        if len(raw) != len(labels) + 1:
            raise GenerationNotFound(f"segments of {model}, generation {generation}, are missing")
        width = Generation.from_fields(record).id_width
        return labels, [unpack_row(raw[b"%d" % number], width) for number in range(len(labels))]

    async def recents(self, user_key: bytes) -> list[str]:
        """Items a user touched, newest first."""
        [items] = await self._ask([("LRANGE", self._keys.recent(user_key), 0, -1)])
        return [item.decode() for item in items]

    async def profile(self, user_key: bytes) -> dict[str, Any] | None:
        """What is known about a user; None for nothing."""
        [text] = await self._ask([("GET", self._keys.profile(user_key))])
        return decode_profile(text)

    def _pointer_commands(self, models: Sequence[str]) -> list[Command]:
        return [("GET", key(model)) for model in models for key in (self._keys.live, self._keys.hold)]

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands together; their answers in order."""
        if not commands:
            return []
        with store_errors():
            if len(commands) == 1:
                ask: Any = self._client.execute_command
                return [await ask(*commands[0])]
            async with self._client.pipeline(transaction=False) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                return await pipe.execute()
