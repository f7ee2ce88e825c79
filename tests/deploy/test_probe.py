"""Probes of services that do not run; test_services.py has those that do."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy import probe
from store.embedded import free_port
from store.keys import Keys
from topshelf.local.services import answers
from topshelf.settings import Settings, process_environment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(redis_url: str, keys: Keys, tmp_path: Path) -> Settings:
    """Settings of services that nobody started."""
    environ = {
        "TOPSHELF_SERVING_URL": redis_url,
        "TOPSHELF_KEY_PREFIX": keys.prefix,
        "TOPSHELF_DATA_DIR": str(tmp_path),
        "TOPSHELF_API_PORT": str(free_port()),
        "TOPSHELF_FLOWER_PORT": str(free_port()),
        "TOPSHELF_EXPORTER_PORT": str(free_port()),
        "TOPSHELF_WORKER_PROCESSES": "1",
        "TOPSHELF_FLOWER_PASSWORD": "sesame",
        "TOPSHELF_TOKENS_READ": "sesame",
    }
    return Settings.from_environment(environ)


@pytest.mark.parametrize("name", sorted(probe.PROBES))
def test_a_service_that_does_not_run_is_not_healthy(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "ANSWER_SECONDS", 0.3)
    assert not probe.PROBES[name](settings)


def test_a_probe_says_who_does_not_answer(settings: Settings) -> None:
    probed = subprocess.run(
        [sys.executable, ROOT / "deploy/probe.py", "api"],
        env=process_environment() | settings.to_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (probed.returncode, probed.stderr) == (1, "api does not answer\n")


def test_a_worker_answers_for_its_life_without_a_redis(settings: Settings, tmp_path: Path) -> None:
    port, gone = free_port(), f"redis://127.0.0.1:{free_port()}/0"
    environ = settings.to_environment() | {
        "TOPSHELF_SERVING_URL": gone,
        "TOPSHELF_DURABLE_URL": gone,
        "TOPSHELF_CACHE_DIR": str(tmp_path / "cache"),
        "TOPSHELF_METRICS_PORT": str(port),
        "TOPSHELF_TRACKERS": "",
    }
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "topshelf", "worker"],
            env=process_environment() | environ,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{port}/metrics"):
            assert worker.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        assert worker.poll() is None
    finally:
        worker.terminate()
        worker.wait(60)
