"""The exporter's figures of a real Redis, stocked through the store."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from store.embedded import EmbeddedRedis, free_port
from store.jobs import Jobs
from store.keys import Keys
from tests.store.stocking import USERS, Stocking
from topshelf.errors import ServiceError
from topshelf.exporter.collector import SystemFigures
from topshelf.exporter.server import exporter
from topshelf.settings import Settings
from workers.celery_app import create_app
from workers.nights import begin_missed
from workers.runtime import Runtime

SCHEDULES = """
[schedules.nightly]
cron = "0 3 * * *"
models = ["als"]

[schedules.weekly]
cron = "30 4 * * 0"
models = ["ease", "als"]

[schedules.by_hand]
cron = ""
models = ["popular"]
"""


def settings_of(url: str, keys: Keys) -> Settings:
    return Settings.from_environment({}, serving_url=url, durable_url=url, key_prefix=keys.prefix)


@pytest.fixture
def figures(redis_url: str, keys: Keys) -> Iterator[SystemFigures]:
    figures = SystemFigures(settings_of(redis_url, keys))
    yield figures
    figures.close()


def samples(figures: SystemFigures) -> dict[tuple[str, ...], float]:
    """Values by name, without what all names start with, and labels."""
    return {
        (sample.name.removeprefix("topshelf_"), *sample.labels.values()): sample.value
        for family in figures.collect()
        for sample in family.samples
    }


def test_what_is_live_is_told_of_each_model(client: redis.Redis, keys: Keys, figures: SystemFigures) -> None:
    stocking = Stocking(client, keys)
    base = stocking.live()
    stocking.live_delta(base)
    Stocking(client, keys, "bpr").open()
    found = samples(figures)
    assert 0 <= found["live_age_seconds", "als"] < 60
    assert found["live_users", "als"] == len(USERS)
    assert found["live_items", "als"] == 1_000
    assert found["live_user_coverage", "als"] == 1
    assert found["delta_users", "als"] == 10
    assert (
        found["generation_bytes", "als", "1", "live"] > found["generation_bytes", "bpr", "1", "building"] > 0
    )
    assert ("live_users", "bpr") not in found
    assert found["model_held", "als"] == found["model_held", "bpr"] == 0


def test_what_a_publication_changed_is_told(client: redis.Redis, keys: Keys, figures: SystemFigures) -> None:
    stocking = Stocking(client, keys)
    stocking.live()
    second = stocking.ready(2)
    stocking.generations.publish("als", second.id, second.fence, overlap=0.25, changed=1.0)
    found = samples(figures)
    assert (found["live_overlap", "als"], found["live_changed", "als"]) == (0.25, 1.0)
    stocking.generations.rollback("als")
    after = samples(figures)
    assert after["model_held", "als"] == 1
    assert ("live_overlap", "als") not in after


def test_jobs_are_told_by_kind_model_and_state(
    client: redis.Redis, keys: Keys, figures: SystemFigures
) -> None:
    jobs = Jobs(client, keys, 30)
    jobs.create("pipeline", "als", job_id="a")
    jobs.finish("a", "failed")
    jobs.create("pipeline", "als", job_id="b")
    jobs.create("train", "made_up", job_id="c")
    found = samples(figures)
    assert found["jobs", "pipeline", "als", "failed"] == 1
    assert found["jobs", "pipeline", "als", "queued"] == 1
    assert found["jobs", "train", "other", "queued"] == 1
    assert 0 < found["oldest_job_seconds", "queued"] < 60
    assert found["oldest_job_seconds", "running"] == 0
    assert found["last_job_failed", "pipeline", "als"] == 1
    jobs.update("b", metrics={"Coverage@10": 0.75})
    jobs.finish("b", "succeeded")
    found = samples(figures)
    assert found["last_job_failed", "pipeline", "als"] == 0
    assert found["item_coverage", "als"] == 0.75


def test_queues_events_and_the_scheduler_are_told(
    client: redis.Redis, keys: Keys, figures: SystemFigures
) -> None:
    client.rpush("gpu", "message")
    client.xadd(keys.events, {"e": "[]"})
    lock = create_app(settings_of("redis://localhost", keys)).redbeat_conf.lock_key
    client.set(lock, "held")
    found = samples(figures)
    assert (found["queue_messages", "gpu"], found["queue_messages", "cpu"]) == (1, 0)
    assert (found["events_waiting",], found["events_limit",]) == (1, 5_000_000)
    assert found["beat_up",] == 1


def test_how_a_schedule_is_doing_is_told_by_its_name(
    redis_url: str, keys: Keys, figures: SystemFigures, tmp_path: Path
) -> None:
    file = tmp_path / "schedule.toml"
    file.write_text(SCHEDULES)
    runtime = Runtime(settings_of(redis_url, keys).model_copy(update={"schedule_file": file}))
    known = datetime(2026, 11, 23, 12, tzinfo=UTC)
    begin_missed(runtime, lambda _: known)
    found = samples(figures)
    assert (found["renewal_seconds", "als"], found["renewal_seconds", "ease"]) == (86_400, 7 * 86_400)
    assert found["nightly_overdue_seconds", "nightly"] == pytest.approx(
        max(0, time.time() - known.replace(day=24, hour=3).timestamp()), abs=60
    )
    assert ("nightly_overdue_seconds", "by_hand") not in found
    begin_missed(runtime, lambda _: known.replace(year=2126))
    [run] = [run for run in runtime.nights.list() if run.schedule == "nightly"]
    runtime.nights.finish(run.id, "failed")
    found = samples(figures)
    states = ("queued", "running", "succeeded", "failed", "skipped")
    assert [found["nightly_state", "nightly", state] for state in states] == [0, 0, 0, 1, 0]
    assert found["nightly_overdue_seconds", "nightly"] == 0
    assert 0 <= found["nightly_age_seconds", "nightly"] < 60


def test_a_silent_server_is_down_and_the_other_is_told_of(redis_url: str, keys: Keys) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings = settings_of(redis_url, keys)
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        one_away = Settings.from_environment({}, **{**settings.model_dump(), "serving_url": url})
        figures = SystemFigures(one_away)
        found = samples(figures)
        assert (found["redis_up", "serving"], found["redis_up", "durable"]) == (0, 1)
        assert ("redis_used_bytes", "serving") not in found
        assert found["queue_messages", "io"] == 0
        figures.close()


def test_a_scrape_is_answered_while_redis_is_away_and_when_it_is_back(
    tmp_path: Path, redis_binary: Path | None, keys: Keys
) -> None:
    server = EmbeddedRedis(tmp_path, free_port(), server=redis_binary)
    settings = settings_of(server.url, keys).model_copy(update={"exporter_port": free_port()})

    def scraped() -> str:
        url = f"http://127.0.0.1:{settings.exporter_port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return str(answer.read().decode())

    with server, exporter(settings):
        assert 'topshelf_redis_up{role="serving"} 1.0' in scraped()
        server.stop()
        assert 'topshelf_redis_up{role="serving"} 0.0' in scraped()
        server.start()
        assert 'topshelf_redis_up{role="serving"} 1.0' in scraped()
        with pytest.raises(ServiceError, match="TOPSHELF_EXPORTER_PORT"), exporter(settings):
            pytest.fail("the port was taken twice")


def test_the_exporter_needs_neither_workers_nor_reader() -> None:
    code = "import sys, topshelf.exporter.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    roots = {name.partition(".")[0] for name in done.stdout.split()}
    assert not roots & {
        "celery",
        "kombu",
        "fastapi",
        "polars",
        "scipy",
        "implicit",
        "torch",
        "workers",
        "api",
    }
