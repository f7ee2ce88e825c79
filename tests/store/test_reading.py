import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
import redis

from store.connection import connect
from store.embedded import EmbeddedRedis
from store.generations import Pointer
from store.items import ItemOverlay
from store.keys import Keys
from store.marks import bitmap_names
from store.reading import ShelfReader
from tests.store.stocking import USERS, Stocking, pack
from topshelf.errors import GenerationNotFound, StoreUnavailable

T = TypeVar("T")
Question = Callable[[ShelfReader], Coroutine[Any, Any, T]]

READERS = 32
PUBLICATIONS = 25


class Asking:
    """Asks a reader of its own."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._url = url
        self._keys = keys

    def __call__(self, question: Question[T]) -> T:
        return asyncio.run(self._answer(question))

    async def _answer(self, question: Question[T]) -> T:
        reader = ShelfReader(self._url, self._keys, timeout_seconds=5, recent_ttl_seconds=60)
        try:
            return await question(reader)
        finally:
            await reader.close()


@pytest.fixture
def ask(redis_url: str, keys: Keys) -> Asking:
    return Asking(redis_url, keys)


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


def test_marks_are_read_by_one_at_a_time(ask: Asking, client: redis.Redis, stocking: Stocking) -> None:
    stocking.live()

    async def question(reader: ShelfReader) -> None:
        await reader.poll()
        client.config_resetstat()
        await asyncio.gather(*(reader.load_marks() for _ in range(5)))

    ask(question)
    assert client.info("commandstats")["cmdstat_get"]["calls"] == len(bitmap_names(Keys(), 60))


def test_models_are_named_in_order(ask: Asking, client: redis.Redis, keys: Keys) -> None:
    for model in ("popular", "als"):
        Stocking(client, keys, model).open()
    assert ask(lambda reader: reader.models()) == ["als", "popular"]


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
    assert [tuple(items) for items in found] == lists


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


def test_a_server_that_went_away_is_unavailable(own_redis: EmbeddedRedis, keys: Keys) -> None:
    with connect(own_redis.url) as client:
        generation = Stocking(client, keys).live()

    async def question() -> None:
        reader = ShelfReader(own_redis.url, keys, timeout_seconds=5, recent_ttl_seconds=60)
        await reader.poll()
        await asyncio.to_thread(own_redis.stop)
        with pytest.raises(StoreUnavailable):
            await reader.poll()
        with pytest.raises(StoreUnavailable):
            await reader.stock(generation).read(b"user 1")

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
            rows = await reader.stock(generation).read_many([user.encode() for user in USERS])
            assert {row.row for row in rows} == {pack([generation.fence] * 3, 2)}
            seen.add(generation.id)
        return seen

    async def question(reader: ShelfReader) -> set[str]:
        publishing = asyncio.create_task(asyncio.to_thread(publish))
        seen = await asyncio.gather(*(read(reader) for _ in range(READERS)))
        await publishing
        return set().union(*seen)

    assert len(ask(question)) > 1
