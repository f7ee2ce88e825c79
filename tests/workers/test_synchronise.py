"""Runs reach the trackers, at once or when there is a server; a job never waits for one."""

import contextlib
import logging
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from interactions.dataset import Dataset
from store.embedded import free_port
from tests.waiting import wait_until
from tests.workers.conftest import WorkerProcess, succeeded
from tests.workers.tracking.conftest import FINAL, INFO, write_run
from topshelf.settings import Settings, process_environment
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.schedule import beat_schedule
from workers.tasks.synchronise import sync_runs
from workers.tracking.mlflow import field_name

pytest.importorskip("mlflow.version", reason="the track extra is not installed")

DEAD = "http://somebody:s3cret-w0rd@127.0.0.1:1"
MAP = "training/Metrics/MAP@10"


def with_trackers(runtime: Runtime, *names: str, **more: object) -> Runtime:
    return Runtime(runtime.settings.model_copy(update={"trackers": names, **more}))


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What MLflow takes ten seconds to lay out, made once."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    script = f"import mlflow; mlflow.MlflowClient('sqlite:///{path}').search_experiments()"
    environ = process_environment() | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run([sys.executable, "-c", script], env=environ, check=True, capture_output=True)
    return path


@pytest.fixture
def database(settings: Settings, empty_database: Path) -> Path:
    settings.data_dir.mkdir(parents=True)
    return Path(shutil.copy(empty_database, settings.data_dir / "mlflow.db"))


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def test_a_run_is_in_mlflow_under_the_same_names_and_is_told_once(
    runtime: Runtime, dispatcher: Dispatcher, database: Path
) -> None:
    runtime = with_trackers(runtime, "mlflow")
    write_run(runtime.runs, "job-1")
    log = runtime.runs.log("job-2")
    log.begin(INFO)
    log.end("failed", "TrainingFailed: the loss is NaN")
    sync_runs(runtime, dispatcher)
    sync_runs(runtime, dispatcher)

    assert rows(database, "select name, status from runs order by name") == [
        ("job-1", "FINISHED"),
        ("job-2", "FAILED"),
    ]
    points = rows(database, "select key, step, value from metrics order by step")
    series = [(step, value) for key, step, value in points if field_name(str(key)) == MAP]
    assert [step for step, _ in series] == [1, 2, 3, 4]
    assert series[-1][1] == FINAL["MAP@10"]
    of_job = "run_uuid in (select run_uuid from runs where name = 'job-1')"
    logged = {
        field_name(str(key))
        for table in ("metrics", "params", "tags")
        for (key,) in rows(database, f"select key from {table} where {of_job}")  # noqa: S608 -- ours
    }
    run = runtime.runs.get("job-1")
    assert logged >= run.fields.keys() | run.series.keys()
    failure = rows(database, "select value from tags where key = 'training/failure'")
    assert failure == [("TrainingFailed: the loss is NaN",)]


def test_a_run_that_goes_on_is_continued_in_mlflow(
    runtime: Runtime, dispatcher: Dispatcher, database: Path
) -> None:
    runtime = with_trackers(runtime, "mlflow")
    log = runtime.runs.log("it's one")
    log.begin(INFO)
    sync_runs(runtime, dispatcher)
    assert rows(database, "select name, status from runs") == [("it's one", "RUNNING")]
    log.end("cancelled", "JobCancelled: somebody asked for it")
    sync_runs(runtime, dispatcher)
    assert rows(database, "select name, status from runs") == [("it's one", "KILLED")]


