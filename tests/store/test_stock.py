import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import pytest
import redis

from store.generation import Generation
from store.keys import Keys
from store.reading import ShelfReader
from store.recents import Recents
from store.rows import unpack_row
from store.stock import Stock
from tests.store.stocking import USERS, Stocking, pack
from topshelf.errors import StoreUnavailable

T = TypeVar("T")
Question = Callable[[Stock], Coroutine[Any, Any, T]]
Ask = Callable[..., Any]


@pytest.fixture
def ask(redis_url: str, keys: Keys) -> Ask:
    """Ask the stock of a generation, over a reader that is sure of who touched what."""

    def asked(
        generation: Generation,
        question: Question[T],
        cache_bytes: int = 0,
        delta: Generation | None = None,
    ) -> T:
        async def answer() -> T:
            reader = ShelfReader(
                redis_url, keys, timeout_seconds=5, recent_ttl_seconds=60, cache_bytes=cache_bytes
            )
            await reader.poll()
            await reader.load_marks()
            try:
                return await question(reader.stock(generation, delta))
            finally:
                await reader.close()

        return asyncio.run(answer())

    return asked


def calls(client: redis.Redis) -> dict[str, int]:
    """How often each command was called so far."""
    found = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): stats["calls"] for name, stats in found.items()}


@pytest.mark.parametrize("user", USERS[-6:])
@pytest.mark.parametrize("cache_bytes", [0, 1_000_000])
def test_a_row_comes_with_what_the_user_touched(
    ask: Ask, client: redis.Redis, keys: Keys, stocking: Stocking, user: str, cache_bytes: int
) -> None:
    generation = stocking.open()
    stocking.fill(generation, {name: (position, 7, 8) for position, name in enumerate(USERS)})
    recents = Recents(client, keys, 60)
    recents.touch(user, ["5", "ümläut"])
    recents.put_profile(user, {"categories": ["戏剧"]})

    async def question(stock: Stock) -> list[Any]:
        assert stock.held_row(user.encode()) is None
        return [await stock.read(user.encode()) for _ in range(3)]

    for row in ask(generation, question, cache_bytes):
        assert unpack_row(row.row, 2) == [USERS.index(user), 7, 8]
        assert row.recents == ["ümläut", "5"]
        assert row.profile == {"categories": ["戏剧"]}


def test_who_is_not_stocked_has_no_row(ask: Ask, stocking: Stocking) -> None:
    generation = stocking.live()

    async def question(stock: Stock) -> list[Any]:
        rows = [(await stock.read(b"stranger")).row for _ in range(3)]
        return [*rows, stock.held_row(b"stranger")]

    assert ask(generation, question) == [None, None, None, None]
    assert ask(generation, question, 1_000_000) == [None, None, None, b""]


