import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from api.row_reads import MOST_READS, MOST_ROWS, RowReads
from store.generations import Generation
from store.reading import Row, ShelfReader
from tests.api.shop import Shop
from topshelf.errors import StoreUnavailable


class Recording:
    """Answers each user with its own key, and remembers what was asked for together."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[tuple[str, list[bytes]]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._error = error

    async def rows(self, model: str, generation: Generation, user_keys: Sequence[bytes]) -> list[Row]:
        self.batches.append((model, list(user_keys)))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)
        self._at_once -= 1
        if self._error:
            raise self._error
        return [(key, []) for key in user_keys]


def reads(shelves: Any, timeout_seconds: float = 10) -> RowReads:
    return RowReads(cast("ShelfReader", shelves), timeout_seconds=timeout_seconds)


@pytest.fixture
def generation(shop: Shop) -> Generation:
    return shop.begin("als")


def test_rows_asked_for_at_the_same_time_share_a_round_trip(generation: Generation, shop: Shop) -> None:
    shelves, other = Recording(), shop.begin("bpr")

    async def ask() -> list[Row]:
        rows = reads(shelves)
        asked = [(generation, b"a"), (other, b"b"), (generation, b"c")]
        return await asyncio.gather(*(rows.row(one, key) for one, key in asked))

    assert asyncio.run(ask()) == [(b"a", []), (b"b", []), (b"c", [])]
    assert shelves.batches == [("als", [b"a", b"c"]), ("bpr", [b"b"])]


def test_many_rows_take_few_connections(generation: Generation) -> None:
    shelves = Recording()

    async def ask() -> list[Row]:
        rows = reads(shelves)
        return await asyncio.gather(*(rows.row(generation, b"%d" % user) for user in range(5 * MOST_ROWS)))

    assert [row for row, _ in asyncio.run(ask())] == [b"%d" % user for user in range(5 * MOST_ROWS)]
    assert shelves.most_at_once == MOST_READS


def test_a_failure_reaches_everybody_who_waits(generation: Generation) -> None:
    async def ask() -> list[Row | BaseException]:
        rows = reads(Recording(StoreUnavailable("gone")))
        return await asyncio.gather(*(rows.row(generation, b"x") for _ in range(3)), return_exceptions=True)

    assert [type(answer) for answer in asyncio.run(ask())] == [StoreUnavailable] * 3


def test_a_silent_store_is_given_up(generation: Generation) -> None:
    class Silent:
        async def rows(self, *_: object) -> list[Row]:
            await asyncio.Event().wait()
            return []

    async def ask() -> Row:
        return await reads(Silent(), timeout_seconds=0.01).row(generation, b"x")

    with pytest.raises(StoreUnavailable):
        asyncio.run(ask())


def test_somebody_who_gave_up_does_not_disturb_the_others(generation: Generation) -> None:
    async def ask() -> Row:
        rows = reads(Recording())
        first = asyncio.create_task(rows.row(generation, b"a"))
        second = asyncio.create_task(rows.row(generation, b"b"))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(ask()) == (b"b", [])
