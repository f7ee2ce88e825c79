"""Probes of services that do not run; test_services.py has those that do."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy import probe
from store.embedded import free_port
from store.keys import Keys
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
