import json
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from api.app import create_app
from store.dispatch import START_QUEUE, START_TASK
from store.jobs import Jobs
from store.keys import Keys
from tests.api.caller import Caller, calling
from tests.api.conftest import ADMIN
from topshelf.settings import Settings


@pytest.fixture
def jobs(client: redis.Redis, keys: Keys) -> Jobs:
    return Jobs(client, keys, 30)


def sent(client: redis.Redis) -> list[dict[str, Any]]:
    """Messages in the queue a job starts in, oldest first."""
    return [json.loads(message) for message in reversed(client.lrange(START_QUEUE, 0, -1))]


def test_a_job_is_recorded_and_one_message_with_its_id_is_sent(
    admin: Caller, client: redis.Redis, jobs: Jobs
) -> None:
    answer = admin.post(
        "/jobs", json={"kind": "pipeline", "model": "als", "params": {"config": {"factors": 8}}}
    )
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    assert (job["kind"], job["model"], job["state"]) == ("pipeline", "als", "queued")
    assert jobs.get(job["id"]).params == {"config": {"factors": 8}}
    [message] = sent(client)
    assert message["headers"]["task"] == START_TASK
    assert message["headers"]["ignore_result"] is True
    assert message["headers"]["id"].startswith(job["id"])


def test_an_incremental_run_is_a_job_of_its_own_kind(admin: Caller, client: redis.Redis, jobs: Jobs) -> None:
    job = admin.post("/jobs", json={"kind": "delta", "model": "als"}).json()
    assert (job["kind"], job["stage"]) == ("delta", "precompute")
    assert len(sent(client)) == 1


def test_the_same_job_id_again_starts_nothing(admin: Caller, client: redis.Redis) -> None:
    body = {"kind": "train", "model": "als", "job_id": "nightly-1"}
    assert admin.post("/jobs", json=body).json()["id"] == "nightly-1"
    assert admin.post("/jobs", json=body).status_code == 202
    assert len(sent(client)) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "cook", "model": "als"}, "kind"),
        ({"kind": "train"}, "model"),
        ({"kind": "train", "model": "../als"}, "model"),
        ({"kind": "train", "model": "als", "params": []}, "params"),
        ({"kind": "train", "model": "als", "job_id": "a b"}, "job_id"),
        ({"kind": "train", "model": "als", "jobid": "a"}, "jobid"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_and_nothing_recorded(
    admin: Caller, jobs: Jobs, body: dict[str, Any], field: str
) -> None:
    answer = admin.post("/jobs", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["error_loc"] == ["body", field]
    assert jobs.list() == []


def test_jobs_are_listed_newest_first_and_by_state_and_model(admin: Caller, jobs: Jobs) -> None:
    for number, model in enumerate(("als", "ease", "als")):
        jobs.create("train", model, job_id=f"j{number}")
    jobs.finish("j0", "failed", error={"error_key": "training_failed", "error_message": "NaN"})

    def listed(query: str = "") -> list[str]:
        return [job["id"] for job in admin.get(f"/jobs{query}").json()["jobs"]]

    assert listed() == ["j2", "j1", "j0"]
    assert listed("?limit=2") == ["j2", "j1"]
    assert listed("?model=als") == ["j2", "j0"]
    assert listed("?state=failed") == ["j0"]
    assert listed("?state=queued&model=ease") == ["j1"]
    assert admin.get("/jobs?state=lost").status_code == 422


def test_one_job_shows_its_error(admin: Caller, jobs: Jobs) -> None:
    jobs.create("train", "als", job_id="j1")
    fault = {"error_key": "training_failed", "error_message": "NaN"}
    jobs.finish("j1", "failed", error=fault)
    job = admin.get("/jobs/j1").json()
    assert (job["state"], job["error"]) == ("failed", fault)


def test_a_job_is_cancelled_cooperatively(admin: Caller, jobs: Jobs) -> None:
    jobs.create("train", "als", job_id="j1")
    jobs.begin_stage("j1", "train", 60)
    answer = admin.delete("/jobs/j1")
    assert answer.status_code == 202
    assert answer.json()["state"] == "cancelling"
    assert jobs.is_cancelling("j1")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_job_is_not_found(admin: Caller, method: str) -> None:
    answer = admin.request(method, "/jobs/none")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["error_key"] == "job_not_found"


def test_without_celery_the_answer_says_what_to_install(
    admin: Caller, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)
    answer = admin.post("/jobs", json={"kind": "train", "model": "als"})
    assert answer.status_code == 503
    [error] = answer.json()["errors"]
    assert error["error_key"] == "control_not_installed"
    assert "topshelf[control]" in error["error_message"]
    assert jobs.list() == []


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_durable_redis_that_is_away_is_answered_in_seconds(settings: Settings, silent_port: int) -> None:
    dead = SecretStr(f"redis://127.0.0.1:{silent_port}/0")
    with calling(create_app(settings.model_copy(update={"durable_url": dead})), ADMIN) as admin:
        started = time.monotonic()
        answer = admin.post("/jobs", json={"kind": "train", "model": "als"})
        assert time.monotonic() - started < 30
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["error_key"] == "store_unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    assert str(silent_port) not in answer.text