def test_what_a_dead_server_did_not_take_is_sent_to_a_living_one_and_no_secret_is_logged(
    runtime: Runtime, dispatcher: Dispatcher, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = "bm90IGEgcmVhbCB0b2tlbg=="
    dead = with_trackers(
        runtime, "mlflow", "neptune", mlflow_uri=SecretStr(DEAD), neptune_token=SecretStr(token)
    )
    write_run(runtime.runs, "job-1")
    sync_runs(dead, dispatcher)
    assert "nobody answers at 127.0.0.1:1" in caplog.text
    assert "neptune could not take everything" in caplog.text
    for secret in ("s3cret-w0rd", token):
        assert secret not in caplog.text
        assert secret not in repr(dead.settings)
    assert (runtime.settings.data_dir / "neptune" / "job-1" / ".neptune" / "offline").is_dir()

    sync_runs(with_trackers(runtime, "mlflow"), dispatcher)
    assert rows(database, "select name from runs") == [("job-1",)]


def test_a_server_that_takes_calls_and_says_nothing_is_given_up_after_the_limit(
    runtime: Runtime, dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = SecretStr(f"http://127.0.0.1:{silent.getsockname()[1]}")
        write_run(runtime.runs, "job-1", epochs=1)
        sync_runs(with_trackers(runtime, "mlflow", mlflow_uri=uri, sync_limit_seconds=2), dispatcher)
    assert "mlflow took longer than 2 s; the rest is kept" in caplog.text
    assert runtime.runs.sent("job-1", "mlflow") == 0


def test_a_job_on_a_worker_ends_well_whatever_its_trackers_do(
    settings: Settings, runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    """The silent server holds the sync task for its whole limit; the other process trains meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = SecretStr(f"http://127.0.0.1:{silent.getsockname()[1]}")
        update = {"trackers": ("mlflow",), "mlflow_uri": uri, "sync_limit_seconds": 4}
        worker = WorkerProcess(settings.model_copy(update=update), "worker")
        try:
            dispatcher.app.send_task("topshelf.sync_runs", queue="io")
            job, _ = runtime.jobs.create("train", "item_knn")
            dispatcher.start(job.id)
            [job] = succeeded(runtime, job.id)
        finally:
            worker.stop()
    run = runtime.runs.get(job.id)
    assert run.state == "succeeded"
    assert run.last("training/Metrics/Recall@10") == (job.metrics or {})["Recall@10"]


def test_a_worker_tells_the_trackers_after_the_job_without_being_asked(
    settings: Settings, runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    worker = WorkerProcess(settings.model_copy(update={"trackers": ("neptune",)}), "worker")
    try:
        job, _ = runtime.jobs.create("train", "popular")
        dispatcher.start(job.id)
        succeeded(runtime, job.id)
        kept = settings.data_dir / "neptune" / job.id
        wait_until(kept.is_dir, "the run kept for Neptune")
    finally:
        worker.stop()
    assert list(kept.glob(".neptune/offline/*/data-1.log"))


def test_beat_sends_the_task_unless_every_tracker_is_off(settings: Settings) -> None:
    assert "sync-runs" not in beat_schedule(settings)
    on = settings.model_copy(update={"trackers": ("mlflow",)})
    assert beat_schedule(on)["sync-runs"]["options"]["queue"] == "io"


@pytest.fixture
def mlflow_port() -> int:
    return free_port()


@contextlib.contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator[None]:
    """A real server with a database of its own; seconds to start."""
    store = f"sqlite:///{folder / 'server.db'}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            env=process_environment() | {"MLFLOW_DISABLE_TELEMETRY": "true"},
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def answers() -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
            return True
        return False

    try:
        wait_until(answers, "the MLflow server")
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_server_that_comes_back_is_told_what_it_missed(
    runtime: Runtime, dispatcher: Dispatcher, tmp_path: Path, mlflow_port: int
) -> None:
    uri = SecretStr(f"http://127.0.0.1:{mlflow_port}")
    runtime = with_trackers(runtime, "mlflow", mlflow_uri=uri)
    write_run(runtime.runs, "job-1")
    sync_runs(runtime, dispatcher)
    assert runtime.runs.sent("job-1", "mlflow") == 0
    with mlflow_server(tmp_path, mlflow_port):
        sync_runs(runtime, dispatcher)
    assert rows(tmp_path / "server.db", "select name, status from runs") == [("job-1", "FINISHED")]