def test_a_generation_without_user_rows_has_recents_only(
    ask: Ask, client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.open((), layout="segments")
    Recents(client, keys, 60).touch("1", ["5"])

    async def question(stock: Stock) -> list[Any]:
        assert stock.held_row(b"2") == b""
        return await stock.read_many([b"1", b"2"])

    first, second = ask(generation, question)
    assert (not first.row, first.recents) == (True, ["5"])
    assert (not second.row, second.recents) == (True, ())


@pytest.mark.parametrize("cache_bytes", [0, 1_000_000])
@pytest.mark.parametrize(
    ("n_items", "k"), [(2**16, 20), (2**16, 33), (2**24, 22), (2**24 + 1, 17), (2**24 + 1, 200)]
)
def test_long_rows_come_back_whole(
    ask: Ask, stocking: Stocking, n_items: int, k: int, cache_bytes: int
) -> None:
    generation = stocking.open(n_items=n_items, k_store=k)
    full = tuple(range(n_items - k, n_items))
    lists = {user: full[: k - position % 3 * 8] for position, user in enumerate(USERS)}
    stocking.fill(generation, lists)

    async def question(stock: Stock) -> list[Any]:
        return [await stock.read_many([user.encode() for user in USERS]) for _ in range(3)]

    for rows in ask(generation, question, cache_bytes):
        found = {
            user: tuple(unpack_row(row.row, generation.id_width))
            for user, row in zip(USERS, rows, strict=True)
        }
        assert found == lists


@pytest.mark.parametrize("cache_bytes", [0, 1_000_000])
@pytest.mark.parametrize(("n_items", "k"), [(2**16, 20), (2**16, 32), (2**24, 22), (2**24 + 1, 40)])
def test_scores_come_beside_the_rows_and_not_in_them(
    ask: Ask, stocking: Stocking, n_items: int, k: int, cache_bytes: int
) -> None:
    generation = stocking.open(n_items=n_items, k_store=k, score_width=2)
    lists = {user: tuple(range(k - position % 3 * 8)) for position, user in enumerate(USERS)}
    stocking.fill(generation, lists)

    async def question(stock: Stock) -> list[Any]:
        asked = [(await stock.read(user.encode()), await stock.read_scores(user.encode())) for user in USERS]
        assert await stock.read_scores(b"stranger") == {}
        return asked

    for user, (row, scores) in zip(USERS, ask(generation, question, cache_bytes), strict=True):
        assert tuple(unpack_row(row.row, generation.id_width)) == lists[user]
        assert scores == {item: item / 2 for item in lists[user]}


def test_a_generation_without_scores_has_none(ask: Ask, stocking: Stocking) -> None:
    assert ask(stocking.live(), lambda stock: stock.read_scores(USERS[0].encode())) == {}


def test_nobody_asked_for_is_nobody_answered(ask: Ask, stocking: Stocking) -> None:
    assert ask(stocking.live(), lambda stock: stock.read_many([])) == []


def test_a_bucket_asked_for_twice_is_in_memory_from_then_on(
    ask: Ask, client: redis.Redis, stocking: Stocking
) -> None:
    generation = stocking.live()
    keys = [user.encode() for user in USERS]

    async def question(stock: Stock) -> list[bytes | None]:
        for _ in range(2):
            await stock.read_many(keys)
        client.config_resetstat()
        held = [stock.held_row(user) for user in keys]
        assert not {"hget", "hgetall"} & calls(client).keys()
        return held

    assert ask(generation, question, 1_000_000) == [pack((1, 1, 1), 2)] * len(USERS)


def test_somebody_who_touched_something_costs_no_reading_of_a_bucket_in_memory(
    ask: Ask, client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.live()
    Recents(client, keys, 60).touch("user 1", ["9"])

    async def question(stock: Stock) -> Any:
        for _ in range(2):
            await stock.read(b"user 1")
        client.config_resetstat()
        rows = [await stock.read(b"user 1") for _ in range(3)]
        assert not {"hget", "hgetall"} & calls(client).keys()
        return rows

    assert [row.recents for row in ask(generation, question, 1_000_000)] == [["9"]] * 3


def test_who_wants_the_same_bucket_at_the_same_time_shares_one_read(
    ask: Ask, client: redis.Redis, stocking: Stocking
) -> None:
    generation = stocking.live()

    async def question(stock: Stock) -> list[bytes | None]:
        await stock.read(b"user 1")
        client.config_resetstat()
        rows = await asyncio.gather(*(stock.read(b"user 1") for _ in range(50)))
        assert calls(client)["hgetall"] == 1
        return [row.row for row in rows]

    assert ask(generation, question, 1_000_000) == [pack((1, 1, 1), 2)] * 50


def test_somebody_who_touched_nothing_costs_one_read_and_nothing_more(
    ask: Ask, client: redis.Redis, stocking: Stocking
) -> None:
    generation = stocking.live()

    async def question(stock: Stock) -> bytes | None:
        client.config_resetstat()
        reading = stock.read_row(b"user 1")
        assert reading is not None
        return await reading  # type: ignore[no-any-return]

    assert ask(generation, question) == pack((1, 1, 1), 2)
    assert {"lrange", "get"} & calls(client).keys() == set()


def test_a_touch_is_known_to_whoever_asks_redis_after_it(
    ask: Ask, client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.live()

    async def question(stock: Stock) -> list[Any]:
        before = await stock.read(b"user 1")
        await asyncio.to_thread(Recents(client, keys, 60).touch, "user 1", ["9"])
        await stock.read(b"user 2")
        return [before.recents, stock.read_row(b"user 1"), (await stock.read(b"user 1")).recents]

    assert ask(generation, question) == [(), None, ["9"]]


def test_without_redis_what_is_in_memory_is_remembered(
    ask: Ask, client: redis.Redis, stocking: Stocking
) -> None:
    generation = stocking.live()

    async def question(stock: Stock) -> list[Any]:
        for _ in range(2):
            await stock.read(b"user 1")
        await stock._connection.close()
        assert stock.held_row(b"user 1") is None
        assert stock.read_row(b"user 2") is None
        with pytest.raises(StoreUnavailable):
            await stock.read(b"user 1")
        return [stock.remembered_row(b"user 1")]

    assert ask(generation, question, 1_000_000) == [pack((1, 1, 1), 2)]


IN_DELTA = USERS[:10]


@pytest.mark.parametrize("cache_bytes", [0, 1_000_000])
def test_who_is_in_the_delta_has_its_row_and_everybody_else_the_bases(
    ask: Ask, client: redis.Redis, keys: Keys, stocking: Stocking, cache_bytes: int
) -> None:
    base = stocking.live(1)
    delta = stocking.live_delta(base, 2, [*IN_DELTA, "newcomer"])
    Recents(client, keys, 60).touch("user 1", ["9"])
    Recents(client, keys, 60).touch("user 30", ["9"])

    async def question(stock: Stock) -> list[Any]:
        users = [*USERS, "newcomer", "stranger"]
        return [await stock.read_many([user.encode() for user in users]) for _ in range(4)]

    for rows in ask(base, question, cache_bytes, delta):
        found = [row.row or None for row in rows]
        older = [pack((1, 1, 1), 2)] * (len(USERS) - len(IN_DELTA))
        newer = pack((2, 2, 2), 2)
        assert found == [newer] * len(IN_DELTA) + older + [newer, None]
        assert [row.recents for row in (rows[0], rows[1], rows[29])] == [["9"], (), ["9"]]


def test_both_rows_are_asked_for_in_one_round_trip(ask: Ask, client: redis.Redis, stocking: Stocking) -> None:
    base = stocking.live(1)
    delta = stocking.live_delta(base)

    async def question(stock: Stock) -> Any:
        client.client_pause(200)
        reading = asyncio.ensure_future(stock.read(b"user 30"))
        for _ in range(5):
            await asyncio.sleep(0)
        wire = stock._connection._wire
        assert wire is not None
        return len(wire._waiting), len(wire._unsent), (await reading).row

    assert ask(base, question, 0, delta) == (2, 0, pack((1, 1, 1), 2))


def test_a_delta_in_memory_costs_nothing_for_those_who_are_not_in_it(
    ask: Ask, client: redis.Redis, stocking: Stocking
) -> None:
    base = stocking.live(1)
    delta = stocking.live_delta(base, 2, ["user 1"])

    async def question(stock: Stock) -> Any:
        for _ in range(2):
            await stock.read(b"user 1")
        client.config_resetstat()
        reading = stock.read_row(b"user 30")
        assert reading is not None
        row = await reading
        assert calls(client)["hget"] == 1
        client.config_resetstat()
        held = stock.held_row(b"user 1")
        assert not {"hget", "hgetall"} & calls(client).keys()
        return row, held, stock.read_row(b"user 1")

    assert ask(base, question, 1_000_000, delta) == (pack((1, 1, 1), 2), pack((2, 2, 2), 2), None)


def test_a_row_in_memory_is_not_handed_out_while_the_delta_may_have_a_newer_one(
    ask: Ask, stocking: Stocking
) -> None:
    base = stocking.live(1)
    delta = stocking.live_delta(base)

    async def question(stock: Stock) -> Any:
        alone = Stock(stock._base, None, stock._keys, stock._connection, stock._marks)
        for _ in range(2):
            await alone.read(b"user 1")
        assert alone.held_row(b"user 1") == pack((1, 1, 1), 2)
        return stock.held_row(b"user 1"), stock.read_row(b"user 1"), stock.remembered_row(b"user 1")

    assert ask(base, question, 1_000_000, delta) == (None, None, pack((1, 1, 1), 2))


def test_a_delta_with_long_rows_gives_them_whole(ask: Ask, stocking: Stocking) -> None:
    base, k = stocking.open(k_store=40), 40
    stocking.fill(base, dict.fromkeys(USERS, range(k)))
    delta = stocking.open(IN_DELTA, k_store=k, base=base.id)
    stocking.fill(delta, dict.fromkeys(IN_DELTA, range(k, 2 * k)))

    async def question(stock: Stock) -> list[Any]:
        return [await stock.read_many([b"user 1", b"user 30"]) for _ in range(3)]

    for newer, older in ask(base, question, 1_000_000, delta):
        assert unpack_row(newer.row, 2) == list(range(k, 2 * k))
        assert unpack_row(older.row, 2) == list(range(k))


def test_scores_are_the_deltas_for_who_is_in_it_and_the_bases_for_everybody_else(
    ask: Ask, stocking: Stocking
) -> None:
    base = stocking.open(score_width=2)
    stocking.fill(base, dict.fromkeys(USERS, (4, 2, 1)))
    delta = stocking.open([*IN_DELTA, "newcomer"], score_width=2, base=base.id)
    stocking.fill(delta, dict.fromkeys([*IN_DELTA, "newcomer"], (9, 8, 7)))
    outside = next(user for user in USERS if user not in IN_DELTA)

    async def question(stock: Stock) -> list[Mapping[int, float]]:
        users = (IN_DELTA[0], "newcomer", outside, "stranger")
        return [await stock.read_scores(user.encode()) for user in users]

    newer, older = {9: 4.5, 8: 4.0, 7: 3.5}, {4: 2.0, 2: 1.0, 1: 0.5}
    assert ask(base, question, 0, delta) == [newer, newer, older, {}]
