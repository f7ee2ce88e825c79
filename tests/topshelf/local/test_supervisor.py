import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from topshelf.errors import ServiceError
from topshelf.local import supervisor as timing
from topshelf.local.process import Process
from topshelf.local.supervisor import Supervisor

STAYS = (
    "import pathlib, sys, time\n"
    "with pathlib.Path(sys.argv[1]).open('a') as note: note.write('started\\n')\n"
    "time.sleep(60)"
)
DIES = "import sys; print('the shelf fell down'); sys.exit(4)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STAYS


class Script:
    """Makes supervised processes that run a few lines of Python; each notes its starts in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Process] = []

    def __call__(self, name: str, script: str) -> Process:
        note = self.folder / name
        process = Process(
            name,
            [sys.executable, "-c", script, str(note)],
            environ={},
            log=self.folder / f"{name}.log",
            is_ready=note.exists,
            stop_seconds=0.5,
        )
        self.made.append(process)
        return process

    def starts(self, name: str) -> int:
        note = self.folder / name
        return len(note.read_text().splitlines()) if note.exists() else 0


class Recorded:
    """A service that only notes what is asked of it."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name = name
        self.running = False
        self.ended_with = "ended"
        self.interrupted = False
        self._calls = calls

    def launch(self) -> None:
        self._calls.append(f"launch {self.name}")
        self.running = True

    def wait_until_ready(self) -> None:
        self._calls.append(f"wait {self.name}")
        if self.interrupted:
            raise KeyboardInterrupt

    def ask_to_stop(self) -> None:
        self._calls.append(f"ask {self.name}")

    def stop(self) -> None:
        self._calls.append(f"stop {self.name}")
        self.running = False


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    made = Script(tmp_path)
    yield made
    for process in made.made:
        process.stop()


@pytest.fixture
def quick_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(timing, "LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(timing, "WATCH_SECONDS", 0.01)


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def kill(process: Process) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)


def test_the_first_service_is_ready_before_the_others_start_and_stops_last() -> None:
    calls: list[str] = []
    services = [Recorded(name, calls) for name in ("redis", "worker", "api")]
    with Supervisor(services):
        assert calls == [
            "launch redis",
            "wait redis",
            "launch worker",
            "launch api",
            "wait worker",
            "wait api",
        ]
        calls.clear()
    assert calls == ["ask worker", "ask api", "stop api", "stop worker", "stop redis"]


def test_a_start_that_is_interrupted_leaves_nothing_running() -> None:
    services = [Recorded(name, []) for name in ("redis", "worker", "api")]
    services[1].interrupted = True
    with pytest.raises(KeyboardInterrupt):
        Supervisor(services).start()
    assert not any(service.running for service in services)


def test_a_service_that_does_not_start_names_its_log_and_the_others_are_stopped(script: Script) -> None:
    stays = script("redis", STAYS)
    with pytest.raises(ServiceError, match="the shelf fell down") as caught:
        Supervisor([stays, script("worker", DIES)]).start()
    assert str(script.folder / "worker.log") in str(caught.value)
    assert "worker ended with exit code 4" in str(caught.value)
    assert not stays.running


@pytest.mark.usefixtures("quick_restarts")
def test_a_killed_service_starts_again_and_it_is_said(script: Script) -> None:
    said: list[str] = []
    api = script("api", STAYS)
    redis = script("redis", STAYS)
    with Supervisor([redis, api], said.append):
        first = api.pid
        kill(api)
        assert eventually(lambda: script.starts("api") == 2)
        assert api.ended_with == "is running"
        assert api.pid != first
        assert script.starts("redis") == 1
    assert said == ["api was ended by SIGKILL; it starts again in 0.05 s"]
    assert not api.running
    assert not redis.running


@pytest.mark.usefixtures("quick_restarts")
def test_one_that_keeps_dying_waits_longer_each_time_up_to_a_limit(script: Script) -> None:
    said: list[str] = []
    falls = script(
        "beat", DIES.replace("import sys;", "import sys, pathlib; pathlib.Path(sys.argv[1]).touch();")
    )
    with Supervisor([script("redis", STAYS), falls], said.append):
        assert eventually(lambda: len(said) >= 4)
    pauses = [line.rpartition(" in ")[2] for line in said[:4]]
    assert pauses == ["0.05 s", "0.1 s", "0.2 s", "0.2 s"]
    assert said[0].startswith("beat ended with exit code 4;")


@pytest.mark.usefixtures("quick_restarts")
def test_one_that_lived_long_enough_starts_again_at_once(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "STABLE_AFTER_SECONDS", 0.0)
    said: list[str] = []
    api = script("api", STAYS)
    with Supervisor([script("redis", STAYS), api], said.append):
        for starts in (2, 3):
            kill(api)
            assert eventually(lambda starts=starts: script.starts("api") == starts)  # type: ignore[misc]
    assert {line.rpartition(" in ")[2] for line in said} == {"0.05 s"}


@pytest.mark.usefixtures("quick_restarts")
def test_a_restart_that_fails_is_said_and_tried_again() -> None:
    calls: list[str] = []
    said: list[str] = []

    class Reluctant(Recorded):
        refusals = 0

        def launch(self) -> None:
            if calls and self.refusals < 2:
                self.refusals += 1
                raise ServiceError("no room on the shelf")
            super().launch()

    redis, reluctant = Recorded("redis", []), Reluctant("api", calls)
    with Supervisor([redis, reluctant], said.append):
        reluctant.running = False
        assert eventually(lambda: reluctant.running)
    assert said.count("api could not be started again: no room on the shelf") == 2


def test_stubborn_services_are_killed(script: Script) -> None:
    services = [script(name, STUBBORN) for name in ("redis", "worker", "api")]
    supervisor = Supervisor(services)
    supervisor.start()
    supervisor.stop()
    supervisor.stop()
    assert {service.ended_with for service in services} == {"was ended by SIGKILL"}


def test_nothing_starts_again_after_the_stop(script: Script) -> None:
    api = script("api", STAYS)
    with Supervisor([script("redis", STAYS), api]):
        pass
    assert script.starts("api") == 1
    assert "supervisor" not in {thread.name for thread in threading.enumerate()}
