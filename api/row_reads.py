"""Reads rows for many requests at once: those that wait at the same time share a round trip."""

import asyncio

from store.generations import Generation
from store.reading import Row, ShelfReader
from topshelf.errors import StoreError, StoreUnavailable

MOST_READS = 4
"""Round trips under way at once; requests that come meanwhile wait for the next one."""
MOST_ROWS = 500

Waiting = tuple[bytes, asyncio.Future[Row]]


class RowReads:
    """Collects reads of single rows; each is a future that its round trip fulfils."""

    def __init__(self, shelves: ShelfReader, *, timeout_seconds: float) -> None:
        self._shelves = shelves
        self._timeout_seconds = timeout_seconds
        self._waiting: dict[tuple[str, str], tuple[Generation, list[Waiting]]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._called = False

    async def row(self, generation: Generation, user_key: bytes) -> Row:
        """One user's row and recent items.

        Raises:
            StoreUnavailable: Redis did not answer in time.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Row] = loop.create_future()
        _, waiting = self._waiting.setdefault((generation.model, generation.id), (generation, []))
        waiting.append((user_key, future))
        if not self._called:
            self._called = True
            loop.call_soon(self._send)
        return await future

    def _send(self) -> None:
        self._called = False
        while self._waiting and len(self._under_way) < MOST_READS:
            name, (generation, waiting) = next(iter(self._waiting.items()))
            batch, rest = waiting[:MOST_ROWS], waiting[MOST_ROWS:]
            del self._waiting[name]
            if rest:
                self._waiting[name] = (generation, rest)
            task = asyncio.create_task(self._read(generation, batch))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._send()

    async def _read(self, generation: Generation, batch: list[Waiting]) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                rows = await self._shelves.rows(generation.model, generation, [key for key, _ in batch])
        except TimeoutError:
            _fail(batch, StoreUnavailable("Redis did not answer in time"))
        except StoreError as error:
            _fail(batch, error)
        else:
            for (_, future), row in zip(batch, rows, strict=True):
                if not future.done():
                    future.set_result(row)


def _fail(batch: list[Waiting], error: StoreError) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
