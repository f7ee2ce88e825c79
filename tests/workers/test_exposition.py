import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from interactions.dataset import Dataset
from store.embedded import free_port
from tests.waiting import wait_until
from tests.workers.conftest import StartWorker, succeeded
from topshelf.errors import ServiceError, SettingsError
from topshelf.settings import Settings, process_environment
from workers import exposition
from workers.dispatch import Dispatcher
from workers.runtime import Runtime


@pytest.fixture(params=["fork", "spawn"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """A pool is spawned where the device is no CPU; ``popular_in_category`` does not care for it."""
    device = "cpu" if request.param == "fork" else "cuda"
    return settings.model_copy(update={"metrics_port": free_port(), "device": device, "log_format": "json"})


def scraped(settings: Settings) -> dict[str, float]:
    """The samples of a worker's /metrics by name and labels; none while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    return {
        sample: float(value)
        for sample, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def counting_processes(settings: Settings) -> set[int]:
    """Those of the pool that have a gauge which ends with them."""
    files = (settings.cache_dir / "metrics").rglob("gauge_live*.db")
    return {int(path.stem.rpartition("_")[2]) for path in files}


def test_figures_are_those_of_all_processes_and_outlive_a_killed_one(
    settings: Settings, runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset, start_worker: StartWorker
) -> None:
    worker = start_worker("worker")
    job, _ = runtime.jobs.create("pipeline", "popular_in_category")
    dispatcher.start(job.id)
    succeeded(runtime, job.id)
    chunks = 'topshelf_tasks_total{outcome="succeeded",task="topshelf.precompute_chunk"}'
    written = 'topshelf_users_written_total{model="popular_in_category"}'
    wait_until(lambda: scraped(settings).get(chunks, 0) > 1, "chunks counted")
    before = scraped(settings)
    assert before[written] == 300
    assert before['topshelf_users_scored_total{model="popular_in_category"}'] == 300
    assert before['topshelf_task_seconds_count{task="topshelf.train"}'] == 1
    ended = '{error="",kind="pipeline",model="popular_in_category",state="succeeded"}'
    assert before[f"topshelf_jobs_ended_total{ended}"] == 1
    assert 0 < before['topshelf_evaluation{metric="NDCG@10",model="popular_in_category"}'] <= 1

    killed = counting_processes(settings)
    assert killed <= set(worker.children())
    for child in killed:
        os.kill(child, signal.SIGKILL)
    wait_until(lambda: not killed & set(worker.children()), "the children gone")
    after = scraped(settings)
    assert not counting_processes(settings) & killed
    assert {name: after[name] for name in before if "_running" not in name} == {
        name: count for name, count in before.items() if "_running" not in name
    }
    assert worker.alive
    lines = [json.loads(line) for line in worker.log.read_text().splitlines()]
    own = [line for line in lines if line.get("job") == job.id]
    assert {(line["trace"], line["model"]) for line in own} == {(job.id, job.model)}
    assert {line["process"] for line in own} < {line["process"] for line in lines}


HOLDING = """
from workers.metrics import WorkerMetrics
with WorkerMetrics().task("topshelf.train"):
    print("begun", flush=True)
    input()
"""


def test_a_task_whose_process_was_killed_is_no_longer_under_way(tmp_path: Path) -> None:
    figures = exposition.PoolFigures(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING],
        env=process_environment() | {exposition.FOLDER_VARIABLE: str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert running_tasks(figures) == [1]
    finally:
        process.kill()
        process.communicate()
    assert running_tasks(figures) == []


def running_tasks(figures: exposition.PoolFigures) -> list[float]:
    return [
        sample.value
        for family in figures.collect()
        if family.name == "topshelf_tasks_running"
        for sample in family.samples
    ]


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_worker_whose_port_is_taken_does_not_start(listening: int, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="TOPSHELF_METRICS_PORT names another port"):
        exposition.prepare(Settings(metrics_port=listening, cache_dir=tmp_path))


def test_a_worker_without_a_port_has_no_folder(tmp_path: Path) -> None:
    assert exposition.prepare(Settings(cache_dir=tmp_path)) == {}
    assert not list(tmp_path.iterdir())


def test_what_a_worker_before_counted_is_gone(tmp_path: Path) -> None:
    settings = Settings(metrics_port=free_port(), cache_dir=tmp_path)
    folder = Path(exposition.prepare(settings)[exposition.FOLDER_VARIABLE])
    (folder / "counter_1.db").touch()
    exposition.prepare(settings)
    assert not list(folder.iterdir())


def test_celerys_own_command_cannot_answer(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="topshelf worker"):
        exposition.answer(Settings(metrics_port=free_port(), cache_dir=tmp_path))


def test_a_worker_whose_port_was_taken_since_it_prepared_says_that_it_has_no_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(metrics_port=free_port(), cache_dir=tmp_path)
    for name, value in exposition.prepare(settings).items():
        monkeypatch.setenv(name, value)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.metrics_port))
        taken.listen()
        exposition.answer_if_possible(settings)
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert f"answers no /metrics at 127.0.0.1:{settings.metrics_port}" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], OSError)
