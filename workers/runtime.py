"""What a task works with: settings, stores and folders, opened at first use in each process."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from interactions.datasets import Datasets
from models.artifacts import Artifacts
from store.blobs import Blobs
from store.connection import connect
from store.events import EventLog
from store.generations import Generations
from store.jobs import Jobs
from store.keys import Keys
from store.locks import ModelLock
from store.nights import Nights
from topshelf.reports import Reports
from topshelf.settings import Settings
from workers.indexes import Indexes
from workers.metrics import WorkerMetrics
from workers.tracking import Runs
from workers.tracking.runs import file_name

if TYPE_CHECKING:
    import redis


@dataclass(frozen=True)
class Runtime:
    """One process's view of the system; holds no state that another process would miss."""

    settings: Settings

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.settings.key_prefix)

    @cached_property
    def serving(self) -> "redis.Redis":
        return connect(self.settings.serving_url.get_secret_value())

    @cached_property
    def durable(self) -> "redis.Redis":
        return connect(self.settings.durable_url.get_secret_value())

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(
            self.durable,
            self.keys,
            self.settings.job_retention_days,
            lease_seconds=self.settings.lease_seconds,
        )

    @cached_property
    def nights(self) -> Nights:
        return Nights(
            self.durable,
            self.keys,
            self.settings.job_retention_days,
            lease_seconds=self.settings.lease_seconds,
        )

    @cached_property
    def generations(self) -> Generations:
        return Generations(self.serving, self.keys)

    @cached_property
    def metrics(self) -> WorkerMetrics:
        return WorkerMetrics()

    def sweep(self) -> None:
        """Unlink what is due of every model's old generations."""
        for model in self.generations.models():
            self.generations.sweep(
                model,
                retire_after_seconds=self.settings.retire_after_seconds,
                zombie_after_seconds=self.settings.task_limit_seconds,
            )

    @cached_property
    def lock(self) -> ModelLock:
        return ModelLock(self.serving, self.keys)

    @cached_property
    def blobs(self) -> Blobs:
        return Blobs(self.serving)

    @cached_property
    def events(self) -> EventLog:
        return EventLog(self.durable, self.keys, self.settings.events_limit)

    @cached_property
    def datasets(self) -> Datasets:
        return Datasets(self.settings.data_dir / "datasets")

    @cached_property
    def runs(self) -> Runs:
        return Runs(self.settings.data_dir / "runs")

    def checkpoints(self, job_id: str) -> Path:
        """The folder in which a job's training goes on after its worker died; removed when the job ends."""
        return self.settings.data_dir / "checkpoints" / file_name(job_id)

    @cached_property
    def reports(self) -> Reports:
        return Reports(self.settings, "worker")

    def close_reports(self, **_: object) -> None:
        """Send what waits to be reported; for a process that leaves."""
        if "reports" in self.__dict__:
            self.reports.close()

    @cached_property
    def indexes(self) -> Indexes:
        return Indexes(self.settings.data_dir / "indexes")

    @cached_property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.settings.data_dir / "artifacts")
