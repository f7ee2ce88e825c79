"""The last nights as the workers note them."""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from store.keys import Keys
from store.last_nights import LastNight, last_nights
from topshelf.settings import Settings
from workers.cron import now_in
from workers.nights import begin, begin_missed, due_by_hand
from workers.runtime import Runtime
from workers.schedules import schedules_of

SCHEDULES = """
[schedules.nightly]
cron = "0 3 * * *"
models = ["als"]

[schedules.weekly]
cron = "30 4 * * 0"
models = ["ease"]
"""
FIRST = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)

RuntimeOf = Callable[..., Runtime]


@pytest.fixture
def runtime_of(redis_url: str, keys: Keys, tmp_path: Path) -> RuntimeOf:
    def made(**changes: object) -> Runtime:
        given: dict[str, Any] = {
            "serving_url": redis_url,
            "durable_url": redis_url,
            "key_prefix": keys.prefix,
            "data_dir": tmp_path / "data",
            "cache_dir": tmp_path / "cache",
        }
        return Runtime(Settings.from_environment({}, **given | changes))

    return made


@pytest.fixture
def runtime(runtime_of: RuntimeOf, tmp_path: Path) -> Runtime:
    file = tmp_path / "schedule.toml"
    file.write_text(SCHEDULES)
    return runtime_of(schedule_file=file)


def look(runtime: Runtime, moment: dt.datetime) -> Mapping[str, LastNight]:
    """The last nights once the reconciler looked at a moment."""
    begin_missed(runtime, lambda _: moment)
    return {night.schedule: night for night in last_nights(runtime.durable, runtime.keys)}


def test_a_schedule_is_known_by_its_name_before_its_first_run(runtime: Runtime) -> None:
    found = look(runtime, FIRST)
    assert found.keys() == {"nightly", "weekly"}
    assert {(night.state, night.since) for night in found.values()} == {("", FIRST.timestamp())}


def test_the_newest_run_of_each_schedule_counts(runtime: Runtime) -> None:
    look(runtime, FIRST)
    assert look(runtime, FIRST.replace(day=24, hour=3))["nightly"].state == "queued"
    runtime.nights.finish("nightly-2026-11-24", "failed")
    found = look(runtime, FIRST.replace(day=24, hour=4))
    assert (found["nightly"].state, found["weekly"].state) == ("failed", "")
    assert found["nightly"].since != found["weekly"].since == FIRST.timestamp()
    look(runtime, FIRST.replace(day=25, hour=3))
    runtime.nights.finish("nightly-2026-11-25", "succeeded")
    assert look(runtime, FIRST.replace(day=25, hour=4))["nightly"].state == "succeeded"


def test_a_run_is_overdue_from_the_first_due_moment_without_one(runtime: Runtime) -> None:
    look(runtime, FIRST)
    due = FIRST.replace(day=24, hour=3)
    found = look(runtime, due)
    assert found["nightly"].note.expected == FIRST.replace(day=25, hour=3).timestamp()
    assert found["weekly"].note.expected == FIRST.replace(day=29, hour=4, minute=30).timestamp()
    began = found["nightly"].since
    for day in (25, 26):
        skipped = look(runtime, FIRST.replace(day=day, hour=3))["nightly"]
        assert (skipped.state, skipped.since) == ("skipped", began)
        assert skipped.note.expected == FIRST.replace(day=25, hour=3).timestamp()
    runtime.nights.finish("nightly-2026-11-24", "succeeded")
    after = look(runtime, FIRST.replace(day=27, hour=3))["nightly"]
    assert (after.state, after.note.expected) == ("queued", FIRST.replace(day=28, hour=3).timestamp())


def test_a_schedule_that_is_run_by_hand_alone_is_known_too(runtime_of: RuntimeOf) -> None:
    by_hand = runtime_of(nightly_cron="")
    schedule = schedules_of(by_hand.settings).get("nightly")
    begin(by_hand, schedule, due_by_hand(schedule, None), "hand")
    [run] = by_hand.nights.list()
    by_hand.nights.finish(run.id, "failed")
    [night] = last_nights(by_hand.durable, by_hand.keys)
    assert (night.schedule, night.state, night.note.expected) == ("nightly", "failed", 0)
    assert look(by_hand, now_in("UTC"))["nightly"].state == "failed"


def test_a_schedule_that_was_taken_out_is_not_told_of(runtime: Runtime, runtime_of: RuntimeOf) -> None:
    look(runtime, FIRST)
    assert look(runtime_of(), FIRST).keys() == {"nightly"}


def test_without_schedules_there_are_no_nights(client: redis.Redis, keys: Keys) -> None:
    client.zadd(keys.nights, {"without a record": 1})
    assert not last_nights(client, keys)
