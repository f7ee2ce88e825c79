"""Durable job records: every transition is one script that checks the state it starts from."""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import redis

from store import scripts
from store.connection import store_errors
from store.dispatch import START_QUEUE, START_TASK
from store.job import (
    FINAL_STATES,
    STAGES,
    UPDATABLE,
    FinalState,
    Job,
    JobKind,
    JobState,
    blank_fields,
    encoded,
)
from store.keys import Keys
from topshelf.errors import JobNotFound, StoreError

__all__ = ["FINAL_STATES", "STAGES", "FinalState", "Job", "JobKind", "JobState", "Jobs", "first_task"]

LISTED_AT_ONCE = 100
SECONDS_A_DAY = 86_400


class JobTags(NamedTuple):
    """A job's kind and model, and the trace of the request that asked for it, where one did."""

    kind: str
    model: str
    trace: str


class Jobs:
    """Every job record in one durable Redis.

    Records of jobs that are over are dropped after ``retention_days``; a job that waits longer than
    ``lease_seconds`` counts as stalled.
    """

    def __init__(
        self, client: redis.Redis, keys: Keys, retention_days: float, lease_seconds: float = 60
    ) -> None:
        self._client = client
        self._keys = keys
        self._retention_seconds = retention_days * SECONDS_A_DAY
        self._lease_seconds = lease_seconds

    @store_errors()
    def create(
        self,
        kind: JobKind,
        model: str,
        *,
        params: Mapping[str, Any] | None = None,
        job_id: str | None = None,
        trace: str = "",
    ) -> tuple[Job, bool]:
        """Record a job; an id that is there already gives the job behind it, and False."""
        self._drop_old()
        job_id = job_id or f"{kind}-{model}-{secrets.token_hex(4)}"
        now = _now()
        given = {
            "id": job_id,
            "kind": kind,
            "model": model,
            "state": "queued",
            "stage": STAGES[kind][0],
            "params": dict(params or {}),
            "created": now,
            "updated": now,
            "trace": trace,
        }
        # Indexed first: a crash in between leaves an id without a record, which every reader skips.
        self._client.zadd(self._keys.jobs, {job_id: time.time()}, nx=True)
        created = self._run(
            "create_job",
            job_id,
            [*(part for pair in blank_fields().items() for part in pair), *encoded(given)],
        )
        return self.get(job_id), bool(created)

    @store_errors()
    def get(self, job_id: str) -> Job:
        """One job.

        Raises:
            JobNotFound: there is none with this id, or its record was dropped.
        """
        raw = self._client.hgetall(self._keys.job(job_id))
        if not raw:
            raise JobNotFound(f"there is no job {job_id!r}")
        return Job.from_fields(raw)

    @store_errors()
    def exists(self, job_id: str) -> bool:
        """Whether there is a job with this id."""
        return bool(self._client.exists(self._keys.job(job_id)))

    @store_errors()
    def tags(self, job_id: str) -> JobTags:
        """What log lines and figures name a job by.

        Raises:
            JobNotFound: there is none with this id.
        """
        fields = self._client.hmget(self._keys.job(job_id), *JobTags._fields)
        kind, model, trace = (field.decode() if field else "" for field in cast("list[bytes | None]", fields))
        if not kind:
            raise JobNotFound(f"there is no job {job_id!r}")
        return JobTags(kind, model, trace)

    def active(self) -> Sequence[Job]:
        """Jobs that are not over, newest first."""
        return [job for job in self._newest_first() if not job.over]

    def stalled(self) -> Sequence[Job]:
        """Jobs nobody works on: their lease ran out, and nothing was heard of them for as long as one."""
        return [job for job in self.active() if self.is_stalled(job)]

    def is_stalled(self, job: Job) -> bool:
        """Whether nobody works on a job that is not over."""
        return time.time() > max(job.lease_until, job.updated_epoch + self._lease_seconds)

    @store_errors()
    def update(self, job_id: str, **changes: Any) -> bool:
        """Change what is known about a job; False when it is over, for what is over stays as it is.

        Raises:
            JobNotFound: there is no such job.
            StoreError: a field that does not exist, or that only a transition may change.
        """
        if unknown := changes.keys() - UPDATABLE:
            raise StoreError(f"a job's {', '.join(sorted(unknown))} cannot be updated")
        return self._changed("update_job", job_id, [_now(), *encoded(changes)])

    @store_errors()
    def begin_stage(self, job_id: str, stage: str, lease_seconds: float) -> bool:
        """Take a stage to work on; False unless it is the job's present one and nobody works on it."""
        return bool(self._run("begin_stage", job_id, [stage, lease_seconds, _now()]))

    @store_errors()
    def decline_stage(self, job_id: str, stage: str) -> bool:
        """Leave a stage that was begun to others, once its lease runs out; the attempt does not count."""
        return bool(self._run("decline_stage", job_id, [stage]))

    @store_errors()
    def heartbeat(self, job_id: str, lease_seconds: float) -> bool:
        """Keep the present stage for ``lease_seconds`` from now; False when there is no lease to keep."""
        return bool(self._run("renew_job", job_id, [lease_seconds]))

    @store_errors()
    def advance(self, job_id: str, from_stage: str, to_stage: str) -> bool:
        """Move a running job on and free its lease; False when somebody did so before."""
        return bool(self._run("advance_job", job_id, [from_stage, to_stage, _now()]))

    @store_errors()
    def finish(
        self,
        job_id: str,
        state: FinalState,
        *,
        error: Mapping[str, Any] | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a job; False when it is over already.

        Raises:
            JobNotFound: there is no such job.
            StoreError: ``state`` is not a final one.
        """
        if state not in FINAL_STATES:
            raise StoreError(f"a job does not end as {state!r}")
        given = {"error": error, "result": result}
        changes = {name: dict(value) for name, value in given.items() if value is not None}
        return self._changed("finish_job", job_id, [state, _now(), *encoded(changes)])

    @store_errors()
    def request_cancel(self, job_id: str) -> Job:
        """Cancel a queued job, ask a running one to stop; returns the job as it is now.

        Raises:
            JobNotFound: there is no such job.
        """
        self._run("cancel_job", job_id, [_now()])
        return self.get(job_id)

    @store_errors()
    def is_cancelling(self, job_id: str) -> bool:
        """Whether work on a job should stop: somebody asked for it, ended the job, or it is gone."""
        state = cast("bytes | None", self._client.hget(self._keys.job(job_id), "state"))
        return state is None or state == b"cancelling" or state.decode() in FINAL_STATES

    def list(self, limit: int = 50, state: str | None = None, model: str | None = None) -> list[Job]:
        """At most ``limit`` jobs, newest first, in one state or of one model where given."""
        found: list[Job] = []
        for job in self._newest_first():
            if len(found) >= limit:
                break
            if state in (None, job.state) and model in (None, job.model):
                found.append(job)
        return found

    @store_errors()
    def _page(self, first: int) -> tuple[int, Sequence[Job]]:
        ids = self._client.zrange(self._keys.jobs, first, first + LISTED_AT_ONCE - 1, desc=True)
        with self._client.pipeline(transaction=False) as pipe:
            for job_id in cast("Sequence[bytes]", ids):
                pipe.hgetall(self._keys.job(job_id.decode()))
            return len(ids), [Job.from_fields(raw) for raw in pipe.execute() if raw]

    def _newest_first(self) -> Iterator[Job]:
        first, listed = 0, LISTED_AT_ONCE
        while listed == LISTED_AT_ONCE:
            listed, page = self._page(first)
            yield from page
            first += listed

    def _drop_old(self) -> None:
        before = time.time() - self._retention_seconds
        old = self._client.zrange(self._keys.jobs, "-inf", before, byscore=True, offset=0, num=LISTED_AT_ONCE)
        for raw in cast("Sequence[bytes]", old):
            job_id = raw.decode()
            state = cast("bytes | None", self._client.hget(self._keys.job(job_id), "state"))
            if state is None or state.decode() in FINAL_STATES:
                self._client.unlink(self._keys.job(job_id))
                self._client.zrem(self._keys.jobs, job_id)

    def _changed(self, script: str, job_id: str, args: Sequence[scripts.Argument]) -> bool:
        answer: int = self._run(script, job_id, args)
        if answer < 0:
            raise JobNotFound(f"there is no job {job_id!r}")
        return bool(answer)

    def _run(self, script: str, job_id: str, args: Sequence[scripts.Argument]) -> Any:
        return scripts.run(self._client, script, [self._keys.job(job_id)], args)


def first_task(kind: JobKind) -> tuple[str, str]:  # noqa: ARG001 -- every kind begins with the same check
    """Name and queue of the Celery task that starts a job."""
    return START_TASK, START_QUEUE


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
