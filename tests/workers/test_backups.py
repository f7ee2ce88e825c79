"""A backup of a system at work, restored into another folder and another Redis."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.app import create_app as create_reader
from interactions.dataset import Dataset
from store.embedded import EmbeddedRedis, free_port
from store.events import Event
from store.items import ItemOverlay
from store.jobs import Job
from store.recents import Recents
from tests.api.caller import calling
from tests.api.conftest import READ
from tests.waiting import wait_until
from tests.workers.conftest import WorkerProcess, finished, succeeded
from tests.workers.filling import fill, opened
from topshelf.backups.making import make_backup
from topshelf.backups.restoring import FENCE_LEAP
from topshelf.settings import Settings, process_environment
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.pipeline import pipeline
from workers.tasks.publish import publish
from workers.tasks.reconcile import reconcile

EVENTS = [Event(f"e{number}", number, 100 + number, "2026-02-01T00:00:00+00:00") for number in range(5)]
USERS = (0, 1, 2, 3, 7, 299, 5_000)


def run(settings: Settings, *command: str, code: int = 0) -> Any:
    """A command from a shell, with --json; its decoded answer."""
    done = subprocess.run(
        [sys.executable, "-m", "topshelf", *command, "--json"],
        env=process_environment() | settings.to_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads((done.stderr if code else done.stdout).strip().splitlines()[-1])


def lists(settings: Settings) -> dict[str, bytes]:
    """What a reader answers some users, byte for byte."""
    opened = settings.model_copy(update={"tokens_read": (SecretStr("read-token"),)})
    with calling(create_reader(opened), READ) as api:
        paths = [f"/reco/{model}/{user}" for model in ("als", "popular") for user in USERS]
        answers = {path: api.get(path) for path in paths}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {path: answer.content for path, answer in answers.items()}


@pytest.fixture
def at_work(settings: Settings, runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset) -> Job:
    """Two live models, one of them rolled back and held; feedback, a hidden item; a job cut off by a kill."""
    for model, rules in (("als", {}), ("als", {"block": [101]}), ("popular", {"block": [115]})):
        job = opened(runtime, dispatcher, dataset, model, rules=rules)
        fill(runtime, dispatcher, job)
        publish(runtime, dispatcher, job.id)
    runtime.generations.rollback("als")
    runtime.events.append(EVENTS)
    recents = Recents(runtime.serving, runtime.keys, settings.recent_ttl_seconds)
    for event in EVENTS:
        recents.touch(str(event.user_id), [str(event.item_id)])
    recents.put_profile("5000", {"categories": ["taste 1"]})
    ItemOverlay(runtime.serving, runtime.keys).hide("130")
    job, _ = runtime.jobs.create("train", "bpr", params={"config": {"iterations": 10_000, "factors": 512}})
    pipeline(runtime, dispatcher, job.id)
    assert runtime.jobs.begin_stage(job.id, "train", lease_seconds=60)
    return runtime.jobs.get(job.id)


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path) -> Settings:
    """Another folder, and an embedded Redis of its own that nobody has started."""
    url = SecretStr(f"redis://127.0.0.1:{(port := free_port())}/0")
    return settings.model_copy(
        update={
            "data_dir": tmp_path / "elsewhere",
            "cache_dir": tmp_path / "cache-elsewhere",
            "redis_port": port,
            "serving_url": url,
            "durable_url": url,
        }
    )


def test_a_restored_system_serves_the_same_lists_and_has_lost_nothing(
    settings: Settings, runtime: Runtime, at_work: Job, elsewhere: Settings, tmp_path: Path
) -> None:
    before, history = lists(settings), {job.id: job for job in runtime.jobs.list()}
    file = tmp_path / "backup.tar"
    made = make_backup(runtime, file, lambda share, what: None)
    assert {live.model for live in made.live} == {"als", "popular"}
    assert file.stat().st_mode & 0o777 == 0o600
    runtime.serving.flushdb()

    restored = run(elsewhere, "restore", str(file))
    with EmbeddedRedis(elsewhere.data_dir / "redis", elsewhere.redis_port):
        again = Runtime(elsewhere)
        dispatcher = Dispatcher(create_app(elsewhere))
        worker = WorkerProcess(elsewhere, "worker")
        try:
            succeeded(again, *restored["jobs"])
            assert lists(elsewhere) == before
            assert again.generations.held_since("als")
            for model in ("als", "popular"):
                live = again.generations.live(model)
                assert live is not None
                assert live.fence > FENCE_LEAP
            assert [event for _, event in again.events.read_batch(100)] == EVENTS
            kept = {job.id: job for job in again.jobs.list() if job.id in history and job.over}
            assert kept == {job_id: job for job_id, job in history.items() if job.over}

            again.durable.hset(again.keys.job(at_work.id), "lease_until", 0)

            def taken_up() -> bool:
                reconcile(again, dispatcher)
                return again.jobs.get(at_work.id).attempts == 2

            wait_until(taken_up, "the job that was cut off under way again")
            again.jobs.request_cancel(at_work.id)
            assert finished(again, at_work.id)[0].state == "cancelled"
        finally:
            worker.stop()
            dispatcher.app.close()
            again.serving.close()
            again.durable.close()
