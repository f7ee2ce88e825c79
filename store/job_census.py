"""A count of the jobs there are, at a price that does not grow with their number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import redis

from store import documents
from store.connection import store_errors
from store.job import FINAL_STATES
from store.keys import Keys

NEWEST = 1_000
"""Jobs looked at; those before are not counted."""
FIELDS = ("kind", "model", "state", "created", "finished", "metrics")


@dataclass(frozen=True)
class CountedJob:
    """What the census keeps of a job; times are epoch seconds, 0 before they come."""

    id: str
    kind: str
    model: str
    state: str
    created: float
    finished: float
    item_coverage: float | None
    """Share of the items that its evaluation listed; None where it had none."""

    @property
    def over(self) -> bool:
        """Whether it is in a state it cannot leave."""
        return self.state in FINAL_STATES


class JobCensus:
    """Counts the newest thousand jobs again and again; one that is over is read once."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._over: dict[str, CountedJob] = {}

    @store_errors()
    def take(self) -> Sequence[CountedJob]:
        """The newest jobs, newest first."""
        raw = cast("list[bytes]", self._client.zrange(self._keys.jobs, 0, NEWEST - 1, desc=True))
        ids = [job_id.decode() for job_id in raw]
        unknown = [job_id for job_id in ids if job_id not in self._over]
        with self._client.pipeline(transaction=False) as pipe:
            for job_id in unknown:
                pipe.hmget(self._keys.job(job_id), *FIELDS)
            found = {
                job_id: _counted(job_id, fields)
                for job_id, fields in zip(unknown, pipe.execute(), strict=True)
            }
        found |= self._over
        jobs = [found[job_id] for job_id in ids if found[job_id].kind]
        self._over = {job.id: job for job in jobs if job.over}
        return jobs


def _counted(job_id: str, fields: Sequence[bytes | None]) -> CountedJob:
    kind, model, state, created, finished, metrics = ((field or b"").decode() for field in fields)
    measured = cast("Mapping[str, Any]", documents.load(metrics) or {}) if metrics else {}
    coverage = next((value for name, value in measured.items() if name.startswith("Coverage@")), None)
    return CountedJob(job_id, kind, model, state, _epoch(created), _epoch(finished), coverage)


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0
