import redis

from store.keys import Keys
from store.last_nights import last_nights


def record(client: redis.Redis, keys: Keys, run_id: str, schedule: str, state: str, created: str) -> None:
    client.zadd(keys.nights, {run_id: client.zcard(keys.nights)})
    client.hset(keys.night(run_id), mapping={"schedule": schedule, "state": state, "created": created})


def test_the_newest_run_of_each_schedule_counts(client: redis.Redis, keys: Keys) -> None:
    client.hset(keys.schedules_since, mapping={"nightly": "5", "weekly": "7.5"})
    record(client, keys, "nightly-1", "nightly", "failed", "1970-01-01T00:00:10+00:00")
    record(client, keys, "nightly-2", "nightly", "running", "1970-01-01T00:00:20+00:00")
    record(client, keys, "old-1", "taken out", "failed", "1970-01-01T00:00:30+00:00")
    found = {night.schedule: (night.state, night.since) for night in last_nights(client, keys)}
    assert found == {"nightly": ("running", 20.0), "weekly": ("", 7.5)}


def test_without_schedules_there_are_no_nights(client: redis.Redis, keys: Keys) -> None:
    client.zadd(keys.nights, {"without a record": 1})
    assert not last_nights(client, keys)
