"""The pace of a generation: by the server's clock, forgetful of pauses."""

import redis

from store.keys import Keys
from store.pace import Pace, read_pace
from tests.store.stocking import Stocking
from tests.waiting import wait_until


def set_back(client: redis.Redis, name: str, seconds: float) -> None:
    """Let a generation look as if everything so far had happened ``seconds`` earlier."""
    for field in ("touched", "pace_from", "pace_next"):
        client.hincrby(name, field, -int(seconds * 1000))


def test_before_the_first_chunk_no_pace_is_known(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generation = stocking.open()
    assert read_pace(client, keys, "als", generation.id) == Pace(65, 0, 0.0)
    assert read_pace(client, keys, "als", generation.id).seconds_left is None
    stocking.generations.chunks.claim("als", generation.id, 0, lease_seconds=60)
    wait_until(lambda: read_pace(client, keys, "als", generation.id).seconds_left is None)


def test_users_a_second_are_those_since_the_first_claim(
    client: redis.Redis, keys: Keys, stocking: Stocking
) -> None:
    generation = stocking.open()
    stocking.generations.chunks.claim("als", generation.id, 0, lease_seconds=60)
    set_back(client, keys.generation("als", generation.id), 10)
    stocking.generations.chunks.finish("als", generation.id, 0, 25)
    pace = read_pace(client, keys, "als", generation.id)
    assert pace.users_written == 25
    assert 2.0 < pace.users_per_second <= 2.5
    assert pace.seconds_left == 40 / pace.users_per_second


def test_a_pause_does_not_count(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generation = stocking.open()
    name = keys.generation("als", generation.id)
    stocking.generations.chunks.claim("als", generation.id, 0, lease_seconds=60)
    stocking.generations.chunks.finish("als", generation.id, 0, 25)
    set_back(client, name, 3_600)
    stocking.generations.chunks.claim("als", generation.id, 1, lease_seconds=60)
    set_back(client, name, 5)
    stocking.generations.chunks.finish("als", generation.id, 1, 20)
    assert 3.0 < read_pace(client, keys, "als", generation.id).users_per_second <= 4.0


def test_what_was_long_ago_does_not_count(client: redis.Redis, keys: Keys, stocking: Stocking) -> None:
    generation = stocking.open()
    name = keys.generation("als", generation.id)
    stocking.generations.chunks.claim("als", generation.id, 0, lease_seconds=3_600)
    set_back(client, name, 1_000)  # one slow chunk, still held
    stocking.generations.chunks.finish("als", generation.id, 0, 25)
    stocking.generations.chunks.claim("als", generation.id, 1, lease_seconds=3_600)
    set_back(client, name, 40)
    stocking.generations.chunks.finish("als", generation.id, 1, 20)
    stocking.generations.chunks.claim("als", generation.id, 2, lease_seconds=3_600)
    set_back(client, name, 5)
    stocking.generations.chunks.finish("als", generation.id, 2, 20)
    assert 0.5 < read_pace(client, keys, "als", generation.id).users_per_second <= 1.0
