"""The rows of what is live of one model, as a reader sees them: out of memory, else in one round trip."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from store.generation_rows import Answer, GenerationRows
from store.keys import Keys
from store.marks import UserMarks
from store.multiplexed import MultiplexedConnection, packed
from store.recents import decode_profile
from topshelf.errors import StoreUnavailable


class UserRow(NamedTuple):
    """All that Redis has about one user."""

    row: bytes | None
    """The packed row; None or empty for who is not stocked."""
    recents: Sequence[str] = ()
    """Items touched of late, newest first."""
    profile: Mapping[str, Any] | None = None


class Stock:
    """A base generation's rows and, over them, those of its delta; connection and marks are shared by all."""

    lost: ClassVar[bool] = False
    """Whether the server no longer knows the generation."""

    def __init__(
        self,
        base: GenerationRows,
        delta: GenerationRows | None,
        keys: Keys,
        connection: MultiplexedConnection,
        marks: UserMarks,
    ) -> None:
        self._base = base
        self._delta = delta
        self._keys = keys
        self._connection = connection
        self._marks = marks

    def as_lost(self, lost: bool) -> "Stock":
        """The same rows while the server has lost them, and once it has them back."""
        if lost is self.lost:
            return self
        kind = LostStock if lost else Stock
        return kind(self._base, self._delta, self._keys, self._connection, self._marks)

    def held_row(self, user_key: bytes) -> bytes | None:
        """The row of a user who has no more than that, out of memory.

        Empty for who is not stocked; None where Redis must be asked.
        """
        if self._marks.may_have_more(user_key):
            return None
        if self._delta is not None:
            newer = self._delta.held(user_key)
            if newer is None or newer:
                return newer
        return self._base.held(user_key)

    def remembered_row(self, user_key: bytes) -> bytes | None:
        """The newest row in memory, whatever the user may have touched since, and whoever has a newer one."""
        newer = self._delta.held(user_key) if self._delta is not None else None
        return newer or self._base.held(user_key)

    async def read(self, user_key: bytes) -> UserRow:
        """Everything about one user in one round trip.

        Raises:
            StoreUnavailable: there is no connection, or no answer in time.
        """
        more = self._send_more(user_key) if self._marks.may_have_more(user_key) else []
        row = await self._row(user_key)
        if not more:
            return UserRow(row)
        recents, profile = more
        return UserRow(row, [item.decode() for item in await recents], decode_profile(await profile))

    def read_row(self, user_key: bytes) -> Answer | None:
        """The row of a user who has no more than that, as a future of one read.

        None where it takes more than that, and where there is no connection.
        """
        if self._marks.may_have_more(user_key):
            return None
        if self._delta is not None and self._delta.held(user_key) != b"":
            return None
        try:
            return self._base.asked(user_key)
        except StoreUnavailable:
            return None

    async def read_many(self, user_keys: Sequence[bytes]) -> list[UserRow]:
        """Everything about many users, in the order asked for; one round trip for all not in memory.

        Raises:
            StoreUnavailable: as for :meth:`read`.
        """
        held = [self.held_row(user_key) for user_key in user_keys]
        unknown = [self.read(key) for key, row in zip(user_keys, held, strict=True) if row is None]
        read = iter(await asyncio.gather(*unknown))
        return [next(read) if row is None else UserRow(row) for row in held]

    async def read_scores(self, user_key: bytes) -> Mapping[int, float]:
        """The score of each item index of a user's row; empty for who is not stocked, or where none are kept.

        Raises:
            StoreUnavailable: as for :meth:`read`.
        """
        layers = [self._base] if self._delta is None else [self._delta, self._base]
        found = await asyncio.gather(*(layer.read_scores(user_key) for layer in layers))
        return next((scores for scores in found if scores is not None), {})

    async def _row(self, user_key: bytes) -> bytes | None:
        """The delta's row, else the base's; where neither is in memory both are asked for at once."""
        if self._delta is None:
            return await self._base.read(user_key)
        newer = self._delta.held(user_key)
        if newer is not None:
            return newer or await self._base.read(user_key)
        newer, older = await asyncio.gather(self._delta.read(user_key), self._base.read(user_key))
        return newer or older

    def _send_more(self, user_key: bytes) -> list[Answer]:
        recents, profile = self._keys.recent(user_key).encode(), self._keys.profile(user_key).encode()
        return [self._send(b"LRANGE", recents, 0, -1), self._send(b"GET", profile)]

    def _send(self, *command: bytes | int) -> Answer:
        return self._connection.send(packed(*command))


class LostStock(Stock):
    """What is left of a stock that a server which came back empty knows nothing of: the rows in memory.

    Nothing is said at once, so that every answer comes by way of :meth:`read`, and is told to be stale.
    """

    lost: ClassVar[bool] = True

    def held_row(self, user_key: bytes) -> bytes | None:  # noqa: ARG002 -- Stock's signature
        """None for everybody."""
        return None

    def read_row(self, user_key: bytes) -> Answer | None:  # noqa: ARG002 -- Stock's signature
        """None for everybody."""
        return None

    async def _row(self, user_key: bytes) -> bytes | None:
        return self.remembered_row(user_key)
