"""``kill -9`` of workers and of Redis while lists are made: the lists are those of a run left in peace.

The whole suite makes a few kills, ``make test-kills`` many.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store.embedded import EmbeddedRedis, free_port
from tests.waiting import PATIENCE_SECONDS
from tests.workers.conftest import WorkerProcess
from tests.workers.filling import live_rows, taste_dataset
from topshelf.errors import StoreUnavailable
from topshelf.settings import Settings
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.pipelines import start_pipelines
from workers.runtime import Runtime
from workers.tasks.reconcile import reconcile

MODELS = ("item_knn", "als")
FEW_USERS, MANY_USERS = 4_000, 24_000
LONGEST_DELAY_SECONDS = 2.5
KILLS_PER_RUN = 4
OUTAGE_SECONDS = 4.0
"""Longer than a client tries again."""

Rows = dict[str, list[bytes | None]]


class Shop:
    """A dataset, two models, one or two Redis servers to be killed, and workers to be killed."""

    def __init__(self, folder: Path, *, n_users: int, servers: int = 1, server: Path | None = None) -> None:
        self.servers = [
            EmbeddedRedis(folder / f"redis{number}", port=free_port(), server=server).start()
            for number in range(servers)
        ]
        self.settings = Settings.from_environment(
            {},
            data_dir=folder / "data",
            cache_dir=folder / "cache",
            serving_url=self.servers[0].url,
            durable_url=self.servers[-1].url,
            users_per_bucket=10,
            chunk_users=20,
            lease_seconds=2,
            worker_processes=2,
            threads=1,
            trackers=(),
        )
        self.runtime = Runtime(self.settings)
        self.app = create_app(self.settings)
        self.dispatcher = Dispatcher(self.app)
        self.dataset = taste_dataset(self.runtime, n_users)
        self.worker = WorkerProcess(self.settings, "worker")
        self.kills: Counter[str] = Counter()
        """How often each stage was hit."""

    def close(self) -> None:
        self.worker.stop()
        self.app.close()
        for server in self.servers:
            server.stop()

    def run(self, name: str, disturb: Callable[[list[str]], None] = lambda _: None) -> Rows:
        """Train, stock and publish every model; the rows readers get in the end."""
        job_ids = start_pipelines(
            self.runtime, self.dispatcher, run=name, models=MODELS, dataset=self.dataset.version
        )
        disturb(job_ids)
        self.until(lambda: self.over(job_ids), f"{name} over")
        jobs = [self.runtime.jobs.get(job_id) for job_id in job_ids]
        assert [job.state for job in jobs] == ["succeeded"] * len(jobs), [job.error for job in jobs]
        return {model: live_rows(self.runtime, model, self.dataset) for model in MODELS}

    def over(self, job_ids: list[str]) -> bool:
        return all(self.runtime.jobs.get(job_id).over for job_id in job_ids)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 4 * PATIENCE_SECONDS) -> None:
        """Look after the jobs as beat has it done, until a condition holds."""
        deadline = time.monotonic() + seconds
        while True:
            # A server that is away fails this turn of the reconciler, like any.
            with contextlib.suppress(StoreUnavailable):
                reconcile(self.runtime, self.dispatcher)
                if condition():
                    return
            if time.monotonic() > deadline:
                pytest.fail(f"{what}: not within {seconds:g} s; see {self.worker.log}")
            time.sleep(0.05)

    def signs_of_life(self, job_ids: list[str]) -> list[object]:
        jobs = [self.runtime.jobs.get(job_id) for job_id in job_ids]
        return [(job.stage, job.attempts, job.updated_epoch, job.lease_until) for job in jobs]

    def kill_worker(self, job_ids: list[str], chance: random.Random) -> None:
        """Kill a worker that is at work, a random moment after its first sign of life; start another."""
        before = self.signs_of_life(job_ids)
        self.until(lambda: self.signs_of_life(job_ids) != before or self.over(job_ids), "work under way")
        moment = time.monotonic() + chance.uniform(0, LONGEST_DELAY_SECONDS)
        self.until(lambda: time.monotonic() >= moment, "the moment come")
        if self.over(job_ids):
            return
        self._note(job_ids)
        way, children = chance.choice(("all", "one", "main")), self.worker.children()
        if way == "one" and children:
            os.kill(chance.choice(children), signal.SIGKILL)
            return
        self.worker.kill_main() if way == "main" else self.worker.kill()
        self.worker = WorkerProcess(self.settings, "worker")

    def kill_redis(self, job_ids: list[str], server: EmbeddedRedis, down_seconds: float) -> None:
        """Kill a server once a third of a model's chunks are written; start it anew on its files."""
        self.until(lambda: self._share_written(MODELS[-1], job_ids) > 1 / 3, "chunks under way")
        assert not self.over(job_ids)
        self._note(job_ids)
        os.kill(server.pid, signal.SIGKILL)
        server.stop()
        time.sleep(down_seconds)  # the outage
        server.start()

    def _note(self, job_ids: list[str]) -> None:
        """Count a kill for each stage that is under way."""
        jobs = [self.runtime.jobs.get(job_id) for job_id in job_ids]
        self.kills.update({job.stage for job in jobs if job.state == "running"} or {"between stages"})
        self.kills["all"] += 1

    def _share_written(self, model: str, job_ids: list[str]) -> float:
        [job] = [job for job in map(self.runtime.jobs.get, job_ids) if job.model == model]
        if not job.generation:
            return 0.0
        generation = self.runtime.generations.get(model, job.generation)
        return generation.chunks_done / generation.n_chunks


