"""The record of one nightly run: every model of a schedule, recomputed for one business date."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any, Literal, Self

from store import documents
from topshelf.errors import StoreError

Trigger = Literal["clock", "catch_up", "hand"]
NightState = Literal["queued", "running", "succeeded", "failed", "skipped"]
EndState = Literal["succeeded", "failed", "skipped"]
OutcomeState = Literal[
    "waiting", "queued", "running", "cancelling", "succeeded", "refused", "failed", "cancelled", "skipped"
]

STAGES = ("drain", "dataset", "models", "retire")
"""Stages of a nightly run, in order; in ``models`` each model's job goes through its own."""
END_STATES = frozenset({"succeeded", "failed", "skipped"})
OVER_STATES = frozenset({"succeeded", "refused", "failed", "cancelled", "skipped"})


@dataclass(frozen=True)
class ModelOutcome:
    """How one model of a nightly run fares; what is not known yet is empty.

    Attributes:
        job: the job that recomputes it; empty where there is none.
        step: what the job is at: train, evaluate, gate, refit, precompute, verify, publish.
        reason: why it failed, was refused or skipped.
        gate: what the gate said.
        generation: what was published.
        seconds: from the job's first stage to its end.
    """

    model: str
    state: OutcomeState = "waiting"
    job: str = ""
    step: str = ""
    reason: str = ""
    gate: str = ""
    generation: str = ""
    metrics: dict[str, Any] | None = None
    seconds: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will become of it in this run."""
        return self.state in OVER_STATES


@dataclass(frozen=True)
class NightlyRun:
    """One run of a schedule; times are ISO in UTC, "" before they come.

    Attributes:
        id: schedule and business date, so that a repeat is the same run.
        date: the business date, in the schedule's time zone.
        due: when the schedule wanted it.
        trigger: whether it was begun on time, later because the system was down at the hour, or by hand.
        models: by name, in the schedule's order.
        dataset: the version every model is trained on.
        reason: why it failed or was skipped.
        cancelled: when somebody asked for its end; its jobs come first.
        attempts: how often its present stage was begun.
        updated_epoch: epoch seconds of the last change, by the server's clock.
        lease_until: epoch seconds up to which somebody works on its stage; 0 for nobody.
    """

    id: str
    schedule: str
    date: str
    due: str
    cron: str
    timezone: str
    trigger: Trigger
    state: NightState
    stage: str
    created: str
    models: dict[str, ModelOutcome] = field(default_factory=dict)
    dataset: str = ""
    reason: str = ""
    cancelled: str = ""
    started: str = ""
    finished: str = ""
    updated: str = ""
    attempts: int = 0
    updated_epoch: float = 0.0
    lease_until: float = 0.0

    @property
    def over(self) -> bool:
        """Whether the run is in a state it cannot leave."""
        return self.state in END_STATES

    def with_state(self, state: OutcomeState) -> list[ModelOutcome]:
        """The models that fare so."""
        return [outcome for outcome in self.models.values() if outcome.state == state]

    @classmethod
    def from_fields(cls, raw: Mapping[Any, Any]) -> Self:
        """Read the Redis hash of a run; one written before a field was thought of has its default.

        Raises:
            StoreError: the hash lacks another field or holds a value of the wrong type.
        """
        texts = {name.decode(): value.decode() for name, value in raw.items()}
        try:
            values: dict[str, Any] = {part.name: _value(part, texts) for part in fields(cls)}
        except (KeyError, ValueError, TypeError) as error:
            raise StoreError(
                f"the record of nightly run {texts.get('id', '?')} is damaged: {error}"
            ) from error
        return cls(**values)


def encoded(changes: Mapping[str, Any]) -> list[str | bytes]:
    """Names and values in turn, as the Redis hash holds them."""
    return [part for name, value in changes.items() for part in (name, _text(name, value))]


def _text(name: str, value: Any) -> str | bytes:
    if name == "models":
        return documents.dump([asdict(outcome) for outcome in value.values()])
    return str(value)


def _value(part: Field[Any], texts: Mapping[str, str]) -> Any:
    if part.name not in texts and part.default is not MISSING:
        return part.default
    text = texts[part.name]
    if part.name == "models":
        return {given["model"]: _outcome(given) for given in documents.load(text)}
    return part.type(text) if part.type in (int, float) else text


def _outcome(given: Mapping[str, Any]) -> ModelOutcome:
    """How a model fares, without what a later version adds to it."""
    return ModelOutcome(
        **{part.name: given[part.name] for part in fields(ModelOutcome) if part.name in given}
    )
