"""A whole system at work, as processes, with what each said to Prometheus before and in an outage."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from store.connection import connect
from store.embedded import EmbeddedRedis, free_port
from tests.waiting import wait_until
from tests.workers.conftest import WorkerProcess, finished
from tests.workers.filling import taste_dataset
from topshelf.settings import Settings, process_environment
from workers.exposition import FOLDER_VARIABLE
from workers.nights import begin_missed
from workers.runtime import Runtime

USERS = 400
NEWCOMER = 900_001
TRACE = "gateway/4711"
FAILED = "precompute-ease-without-an-artifact"
JOBS: tuple[dict[str, Any], ...] = (
    {"kind": "pipeline", "model": "popular"},
    {"kind": "pipeline", "model": "item_knn"},
    {"kind": "pipeline", "model": "als", "params": {"config": {"factors": 8, "iterations": 3}}},
    {"kind": "precompute", "model": "ease", "job_id": FAILED},
)
EPOCH_WITH_A_LOSS = """
from models.fit_run import Epoch
from workers.metrics import WorkerMetrics
WorkerMetrics().epoch("denoising_ae", Epoch(2, 0.5, 1.0))
"""
"""In place of a training by torch, whose import takes longer than all the rest."""


@dataclass
class Monitored:
    """The processes of a system by the jobs under which Prometheus knows them."""

    settings: Settings
    scraped: dict[str, list[str]] = field(default_factory=dict)
    """What each said to Prometheus, one text a scrape."""
    moments: list[float] = field(default_factory=list)
    """When: once after the work, once in the outage."""
    prometheus: Any = None
    """The one that scraped it; None where there is none."""
    traced: str = ""
    """The job that was asked for with ``TRACE``."""

    @property
    def targets(self) -> dict[str, str]:
        """Address of each, by job."""
        ports = (self.settings.api_port, self.settings.metrics_port, self.settings.exporter_port)
        return {
            job: f"127.0.0.1:{port}" for job, port in zip(("api", "worker", "exporter"), ports, strict=True)
        }

    def scrape(self) -> None:
        """Keep what every process says now."""
        for job, address in self.targets.items():
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
                self.scraped.setdefault(job, []).append(answer.read().decode())

    def call(self, method: str, path: str, body: Any = None, trace: str = "") -> tuple[int, Any]:
        """An HTTP call of the reader; status and body."""
        request = urllib.request.Request(
            f"http://{self.targets['api']}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer admin-of-the-test", "Content-Type": "application/json"}
            | ({"X-Request-ID": trace} if trace else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- our own address
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def log_lines(self, service: str) -> list[str]:
        """What a service logged."""
        return (self.settings.data_dir / f"{service}.log").read_text().splitlines()


@contextmanager
def monitored(folder: Path, redis_binary: Path | None) -> Iterator[tuple[Monitored, EmbeddedRedis]]:
    """A running system; its Redis is no other test's, and may be stopped."""
    with ExitStack() as stack:
        server = EmbeddedRedis(folder / "redis", free_port(), server=redis_binary)
        stack.enter_context(server)
        with connect(server.url) as client:
            client.config_set("maxmemory", "1gb")
        settings = Settings.from_environment(
            {"TOPSHELF_TOKENS_ADMIN": "admin-of-the-test"},
            data_dir=folder / "data",
            cache_dir=folder / "cache",
            serving_url=server.url,
            durable_url=server.url,
            api_port=free_port(),
            metrics_port=free_port(),
            exporter_port=free_port(),
            log_format="json",
            chunk_users=100,
            threads=1,
            trackers=(),
        )
        taste_dataset(Runtime(settings), USERS)
        for service in ("worker", "beat", "exporter", "api"):
            stack.callback(WorkerProcess(settings, service).stop)
        system = Monitored(settings)
        wait_until(lambda: _answers(system), "every service answering")
        yield system, server


def work(system: Monitored) -> None:
    """Do what leaves a figure of each kind: train, publish twice, fold events in, fail, serve all sources."""
    runtime = Runtime(system.settings)
    _record_a_night(runtime)
    folder = next((system.settings.cache_dir / "metrics").iterdir())
    environ = process_environment() | {FOLDER_VARIABLE: str(folder)}
    subprocess.run([sys.executable, "-c", EPOCH_WITH_A_LOSS], env=environ, check=True, timeout=60)
    jobs = [system.call("POST", "/jobs", body, TRACE)[1]["id"] for body in JOBS]
    system.traced = jobs[1]
    finished(runtime, *jobs)
    _finish(system, runtime, {"kind": "precompute", "model": "als"})
    events = [{"user_id": user, "item_id": item} for user in (1, 2, NEWCOMER) for item in (41, 42, 43)]
    assert system.call("POST", "/events", {"events": events})[0] in {200, 202}
    _finish(system, runtime, {"kind": "delta", "model": "als"})
    wait_until(lambda: "als" in system.call("GET", "/health")[1]["models"], "als served")
    for user in (5, 6, 7, NEWCOMER, NEWCOMER + 1):
        assert system.call("GET", f"/reco/als/{user}")[0] == 200
    system.call("GET", "/reco/made_up/1")


def _record_a_night(runtime: Runtime) -> None:
    """A run that is over, so that nobody goes on with it."""
    now = datetime.now(UTC)
    begin_missed(runtime)
    runtime.nights.create(
        "nightly-of-the-test",
        schedule="nightly",
        date=now.date().isoformat(),
        due=now.isoformat(),
        cron="0 3 * * *",
        timezone="UTC",
        trigger="clock",
        models=("popular",),
        state="skipped",
        reason="it is a test",
    )


def outage(system: Monitored, server: EmbeddedRedis) -> None:
    """Take Redis away."""
    server.stop()
    wait_until(lambda: system.call("GET", "/health")[1]["status"] == "stale", "the reader on its own")


def serve_alone(system: Monitored) -> None:
    """The reader goes on as well as it can."""
    for user in (5, 8):
        assert system.call("GET", f"/reco/als/{user}")[0] == 200
    assert system.call("POST", "/events", {"user_id": 1, "item_id": 44})[0] == 503


def _finish(system: Monitored, runtime: Runtime, body: dict[str, Any]) -> None:
    status, job = system.call("POST", "/jobs", body)
    assert status == 202, job
    [done] = finished(runtime, job["id"])
    assert done.state == "succeeded", done.error


def _answers(system: Monitored) -> bool:
    try:
        system.scrape()
    except OSError:
        return False
    finally:
        system.scraped.clear()
    return bool(Runtime(system.settings).durable.exists(Runtime(system.settings).keys.beat_lock))
