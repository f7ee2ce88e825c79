import redis

from store.keys import Keys
from store.queues import is_beat_alive, unacknowledged_messages, waiting_messages


def test_messages_are_counted_by_queue(client: redis.Redis) -> None:
    client.rpush("gpu", "one", "two")
    client.hset("unacked", mapping={"tag": "message"})
    assert waiting_messages(client, ("gpu", "io")) == {"gpu": 2, "io": 0}
    assert unacknowledged_messages(client) == 1


def test_a_scheduler_is_alive_while_it_holds_the_lock(client: redis.Redis, keys: Keys) -> None:
    assert not is_beat_alive(client, keys)
    client.set(keys.beat_lock, "somebody", px=60_000)
    assert is_beat_alive(client, keys)
