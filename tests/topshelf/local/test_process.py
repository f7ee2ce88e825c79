import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from topshelf.errors import ServiceError
from topshelf.local.process import Process

Start = Callable[..., Process]

SAYS_READY = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
STUBBORN = (
    "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
)
LEAVES_A_CHILD = (
    "import pathlib, subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "note = pathlib.Path(sys.argv[1])\n"
    "note.with_suffix('.part').write_text(str(child.pid)); note.with_suffix('.part').rename(note)\n"
    "time.sleep(60)"
)
SERVES = (
    "import os, pathlib, sys, time\n"
    "note = pathlib.Path(sys.argv[1])\n"
    "note.with_suffix('.part').write_text(str(os.getpid())); note.with_suffix('.part').rename(note)\n"
    "time.sleep(60)"
)
SUPERVISES = f"""
import pathlib, sys, time
from topshelf.local.process import Process
note = pathlib.Path(sys.argv[1])
service = Process("shelver", [sys.executable, "-c", {SERVES!r}, str(note)], environ={{}},
    log=pathlib.Path(sys.argv[2]), is_ready=note.exists)
service.launch()
time.sleep(60)
"""


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """The file a child makes once it is ready."""
    return tmp_path / "note"


@pytest.fixture
def process(tmp_path: Path, note: Path) -> Iterator[Start]:
    started: list[Process] = []

    def make(script: str, *, environ: dict[str, str] | None = None, seconds: float = 20) -> Process:
        made = Process(
            "shelver",
            [sys.executable, "-c", script, str(note)],
            environ=environ or {},
            log=tmp_path / "logs" / "shelver.log",
            is_ready=note.exists,
            start_seconds=seconds,
            stop_seconds=1,
        )
        started.append(made)
        return made

    yield make
    for made in started:
        made.stop()


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":  # dead, and not yet collected by whoever adopted it
            return True
        time.sleep(0.02)
    return False


def test_a_process_runs_until_it_is_stopped(process: Start) -> None:
    service = process(SAYS_READY)
    states = [service.running]
    service.launch()
    service.wait_until_ready()
    states.append(service.running)
    assert service.ended_with == "is running"
    service.stop()
    states.append(service.running)
    assert states == [False, True, False]
    assert service.ended_with == "was ended by SIGTERM"


def test_it_has_a_session_of_its_own(process: Start) -> None:
    service = process(SAYS_READY)
    service.launch()
    service.wait_until_ready()
    assert service.pid is not None
    assert os.getsid(service.pid) == service.pid


def test_its_environment_is_the_one_given_and_its_output_goes_to_the_log(process: Start) -> None:
    service = process(
        "import os, sys\nprint('shelf', os.environ['SHELF'], 'HOME' in os.environ)\nsys.exit('oops')",
        environ={"SHELF": "seven"},
    )
    service.launch()
    with pytest.raises(ServiceError) as caught:
        service.wait_until_ready()
    assert "shelver ended with exit code 1" in str(caught.value)
    assert str(service.log) in str(caught.value)
    assert sorted(service.last_lines().splitlines()) == ["oops", "shelf seven False"]


def test_a_second_start_appends_to_the_log(process: Start) -> None:
    service = process("print('hello')")
    for _ in range(2):
        service.launch()
        with pytest.raises(ServiceError):
            service.wait_until_ready()
    assert service.last_lines().splitlines() == ["hello", "hello"]


def test_one_that_is_never_ready_is_an_error_that_shows_the_log(process: Start) -> None:
    service = process("import time; print('still warming', flush=True); time.sleep(60)", seconds=0.3)
    service.launch()
    with pytest.raises(ServiceError, match=r"shelver was not ready after 0 s; see .*shelver\.log"):
        service.wait_until_ready()


def test_a_command_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    service = Process(
        "ghost", [str(tmp_path / "ghost")], environ={}, log=tmp_path / "ghost.log", is_ready=lambda: True
    )
    with pytest.raises(ServiceError, match="ghost cannot be started"):
        service.launch()
    assert not service.running
    service.stop()


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be")
    service = Process(
        "shelver",
        [sys.executable, "-c", ""],
        environ={},
        log=tmp_path / "logs" / "shelver.log",
        is_ready=lambda: True,
    )
    with pytest.raises(ServiceError, match="shelver cannot be started"):
        service.launch()


def test_one_that_ignores_the_request_is_killed(process: Start) -> None:
    service = process(STUBBORN)
    service.launch()
    service.wait_until_ready()
    service.ask_to_stop()
    assert service.running
    service.stop()
    assert service.ended_with == "was ended by SIGKILL"


def test_its_children_end_with_it(process: Start, note: Path) -> None:
    service = process(LEAVES_A_CHILD)
    service.launch()
    service.wait_until_ready()
    service.stop()
    assert wait_until_gone(int(note.read_text()))


def test_a_new_start_ends_what_a_killed_one_left_behind(process: Start, note: Path) -> None:
    service = process(LEAVES_A_CHILD)
    service.launch()
    service.wait_until_ready()
    left = int(note.read_text())
    assert service.pid is not None
    os.kill(service.pid, signal.SIGKILL)
    os.waitid(os.P_PID, service.pid, os.WEXITED | os.WNOWAIT)
    os.kill(left, 0)
    note.unlink()
    service.launch()
    service.wait_until_ready()
    assert wait_until_gone(left)


def test_stopping_twice_or_before_the_start_is_fine(process: Start) -> None:
    service = process(SAYS_READY)
    service.ask_to_stop()
    service.stop()
    service.launch()
    service.stop()
    service.stop()
    assert not service.running


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="util-linux is not installed")
def test_a_service_ends_with_a_supervisor_that_was_killed(tmp_path: Path, note: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISES, str(note), str(tmp_path / "log")])
    deadline = time.monotonic() + 20
    while not note.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    service = int(note.read_text())
    supervisor.kill()
    supervisor.wait()
    assert wait_until_gone(service)
