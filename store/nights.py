"""Durable records of nightly runs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import redis

from store import documents, scripts
from store.connection import store_errors
from store.keys import Keys
from store.night import (
    END_STATES,
    STAGES,
    EndState,
    ModelOutcome,
    NightlyRun,
    NightState,
    Trigger,
    encoded,
)
from store.records import SECONDS_A_DAY, RecordKind, Records, now_text
from store.schedule_notes import ScheduleNotes
from topshelf.errors import NightNotFound

__all__ = ["END_STATES", "STAGES", "ModelOutcome", "NightlyRun", "Nights", "Notice"]

UPDATABLE = frozenset({"models", "dataset", "reason", "cancelled"})


@dataclass(frozen=True)
class Notice:
    """How far the delivery of one event to one hook is; ``next_epoch`` is when to try again."""

    done: bool = False
    attempts: int = 0
    next_epoch: float = 0.0
    error: str = ""


class Nights(Records[NightlyRun]):
    """Every nightly run in one durable Redis."""

    def __init__(
        self, client: redis.Redis, keys: Keys, retention_days: float, lease_seconds: float = 60
    ) -> None:
        kind = RecordKind(
            name="nightly run",
            index=keys.nights,
            key=keys.night,
            read=NightlyRun.from_fields,
            encoded=encoded,
            end_states=END_STATES,
            updatable=UPDATABLE,
            missing=NightNotFound,
        )
        super().__init__(client, kind, retention_days, lease_seconds)
        self._keys = keys
        self.schedules = ScheduleNotes(client, keys)

    @store_errors()
    def create(
        self,
        run_id: str,
        *,
        schedule: str,
        date: str,
        due: str,
        cron: str,
        timezone: str,
        trigger: Trigger,
        models: Sequence[str],
        state: NightState = "queued",
        reason: str = "",
    ) -> tuple[NightlyRun, bool]:
        """Record a run; an id that is there already gives the run behind it, and False."""
        created = now_text()
        given = NightlyRun(
            id=run_id,
            schedule=schedule,
            date=date,
            due=due,
            cron=cron,
            timezone=timezone,
            trigger=trigger,
            state=state,
            stage=STAGES[0],
            created=created,
            models={model: ModelOutcome(model) for model in models},
            reason=reason,
            finished=created if state in END_STATES else "",
            updated=created,
        )
        values = {name: getattr(given, name) for name in NightlyRun.__dataclass_fields__}
        is_new = self._create(run_id, encoded(values))
        return self.get(run_id), is_new

    def list(self, limit: int = 50, schedule: str | None = None) -> list[NightlyRun]:
        """At most ``limit`` runs, newest first, of one schedule where given."""
        return self._first(limit, lambda run: schedule in (None, run.schedule))

    @store_errors()
    def open(self) -> Sequence[NightlyRun]:
        """Runs that are not over, or of which a hook is still to be told, oldest first."""
        return self._of(cast("Sequence[bytes]", self._client.zrange(self._keys.nights_open, 0, -1)))

    def active(self) -> Sequence[NightlyRun]:
        """Runs that are not over, oldest first."""
        return [run for run in self.open() if not run.over]

    @store_errors()
    def close(self, run_id: str) -> None:
        """Take a run out of those that need looking after."""
        self._client.zrem(self._keys.nights_open, run_id)

    @store_errors()
    def finish(self, run_id: str, state: EndState, reason: str = "") -> bool:
        """End a run; False when it is over already.

        Raises:
            NightNotFound: there is no such run.
        """
        return self._finish(run_id, state, {"reason": reason})

    @store_errors()
    def notices(self, run_id: str) -> Mapping[str, Notice]:
        """How far a run's notices are, by ``<hook>/<event>``."""
        raw = cast("Mapping[bytes, bytes]", self._client.hgetall(self._keys.night_notices(run_id)))
        return {name.decode(): Notice(**documents.load(text)) for name, text in raw.items()}

    @store_errors()
    def note(self, run_id: str, name: str, notice: Notice) -> None:
        """Write down how far a notice is; it goes with the run's record."""
        key = self._keys.night_notices(run_id)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.hset(key, name, documents.dump(notice))
            pipe.expire(key, int(self._retention_seconds + SECONDS_A_DAY))
            pipe.execute()

    @store_errors()
    def take_turn(self, owner: str, ttl_seconds: float) -> bool:
        """Be the one who tells the hooks, for ``ttl_seconds`` at most; False while somebody else is."""
        return bool(
            self._client.set(self._keys.notices_lock, owner, nx=True, px=max(1, int(ttl_seconds * 1000)))
        )

    @store_errors()
    def end_turn(self, owner: str) -> None:
        """Let the next one tell the hooks."""
        scripts.run(self._client, "release_lock", [self._keys.notices_lock], [owner])

    def _enter(self, record_id: str) -> None:
        super()._enter(record_id)
        self._client.zadd(self._keys.nights_open, {record_id: time.time()}, nx=True)

    def _drop(self, record_id: str) -> None:
        self._client.unlink(self._keys.night_notices(record_id))
        super()._drop(record_id)
        self._client.zrem(self._keys.nights_open, record_id)
