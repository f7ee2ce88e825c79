import io
import threading
from dataclasses import replace

import pytest
import redis
from rich.console import Console

from store.jobs import Job, Jobs
from store.keys import Keys
from tests.waiting import wait_until
from topshelf.cli import job_display
from topshelf.cli.job_display import status_line, watch_jobs


@pytest.fixture
def jobs(client: redis.Redis, keys: Keys) -> Jobs:
    return Jobs(client, keys, retention_days=1)


@pytest.fixture
def job(jobs: Jobs) -> Job:
    return jobs.create("train", "als", job_id="one")[0]


@pytest.fixture(params=[True, False], ids=["terminal", "no terminal"])
def console(request: pytest.FixtureRequest) -> Console:
    return Console(file=io.StringIO(), width=120, force_terminal=request.param, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_jobs_are_watched_until_all_are_over(jobs: Jobs, job: Job, console: Console) -> None:
    jobs.create("train", "popular", job_id="two")
    jobs.finish("two", "failed", error={"error_key": "training_failed", "error_message": "[red] diverged"})
    turn = threading.Thread(target=jobs.finish, args=("one", "succeeded"))
    turn.start()
    records = watch_jobs(jobs, ["one", "two"], console)
    turn.join()
    assert [(record.id, record.state) for record in records] == [("one", "succeeded"), ("two", "failed")]
    assert "als" in written(console)
    assert "failed: [red] diverged" in written(console)


def test_a_job_that_nobody_takes_is_said(
    jobs: Jobs, job: Job, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_display, "PATIENCE_SECONDS", 0.0)
    turn = threading.Timer(0.5, jobs.finish, ("one", "cancelled"))
    turn.start()
    watch_jobs(jobs, ["one"], console)
    turn.join()
    assert written(console).count("No worker has taken the job yet") == 1


def test_how_fast_a_precompute_goes_is_shown_as_it_goes(
    jobs: Jobs, job: Job, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_display, "LINE_EVERY_SECONDS", 0.0)
    jobs.begin_stage("one", "train", lease_seconds=60)
    messages = [f"{done}12,000 of 962,179 users, 24,100 a second, 23 s left" for done in (4, 8)]

    def work() -> None:
        for message in messages:
            jobs.update("one", message=message)
            wait_until(lambda: f"train: {message}" in written(console))  # noqa: B023 -- waited for at once
        jobs.finish("one", "succeeded")

    turn = threading.Thread(target=work)
    turn.start()
    watch_jobs(jobs, ["one"], console)
    turn.join()
    assert all(message in written(console) for message in messages)


def test_the_status_is_said_in_a_few_words(job: Job) -> None:
    assert status_line(job) == "queued"
    assert status_line(replace(job, state="running", stage="train")) == "train"
    assert status_line(replace(job, state="running", stage="train", message="epoch 3")) == "train: epoch 3"
    assert (
        status_line(replace(job, state="succeeded", message="generation 7 is live")) == "generation 7 is live"
    )
    assert status_line(replace(job, state="succeeded")) == "succeeded"
    failed = replace(job, state="failed", error={"error_key": "x", "error_message": "no room"})
    assert status_line(failed) == "failed: no room"
