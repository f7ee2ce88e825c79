"""The interface of every tracker. A tracker that fails is logged, and never fails a training job."""

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from topshelf.settings import Settings

SERIES_METRICS = ("MAP@10", "MRR@10", "Precision@10", "Recall@10", "NDCG@10")


@dataclass(frozen=True)
class RunInfo:
    """What is known of a training run before it begins."""

    job_id: str
    model: str
    hyperparams: Mapping[str, Any]
    dataset: str
    device: str
    seed: int
    code_version: str
    tags: tuple[str, ...] = ()


class Run(ABC):
    """One training run being logged; fields are paths such as ``training/hyperparams/k``."""

    @abstractmethod
    def log(self, fields: Mapping[str, Any]) -> None:
        """Set fields, numbers or text."""

    @abstractmethod
    def append(self, field: str, value: float) -> None:
        """Add a value to a series."""

    @abstractmethod
    def stop(self, failure: str | None = None) -> None:
        """Close the run; ``failure`` is the reason where training failed."""


class Tracker(ABC):
    """Opens runs."""

    @abstractmethod
    def start(self, info: RunInfo) -> Run:
        """Open a run and log what is known of it."""

    @contextmanager
    def run(self, info: RunInfo) -> Iterator[Run]:
        """A run around a block; an error in the block is logged as the run's failure and raised on."""
        run = self.start(info)
        try:
            yield run
        except Exception as error:
            run.stop(f"{type(error).__name__}: {error}")
            raise
        run.stop()


def fields_of(info: RunInfo) -> dict[str, Any]:
    """The fields every tracker logs at the start of a run."""
    hyperparams = {"model": info.model, "device": info.device, **info.hyperparams}
    return {
        **{f"training/hyperparams/{name}": value for name, value in hyperparams.items()},
        "training/dataset": info.dataset,
        "training/seed": info.seed,
        "training/code_version": info.code_version,
        "training/job": info.job_id,
    }


class NullTracker(Tracker):
    """Logs nowhere: what is used when no tracker is installed."""

    def start(self, info: RunInfo) -> Run:  # noqa: ARG002
        return _NullRun()


class _NullRun(Run):
    def log(self, fields: Mapping[str, Any]) -> None:
        pass

    def append(self, field: str, value: float) -> None:
        pass

    def stop(self, failure: str | None = None) -> None:
        pass


def create_tracker(settings: Settings) -> Tracker:
    """Neptune, offline, where its client is installed; otherwise none."""
    if importlib.util.find_spec("neptune") is None:
        return NullTracker()
    from workers.tracking.neptune import NeptuneTracker  # noqa: PLC0415 -- seconds to import

    return NeptuneTracker(settings.neptune_project, settings.data_dir / "neptune")
