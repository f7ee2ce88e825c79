"""A whole precompute, from the job to the live pointer, through a real worker and a real Redis."""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import psutil
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.precomputing.work import trained
from interactions.columns import ITEM, TIMESTAMP, USER, WEIGHT
from interactions.synthetic import SyntheticShape, generate
from models.als import Als, AlsConfig
from store.embedded import EmbeddedRedis
from topshelf.errors import ServiceError
from topshelf.settings import Settings, process_environment
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.runtime import Runtime

MODEL = "als"
POLL_SECONDS, WATCH_SECONDS = 0.02, 0.1
"""How often the job and the memory are looked at: the smallest run fills in two seconds."""
START_SECONDS = 60.0
LIMIT_SECONDS = 1800.0
GB = 1e9


@dataclass(frozen=True)
class Run:
    """One precompute.

    seconds: from the job to the live pointer; filling_seconds: of these for the chunks; cpu_seconds: what
    worker and Redis computed meanwhile, which depends less on what else the machine does;
    peak_gb: of the worker's processes together, shared pages counted once; redis_gb: of Redis.
    """

    users: int
    items: int
    factors: int
    seconds: float
    filling_seconds: float
    cpu_seconds: float
    peak_gb: float
    redis_gb: float

    @property
    def microseconds_a_user(self) -> float:
        """Filling alone: what grows with the users."""
        return self.filling_seconds / self.users * 1e6

    @property
    def cpu_microseconds_a_user(self) -> float:
        """The same in processor time."""
        return self.cpu_seconds / self.users * 1e6


def median_run(runs: Sequence[Run]) -> Run:
    """The medians of runs of one size."""
    return Run(*(statistics.median(values) for values in zip(*map(astuple, runs), strict=True)))


@dataclass(frozen=True, eq=False)
class Population:
    """Made-up interactions (user_id, item_id, timestamp, weight; by user) with the als vectors of them."""

    interactions: pl.DataFrame
    user_ids: NDArray[np.int64]
    item_ids: NDArray[np.int64]
    user_factors: NDArray[np.float32]
    item_factors: NDArray[np.float32]

    @classmethod
    def make(cls, shape: SyntheticShape, *, factors: int, iterations: int, threads: int) -> Self:
        """Make up interactions and train on them."""
        pairs = generate(shape).interactions.select(USER, ITEM, TIMESTAMP, WEIGHT)
        user_ids, users = np.unique(pairs[USER].to_numpy(), return_inverse=True)
        item_ids, items = np.unique(pairs[ITEM].to_numpy(), return_inverse=True)
        matrix = csr_matrix((np.ones(len(users), np.float32), (users, items)))
        work = trained("synthetic", matrix, factors, iterations, threads)
        return cls(pairs, user_ids, item_ids, work.vectors.users, work.vectors.items.rows)

    def times(self, size: float) -> Self:
        """So many times the users: below 1 the first of them, above it all of them several times."""
        if size < 1:
            kept = self.user_ids[: round(size * len(self.user_ids))]
            rows = self.interactions.filter(pl.col(USER) <= int(kept[-1]))
            there = np.isin(self.item_ids, rows[ITEM].unique().to_numpy())
            return type(self)(
                rows, kept, self.item_ids[there], self.user_factors[: len(kept)], self.item_factors[there]
            )
        copies = range(round(size))
        step = int(self.user_ids[-1]) + 1
        return type(self)(
            pl.concat([self.interactions.with_columns(pl.col(USER) + copy * step) for copy in copies]),
            np.concatenate([self.user_ids + copy * step for copy in copies]),
            self.item_ids,
            np.tile(self.user_factors, (len(copies), 1)),
            self.item_factors,
        )

    def save(self, runtime: Runtime) -> str:
        """Write the dataset and the artifact; returns the artifact's id."""
        dataset = runtime.datasets.create(self.interactions, user_id_type="int64", item_id_type="int64")
        factors = self.item_factors.shape[1]
        model = Als.from_arrays(
            {"user_factors": self.user_factors, "item_factors": self.item_factors},
            AlsConfig(factors=factors),
            n_users=len(self.user_ids),
            n_items=len(self.item_ids),
        )
        manifest = runtime.artifacts.save(
            model, dataset_version=dataset.version, metrics={}, split="none", code_version="benchmark"
        )
        return manifest.id


def precompute_run(population: Population, *, processes: int, folder: Path) -> Run:
    """Stock everybody; what comes before that is not timed.

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
        artifact = population.save(runtime)
        app = create_app(settings)
        server = psutil.Process(redis.pid)
        with _worker(settings, app) as worker, _watched(worker, server) as peaks:
            job, _ = runtime.jobs.create("precompute", MODEL, params={"artifact": artifact})
            began = time.perf_counter()
            Dispatcher(app).start(job.id)
            opened, filled, computed = 0.0, 0.0, [0.0, 0.0]
            while not (job := runtime.jobs.get(job.id)).over:
                if time.perf_counter() - began > LIMIT_SECONDS:
                    raise ServiceError(f"the job is not over after {LIMIT_SECONDS:.0f} s")
                if job.generation and not opened:
                    opened, computed[0] = time.perf_counter(), _cpu_seconds(worker, server)
                if job.stage == "precompute":
                    filled = time.perf_counter()
                elif not computed[1]:
                    computed[1] = _cpu_seconds(worker, server)
                time.sleep(POLL_SECONDS)
            seconds = time.perf_counter() - began
        app.close()
        if job.state != "succeeded":
            raise ServiceError(f"the job {job.state}: {job.error}")
    n_items, factors = population.item_factors.shape
    return Run(
        len(population.user_ids),
        n_items,
        factors,
        seconds,
        max(0.0, filled - opened),
        max(0.0, computed[1] - computed[0]),
        peaks["worker"] / GB,
        peaks["redis"] / GB,
    )


def _cpu_seconds(worker: psutil.Process, server: psutil.Process) -> float:
    times = [process.cpu_times() for process in (worker, *worker.children(recursive=True), server)]
    return float(sum(one.user + one.system for one in times))


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
        while not over.wait(WATCH_SECONDS):
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
