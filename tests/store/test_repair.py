"""What a killed server lost is found chunk by chunk and opened again."""

import redis

from store.keys import Keys
from store.repair import reopen_lost_chunks
from tests.store.stocking import USERS, Stocking

ROWS = dict.fromkeys(USERS, (1, 2, 3))


def test_a_whole_generation_loses_nothing(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generation = stocking.open()
    stocking.fill(generation, ROWS)
    assert reopen_lost_chunks(client, keys, generation) == {}
    assert stocking.generations.verify("als", generation.id).state == "ready"


def test_a_chunk_that_lost_a_bucket_is_written_again_and_counted_once(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.open()
    stocking.fill(generation, ROWS)
    client.delete(keys.bucket("als", generation.id, 4))
    assert reopen_lost_chunks(client, keys, generation) == {1: 1}
    assert stocking.generations.get("als", generation.id).chunks_done == 2
    assert stocking.generations.chunks.stalled("als", generation.id) == [(1, 1, False)]
    assert stocking.fill_chunk(generation, ROWS, 1) == 0
    found = stocking.generations.verify("als", generation.id)
    assert (found.state, found.users_written, found.chunks_done) == ("ready", 65, 3)


def test_a_finish_that_was_lost_is_missed_too(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generation = stocking.open()
    stocking.fill_chunk(generation, ROWS, 0)
    stocking.fill_chunk(generation, ROWS, 2)
    assert reopen_lost_chunks(client, keys, generation) == {1: 0}
    assert stocking.generations.get("als", generation.id).chunks_done == 2


def test_a_live_generation_is_left_alone(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    live = stocking.live()
    client.delete(keys.bucket("als", live.id, 4))
    assert reopen_lost_chunks(client, keys, live) == {}
