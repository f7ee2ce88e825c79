import subprocess
import sys
import time
from collections.abc import Iterator
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
        "TOPSHELF_WORKER_PROCESSES": "1",
        "TOPSHELF_FLOWER_PASSWORD": "sesame",
        "TOPSHELF_TOKENS_READ": "sesame",
    }
    return Settings.from_environment(environ)


@pytest.fixture
def environ(settings: Settings) -> dict[str, str]:
    return process_environment() | settings.to_environment() | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(params=sorted(probe.PROBES))
def running_service(request: pytest.FixtureRequest, environ: dict[str, str], tmp_path: Path) -> Iterator[str]:
    name: str = request.param
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "topshelf", name]
        service = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=tmp_path)
        yield name
        service.terminate()
        service.wait(30)


def run_probe(name: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "probe.py"), name],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", sorted(probe.PROBES))
def test_a_service_that_does_not_run_is_not_healthy(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "ANSWER_SECONDS", 0.3)
    assert not probe.PROBES[name](settings)


def test_a_service_that_runs_becomes_healthy(
    running_service: str, environ: dict[str, str], tmp_path: Path
) -> None:
    deadline = time.monotonic() + 60
    while (probed := run_probe(running_service, environ)).returncode != 0:
        assert probed.stderr == f"{running_service} does not answer\n"
        assert time.monotonic() < deadline, (tmp_path / "log").read_text()
    assert probed.stderr == ""
