"""No secret is in what a command or a service says when things are wrong; run by ``make test-secrets``."""

import logging
import re
import subprocess
import sys
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from store.embedded import free_port
from tests.system.canaries import REDIS_PASSWORD, CanarySystem, leaks
from workers.celery_app import create_app
from workers.dispatch import Dispatcher
from workers.runtime import Runtime
from workers.tasks.synchronise import sync_runs

pytestmark = pytest.mark.secrets

HELPED = ("up", "worker", "beat", "flower", "api", "demo", "settings", "jobs", "status")
COMMANDS = (("status",), ("jobs", "--json"), ("up",), ("recommend", "als", "1"))
NOBODY = "127.0.0.1:9"
WRONG = {
    "a wrong password": ("redis://:canary-wrong@127.0.0.1:{port}/0", "WRONGPASS|invalid"),
    "nobody there": (f"redis://:canary-wrong@{NOBODY}/0", "does not answer"),
    "a password that is not quoted": (
        "redis://:canary/p@ss@127.0.0.1:{port}/0",
        "the address cannot be read",
    ),
    "no Redis URL": ("http://:canary@127.0.0.1", "a Redis URL is wanted"),
}


def said_by(system: CanarySystem, *command: str, seconds: float = 60, **changes: str) -> str:
    """What a command says on the system's settings, some changed; a service is ended after a while."""
    environ = system.environ | {f"TOPSHELF_{name.upper()}": text for name, text in changes.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.terminate()
        return process.communicate()[0]


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
    [port] = re.findall(r":(\d+)/0$", canaries.settings.serving_url.get_secret_value())
    url, words = WRONG[wrong]
    url = url.format(port=port)
    said = said_by(
        canaries,
        "topshelf",
        *command,
        serving_url=url,
        durable_url=url,
        data_dir=str(canaries.folder / "other"),
        api_port=str(free_port()),
    )
    assert re.search(words, said) or command[0] == "recommend", said
    assert not leaks(said), said


@pytest.mark.parametrize("service", ["worker", "beat", "flower"])
@pytest.mark.parametrize("password", [REDIS_PASSWORD, "canary-wrong"])
def test_no_service_that_is_let_in_nowhere_says_one(
    canaries: CanarySystem, service: str, password: str
) -> None:
    place = NOBODY if password == REDIS_PASSWORD else canaries.settings.serving_url.get_secret_value()[-16:]
    place = place.rpartition("@")[2].removesuffix("/0")
    url = f"redis://:{quote(password, safe='')}@{place}/0"
    said = said_by(canaries, "topshelf", service, durable_url=url, flower_port=str(free_port()), seconds=8)
    assert re.search("refused|invalid|WRONGPASS|127.0.0.1", said), said
    assert not leaks(said), said


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