OpenShop = Callable[..., Shop]


@pytest.fixture
def open_shop(tmp_path: Path, redis_binary: Path | None) -> Iterator[OpenShop]:
    opened: list[Shop] = []

    def open_one(n_users: int, servers: int = 1) -> Shop:
        opened.append(Shop(tmp_path, n_users=n_users, servers=servers, server=redis_binary))
        return opened[-1]

    yield open_one
    for shop in opened:
        shop.close()


def survives_kills(shop: Shop, expected: Rows, kills: int, seed: int) -> None:
    """Kill workers that often, in as many runs as it takes; every run must end with the same lists."""
    chance = random.Random(seed)
    run = 0
    while shop.kills["all"] < kills:
        run += 1

        def disturb(job_ids: list[str]) -> None:
            for _ in range(min(KILLS_PER_RUN, kills - shop.kills["all"])):
                shop.kill_worker(job_ids, chance)

        assert shop.run(f"disturbed-{run}", disturb) == expected


def survives_redis(shop: Shop, expected: Rows, killed: int, down_seconds: float) -> None:
    """Kill a Redis in the middle of the chunks; the run must end with the same lists."""
    server = shop.servers[killed]
    assert shop.run("killed", lambda job_ids: shop.kill_redis(job_ids, server, down_seconds)) == expected


def undisturbed(shop: Shop) -> Rows:
    rows = shop.run("undisturbed")
    n_users = shop.dataset.manifest.n_users
    assert all(len(of_model) == n_users and None not in of_model for of_model in rows.values())
    return rows


@pytest.mark.timeout(420)
def test_kills_of_workers_and_of_redis_leave_the_same_lists(open_shop: OpenShop) -> None:
    shop = open_shop(FEW_USERS)
    expected = undisturbed(shop)
    survives_kills(shop, expected, kills=2, seed=5)
    survives_redis(shop, expected, killed=0, down_seconds=0)


@pytest.mark.kills
@pytest.mark.timeout(1_800)
def test_twenty_kills_of_workers_and_one_of_redis_leave_the_same_lists(open_shop: OpenShop) -> None:
    shop = open_shop(MANY_USERS)
    expected = undisturbed(shop)
    survives_kills(shop, expected, kills=20, seed=5)
    assert shop.kills["precompute"], shop.kills
    survives_redis(shop, expected, killed=0, down_seconds=OUTAGE_SECONDS)


@pytest.mark.kills
@pytest.mark.timeout(900)
@pytest.mark.parametrize("killed", [0, 1], ids=["serving", "durable"])
def test_a_kill_of_one_of_two_servers_leaves_the_same_lists(open_shop: OpenShop, killed: int) -> None:
    shop = open_shop(MANY_USERS, servers=2)
    survives_redis(shop, undisturbed(shop), killed, OUTAGE_SECONDS)
