"""``topshelf bot`` against a real reader, as a process of its own where signals are about."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from store.embedded import EmbeddedRedis
from tests.topshelf.cli.outcome import Topshelf
from tests.topshelf.cli.stocked import stocked_reader
from tests.topshelf.cli.test_http import Reader, base
from tests.topshelf.cli.test_http import reader as canned  # noqa: F401 -- a fixture
from tests.waiting import wait_until
from topshelf.settings import process_environment

ON = ("--token", "admin-token", "--url")
READY_SECONDS = 60


@pytest.fixture(scope="module")
def reader(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A reader for all tests of this file."""
    with stocked_reader(redis_server, tmp_path_factory.mktemp("reader"), f"{__name__}:") as url:
        yield url


def test_it_polls_every_live_model_and_ends_by_itself(
    reader: str, topshelf: Topshelf, tmp_path: Path
) -> None:
    users = tmp_path / "users.txt"
    users.write_text("\n".join(map(str, range(1, 51))))
    outcome = topshelf("bot", "--users-file", users, "--requests", "400", *ON, reader, "--json")
    assert outcome.exit_code == 0, outcome.err
    assert (outcome.answer["answered"], outcome.answer["failed"]) == (400, 0)
    assert outcome.answer["statuses"] == {"200": 400}
    assert {"cache", "popular", "popular_in_category"} <= outcome.answer["sources"].keys()
    assert "als, item_knn, popular, popular_in_category over 16 connections" in outcome.err


def test_people_get_a_table_and_a_histogram(reader: str, topshelf: Topshelf) -> None:
    outcome = topshelf(
        "bot", "--users", "1-50", "-m", "als", "--rate", "200", "-n", "40", "-k", "3", *ON, reader
    )
    assert outcome.exit_code == 0, outcome.err
    assert "200 times a second" in outcome.out
    assert "status      200 40" in outcome.out
    assert "source      cache 40" in outcome.out
    assert "up to ms" in outcome.out
    assert "█" in outcome.out


def test_the_profiler_is_armed_by_an_admin_alone(reader: str, topshelf: Topshelf) -> None:
    polling = ("bot", "--users", "1-50", "-n", "40", "--profile", "2", "--json", "--url", reader, "--token")
    armed, unarmed = topshelf(*polling, "admin-token"), topshelf(*polling, "read-token")
    assert 0 < armed.answer["profiled"] <= 20
    assert (unarmed.answer["answered"], unarmed.answer["profiled"]) == (40, 0)
    assert "is the token an admin's" in unarmed.err
    assert "is the token an admin's" not in armed.err


def test_where_nothing_is_answered_well_the_exit_code_says_so(reader: str, topshelf: Topshelf) -> None:
    unknown = topshelf("bot", "--users", "1-5", "-m", "alz", "-n", "10", *ON, reader, "--json")
    assert (unknown.exit_code, unknown.answer["statuses"]) == (1, {"404": 10})


def test_a_reader_with_nothing_live_is_an_error(canned: Reader, topshelf: Topshelf) -> None:  # noqa: F811
    canned.answer = (200, b'{"models": [{"model": "als", "pointer": null}]}')
    nothing = topshelf("bot", "--users", "1-5", *ON, base(canned), "--json")
    assert (nothing.exit_code, nothing.error["error_key"]) == (1, "model_not_found")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["--users", "1-5"], 7, "no reader answers at"),
        ([], 2, "--users-file FILE"),
        (["--users", "1-5", "--users-file", "x"], 2, "--users-file FILE"),
        (["--users", "many"], 1, "a range of numbers"),
        (["--users-file", "nowhere.txt"], 1, "nowhere.txt cannot be read"),
        (["--users", "1-5", "--url", "reader"], 1, "a URL like http://"),
    ],
)
def test_what_cannot_be_done_is_said(
    topshelf: Topshelf, arguments: list[str], exit_code: int, said: str
) -> None:
    outcome = topshelf("bot", *arguments)
    assert outcome.exit_code == exit_code
    assert said in " ".join(outcome.err.replace("│", " ").split())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_its_summary(reader: str, tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "topshelf", "bot", "--users", "1-50", "--json", *ON, reader]
    environment = process_environment() | {"TOPSHELF_DATA_DIR": str(tmp_path / "data")}
    before = lists_of(reader)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as bot:
        try:
            wait_until(lambda: lists_of(reader) > before + 100)
            bot.send_signal(number)
            out, _ = bot.communicate(timeout=READY_SECONDS)
        finally:
            bot.kill()
    assert bot.returncode == 0
    summary = json.loads(out)
    assert summary["answered"] > 50
    assert summary["failed"] == 0


def lists_of(reader: str) -> int:
    """Lists that a reader has handed out."""
    lines = httpx.get(f"{reader}/metrics").text.splitlines()
    return sum(
        int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith("topshelf_lists_total{")
    )
