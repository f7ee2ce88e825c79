"""The last nightly run of each schedule, at the price of a few fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import redis

from store.connection import store_errors
from store.keys import Keys

NEWEST = 200
"""Runs looked at; a schedule whose last run is older counts as one without."""


@dataclass(frozen=True)
class LastNight:
    """What became of a schedule's newest run.

    Attributes:
        state: of the run; empty where there was none yet.
        since: epoch seconds at which it was recorded; without a run, at which the schedule was first known.
    """

    schedule: str
    state: str
    since: float


@store_errors()
def last_nights(client: redis.Redis, keys: Keys) -> Sequence[LastNight]:
    """One for each schedule that is looked after."""
    known = cast("dict[bytes, bytes]", client.hgetall(keys.schedules_since))
    found = {name: LastNight(name, "", float(since)) for name, since in _decoded(known).items()}
    with client.pipeline(transaction=False) as pipe:
        for run_id in cast("list[bytes]", client.zrange(keys.nights, 0, NEWEST - 1, desc=True))[::-1]:
            pipe.hmget(keys.night(run_id.decode()), "schedule", "state", "created")
        for schedule, state, created in pipe.execute():
            if schedule and schedule in known:
                name = schedule.decode()
                found[name] = LastNight(name, state.decode(), _epoch(created.decode()))
    return [*found.values()]


def _decoded(raw: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in raw.items()}


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
