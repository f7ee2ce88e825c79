"""The durable record of one job."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self, cast

import orjson

from topshelf.errors import StoreError

JobKind = Literal["train", "precompute", "pipeline"]
JobState = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]

STAGES: dict[str, tuple[str, ...]] = {
    "train": ("train", "evaluate"),
    "precompute": ("precompute", "publish"),
    "pipeline": ("train", "evaluate", "precompute", "publish"),
}
FINAL_STATES: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})
JSON_FIELDS = frozenset({"params", "metrics", "result", "error"})


@dataclass(frozen=True)
class Job:
    """One job; times are ISO 8601 in UTC, "" where they have not come.

    Attributes:
        stage: where it is in the stages of its kind.
        progress: share of the whole job that is done.
        params: what was asked for: ``config``, ``dataset``, ``artifact``.
        fence: the fence of its generation, 0 before there is one.
        error: ``error_key`` and ``error_message`` where it failed or was cancelled.
        attempts: how often its stage was begun.
        lease_until: epoch seconds (the server's clock) up to which somebody works on it, 0 when nobody does.
    """

    id: str
    kind: JobKind
    model: str
    state: JobState
    stage: str
    progress: float
    message: str
    params: dict[str, Any]
    dataset: str
    artifact: str
    generation: str
    fence: int
    metrics: dict[str, float] | None
    result: dict[str, Any] | None
    error: dict[str, str] | None
    attempts: int
    created: str
    started: str
    finished: str
    updated: str
    lease_until: float

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen to the job any more."""
        return self.state in FINAL_STATES

    @property
    def updated_epoch(self) -> float:
        """``updated`` in epoch seconds."""
        return datetime.fromisoformat(self.updated).timestamp()

    @classmethod
    def from_fields(cls, raw: Mapping[bytes, bytes]) -> Self:
        """Read the Redis hash of a record.

        Raises:
            StoreError: the hash is not a job's.
        """
        fields = {name.decode(): value.decode() for name, value in raw.items()}
        try:
            documents = {name: orjson.loads(fields.get(name) or "null") for name in JSON_FIELDS}
            return cls(
                id=fields["id"],
                kind=cast("JobKind", fields["kind"]),
                model=fields["model"],
                state=cast("JobState", fields["state"]),
                stage=fields["stage"],
                progress=float(fields["progress"]),
                message=fields["message"],
                params=documents["params"] or {},
                dataset=fields["dataset"],
                artifact=fields["artifact"],
                generation=fields["generation"],
                fence=int(fields["fence"]),
                metrics=documents["metrics"],
                result=documents["result"],
                error=documents["error"],
                attempts=int(fields["attempts"]),
                created=fields["created"],
                started=fields["started"],
                finished=fields["finished"],
                updated=fields["updated"],
                lease_until=int(fields["lease_ms"]) / 1000,
            )
        except (KeyError, ValueError) as error:
            raise StoreError(f"the record of job {fields.get('id', '?')} is damaged: {error}") from error


def encoded(fields: Mapping[str, Any]) -> list[str | bytes]:
    """Fields and values in turn, as the Redis hash holds them.

    Raises:
        StoreError: a field is not a job's.
    """
    flat: list[str | bytes] = []
    for name, value in fields.items():
        if name not in Job.__dataclass_fields__ and name != "lease_ms":
            raise StoreError(f"a job has no field {name!r}")
        flat += [name, orjson.dumps(value) if name in JSON_FIELDS else str(value)]
    return flat
