"""What waits in the broker, and whether a scheduler runs; asked of Redis itself, without Celery."""

from collections.abc import Mapping, Sequence

import redis

from store.connection import store_errors
from store.keys import Keys

UNACKNOWLEDGED = "unacked"
"""kombu's hash of the messages that were taken and are not acknowledged yet, of all queues."""


@store_errors()
def waiting_messages(client: redis.Redis, queues: Sequence[str]) -> Mapping[str, int]:
    """How many messages nobody has taken yet, by queue."""
    with client.pipeline(transaction=False) as pipe:
        for queue in queues:
            pipe.llen(queue)
        return dict(zip(queues, pipe.execute(), strict=True))


@store_errors()
def unacknowledged_messages(client: redis.Redis) -> int:
    """How many messages workers have at hand."""
    return int(client.hlen(UNACKNOWLEDGED))


@store_errors()
def is_beat_alive(client: redis.Redis, keys: Keys) -> bool:
    """Whether a scheduler holds the lock, which it renews every few seconds."""
    return bool(client.exists(keys.beat_lock))
