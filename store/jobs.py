"""Job records: they stand beside the messages of a queue and outlive them.

Every change of state is a script, so that a late or doubled worker cannot bring a finished job back.
"""

import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import redis

from store import scripts
from store.connection import store_errors
from store.job import FINAL_STATES, STAGES, Job, JobKind, JobState, encoded
from store.keys import Keys
from topshelf.errors import JobNotFound

__all__ = ["FINAL_STATES", "STAGES", "Job", "JobKind", "JobState", "Jobs"]

SECONDS_A_DAY = 86_400
MOST_ACTIVE = 10_000


class Jobs:
    """All job records of one durable Redis."""

    def __init__(self, client: redis.Redis, keys: Keys, retention_days: int) -> None:
        self._client = client
        self._keys = keys
        self._retention_seconds = retention_days * SECONDS_A_DAY

    @store_errors()
    def create(
        self,
        kind: JobKind,
        model: str,
        *,
        params: Mapping[str, Any] | None = None,
        job_id: str | None = None,
    ) -> tuple[Job, bool]:
        """A new record, or the one that has this id already; whether it is new."""
        self._forget_old()
        job_id = job_id or f"{kind}-{model}-{secrets.token_hex(4)}"
        now = _now()
        fields = encoded(
            {
                "id": job_id,
                "kind": kind,
                "model": model,
                "state": "queued",
                "stage": STAGES[kind][0],
                "progress": 0.0,
                "message": "",
                "params": dict(params or {}),
                "dataset": "",
                "artifact": "",
                "generation": "",
                "fence": 0,
                "metrics": None,
                "result": None,
                "error": None,
                "attempts": 0,
                "created": now,
                "started": "",
                "finished": "",
                "updated": now,
                "lease_ms": 0,
            }
        )
        # Indexed first: an index without a record is skipped, a record without an index would be lost.
        self._client.zadd(self._keys.jobs, {job_id: time.time()}, nx=True)
        created = scripts.run(self._client, "create_job", [self._keys.job(job_id)], fields)
        self._client.expire(self._keys.job(job_id), self._retention_seconds + SECONDS_A_DAY)
        return self.get(job_id), bool(created)

    @store_errors()
    def get(self, job_id: str) -> Job:
        """One record.

        Raises:
            JobNotFound: there is none with this id, or it is older than the retention.
        """
        raw = self._client.hgetall(self._keys.job(job_id))
        if not raw:
            raise JobNotFound(f"there is no job {job_id[:100]!r}")
        return Job.from_fields(cast("dict[bytes, bytes]", raw))

    @store_errors()
    def exists(self, job_id: str) -> bool:
        """Whether there is a record with this id."""
        return bool(self._client.exists(self._keys.job(job_id)))

    def active(self) -> list[Job]:
        """Every job that is not over, oldest first."""
        return [job for job in reversed(self._newest(MOST_ACTIVE)) if not job.is_over]

    @store_errors()
    def update(self, job_id: str, **fields: Any) -> bool:
        """Set fields of a job that is not over; False when it is."""
        arguments = encoded({**fields, "updated": _now()})
        return bool(scripts.run(self._client, "update_job", [self._keys.job(job_id)], arguments))

    @store_errors()
    def begin_stage(self, job_id: str, stage: str, lease_seconds: float) -> bool:
        """Take a job's stage to work on; False when it is past it, over, or somebody works on it."""
        arguments: list[scripts.Argument] = [stage, _milliseconds(lease_seconds), _now()]
        return bool(scripts.run(self._client, "begin_stage", [self._keys.job(job_id)], arguments))

    @store_errors()
    def heartbeat(self, job_id: str, lease_seconds: float) -> bool:
        """Keep a stage for ``lease_seconds`` from now; False when the job is not under way."""
        arguments = [_milliseconds(lease_seconds)]
        return bool(scripts.run(self._client, "renew_job", [self._keys.job(job_id)], arguments))

    @store_errors()
    def advance(self, job_id: str, from_stage: str, to_stage: str) -> bool:
        """Move a job to its next stage, once; False when it is elsewhere, over, or being cancelled."""
        arguments = [from_stage, to_stage, _now()]
        return bool(scripts.run(self._client, "advance_job", [self._keys.job(job_id)], arguments))

    @store_errors()
    def finish(self, job_id: str, state: JobState, *, error: Mapping[str, str] | None = None) -> bool:
        """End a job; False when it was over before."""
        [_, described] = encoded({"error": dict(error) if error else None})
        arguments = [state, described, _now()]
        return bool(scripts.run(self._client, "finish_job", [self._keys.job(job_id)], arguments))

    @store_errors()
    def request_cancel(self, job_id: str) -> Job:
        """Ask a job to stop: a queued one is cancelled at once, a running one at its next step.

        Raises:
            JobNotFound: there is no such job.
        """
        scripts.run(self._client, "cancel_job", [self._keys.job(job_id)], [_now()])
        return self.get(job_id)

    @store_errors()
    def is_cancelling(self, job_id: str) -> bool:
        """Whether a job was asked to stop, or was ended by somebody else."""
        state = cast("bytes | None", self._client.hget(self._keys.job(job_id), "state"))
        return state is None or state == b"cancelling" or state.decode() in FINAL_STATES

    @store_errors()
    def _newest(self, limit: int) -> list[Job]:
        ids = cast("list[bytes]", self._client.zrange(self._keys.jobs, 0, limit - 1, desc=True))
        with self._client.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hgetall(self._keys.job(job_id.decode()))
            return [Job.from_fields(raw) for raw in pipe.execute() if raw]

    def _forget_old(self) -> None:
        self._client.zremrangebyscore(self._keys.jobs, 0, time.time() - self._retention_seconds)

    def list(self, limit: int = 50, state: str | None = None, model: str | None = None) -> list[Job]:
        """The newest records first, those of one state or model where asked."""
        found = [
            job
            for job in self._newest(MOST_ACTIVE)
            if state in (None, job.state) and model in (None, job.model)
        ]
        return found[:limit]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
