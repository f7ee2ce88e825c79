import redis

from store.keys import Keys
from store.last_nights import last_nights
from store.nights import Nights


def begin(nights: Nights, run_id: str, schedule: str) -> None:
    nights.create(
        run_id,
        schedule=schedule,
        date="2026-01-01",
        due="2026-01-01T03:00:00+00:00",
        cron="0 3 * * *",
        timezone="UTC",
        trigger="clock",
        models=("als",),
    )


def test_the_newest_run_of_each_schedule_counts(client: redis.Redis, keys: Keys) -> None:
    nights = Nights(client, keys, 30)
    for schedule, since in (("nightly", 5.0), ("weekly", 7.5)):
        nights.looked_after_since(schedule, since)
    begin(nights, "nightly-1", "nightly")
    begin(nights, "nightly-2", "nightly")
    begin(nights, "old-1", "taken out")
    nights.finish("nightly-1", "failed")
    found = {night.schedule: night for night in last_nights(client, keys)}
    assert found.keys() == {"nightly", "weekly"}
    assert found["nightly"].state == "queued"
    assert found["nightly"].since > 7.5
    assert (found["weekly"].state, found["weekly"].since) == ("", 7.5)
    nights.finish("nightly-2", "succeeded")
    assert [night.state for night in last_nights(client, keys)] == ["succeeded", ""]


def test_without_schedules_there_are_no_nights(client: redis.Redis, keys: Keys) -> None:
    client.zadd(keys.nights, {"without a record": 1})
    assert not last_nights(client, keys)
