"""No secret is in what a command or a service says when things are wrong; run by ``make test-secrets``."""

import logging
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from store.embedded import free_port
from tests.system.canaries import REDIS_PASSWORD, CanarySystem, leaks
from tests.waiting import wait_until
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.synchronise import sync_runs

pytestmark = pytest.mark.secrets

HELPED = ("up", "worker", "beat", "flower", "api", "demo", "settings", "jobs", "status")
COMMANDS = (("status",), ("jobs", "--json"), ("up",), ("recommend", "als", "1"))
NOBODY = "127.0.0.1:9"
WRONG = {
    "a wrong password": ("redis://:canary-wrong@{place}/0", "WRONGPASS|invalid"),
    "nobody there": (f"redis://:canary-wrong@{NOBODY}/0", "does not answer"),
    "a password that is not quoted": (
        "redis://:canary/p@ss@{place}/0",
        "the address cannot be read",
    ),
    "no Redis URL": ("http://:canary@127.0.0.1", "a Redis URL is wanted"),
}


def with_changes(system: CanarySystem, **changes: str) -> dict[str, str]:
    """The environment of the system, some settings changed; on ports and a folder of their own."""
    apart = {
        "data_dir": str(system.folder / "other"),
        "api_port": str(free_port()),
        "flower_port": str(free_port()),
        "exporter_port": str(free_port()),
        "metrics_port": str(free_port()),
    }
    return system.environ | {f"TOPSHELF_{name.upper()}": text for name, text in (apart | changes).items()}


def said_by(system: CanarySystem, *command: str, **changes: str) -> str:
    """What a command says until it ends."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env=with_changes(system, **changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


def test_no_help_and_no_list_of_settings_shows_one(canaries: CanarySystem) -> None:
    texts = [said_by(canaries, "topshelf", command, "--help") for command in HELPED]
    texts += [said_by(canaries, "topshelf", "--help"), said_by(canaries, "topshelf", "settings")]
    assert all(texts)
    assert not [leak for text in texts for leak in leaks(text)]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_error_about_redis_holds_a_secret(
    canaries: CanarySystem, wrong: str, command: tuple[str, ...]
) -> None:
    url, words = WRONG[wrong]
    url = url.format(place=canaries.redis_address)
    said = said_by(canaries, "topshelf", *command, serving_url=url, durable_url=url)
    assert re.search(words, said) or command[0] == "recommend", said
    assert not leaks(said), said


@pytest.mark.parametrize("service", ["worker", "beat", "flower"])
@pytest.mark.parametrize(("password", "words"), [(REDIS_PASSWORD, "refused"), ("canary-wrong", "password")])
def test_no_service_that_is_let_in_nowhere_says_one(
    canaries: CanarySystem, service: str, password: str, words: str, tmp_path: Path
) -> None:
    place = NOBODY if password == REDIS_PASSWORD else canaries.redis_address
    url = f"redis://:{quote(password, safe='')}@{place}/0"
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "topshelf", service],
            env=with_changes(canaries, serving_url=url, durable_url=url),
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: words in log.read_text(), "the error said")
    finally:
        process.kill()
        process.wait()
    assert not leaks(log.read_bytes()), log.read_text()


def test_no_error_about_a_setting_holds_one(canaries: CanarySystem) -> None:
    said = said_by(
        canaries,
        "api",
        sentry_dsn="https://canary:se/cret@host/1",
        flower_password="canary,with a comma",
        mlflow_uri="http://canary:pa/ss@host",
        api_port="canary",
        token_read="canary",
    )
    for name in ("SENTRY_DSN", "FLOWER_PASSWORD", "MLFLOW_URI", "API_PORT", "TOKEN_READ"):
        assert f"TOPSHELF_{name}" in said
    assert not leaks(said), said


def test_no_tracker_that_is_let_in_nowhere_says_one(
    canaries: CanarySystem, caplog: pytest.LogCaptureFixture
) -> None:
    canaries.run("train", "popular")
    caplog.set_level(logging.DEBUG)
    settings = canaries.settings.model_copy(
        update={
            "trackers": ("mlflow", "neptune"),
            "mlflow_uri": SecretStr(f"http://canary:canary-mlflow@{NOBODY}"),
            "sync_limit_seconds": 20,
        }
    )
    sync_runs(Runtime(settings), Dispatcher(create_app(settings)))
    assert "the rest is kept" in caplog.text
    assert not leaks(caplog.text)
