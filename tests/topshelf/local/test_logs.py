import subprocess
import sys
from pathlib import Path

import pytest

from topshelf.local import logs

WRITES = """
import sys
for line in sys.stdin:
    print(line, end="", flush=True)
    print("noted", file=sys.stderr, flush=True)
"""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES", 10)


def test_a_log_that_is_too_long_is_moved_away_and_the_one_before_it_is_gone(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    for text in ("the first of all\n", "the second one\n"):
        log.write_text(text)
        logs.bound(log)
        assert log.read_text() == ""
        assert (tmp_path / "api.log.1").read_text() == text


def test_a_short_log_and_one_that_is_not_there_are_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    logs.bound(log)
    log.write_text("short")
    logs.bound(log)
    assert [path.name for path in tmp_path.iterdir()] == ["api.log"]


def test_a_process_goes_on_writing_at_the_new_end(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITES],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert process.stdin is not None
    assert process.stderr is not None
    for line in ("a long line of text\n", "and on\n"):
        process.stdin.write(line)
        process.stdin.flush()
        process.stderr.readline()
        logs.bound(log)
    process.communicate()
    assert log.read_bytes() == b"and on\n"
