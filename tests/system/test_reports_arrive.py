"""What real processes report arrives at a real server, each thing once; no server is not noticed."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from pydantic import SecretStr

from store.embedded import free_port
from store.jobs import Jobs
from store.keys import Keys
from tests.api.conftest import ADMIN, READ
from tests.api.shop import Shop, list_of
from tests.api.test_server import serving
from tests.bugsink.server import Arrived, Bugsink, serving_bugsink
from tests.topshelf.reports.capturing import reporting
from tests.waiting import wait_until
from tests.workers.conftest import WorkerProcess
from topshelf.reports import Monitor, Place, Reports
from topshelf.reports.trial import TITLE, report_on_purpose
from topshelf.settings import Settings
from workers.celery_app import create_app

LIST = "GET /reco/{model_name}/{user_id}"
NEVER_SECONDS = 600.0
WRONG = {"Authorization": "Bearer no-such-token"}


@pytest.fixture(scope="module")
def bugsink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    with serving_bugsink(tmp_path_factory.mktemp("bugsink")) as server:
        yield server


@pytest.fixture
def settings(redis_url: str, keys: Keys, tmp_path: Path) -> Settings:
    return Settings.from_environment(
        {},
        serving_url=redis_url,
        durable_url=redis_url,
        key_prefix=keys.prefix,
        cache_dir=tmp_path / "cache",
        data_dir=tmp_path / "data",
        tokens_read=(SecretStr("read-token"),),
        tokens_admin=(SecretStr("admin-token"),),
        sentry_environment=keys.prefix.strip(":"),
        slow_request_seconds=NEVER_SECONDS,
        trackers=(),
    )


@pytest.fixture
def shop(client: redis.Redis, keys: Keys) -> Shop:
    """Everything is live."""
    shop = Shop(client, keys)
    shop.publish_all()
    return shop


@pytest.fixture
def jobs(client: redis.Redis, keys: Keys) -> Jobs:
    return Jobs(client, keys, 30)


def titles(events: list[Arrived]) -> Counter[str]:
    return Counter(one.title for one in events)


def test_what_a_reader_fails_at_and_refuses_arrives_once_and_well_named(
    bugsink: Bugsink, settings: Settings, shop: Shop, jobs: Jobs, client: redis.Redis
) -> None:
    environment = settings.sentry_environment
    damaged, _ = jobs.create("train", "als")
    client.hdel(shop.keys.job(damaged.id), "kind")
    with (
        serving(reporting(settings, bugsink.dsn, fault_users=True)) as url,
        httpx.Client(base_url=url) as api,
    ):
        for _ in range(4):
            assert api.get("/reco/als/7", headers=WRONG).status_code == 401
        assert api.get("/reco/als/7?k=0", headers=READ).status_code == 422
        assert api.get("/nowhere/at/all", headers=READ).status_code == 404
        assert api.get("/reco/als/666", headers=READ).status_code == 500
        assert api.get(f"/jobs/{damaged.id}", headers=ADMIN).status_code == 503
        assert api.get("/reco/als/7", headers=READ).json()["items"] == list_of(7)[:10]
        at_work = bugsink.wait_for(5, environment)
    wanted = {
        f"401 not_authenticated on {LIST}: the token is not known": LIST,
        f"422 request_invalid on {LIST}: query.k: Input should be greater than or equal to 1": LIST,
        "404 route_not_found on GET none: there is nothing under /nowhere": "GET none",
        "DeliberateFault: a deliberate fault: TOPSHELF_FAULT_USERS is on": LIST,
        f"StoreError: the record of job {damaged.id} is damaged: it has no kind": "GET /jobs/{job_id}",
    }
    assert titles(at_work) == dict.fromkeys(wanted, 1)
    for one in at_work:
        assert one.event["transaction"] == one.event["tags"]["route"] == wanted[one.title]
        assert one.event["tags"]["service"] == "reader"
    of_list = [one.event for one in at_work if wanted[one.title] == LIST]
    assert {(event["tags"]["model"], event["tags"]["generation"]) for event in of_list} == {("als", "1")}
    assert len({event["user"]["id"] for event in of_list}) == 2

    last = bugsink.wait_for(6, environment)[-1]
    assert last.title == f"401 not_authenticated on {LIST}: 3 more since the last report"
    [first] = [one for one in at_work if one.title.startswith("401")]
    assert last.issue == first.issue
    sent = json.dumps([one.event for one in bugsink.arrived(environment)])
    assert not [secret for secret in ("read-token", "admin-token", "no-such-token", "k=0") if secret in sent]


def test_a_slow_request_arrives_once(bugsink: Bugsink, settings: Settings, shop: Shop) -> None:
    slow = reporting(settings, bugsink.dsn, slow_request_seconds=1e-9)
    with serving(slow) as url:
        for _ in range(3):
            assert httpx.get(f"{url}/reco/als/7", headers=READ).status_code == 200
    events = bugsink.wait_for(1, settings.sentry_environment)
    found = [one for one in events if one.event["transaction"] == LIST]
    assert [one.title for one in found] == [f"slow request: {LIST}"]
    assert found[0].event["extra"]["milliseconds"] > 0


def test_what_a_worker_fails_at_arrives_once_and_well_named(
    bugsink: Bugsink, settings: Settings, jobs: Jobs
) -> None:
    own = reporting(settings, bugsink.dsn)
    job, _ = jobs.create("pipeline", "als", trace="request-7")
    app = create_app(own)
    app.send_task("topshelf.pipeline", args=[job.id], queue="io")
    app.send_task("topshelf.publish", args=["a", "b", "c"], queue="io")
    worker = WorkerProcess(own, "worker")
    try:
        bugsink.wait_for(2, settings.sentry_environment)
    finally:
        worker.stop()
        app.close()
    failed, broken = sorted(bugsink.arrived(settings.sentry_environment), key=lambda one: one.title)
    folder = settings.data_dir / "datasets"
    assert failed.title == f"DatasetNotFound: there is no dataset in {folder} yet; ingest one first"
    assert failed.event["transaction"] == "topshelf.pipeline"
    tags = failed.event["tags"]
    assert (tags["service"], tags["task"], tags["model"]) == ("worker", "topshelf.pipeline", "als")
    assert (tags["job"], tags["trace"]) == (job.id, "request-7")
    assert broken.title == "TypeError: publish() takes 3 positional arguments but 5 were given"
    assert broken.event["tags"]["task"] == broken.event["transaction"] == "topshelf.publish"
    assert {failed.event["level"], broken.event["level"]} == {"error"}


def test_a_beat_that_crashes_says_so(bugsink: Bugsink, settings: Settings) -> None:
    own = reporting(settings, bugsink.dsn, durable_url=SecretStr(f"redis://127.0.0.1:{free_port()}/0"))
    beat = WorkerProcess(own, "beat")
    try:
        [crash] = bugsink.wait_for(1, settings.sentry_environment)
    finally:
        beat.stop()
    assert crash.title.startswith("ConnectionError: ")
    assert (crash.event["transaction"], crash.event["tags"]) == ("beat", {"service": "beat", "task": "beat"})


def test_a_report_on_purpose_arrives(bugsink: Bugsink, settings: Settings) -> None:
    trial = report_on_purpose(reporting(settings, bugsink.dsn))
    assert trial.answer.startswith("200 ")
    [one] = bugsink.wait_for(1, settings.sentry_environment)
    assert one.title == TITLE
    assert one.event["event_id"] == trial.event


def test_check_ins_do_no_harm_where_there_are_no_monitors(bugsink: Bugsink, settings: Settings) -> None:
    reports = Reports(reporting(settings, bugsink.dsn), "worker")
    monitor = Monitor("topshelf-nightly", "0 3 * * *", "UTC", margin_minutes=10, most_minutes=360)
    reports.check_in(monitor, "nightly-2026-11-27", "in_progress")
    for _ in range(2):
        reports.say("the run failed", Place("schedule nightly"), group=("nightly",), once=monitor.slug)
    reports.say("another run failed", Place("schedule nightly"), group=("nightly",), once="another")
    reports.close()
    events = bugsink.wait_for(2, settings.sentry_environment)
    assert [one.title for one in events] == ["the run failed", "another run failed"]


@pytest.fixture
def silent() -> Iterator[str]:
    """The DSN of a server that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://key@127.0.0.1:{listening.getsockname()[1]}/1"


def test_a_reader_does_not_notice_a_server_that_never_answers(
    settings: Settings, shop: Shop, silent: str
) -> None:
    with (
        serving(reporting(settings, silent, fault_users=True)) as url,
        httpx.Client(base_url=url, timeout=30) as api,
    ):
        for _ in range(10):
            assert api.get("/reco/als/666", headers=READ).status_code == 500
            assert api.get("/reco/als/7", headers=WRONG).status_code == 401
            assert api.get("/reco/als/7", headers=READ).json()["items"] == list_of(7)[:10]


def test_a_worker_does_not_notice_a_server_that_never_answers(
    settings: Settings, jobs: Jobs, silent: str
) -> None:
    own = reporting(settings, silent)
    app = create_app(own)
    asked = [jobs.create("pipeline", "als")[0].id for _ in range(3)]
    for job_id in asked:
        app.send_task("topshelf.pipeline", args=[job_id], queue="io")
    worker = WorkerProcess(own, "worker")
    try:
        wait_until(lambda: all(jobs.get(job_id).over for job_id in asked), "every job over")
    finally:
        worker.stop()
        app.close()
    assert worker.exit_code == 0, "it did not end by itself"
