import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from store.embedded import free_port
from tests.topshelf.cli.outcome import Outcome, Topshelf
from topshelf.settings import Settings

INTERRUPTED = """
import signal, sys, typer
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests run under nohup
from topshelf.cli.services import interruptible, wait_for_interrupt
try:
    with interruptible():
        try:
            print("runs", flush=True)
            {body}
        finally:
            print("stops", flush=True)
            sys.stdin.readline()
            print("stopped", flush=True)
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


class Replaced(Exception):
    """Stands for the process that a command becomes."""

    def __init__(self, argv: list[str], environ: dict[str, str]) -> None:
        self.argv = argv
        self.environ = environ


@pytest.fixture
def becomes(topshelf: Topshelf, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Replaced]:
    """What a command would hand to the operating system in its own place."""

    def execve(path: str, argv: list[str], environ: dict[str, str]) -> NoReturn:
        raise Replaced(argv, environ)

    monkeypatch.setattr(os, "execve", execve)

    def run(*arguments: str) -> Replaced:
        with pytest.raises(Replaced) as replaced:
            topshelf(*arguments)
        return replaced.value

    return run


@pytest.fixture
def child() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(body: str) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen([sys.executable, "-c", INTERRUPTED.format(body=body)], **pipes)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_until_asleep(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    ("body", "code"), [("wait_for_interrupt()", 0), ("import time; time.sleep(60)", 130)]
)
def test_any_signal_stops_in_order_and_a_second_one_does_not_cut_it_short(
    child: Callable[[str], subprocess.Popen[str]], number: int, body: str, code: int
) -> None:
    process = child(body)
    assert read_line(process) == "runs"
    wait_until_asleep(process.pid)
    process.send_signal(number)
    assert read_line(process) == "stops"
    process.send_signal(number)
    process.send_signal(signal.SIGINT)
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert read_line(process) == "stopped"
    assert process.wait(20) == code


def test_a_worker_takes_the_queues_named(becomes: Callable[..., Replaced]) -> None:
    replaced = becomes("worker", "--queues", "cpu, io")
    assert replaced.argv[:4] == [sys.executable, "-m", "celery", "--app"]
    assert "worker" in replaced.argv
    assert replaced.argv[replaced.argv.index("--queues") + 1] == "cpu,io"


def test_a_worker_takes_every_queue_by_default(becomes: Callable[..., Replaced]) -> None:
    argv = becomes("worker").argv
    assert argv[argv.index("--queues") + 1] == "gpu,cpu,io"


def test_celery_gets_the_very_same_settings(
    becomes: Callable[..., Replaced], environ: Callable[..., None]
) -> None:
    environ(durable_url="redis://:sesame@broker:6379/0", serving_url="redis://shelves:6379/0", seed=7)
    replaced = becomes("beat")
    assert Settings.from_environment(replaced.environ) == Settings.from_environment()
    assert "beat" in replaced.argv


def test_no_secret_is_in_an_argument(becomes: Callable[..., Replaced], environ: Callable[..., None]) -> None:
    environ(flower_password="sesame", flower_user="gardener", tokens_admin="sesame")
    replaced = becomes("flower")
    assert not [part for part in replaced.argv if "sesame" in part]
    assert replaced.environ["FLOWER_BASIC_AUTH"] == "gardener:sesame"


def test_flower_is_not_started_without_a_password(topshelf: Topshelf) -> None:
    ended = topshelf("flower")
    assert ended.exit_code == 2
    assert "TOPSHELF_FLOWER_PASSWORD" in ended.err


def test_a_reader_without_tokens_is_not_started(topshelf: Topshelf) -> None:
    ended = topshelf("api")
    assert ended.exit_code == 2
    assert "TOPSHELF_TOKENS_READ" in ended.err


@pytest.mark.parametrize("service", ["api", "worker", "beat", "up"])
def test_nothing_that_reports_is_started_without_what_it_takes(
    topshelf: Topshelf, environ: Callable[..., None], monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    environ(sentry_dsn="https://key@sentry.example.org/1", tokens_read="sesame")
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    ended = topshelf(service)
    assert ended.exit_code == 2
    assert "topshelf[watch]" in ended.err


def test_everything_on_one_machine_needs_its_ports(topshelf: Topshelf, environ: Callable[..., None]) -> None:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        environ(api_port=occupant.getsockname()[1])
        ended = topshelf("up")
    assert ended.exit_code == 7
    assert "TOPSHELF_API_PORT" in ended.err


def test_a_redis_of_somebody_else_has_to_be_there(topshelf: Topshelf, environ: Callable[..., None]) -> None:
    port = free_port()
    environ(serving_url=f"redis://:sesame@127.0.0.1:{port}/0")
    ended: Outcome = topshelf("up")
    assert ended.exit_code == 7
    assert f"Redis does not answer at redis://127.0.0.1:{port}/0" in ended.err
    assert "sesame" not in ended.err
