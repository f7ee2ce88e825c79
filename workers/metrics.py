"""What Prometheus may ask of a worker: figures of tasks, jobs, scoring and training.

Each process of the pool counts for itself; where ``PROMETHEUS_MULTIPROC_DIR`` is set prometheus-client keeps
the figures in files there, which the worker's main process adds up, see :mod:`workers.exposition`.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from models.fit_run import Epoch
from models.registry import model_names

SECONDS_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0)
UNKNOWN = "unknown"


class WorkerMetrics:
    """The figures of one process; a model that is none has the label ``unknown``."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._tasks = Counter(
            "topshelf_tasks_total", "Tasks that ended", ["task", "outcome"], registry=registry
        )
        self._task_seconds = Histogram(
            "topshelf_task_seconds", "Time a task took", ["task"], buckets=SECONDS_BUCKETS, registry=registry
        )
        self._running = Gauge(
            "topshelf_tasks_running",
            "Tasks under way",
            ["task"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._jobs = Counter(
            "topshelf_jobs_ended_total",
            "Jobs this worker ended",
            ["kind", "model", "state", "error"],
            registry=registry,
        )
        self._scored = Counter(
            "topshelf_users_scored_total", "Users whose list was made", ["model"], registry=registry
        )
        self._written = Counter(
            "topshelf_users_written_total", "Users whose list was written", ["model"], registry=registry
        )
        self._epochs = Counter(
            "topshelf_training_epochs_total", "Epochs trained", ["model"], registry=registry
        )
        self._epoch = _latest("topshelf_training_epoch", "Number of the last epoch", ["model"], registry)
        self._loss = _latest("topshelf_training_loss", "Training loss of that epoch", ["model"], registry)
        self._epoch_seconds = _latest(
            "topshelf_training_epoch_seconds", "Time that epoch took", ["model"], registry
        )
        self._evaluation = _latest(
            "topshelf_evaluation",
            "The last evaluation of a candidate on the held-out part",
            ["model", "metric"],
            registry,
        )

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Count and time the block, one task; what it raises counts as a failure."""
        outcome, started = "failed", time.perf_counter()
        running = self._running.labels(name)
        running.inc()
        try:
            yield
            outcome = "succeeded"
        finally:
            running.dec()
            self._tasks.labels(name, outcome).inc()
            self._task_seconds.labels(name).observe(time.perf_counter() - started)

    def job_ended(self, kind: str, model: str, state: str, error_key: str) -> None:
        """Count a job; ``error_key`` is empty where there was no error."""
        self._jobs.labels(kind, _known(model), state, error_key).inc()

    def scored(self, model: str, users: int) -> None:
        """Count lists made."""
        self._scored.labels(_known(model)).inc(users)

    def written(self, model: str, users: int) -> None:
        """Count lists written."""
        self._written.labels(_known(model)).inc(users)

    def epoch(self, model: str, epoch: Epoch) -> None:
        """Tell of an epoch that is over."""
        label = _known(model)
        self._epochs.labels(label).inc()
        self._epoch.labels(label).set(epoch.number)
        self._epoch_seconds.labels(label).set(epoch.seconds)
        if epoch.loss is not None:
            self._loss.labels(label).set(epoch.loss)

    def evaluated(self, model: str, metrics: Mapping[str, float]) -> None:
        """Tell what a candidate reached."""
        for name, value in metrics.items():
            self._evaluation.labels(_known(model), name).set(value)


def _latest(name: str, what: str, labels: list[str], registry: CollectorRegistry) -> Gauge:
    """Of several processes, the value that was set last counts, whether or not its process lives."""
    return Gauge(name, what, labels, registry=registry, multiprocess_mode="mostrecent")


def _known(model: str) -> str:
    return model if model in model_names() else UNKNOWN
