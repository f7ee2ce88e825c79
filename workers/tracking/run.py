"""One training run as it was written down, event by event."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from workers.tracking.fields import FAILURE, GENERAL_TRAIN_TIME, HYPERPARAMS

EventKind = Literal["start", "resume", "fields", "point", "end"]


@dataclass(frozen=True)
class Event:
    """One line of a run's file.

    Attributes:
        at: epoch seconds.
        fields: what is set; of a "point", the values its series get at ``step``.
        step: epoch, from 1; after the last epoch one more, for what was measured on the held-out part.
        state: of an "end": succeeded, failed or cancelled.
    """

    kind: EventKind
    at: float
    fields: Mapping[str, Any] = field(default_factory=dict)
    step: int = 0
    state: str = ""


@dataclass(frozen=True)
class Point:
    """A value of a series, and when (epoch seconds) it was measured."""

    step: int
    value: float
    at: float


@dataclass(frozen=True)
class Run:
    """A run and every event of it so far, at least one."""

    id: str
    events: tuple[Event, ...]

    @cached_property
    def fields(self) -> dict[str, Any]:
        """Every field that is no series; the last value counts."""
        found: dict[str, Any] = {}
        for event in self.events:
            if event.kind != "point":
                found.update(event.fields)
        return found

    @cached_property
    def series(self) -> dict[str, list[Point]]:
        """Every series by step; of a step that was measured again after a resume, the last value counts."""
        found: dict[str, dict[int, Point]] = {}
        for event in self.events:
            if event.kind == "point":
                for name, value in event.fields.items():
                    found.setdefault(name, {})[event.step] = Point(event.step, float(value), event.at)
        return {name: sorted(points.values(), key=lambda point: point.step) for name, points in found.items()}

    @property
    def model(self) -> str:
        """Name of the model."""
        return str(self.fields.get(f"{HYPERPARAMS}model", ""))

    @property
    def state(self) -> str:
        """running, succeeded, failed or cancelled."""
        return next((event.state for event in reversed(self.events) if event.kind == "end"), "running")

    @property
    def over(self) -> bool:
        """Whether nothing more will be written."""
        return self.state != "running"

    @property
    def failure(self) -> str:
        """Why it did not end well; empty where it did, or may yet."""
        return str(self.fields.get(FAILURE, ""))

    @property
    def created(self) -> float:
        """Epoch seconds at which it began."""
        return self.events[0].at

    @property
    def last_seen(self) -> float:
        """Epoch seconds of its last event."""
        return self.events[-1].at

    @property
    def trained(self) -> bool:
        """Whether the last values of its metrics are those of the held-out part."""
        return GENERAL_TRAIN_TIME in self.fields

    @property
    def last_step(self) -> int:
        """The last step a series has a value of; 0 before there is one."""
        return max((event.step for event in self.events if event.kind == "point"), default=0)

    @property
    def attempt_seconds(self) -> float:
        """How long its attempts lasted, without the time between a worker's death and the next one."""
        seconds, began = 0.0, self.created
        for before, event in zip(self.events, self.events[1:], strict=False):
            if event.kind == "resume":
                seconds += before.at - began
                began = event.at
        return seconds + self.last_seen - began

    def last(self, name: str) -> float | None:
        """The last value of a series; None where it has none, or no finite one."""
        points = self.series.get(name)
        return points[-1].value if points and math.isfinite(points[-1].value) else None
