import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
import redis

from store.connection import connect, connect_async
from store.embedded import EmbeddedRedis
from store.generations import Pointer
from store.items import ItemOverlay
from store.keys import Keys
from store.reading import ShelfReader
from store.recents import Recents
from store.rows import unpack_row
from tests.store.stocking import USERS, Stocking, pack
from topshelf.errors import GenerationNotFound, StoreUnavailable

T = TypeVar("T")
Question = Callable[[ShelfReader], Coroutine[Any, Any, T]]

READERS = 32
PUBLICATIONS = 25


class Asking:
    """Asks a reader of its own, over one version of Redis's protocol."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._url = url
        self._keys = keys

    def __call__(self, question: Question[T]) -> T:
        return asyncio.run(self._answer(question))

    async def _answer(self, question: Question[T]) -> T:
        async with connect_async(self._url) as client:
            return await question(ShelfReader(client, self._keys))


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def ask(request: pytest.FixtureRequest, redis_url: str, keys: Keys) -> Asking:
    return Asking(f"{redis_url}?protocol={request.param}", keys)


def test_a_poll_says_what_is_live(ask: Asking, client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    live = stocking.live()
    Stocking(client, keys, "unpublished").open()
    poll = ask(lambda reader: reader.poll())
    assert poll.pointers == {"als": Pointer(live.id)}
    assert (poll.holds, poll.items_version) == (frozenset(), 0)


def test_a_poll_sees_holds_and_changed_items(
    ask: Asking, client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    first = stocking.live()
    stocking.live()
    stocking.generations.rollback("als")
    ItemOverlay(client, keys).hide("42")
    poll = ask(lambda reader: reader.poll(["als", "popular"]))
    assert poll.pointers == {"als": Pointer(first.id)}
    assert (poll.holds, poll.items_version) == (frozenset({"als"}), 1)


def test_a_model_published_later_is_in_the_very_next_poll(
    ask: Asking, client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    stocking.live()

    async def question(reader: ShelfReader) -> list[set[str]]:
        before = await reader.poll()
        await asyncio.to_thread(Stocking(client, keys, "a-model").live)
        after = await reader.poll()
        return [set(before.pointers), set(after.pointers)]

    assert ask(question) == [{"als"}, {"a-model", "als"}]


def test_polls_at_the_same_time_do_not_disturb_one_another(ask: Asking, stocking: Stocking) -> None:
    live = stocking.live()

    async def question(reader: ShelfReader) -> list[dict[str, Pointer]]:
        polls = await asyncio.gather(*(reader.poll() for _ in range(20)))
        return [dict(poll.pointers) for poll in polls]

    assert ask(question) == [{"als": Pointer(live.id)}] * 20


def test_models_are_named_in_order(ask: Asking, client: redis.Redis, keys: Keys) -> None:
    for model in ("popular", "als"):
        Stocking(client, keys, model).open()
    assert ask(lambda reader: reader.models()) == ["als", "popular"]


@pytest.mark.parametrize("user", USERS[-6:])
def test_a_row_comes_with_what_the_user_touched(
    ask: Asking, client: redis.Redis, keys: Keys, stocking: Stocking, user: str
) -> None:
    generation = stocking.open()
    stocking.fill(generation, {name: (position, 7, 8) for position, name in enumerate(USERS)})
    Recents(client, keys, 60).touch(user, ["5", "ümläut"])
    row, recents = ask(lambda reader: reader.row("als", generation, user.encode()))
    assert row is not None
    assert unpack_row(row, 2).tolist() == [USERS.index(user), 7, 8]
    assert recents == ["ümläut", "5"]


def test_who_is_not_stocked_has_no_row(ask: Asking, stocking: Stocking) -> None:
    generation = stocking.live()
    assert ask(lambda reader: reader.row("als", generation, b"stranger")) == (None, [])


def test_a_generation_without_user_rows_has_recents_only(
    ask: Asking, client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.open((), layout="segments")
    Recents(client, keys, 60).touch("1", ["5"])
    assert ask(lambda reader: reader.rows("als", generation, [b"1", b"2"])) == [(None, ["5"]), (None, [])]


def test_recents_are_left_out_where_they_are_not_wanted(
    ask: Asking, client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.live()
    Recents(client, keys, 60).touch(USERS[0], ["5"])
    row, recents = ask(lambda reader: reader.row("als", generation, USERS[0].encode(), with_recents=False))
    assert row == pack([1, 1, 1], 2)
    assert recents == []


@pytest.mark.parametrize(
    ("n_items", "k"), [(2**16, 20), (2**16, 33), (2**24, 22), (2**24 + 1, 17), (2**24 + 1, 200)]
)
def test_long_rows_come_back_whole(ask: Asking, stocking: Stocking, n_items: int, k: int) -> None:
    generation = stocking.open(n_items=n_items, k_store=k)
    full = tuple(range(n_items - k, n_items))
    lists = {user: full[: k - position % 3 * 8] for position, user in enumerate(USERS)}
    stocking.fill(generation, lists)
    rows = ask(lambda reader: reader.rows("als", generation, [user.encode() for user in USERS]))
    found = {
        user: tuple(unpack_row(row, generation.id_width).tolist())
        for user, (row, _) in zip(USERS, rows, strict=True)
        if row is not None
    }
    assert found == lists


def test_nobody_asked_for_is_nobody_answered(ask: Asking, stocking: Stocking) -> None:
    generation = stocking.live()
    assert ask(lambda reader: reader.rows("als", generation, [])) == []


def test_a_generation_reads_as_the_writer_reads_it(ask: Asking, stocking: Stocking) -> None:
    generation = stocking.live()
    assert ask(lambda reader: reader.generation("als", generation.id)) == generation
    with pytest.raises(GenerationNotFound, match="no generation 99"):
        ask(lambda reader: reader.generation("als", "99"))


def test_segments_come_with_their_labels(ask: Asking, stocking: Stocking) -> None:
    generation = stocking.open((), layout="segments", n_items=70_000)
    lists = [tuple(range(200)), (69_999,), ()]
    rows = [pack(items, 3) for items in lists]
    stocking.generations.write_segments("als", generation.id, rows, ["", "Comédie", "戏剧"])
    labels, found = ask(lambda reader: reader.segments("als", generation.id))
    assert labels == ["", "Comédie", "戏剧"]
    assert [tuple(items.tolist()) for items in found] == lists


def test_segments_that_are_not_whole_are_an_error(
    ask: Asking, client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.open((), layout="segments")
    with pytest.raises(GenerationNotFound, match="no segments"):
        ask(lambda reader: reader.segments("als", generation.id))
    stocking.generations.write_segments("als", generation.id, [b"ab", b"cd"], ["", "Comedy"])
    client.hdel(keys.segments("als", generation.id), "1")
    with pytest.raises(GenerationNotFound, match="missing"):
        ask(lambda reader: reader.segments("als", generation.id))


def test_recents_and_profiles_are_read_by_the_bytes_of_the_id(
    ask: Asking, client: redis.Redis, keys: Keys
) -> None:
    recents = Recents(client, keys, 60)
    recents.touch("用户", ["1", "2"])
    recents.put_profile("用户", {"categories": ["戏剧"]})
    assert ask(lambda reader: reader.recents("用户".encode())) == ["2", "1"]
    assert ask(lambda reader: reader.profile("用户".encode())) == {"categories": ["戏剧"]}
    assert ask(lambda reader: reader.profile(b"stranger")) is None


def test_a_server_that_went_away_is_unavailable(own_redis: EmbeddedRedis, keys: Keys) -> None:
    with connect(own_redis.url) as client:
        generation = Stocking(client, keys).live()

    async def question() -> None:
        async with connect_async(own_redis.url) as client:
            reader = ShelfReader(client, keys)
            await reader.poll()
            await asyncio.to_thread(own_redis.stop)
            with pytest.raises(StoreUnavailable):
                await reader.poll()
            with pytest.raises(StoreUnavailable):
                await reader.row("als", generation, b"user 1")

    asyncio.run(question())


def test_readers_never_see_two_generations_mixed(ask: Asking, stocking: Stocking) -> None:
    """Every list of generation g is (g, g, g): any other answer is torn."""
    stocking.live(item=1)
    done = threading.Event()

    def publish() -> None:
        try:
            for _ in range(PUBLICATIONS):
                ready = stocking.ready(item=stocking.generations.list("als")[0].fence + 1)
                stocking.generations.publish("als", ready.id, ready.fence)
                stocking.generations.sweep("als", retire_after_seconds=60, zombie_after_seconds=600)
        finally:
            done.set()

    async def read(reader: ShelfReader) -> set[str]:
        seen = set()
        while not done.is_set():
            pointer = (await reader.poll()).pointers["als"]
            generation = await reader.generation("als", pointer.base)
            rows = await reader.rows("als", generation, [user.encode() for user in USERS])
            assert {row for row, _ in rows} == {pack([generation.fence] * 3, 2)}
            seen.add(generation.id)
        return seen

    async def question(reader: ShelfReader) -> set[str]:
        publishing = asyncio.create_task(asyncio.to_thread(publish))
        seen = await asyncio.gather(*(read(reader) for _ in range(READERS)))
        await publishing
        return set().union(*seen)

    assert len(ask(question)) > 1
