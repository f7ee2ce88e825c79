"""A whole precompute, from the job to the live pointer, through a real worker and a real Redis."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from interactions.dataset import Dataset
from interactions.synthetic import SyntheticShape, generate
from models.als import Als, AlsConfig
from store.embedded import EmbeddedRedis
from topshelf.errors import ServiceError
from topshelf.settings import Settings, process_environment
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.runtime import Runtime

MODEL = "als"
POLL_SECONDS = 0.1
START_SECONDS = 60.0
LIMIT_SECONDS = 1800.0
GB = 1e9


@dataclass(frozen=True)
class Run:
    """One precompute.

    seconds: from the job to the live pointer; filling_seconds: of these for the chunks;
    peak_gb: of the worker's processes together, shared pages counted once; redis_gb: of Redis.
    """

    users: int
    items: int
    factors: int
    seconds: float
    filling_seconds: float
    peak_gb: float
    redis_gb: float

    @property
    def microseconds_a_user(self) -> float:
        """Filling alone: what grows with the users."""
        return self.filling_seconds / self.users * 1e6


def precompute_run(
    shape: SyntheticShape, *, factors: int, iterations: int, processes: int, folder: Path
) -> Run:
    """Make up interactions, train als on them, then stock everybody; only the last is timed.

    Raises:
        ServiceError: the worker did not start, or the job did not end well.
    """
    with EmbeddedRedis(folder / "redis") as redis:
        settings = Settings.from_environment(
            {},
            data_dir=folder / "data",
            cache_dir=folder / "cache",
            serving_url=redis.url,
            durable_url=redis.url,
            worker_processes=processes,
            trackers=(),
            nightly_cron="",
        )
        runtime = Runtime(settings)
        artifact = _trained(runtime, shape, factors, iterations)
        app = create_app(settings)
        with _worker(settings, app) as worker, _watched(worker, psutil.Process(redis.pid)) as peaks:
            job, _ = runtime.jobs.create("precompute", MODEL, params={"artifact": artifact})
            began = time.perf_counter()
            Dispatcher(app).start(job.id)
            filling = [0.0, 0.0]
            while not (job := runtime.jobs.get(job.id)).over:
                if time.perf_counter() - began > LIMIT_SECONDS:
                    raise ServiceError(f"the job is not over after {LIMIT_SECONDS:.0f} s")
                if job.generation:
                    filling[0] = filling[0] or time.perf_counter()
                if job.stage == "precompute":
                    filling[1] = time.perf_counter()
                time.sleep(POLL_SECONDS)
            seconds = time.perf_counter() - began
        app.close()
        if job.state != "succeeded":
            raise ServiceError(f"the job {job.state}: {job.error}")
    return Run(
        shape.users,
        shape.items,
        factors,
        seconds,
        filling[1] - filling[0],
        peaks["worker"] / GB,
        peaks["redis"] / GB,
    )


def _trained(runtime: Runtime, shape: SyntheticShape, factors: int, iterations: int) -> str:
    dataset = _dataset(runtime, shape)
    model = Als(AlsConfig(factors=factors, iterations=iterations, alpha=10), threads=2)
    model.fit(dataset.training_set())
    manifest = runtime.artifacts.save(
        model, dataset_version=dataset.version, metrics={}, split="none", code_version="benchmark"
    )
    return manifest.id


def _dataset(runtime: Runtime, shape: SyntheticShape) -> Dataset:
    made = generate(shape)
    return runtime.datasets.create(
        made.interactions.select("user_id", "item_id", "timestamp", "weight"),
        items=made.items.select("item_id", "title", "categories"),
        user_id_type="int64",
        item_id_type="int64",
    )


@contextmanager
def _worker(settings: Settings, app: object) -> Iterator[psutil.Process]:
    log = settings.data_dir / "worker.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "topshelf", "worker"],
            env=process_environment() | settings.to_environment(),
            stdout=output,
            stderr=output,
        )
        try:
            _wait_until_ready(app, process, log)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(app: object, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not app.control.ping(timeout=0.5):  # type: ignore[attr-defined]
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServiceError(f"the worker did not start; see {log}")


@contextmanager
def _watched(worker: psutil.Process, redis: psutil.Process) -> Iterator[dict[str, int]]:
    """Most memory (bytes) that the worker with its children, and Redis, took while the block ran."""
    peaks = {"worker": 0, "redis": 0}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(POLL_SECONDS):
            try:
                processes = [worker, *worker.children(recursive=True)]
                held = sum(process.memory_full_info().pss for process in processes)
                peaks["worker"] = max(peaks["worker"], held)
                peaks["redis"] = max(peaks["redis"], redis.memory_info().rss)
            except psutil.NoSuchProcess:
                continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()
