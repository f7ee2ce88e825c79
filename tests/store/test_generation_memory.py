"""What a sample of keys says, against ``used_memory`` of a real Redis."""

import pytest
import redis

from store.generation_memory import GenerationMemory
from store.keys import Keys
from store.rows import RowShape
from tests.store.stocking import Stocking
from tests.store.test_sizing import KEYS, stock, used, user_ids

TOLERANCE = 0.05


@pytest.mark.parametrize(("ids", "k", "scores"), [("int", 10, False), ("uuid", 40, True)])
def test_a_generation_takes_what_its_sampled_buckets_say(
    own_client: redis.Redis, ids: str, k: int, scores: bool
) -> None:
    users, row = user_ids(ids), RowShape.of("users", 15_706, k, scores=scores)
    # The catalogue of d1 stands there before and is left out.
    stock(own_client, "d1", users[:10], 15_706, row, k)
    before = used(own_client)
    generation = stock(own_client, "d1", users, 15_706, row, k)
    grown = used(own_client) - before
    [measured] = GenerationMemory(own_client, KEYS).measure([generation])
    assert measured == pytest.approx(grown, rel=TOLERANCE)


def test_one_that_nobody_writes_to_is_measured_once(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    live, memory = stocking.live(), GenerationMemory(client, keys)
    [before] = memory.measure([live])
    client.unlink(keys.bucket(live.model, live.id, 0))
    assert memory.measure([live]) == [before] != GenerationMemory(client, keys).measure([live])


def test_one_that_is_being_written_grows(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generation, memory = stocking.open(), GenerationMemory(client, keys)
    [empty] = memory.measure([generation])
    stocking.fill(generation, dict.fromkeys(["user 1", "user 2", "user 3"], (1, 2, 3)))
    [filled] = memory.measure([generation])
    assert 0 < empty < filled
