"""What is noted of each schedule that is looked after; it outlives the records of its runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import cast

import redis

from store import documents
from store.connection import store_errors
from store.keys import Keys


@dataclass(frozen=True)
class ScheduleNote:
    """How far a schedule is; times are epoch seconds.

    Attributes:
        mark: what it starts afresh with: its cron and time zone.
        since: when it was first looked after.
        models: what it recomputes.
        settled: the latest due moment that was begun, skipped or passed over; 0 before the first.
        expected: the first due moment that no run was begun for, past or to come; 0 for none.
        gap_seconds: the longest time between two due moments; 0 for none.
    """

    mark: str
    since: float
    models: Sequence[str] = ()
    settled: float = 0.0
    expected: float = 0.0
    gap_seconds: float = 0.0


class ScheduleNotes:
    """The notes of all schedules, by name, in one hash that is never dropped."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys.schedules

    @store_errors()
    def all(self) -> Mapping[str, ScheduleNote]:
        """Every note, by schedule."""
        raw = cast("Mapping[bytes, bytes]", self._client.hgetall(self._key))
        return {name.decode(): _decoded(text) for name, text in raw.items()}

    def look_after(self, schedule: str, fresh: ScheduleNote) -> ScheduleNote:
        """The note of a schedule as of now: ``fresh`` where there is none, or one with another mark."""

        def kept(noted: ScheduleNote | None) -> ScheduleNote:
            if noted is None or noted.mark != fresh.mark:
                return fresh
            expected = noted.expected
            # A run begun by hand may have been one still to come; what a slower clock expects is settled.
            if noted.settled < fresh.expected and (not expected or fresh.expected < expected):
                expected = fresh.expected
            return replace(noted, models=fresh.models, expected=expected, gap_seconds=fresh.gap_seconds)

        return self._changed(schedule, kept) or fresh

    def settle(self, schedule: str, due: float) -> None:
        """Note that what was due at a moment is decided on, so that no earlier one is begun any more."""
        self._changed(schedule, lambda noted: noted and replace(noted, settled=max(noted.settled, due)))

    def expect(self, schedule: str, due: float, following: float) -> None:
        """Note that the run due at a moment needs no waiting for, and when the one after it is due."""

        def moved(noted: ScheduleNote | None) -> ScheduleNote | None:
            return replace(noted, expected=following) if noted and noted.expected <= due else noted

        self._changed(schedule, moved)

    @store_errors()
    def keep_only(self, schedules: Sequence[str]) -> None:
        """Drop the notes of all other schedules: one that comes back starts afresh."""
        noted = cast("Sequence[bytes]", self._client.hkeys(self._key))
        if gone := {name.decode() for name in noted} - set(schedules):
            self._client.hdel(self._key, *gone)

    @store_errors()
    def _changed(
        self, schedule: str, change: Callable[[ScheduleNote | None], ScheduleNote | None]
    ) -> ScheduleNote | None:
        outcome: list[ScheduleNote | None] = []

        def write(pipe: redis.client.Pipeline) -> None:
            raw = cast("bytes | None", pipe.hget(self._key, schedule))
            noted = _decoded(raw) if raw else None
            changed = change(noted)
            pipe.multi()
            if changed and changed != noted:
                pipe.hset(self._key, schedule, documents.dump(asdict(changed)))
            outcome[:] = [changed]

        self._client.transaction(write, self._key)
        return outcome[0]


def _decoded(text: bytes) -> ScheduleNote:
    """A note without what a later version adds to it."""
    given = documents.load(text)
    values = {part.name: given[part.name] for part in fields(ScheduleNote) if part.name in given}
    return ScheduleNote(**values | {"models": tuple(values.get("models", ()))})
