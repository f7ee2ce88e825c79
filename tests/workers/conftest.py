"""Workers on a real Redis: a small dataset with planted tastes, and Celery workers as processes."""

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from interactions.columns import CATEGORIES, ITEM, TIMESTAMP, TITLE, USER, WEIGHT
from interactions.dataset import Dataset
from store.jobs import Job
from store.keys import Keys
from tests.waiting import wait_until
from topshelf.settings import Settings, process_environment
from workers.celery_app import TopshelfCelery, create_app
from workers.cron import now_in
from workers.dispatch import Dispatcher
from workers.nights import look_after
from workers.runtime import Runtime
from workers.schedules import schedules_of

USERS, TASTES, TASTE_ITEMS = 300, 4, 30


class WorkerProcess:
    """A real ``topshelf worker``, or another service of ours, with a log."""

    def __init__(self, settings: Settings, *command: str) -> None:
        self.log = settings.data_dir / f"{command[0]}.log"
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "topshelf", *command],
                env=process_environment() | settings.to_environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """``kill -9`` of the worker and its children."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def kill_main(self) -> None:
        """``kill -9`` of the process that feeds the others; they notice and leave."""
        self._process.kill()
        self._process.wait()

    def children(self) -> list[int]:
        """Process ids of those that run the tasks."""
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, keys: Keys) -> Settings:
    return Settings.from_environment(
        {},
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
        serving_url=redis_url,
        durable_url=redis_url,
        key_prefix=keys.prefix,
        users_per_bucket=10,
        chunk_users=40,
        lease_seconds=2,
        worker_processes=2,
        threads=1,
        trackers=(),
    )


@pytest.fixture
def runtime(settings: Settings) -> Runtime:
    return Runtime(settings)


@pytest.fixture
def app(settings: Settings) -> Iterator[TopshelfCelery]:
    app = create_app(settings)
    yield app
    app.close()


@pytest.fixture
def dispatcher(app: TopshelfCelery) -> Dispatcher:
    return Dispatcher(app)


@pytest.fixture
def dataset(runtime: Runtime) -> Dataset:
    """Users of four tastes, each with fifteen of the taste's thirty items, so that every model has a case."""
    random = np.random.default_rng(7)
    rows = [
        (user, 100 + TASTE_ITEMS * (user % TASTES) + int(item), moment)
        for user in range(USERS)
        for moment, item in enumerate(random.choice(TASTE_ITEMS, 15, replace=False))
    ]
    frame = pl.DataFrame(rows, schema=[USER, ITEM, "minute"], orient="row").select(
        USER,
        ITEM,
        (dt.datetime(2026, 1, 1) + pl.duration(minutes="minute")).alias(TIMESTAMP),
        pl.lit(1.0, pl.Float32).alias(WEIGHT),
    )
    items = pl.DataFrame(
        {
            ITEM: list(range(100, 100 + TASTES * TASTE_ITEMS)),
            TITLE: [f"item {number}" for number in range(TASTES * TASTE_ITEMS)],
            CATEGORIES: [[f"taste {number // TASTE_ITEMS}"] for number in range(TASTES * TASTE_ITEMS)],
        }
    )
    return runtime.datasets.create(frame, items=items, user_id_type="int64", item_id_type="int64")


StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def start_worker(settings: Settings) -> Iterator[StartWorker]:
    started: list[WorkerProcess] = []

    def start(*command: str, settings: Settings = settings) -> WorkerProcess:
        process = WorkerProcess(settings, *(command or ("worker",)))
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()


def long_known(runtime: Runtime, schedule: str = "nightly") -> None:
    """Have a schedule looked after for a week, so that it owes the run it was due for last."""
    now, notes = now_in("UTC"), runtime.nights.schedules
    notes.keep_only([name for name in notes.all() if name != schedule])
    found = schedules_of(runtime.settings).get(schedule)
    look_after(runtime, found, now, since=(now - dt.timedelta(days=7)).timestamp())


def finished(runtime: Runtime, *job_ids: str) -> list[Job]:
    """The records of jobs once all are over."""
    wait_until(lambda: all(runtime.jobs.get(job_id).over for job_id in job_ids), f"{job_ids} over")
    return [runtime.jobs.get(job_id) for job_id in job_ids]


def succeeded(runtime: Runtime, *job_ids: str) -> list[Job]:
    """The records of jobs that ended well; fails with their errors otherwise."""
    jobs = finished(runtime, *job_ids)
    assert [job.state for job in jobs] == ["succeeded"] * len(jobs), [job.error for job in jobs]
    return jobs
