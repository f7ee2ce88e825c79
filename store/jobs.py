"""Durable job records."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import redis

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
from store.records import RecordKind, Records, now_text
from topshelf.errors import JobNotFound, StoreError

__all__ = ["FINAL_STATES", "STAGES", "FinalState", "Job", "JobKind", "JobState", "Jobs", "first_task"]


class JobTags(NamedTuple):
    """A job's kind and model, and the trace of the request that asked for it, where one did."""

    kind: str
    model: str
    trace: str


class Jobs(Records[Job]):
    """Every job record in one durable Redis."""

    def __init__(
        self, client: redis.Redis, keys: Keys, retention_days: float, lease_seconds: float = 60
    ) -> None:
        kind = RecordKind(
            name="job",
            index=keys.jobs,
            key=keys.job,
            read=Job.from_fields,
            encoded=encoded,
            end_states=FINAL_STATES,
            updatable=UPDATABLE,
            missing=JobNotFound,
        )
        super().__init__(client, kind, retention_days, lease_seconds)

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
        job_id = job_id or f"{kind}-{model}-{secrets.token_hex(4)}"
        created = now_text()
        given = {
            "id": job_id,
            "kind": kind,
            "model": model,
            "state": "queued",
            "stage": STAGES[kind][0],
            "params": dict(params or {}),
            "created": created,
            "updated": created,
            "trace": trace,
        }
        blank = [part for pair in blank_fields().items() for part in pair]
        is_new = self._create(job_id, [*blank, *encoded(given)])
        return self.get(job_id), is_new

    @store_errors()
    def tags(self, job_id: str) -> JobTags:
        """What log lines and figures name a job by.

        Raises:
            JobNotFound: there is none with this id.
        """
        fields = self._client.hmget(self._kind.key(job_id), *JobTags._fields)
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

    @store_errors()
    def decline_stage(self, job_id: str, stage: str) -> bool:
        """Leave a stage that was begun to others, once its lease runs out; the attempt does not count."""
        return bool(self._run("decline_stage", job_id, [stage]))

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
        changes: dict[str, Any] = {name: dict(value) for name, value in given.items() if value is not None}
        if state == "succeeded":
            changes["progress"] = 1
        return self._finish(job_id, state, changes)

    @store_errors()
    def request_cancel(self, job_id: str) -> Job:
        """Cancel a queued job, ask a running one to stop; returns the job as it is now.

        Raises:
            JobNotFound: there is no such job.
        """
        self._run("cancel_job", job_id, [now_text()])
        return self.get(job_id)

    @store_errors()
    def is_cancelling(self, job_id: str) -> bool:
        """Whether work on a job should stop: somebody asked for it, ended the job, or it is gone."""
        state = cast("bytes | None", self._client.hget(self._kind.key(job_id), "state"))
        return state is None or state == b"cancelling" or state.decode() in FINAL_STATES

    def list(self, limit: int = 50, state: str | None = None, model: str | None = None) -> list[Job]:
        """At most ``limit`` jobs, newest first, in one state or of one model where given."""
        return self._first(limit, lambda job: state in (None, job.state) and model in (None, job.model))


def first_task(kind: JobKind) -> tuple[str, str]:  # noqa: ARG001 -- every kind begins with the same check
    """Name and queue of the Celery task that starts a job."""
    return START_TASK, START_QUEUE
