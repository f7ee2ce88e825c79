"""The last nightly run of each schedule, at the price of a few fields."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

import redis

from store.connection import store_errors
from store.keys import Keys
from store.schedule_notes import ScheduleNote, ScheduleNotes

NEWEST = 200
"""Runs looked at; a schedule whose last run is older counts as one without."""


@dataclass(frozen=True)
class LastNight:
    """What became of a schedule's newest run.

    Attributes:
        state: of the run; empty where there was none yet.
        since: epoch seconds at which the newest run that was not skipped was recorded; where there is none,
            at which the schedule was first known.
        note: what the workers noted of the schedule.
    """

    schedule: str
    state: str
    since: float
    note: ScheduleNote


@store_errors()
def last_nights(client: redis.Redis, keys: Keys) -> Sequence[LastNight]:
    """One for each schedule that is looked after."""
    notes = ScheduleNotes(client, keys).all()
    found = {name: LastNight(name, "", note.since, note) for name, note in notes.items()}
    with client.pipeline(transaction=False) as pipe:
        for run_id in cast("list[bytes]", client.zrange(keys.nights, 0, NEWEST - 1, desc=True))[::-1]:
            pipe.hmget(keys.night(run_id.decode()), "schedule", "state", "created")
        for schedule, state, created in pipe.execute():
            if schedule and (before := found.get(schedule.decode())):
                since = before.since if state == b"skipped" else _epoch(created.decode())
                found[before.schedule] = replace(before, state=state.decode(), since=since)
    return [*found.values()]


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
