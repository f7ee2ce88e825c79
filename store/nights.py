"""Durable records of nightly runs; their transitions are those of jobs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

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
from store.schedule_notes import ScheduleNotes
from topshelf.errors import NightNotFound, StoreError

__all__ = ["END_STATES", "STAGES", "ModelOutcome", "NightlyRun", "Nights", "Notice"]

SECONDS_A_DAY = 86_400
LISTED_AT_ONCE = 100
UPDATABLE = frozenset({"models", "dataset", "reason"})


@dataclass(frozen=True)
class Notice:
    """How far the delivery of one event to one hook is; ``next_epoch`` is when to try again."""

    done: bool = False
    attempts: int = 0
    next_epoch: float = 0.0
    error: str = ""


class Nights:
    """Every nightly run in one durable Redis; those that are over are dropped after ``retention_days``."""

    def __init__(
        self, client: redis.Redis, keys: Keys, retention_days: float, lease_seconds: float = 60
    ) -> None:
        self._client = client
        self._keys = keys
        self._retention_seconds = retention_days * SECONDS_A_DAY
        self._lease_seconds = lease_seconds
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
        self._drop_old()
        now = _now()
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
            created=now,
            models={model: ModelOutcome(model) for model in models},
            reason=reason,
            finished=now if state in END_STATES else "",
            updated=now,
        )
        # Indexed first: a crash in between leaves an id without a record, which every reader skips.
        self._client.zadd(self._keys.nights, {run_id: time.time()}, nx=True)
        self._client.zadd(self._keys.nights_open, {run_id: time.time()}, nx=True)
        values = {name: getattr(given, name) for name in NightlyRun.__dataclass_fields__}
        created = self._run("create_job", run_id, encoded(values))
        return self.get(run_id), bool(created)

    @store_errors()
    def get(self, run_id: str) -> NightlyRun:
        """One run.

        Raises:
            NightNotFound: there is none with this id, or its record was dropped.
        """
        raw = self._client.hgetall(self._keys.night(run_id))
        if not raw:
            raise NightNotFound(f"there is no nightly run {run_id!r}")
        return NightlyRun.from_fields(raw)

    @store_errors()
    def exists(self, run_id: str) -> bool:
        """Whether there is a run with this id."""
        return bool(self._client.exists(self._keys.night(run_id)))

    @store_errors()
    def list(self, limit: int = 50, schedule: str | None = None) -> list[NightlyRun]:
        """At most ``limit`` runs, newest first, of one schedule where given."""
        found: list[NightlyRun] = []
        first, listed = 0, LISTED_AT_ONCE
        while listed == LISTED_AT_ONCE and len(found) < limit:
            ids = self._client.zrange(self._keys.nights, first, first + LISTED_AT_ONCE - 1, desc=True)
            runs = self._records(cast("Sequence[bytes]", ids))
            found += [run for run in runs if schedule in (None, run.schedule)]
            first, listed = first + LISTED_AT_ONCE, len(ids)
        return found[:limit]

    @store_errors()
    def open(self) -> Sequence[NightlyRun]:
        """Runs that are not over, or of which a hook is still to be told, oldest first."""
        return self._records(cast("Sequence[bytes]", self._client.zrange(self._keys.nights_open, 0, -1)))

    def active(self) -> Sequence[NightlyRun]:
        """Runs that are not over, oldest first."""
        return [run for run in self.open() if not run.over]

    @store_errors()
    def close(self, run_id: str) -> None:
        """Take a run out of those that need looking after."""
        self._client.zrem(self._keys.nights_open, run_id)

    def is_stalled(self, run: NightlyRun) -> bool:
        """Whether nobody works on the stage of a run."""
        return time.time() > max(run.lease_until, run.updated_epoch + self._lease_seconds)

    @store_errors()
    def claim(self, run_id: str, stage: str, lease_seconds: float) -> bool:
        """Take a stage to work on; False unless it is the run's present one and nobody works on it."""
        return bool(self._run("begin_stage", run_id, [stage, lease_seconds, _now()]))

    @store_errors()
    def renew(self, run_id: str, lease_seconds: float) -> bool:
        """Keep the present stage for ``lease_seconds`` from now; False when there is no lease to keep."""
        return bool(self._run("renew_job", run_id, [lease_seconds]))

    @store_errors()
    def advance(self, run_id: str, from_stage: str, to_stage: str) -> bool:
        """Move a running run on and free its lease; False when somebody did so before."""
        return bool(self._run("advance_job", run_id, [from_stage, to_stage, _now()]))

    @store_errors()
    def update(self, run_id: str, **changes: Any) -> bool:
        """Change what is known about a run; False when it is over, for what is over stays as it is.

        Raises:
            NightNotFound: there is no such run.
            StoreError: a field that only a transition may change.
        """
        if unknown := changes.keys() - UPDATABLE:
            raise StoreError(f"a nightly run's {', '.join(sorted(unknown))} cannot be updated")
        return self._changed("update_job", run_id, [_now(), *encoded(changes)])

    @store_errors()
    def finish(self, run_id: str, state: EndState, reason: str = "") -> bool:
        """End a run; False when it is over already.

        Raises:
            NightNotFound: there is no such run.
        """
        return self._changed("finish_job", run_id, [state, _now(), *encoded({"reason": reason})])

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

    def _records(self, ids: Sequence[bytes]) -> Sequence[NightlyRun]:
        with self._client.pipeline(transaction=False) as pipe:
            for run_id in ids:
                pipe.hgetall(self._keys.night(run_id.decode()))
            return [NightlyRun.from_fields(raw) for raw in pipe.execute() if raw]

    def _drop_old(self) -> None:
        before = time.time() - self._retention_seconds
        old = self._client.zrange(
            self._keys.nights, "-inf", before, byscore=True, offset=0, num=LISTED_AT_ONCE
        )
        for raw in cast("Sequence[bytes]", old):
            run_id = raw.decode()
            state = cast("bytes | None", self._client.hget(self._keys.night(run_id), "state"))
            if state is None or state.decode() in END_STATES:
                self._client.unlink(self._keys.night(run_id), self._keys.night_notices(run_id))
                self._client.zrem(self._keys.nights, run_id)
                self._client.zrem(self._keys.nights_open, run_id)

    def _changed(self, script: str, run_id: str, args: Sequence[scripts.Argument]) -> bool:
        answer: int = self._run(script, run_id, args)
        if answer < 0:
            raise NightNotFound(f"there is no nightly run {run_id!r}")
        return bool(answer)

    def _run(self, script: str, run_id: str, args: Sequence[scripts.Argument]) -> Any:
        return scripts.run(self._client, script, [self._keys.night(run_id)], args)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
