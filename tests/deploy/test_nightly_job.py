"""The CronJob's command, on a worker as compose runs it."""

import re
from pathlib import Path

import pytest

from tests.deploy.conftest import Launch
from tests.deploy.containerless import Containerless
from tests.deploy.kubernetes import container, environment

RATINGS = "user_id,item_id,timestamp\n" + "".join(
    f"{user},{(user * 7 + step * step) % 23},{1_700_000_000 + 1000 * step + user}\n"
    for user in range(40)
    for step in range(10)
)


@pytest.mark.tools
@pytest.mark.timeout(900)
def test_the_cron_jobs_command_runs_the_night_while_beat_starts_none(
    launch: Launch, composed_redis: dict[str, Containerless]
) -> None:
    addresses = {
        f"redis-{role}:6379": f"127.0.0.1:{server.ports[6379]}" for role, server in composed_redis.items()
    }
    worker = launch("worker", addresses)
    worker.wait_until_healthy()
    ratings = "/data/ratings.csv"
    Path(worker.local(ratings)).write_text(RATINGS)
    ingest = ["topshelf", "ingest", ratings, "--user", "user_id", "--item", "item_id"]
    ingested = worker.run([*ingest, "--timestamp", "timestamp"], timeout_seconds=150)
    assert ingested.returncode == 0, ingested.stderr
    pod = environment("nightly") | {"TOPSHELF_NIGHTLY_CRON": "", "TOPSHELF_MODELS": "popular"}
    runs = set()
    for _ in range(2):
        night = worker.run(container("nightly")["command"], pod, timeout_seconds=200)
        assert night.returncode == 0, night.stdout + night.stderr + worker.said()
        runs |= {*re.findall(r"nightly run (\S+) succeeded", night.stdout)}
    assert len(runs) == 1
