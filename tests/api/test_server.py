"""The reader under uvicorn, in processes of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from store.embedded import free_port
from tests.api.conftest import ADMIN, READ
from tests.api.shop import Shop, list_of
from tests.waiting import wait_until
from topshelf.settings import Settings, process_environment

SERVE = [sys.executable, "-m", "api"]
DEADLINE_SECONDS = 60.0


@contextmanager
def serving(settings: Settings, processes: int = 1) -> Iterator[str]:
    """A reader on a free port; its URL."""
    port = free_port()
    own = settings.model_copy(update={"api_port": port, "api_processes": processes})
    environment = {**process_environment(), **own.to_environment()}
    reader = subprocess.Popen(SERVE, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: reader.poll() is not None or is_ready(url))
        yield url
    finally:
        reader.terminate()
        assert reader.wait(DEADLINE_SECONDS) in {0, -15}


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def server(stocked: Shop, settings: Settings) -> Iterator[str]:
    with serving(settings) as url:
        yield url


def test_an_item_hidden_in_one_process_is_gone_from_the_next_list_and_soon_from_the_other(
    stocked: Shop, settings: Settings
) -> None:
    with ExitStack() as stack:
        here, there = [stack.enter_context(serving(settings)) for _ in range(2)]
        client = stack.enter_context(httpx.Client(headers=ADMIN))
        for base in (here, there):
            assert 107 in client.get(f"{base}/reco/als/7").json()["items"]
        assert client.delete(f"{here}/items/107").status_code == 200
        hidden_at = time.monotonic()
        assert 107 not in client.get(f"{here}/reco/als/7").json()["items"]
        wait_until(lambda: 107 not in client.get(f"{there}/reco/als/7").json()["items"])
        # 250 ms is the promise on a machine that is not shared with a test suite.
        assert time.monotonic() - hidden_at < 2.5


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_ten_megabytes_is_refused_and_the_reader_lives_on(server: str, chunked: bool) -> None:
    block = b"x" * 100_000
    content = (block for _ in range(100)) if chunked else block * 100
    answer = httpx.post(f"{server}/events", content=content, headers=ADMIN, timeout=30)
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["error_key"] == "body_too_large"
    assert httpx.get(f"{server}/reco/als/7", headers=READ).json()["items"] == list_of(7)[:10]


def test_several_processes_answer_on_one_port(stocked: Shop, settings: Settings) -> None:
    with serving(settings, processes=2) as url:
        for _ in range(10):
            assert httpx.get(f"{url}/reco/als/7", headers=READ).json()["items"] == list_of(7)[:10]


def test_a_port_that_is_taken_is_an_error(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        own = settings.model_copy(update={"api_port": taken.getsockname()[1]})
        environment = {**process_environment(), **own.to_environment()}
        reader = subprocess.run(
            SERVE,
            env=environment,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    assert reader.returncode == 7
    assert b"address already in use" in reader.stderr


def test_settings_that_cannot_be_used_are_an_error_that_says_what_to_set() -> None:
    reader = subprocess.run(
        SERVE, env=process_environment(), capture_output=True, timeout=DEADLINE_SECONDS, check=False
    )
    assert reader.returncode == 2
    assert b"TOPSHELF_TOKENS_READ" in reader.stderr
    assert b"Traceback" not in reader.stderr


def test_the_reader_imports_nothing_heavy() -> None:
    absent = (
        "numpy torch implicit lightfm polars pyarrow scipy nmslib celery kombu sentry_sdk pyinstrument "
        "models interactions workers"
    )
    check = (
        "import sys, api.app, api.server;"
        f"print(*[name for name in {absent.split()} if name in sys.modules], end='')"
    )
    found = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS
    )
    assert found.stdout == ""
