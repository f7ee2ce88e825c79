"""The record of one job."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from store import documents
from topshelf.errors import StoreError

JobKind = Literal["train", "trial", "precompute", "delta", "pipeline"]
JobState = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
FinalState = Literal["succeeded", "failed", "cancelled"]

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})

STAGES: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "evaluate"),
    "trial": ("train",),
    "precompute": ("precompute", "publish"),
    "delta": ("precompute", "publish"),
    "pipeline": ("train", "evaluate", "precompute", "publish"),
}
"""Stages of a job by its kind, in order."""

ESSENTIAL_FIELDS = frozenset({"id", "kind", "model", "state", "stage"})
JSON_FIELDS = frozenset({"params", "metrics", "result", "error"})
UPDATABLE = JSON_FIELDS | {"progress", "message", "dataset", "artifact", "generation", "fence", "trace"}
"""Fields that a worker may set; the others belong to the transitions."""


@dataclass(frozen=True)
class Job:
    """One piece of work somebody asked for, and how far it is; times are ISO in UTC, "" before they come.

    Attributes:
        stage: where it is in the stages of its kind.
        progress: share of the whole job that is done, 0 to 1.
        params: what was asked for, as ``config``, ``dataset``, ``artifact``, ``rules``, ``gate``,
            ``profile``, of a trial its ``study``.
        fence: the fence of its generation, 0 before there is one.
        error: ``error_key`` and ``error_message`` where it failed or was cancelled.
        attempts: how often its present stage was begun.
        updated_epoch: epoch seconds of the last change, by the server's clock.
        lease_until: epoch seconds up to which somebody works on it, by the server's clock; 0 for nobody.
        trace: id that ties its log lines to the request that asked for it.
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
    metrics: dict[str, Any] | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    attempts: int
    created: str
    started: str
    finished: str
    updated: str
    updated_epoch: float
    lease_until: float
    trace: str

    @property
    def over(self) -> bool:
        """Whether the job is in a state it cannot leave."""
        return self.state in FINAL_STATES

    @property
    def known(self) -> bool:
        """Whether this version of the code knows its kind and its stage."""
        return self.stage in STAGES.get(self.kind, ())

    @classmethod
    def from_fields(cls, raw: Mapping[Any, Any]) -> Self:
        """Read the Redis hash of a job; what another version of the code left out is blank.

        Raises:
            StoreError: the hash lacks an essential field or holds a value of the wrong type.
        """
        texts = {name.decode(): value.decode() for name, value in raw.items()}
        if missing := ESSENTIAL_FIELDS - texts.keys():
            raise StoreError(
                f"the record of job {texts.get('id', '?')} is damaged: it has no {', '.join(sorted(missing))}"
            )
        texts = blank_fields() | texts
        try:
            values: dict[str, Any] = {
                field.name: _value(field.name, field.type, texts[field.name]) for field in fields(cls)
            }
        except ValueError as error:
            raise StoreError(f"the record of job {texts['id']} is damaged: {error}") from error
        return cls(**values)


def blank_fields() -> dict[str, str]:
    """The Redis hash of a job about which nothing is known."""
    return {field.name: _blank(field.name, field.type) for field in fields(Job)}


def encoded(changes: Mapping[str, Any]) -> list[str | bytes]:
    """Names and values in turn, as the Redis hash holds them."""
    return [part for name, value in changes.items() for part in (name, _text(name, value))]


def _blank(name: str, kind: Any) -> str:
    if name in JSON_FIELDS:
        return "null"
    return "0" if kind in (int, float) else ""


def _text(name: str, value: Any) -> str | bytes:
    return documents.dump(value) if name in JSON_FIELDS else str(value)


def _value(name: str, kind: Any, text: str) -> Any:
    if name in JSON_FIELDS:
        return documents.load(text)
    return kind(text) if kind in (int, float) else text
